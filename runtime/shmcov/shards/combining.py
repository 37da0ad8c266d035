# SPDX-License-Identifier: Apache-2.0
"""Many data files to one: docs/combine.md. The rows are C's (`shmcov._merge.Combine`); here is what
coverage.py decides, with its own code: the names of files, what counts as the same data, and how
errors are worded.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import coverage
from coverage import sqldata
from coverage.exceptions import CoverageException, DataError, NoDataError
from coverage.files import PathAliases
from coverage.misc import isolate_module

from shmcov import _merge

os = isolate_module(os)

PROBE = 1 << 16
"""So many bytes of the beginning and of the end tell most files of one size apart."""


@dataclass(frozen=True)
class Combined:
    """What has become of the inputs, and what is in the output."""

    combined: list[str] = field(default_factory=list)
    """Those whose data is in it, in order."""
    skipped: list[str] = field(default_factory=list)
    """The same as an earlier one."""
    unusable: list[tuple[str, str]] = field(default_factory=list)
    """Those that cannot be read, and why."""
    files: int = 0
    contexts: int = 0
    line_rows: int = 0
    arc_rows: int = 0


@dataclass(frozen=True)
class Progress:
    """How far it has come: inputs are read first, then the files of the output are written."""

    inputs: int
    inputs_in_all: int
    files: int
    files_in_all: int
    rows: int
    """That have been written."""


Fate = Literal["combined", "skipped", "unusable"]


class Options(TypedDict, total=False):
    """How data files are combined. All may be left out."""

    aliases: PathAliases | None
    """Map the names of files, as coverage.py does; None: names stay as they are."""
    append: bool
    """What the output has is kept; by default it is replaced."""
    strict: bool
    """It is an error if there is nothing to combine; so by default."""
    argv: str | None
    when: str | None
    """As in coverage.py; None, where they would make equal files differ."""
    on_progress: Callable[[Progress], object] | None
    on_input: Callable[[str, Fate, str], object]
    """Called with each input, what became of it, and why it is unusable."""


def usable() -> bool:
    """Does the installed coverage.py have data files as C reads and writes them?"""
    return sqldata.SCHEMA_VERSION == _merge.SCHEMA_VERSION


def combine_files(
    inputs: Sequence[str],
    output: str,
    *,
    ready: Callable[[str], object] | None = None,
    **options: Unpack[Options],
) -> Combined:
    """Combines data files into one, which takes the place of `output` only when it is complete.

    ready: called with each input before it is opened. If given, inputs need not exist before that,
    and may be removed once `on_input` has heard of them.

    An input that cannot be read is left out. Raises coverage.py's exceptions; then `output` is as
    it was. Inputs are never removed.
    """
    append, strict = options.get("append", False), options.get("strict", True)
    on_progress, on_input = options.get("on_progress"), options.get("on_input", nobody)
    output = os.path.abspath(output)
    inputs = [path for path in map(os.path.abspath, inputs) if not _same(path, output, append)]
    if strict and not inputs:
        raise NoDataError("No usable data files")
    result = Combined()
    try:
        combine = _merge.Combine(
            output,
            append=append,
            coverage_version=coverage.__version__,
            argv=options.get("argv"),
            when=options.get("when"),
        )
    except _merge.DataError as error:
        raise DataError(str(error)) from error
    try:
        told = _Telling(combine, len(inputs), result, on_progress)
        _add(combine, inputs, _mapper(options.get("aliases")), result, told, on_input, ready)
        if not result.combined:
            if strict:
                raise NoDataError("No usable data files")
            return result
        counts = combine.finish(told.of if on_progress else None)
    except _merge.MixedError as error:
        raise _with_slug(str(error), "cant-combine") from error
    except _merge.DataError as error:
        raise DataError(str(error)) from error
    finally:
        combine.close()
    told.of(counts)
    return Combined(
        result.combined,
        result.skipped,
        result.unusable,
        counts["files"],
        counts["contexts"],
        counts["line_rows"],
        counts["arc_rows"],
    )


def nobody(*_: object) -> None:
    """Is told, and does nothing."""


def _same(path: str, output: str, append: bool) -> bool:
    """Is an input the output? That is no input, as for coverage.py."""
    if path == output or not append:
        return path == output
    try:
        return os.path.samefile(path, output)
    except OSError:
        return False


def _add(
    combine: _merge.Combine,
    inputs: Iterable[str],
    name_of: Callable[[str], str],
    result: Combined,
    told: _Telling,
    on_input: Callable[[str, Fate, str], object],
    ready: Callable[[str], object] | None,
) -> None:
    known = Known(stay=ready is None)
    for path in inputs:
        if ready is not None:
            ready(path)
        refused = ""
        names: list[str] = []
        try:
            names = combine.open(path)
        except _merge.BusyError as error:
            # To open it once more would take its lock from a SQLite of this process.
            result.unusable.append((path, str(error)))
            on_input(path, "unusable", str(error))
            continue
        except _merge.InputError as error:
            refused = str(error)
        except _merge.MixedError:
            if not known.again(path):
                raise
            result.skipped.append(path)  # of whatever kind it is
            on_input(path, "skipped", "")
            continue
        if known.again(path):
            result.skipped.append(path)
            on_input(path, "skipped", "")
        elif refused:
            why = _refusal(path, refused)
            result.unusable.append((path, why))
            on_input(path, "unusable", why)
        else:
            combine.add([name_of(name) for name in names])
            result.combined.append(path)
            on_input(path, "combined", "")
        told.now()


class _Telling:
    """Tells how far it has come."""

    def __init__(
        self,
        combine: _merge.Combine,
        inputs: int,
        result: Combined,
        on_progress: Callable[[Progress], object] | None,
    ) -> None:
        self._combine = combine
        self._inputs = inputs
        self._result = result
        self._on_progress = on_progress

    def now(self) -> None:
        if self._on_progress is not None:
            self.of(self._combine.progress())

    def of(self, counts: _merge.CombineCounts) -> None:
        if self._on_progress is not None:
            done = counts["inputs"] + len(self._result.skipped) + len(self._result.unusable)
            done = min(done, self._inputs)  # what is appended to is one more
            rows = counts["line_rows"] + counts["arc_rows"]
            self._on_progress(Progress(done, self._inputs, counts["file"], counts["files"], rows))


def _mapper(aliases: PathAliases | None) -> Callable[[str], str]:
    """What coverage.py calls a file of an input."""

    @functools.cache
    def name_of(path: str) -> str:
        if aliases is not None:
            path = aliases.map(path)
        return re.sub(r"[/\\]", re.escape(os.sep), path)

    return name_of


def _refusal(path: str, why: str) -> str:
    """What coverage.py says of a data file that it cannot read. If it can, `why` is an error, as it
    is when coverage.py comes to what is wrong with the file."""
    if "read_only" not in inspect.signature(coverage.CoverageData).parameters:
        return why
    data = coverage.CoverageData(path, read_only=True)
    try:
        data.read()
    except CoverageException as error:
        return str(error)
    except Exception:  # whatever the values in it are
        return why
    finally:
        data.close(force=True)
    raise DataError(why)


def _with_slug(text: str, slug: str) -> DataError:
    try:
        return DataError(text, slug=slug)
    except TypeError:  # before 7.11
        return DataError(text)


class Known:
    """Which inputs have come before.

    coverage.py goes by the hash in the name that it gave the file, and otherwise by a hash of all
    that is in it. Here the latter is made only of files that could be equal."""

    def __init__(self, *, stay: bool = True) -> None:
        """stay: can an input be read again later?"""
        self._stay = stay
        self._hashes: set[str] = set()
        self._alike: dict[tuple[int, bytes], list[str]] = {}
        self._contents: dict[str, bytes] = {}

    def again(self, path: str) -> bool:
        """Is it the same as an earlier one?"""
        named = _hash_in_name(path)
        if named:
            again = named in self._hashes
            self._hashes.add(named)
            return again
        try:
            with Path(path).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                probe = file.read(PROBE)
                if size > 2 * PROBE:
                    file.seek(-PROBE, os.SEEK_END)
                    probe += file.read(PROBE)
            alike = self._alike.setdefault((size, hashlib.blake2b(probe).digest()), [])
            again = any(self._content(other) == self._content(path) for other in alike)
        except OSError:
            return False  # and it is not usable
        if not again:
            alike.append(path)
            if not self._stay:
                self._content(path)
        return again

    def _content(self, path: str) -> bytes:
        if path not in self._contents:
            with Path(path).open("rb") as file:
                self._contents[path] = hashlib.file_digest(file, "blake2b").digest()
        return self._contents[path]


def _hash_in_name(path: str) -> str:
    """The hash that coverage.py, since 7.13.1, puts into the name of a file and reads there."""
    match = getattr(sqldata, "filename_match", None)
    found = match(path) if match is not None else None
    return (found["hash"] or "") if found else ""
