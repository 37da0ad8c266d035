# SPDX-License-Identifier: Apache-2.0
"""What commands write for people, and whether somebody reads it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def drop_unread() -> None:
    """Where nobody reads any more, throws away what is not yet written. Else Python would complain
    of it at the end, and change the exit status."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table: with rich, where that is installed and a terminal shows it, else plain."""
    if sys.stdout is not None and sys.stdout.isatty():
        try:
            _rich_table(head, rows)
        except ImportError:
            pass
        else:
            return
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  " + "  ".join(cells).rstrip())


def _rich_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(*head, box=SIMPLE_HEAD)
    for row in rows:
        made.add_row(*map(Text, row))  # names of files are no markup
    Console().print(made)
