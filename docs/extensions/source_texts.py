# SPDX-License-Identifier: Apache-2.0
"""The messages that stand in the source of the package."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TELLING = ("complain", "tell", "warn", "_warn")
SLUG = re.compile(r"[a-z]+(-[a-z]+)+")


def messages(path: Path) -> Iterator[tuple[str, str]]:
    """The messages of a file, with their slugs: what TELLING tells, and pairs (text, slug)."""
    tree = ast.parse(path.read_text())
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and name_of(node.func) in TELLING:
                    parts = node.args
                elif isinstance(node, ast.Tuple) and slug_in(node.elts):
                    parts = node.elts
                else:
                    continue
                if words := next(filter(None, (words_of(one, function) for one in parts)), ""):
                    yield words, slug_in(parts)


def slug_in(parts: list[ast.expr]) -> str:
    """What stands last in a pair or a call, if it is a slug; else ""."""
    slug = str(getattr(parts[-1], "value", "")) if parts else ""
    return slug if SLUG.fullmatch(slug) else ""


def name_of(function: ast.expr) -> str:
    return str(getattr(function, "attr", getattr(function, "id", "")))


def words_of(node: ast.expr, function: ast.FunctionDef) -> str:
    """A text as it stands in the source, with … for what it is filled with; "" if that is all."""
    if isinstance(node, ast.Name):
        before = [
            one
            for one in ast.walk(function)
            if isinstance(one, ast.Assign)
            and any(getattr(target, "id", "") == node.id for target in one.targets)
            and one.lineno < node.lineno
        ]
        if not before:
            return ""
        node = max(before, key=lambda one: one.lineno).value
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    words = "".join(
        part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "…"
        for part in parts
    )
    return "" if SLUG.fullmatch(words) or not words.strip("… \n`") else words
