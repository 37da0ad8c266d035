def f(a, b, c):
    if a < b < c:
        return 1
    return 0


def g(a, b, c):
    if (a
            < b
            < c):
        return 1
    return 0


def h(a, b, c):
    return (a
            <= b
            <= c)


print(f(1, 2, 3), g(3, 2, 1), g(1, 3, 2), h(1, 1, 1))
if 1 < len("ab") < 3 < len("abcd"):
    print("chain")
