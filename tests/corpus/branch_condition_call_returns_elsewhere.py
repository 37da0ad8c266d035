def g(n):
    return n > 1


def f(n):
    if g(n):
        if g(n - 1): return "big"
        return "two"
    return "small"


print(f(2), f(0))
