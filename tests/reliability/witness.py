# SPDX-License-Identifier: Apache-2.0
"""A program's own record, in a file beside it: this line ran, this branch was taken.

A line that calls `ran()` names itself. The line has begun by then, so its event has fired, and the
result must contain it, whatever happens to the process in the next instant.
"""

# pathlib is much to import into a program that is measured.
# ruff: noqa: PTH100, PTH118, PTH120
from __future__ import annotations

import os
import sys

# Programs mock these.
_open, _write, _close, _dup, _frame = os.open, os.write, os.close, os.dup2, sys._getframe
_FOLDER = os.path.dirname(os.path.abspath(__file__))
_LOG = os.path.join(_FOLDER, "witness.log")
_held = -1


def _append(path: str, text: str) -> None:
    fd = _held
    if fd < 0 or path != _LOG:
        fd = _open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    _write(fd, text.encode())
    if fd != _held:
        _close(fd)


def hold() -> None:
    """Keeps the file open: for programs that cannot open it again, and for speed."""
    global _held
    fd = _open(_LOG, os.O_WRONLY | os.O_APPEND)
    _held = _dup(fd, 250)
    _close(fd)


def ran(context: str = "") -> None:
    """The calling line ran, in this context."""
    _say(0, context)


def took(back: int = 1, context: str = "") -> None:
    """The calling line ran, and the jump to it from so many lines above was taken."""
    _say(back, context)


def _say(back: int, context: str) -> None:
    frame = _frame(2)
    line = frame.f_lineno
    name = frame.f_code.co_filename.rpartition("/")[2]
    since = line - back if back else 0
    report(name, since, line, context)


def report(name: str, since: int, line: int, context: str = "") -> None:
    """Of this file the line ran, or with `since` the jump to it from that line was taken."""
    # A kill may cut the write short: such a record has no tab at its end, and the next is apart.
    _append(_LOG, f"\n{name}\t{since}\t{line}\t{context}\t")


if "SHMCOV_SEGMENT" in os.environ:
    _append(os.path.join(_FOLDER, "segments"), os.environ["SHMCOV_SEGMENT"] + "\n")
