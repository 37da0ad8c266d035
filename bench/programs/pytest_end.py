# SPDX-License-Identifier: Apache-2.0
"""A plug-in of pytest: what pytest-cov's save and combine cost, as a line of JSON in BENCH_TIMES.

With BENCH_BEFORE in the environment, shmcov's plug-in leaves both to coverage.py.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coverage
import pytest
import pytest_cov.engine

_took = {"save": 0.0, "combine": 0.0}


def _timed(cov: coverage.Coverage, name: str) -> None:
    method: Callable[..., Any] = getattr(cov, name)

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        try:
            return method(*args, **kwargs)
        finally:
            _took[name] += (time.process_time() - start) * 1000

    setattr(cov, name, timed)


def _finish(
    self: Any, original: Callable[[Any], None] = pytest_cov.engine.DistMaster.finish
) -> None:
    for cov in (self.cov, self.combining_cov):
        for name in _took:
            _timed(cov, name)
    original(self)


pytest_cov.engine.DistMaster.finish = _finish

if "BENCH_BEFORE" in os.environ:
    from shmcov.backend import combine
    from shmcov.backend.collector import Collector

    Collector._for_pytest_cov = lambda self: False  # type: ignore[method-assign]
    combine.moved = lambda *args: False


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        Path(os.environ["BENCH_TIMES"]).write_text(json.dumps(_took))
