# SPDX-License-Identifier: Apache-2.0
"""Prints the man page, made from the tables of options: `python docs/man.py > docs/shmcov.1`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import coverage
from shmcov import __version__, cli, command_table, messages, settings
from shmcov.command_table import Command

HEAD = f"""\
.\\" SPDX-License-Identifier: Apache-2.0
.\\" Made by docs/man.py with coverage.py {coverage.__version__}.
.TH SHMCOV 1 "" "shmcov {__version__}" "User Commands"
.SH NAME
shmcov \\- code coverage for Python programs that run in many processes
.SH SYNOPSIS
.B shmcov
.I command
.RI [ options ]
.RI [ arguments ]
.SH DESCRIPTION
.B shmcov run
takes the options of
.BR "coverage run" .
All processes of the program record in one segment of shared memory, and the end of the run writes
one data file, from which the reports are made.
.B shmcov exec
does this for each Python that any command starts. The commands affected, bench, completion,
doctor, exec, salvage, snapshot, status and who, and the options that begin with \\-\\-shm, are
shmcov's. All others are coverage.py's.
"""

VARIABLES = {
    "SHMCOV_SEGMENT": "Names the segment to the processes of a run. It is set for them.",
    "SHMCOV_DEBUG": "If it is not empty, a process that has shmcov and is not measured says why on "
    "its standard error, and so does one that runs without file tracer plug-ins.",
    "SHMCOV_SITES": "0: nothing is written to structures of CPython, so switching contexts costs "
    "more.",
    "COVERAGE_FILE, COVERAGE_RCFILE, COVERAGE_CORE, COVERAGE_DEBUG": "As in coverage.py.",
}

STATUSES = {
    "shmcov run, shmcov exec": "That of the program. If it died of a signal, shmcov dies of the "
    "same one. 1 if the data could not be written, if the command line or the configuration is "
    "wrong, or, with --shm-strict, if something could not be recorded.",
    "126, 127": "shmcov exec: the command may not be executed, or there is none.",
    "2": "A report is below --fail-under; an option of bench, completion, doctor, salvage or "
    "status is wrong.",
    "1": "Anything else that went wrong.",
}


def main() -> None:
    print(HEAD + "\n".join(_body()))


def _body() -> Iterator[str]:
    yield ".SH COMMANDS"
    for command in command_table.of(cli.install(), dict(cli.overview())):
        yield from _command(command)
    yield ".SH ENVIRONMENT"
    yield from _list(VARIABLES)
    yield ".PP\nEach option that begins with \\-\\-shm has a variable, and a setting in the section"
    yield "[shmcov] of coverage.py\\(aqs configuration:"
    for option in settings.OPTIONS:
        kind = f" = {option.metavar}" if option.metavar else " = true or false"
        yield from _item(f"{option.variable}, {option.name}{kind}", f"See {option.flag}.")
    yield ".SH EXIT STATUS"
    yield from _list(STATUSES)
    yield ".SH WARNINGS"
    yield _text("Beside those of coverage.py; [run] disable_warnings turns them off by name.")
    yield from _list(messages.WARNINGS)
    yield ".SH SEE ALSO"
    yield ".BR coverage (1)"


def _command(command: Command) -> Iterator[str]:
    yield f".SS {_text(f'shmcov {command.name} {command.usage}'.strip())}"
    for paragraph in command.description.split("\f"):
        yield f"{_text(' '.join(paragraph.split()))}\n.PP"
    for option in command.options:
        names = ", ".join(name + _value(name, option.value) for name in option.names)
        yield from _item(names, option.help)


def _value(name: str, value: str) -> str:
    return f"{'=' if name.startswith('--') else ' '}{value}" if value else ""


def _list(items: dict[str, str]) -> Iterator[str]:
    for name, text in items.items():
        yield from _item(name, text)


def _item(name: str, text: str) -> Iterator[str]:
    yield f".TP\n.B {_text(name)}\n{_text(text)}"


def _text(text: str) -> str:
    """With what means something to troff escaped."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"^\.", r"\\&.", text, flags=re.MULTILINE)


if __name__ == "__main__":
    os.environ.pop("COLUMNS", None)
    main()
