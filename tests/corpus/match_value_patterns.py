import enum


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def f(c):
    match c:
        case Colour.RED:
            return "red"
        case Colour.BLUE:
            return "blue"


print(f(Colour.BLUE), f(None))
