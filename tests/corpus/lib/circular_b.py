from . import circular_a


def b(n):
    if n:
        return circular_a.a(n - 1)
    return "b"
