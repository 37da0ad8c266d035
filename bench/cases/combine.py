# SPDX-License-Identifier: Apache-2.0
"""`shmcov combine` beside `coverage combine` and beside a bare loop that inserts the same rows."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness import BRANCHES, CACHE, LINES, Failed, Row, Settings, environment, interleave, say
from shards import BRANCH_CONTEXTS, CONTEXTS, Shape
from shards import BRANCHES as BRANCHES_ALONE
from shards import LINES as LINES_ALONE

from cases.merge import binary

TITLE = "Combine"
TEXT = (
    "Shards of the shape of Django's tests (1,249 files) to one file, the whole command, reading "
    "and fsync included: 55,000 rows each, with 2,600 contexts of their own or in none, but 1,249 "
    "rows of lines in no context. *floor* is a bare C loop that inserts the rows of the result "
    "from memory. *of coverage.py's*: the median of the rounds' ratios. Peak: memory of a process."
)
COVERAGE, SHMCOV, FLOOR = "coverage", "shmcov", "floor"
TOOLS = (COVERAGE, SHMCOV, FLOOR)
CPU, WALL, PEAK = "CPU", "wall", "peak"
UNITS = {CPU: "s", WALL: "s", PEAK: "MB"}
OF = " of coverage.py's"
MANY = 3
"""Rounds with 200 shards."""
SHAPES = {
    20: [*map(Shape, (LINES_ALONE, CONTEXTS, BRANCHES_ALONE, BRANCH_CONTEXTS))],
    200: [*map(Shape, (CONTEXTS, BRANCH_CONTEXTS))],
}

# The smallest of four sizes, each twice the one before.
GROWTH = {
    "shards": (5, Shape(CONTEXTS)),
    "files": (625, Shape(CONTEXTS, rows=20_000)),
    "contexts": (1300, Shape(CONTEXTS, rows=20_000)),
}
STEPS = (1, 2, 4, 8)
GROWTH_SHARDS = 10


@dataclass(frozen=True)
class Cost:
    cpu: float
    wall: float
    peak: float
    """MB"""


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    if program.startswith("20 ") and program.endswith(OF):
        return 0.125 if f" {CPU}" in program else 1 / 12
    return None


def rows(settings: Settings) -> Iterator[Row]:
    """`--only`: 20, 200, growth, or a part of one, such as "200 contexts", "growth files"."""
    for shards, shapes in SHAPES.items():
        rounds = settings.rounds if shards == 20 else min(settings.rounds, MANY)
        for shape in shapes:
            if settings.wants(str(shards)) or settings.wants(f"{shards} {shape.kind}"):
                yield from compared(settings, shape, shards, rounds)
    for what in GROWTH:
        if settings.wants("growth") or settings.wants(f"growth {what}"):
            yield from growth(settings, what)


def compared(settings: Settings, shape: Shape, shards: int, rounds: int) -> Iterator[Row]:
    mode = BRANCHES if shape.branch else LINES
    costs = measured(settings, shape, shards, rounds, TOOLS)
    for what in UNITS:
        program = f"{shards} shards, {shape.kind}, {what}"
        for tool, found in costs.items():
            if what == PEAK and tool == FLOOR:
                continue  # all rows, in arrays
            value = statistics.median(getattr(one, what.lower()) for one in found)
            say(f"  {program} {tool}: {value:.2f} {UNITS[what]}")
            yield Row(program, mode, tool, value, UNITS[what], {"rounds": len(found)})
        for tool in (SHMCOV, FLOOR) if what != PEAK else ():
            ratios = sorted(
                getattr(one, what.lower()) / getattr(other, what.lower())
                for one, other in zip(costs[tool], costs[COVERAGE], strict=True)
            )
            detail: dict[str, object] = {"ratios": [round(ratio, 4) for ratio in ratios]}
            say(f"  {program} {tool}{OF}: {statistics.median(ratios):.4f}")
            yield Row(program + OF, mode, tool, statistics.median(ratios), "x", detail)


def growth(settings: Settings, what: str) -> Iterator[Row]:
    """Seconds and memory at each size, for the picture."""
    smallest, shape = GROWTH[what]
    for size in (smallest * step for step in STEPS):
        shards = size if what == "shards" else GROWTH_SHARDS
        grown = shape if what == "shards" else replace(shape, **{what: size})
        costs = measured(settings, grown, shards, min(settings.rounds, MANY), TOOLS[:2])
        for tool, found in costs.items():
            cost = Cost(*(statistics.median(getattr(one, name) for one in found)
                          for name in ("cpu", "wall", "peak")))  # fmt: skip
            detail: dict[str, object] = {"what": what, "size": size, "peak": cost.peak}
            say(f"  {size} {what} {tool}: {cost.cpu:.2f} s, {cost.peak:.0f} MB")
            yield Row(f"{size:,} {what}, {CPU}", LINES, tool, cost.cpu, "s", detail)
            yield Row(f"{size:,} {what}, {PEAK}", LINES, tool, cost.peak, "MB", detail)


def measured(
    settings: Settings, shape: Shape, shards: int, rounds: int, tools: tuple[str, ...]
) -> dict[str, list[Cost]]:
    """The costs of each round. The first result is checked, and what the floor inserts."""
    folder = shape.folder(CACHE, shards)
    results = {tool: settings.folder / f"combined.{tool}" for tool in (COVERAGE, SHMCOV)}
    combined(SHMCOV, folder, results[SHMCOV], settings.folder)

    def cost(tool: str) -> Cost:
        if tool == FLOOR:
            return floor(results[SHMCOV], settings.folder)
        return combined(tool, folder, results[tool], settings.folder)

    costs = interleave(rounds, tools, cost)
    counts = {counted(path) for path in results.values()}
    if len(counts) != 1:
        raise Failed(f"the results differ: {counts} rows")
    for path in results.values():
        path.unlink()
    return costs


def combined(tool: str, folder: Path, result: Path, scratch: Path) -> Cost:
    result.unlink(missing_ok=True)
    log = scratch / "log"
    shards = sorted(folder.glob(".coverage.*"))
    options = ["--keep", "-q", "--rcfile=", f"--data-file={result}"]
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", tool, "combine", *options, *shards],
            **{"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output},
            env=environment(),
            cwd=scratch,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(log.read_text(errors="replace")[-3000:])
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


def floor(result: Path, scratch: Path) -> Cost:
    command = [binary(), "rows", result, scratch, "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"cpu ([\d.]+) s, clock ([\d.]+) s", done.stdout)
    if not found:
        raise Failed(done.stdout + done.stderr)
    return Cost(float(found[1]), float(found[2]), 0.0)


def counted(path: Path) -> tuple[int, ...]:
    """Rows, and the sum of what is in them."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        (lines,) = db.execute("select count(*) from line_bits").fetchone()
        arcs, sum_from, sum_to = db.execute(
            "select count(*), total(fromno), total(tono) from arc"
        ).fetchone()
        (files,) = db.execute("select count(*) from file").fetchone()
        (contexts,) = db.execute("select count(*) from context").fetchone()
    return lines, arcs, int(sum_from), int(sum_to), files, contexts
