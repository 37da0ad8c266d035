# SPDX-License-Identifier: Apache-2.0
"""The program of a run: is it there, and the command line that starts it as Python would."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coverage.exceptions import NoSource

from shmcov import plan


@dataclass(frozen=True)
class Program:
    """What is to run: a script, folder, zip file or module, and its arguments."""

    args: Sequence[str]
    as_module: bool = False

    def check(self) -> None:
        """Raises coverage.py's error if there is nothing to run."""
        name = self.args[0]
        if self.as_module:
            # Only what needs no import of the program's code: Python itself tells the rest.
            with plan.sys_path_of(self.args, True):
                origin, folders = plan.locate(name.partition(".")[0])
            if origin is None and not folders:
                raise NoSource(f"No module named {name!r}")
        elif Path(name).is_dir():
            if not any(Path(name, f"__main__.py{c}").exists() for c in ("", "c")):
                raise NoSource(f"Can't find '__main__' module in {name!r}")
        elif not Path(name).exists():
            raise NoSource(f"No file to run: {os.path.abspath(name)!r}")  # noqa: PTH100

    def command(self) -> list[str]:
        """The command line, with the options that our own interpreter was started with."""
        name, *rest = self.args
        if self.as_module:
            return [sys.executable, *interpreter_options(), "-m", name, *rest]
        if name.startswith("-"):
            name = os.path.join(".", name)  # noqa: PTH118
        return [sys.executable, *interpreter_options(), name, *rest]


def interpreter_options() -> list[str]:
    """The options (-O, -W error, -X dev, -P, …) of this interpreter's command line."""
    split = len(sys.orig_argv) - len(sys.argv)
    if split < 1 or sys.orig_argv[split + 1 :] != sys.argv[1:]:
        # Somebody called main() with arguments of their own.
        return subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined, no-any-return]
    options = sys.orig_argv[1:split]
    ours = "c" if sys.argv[0] == "-c" else "m"
    if options and options[-1].startswith("-") and options[-1].endswith(ours):
        # -m shmcov, or -Om shmcov: shmcov itself is no option of the program.
        options[-1] = options[-1][:-1]
        if options[-1] == "-":
            options.pop()
    return options
