def f(n):
    while n:
        n -= 1
    return n


def g(n):
    while n:
        if n:
            n -= 1
        else:
            n = 0
    return n


f(0)
g(1)
