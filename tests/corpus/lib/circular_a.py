from . import circular_b


def a(n):
    if n:
        return circular_b.b(n - 1)
    return "a"
