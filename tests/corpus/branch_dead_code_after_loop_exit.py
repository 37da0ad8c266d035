def f(items):
    for item in items:
        continue
        print(item)
    for item in items:
        break
        print(item)
    return len(items)


print(f([1, 2]))
