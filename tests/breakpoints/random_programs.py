# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - programs, in as few lines as they can be read in
"""Functions made at random: every kind of statement, in every kind of nest, of every length.

A function is made of a seed and a size, so that Hypothesis can make a failing program smaller: it
drops functions, and makes those that are left shorter. Programs end, say what they did, and switch
contexts where they stand, by `_context(n)`.
"""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable, Iterable

PRELUDE = """
import builtins
_said = []
_fuel = [FUEL]
_context = getattr(builtins, "_context", lambda n: None)

class Empty(BaseException):
    pass

def out(value):
    _said.append(value)
    return value

def more():
    # For conditions: ctrace takes an exception that leaves a branch for the way out of it.
    _fuel[0] -= 1
    return _fuel[0] > 0

def tick():
    _fuel[0] -= 1
    if _fuel[0] < 0:
        raise Empty
    return True

class Manager:
    def __init__(self, swallow):
        self.swallow = swallow
    def __enter__(self):
        return self
    def __exit__(self, kind, value, traceback):
        return bool(self.swallow) and kind is not None and issubclass(kind, Exception)
    async def __aenter__(self):
        return self
    async def __aexit__(self, kind, value, traceback):
        return self.__exit__(kind, value, traceback)

class Point:
    __match_args__ = ("x", "y")
    def __init__(self, x, y):
        self.x, self.y = x, y

class Later:
    def __init__(self, n):
        self.n = n
    def __aiter__(self):
        return self
    async def __anext__(self):
        self.n -= 1
        if self.n < 0 or not more():
            raise StopAsyncIteration
        return self.n
    def __await__(self):
        got = yield self.n
        return got

def drive(coroutine):
    try:
        for _ in range(40):
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    return None

def attempt(function, *args):
    try:
        out((function.__name__, repr(function(*args))[:60]))
    except Empty:
        out("empty")
    except BaseException as error:
        out((function.__name__, type(error).__name__))
"""

CLOSING = """
import sys as _sys
_sys.stdout.write(repr(_said) + chr(10))
"""


