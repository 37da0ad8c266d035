# SPDX-License-Identifier: Apache-2.0
"""pytest-cov's combine, without writing again what the merge has just written.

pytest-cov has each session save a file with a suffix and combine it into the one without. Here that
file is complete and the only one in most sessions, so it gets the other name. What is not so plain
coverage.py combines itself.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable
from dataclasses import dataclass

import coverage
from coverage.data import combinable_files
from coverage.files import PathAliases
from coverage.misc import isolate_module

os = isolate_module(os)

_SAYS = ("combine", "dataio", "dataop", "pathmap")
"""What coverage.py tells of combining with `debug`."""

_BESIDE = ("", "-journal", "-wal", "-shm")
"""The names of what SQLite may read with a database."""


@dataclass(frozen=True)
class _Identity:
    """A file as it was left: nobody else has written to it or given it another name."""

    device: int
    inode: int
    size: int
    time: int
    links: int = 1

    @classmethod
    def of(cls, path: str) -> _Identity | None:
        try:
            st = os.lstat(path)
        except OSError:
            return None
        return cls(st.st_dev, st.st_ino, st.st_size, st.st_mtime_ns, st.st_nlink)


_delivered: dict[str, _Identity | None] = {}
"""The files that were delivered for pytest-cov in this process."""


def delivered(path: str) -> None:
    """This file is for pytest-cov to combine."""
    _delivered[path] = _Identity.of(path)


def moved(
    data: coverage.CoverageData,
    aliases: PathAliases | None,
    data_paths: Iterable[str] | None,
) -> bool:
    """Makes what combine() would combine the file of `data`, which has none yet, if that is all
    there is to do."""
    if not _delivered or data_paths or _in_use(data):
        return False
    target = data.data_filename()
    files = [path for path in combinable_files(data.base_filename()) if path != target]
    if len(files) != 1 or not _same_rows(files[0], aliases):
        return False
    os.rename(files[0], target)
    _delivered.pop(files[0])
    data.read()
    return True


def _in_use(data: coverage.CoverageData) -> bool:
    """Does it hold anything, or does coverage.py tell what it does?"""
    return (
        data._no_disk
        or data._have_used
        or data._has_lines
        or data._has_arcs
        or any(os.path.lexists(data.data_filename() + end) for end in _BESIDE)
        or any(data._debug.should(option) for option in _SAYS)
    )


def _same_rows(path: str, aliases: PathAliases | None) -> bool:
    """Would combining this file alone give the same rows, with the names that they have?"""
    if _delivered.get(path) is None or _delivered[path] != _Identity.of(path):
        return False
    source = coverage.CoverageData(basename=path)
    try:
        source.read()
        with source._connect() as con:
            any_rows = con.execute_one(
                "SELECT EXISTS(SELECT 1 FROM line_bits) OR EXISTS(SELECT 1 FROM arc)"
            )
            with con.execute("SELECT id, path FROM file") as rows:
                names = [name for _, name in rows]
    finally:
        source.close(force=True)
    if not any_rows or not any_rows[0]:
        return False  # coverage.py makes one that is neither of lines nor of branches
    if aliases is None:
        return True
    # A copy: with relative_files, map() adds rules that depend on what it was asked before.
    aliases = copy.copy(aliases)
    aliases.aliases = list(aliases.aliases)
    return all(aliases.map(name) == name for name in names)
