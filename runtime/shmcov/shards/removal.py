# SPDX-License-Identifier: Apache-2.0
"""Removes inputs that are combined, so that being killed in the middle loses nothing.

What is left would otherwise be taken for all there is by the next `combine`, which replaces the
output. So before the first input is removed a note beside the output says which are to go. Whoever
combines into that output next, finds the note and ends the work first.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from coverage.exceptions import DataError
from coverage.misc import file_be_gone

Identity = list[int]


def _note_of(output: str) -> Path:
    path = Path(output)
    return path.with_name(f".shmcov-removing.{path.name}.json")


def _identity(path: str) -> Identity | None:
    """Which file it is, and which content; None: there is none."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]


def remove(output: str, paths: Iterable[str], before: Callable[[str], object]) -> None:
    """Removes inputs whose data is in the output, and calls `before` with each. DataError names
    those that cannot be."""
    known = {path: identity for path in paths if (identity := _identity(path))}
    if not known:
        return
    note = _note_of(output)
    part = note.with_suffix(".tmp")
    with contextlib.suppress(OSError):  # a full disk, on which removing is what helps
        with part.open("w") as file:
            json.dump({"output": _identity(output), "inputs": known}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(note)
    failures = []
    for path in known:
        before(path)
        try:
            file_be_gone(path)
        except OSError as error:
            failures.append(f"{path!r}: {error.strerror}")
    note.unlink(missing_ok=True)
    if failures:
        raise DataError(f"Combined, but couldn't remove data file {'; '.join(failures)}")


def end(output: str) -> list[str]:
    """Ends a removal that was cut off; returns what was still there. Files that are not what they
    were stay, and if the output is another one by now, all do."""
    note = _note_of(output)
    try:
        said = json.loads(note.read_bytes())
        inputs: dict[str, Identity] = dict(said["inputs"])
        same = said["output"] == _identity(output)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError):
        inputs, same = {}, False
    left = [path for path, identity in inputs.items() if same and _identity(path) == identity]
    for path in left:
        file_be_gone(path)
    note.unlink(missing_ok=True)
    return left
