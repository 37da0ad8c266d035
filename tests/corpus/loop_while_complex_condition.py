def f(a, b, c):
    while a > 0 and (b > 0 or c > 0):
        a -= 1
        b -= 1
        c -= 2
    return a, b, c


print(f(5, 2, 2))
print(f(1, 9, 9))


def g(a, b):
    while (
        a > 0
        and b > 0
    ):
        a -= 1
    while (
        a > 5
        or b > 5
    ):
        b -= 1
    return a


print(g(2, 7))
