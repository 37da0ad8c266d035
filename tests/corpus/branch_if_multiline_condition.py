def f(a, b, c):
    if (
        a
        and b
        and c
    ):
        return "all"
    return "some"


def g(a,
      b):
    if (a or
            b):
        x = 1
    else:
        x = 2
    return x


print(f(1, 1, 1), f(1, 0, 1), f(0, 1, 1))
print(g(0, 0), g(0, 1))
