# SPDX-License-Identifier: Apache-2.0
"""`doctor --fix`: writes the change, after a question, and keeps a copy of the file as it was."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from shmcov.commands.doctor.edits import ConfigFile


class NotWritten(Exception):
    """In words."""


def write(file: ConfigFile, text: str, *, ask: bool, can_ask: bool) -> tuple[str, bool]:
    """Where the copy is ("": nothing was there), and whether the answer was yes. NotWritten."""
    if ask:
        if not (can_ask and sys.stdin.isatty()):
            raise NotWritten(
                f"--fix changed nothing, as there is nobody to ask: --yes writes {file.path}"
            )
        print(f"Write {file.path}? [y/N] ", end="", flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print("Nothing was changed.")
            return "", False
    try:
        copy = _replace(file, text)
    except OSError as error:
        raise NotWritten(f"{file.path} could not be written: {error}") from error
    if can_ask:
        kept = f" What it was is in {copy}." if copy else ""
        print(f"{file.path} was written.{kept}")
    return copy, True


def _replace(file: ConfigFile, text: str) -> str:
    path = Path(os.path.realpath(file.path))
    copy = ""
    if path.exists():
        if path.read_bytes() != file.data:
            raise OSError("somebody else has changed it meanwhile")
        copy = _copied(path)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as new:
            new.write(text.encode())
        if copy:
            shutil.copymode(path, name)
            with contextlib.suppress(OSError):
                status = path.stat()
                os.chown(name, status.st_uid, status.st_gid)
        else:
            umask = os.umask(0)
            os.umask(umask)
            Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return copy


def _copied(path: Path) -> str:
    """A copy beside it, under a name that nothing has."""
    for number in range(1000):
        copy = path.with_name(f"{path.name}.orig{number or ''}")
        try:
            with copy.open("xb") as new:
                new.write(path.read_bytes())
        except FileExistsError:
            continue
        shutil.copystat(path, copy)
        return str(copy)
    raise OSError(f"there is no free name for a copy: {path.name}.orig999 exists")
