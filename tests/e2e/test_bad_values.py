# SPDX-License-Identifier: Apache-2.0
"""What coverage.py refuses or warns of is refused or warned of in the same words.

Both run a trivial program. A case is what is on the command line, in `[run]`, and in the
environment.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field

import pytest
from project_support import Project, normalized

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 13), reason="coverage.py decides, whatever the version of Python"
)


@dataclass
class Case:
    args: str = ""
    rc: str = ""
    env: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        told = self.rc.removeprefix("[run]\n").replace("\n", ", ")
        return " ".join(filter(None, (self.args, told, *map("=".join, self.env.items()))))


def run(text: str) -> Case:
    return Case(rc=f"[run]\n{text}\n")


CASES = [
    *map(
        run,
        (
            "patch = foo",
            "patch = _exit, foo",
            "core = foo",
            "concurrency = foo",
            "concurrency = thread, foo",
            "source = a\ninclude = b",
            "unknown = 1",
            "branch = maybe",
            "dynamic_context = foo",
            "parallel = 7",
            "include = ***x",
            "omit = a**b",
            "debug = foo",
            "sigterm = maybe",
            "timid = 3",
            "timid = true\ncore = foo",
            "data_file = ${NOPE?}",
            "disable_warnings = foo",
            "relative_files = x",
            "source_dirs = nowhere",
            "source = nowhere/at/all",
            "source_pkgs = a/b",
            "command_line = -m",
            "plugins = json",
        ),
    ),
    Case(rc="[run\n"),
    Case(rc="[runn]\nbranch = 1\n"),
    Case(rc="[report]\nprecision = x\n"),
    Case(rc="[report]\nfail_under = 101\n"),
    Case(rc="[report]\nexclude_lines = [\n"),
    Case(rc="[report]\npartial_branches = (\n"),
    Case(rc="[paths]\nx = \n"),
    Case("-a", "[run]\nparallel = true\n"),
    Case(env={"COVERAGE_CORE": "foo"}),
    Case(env={"COVERAGE_DEBUG": "foo"}),
    Case(env={"COVERAGE_RCFILE": "nope"}),
    *map(
        Case,
        (
            "--concurrency=foo",
            "--concurrency=gevent,foo",
            "--concurrency=eventlet,gevent",
            "--concurrency=",
            "--source=a --include=b",
            "--debug=foo",
            "--save-signal=HUP",
            "--save-signal",
            "--rcfile=nope",
            "--data-file=",
            "-a -p",
            "--precision=2",
            "--timid=1",
            "--source=",
            "--omit=[x",
            "--no-such",
            "--cont=x",
            "-z",
        ),
    ),
]

# coverage.py's warnings show where in coverage.py they were given.
PLACE = re.compile(r"^\S+\.py:\d+: (?=\w+Warning: )|^  self\..*\n|^  warn.*\n", re.MULTILINE)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_as_coverage_says_it(project: Project, case: Case) -> None:
    project.write("p.py", "print('it runs')\n")
    if case.rc:
        project.write(".coveragerc", case.rc)
    # Which core coverage.py measures with is a case of its own.
    env = {"COVERAGE_CORE": "", **case.env}
    told = []
    for tool in (project.coverage, project.shmcov):
        done = tool("run", *case.args.split(), "p.py", env=env)
        told.append(
            (
                done.returncode,
                normalized(done.stdout),
                PLACE.sub("", normalized(done.stderr)),
                [name[:10] for name in project.data_files()],
            )
        )
        for name in project.data_files():
            (project.folder / name).unlink()
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (run("core = foo"), "Unknown core value: 'foo'"),
        (Case(env={"COVERAGE_CORE": "foo"}), "Unknown core value: 'foo'"),
        (run("patch = foo"), "Unknown patch 'foo'"),
        (run("concurrency = foo"), "Unknown concurrency choices: foo"),
    ],
    ids=str,
)
def test_with_the_plug_in(project: Project, case: Case, message: str) -> None:
    project.write("p.py", "print('it runs')\n")
    project.write(".coveragerc", (case.rc or "[run]\n") + "plugins = shmcov\n")
    done = project.python("-m", "coverage", "run", "p.py", env=case.env)
    assert (done.returncode, done.stdout) == (1, f"{message}\n")
    assert project.data_files() == []


def test_values_that_help_others_are_accepted(project: Project) -> None:
    """Where coverage.py refuses because of what its own core needs, nothing is in the way."""
    project.write("p.py", "print('it runs')\n")
    for option in ("--concurrency=greenlet", "--concurrency=multiprocessing"):
        assert project.shmcov("run", option, "p.py").returncode == 0
