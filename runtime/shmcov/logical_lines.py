# SPDX-License-Identifier: Apache-2.0
"""Which physical lines make one logical line: coverage.py's multi-line map, by tokens alone.

The merge compares lines by the statement they are in, as coverage.py's reports do. coverage.py
computes the map while it parses a file in full; tokens are all that it takes.
"""

from __future__ import annotations

import token
import tokenize
from collections.abc import Iterable

from coverage.exceptions import CoverageException
from coverage.phystokens import generate_tokens
from coverage.python import get_python_source


def of_file(path: str) -> dict[int, int]:
    """Line to first line of its statement, for statements of several lines in a source file.

    Empty where there is no source that Python could read; coverage.py reports no such file either.
    """
    try:
        return of_tokens(generate_tokens(get_python_source(path)))
    except (CoverageException, OSError, SyntaxError, tokenize.TokenError, ValueError):
        return {}


Token = tuple[int, str, tuple[int, int], tuple[int, int], str]


def of_tokens(tokens: Iterable[Token]) -> dict[int, int]:
    logical: dict[int, int] = {}
    first = 0
    for kind, text, (start, _), (end, _), _ in tokens:
        if kind == token.NEWLINE:
            if first and end != first:
                logical.update(dict.fromkeys(range(first, end + 1), first))
            first = 0
        if not first and text.strip() and kind != token.COMMENT:
            first = start
    return logical
