# SPDX-License-Identifier: Apache-2.0
"""Every program of the corpus: shmcov's report is ctrace's report.

One run of shmcov measures all programs, in children; coverage.py measures each on its own. Each
source file is a test of its own, in each mode.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from project_support import REFERENCE_CORE

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import corpus_support as corpus
from corpus_compare import differences

pytestmark = pytest.mark.xdist_group("corpus")


@dataclass(frozen=True)
class Difference:
    """Why the two reports of a file differ; the test fails if they do not."""

    reason: str
    versions: tuple[tuple[int, int], ...]
    modes: tuple[str, ...] = corpus.MODES


ALL_VERSIONS = tuple((3, minor) for minor in range(11, 16))

# {file, relative to the corpus: why}
KNOWN_DIFFERENCES: dict[str, Difference] = {
    "exit_atexit.py": Difference(
        "`coverage run` stops measuring when the program's last line has run, before the functions "
        "that it registered with atexit; shmcov measures until the process ends",
        ALL_VERSIONS,
    ),
    "exit_fork_child.py": Difference(
        "a forked child that calls os._exit loses all it ran under coverage.py",
        ALL_VERSIONS,
    ),
    "thread_low_level.py": Difference(
        "ctrace follows only the threads that `threading` starts; shmcov follows all",
        ALL_VERSIONS,
    ),
}
if REFERENCE_CORE["COVERAGE_CORE"] == "pytrace":
    KNOWN_DIFFERENCES["function_recursion_error.py"] = Difference(
        "a tracer in Python meets the recursion limit before the program does", ALL_VERSIONS
    )


def known_difference(name: str, mode: str) -> Difference | None:
    """The difference that is expected here, if any."""
    known = KNOWN_DIFFERENCES.get(name)
    if known and sys.version_info[:2] in known.versions and corpus.mode_of(mode) in known.modes:
        return known
    return None


def totals_without_known(outcome: corpus.Outcome, mode: str) -> dict[str, int]:
    """Take the files that are known to differ out of the report's totals."""
    known = [
        outcome.files[name]["summary"]
        for name in KNOWN_DIFFERENCES
        if known_difference(name, mode) and name in outcome.files
    ]
    return {
        key: total - sum(summary[key] for summary in known)
        for key, total in outcome.report["totals"].items()
        if isinstance(total, int)
    }


Measured = Callable[[str], tuple[corpus.Outcome, corpus.Outcome]]


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Measured:
    """Both outcomes of a mode, reference first; each is made once, at its first use."""
    done: dict[str, tuple[corpus.Outcome, corpus.Outcome] | RuntimeError] = {}
    cache = getattr(pytestconfig, "cache", None)
    folder = Path(cache.mkdir("shmcov-corpus")) if cache else corpus.default_cache()

    def make(mode: str) -> tuple[corpus.Outcome, corpus.Outcome]:
        if mode not in done:
            work = tmp_path_factory.mktemp(f"corpus-{mode}")
            try:
                reference = corpus.Reference(folder, corpus.mode_of(mode)).outcome(work)
                done[mode] = reference, corpus.run_corpus_tested(work, mode)
            except RuntimeError as error:
                done[mode] = error
        result = done[mode]
        if isinstance(result, RuntimeError):
            pytest.fail(str(result), pytrace=False)
        return result

    return make


@pytest.mark.parametrize("mode", corpus.VARIANTS)
@pytest.mark.parametrize("name", corpus.measured_files())
def test_report_is_ctraces(name: str, mode: str, measured: Measured) -> None:
    """Lines, exclusions, branches, and what is summed up per function and class."""
    expected, actual = measured(mode)
    found = differences(name, expected.files.get(name), actual.files.get(name))
    known = known_difference(name, mode)
    if known:
        if not found and corpus.stand_in():
            pytest.skip("the list is about shmcov, not about what stands in its place")
        assert found, f"{name} agrees with ctrace: take it off KNOWN_DIFFERENCES"
        pytest.xfail(known.reason)
    if found:
        pytest.fail(found, pytrace=False)


@pytest.mark.parametrize("mode", corpus.VARIANTS)
def test_same_files_are_measured(mode: str, measured: Measured) -> None:
    """No file more, no file less; those the corpus does not list (in a zip) agree here."""
    expected, actual = measured(mode)
    assert sorted(actual.files) == sorted(expected.files)
    for name in expected.files.keys() - set(corpus.measured_files()):
        found = differences(name, expected.files[name], actual.files[name])
        assert not found, found


@pytest.mark.parametrize("mode", corpus.VARIANTS)
def test_totals_are_ctraces(mode: str, measured: Measured) -> None:
    """The totals of the whole corpus agree, but for the files that are known to differ."""
    expected, actual = measured(mode)
    assert totals_without_known(actual, mode) == totals_without_known(expected, mode)


@pytest.mark.parametrize("mode", corpus.VARIANTS)
def test_programs_end_as_under_coverage(mode: str, measured: Measured) -> None:
    """Measuring does not change the exit status of a program."""
    expected, actual = measured(mode)
    assert actual.statuses == expected.statuses


@pytest.mark.parametrize("mode", corpus.VARIANTS)
def test_each_program_leaves_something(mode: str, measured: Measured) -> None:
    """The reference measured every program: a corpus that does not run compares nothing."""
    expected, _ = measured(mode)
    for program in corpus.programs():
        name = program.name if program.path.is_file() else f"{program.name}/__main__.py"
        assert name in expected.files, f"{name} is not in the reference"
        found = expected.files[name]
        assert found["executed_lines"] or not found["summary"]["num_statements"], (
            f"{name} ran no line"
        )


def test_known_differences_are_in_the_corpus() -> None:
    """A file that is gone is off the list."""
    assert all((corpus.CORPUS / name).exists() for name in KNOWN_DIFFERENCES)


def test_a_difference_is_shown() -> None:
    """What a failing comparison prints names the line, the branch and both sides."""
    base = {"missing_lines": [3], "excluded_lines": [], "missing_branches": [[1, 3]]}
    expected = base | {"executed_lines": [1, 2], "executed_branches": [[1, 2]]}
    actual = base | {"executed_lines": [1], "missing_lines": [2, 3], "executed_branches": []}
    found = differences("nothing.py", expected, actual)
    assert ">    2 run    miss" in found
    assert "only ctrace has executed branch 1 -> 2" in found
    assert differences("nothing.py", expected, dict(expected)) == ""
