# SPDX-License-Identifier: Apache-2.0
"""Which changes of a source change which block, and which block a line belongs to."""

from __future__ import annotations

import textwrap

import pytest
from shmcov.affected import blocks

SOURCE = """\
import os
from . import a, b
from .c import d
from e.f import g as h


FACTOR = 2


def outer(n=FACTOR):
    "What it does."

    @decorated
    def inner(
        m,
    ):
        return m

    return inner(n)


class Shop:
    rate = 3

    @property
    def price(self):
        return self.rate

    @price.setter
    def price(self, value):
        self.rate = value


def one(): return 1


async def later():
    import late

    return [x for x in late]
"""

NAMES = {"", "outer", "outer.<locals>.inner", "Shop.price", "Shop.price#2", "one", "later"}


def changed(old: str, new: str) -> set[str]:
    assert old in SOURCE
    before = blocks.of(SOURCE.encode()).blocks
    after = blocks.of(SOURCE.replace(old, new, 1).encode()).blocks
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_names() -> None:
    assert blocks.of(SOURCE.encode()).blocks.keys() == NAMES


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("FACTOR = 2", "FACTOR = 2  # twice", set()),
        ("FACTOR = 2", "\n\n\nFACTOR = (2)", set()),
        ("    rate = 3\n", "    rate = 3\n    # three\n", set()),
        ("FACTOR = 2", "FACTOR = 3", {""}),
        ("rate = 3", "rate = 4", {""}),
        ("n=FACTOR", "n=1", {"", "outer"}),
        ('"What it does."', '"What?"', {"outer"}),
        ("@decorated", "@other", {"outer"}),
        ("return m", "return -m", {"outer.<locals>.inner"}),
        ("return inner(n)", "return inner(m)", {"outer"}),
        ("return self.rate", "return 0", {"Shop.price"}),
        ("self.rate = value", "self.rate = 0", {"Shop.price#2"}),
        ("return 1", "return 2", {"one"}),
        ("def one", "def two", {"", "one", "two"}),
        ("in late", "in late()", {"later"}),
        ("import os", "import sys", {""}),
    ],
)
def test_what_a_change_changes(old: str, new: str, expected: set[str]) -> None:
    assert changed(old, new) == expected


def test_moved_code_changes_nothing() -> None:
    one = "def one(): return 1\n\n\n"
    moved = SOURCE.replace(one, "").replace("def outer", f"{one}def outer")
    assert blocks.of(moved.encode()).blocks["one"] == blocks.of(SOURCE.encode()).blocks["one"]


def test_imports() -> None:
    expected = {"os", ".a", ".b", ".c", ".c.d", "e.f", "e.f.g", "late"}
    assert set(blocks.of(SOURCE.encode()).imports) == expected


@pytest.mark.parametrize(
    ("line", "owner"),
    [
        ("FACTOR = 2", ""),
        ("def outer", ""),
        ('"What it does."', "outer"),
        ("@decorated", "outer"),
        ("m,", "outer"),
        ("return m", "outer.<locals>.inner"),
        ("return inner", "outer"),
        ("rate = 3", ""),
        ("@property", ""),
        ("return self.rate", "Shop.price"),
        ("self.rate = value", "Shop.price#2"),
        ("def one(): return 1", "one"),
        ("import late", "later"),
    ],
)
def test_owners(line: str, owner: str) -> None:
    (number,) = [n for n, text in enumerate(SOURCE.split("\n"), 1) if text.strip().startswith(line)]
    assert blocks.owners(SOURCE.encode())[number] == owner


@pytest.mark.parametrize(
    "text", [b"", b"\xef\xbb\xbfx = 1\n", b"x = (\n", b"\0", b"\xff\xfe", b"if"]
)
def test_odd_sources(text: bytes) -> None:
    assert "" in blocks.of(text).blocks
    assert all(owner == "" for owner in blocks.owners(text))


def test_other_line_ends() -> None:
    text = textwrap.dedent(SOURCE).replace("\n", "\r\n").encode()
    assert blocks.of(text).blocks == blocks.of(SOURCE.encode()).blocks
    assert blocks.owners(text)[: SOURCE.count("\n")] == blocks.owners(SOURCE.encode())[:-2]
