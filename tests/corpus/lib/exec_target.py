"""Compiled and run by hand, several times."""

count = globals().get("count", 0) + 1


def f(n):
    if n:
        return "yes"
    return "no"


if count > 1:
    again = True
else:
    again = False