class Maker:
    """Makes one function."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = random.Random(seed)
        self.left = size
        self.loop = 0
        self.kind = self.random.choice(["plain", "plain", "plain", "generator", "async"])
        self.in_try_star = False

    # -- expressions --

    def value(self) -> str:
        r = self.random
        return r.choice(
            [
                "a", "b", "c", str(r.randrange(-3, 9)), "a.bit_count()", "2 * 3", "(1, 2)", "[1, 2]",
                "'text'", "None", "len(type(c).__name__)", "out(a)", "a if b else c", "not a", "-b if isinstance(b, int) else 0",
                "{a: 1} if isinstance(a, int) else {}", "(lambda n=a: n)()", "f'{a!r:.3}-{1}'", "type(a).__name__",
                "[n for n in range(3) if n != b]", "{n: n for n in range(2)}",
                "sum(n for n in range(3) if more())",
                "max(\n    1,\n    2,\n)", "(a\n or b)", "(a and\n b)", "a is None", "b is not None",
                "[*range(2),\n *range(1)]", "(d := 3)", "a == b != c",
            ]
        )  # fmt: skip

    def condition(self) -> str:
        r = self.random
        return r.choice(
            [
                "a", "b", "not b", "a == b", "a is None", "a is not None", "b is None", "a and b", "a or b",
                "a and not b or c", "(a and\n b)", "(a\n or not b)", "0 == a == b", "out(a) == 1",
                "isinstance(a, int) and a > 1", "'t' in type(a).__name__", "any(n == a for n in (1, 2))", "True", "0",
                "isinstance(b, int) and 0 < b < 3", "(e := b)", "not (a or b)", "more()",
            ]
        )  # fmt: skip

    # -- statements --

    def block(self, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.random.choice([1, 1, 2, 2, 3])):
            lines += self.statement(depth)
        return lines

    def inside(self, depth: int) -> list[str]:
        return ["    " + line for line in self.block(depth + 1)]

    def statement(self, depth: int) -> list[str]:
        self.left -= 1
        if self.left < 0 or depth > 5:
            return [self.random.choice(["pass", "out(1)", "a = b", "b = None", "c = 1"])]
        makers: list[Callable[[int], list[str]]] = [
            self.simple, self.simple, self.simple, self.simple, self.context, self.branch, self.branch,
            self.one_line, self.loop_for, self.loop_while, self.attempt, self.attempt, self.manager,
            self.match, self.leave, self.nested, self.star, self.long,
        ]  # fmt: skip
        lines = self.random.choice(makers)(depth)
        return [line for text in lines for line in text.split("\n")]

    def simple(self, depth: int) -> list[str]:
        r = self.random
        name = r.choice("abc")
        value = self.value()
        return [
            r.choice(
                [
                    f"{name} = {value}", f"{name} = {value}", f"{name} = d = {value}", f"out({value})",
                    f"{name}, d = {value}, 2", "a = b = c", "assert a or True, 'never'", "del d\nd = 1",
                    f"a = b; c = {value}", "pass", f"return_value = {value}", "b = c", "a, b, c = c, a, b",
                    "d += 1", "d -= 1; d *= 1", "items = [0, 1]\nitems[0] = a\nd = items[1]",
                    "point = Point(a, b)\npoint.x = c\nc = point.x", "'a string'", "import math", "globals()['_g'] = 3",
                ]
            )
        ]  # fmt: skip

    def context(self, depth: int) -> list[str]:
        return [f"_context({self.random.randrange(3)})"]

    def branch(self, depth: int) -> list[str]:
        lines = [f"if {self.condition()}:", *self.inside(depth)]
        while self.random.random() < 0.25:
            lines += [f"elif {self.condition()}:", *self.inside(depth)]
        if self.random.random() < 0.5:
            lines += ["else:", *self.inside(depth)]
        return lines

    def one_line(self, depth: int) -> list[str]:
        r = self.random
        if self.loop and r.random() < 0.4:
            return [f"if {self.condition()}: {r.choice(['break', 'continue'])}"]
        return [
            r.choice(
                [
                    f"if {self.condition()}: b = 1",
                    f"if {self.condition()}: a = 1; b = 2",
                    "for n in range(2): d += n",
                    "while more() and d < 2: d += 1",
                    f"if {self.condition()}: raise ValueError(a)",
                    f"with Manager(1): a = {self.random.choice(['1', 'b', 'None'])}",
                ]
            )
        ]

    def loop_for(self, depth: int) -> list[str]:
        r = self.random
        asynchronous = self.kind == "async" and r.random() < 0.5
        over = r.choice(
            ["range(3)", "range(0)", "[a, b]", "(1, 2)", "enumerate('ab')", "(n for n in range(2))"]
        )
        head = f"async for d in Later({r.randrange(4)}):" if asynchronous else f"for d in {over}:"
        self.loop += 1
        lines = [head, "    tick()", *self.inside(depth)]
        self.loop -= 1
        if r.random() < 0.3:
            lines += ["else:", *self.inside(depth)]
        # Loop variables are numbers again.
        return [*lines, "d = 1"]

    def loop_while(self, depth: int) -> list[str]:
        r = self.random
        self.loop += 1
        head = r.choice([f"while more() and ({self.condition()}):", "while True:", "while more():"])
        stop = ["    tick()", f"    if {r.choice(['b', 'more() and not a', 'out(3)'])}: break"]
        lines = [head, *stop, *self.inside(depth)]
        self.loop -= 1
        if r.random() < 0.2 and head != "while True:":
            lines += ["else:", *self.inside(depth)]
        return lines

    def attempt(self, depth: int) -> list[str]:
        r = self.random
        lines = ["try:", *self.inside(depth)]
        if r.random() < 0.6:
            lines += [r.choice(["    raise KeyError(1)", "    1 / 0", "    [][1]", "    int('x')"])]
        handlers = r.choice(
            [[], ["ValueError"], ["KeyError as error"], ["(ZeroDivisionError, IndexError)", ""]]
        )
        ends = not handlers or r.random() < 0.4
        for handler in handlers:
            lines += [f"except {handler}:" if handler else "except Exception:", *self.inside(depth)]
        if handlers and r.random() < 0.3:
            lines += ["else:", *self.inside(depth)]
        if ends:
            loop, self.loop = self.loop, 0
            lines += ["finally:", *self.inside(depth)]
            self.loop = loop
        return lines

    def manager(self, depth: int) -> list[str]:
        r = self.random
        word = "async with" if self.kind == "async" and r.random() < 0.5 else "with"
        what = r.choice(
            [
                "Manager(a)",
                "Manager(1) as d",
                "Manager(b), Manager(0)",
                "(Manager(1),\n Manager(0) as d)",
            ]
        )
        lines = [f"{word} {what}:", *self.inside(depth)]
        if r.random() < 0.3:
            lines.append("    raise ValueError(2)")
        return [*lines, "d = 1"]

    def match(self, depth: int) -> list[str]:
        r = self.random
        cases = r.sample(
            ["1", "1 | 2 | 3", "None", "[x, *_]", "[x, y]", "{'k': v}", "Point(x=0)", "Point(1, y)", "str()",
             "(x, y) if x", "int(x)", "([[x], y]\n       | [y, x])", "{1: _, **rest}", "x if x == b"],
            r.randrange(1, 5),
        )  # fmt: skip
        lines = [f"match {r.choice(['a', 'b', '(a, b)', 'Point(a, b)', '{1: a}', '[c, a]'])}:"]
        for case in cases:
            lines += [f"    case {case}:", *("    " + line for line in self.inside(depth))]
        if r.random() < 0.5:
            lines += ["    case _:", *("    " + line for line in self.inside(depth))]
        return lines

    def leave(self, depth: int) -> list[str]:
        r = self.random
        if self.loop and r.random() < 0.5:
            return [r.choice(["break", "continue"])]
        if self.kind == "generator":
            return [
                r.choice(
                    [
                        "yield a",
                        "d = yield b",
                        "yield from range(2)",
                        "yield from (x for x in [a])",
                        "return",
                    ]
                )
            ]
        if self.kind == "async":
            return [r.choice(["d = await Later(1)", "await Later(2)", "return c"]), "d = 1"]
        if depth < 2:
            return ["out(2)"]
        return [r.choice(["return a", "return", "raise ValueError(b)", "return (a,\n        b)"])]

    def nested(self, depth: int) -> list[str]:
        r = self.random
        name = f"inner{r.randrange(1000)}"
        return r.choice(
            [
                [f"def {name}(n=1):", "    if n:", "        return a", "    return n", f"out({name}())"],
                [f"def {name}(): return a", f"{name}()"],
                [f"def {name}():", "    nonlocal a", "    a = 2", "    yield a", f"list({name}())"],
                [f"class {name}:", "    x = 1", "    def method(self):", "        return self.x",
                 f"out({name}().method())"],
                [f"{name} = lambda n: (", "    n", "    or 2)", f"out({name}(0))"],
                ["d = [", "    n", "    for n in range(3)", "    if n", "]", "d = 1"],
                ["d = [(n, m) for n in range(2)", "     for m in range(2) if more()]", "d = 1"],
            ]
        )  # fmt: skip

    def star(self, depth: int) -> list[str]:
        if self.loop:
            return ["out(5)"]
        return [
            "try:",
            "    raise ExceptionGroup('g', [ValueError(1), KeyError(2)])",
            "except* ValueError:",
            "    out('value')",
            "except* KeyError as group:",
            "    out('key')",
        ]

    def long(self, depth: int) -> list[str]:
        """Beyond what one code unit's jump reaches."""
        r = self.random
        if r.random() < 0.7:
            return self.simple(depth)
        n = r.choice([20, 60, 140])
        return [
            f"if {self.condition()}:",
            *(f"    x{r.randrange(30)} = a, {i}, b" for i in range(n)),
        ]

    def function(self, name: str) -> str:
        body = [f"def {name}(a, b=1, c=None):", "    d = 1"]
        if self.kind == "async":
            body[0] = "async " + body[0]
        statements: list[str] = []
        while self.left > 0:
            statements += self.statement(0)
        if self.kind == "generator":
            statements += ["yield 1"]
        body += ["    " + line for line in statements]
        call = {
            "plain": f"attempt({name}, %s)",
            "generator": f"attempt(lambda *args: list({name}(*args)), %s)",
            "async": f"attempt(lambda *args: drive({name}(*args)), %s)",
        }[self.kind]
        calls = [call % args for args in ("1, 2", "0, 0, 3", "None, None", "'t', 1", "2, 5, ()")]
        if self.kind == "generator":  # resumed here and there, while sites go on and off
            calls += [
                f"_one = {name}(3, 1)",
                f"_two = {name}(0)",
                "for _n in range(6):",
                "    _context(_n % 3)",
                "    attempt(lambda: next(_one, None))",
                "    attempt(lambda: next(_two, None))",
                "attempt(_one.close)",
                "attempt(_two.throw, KeyError)",
            ]
        return "\n".join([*body, *calls]) + "\n"


def program(functions: Iterable[tuple[int, int]], fuel: int = 3000) -> str:
    """The source of a program with these functions, each of a seed and a size."""
    parts = [PRELUDE.replace("FUEL", str(fuel))]
    for n, (seed, size) in enumerate(functions):
        parts.append(f"_fuel[0] = {fuel // 4}\n" + Maker(seed, size).function(f"function{n}"))
    return textwrap.dedent("\n".join([*parts, CLOSING])).lstrip("\n")
