# SPDX-License-Identifier: Apache-2.0
"""The command line: coverage.py's, with another `run` and commands of our own.

coverage.py parses the options and reads the configuration, so both mean here what they mean there,
whatever its version. What is not in COMMANDS is coverage.py's own, but for `run` and `exec`.
"""

from __future__ import annotations

import gc
import importlib
import re
import sys
from collections.abc import Iterable
from typing import Any

from shmcov import __version__, compiled, terminal

COMMANDS = {
    "affected": "Print the tests that what has changed may affect.",
    "bench": "Run a command under each tool that measures, and show what each costs.",
    "completion": "Print what bash, zsh or fish need to complete commands and options.",
    "doctor": "Show what is in force here, and what the configuration does not need.",
    "salvage": "Turn the segment of a run that was killed into a data file.",
    "snapshot": "Write a data file of a run that goes on.",
    "status": "Show who is measured, and what is covered so far.",
    "top": "Show a run that goes on, on a full screen.",
    "who": "Show which tests ran a line, or which lines a test ran.",
}
"""Each is a module of shmcov.commands, with a parser() and a main(argv)."""

OTHERS = {
    "exec": "Run any command and measure each Python that it starts.",
    "help": "Get help on using shmcov.",
}
"""What the overview says of commands that are coverage.py's in form, and not in what they do."""

RUNS = {"run", "exec"}

NEEDS_COMPILED = {"bench", "exec", "salvage", "snapshot", "status", "top"}
"""What cannot be used where only the Python part is installed."""

OK, ERROR = 0, 1

HELP = """\
    shmcov, version {shmcov_version}, on coverage.py {{__version__}}
    Measure code coverage in Python programs that run in many processes.

    usage: {{program_name}} <command> [options] [args]

    Commands:
{commands}

    Use "{{program_name}} help <command>" for detailed help on any command.
"""


def main(argv: list[str] | None = None) -> int:
    """The program `shmcov`. Returns the exit status, or dies of the measured program's signal."""
    try:
        status = _run(sys.argv[1:] if argv is None else argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _die("SIGINT")
    except BrokenPipeError:
        # Whoever read what we print has enough: `shmcov report | head`.
        terminal.drop_unread()
        return _die("SIGPIPE")
    return status


def _die(name: str) -> int:
    """Ends as programs do that know nothing of this signal."""
    import signal

    from shmcov.supervisor import signals

    signo = signal.Signals[name]
    signals.die_of(signo)
    return 128 + signo  # as PID 1


def _run(argv: list[str]) -> int:
    name, *rest = argv or [""]
    if name == "completion":
        from shmcov import command_table
        from shmcov.commands import completion

        return completion.main(rest, command_table.of(install(), dict(overview())))
    if name in RUNS and not compiled.lacking():
        gc.disable()  # nothing of what is imported is garbage; supervisor.py enables it
    if text := _cannot(rest[0] if name == "help" and rest else name):
        print(text, file=sys.stderr)
        return ERROR
    if name in COMMANDS:
        status: int = _module(name).main(rest)
        return status
    from coverage import cmdline

    if name in RUNS:
        _install_run()
    elif name in ("", "help") or name.startswith("-"):
        install([other for other in rest if name == "help" and other in COMMANDS])
    elif name == "combine" and _combines():
        from shmcov.commands import combine

        combine.take_over()
    result: object = cmdline.main(argv)
    # What sys.exit() makes of it.
    if result is None:
        return OK
    if isinstance(result, int):
        return result
    print(result, file=sys.stderr)
    return ERROR


def _cannot(name: str) -> str:
    """Why the command cannot be used here."""
    if name not in ("run", *NEEDS_COMPILED):
        return ""
    from shmcov import versions

    reason = versions.too_old()
    if not reason and name in NEEDS_COMPILED:
        reason = compiled.lacking()
    return f"shmcov: {name} cannot be used: {reason}" if reason else ""


def _combines() -> bool:
    """Is `combine` our own here?"""
    from shmcov import versions

    if versions.too_old() or compiled.lacking():
        return False
    from shmcov.shards import combining

    return combining.usable()


def _module(name: str) -> Any:
    """The module of one of COMMANDS."""
    return importlib.import_module(f"shmcov.commands.{name}")


def install(own: Iterable[str] = COMMANDS) -> dict[str, Any]:
    """Puts help, `run` and `exec` into coverage.py's tables, and those of COMMANDS that `own`
    names. Returns what is there then: the parser of each command."""
    from coverage import cmdline

    _install_run()
    if _combines():
        from shmcov.commands import combine

        combine.install()
    help_text = HELP.format(
        shmcov_version=__version__,
        commands="\n".join(f"        {name:11} {text}" for name, text in overview()),
    )
    cmdline.HELP_TOPICS.update(
        help=help_text,
        minimum_help=help_text,
        version=f"shmcov, version {__version__}\n" + cmdline.HELP_TOPICS["version"],
    )
    parsers: dict[str, Any] = cmdline.COMMANDS
    for name in own:
        if not (name in NEEDS_COMPILED and compiled.lacking()):
            parsers[name] = _module(name).parser()
    return parsers


def _install_run() -> None:
    """Puts `run` and `exec` into coverage.py's tables. A short run pays for what this imports."""
    if compiled.lacking():
        from shmcov.commands import run_fallback as run
    else:
        from shmcov.commands import run  # type: ignore[no-redef]
    run.install()


def overview() -> list[tuple[str, str]]:
    """All commands, each with a line: coverage.py's from its own help."""
    from coverage import cmdline

    lines = {
        name: str(parser.description or "").split(".")[0].strip() + "."
        for name, parser in cmdline.COMMANDS.items()
    }
    lines.update(re.findall(r"^ +(\w+)  +(\S.*)$", cmdline.HELP_TOPICS["help"], re.MULTILINE))
    return sorted({**lines, **OTHERS, **COMMANDS}.items())
