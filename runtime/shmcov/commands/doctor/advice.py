# SPDX-License-Identifier: Apache-2.0
"""What is configured for the sake of coverage.py's own core, and what may become of it."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shmcov.commands.doctor.edits import ConfigFile
from shmcov.commands.doctor.findings import Finding, Kind, Value

ATTACH = "children attach while they start, whatever starts them"
NO_EFFECT = "it has no effect"
OWN_CORE = "it has no effect. It stays for coverage.py's own core, where shmcov falls back to that"
WRITTEN = "the data is written whatever becomes of a process"
SAVES = "it stays: with it the data file is there when the command ends; without it, a moment later"
ONE_FILE = "a run leaves one data file. Only the files of several runs, such as CI jobs, need it"
NOTHING: Mapping[str, Value] = {}
TRUE = ("1", "yes", "true", "on")


def of_options(config: Any, file: ConfigFile | None, several: Sequence[str]) -> Iterator[Finding]:
    """Of what [run] holds. `several` says what looks like data files of several runs."""
    options = file.options() if file else {}

    def finding(
        option: str,
        value: str,
        run: str,
        plugin: str = "",
        changes: Mapping[str, Value] = NOTHING,
        kind: Kind = Kind.NOT_NEEDED,
    ) -> Finding:
        place = (str(file.path), file.line_of(option)) if file else ("", 0)
        text = f"[run] {option} = {value}"
        return Finding(kind, option, text, run, plugin or run, *place, changes)

    left = [name for name in config.concurrency if name != "multiprocessing"]
    starts = left != config.concurrency
    if starts:
        change = None if left in ([], ["thread"]) else left
        yield finding("concurrency", "multiprocessing", ATTACH, changes={"concurrency": change})
    if green := [name for name in left if name in getattr(config, "LIGHT_THREADS", ())]:
        yield finding("concurrency", ", ".join(green), OWN_CORE, kind=Kind.STAYS)

    patch = list(getattr(config, "patch", []))
    # With `patch = execv` coverage.py saves and starts again, for which it needs `subprocess`.
    idle = [name for name in patch if name in ("subprocess", "fork") and "execv" not in patch]
    if idle:
        rest = [name for name in patch if name not in idle]
        yield finding("patch", ", ".join(idle), ATTACH, changes={"patch": rest or None})
    if helps := [name for name in patch if name not in idle]:
        yield finding("patch", ", ".join(helps), WRITTEN, SAVES, kind=Kind.STAYS)
    if config.sigterm:
        yield finding("sigterm", "True", OWN_CORE, SAVES, kind=Kind.STAYS)
    for option in ("timid", "core"):
        if option in options and (value := getattr(config, option)):
            text = f"{NO_EFFECT}: coverage.py's own core does not measure"
            yield finding(option, str(value), text, changes={option: None})

    implied = [f"concurrency = {name}" for name in config.concurrency if name not in left]
    implied += [f"patch = {name}" for name in patch if name == "subprocess"]
    if not config.parallel and not implied:
        return
    explicit = "parallel" in options and str(options["parallel"]).lower() in TRUE
    value = "True" if explicit else f"True, which {' and '.join(implied)} implies"
    changes: dict[str, Value] = {}
    if explicit and not several:
        changes = {"parallel": None}
    elif several and not explicit and (starts or "subprocess" in idle):
        changes = {"parallel": "true"}
    if several:
        text = f"it stays, for {' and '.join(several)}. {ONE_FILE}"
    else:
        text = f"{ONE_FILE}. Without it `coverage combine` finds nothing, and fails"
    kind = Kind.STAYS if several else Kind.NOT_NEEDED
    yield finding("parallel", f"{value}, and `coverage combine`", text, changes=changes, kind=kind)


# -- outside of the configuration --

VARIABLES = {
    "COVERAGE_PROCESS_START": ATTACH,
    "COVERAGE_PROCESS_CONFIG": ATTACH,
    "COVERAGE_CORE": f"{NO_EFFECT}: coverage.py's own core does not measure",
    "COVERAGE_FILE": "it names the data file, as ever. If it was set for the sake of children, it "
    "may go",
}


def of_environment(*, recipe: bool) -> Iterator[Finding]:
    """`recipe`: other parts of the recipe for several processes are there, too."""
    for name, text in VARIABLES.items():
        value = os.environ.get(name)
        if value and (recipe or name != "COVERAGE_FILE"):
            shown = "" if name == "COVERAGE_PROCESS_CONFIG" else f" ({value})"
            what = f"the environment variable {name}{shown}"
            yield Finding(Kind.NOT_NEEDED, name, what, text, text)


def of_start_up() -> Iterator[Finding]:
    """Files that start coverage.py in each interpreter."""
    text = f"{ATTACH}. This makes each interpreter import coverage.py, or look for it"
    for path in _start_up_files():
        with contextlib.suppress(OSError):
            lines = path.read_text(errors="replace").splitlines()
            for number, line in enumerate(lines, 1):
                if "process_startup" in line and not line.lstrip().startswith("#"):
                    what = "a start-up file that starts coverage.py"
                    yield Finding(Kind.NOT_NEEDED, path.name, what, text, text, str(path), number)
                    break


def _start_up_files() -> Iterator[Path]:
    for name in ("sitecustomize", "usercustomize"):
        if file := getattr(sys.modules.get(name), "__file__", None):
            yield Path(file)
    for folder in dict.fromkeys(sys.path):
        with contextlib.suppress(OSError):
            for path in sorted(Path(folder).glob("*.pth")):
                if path.name != "a1_coverage.pth":  # coverage.py's own
                    yield path


COMMAND_FILES = (
    "tox.ini",
    "setup.cfg",
    "pyproject.toml",
    "noxfile.py",
    "Makefile",
    "justfile",
    "tasks.py",
    "*.sh",
    "scripts/*",
    "ci/*",
    ".ci/*",
    "Jenkinsfile",
    ".travis.yml",
    ".gitlab-ci.yml",
    ".circleci/config.yml",
    "azure-pipelines.yml",
    ".github/workflows/*.yml",
    ".github/workflows/*.yaml",
)
"""Where projects keep command lines."""
LARGE = 1 << 20
"""More bytes than a file of command lines has."""

_TOOL = r"\b(?:coverage|shmcov)[\"']?\s*,?\s*[\"']?"
_GAP = r"[\"',\s]+"
COMMANDS = {
    # What a line has, how it is called, and what to say of it.
    "combine": (re.compile(rf"{_TOOL}combine\b"), "`coverage combine`", ONE_FILE),
    "start": (
        re.compile(r"\bCOVERAGE_PROCESS_(?:START|CONFIG)\b"),
        "COVERAGE_PROCESS_START",
        ATTACH,
    ),
    "run": (
        # With nothing but options before it: what follows the program's name is the program's.
        re.compile(
            rf"{_TOOL}run{_GAP}(?:-[^\s\"',]+{_GAP})*"
            rf"(?:(?:-p|--parallel-mode)\b|--concurrency(?:=|{_GAP})[\w,]*multiprocessing\b)"
        ),
        "`coverage run` with --parallel-mode or --concurrency=multiprocessing",
        f"{ATTACH}, and {ONE_FILE}",
    ),
}


def of_commands() -> Iterator[Finding]:
    """Command lines in files of the project. They are named, not edited."""
    for pattern in COMMAND_FILES:
        for path in sorted(Path().glob(pattern)):
            with contextlib.suppress(OSError):
                if path.stat().st_size > LARGE:
                    continue
                lines = path.read_text(errors="replace").splitlines()
                for number, line in enumerate(lines, 1):
                    for name, (found, what, text) in COMMANDS.items():
                        if not line.lstrip().startswith("#") and found.search(line):
                            yield Finding(
                                Kind.NOT_NEEDED, f"command {name}", what, text, text,
                                str(path), number,
                            )  # fmt: skip


def several_runs(config: Any, commands: Sequence[Finding]) -> list[str]:
    """What looks as if data files of several runs were combined."""
    found = [f"{one.file}:{one.line}" for one in commands if one.name == "command combine"]
    return [*(["[paths]"] if config.paths else []), *found]
