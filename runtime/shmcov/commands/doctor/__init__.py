# SPDX-License-Identifier: Apache-2.0
"""`shmcov doctor`: what is in force here, tried out where it can be, and what is not needed.

Exit status 1 if measuring would fall back, or something keeps processes from being measured.
findings.py is what it finds, checks.py and advice.py find it, edits.py makes it a change of the
user's files, show.py prints it, fix.py writes it. docs/doctor.md describes it.
"""

from __future__ import annotations

import argparse
import configparser
import platform
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage

from shmcov import __version__, compiled, versions
from shmcov.commands.doctor import fix, show
from shmcov.commands.doctor.edits import ConfigFile, Refused
from shmcov.commands.doctor.findings import Finding, Kind, Value, fact, note, problem

SECTIONS = (
    "it is [shmcov] in .coveragerc, [coverage:shmcov] in setup.cfg and tox.ini, and "
    "[tool.coverage.shmcov] in pyproject.toml"
)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov doctor",
        description="Show what shmcov does here: interpreter, tracer, segment, configuration, "
        "whether children will be measured, and what in the configuration is not needed. The exit "
        "status is 1 if measuring would fall back to coverage.py's own core, or if processes would "
        "be missed.",
    )
    parser.add_argument(
        "--rcfile", help="The configuration file. Default: as coverage.py finds it."
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="Write the changes that are shown into the configuration file, after a question. A "
        "copy of the file is kept.",
    )
    parser.add_argument("--yes", action="store_true", help="With --fix: do not ask.")
    parser.add_argument("--json", action="store_true", help="Print all of it as JSON.")
    return parser


def main(argv: list[str]) -> int:
    arguments = parser()
    options = arguments.parse_args(argv)
    if options.yes and not options.fix:
        arguments.error("--yes is for --fix")
    findings, change = diagnose(options.rcfile)
    status = int(any(one.kind is Kind.PROBLEM for one in findings))
    if not options.json:
        print(show.plain(findings))
        print(show.change(change.diff, change.refused, fix=options.fix), end="")
    copy, written = "", False
    if options.fix and change.file:
        try:
            copy, written = fix.write(
                change.file, change.text, ask=not options.yes, can_ask=not options.json
            )
        except fix.NotWritten as error:
            print(f"shmcov: {error}", file=sys.stderr)
            status = 1
    elif options.fix and change.refused:
        status = 1
    if options.json:
        print(show.as_json(findings, status, change.diff, change.refused, written, copy))
    return status


@dataclass
class Change:
    """What could be changed in the configuration file."""

    file: ConfigFile | None = None
    text: str = ""
    diff: str = ""
    """Empty: nothing."""
    refused: str = ""
    """Why it has to be done by hand, if it has to."""


def diagnose(rcfile: str | None) -> tuple[list[Finding], Change]:
    """All that there is to say, in the order in which it is printed."""
    try:
        from shmcov.commands.doctor import advice, checks
    except ImportError as error:
        return [*_without_compiled_part(error)], Change()
    found = [*checks.interpreter()]
    of_configuration: list[Finding] = []
    here = checks.read(rcfile, of_configuration)
    found += checks.coverage_version(plugin=here is not None and here.plugin)
    found.append(checks.start_up())
    own = checks.own_settings(here.section if here else {}, found)
    the_plan = checks.load(here, of_configuration) if here else None
    found += checks.segment(own, the_plan)
    found += of_configuration
    if not here:
        return found, Change()
    found += checks.in_force(here)
    commands = [*advice.of_commands()]
    several = advice.several_runs(here.config, commands)
    file: ConfigFile | None = None
    path = _config_file(here.config.config_file)
    try:
        file = ConfigFile(path)
        found += [
            note("settings", f"{file.path} has a section [{name}], which is not read: {SECTIONS}")
            for name in file.unread()
        ]
        idle = [*advice.of_options(here.config, file, several)]
    except (OSError, ValueError, configparser.Error, tomllib.TOMLDecodeError) as error:
        unreadable = f"{path} cannot be read: {error}"
        found.append(note("configuration", unreadable))
        idle = [*advice.of_options(here.config, None, several)]
    idle += advice.of_environment(recipe=bool(idle))
    idle += [*advice.of_start_up(), *commands]
    if idle and not here.plugin:
        text = "as long as it is not there, `coverage run` and pytest --cov do need what follows"
        found.append(note("plug-in", text))
    found += idle or [fact("not needed", "nothing of what is configured")]
    if file is None:
        return found, Change(refused=f"No change is offered: {unreadable}")
    changes: dict[str, Value] = {}
    if not here.plugin:
        changes["plugins"] = [*here.config.plugins, "shmcov"]
    for one in idle:
        changes.update(one.changes)
    return found, _change(file, changes, found)


def _without_compiled_part(error: ImportError) -> Iterator[Finding]:
    implementation, version = platform.python_implementation(), platform.python_version()
    yield fact("interpreter", f"{sys.executable}\n{implementation} {version}")
    yield fact("shmcov", __version__)
    yield fact("coverage.py", coverage.__version__)
    if text := versions.too_old():
        yield problem("coverage.py", text)
        return
    text = f"of shmcov cannot be loaded, so coverage.py's own core measures: {compiled.why(error)}"
    yield problem("compiled part", text)


def _config_file(path: str | None) -> Path:
    """The file to change: the one that was read, or one in which coverage.py would look."""
    if path is None:
        path = "pyproject.toml" if Path("pyproject.toml").exists() else ".coveragerc"
    whole, here = Path(path), Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole


def _change(file: ConfigFile, changes: dict[str, Value], found: list[Finding]) -> Change:
    if not changes:
        return Change()
    if any(one.kind is Kind.PROBLEM for one in found):
        return Change(
            refused="No change is offered while there are problems: coverage.py's own core may "
            "need what is configured."
        )
    try:
        text = file.changed(changes)
    except Refused as error:
        wanted = "; ".join(
            f"take out {option}" if value is None else f"{option} = {_shown(value)}"
            for option, value in changes.items()
        )
        return Change(
            refused=f"{file.path} has to be changed by hand, as {error}. In [run]: {wanted}."
        )
    return Change(file, text, file.diff(text))


def _shown(value: Value) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
