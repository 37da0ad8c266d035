# SPDX-License-Identifier: Apache-2.0
"""What a data file with contexts tells of tests: which ran a line, which lines a test ran.

Reads coverage.py's schema 7 with SQLite, because coverage.py's own reader makes lists of a million
rows to answer for one line. Sets of lines are integers here: bit n is line n, as in a numbits blob.

How much a test runs altogether needs a look at all rows. These sums are kept, of tests that were
asked for, in an index beside the data file, which is thrown away when the data file is another than
the one that it was made of.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from coverage import Coverage, CoverageData
from coverage.exceptions import DataError, NoDataError

PHASES = ("setup", "run", "call", "teardown")
"""What pytest plug-ins write behind the name of a test, after a `|`."""

Bits = int


class Recording:
    """A data file, opened for reading. Raises coverage.py's exceptions, which name the file."""

    def __init__(self, path: str) -> None:
        self.path = Path(path).absolute()
        if not self.path.exists():
            raise NoDataError(f"There is no data file {self.path}")
        data = CoverageData(str(self.path))
        data.read()  # coverage.py's own words for a file that is none
        self.has_arcs = data.has_arcs()
        data.close()
        with self._failures():
            self._db = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
            self.files: dict[str, int] = dict(self._db.execute("select path, id from file"))
            self.contexts: dict[int, str] = dict(
                self._db.execute("select id, context from context")
            )

    def close(self) -> None:
        self._db.close()

    @property
    def has_tests(self) -> bool:
        """Is there more than the empty context?"""
        return any(self.contexts.values())

    def lines_of_file(self, name: str) -> dict[int, Bits]:
        """The lines of a file that each context ran."""
        return self._collected("file_id", self.files[name], "context_id")

    def files_of_contexts(self, contexts: list[int]) -> dict[str, Bits]:
        """The lines of each file that ran in one of these contexts."""
        names = {number: name for name, number in self.files.items()}
        found: dict[str, Bits] = {}
        for context in contexts:
            for file, lines in self._collected("context_id", context, "file_id").items():
                found[names[file]] = found.get(names[file], 0) | lines
        return found

    def totals(self, contexts: Collection[int]) -> dict[int, int]:
        """How many lines each of these contexts ran in all files."""
        stamp = self._stamp()
        index = self.path.with_name(f".shmcov-index.{self.path.name}.json")
        known: dict[int, int] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            stored = json.loads(index.read_bytes())
            if stored["of"] == stamp:
                known = {int(context): int(lines) for context, lines in stored["lines"].items()}
        if missing := set(contexts) - known.keys():
            known |= self._counted(missing)
            with contextlib.suppress(OSError):  # the folder cannot be written: count again then
                _replace(index, json.dumps({"of": stamp, "lines": known}))
        return {context: known[context] for context in contexts}

    def _stamp(self) -> list[int]:
        status = self.path.stat()
        return [status.st_ino, status.st_size, status.st_mtime_ns]

    def _collected(self, key: str, value: int, by: str) -> dict[int, Bits]:
        """From rows with this key: lines by the other key."""
        found: dict[int, Bits] = {}
        with self._failures():
            if self.has_arcs:
                query = f"select {by}, fromno, tono from arc where {key} = ?"
                for other, start, end in self._db.execute(query, (value,)):
                    found[other] = found.get(other, 0) | _ends(start, end)
            else:
                query = f"select {by}, numbits from line_bits where {key} = ?"
                for other, numbits in self._db.execute(query, (value,)):
                    found[other] = found.get(other, 0) | int.from_bytes(numbits, "little")
        return found

    def _counted(self, contexts: Collection[int]) -> dict[int, int]:
        """Their lines in all files."""
        totals = dict.fromkeys(self.contexts, 0)
        these, wanted = "", []
        if len(contexts) < len(self.contexts) / 2:  # else to pick rows takes longer than it saves
            these = "where context_id in (select value from json_each(?))"
            wanted = [json.dumps(list(contexts))]
        with self._failures():
            if not self.has_arcs:
                query = f"select context_id, numbits from line_bits {these}"
                for context, numbits in self._db.execute(query, wanted):
                    if context in totals:  # rows of a context that is not listed belong to nobody
                        totals[context] += int.from_bytes(numbits, "little").bit_count()
                return {context: totals[context] for context in contexts}
            # Both ends of an arc, where a negative number is an entry or an exit. The groups are in
            # the order of the table's own index, so nothing is sorted.
            ends = "group_concat(max(fromno, 0)), group_concat(max(tono, 0))"
            query = f"select context_id, {ends} from arc {these} group by file_id, context_id"
            for context, starts, targets in self._db.execute(query, wanted):
                if context in totals:
                    lines = {*starts.split(","), *targets.split(",")}
                    totals[context] += len(lines) - ("0" in lines)
        return {context: totals[context] for context in contexts}

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, TypeError, OverflowError, MemoryError) as error:
            raise DataError(f"Couldn't read the data file {self.path}: {error}") from error


def configured(data_file: str | None, rcfile: str | None) -> Recording:
    """Of this data file, or of the one that a configuration names. CoverageException."""
    return Recording(data_file or data_file_in(rcfile))


def data_file_in(rcfile: str | None) -> str:
    """The data file that a configuration names, or that in the current folder."""
    return Coverage(config_file=rcfile or True).config.data_file


def _ends(start: int, end: int) -> Bits:
    """The lines at both ends of an arc; a negative number is an entry or an exit."""
    return (1 << start if start > 0 else 0) | (1 << end if end > 0 else 0)


def _replace(path: Path, text: str) -> None:
    """Another process sees the old content or the new one."""
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=".shmcov-", suffix=".tmp", delete=False
    ) as file:
        file.write(text)
    Path(file.name).replace(path)


def numbers(lines: Bits) -> list[int]:
    """The lines of a set, in order."""
    found = []
    while lines:
        lowest = lines & -lines
        found.append(lowest.bit_length() - 1)
        lines ^= lowest
    return found


def in_words(lines: Bits) -> str:
    """The lines of a set as ranges: 3-5, 9."""
    ranges: list[list[int]] = []
    for line in numbers(lines):
        if ranges and ranges[-1][1] == line - 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def test_of(context: str) -> tuple[str, str]:
    """The test that a context belongs to, and the phase of it or ""."""
    name, bar, phase = context.rpartition("|")
    return (name, phase) if bar and phase in PHASES else (context, "")
