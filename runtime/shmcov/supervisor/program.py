# SPDX-License-Identifier: Apache-2.0
"""The program of a run: whether it exists, and the command line that starts it as Python would."""

from __future__ import annotations

import os
import sys
import zipimport
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coverage.exceptions import NoSource
from coverage.execfile import make_code_from_py, make_code_from_pyc

from shmcov import _merge, plan, startup


class Program:
    """What is to run: a script, folder, zip file or module, and its arguments."""

    verb = "run"

    def __init__(self, args: Sequence[str], as_module: bool = False) -> None:
        self.args = args
        self.as_module = as_module

    def check(self) -> None:
        """Raises coverage.py's error if there is nothing to run."""
        name = self.args[0]
        if self.as_module:
            # Checks only what needs no import of the program's code; Python itself reports the
            # rest.
            with plan.sys_path_of(self.args, True):
                origin, folders = plan.locate(name.partition(".")[0])
            if origin is None and not folders:
                raise NoSource(f"No module named {name!r}")
        elif Path(name).is_dir():
            if not any(Path(name, f"__main__.py{c}").exists() for c in ("", "c")):
                raise NoSource(f"Can't find '__main__' module in {name!r}")
        elif not Path(name).exists():
            raise NoSource(f"No file to run: {os.path.abspath(name)!r}")  # noqa: PTH100

    def had_no_code(self, status: int, copy: _merge.Copy) -> bool:
        """Did it end because there is no code to run, so that an old data file stays as it is?

        What check() cannot see before the start, Python reports, with exit status 1 (or 2: a file
        that may not be read). As in coverage.py, code that is there and cannot be compiled is a
        program that has failed, and its data is written.
        """
        if os.waitstatus_to_exitcode(status) not in (1, 2):
            return False
        if copy.main_began() or not copy.processes():
            return False
        if any(copy.info()["lost"].values()):
            return False  # unknown: it may have run unrecorded
        try:
            path = self._main_file()
            if path.endswith(".pyc"):
                make_code_from_pyc(path)
            else:
                make_code_from_py(path)
        except NoSource:
            return True
        except Exception:
            return False
        # A package above it could not be imported: that may have been all of the program.
        return not any(copy.lines(path) for path in copy.files())

    def _main_file(self) -> str:
        """Where the code of __main__ is; NoSource."""
        name = self.args[0]
        path: str | None = name
        if self.as_module:
            with plan.sys_path_of(self.args, True):
                path, folders = plan.locate(name)
                if folders:
                    path, _ = plan.locate(f"{name}.__main__")
        elif Path(name).is_dir():
            path = next((str(p) for p in sorted(Path(name).glob("__main__.py*"))), None)
        elif _is_archive(name):
            path = None
        if path is None:
            raise NoSource(name)
        return path

    def nobody_attached(self) -> str:
        """What to say if the segment knows no process."""
        return f"the program's interpreter did not attach: {startup.why_not()}"

    def spawn(self, environment: Mapping[str, str], **how: Any) -> int:
        """Starts it; `how` is for posix_spawn(). Returns its pid."""
        return os.posix_spawn(sys.executable, self.command(), environment, **how)

    def command(self) -> list[str]:
        """The command line, with the options that our own interpreter was started with."""
        name, *rest = self.args
        if self.as_module:
            return [sys.executable, *interpreter_options(), "-m", name, *rest]
        if name.startswith("-"):
            name = os.path.join(".", name)  # noqa: PTH118
        return [sys.executable, *interpreter_options(), name, *rest]


def _is_archive(name: str) -> bool:
    """Whether Python would run what is in the file: it asks the same."""
    try:
        zipimport.zipimporter(name)
    except zipimport.ZipImportError:
        return False
    return True


def interpreter_options() -> list[str]:
    """The options (-O, -W error, -X dev, -P, …) of this interpreter's command line."""
    split = len(sys.orig_argv) - len(sys.argv)
    if split < 1 or sys.orig_argv[split + 1 :] != sys.argv[1:]:
        # main() was called with arguments of its own.
        import subprocess

        return subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined, no-any-return]
    options = sys.orig_argv[1:split]
    ours = "c" if sys.argv[0] == "-c" else "m"
    if options and options[-1].startswith("-") and options[-1].endswith(ours):
        # -m shmcov, or -Om shmcov: drops what starts shmcov itself.
        options[-1] = options[-1][:-1]
        if options[-1] == "-":
            options.pop()
    return options
