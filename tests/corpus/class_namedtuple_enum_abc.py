import abc
import enum
from typing import NamedTuple, Protocol


class P(NamedTuple):
    x: int
    y: int = 2

    def total(self):
        return self.x + self.y


class Flag(enum.Flag):
    A = enum.auto()
    B = enum.auto()
    AB = A | B


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self):
        raise NotImplementedError


class Square(Shape):
    def area(self):
        return 4


class Proto(Protocol):
    def f(self) -> int: ...
    def g(self) -> int:
        ...


print(P(1).total(), Flag.AB, Square().area())
