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

SCHEMA_VERSION: int  # of the data files that are read and written

class SegmentError(Exception):
    """A segment that cannot be read: the message says why, without naming it."""

class VersionError(SegmentError):
    """A segment of another version of shmcov."""

class DataError(Exception):
    """A data file that cannot be read, written or replaced: says what, which file, what to do."""

class InputError(DataError):
    """An input of Combine that cannot be used; others can."""

class BusyError(InputError):
    """An input of Combine that is being written."""

class MixedError(DataError):
    """An input of Combine has branch data, and another one line data."""

class Info(TypedDict):
    flags: int
    version: int
    fingerprint: int
    uid: int
    created: int  # seconds since the epoch
    supervisor: tuple[int, int, int]  # pid, start time, pid namespace
    size: int
    used: int  # bytes given out
    allocated: int  # bytes that the file system has for it
    damaged: int  # parts that were skipped
    lost: dict[str, int]  # space, map, limit, tracer, attach, plugin, user
    lossy: list[str]  # lossy files, as far as they are known
    context: str  # the static context
    rules: list[tuple[int, str]]

class Process(TypedDict):
    pid: int
    parent: int
    start: int
    ns: int
    interpreter: int  # PY_VERSION_HEX
    state: str  # "attached", "done"; "left": not measured any more; "unknown"
    forked: bool
    alive: bool | None  # None: in another pid namespace
    name: str | None  # what people call it
    context: str | None  # that it was switched to last; None: none, or one that is too new
    since: float  # CLOCK_MONOTONIC when that began, or the test of which it is a phase
    tests: int  # begun in it: contexts, of which the phases of one test count once

class Counts(TypedDict):
    files: int  # files of the segment that were written
    unnamed: int  # files left out: no name, or none in UTF-8
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
        """The number of hits in the segment. Copies with equal numbers have equal hits."""
    def files(self) -> list[str]:
        """The measured files, sorted."""
    def tracers(self) -> dict[str, str]:
        """The files of file tracer plug-ins, with the plug-in's name."""
    def lines(self, path: str, /) -> int:
        """How many lines of a file ran, in any context. KeyError: the file was not measured."""
    def numbits(self, path: str, /) -> bytes:
        """The lines of a file that ran, in any context, as a numbits blob. KeyError as above."""
    def packages(self) -> list[tuple[str, str]]:
        """Source packages that were imported: module, and its folder or file."""
    def main_began(self) -> bool:
        """Has any process run code of a module __main__, measured or not?"""
    def notes(self) -> list[str]:
        """What processes of the run have to say to whoever reads its end."""
    def multiline_wanted(self) -> list[str]:
        """Files whose arcs may depend on which lines form a statement: these need a map."""
    def set_multiline(self, path: str, first_line: dict[int, int], /) -> None:
        """Give a file its multi-line map: line to first line of its statement. A line without one
        stands for itself. KeyError: the file was not measured."""
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
        """Write the data file, in place of the old one. Raises DataError.

        append: unite with the target's data, if there is any.
        touch: files that never ran.
        relative: returns the name of a file in the data file, for measured files and those of
        touch; None leaves the file out.
        tracers: for files in touch, the file tracer plug-in; those without one are Python.
        """

class CombineCounts(TypedDict):
    files: int
    contexts: int
    line_rows: int  # rows of line_bits that have been written
    arc_rows: int  # rows of arc that have been written
    inputs: int  # that have been read
    file: int  # of which rows are being written, counted from 1
    rows_read: int  # one for each file and context of an input

@final
class Combine:
    """Many data files, to be one: see docs/combine.md. Raises DataError.

    append: the target is the first input, if it has any data.
    memory: bytes for rows until they are written. 0: as is usual.
    readers: threads. 0: as many as there are processors.
    """

    def __new__(
        cls,
        target: str | PathLike[str],
        *,
        append: bool = False,
        coverage_version: str,
        argv: str | None = None,
        when: str | None = None,
        memory: int = 0,
        readers: int = 0,
    ) -> Combine: ...
    def open(self, path: str | PathLike[str], /) -> list[str]:
        """Open an input, and return the files that it has. Raises InputError,
        MixedError."""
    def add(self, names: list[str], /) -> None:
        """Add the input that is open. names: of its files, in the output. Raises MixedError."""
    def progress(self) -> CombineCounts:
        """How far it has come."""
    def finish(self, tell: Callable[[CombineCounts], object] | None = None, /) -> CombineCounts:
        """Write the output, in place of the old one. tell: called now and then. What it raises
        ends this, and leaves the old one as it is."""
    def close(self) -> None:
        """Give up what finish() has not written."""

def check_target(target: str | PathLike[str], *, has_arcs: bool, append: bool) -> None:
    """Raise DataError if write() will not be able to write target."""

def logical_lines(source: bytes, /) -> dict[int, int]:
    """Physical line to first line of its logical line, for logical lines of several lines.

    The source is Python in an encoding that contains ASCII; if it is not valid, the result is right
    up to the error.
    """
