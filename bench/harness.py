# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks in cases/ share: our own programs, how a tool runs one, and rows of figures.

How a command is run and timed, in which order, and what statistics are made of it, is that of
`shmcov bench`. A case yields rows; run.py writes them to results/, one file for each case and
version of Python, and report.py makes RESULTS.md out of those.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from shmcov.commands.bench import figures, rounds, running
from shmcov.commands.bench.configuration import Mode
from shmcov.commands.bench.running import Run as Cost
from shmcov.commands.bench.tools import BARE, CTRACE, SHMCOV, SLIPCOVER, SYSMON, Tool

T = TypeVar("T")
R = TypeVar("R")

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
CACHE = Path(os.environ.get("BENCH_CACHE", HERE.parent / "build" / "bench"))
CPU_BOUND = ("sudoku", "fannkuch", "orbits", "shapes", "words", "streams", "machine")

VERSION = sys.version_info[:2]
PYTHON = sysconfig.get_python_version() + (
    "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
)

LINES, BRANCHES = "lines", "branches"
MODES = (LINES, BRANCHES)

TOOLS = (BARE, SHMCOV, SYSMON, SLIPCOVER, CTRACE)

# The tools that --tools names; empty: all.
CHOSEN: tuple[str, ...] = ()


def tools(mode: str, without: Sequence[Tool] = ()) -> list[Tool]:
    return [
        tool
        for tool in TOOLS
        if not (tool.lacking() or tool.cannot(Mode(branches=mode == BRANCHES)))
        and tool not in without
        and (not CHOSEN or tool.name in CHOSEN)
    ]


def options(tool: Tool, mode: str, source: str, folder: Path, rcfile: Path | None) -> list[str]:
    """What stands between Python and the program, for a program of ours: it needs no more."""
    if not tool.module:
        return []
    words = ["-m", tool.module]
    if tool is SLIPCOVER:
        words += ["--json", f"--out={folder / 'slipcover.json'}", f"--source={source}"]
    else:
        words += ["run", f"--data-file={folder / f'data.{tool.name}'}"]
        words += [f"--rcfile={rcfile}"] if rcfile else [f"--source={source}"]
    return words + ["--branch"] * (mode == BRANCHES)


def core(tool: Tool) -> dict[str, str]:
    """The variable that chooses the core of coverage.py."""
    return {"COVERAGE_CORE": tool.core} if tool.core else {}


@dataclass(frozen=True)
class Row:
    """One figure: of a tool, in a mode, for a program. `detail` is kept but not shown."""

    program: str
    mode: str
    tool: str
    value: float
    unit: str = "x"
    detail: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    rounds: int
    seconds: float
    only: tuple[str, ...]
    folder: Path

    def wants(self, program: str) -> bool:
        return not self.only or program in self.only


class Failed(Exception):
    """A program failed under a tool."""


def environment(more: Mapping[str, str] = {}) -> dict[str, str]:
    """Our environment without what would start a tool, and with the same hashes in each run."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COVERAGE", "SHMCOV", "PYTHON", "BENCH"))
    }
    return {**mine, "PYTHONHASHSEED": "0", **more}


def execute(command: Sequence[str | Path], env: Mapping[str, str], cwd: Path, log: Path) -> Cost:
    """Runs a command to its end. Its output goes to a log, which is shown if it fails."""
    cost = running.run(command, env, cwd, log)
    if cost.status or cost.left:
        text = log.read_text(errors="replace")[-3000:]
        left = f", {cost.left} processes left" if cost.left else ""
        raise Failed(f"{' '.join(map(str, command))}\nexit status {cost.status}{left}\n{text}")
    return cost


def run_program(
    tool: Tool, mode: str, folder: Path, program: str, *args: str, rcfile: Path | None = None
) -> dict[str, float]:
    """Runs a program that ends in clock.run() under a tool; returns what the clock printed."""
    path = PROGRAMS / f"{program}.py" if "/" not in program else Path(program)
    times = folder / "times"
    times.unlink(missing_ok=True)
    words = options(tool, mode, str(path.parent), folder, rcfile)
    whole = execute(
        [sys.executable, *words, str(path), *args],
        environment({"BENCH_TIMES": str(times), **core(tool)}),
        folder,
        folder / "log",
    )
    said: dict[str, float] = json.loads(times.read_text().splitlines()[-1])
    return {**said, "whole_cpu": whole.cpu, "whole_wall": whole.wall}


def units_for(program: str, seconds: float, folder: Path) -> int:
    """How many units of work take this many seconds of bare Python."""
    few = 5
    run_program(BARE, LINES, folder, program, str(few))
    took = min(run_program(BARE, LINES, folder, program, str(few))["cpu"] for _ in range(3))
    return max(1, round(few * seconds / took))


def interleave(number: int, variants: Sequence[T], measure: Callable[[T], R]) -> dict[T, list[R]]:
    """So many rounds."""
    return rounds.interleave(
        variants, measure, lambda found: any(len(values) < number for values in found.values())
    )


def ratio(values: Sequence[float], bare: Sequence[float]) -> tuple[float, dict[str, object]]:
    """The median of the rounds' ratios, and how sure it is."""
    found = figures.ratio(values, bare)
    interval = (round(found.low, 4), round(found.high, 4))
    confidence = round(found.confidence, 3)
    return found.middle, {"rounds": len(bare), "interval": interval, "confidence": confidence}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="shmcov-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
