# SPDX-License-Identifier: Apache-2.0
"""A plug-in of pytest that writes to BENCH_OUTCOMES what was collected and how tests ended.

A test that uses more than BENCH_CPU_SECONDS of processor time is interrupted: a mutation may make
it run for ever. Time of the clock would not do, because others may use the machine.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

LIMIT = float(os.environ.get("BENCH_CPU_SECONDS", "10"))


class Outcomes:
    def __init__(self) -> None:
        self.selected: list[str] = []
        self.passed: dict[str, bool] = {}
        self.uncollected: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.selected = [item.nodeid for item in session.items]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.uncollected.append(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        signal.setitimer(signal.ITIMER_PROF, LIMIT, 1)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        passed = self.passed.get(report.nodeid, True) and not report.failed
        self.passed[report.nodeid] = passed

    def pytest_sessionfinish(self) -> None:
        Path(os.environ["BENCH_OUTCOMES"]).write_text(json.dumps(vars(self)))


def _interrupt(*_: Any) -> None:
    pytest.fail(f"took more than {LIMIT} s", pytrace=False)


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGPROF, _interrupt)
    config.pluginmanager.register(Outcomes(), "bench-outcomes")
