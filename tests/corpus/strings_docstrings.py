"""Module.

Two paragraphs.
"""


def f():
    """Only this."""


def g():
    "Short."
    return 1


class C:
    """Class."""

    x = 1
    """Not a docstring."""

    def m(self):
        """Method."""
        return self


async def h():
    """Async."""


def i():
    1
    "not a docstring"
    f"{1}"


print(f(), g(), C().m().x, i())
