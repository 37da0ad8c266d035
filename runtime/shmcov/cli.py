# SPDX-License-Identifier: Apache-2.0
"""The command line: coverage.py's, with another `run` and three commands of our own.

coverage.py parses the options and reads the configuration, so both mean here what they mean there,
whatever its version. All commands but `run`, `status`, `salvage` and `doctor` are coverage.py's
own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from shmcov import __version__

OK, ERROR = 0, 1

HELP = """\
    shmcov, version {shmcov_version}, on coverage.py {__version__}
    Measure code coverage in Python programs that run in many processes.

    usage: {program_name} <command> [options] [args]

    Commands:
        annotate    Annotate source files with execution information.
        combine     Combine a number of data files.
        debug       Display information about the internals of coverage.py
        doctor      Show what is in force here, and what the configuration does not need.
        erase       Erase previously collected coverage data.
        help        Get help on using {program_name}.
        html        Create an HTML report.
        json        Create a JSON report of coverage results.
        lcov        Create an LCOV report of coverage results.
        report      Report coverage stats on modules.
        run         Run a Python program and measure code execution.
        salvage     Turn the segment of a run that was killed into a data file.
        status      Show who is measured, and what is covered so far.
        xml         Create an XML report of coverage results.

    Use "{program_name} help <command>" for detailed help on any command.
"""


def main(argv: list[str] | None = None) -> int:
    """The program `shmcov`. Returns the exit status, or dies of the measured program's signal."""
    argv = sys.argv[1:] if argv is None else argv
    own: dict[str, Callable[[list[str]], int]] = {
        "status": _status,
        "salvage": _salvage,
        "doctor": _doctor,
    }
    name = argv[0] if argv else ""
    if name == "help" and argv[1:2] and argv[1] in own:
        return own[argv[1]](["--help"])
    if name in own:
        return own[name](argv[1:])
    return _coverage(argv)


def _status(argv: list[str]) -> int:
    from shmcov.status import status

    return status(argv)


def _salvage(argv: list[str]) -> int:
    from shmcov.salvage import salvage

    return salvage(argv)


def _doctor(argv: list[str]) -> int:
    from shmcov.doctor import doctor

    return doctor(argv)


def _coverage(argv: list[str]) -> int:
    from coverage import cmdline

    help_text = HELP.replace("{shmcov_version}", __version__)
    cmdline.HELP_TOPICS.update(
        help=help_text,
        minimum_help=help_text,
        version=f"shmcov, version {__version__}\n" + cmdline.HELP_TOPICS["version"],
    )
    if argv[:1] == ["run"] or argv[:2] == ["help", "run"]:
        from shmcov.run import main_with_run

        return main_with_run(argv)
    return exit_status(cmdline.main(argv))


def exit_status(status: object) -> int:
    """What sys.exit() makes of a status."""
    if status is None:
        return OK
    if isinstance(status, int):
        return status
    print(status, file=sys.stderr)
    return ERROR
