# SPDX-License-Identifier: Apache-2.0
"""`pytest --shmcov-affected`: runs the tests that a change may affect, and records what they ran.

The process that collects chooses: each worker of pytest-xdist by itself, all from the same file.
The controller records at the end, from the segment, whatever else measures in the session. If
nothing does, a Coverage object of our own is started, whose data nobody saves.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import _shmcov
import coverage
import pytest
from coverage.exceptions import CoverageException

from shmcov import _merge, coverage_init, result, segments
from shmcov.affected.choose import Chooser, Rules
from shmcov.affected.project import Revision, Tree
from shmcov.affected.record import Outcome, record
from shmcov.affected.store import NAME, Store
from shmcov.recording import Recording

NOW = "now"
"""--shmcov-affected without a revision."""

_CONTEXT = "SHMCOV_CONTEXT"
_DESELECTED = "shmcov_deselected"
_SHARES = "shmcov_shares"


def start() -> coverage.Coverage | None:
    """Measures, if nobody does: to be called before anything of the project is imported."""
    if _shmcov.attached():
        return None
    if coverage.Coverage.current() is not None:
        raise pytest.UsageError(
            "--shmcov-affected: coverage.py measures here with its own core, and two cannot at "
            "once. `plugins = shmcov` in the section [run] of its configuration makes both one."
        )
    cov = coverage.Coverage(data_file=None, config_file=False, plugins=[coverage_init])
    cov.start()
    return cov


class Affected:
    """For one session."""

    def __init__(self, config: pytest.Config, cov: coverage.Coverage | None) -> None:
        self.config = config
        self.cov = cov
        self.tree = Tree(config.rootpath)
        path = config.getoption("--shmcov-tests") or config.rootpath / NAME
        self.store = Store(Path(config.invocation_params.dir, path))
        self.rules = Rules(
            tuple(config.getini("shmcov_affected_ignore")),
            tuple(config.getini("shmcov_affected_variables")),
        )
        self.outcomes: dict[str, Outcome] = {}
        self.made_in: dict[int, str] = {}
        """By fixture that several tests share: the test in whose set-up it was made last."""
        self.left_out: list[tuple[str, float]] = []
        """Tests that need not run, each with the seconds that it took last time."""
        self.everything = ""
        self.chosen = False
        self.problem = ""

    @property
    def controls(self) -> bool:
        """Is this the process whose session it is, not a worker of pytest-xdist?"""
        return not hasattr(self.config, "workerinput")

    # -- choosing --

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        base = self.config.getoption("--shmcov-affected")
        try:
            since = None if base == NOW else Revision(self.tree.root, base)
            chooser = Chooser(self.tree, self.store, self.rules, since)
            self.everything = chooser.everything()
            kept = [item for item in items if chooser.why(item.nodeid)]
        except CoverageException as error:
            raise pytest.UsageError(str(error)) from error
        self.chosen = True
        if len(kept) == len(items):
            return
        staying = set(kept)
        gone = [item for item in items if item not in staying]
        known = chooser.recorded.tests
        self.left_out = [(item.nodeid, known[item.nodeid].seconds) for item in gone]
        self.config.hook.pytest_deselected(items=gone)
        items[:] = kept

    # -- what each test did --

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """What a test starts runs in its context, from its set-up on."""
        os.environ[_CONTEXT] = item.nodeid

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        try:
            return (yield)
        finally:
            os.environ.pop(_CONTEXT, None)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: Any, request: Any
    ) -> Generator[None, object, object]:
        if fixturedef.scope != "function":
            self.made_in[id(fixturedef)] = _item_of(request)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "setup":
            # A report travels from a worker to the controller with its attributes.
            setattr(report, _SHARES, sorted(self._shared_by(item)))
        return report

    def _shared_by(self, item: pytest.Item) -> set[str]:
        info = getattr(item, "_fixtureinfo", None)
        definitions = info.name2fixturedefs.values() if info else ()
        used = (self.made_in.get(id(one)) for several in definitions for one in several)
        return {name for name in used if name}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = self.outcomes.setdefault(report.nodeid, Outcome())
        outcome.process = getattr(report, "worker_id", "")  # pytest-xdist's
        outcome.passed &= not report.failed
        outcome.seconds += report.duration
        outcome.shares |= set(getattr(report, _SHARES, ()))

    # -- at the end --

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """What a worker found when it collected; all find the same."""
        if said := getattr(node, "workeroutput", {}).get(_DESELECTED):
            self.everything, self.left_out = said
            self.chosen = True

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """trylast: before pytest-cov, which saves and stops at the end of this loop."""
        try:
            return (yield)
        finally:
            if self.controls:
                self._end()

    def _end(self) -> None:
        try:
            self._record()
        except (CoverageException, segments.SegmentNotUsable, _merge.DataError, OSError) as error:
            self.problem = str(error)
        if self.cov is not None:
            self.cov.stop()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.controls:
            output: dict[str, Any] = self.config.workeroutput  # type: ignore[attr-defined]
            output[_DESELECTED] = [self.everything, self.left_out]
        elif self.left_out and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK  # none had to run

    def _record(self) -> None:
        if not self.outcomes:
            return
        path = _shmcov.attached()
        if not path:
            self.problem = "this session was not measured"
            return
        with segments.opened(path) as fd:
            copy = segments.read(path, fd)
        if lost := result.losses(copy.info()):
            self.problem = f"not all was recorded: {lost[0]}"
            return
        with tempfile.TemporaryDirectory(prefix="shmcov-") as folder:
            data_file = str(Path(folder, "data"))
            result.write_file(copy, data_file, append=False, touch=(), argv=None, relative=None)
            recording = Recording(data_file)
            try:
                record(recording, self.outcomes, self.tree, self.store, self.rules)
            finally:
                recording.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.problem:
            terminalreporter.write_line(
                f"shmcov: the recording is as it was before, {self.problem}", yellow=True
            )
        if self.chosen:
            terminalreporter.write_line(f"shmcov: {self._summary()}")

    def _summary(self) -> str:
        if self.left_out:
            saved = sum(seconds for _, seconds in self.left_out)
            number = len(self.left_out)
            return f"{number} tests are not affected, and took {saved:.1f} s last time"
        return f"no test is left out: {self.everything or 'each may be affected'}"


def _item_of(request: Any) -> str:
    """The test for which a fixture is made."""
    item = getattr(request, "_pyfuncitem", None)
    return str(item.nodeid) if item is not None else ""
