# SPDX-License-Identifier: Apache-2.0
"""A calculator: scanner, parser and evaluator with match, exceptions, try/finally and with."""

from __future__ import annotations

from types import TracebackType

import clock


class Failed(Exception):
    pass


class Undefined(Failed):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Scope:
    def __init__(self, outer: Scope | None = None) -> None:
        self.outer = outer
        self.names: dict[str, int] = {}
        self.open = 0

    def __enter__(self) -> Scope:
        self.open += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.open -= 1
        return False

    def look_up(self, name: str) -> int:
        try:
            return self.names[name]
        except KeyError:
            if self.outer is None:
                raise Undefined(name) from None
            return self.outer.look_up(name)


def scan(source: str) -> list[str]:
    tokens = []
    at = 0
    while at < len(source):
        character = source[at]
        if character.isspace():
            at += 1
        elif character.isalnum():
            start = at
            while at < len(source) and source[at].isalnum():
                at += 1
            tokens.append(source[start:at])
        else:
            tokens.append(character)
            at += 1
    return tokens


class Parser:
    LEVELS = (("+", "-"), ("*", "/", "%"))

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def expression(self, level: int = 0) -> tuple:
        if level == len(self.LEVELS):
            return self.atom()
        left = self.expression(level + 1)
        while self.peek() in self.LEVELS[level]:
            operator = self.take()
            left = (operator, left, self.expression(level + 1))
        return left

    def atom(self) -> tuple:
        token = self.take()
        if token == "(":
            inner = self.expression()
            if self.take() != ")":
                raise Failed("unbalanced")
            return inner
        if token == "-":
            return ("neg", self.atom())
        if token.isdigit():
            return ("number", int(token))
        if token.isalpha():
            return ("name", token)
        raise Failed(f"unexpected {token!r}")


def evaluate(tree: tuple, scope: Scope) -> int:
    match tree:
        case ("number", value):
            return value
        case ("name", name):
            return scope.look_up(name)
        case ("neg", inner):
            return -evaluate(inner, scope)
        case ("+", left, right):
            return evaluate(left, scope) + evaluate(right, scope)
        case ("-", left, right):
            return evaluate(left, scope) - evaluate(right, scope)
        case ("*", left, right):
            return evaluate(left, scope) * evaluate(right, scope)
        case ("/", left, right):
            return evaluate(left, scope) // evaluate(right, scope)
        case ("%", left, right):
            return evaluate(left, scope) % evaluate(right, scope)
        case _:
            raise AssertionError(tree)


PROGRAM = [
    "(a + 3) * (b - 4) % 97",
    "a * a + b * b - -c",
    "missing + 1",
    "(a + b",
    "c / (a - a)",
    "((a + 1) * (b + 2) + c) % 1013",
    "a % 7 + b % 11 + c % 13",
]


def unit() -> tuple[int, int, int]:
    outer = Scope()
    outer.names["c"] = 77
    total = undefined = failed = 0
    for a in range(12):
        with Scope(outer) as scope:
            scope.names.update(a=a, b=a * 3 + 1)
            for line in PROGRAM:
                try:
                    total += evaluate(Parser(scan(line)).expression(), scope)
                except Undefined:
                    undefined += 1
                except (Failed, ZeroDivisionError):
                    failed += 1
                else:
                    total %= 1000003
                finally:
                    total += 1
    return total, undefined, failed


if __name__ == "__main__":
    clock.run(unit)
