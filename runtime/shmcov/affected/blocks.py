# SPDX-License-Identifier: Apache-2.0
"""A Python source, cut into blocks: each function is one, and all that runs on import is another.

A block is known by its name and by a hash of its syntax tree without positions, so that comments,
blank lines and moved code change nothing. Class bodies, decorators, default values and signatures
belong to what runs the `def`, as at run time. That blocks of code can be compared by checksums, and
tests by the blocks that they ran, is pytest-testmon's idea.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

IMPORT = ""
"""The name of the block that runs on import."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """What of a source decides which tests a change of it affects."""

    blocks: dict[str, str]
    """Name of a block to its hash. Functions are named as by __qualname__; a second one of the same
    name has `#2` behind it."""
    imports: list[str]
    """The modules that any line of it imports, dotted, relative ones with their dots in front. Of
    `from a import b` both a and a.b, because b may be a module."""


def of(text: bytes) -> Source:
    """A source that is no Python is one block."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Source({IMPORT: _hashed(text)}, [])
    blocks = {IMPORT: _hash(tree)}
    for name, function in _functions(tree):
        blocks[name] = _hash(function)
    return Source(blocks, sorted(set(_imports(tree))))


def owners(text: bytes) -> list[str]:
    """The block that each line belongs to, by its number; [0] is nothing."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = [IMPORT] * (text.count(b"\n") + text.count(b"\r") + text.count(b"\f") + 2)
    for name, function in _functions(tree):  # outer ones come before inner ones
        first = function.body[0]
        start = min([first.lineno, *(one.lineno for one in getattr(first, "decorator_list", ()))])
        for line in range(start, min((function.end_lineno or start) + 1, len(found))):
            found[line] = name
    return found


def _functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Every function with its name, outer ones first."""
    seen: dict[str, int] = {}
    waiting: list[tuple[str, ast.AST]] = [("", tree)]
    while waiting:
        inside, node = waiting.pop()
        for child in ast.iter_child_nodes(node):
            within = inside
            if isinstance(child, Function):
                name = inside + child.name
                seen[name] = seen.get(name, 0) + 1
                if seen[name] > 1:
                    name = f"{name}#{seen[name]}"
                yield name, child
                within = f"{name}.<locals>."
            elif isinstance(child, ast.ClassDef):
                within = f"{inside}{child.name}."
            waiting.append((within, child))


def _hash(node: ast.Module | Function) -> str:
    """Of what the block itself runs: of the functions in it only what runs with their `def`."""
    hidden = [
        (child, child.body)
        for statement in node.body
        for child in ast.walk(statement)
        if isinstance(child, Function)
    ]
    try:
        for function, _ in hidden:
            function.body = []
        parts = [ast.dump(statement) for statement in node.body]
    finally:
        for function, body in hidden:
            function.body = body
    if not isinstance(node, ast.Module):
        parts.append(ast.dump(node.args))
    return _hashed("\n".join(parts).encode("utf-8", "surrogatepass"))


def _hashed(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=12).hexdigest()


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            if node.module:
                yield base
            separator = "." if node.module else ""
            yield from (base + separator + alias.name for alias in node.names)
