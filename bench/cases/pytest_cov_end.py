# SPDX-License-Identifier: Apache-2.0
"""`pytest --cov -n 2` with a context for each test: what it costs with and without the two steps of
its end that the plug-in takes over, and what these steps cost.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sqlite3
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import (
    BRANCHES,
    MODES,
    PROGRAMS,
    Cost,
    Row,
    Settings,
    interleave,
    ratio,
    say,
)

from cases import pytest_cov

TITLE = "The end of `pytest --cov -n 2`"
TEXT = (
    f"The tests of {pytest_cov.CLICK} with two workers and a context for each test. *CPU time* and "
    "*wall time* are those of the whole command, against the same without `--cov`. *save* and "
    "*combine* are the CPU time of `Coverage.save()`, which is the merge too, and of "
    "`Coverage.combine()` in the process that reports. *before* is the plug-in with both left to "
    "coverage.py."
)
BARE, COVERAGE, BEFORE, SHMCOV = "bare", "coverage", "before", "shmcov"
TOOLS = (BARE, COVERAGE, BEFORE, SHMCOV)
STEPS = ("save", "combine")


@dataclass(frozen=True)
class Ended:
    whole: Cost
    steps: dict[str, float]
    """Milliseconds of CPU time."""
    rows: int
    """Of the combined file."""


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    return None if program in STEPS or python < (3, 12) else 1.10


def rows(settings: Settings) -> Iterator[Row]:
    """`--only`: lines, branches. Each is done in four minutes."""
    place = pytest_cov.unpacked()
    tools = [tool for tool in TOOLS if not harness.CHOSEN or tool in (BARE, *harness.CHOSEN)]
    for mode in filter(settings.wants, MODES):
        whole(settings, place, BARE, mode)  # for the caches
        measure = functools.partial(ended, settings, place, mode)
        found = interleave(settings.rounds, tools, measure)
        bare = found.pop(BARE)
        for tool, runs in found.items():
            yield from costs(mode, tool, runs, bare)


def costs(mode: str, tool: str, runs: Sequence[Ended], bare: Sequence[Ended]) -> Iterator[Row]:
    for program, name in ((pytest_cov.CPU, "cpu"), (pytest_cov.WALL, "wall")):
        values, others = ([getattr(one.whole, name) for one in some] for some in (runs, bare))
        value, detail = ratio(values, others)
        say(f"  {mode} {tool} {program}: {value:.3f} {detail}")
        yield Row(program, mode, tool, value, detail=detail)
    for step in STEPS:
        value = statistics.median(one.steps[step] for one in runs)
        detail = {"rows": runs[0].rows, "rounds": len(runs)}
        say(f"  {mode} {tool} {step}: {value:.1f} ms {detail}")
        yield Row(step, mode, tool, value, "ms", detail)


def ended(settings: Settings, place: Path, mode: str, tool: str) -> Ended:
    if tool == BARE:
        return Ended(whole(settings, place, tool, mode), {}, 0)
    times = settings.folder / "times"
    more = {"BENCH_TIMES": str(times), "PYTEST_PLUGINS": "pytest_end"}
    if tool == BEFORE:
        more["BENCH_BEFORE"] = "1"
    cost = whole(settings, place, tool, mode, more)
    table = "arc" if mode == BRANCHES else "line_bits"
    with contextlib.closing(sqlite3.connect(settings.folder / "data")) as db:
        (rows,) = db.execute(f"select count(*) from {table}").fetchone()
    return Ended(cost, json.loads(times.read_text()), rows)


def whole(
    settings: Settings, place: Path, tool: str, mode: str, more: Mapping[str, str] = {}
) -> Cost:
    under = pytest_cov.SHMCOV if tool == BEFORE else tool
    return pytest_cov.run(place, settings.folder, under, mode, True, path=PROGRAMS, more=more)
