def f(items):
    for item in items:
        if item > 2:
            x = 1
        else:
            if item:
                x = 2
    while items:
        if items.pop():
            if items:
                x = 3
        else:
            x = 4
    return x


print(f([0, 1, 3]))
