from dataclasses import dataclass


@dataclass
class Point:
    x: int
    y: int


class Other:
    __match_args__ = ("a",)

    def __init__(self, a):
        self.a = a


def f(p):
    match p:
        case Point(x=0, y=0):
            return "origin"
        case Point(0, y) | Point(y, 0):
            return f"axis {y}"
        case Point(x, y):
            return x + y
        case Other(Point(x=1)):
            return "nested"
        case Other(a):
            return a
        case int() | float():
            return "number"


print(f(Point(0, 0)), f(Point(0, 2)), f(Other(1)), f(2.5), f(None))
