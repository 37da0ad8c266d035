# SPDX-License-Identifier: Apache-2.0
"""Programs made at random do under breakpoints what they do bare, and what ran is what ctrace saw.

    SHMCOV_TEST_PROGRAMS=5000 pytest tests/breakpoints/test_breakpoints_random.py    # an hour

Contexts switch where the programs say so, and in `switched` at every call and return as well: sites
go on and off all the time, under frames that are suspended and code that is specialised.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import coverage
import hypothesis
import pytest
from hypothesis import strategies
from project_support import Project, with_ctrace
from random_programs import program

pytestmark = with_ctrace

PROGRAMS = int(os.environ.get("SHMCOV_TEST_PROGRAMS", "0"))
"""So many; by default a few, and always the same."""

REFERENCE = """
import builtins, coverage, sys
builtins._context = lambda n: cov.switch_context(f"c{n}")
source = compile(open("program.py").read(), PATH, "exec")
cov = coverage.Coverage(data_file="expected", branch=BRANCH, include=PATH, config_file=False)
cov.start()
try:
    exec(source, {"__name__": "program"})
finally:
    cov.stop()
    cov.save()
"""

# _context is what shmcov's own function does; a profile function switches at the rest.
MEASURED = """
import _shmcov, builtins, sys
builtins._context = lambda n: _shmcov.switch_context(f"c{n}")
source = compile(open("program.py").read(), PATH, "exec")
switches = 0

def switch(frame, event, arg):
    global switches
    if event in ("call", "return"):
        switches += 1
        _shmcov.switch_context("ab"[switches % 2])

if SWITCHED:
    sys.setprofile(switch)
exec(source, {"__name__": "program"})
sys.setprofile(None)
"""

Functions = strategies.lists(
    strategies.tuples(strategies.integers(0, 1 << 30), strategies.integers(1, 80)),
    min_size=1,
    max_size=12,
)


def what_ran(
    folder: Path, data_file: str, path: Path, *, branch: bool, contexts: bool
) -> dict[str, Any]:
    cov = coverage.Coverage(
        data_file=str(folder / data_file), branch=branch, include=str(path), config_file=False
    )
    cov.load()
    data = cov.get_data()
    analysis = cov._analyze(str(path))
    lines = sorted(analysis.executed)
    found: dict[str, Any] = {"lines": lines}
    if branch:
        found["branches"] = {
            line: sorted(to) for line, to in analysis.executed_branch_arcs().items() if to
        }
    if contexts:
        by_line = data.contexts_by_lineno(str(path))
        found["contexts"] = {line: sorted(by_line.get(line, ())) for line in lines}
    return found


def compare(functions: list[tuple[int, int]], *, branch: bool, switched: bool) -> None:
    """With branches, ctrace's contexts are those of both ends of an arc, so they are left out."""
    shown = {"branch": branch, "contexts": not branch and not switched}
    with tempfile.TemporaryDirectory(prefix="random-", ignore_cleanup_errors=True) as text:
        project = Project(Path(text))
        path = project.folder / "program.py"
        path.write_text(program(functions))
        for name, source in (("reference", REFERENCE), ("measured", MEASURED)):
            source = source.replace("PATH", repr(str(path))).replace("BRANCH", str(branch))
            project.write(f"{name}.py", source.replace("SWITCHED", str(switched)))
        project.write("measured.rc", f"[run]\nbranch = {branch}\ninclude = {path}\n")
        expected = project.python("reference.py", env={"COVERAGE_CORE": "ctrace"})
        assert expected.returncode == 0, expected.stderr
        found = project.shmcov(
            "run",
            "--rcfile=measured.rc",
            "--data-file=found",
            "measured.py",
            env={"SHMCOV_TRACER": "breakpoints"},
        )
        assert (found.returncode, found.stderr) == (0, ""), found.stderr
        assert found.stdout == expected.stdout
        assert what_ran(project.folder, "found", path, **shown) == what_ran(
            project.folder, "expected", path, **shown
        )


@pytest.mark.parametrize("switched", [False, True], ids=["plain", "switched"])
@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branches"])
def test_random_programs(branch: bool, switched: bool) -> None:
    """Hypothesis makes a failing program shorter."""

    @hypothesis.settings(
        max_examples=PROGRAMS or 6,
        deadline=None,
        derandomize=not PROGRAMS,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(Functions)
    def search(functions: list[tuple[int, int]]) -> None:
        compare(functions, branch=branch, switched=switched)

    search()
