# SPDX-License-Identifier: Apache-2.0
"""The command to measure: a program in Python, as tools start one."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shmcov.supervisor.program import interpreter_options

PYTHON = re.compile(r"python(\d+(\.\d+)?t?)?")
WITH_VALUE = ("-W", "-X", "--check-hash-based-pycs")
"""Options of Python whose value may be a word of its own."""


class NotPython(Exception):
    """What a tool could not run."""


@dataclass(frozen=True)
class Program:
    options: tuple[str, ...]
    """Of the interpreter."""
    args: tuple[str, ...]
    """A script and its arguments, or -m, a module and its arguments."""

    @property
    def python(self) -> list[str]:
        return [sys.executable, *self.options]

    def __str__(self) -> str:
        return " ".join(["python", *self.options, *self.args])


def parse(words: Sequence[str]) -> Program:
    """From `python -m pytest -q`, `-m pytest`, `manage.py test`, or the name of a script on PATH.
    NotPython says what is wrong."""
    options = tuple(interpreter_options())
    rest = list(words)
    if rest and PYTHON.fullmatch(Path(rest[0]).name) and not Path(rest[0]).is_dir():
        _same(rest.pop(0))
        own, rest = _split(rest)
        options += own
    if not rest or rest == ["-m"]:
        raise NotPython("there is no program to measure: give a script, or -m and a module")
    if rest[0].startswith("-m") and rest[0] != "-m":
        rest[:1] = ["-m", rest[0][2:]]
    if rest[0] == "-m":
        return Program(options, tuple(rest))
    if rest[0] == "-c":
        raise NotPython("tools measure no program that -c gives: write it into a file")
    if not Path(rest[0]).exists():
        rest[0] = _script(rest[0])
    return Program(options, tuple(rest))


def _same(name: str) -> None:
    """The tools are those of the Python that runs this; another one may have others."""
    found = shutil.which(name)
    if found is None:
        raise NotPython(f"there is no {name}")
    # A virtual environment is its folder: what python is a link to is the same in many.
    folder, mine = (Path(os.path.abspath(path)).parent for path in (found, sys.executable))  # noqa: PTH100
    if not (folder.samefile(mine) and Path(found).samefile(sys.executable)):
        raise NotPython(
            f"{name} is {found}, and shmcov runs with {sys.executable}, whose tools are compared: "
            f"run `{found} -m shmcov bench`, or leave the word out"
        )


def _split(words: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """The options of the interpreter, and the rest."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at][:2] not in ("-m", "-c"):
        at += 2 if words[at] in WITH_VALUE else 1
    return tuple(words[:at]), words[at:]


def _script(name: str) -> str:
    """Where a command is, if it is a program in Python."""
    found = shutil.which(name)
    if found is None:
        raise NotPython(f"there is no file and no command {name}")
    with Path(found).open("rb") as file:
        head = file.read(300)
    if not (head.startswith(b"#!") and b"python" in head):
        raise NotPython(
            f"{found} is no program in Python, which tools could start. Give a script, or -m and a "
            "module"
        )
    return found
