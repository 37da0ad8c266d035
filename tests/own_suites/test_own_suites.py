# SPDX-License-Identifier: Apache-2.0
"""coverage.py's and pytest-cov's own tests with shmcov as the core: they pass as with ctrace."""

from __future__ import annotations

import subprocess
import sys

import pytest
from own_suites_support import HERE, NEWEST, OLDEST, Comparison, Environment, Outcome, Suite
from project_support import Project
from real_support import Store

SUITES = (Suite("coverage", NEWEST), Suite("coverage", OLDEST), Suite("pytest-cov", NEWEST))


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.xdist_group("own_suites")
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: f"{suite.name}-{suite.coverage}")
def test_passes_as_with_ctrace(suite: Suite) -> None:
    environment = Environment(suite, Store.of())
    found = Comparison(suite, environment.baseline(()), environment.forced(()))
    problems = found.problems()
    if problems:
        pytest.fail(problems, pytrace=False)


CORE_OF = """
import own_suites_force, coverage, sys
cov = coverage.Coverage(config_file=False, {arguments})
cov.start(); cov.stop()
print(type(cov._core).__module__)
"""


@pytest.mark.parametrize("arguments", ["", "plugins=[lambda reg: None]"])
def test_the_core_is_forced_whatever_plugins_are_named(project: Project, arguments: str) -> None:
    path = {"PYTHONPATH": str(HERE)}
    done = project.python("-c", CORE_OF.format(arguments=arguments), env=path)
    assert done.stdout == "shmcov.backend.collector\n", done.stderr


def test_nothing_is_imported_where_coverage_is_not() -> None:
    code = "import own_suites_force, sys; print('shmcov' in sys.modules)"
    run = [sys.executable, "-S", "-c", code]
    assert subprocess.check_output(run, cwd=HERE, text=True) == "False\n"


def test_what_is_listed_and_passes_is_an_error() -> None:
    test = "tests/test_process.py::ProcessTest::test_timid"
    passed, failed = {test: Outcome("passed")}, {test: Outcome("failed", "AssertionError")}
    suite = Suite("coverage", NEWEST)
    assert "listed" in Comparison(suite, passed, passed).problems()
    assert Comparison(suite, passed, failed).problems() == ""
    assert Comparison(suite, failed, failed).problems() == ""


@pytest.mark.parametrize("after", [{}, {"t": Outcome("skipped")}, {"t": Outcome("failed", "why")}])
def test_what_passes_with_ctrace_only_is_an_error(after: dict[str, Outcome]) -> None:
    found = Comparison(Suite("coverage", NEWEST), {"t": Outcome("passed")}, after)
    assert "passes with ctrace only: t" in found.problems()
