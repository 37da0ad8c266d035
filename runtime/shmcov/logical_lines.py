# SPDX-License-Identifier: Apache-2.0
"""Which physical lines make one logical line: coverage.py's multi-line map, without its parser.

The merge compares lines by their statement, as coverage.py's reports do.
"""

from __future__ import annotations

from coverage.exceptions import CoverageException
from coverage.python import get_python_source

from shmcov import _merge


def of_file(path: str) -> dict[int, int]:
    """The multi-line map of a source file, for statements of several lines.

    Empty if there is no source that Python could read: coverage.py reports no such file.
    """
    try:
        source = get_python_source(path)
    except (CoverageException, OSError, SyntaxError, ValueError):
        return {}
    return _merge.logical_lines(source.encode("utf-8", "surrogatepass"))
