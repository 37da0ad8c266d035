# SPDX-License-Identifier: Apache-2.0
"""Makes shards of the shape of Django's tests: data files as coverage.py writes them, one for each
machine of a CI run.

    python bench/shards.py FOLDER KIND SHARDS [--rows N] [--files N] [--contexts N]

All shards have the same files. A shard's contexts are its own, but for the empty one.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage
from coverage.numbits import nums_to_numbits

LINES, CONTEXTS, BRANCHES, BRANCH_CONTEXTS = "lines", "contexts", "branches", "branches in contexts"
KINDS = (LINES, CONTEXTS, BRANCHES, BRANCH_CONTEXTS)
ARCS_A_PAIR = 8
"""Arcs of a file in a context."""


@dataclass(frozen=True)
class Shape:
    """What one shard has. `rows` is of `line_bits` or of `arc`."""

    kind: str
    rows: int = 55_000
    files: int = 1249
    contexts: int = 2600

    @property
    def branch(self) -> bool:
        return self.kind.startswith(BRANCHES)

    def folder(self, parent: Path, shards: int) -> Path:
        """Makes the shards, if they are not there."""
        sizes = (shards, self.rows, self.files, self.contexts)
        name = "-".join(["shards", self.kind.replace(" ", "-"), *map(str, sizes)])
        made = parent / name
        if not made.exists():
            unfinished = made.with_suffix(".tmp")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            for number in range(shards):
                self.write(unfinished / f".coverage.{number:04}", number)
            unfinished.rename(made)
        return made

    def write(self, path: Path, number: int) -> None:
        data = coverage.CoverageData(basename=str(path))
        (data.add_arcs if self.branch else data.add_lines)({})  # type: ignore[operator]
        data.close(force=True)
        roll = random.Random(number)
        names = [f"/srv/project/package{n % 40}/module{n}.py" for n in range(self.files)]
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("pragma synchronous = off")
            db.execute("begin")
            db.executemany("insert into file (path) values (?)", [(name,) for name in names])
            contexts = [""]
            if self.kind in (CONTEXTS, BRANCH_CONTEXTS):
                contexts += [
                    f"tests.test_module{number}_{n % 30}.TestCase.test_{n}"
                    for n in range(1, self.contexts)
                ]
            db.executemany("insert into context (context) values (?)", [(c,) for c in contexts])
            if self.branch:
                db.executemany(
                    "insert or ignore into arc values (?, ?, ?, ?)", self._arcs(roll, len(contexts))
                )
            else:
                db.executemany(
                    "insert or ignore into line_bits values (?, ?, ?)",
                    self._lines(roll, len(contexts)),
                )
            db.execute("commit")

    def _pairs(self, n: int, contexts: int) -> Iterator[tuple[int, int]]:
        """File and context, in the order in which tests run."""
        for pair in range(n):
            yield (pair * 57) % self.files + 1, pair * contexts // n + 1

    def _lines(self, roll: random.Random, contexts: int) -> Iterator[tuple[int, int, bytes]]:
        pairs = self.files if contexts == 1 else self.rows
        for file, context in self._pairs(pairs, contexts):
            length = file_lines(file)
            first = roll.randrange(1, length)
            many = roll.randrange(1, 160)
            lines = range(first, min(first + many, length + 1), roll.choice((1, 1, 2, 3)))
            yield file, context, nums_to_numbits(lines)

    def _arcs(self, roll: random.Random, contexts: int) -> Iterator[tuple[int, int, int, int]]:
        pairs = self.files if contexts == 1 else self.rows // ARCS_A_PAIR
        each = self.rows // pairs
        for file, context in self._pairs(pairs, contexts):
            length = file_lines(file)
            first = roll.randrange(1, length) if contexts > 1 else 1
            for line in range(first, first + each):
                # Two of three arcs of a line are those of every shard.
                to = line + 1 if roll.random() < 0.66 else line + roll.randrange(1, 9)
                yield file, context, line, to


def file_lines(file: int) -> int:
    """Each file is a few hundred lines long, now and then some thousands."""
    return 64 + (file * 2654435761 >> 16) % (600 if file % 20 else 6000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("shards", type=int)
    for name in ("rows", "files", "contexts"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Shape, name))
    options = parser.parse_args()
    shape = Shape(options.kind, options.rows, options.files, options.contexts)
    print(shape.folder(options.folder, options.shards))


if __name__ == "__main__":
    main()
