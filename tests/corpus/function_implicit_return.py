def a():
    x = 1


def b(n):
    if n:
        return 1


def c(n):
    for i in range(n):
        pass


def d(n):
    try:
        n += 1
    except ValueError:
        pass


def e():
    """Only a docstring."""


def f(n):
    if n:
        n = 1
    else:
        n = 2


print(a(), b(0), b(1), c(2), d(0), e(), f(1), f(0))
