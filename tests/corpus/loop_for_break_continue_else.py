def f(items):
    for item in items:
        if item == 0:
            continue
        elif item == 1:
            break
        print(item)
    else:
        print("all")
    return item


f([0, 2])
f([0, 1])
