def f(a, b, c, d):
    if not (a and b) or (c and not d):
        return 1
    return 0


print(f(1, 1, 0, 0), f(1, 0, 0, 0))


def g(a, b, c, d):
    if (not (a
             and b)
            or (c
                and not d)):
        return 1
    return 0


print(g(1, 1, 1, 1), g(1, 1, 1, 0))
