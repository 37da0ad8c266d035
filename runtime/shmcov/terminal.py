# SPDX-License-Identifier: Apache-2.0
"""What commands write for people, and whether somebody reads it."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shmcov.shards.combining import Progress

SOON = 0.5
"""Seconds after which a terminal shows how far it is: most times it is over by then."""

PLAIN = 30.0
"""Seconds between two lines where no terminal shows them."""


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


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Shows how far combining is: with rich, where that is installed and a terminal shows it, else
    a line now and then, which only long runs come to. None: nobody wants to know."""
    if quiet or sys.stderr is None:
        yield None
        return
    shown: _Bars | _Lines = _Lines()
    if sys.stderr.isatty():
        with contextlib.suppress(ImportError):
            shown = _Bars()
    try:
        yield shown.show
    finally:
        shown.end()


def _parts(now: Progress) -> Iterator[tuple[str, int, int]]:
    """What is done, how much of it, and of how much."""
    yield "data files read", now.inputs, now.inputs_in_all
    if now.files:
        yield "files written", now.files, now.files_in_all


class _Bars:
    def __init__(self) -> None:
        import importlib.util

        if importlib.util.find_spec("rich") is None:
            raise ImportError("rich")
        self._from = time.monotonic() + SOON
        self._live: Any = None
        self._tasks: dict[str, Any] = {}

    def show(self, now: Progress) -> None:
        if self._live is None:
            if time.monotonic() < self._from:
                return
            self._begin()
        for what, done, of in _parts(now):
            if what not in self._tasks:
                self._tasks[what] = self._live.add_task(what, total=of)
            self._live.update(self._tasks[what], completed=done, total=of)

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._live = Progress(
            TextColumn("{task.description:16}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._live.start()

    def end(self) -> None:
        if self._live is not None:
            self._live.stop()


class _Lines:
    def __init__(self) -> None:
        self._next = time.monotonic() + PLAIN

    def show(self, now: Progress) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PLAIN
        what, done, of = list(_parts(now))[-1]
        print(f"shmcov: {done} of {of} {what}", file=sys.stderr, flush=True)

    def end(self) -> None:
        pass
