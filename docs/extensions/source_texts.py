# SPDX-License-Identifier: Apache-2.0
"""The messages that stand in the source of the package."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TELLING = ("complain", "warn", "_warn")
SLUG = re.compile(r"[a-z]+(-[a-z]+)+")


def messages(path: Path) -> Iterator[tuple[str, str]]:
    """The messages of a file, with their slugs: what complain() prints and warn() tells, and pairs
    (text, slug)."""
    tree = ast.parse(path.read_text())
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and node.args and name_of(node.func) in TELLING:
                    text, slug = node.args[0], ""
                elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
                    text, slug = node.elts[0], str(getattr(node.elts[1], "value", ""))
                    if not SLUG.fullmatch(slug):
                        continue
                else:
                    continue
                if words := words_of(text, function):
                    yield words, slug


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
    return words if words.strip("… \n`") else ""
