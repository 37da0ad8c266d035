# SPDX-License-Identifier: Apache-2.0
"""Which test ran which line of published projects: in two processes under shmcov what ctrace says
of the tests in one process.

A test that is the first to need something (a lazy import, a cache) runs lines that it does not run
where another one came first. Two processes have two first ones. So where shmcov differs from one
process, ctrace has to differ in the same way when it runs the tests that each of shmcov's processes
ran in a process of their own, in the same order. What is left then is listed here with its reason.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pytest
from corpus_support import report, shmcov_command
from real_support import HERE, MODES, Checkout, Explained, Explanations, Suite, numbers
from test_django import EXPLAINED as EXPLAINED_OF_DJANGO
from test_django import SUITE as DJANGO
from test_django import VERSION
from test_pytest_suites import CLICK, JINJA

pytestmark = [pytest.mark.real, pytest.mark.slow]

SPLIT = (HERE / "split.py").read_text()
COVERAGE_RUN = ("-m", "coverage", "run", "--rcfile={rcfile}")
PYTEST_COV = (
    "-p",
    "split",
    "--cov",
    "--cov-config={rcfile}",
    "--cov-context=test",
    "--cov-report=",
)

# file -> line -> the contexts in which it ran
Lines = Mapping[str, Mapping[int, frozenset[str]]]


@dataclass(frozen=True)
class Run:
    """How a suite is run with a context for each test."""

    suite: Suite
    serial: tuple[str, ...]
    parallel: tuple[str, ...]
    settings: str
    settings_of_ctrace: str
    explained: Explanations
    # Less than these would be no comparison.
    contexts: int
    pairs: int


REST = "other lines of statements that only a parallel run has, of which contexts name every line"
REMADE = "tblib makes a failure's traceback again, by code that fails on the lines of the old one"
OPTIONS = "looks at the options of the interpreter, of which `-m coverage` is one"
AT_END = "what tests left is finalized when pytest ends, where pytest-cov measures no more"
RANDOM = "words are chosen at random"

# Besides those lines that are in only one of the two reports without contexts.
EXPLAINED_OF_DJANGO_IN: dict[str, dict[str, tuple[Explained, ...]]] = {
    "6.1.3": {
        "django/test/testcases.py": (Explained(REMADE, either="846"),),
        "django/test/runner.py": (Explained(REST, either="466 612 1016-1020"),),
        "django/test/utils.py": (Explained(REST, either="231-233 390-392"),),
        "django/utils/autoreload.py": (Explained(OPTIONS, either="281"),),
        "tests/queries/tests.py": (Explained(REMADE, either="3497"),),
        "tests/template_tests/test_loaders.py": (Explained(REMADE, either="226"),),
    },
    "5.2.19": {
        "django/test/runner.py": (Explained(REST, either="564 969-973"),),
        "django/test/testcases.py": (Explained(REMADE, either="836 1290"),),
        "django/test/utils.py": (Explained(REST, either="216-218 375-377"),),
        "tests/queries/tests.py": (Explained(REMADE, either="3471 3534"),),
        "tests/template_tests/test_loaders.py": (Explained(REMADE, either="226"),),
    },
}
EXPLAINED_OF_JINJA = {
    "src/jinja2/environment.py": (Explained(AT_END, either="1346-1347"),),
    "src/jinja2/loaders.py": (Explained(AT_END, either="650"),),
    "src/jinja2/utils.py": (Explained(RANDOM, either="395"),),
}
EXPLAINED_OF_CLICK = {
    "src/click/testing.py": (Explained(AT_END, either="184"),),
}


def both(one: Explanations, other: Explanations) -> Explanations:
    return {file: (*one.get(file, ()), *other.get(file, ())) for file in {**one, **other}}


DJANGO_RUN = Run(
    DJANGO,
    serial=(*COVERAGE_RUN, *DJANGO.serial),
    parallel=DJANGO.parallel["fork"],
    settings="dynamic_context = test_function\n",
    settings_of_ctrace="",
    explained=both(EXPLAINED_OF_DJANGO, EXPLAINED_OF_DJANGO_IN.get(VERSION, {})),
    contexts=3000,
    pairs=1_000_000,
)


def pytest_run(suite: Suite, explained: Explanations, settings_of_ctrace: str = "") -> Run:
    return Run(
        suite,
        serial=(*suite.serial, *PYTEST_COV),
        parallel=(*suite.parallel["xdist"], "-p", "split", "--shmcov-context=test"),
        settings="",
        settings_of_ctrace=settings_of_ctrace,
        explained=explained,
        contexts=1500,
        pairs=500_000,
    )


RUNS = [
    pytest.param(DJANGO_RUN, id="django", marks=pytest.mark.xdist_group("django")),
    pytest.param(pytest_run(JINJA, EXPLAINED_OF_JINJA), id=JINJA.name),
    # Its tests start processes, which shmcov measures unasked.
    pytest.param(pytest_run(CLICK, EXPLAINED_OF_CLICK, "patch = subprocess\n"), id=CLICK.name),
]


class Contexts:
    """The runs of a suite, each as lines with their contexts."""

    def __init__(self, checkout: Checkout, run: Run, mode: str) -> None:
        self.checkout, self.run, self.mode = checkout, run, mode
        self.settings = f"branch = {mode == 'branch'}\n{run.settings}"
        self.settings_of_ctrace = self.settings + run.settings_of_ctrace

    def serial(self) -> Lines:
        """Under ctrace, all tests in one process."""
        kept = self.checkout.kept(
            f"contexts-{self.mode}", self.run.serial, self.settings_of_ctrace, SPLIT
        ).with_suffix(".json.gz")
        if not kept.exists():
            found = self._ctrace("serial", TESTS_WRITE="")
            kept.parent.mkdir(exist_ok=True)
            building = kept.with_suffix(".building")
            with gzip.open(building, "wt", compresslevel=1) as file:
                json.dump(found, file, default=sorted)
            building.replace(kept)
        with gzip.open(kept, "rt") as file:
            return _lines(json.load(file))

    def parallel(self) -> tuple[Lines, list[Path]]:
        """Under shmcov; and the tests that each process ran."""
        told = self.checkout.work / f"tests-{self.mode}"
        told.mkdir()
        command = [*shmcov_command(), "run", "--rcfile={rcfile}", *self.run.parallel]
        label = f"contexts-{self.mode}"
        files = self.checkout.measure(label, command, self.settings, TESTS_WRITE=str(told))
        return self._report(*files), sorted(told.iterdir())

    def split(self, groups: list[Path]) -> Lines:
        """Under ctrace, each group of tests in a process of its own."""
        parts = [self._ctrace(group.name, TESTS_READ=str(group)) for group in groups]
        return reduce(_united, parts)

    def _ctrace(self, label: str, **env: str) -> Lines:
        command = [sys.executable, *self.run.serial]
        env["COVERAGE_CORE"] = "ctrace"
        label = f"contexts-{self.mode}-{label}"
        return self._report(*self.checkout.measure(label, command, self.settings_of_ctrace, **env))

    def _report(self, data_file: Path, rcfile: Path) -> Lines:
        loaded = report(data_file, rcfile, self.checkout.root, "--show-contexts")
        for path in data_file.parent.glob(f"{data_file.name.lstrip('.')}.json"):
            path.unlink()  # hundreds of megabytes
        return _lines({name: found["contexts"] for name, found in loaded["files"].items()})


def _lines(files: Mapping[str, Mapping[str, list[str]]]) -> Lines:
    """Most lines have the contexts of others, which are kept once.

    ctrace counts the line 0 of empty modules, which is none.
    """
    kept: dict[frozenset[str], frozenset[str]] = {}
    names: dict[str, str] = {}
    found: dict[str, dict[int, frozenset[str]]] = {}
    for file, lines in files.items():
        found[file] = {}
        for line, contexts in lines.items():
            if int(line):
                same = frozenset(names.setdefault(name, name) for name in contexts)
                found[file][int(line)] = kept.setdefault(same, same)
    return found


def _united(one: Lines, other: Lines) -> Lines:
    return {
        file: {
            line: _of(one, file, line) | _of(other, file, line) for line in _both(one, other, file)
        }
        for file in one.keys() | other.keys()
    }


def _both(one: Lines, other: Lines, file: str) -> set[int]:
    return {*one.get(file, ()), *other.get(file, ())}


def _of(lines: Lines, file: str, line: int) -> frozenset[str]:
    return lines.get(file, {}).get(line, frozenset())


def differences(serial: Lines, split: Lines, ours: Lines) -> Iterator[tuple[str, int, str]]:
    """Where a context of a line is or is not there under shmcov, but differs from both runs of
    ctrace."""
    for file in sorted(serial.keys() | ours.keys()):
        for line in sorted(_both(serial, ours, file)):
            mine = _of(ours, file, line)
            wrong = (mine ^ _of(serial, file, line)) & (mine ^ _of(split, file, line))
            if wrong:
                missed, extra = sorted(wrong - mine), sorted(wrong & mine)
                yield file, line, f"misses {missed[:5]}, has {extra[:5]} besides ({len(wrong)})"


def _statistics(serial: Lines, ours: Lines) -> tuple[int, int, int, int, int]:
    """Contexts, files, lines, pairs of line and context that are in both, pairs that are in one."""
    sets = [of_line for of_file in ours.values() for of_line in of_file.values()]
    both = one = 0
    for file in serial.keys() | ours.keys():
        for line in _both(serial, ours, file):
            mine, theirs = _of(ours, file, line), _of(serial, file, line)
            both += len(mine & theirs)
            one += len(mine ^ theirs)
    return len(frozenset().union(*set(sets))), len(ours), len(sets), both, one


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("run", RUNS)
def test_the_same_tests_ran_the_same_lines(
    run: Run,
    mode: str,
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    checkout = Checkout.of(run.suite, pytestconfig, tmp_path_factory)
    contexts = Contexts(checkout, run, mode)
    ours, groups = contexts.parallel()
    assert len(groups) == 2, "the tests were not run by two processes"
    serial, split = contexts.serial(), contexts.split(groups)
    n_contexts, files, lines, both, one = _statistics(serial, ours)
    print(f"{n_contexts} contexts, {files} files, {lines} lines; {both} pairs agree, {one} differ")
    assert n_contexts >= run.contexts and both >= run.pairs
    explained = {
        name: {
            line
            for why in entries
            if why.applies("fork")
            for line in numbers(f"{why.lines} {why.either}")
        }
        for name, entries in run.explained.items()
    }
    found = [
        f"{file}:{line} {text}"
        for file, line, text in differences(serial, split, ours)
        if line not in explained.get(file, ())
    ]
    if found:
        pytest.fail("\n".join(found), pytrace=False)
