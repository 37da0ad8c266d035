# SPDX-License-Identifier: Apache-2.0
"""From a segment to a data file that coverage.py reads: see docs/merge.md."""

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import TypedDict, final

# shm/names.c; shm/layout.h says what they mean.
FLAG_BRANCH: int
FLAG_TEST_FUNCTION: int
FLAG_CONTEXTS: int
FLAG_NO_ADOPT: int
FLAG_OWNED: int
FLAG_HOLD: int
FLAG_QUALNAME: int
FLAG_KEPT: int
FLAG_OTHERS: int
FLAG_COMMAND: int
RULE_SOURCE_DIR: int
RULE_SOURCE_PKG: int
RULE_INCLUDE: int
RULE_OMIT: int
RULE_STDLIB_DIR: int
RULE_THIRD_DIR: int
RULE_THIRD_SOURCE: int
RULE_NEVER_DIR: int
RULE_COVER_PYLIB: int
RULE_CONTEXT: int
RULE_SOURCE_PKG_THIRD: int
RULE_VENV_THIRD: int
RULE_FILE_TRACERS: int
RULE_OWNER: int
RULE_COMMAND: int
RULE_FOLDER: int
RULE_DATA_FILE: int

class SegmentError(Exception):
    """A segment that cannot be read: the message says why, without naming it."""

class DataError(Exception):
    """A data file that cannot be read, written or replaced: says what, which file, what to do."""

class Info(TypedDict):
    flags: int
    version: int
    fingerprint: int
    uid: int
    created: int  # seconds since the epoch
    supervisor: tuple[int, int, int]  # pid, start time, pid namespace
    size: int
    used: int  # bytes given out
    allocated: int  # bytes that the file system holds
    damaged: int  # parts that were skipped
    lost: dict[str, int]  # space, map, limit, tracer, attach, plugin, user
    lossy: list[str]  # files of which something is lost, as far as they are known
    context: str  # the static context
    rules: list[tuple[int, str]]

class Process(TypedDict):
    pid: int
    parent: int
    start: int
    ns: int
    interpreter: int  # PY_VERSION_HEX
    state: str  # "attached", "done"; "left": records nothing now; "unknown"
    forked: bool
    alive: bool | None  # None: in another pid namespace

class Counts(TypedDict):
    files: int  # files of the segment that were written
    unnamed: int  # files left out, because UTF-8 cannot say their name
    contexts: int  # contexts of the segment that were written
    line_rows: int  # rows of line_bits in the result
    arc_rows: int  # rows of arc in the result
    lines: int  # lines of the segment that ran, in any context; 0: nothing was collected
    old_files: int  # files that the old data file knew

@final
class Copy:
    """A private copy of the segment behind a descriptor. Raises SegmentError."""

    def __new__(cls, fd: int) -> Copy: ...
    def info(self) -> Info: ...
    def processes(self) -> list[Process]:
        """The process table, newest first."""
    def hits(self) -> int:
        """How much is in the segment. Equal numbers, at two times, are equal hits."""
    def files(self) -> list[str]:
        """The measured files, sorted."""
    def tracers(self) -> dict[str, str]:
        """The files among them that belong to a file tracer plug-in, and its name."""
    def lines(self, path: str, /) -> int:
        """How many lines of a file ran, in any context. KeyError: it was not measured."""
    def packages(self) -> list[tuple[str, str]]:
        """Source packages that were imported: module, and its folder or file."""
    def main_began(self) -> bool:
        """Did a process come to run code of a module __main__, measured or not?"""
    def multiline_wanted(self) -> list[str]:
        """Files whose arcs may depend on which lines form a statement: give these a map."""
    def set_multiline(self, path: str, first_line: dict[int, int], /) -> None:
        """Say which first line each line belongs to. A line without one stands for itself.
        KeyError: the file was not measured."""
    def write(
        self,
        target: str | PathLike[str],
        *,
        append: bool = False,
        touch: Iterable[str] = (),
        coverage_version: str,
        argv: str | None = None,
        when: str | None = None,
        relative: Callable[[str], str | None] | None = None,
        tracers: Mapping[str, str] | None = None,
    ) -> Counts:
        """Write the data file and put it in the place of the old one. Raises DataError.

        append: unite with what the target is now; if it does not exist, that is empty.
        touch: files that never ran.
        relative: gives the name that a file has in the data file, for measured files and for
        those of touch; None leaves out the file.
        tracers: the file tracer plug-ins whose files are in touch; those that are not are Python.
        """

def check_target(target: str | PathLike[str], *, has_arcs: bool, append: bool) -> None:
    """Raise DataError if write() will not be able to write target."""

def logical_lines(source: bytes, /) -> dict[int, int]:
    """Physical line to first line of its logical line, for logical lines of several lines.

    The source is valid Python in an encoding that contains ASCII; of anything else the lines up to
    what is wrong are right.
    """
