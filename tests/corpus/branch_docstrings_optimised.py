# python: -OO
"""A docstring that -OO takes away."""


def f():
    """Another."""
    return 1


class C:
    """A third."""


print(f(), C.__doc__)
