# SPDX-License-Identifier: Apache-2.0
"""The command line: coverage.py's, with another `run` and commands of our own.

coverage.py parses the options and reads the configuration, so both mean here what they mean there,
whatever its version. What is not in COMMANDS is coverage.py's own.
"""

from __future__ import annotations

import importlib
import sys

from shmcov import __version__

COMMANDS = ("doctor", "salvage", "status")
"""Each is a module of shmcov.commands, and has a line in HELP."""

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
    name, *rest = argv or [""]
    if name == "help" and rest and rest[0] in COMMANDS:
        name, rest = rest[0], ["--help"]
    if name in COMMANDS:
        from shmcov.backend import fallback

        if reason := fallback.lacking():
            print(f"shmcov: {name} cannot be used: {reason}", file=sys.stderr)
            return ERROR
        status: int = importlib.import_module(f"shmcov.commands.{name}").main(rest)
        return status
    return _coverage(argv)


def _coverage(argv: list[str]) -> int:
    from coverage import cmdline

    help_text = HELP.replace("{shmcov_version}", __version__)
    cmdline.HELP_TOPICS.update(
        help=help_text,
        minimum_help=help_text,
        version=f"shmcov, version {__version__}\n" + cmdline.HELP_TOPICS["version"],
    )
    if argv[:1] == ["run"] or argv[:2] == ["help", "run"]:
        from shmcov.backend import fallback

        if fallback.lacking():
            from shmcov.commands import run_fallback as run
        else:
            from shmcov.commands import run  # type: ignore[no-redef]
        run.install()
    status: object = cmdline.main(argv)
    # What sys.exit() makes of it.
    if status is None:
        return OK
    if isinstance(status, int):
        return status
    print(status, file=sys.stderr)
    return ERROR
