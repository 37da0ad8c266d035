# SPDX-License-Identifier: Apache-2.0
"""What pytest-cov's save and combine cost at the end of a session, with contexts for each test."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import statistics
from collections.abc import Iterator
from pathlib import Path

from harness import BRANCHES, MODES, PROGRAMS, Row, Settings, interleave, say

from cases import pytest_cov

TITLE = "The end of `pytest --cov -n 2`"
TEXT = (
    f"The tests of {pytest_cov.CLICK} with two workers and a context for each test: CPU time of "
    "`Coverage.save()`, which is the merge too, and of `Coverage.combine()` in the process that "
    "reports. *before* is the plug-in with both left to coverage.py."
)
COVERAGE, BEFORE, SHMCOV = "coverage", "before", "shmcov"
STEPS = ("save", "combine")


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    return None


def rows(settings: Settings) -> Iterator[Row]:
    variants = [(tool, mode) for mode in MODES for tool in (COVERAGE, BEFORE, SHMCOV)]
    place = pytest_cov.unpacked()
    measured = interleave(settings.rounds, variants, lambda v: ended(settings, place, *v))
    for (tool, mode), found in measured.items():
        for step in STEPS:
            values = [float(one[step]) for one in found]
            detail: dict[str, object] = {"rows": found[0]["rows"], "rounds": len(values)}
            say(f"  {mode} {tool} {step}: {statistics.median(values):.1f} ms {detail}")
            yield Row(step, mode, tool, statistics.median(values), "ms", detail)


def ended(settings: Settings, place: Path, tool: str, mode: str) -> dict[str, float]:
    """Milliseconds of each step, and the rows of the combined file."""
    times = settings.folder / "times"
    more = {"BENCH_TIMES": str(times), "PYTEST_PLUGINS": "pytest_end"}
    if tool == BEFORE:
        more["BENCH_BEFORE"] = "1"
    under = pytest_cov.COVERAGE if tool == COVERAGE else pytest_cov.SHMCOV
    pytest_cov.run(place, settings.folder, under, mode, True, path=PROGRAMS, more=more)
    table = "arc" if mode == BRANCHES else "line_bits"
    with contextlib.closing(sqlite3.connect(settings.folder / "data")) as db:
        (rows,) = db.execute(f"select count(*) from {table}").fetchone()
    return {**json.loads(times.read_text()), "rows": rows}
