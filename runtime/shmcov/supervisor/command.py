# SPDX-License-Identifier: Apache-2.0
"""The command of `shmcov exec`: any program at all, started as a shell would start it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from typing import Any

from shmcov import _merge

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""The exit statuses of shells."""


class CannotRun(Exception):
    """There is no such command: what a shell would say, and its exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Command:
    """What is to run. It has the attributes of a `Program`, and takes its place."""

    verb = "exec"
    as_module = True
    """Source packages are looked for from the current folder, as with -m."""

    def __init__(self, args: Sequence[str]) -> None:
        self.args = args

    def check(self) -> None:
        """Raises CannotRun."""
        self._path()

    def _path(self) -> str:
        name = self.args[0]
        if "/" in name:
            return _executable(os.path.abspath(name))  # noqa: PTH100
        denied = None
        for folder in os.get_exec_path():
            try:
                return _executable(os.path.join(folder or ".", name))  # noqa: PTH118
            except CannotRun as error:
                if error.status == NOT_EXECUTABLE:
                    denied = denied or error
        raise denied or CannotRun(f"{name}: command not found", NOT_FOUND)

    def spawn(self, environment: Mapping[str, str], **how: Any) -> int:
        path = self._path()
        try:
            return os.posix_spawn(path, list(self.args), environment, **how)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
        # A script without a first line that says what runs it.
        return os.posix_spawn("/bin/sh", ["sh", path, *self.args[1:]], environment, **how)

    def had_no_code(self, status: int, copy: _merge.Copy) -> bool:
        return False

    def nobody_attached(self) -> str:
        return (
            f"no Python that {self.args[0]!r} started attached. shmcov has to be installed in each "
            "environment that is used, so also in those that tox, nox, hatch or uv run make; where "
            "it is, SHMCOV_DEBUG=1 in the environment makes a process say why it is not measured"
        )


def _executable(path: str) -> str:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError as error:
        status = NOT_EXECUTABLE if isinstance(error, PermissionError) else NOT_FOUND
        raise CannotRun(f"{path}: {error.strerror}", status) from error
    if stat.S_ISDIR(mode):
        raise CannotRun(f"{path}: Is a directory", NOT_EXECUTABLE)
    if not os.access(path, os.X_OK):
        raise CannotRun(f"{path}: Permission denied", NOT_EXECUTABLE)
    return path
