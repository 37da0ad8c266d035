# SPDX-License-Identifier: Apache-2.0
"""From a segment into a `CoverageData`, on disk or in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable

import coverage
import coverage.sqlitedb
from coverage.exceptions import DataError
from coverage.misc import isolate_module

from shmcov import _merge

os = isolate_module(os)
_open = open

Write = Callable[[str, bool], None]
"""Writes a copy into the data file of this name. True: adds it to what is there."""


def take(covdata: coverage.CoverageData, branch: bool, write: Write) -> str | None:
    """Makes `covdata` take what `write` writes. Returns its file, if it is on disk. DataError."""
    # If covdata is in use, adds to it. Otherwise coverage.py would erase the file first; here the
    # old one stays until the new one is complete.
    append = covdata._have_used
    with covdata._lock:
        try:
            if append or covdata._no_disk:
                # Raises if the data is of the other kind.
                (covdata.add_arcs if branch else covdata.add_lines)({})
            if covdata._no_disk:
                _add_all(covdata, branch, write)
                return None
            covdata._reset()  # closes the file
            write(covdata.data_filename(), append)
            _read_back(covdata)
            _hash_file(covdata)
        except _merge.DataError as error:
            covdata._have_used = append
            raise DataError(str(error)) from error
    return covdata.data_filename()


def _add_all(covdata: coverage.CoverageData, branch: bool, write: Write) -> None:
    """Adds to data in memory. (Before 7.16 `update` can do that only once.)"""
    with tempfile.TemporaryDirectory(prefix="shmcov-") as folder:
        path = os.path.join(folder, "data")
        write(path, False)
        data = coverage.CoverageData(basename=path)
        data.read()
        files = data.measured_files()
        covdata.touch_files(files)
        covdata.add_file_tracers({file: data.file_tracer(file) or "" for file in files})
        now = covdata._current_context
        for context in data.measured_contexts():
            data.set_query_context(context)
            covdata.set_context(context)
            if branch:
                covdata.add_arcs({file: data.arcs(file) or [] for file in files})
            else:
                covdata.add_lines({file: data.lines(file) or [] for file in files})
        covdata.set_context(now)
        data._reset()


def _read_back(covdata: coverage.CoverageData) -> None:
    """Reads the file that the merge has just put there. It has no hot journal, so the check of
    coverage.py 7.17 is skipped: its pathlib imports, and uses what a test may have replaced."""
    check = getattr(coverage.sqlitedb, "check_hot_journal", None)
    if check is not None:
        coverage.sqlitedb.check_hot_journal = lambda filename: None
    try:
        with covdata._connect():
            covdata._have_used = True
    finally:
        if check is not None:
            coverage.sqlitedb.check_hot_journal = check


def _hash_file(covdata: coverage.CoverageData) -> None:
    """Hashes the data file. 7.13.1 to 7.16 put a hash of what add_lines() added into the file's
    name, and `combine` takes files with equal hashes for the same file."""
    hasher = getattr(covdata, "_hasher", None)
    if hasher is not None:
        with _open(covdata.data_filename(), "rb") as file:
            hasher.update(file.read())
