def f(a, b, c):
    r = 0
    if a:
        if b:
            if c:
                r = 1
    return r


def g(a, b):
    if a:
        if b:
            return 1
        else:
            r = 2
    else:
        r = 3
    return r


print(f(1, 1, 0), f(1, 0, 0))
print(g(1, 0), g(0, 0))
