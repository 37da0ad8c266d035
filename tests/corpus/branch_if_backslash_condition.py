def f(a, b):
    if a \
            and b:
        return 1
    elif a \
            or b:
        return 2
    return 3


print(f(1, 1), f(0, 0))
