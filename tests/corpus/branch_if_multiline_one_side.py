def f(a, b, c):
    if (
        a
        or b
        or c
    ):
        return "any"
    return "none"


print(f(0, 1, 0))


def g(a, b, c):
    if (
        a
        and b
        and c
    ):
        return "all"
    return "not all"


print(g(0, 1, 1))
