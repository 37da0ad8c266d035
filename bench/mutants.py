# SPDX-License-Identifier: Apache-2.0
"""All changes of one line of a Python source that a test may notice."""

from __future__ import annotations

import ast

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}


def changes(source: str) -> list[tuple[int, str]]:
    """Numbers of lines, and what may stand there instead. An operator or a constant is another one,
    a condition is turned round, a result or the whole statement is gone. Doc strings stay."""
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Return | ast.Expr | ast.Raise):
            found += [(node.lineno, line) for line in _statements(node, lines)]
        elif isinstance(node, ast.If | ast.While):
            found += [(node.test.lineno, line) for line in _turned(node.test, lines)]
    return list(dict.fromkeys(found))


def changed(source: str, number: int, line: str) -> str:
    lines = source.splitlines(keepends=True)
    lines[number - 1] = line
    return "".join(lines)


def _statements(statement: ast.stmt, lines: list[str]) -> list[str]:
    """What may stand in the line of a statement, if it is the only one and all there."""
    line = lines[statement.lineno - 1]
    indent = line[: len(line) - len(line.lstrip())]
    if (
        statement.lineno != statement.end_lineno
        or ";" in line
        or statement.col_offset != len(indent)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ):
        return []
    before = ast.unparse(statement)
    return [f"{indent}{after}\n" for after in _changed(statement) if after != before]


def _turned(test: ast.expr, lines: list[str]) -> list[str]:
    line = lines[test.lineno - 1]
    if test.lineno != test.end_lineno or not line.isascii():
        return []
    start, end = test.col_offset, test.end_col_offset
    return [f"{line[:start]}not ({line[start:end]}){line[end:]}"]


def _changed(statement: ast.stmt) -> list[str]:
    texts = ["pass"]
    if isinstance(statement, ast.Return) and statement.value is not None:
        texts.append("return None")
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and type(node.value) in (int, bool, str):
            value = node.value
            other = not value if isinstance(value, bool) else value + type(value)("1")
            texts.append(_with(statement, node, "value", other))
        op = getattr(node, "op", None)
        if type(op) in SWAPS:
            texts.append(_with(statement, node, "op", SWAPS[type(op)]()))
        if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            ops = [SWAPS[type(node.ops[0])](), *node.ops[1:]]
            texts.append(_with(statement, node, "ops", ops))
    return texts


def _with(statement: ast.stmt, node: ast.AST, name: str, value: object) -> str:
    """The text of a statement if an attribute of a node in it had another value."""
    before = getattr(node, name)
    setattr(node, name, value)
    try:
        return ast.unparse(statement)
    finally:
        setattr(node, name, before)


def compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
