import contextlib


def f(a):
    with contextlib.suppress(ValueError):
        if a:
            raise ValueError
        return "no"
    return "yes"


print(f(0), f(1))


def g(a):
    with contextlib.suppress(KeyError):
        raise ValueError(a)


try:
    g(1)
except ValueError:
    print("value")
