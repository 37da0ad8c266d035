# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks in cases/ share: tools, running a program under one, interleaved rounds.

A case yields rows; run.py writes them to results/, one file for each case and version of Python,
and report.py makes RESULTS.md out of those.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

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


@dataclass(frozen=True)
class Tool:
    """One way to run a program. Its name is a column of the results."""

    name: str
    module: str = ""
    core: str = ""

    def works(self, mode: str) -> bool:
        if self.module and importlib.util.find_spec(self.module) is None:
            return False
        if self.core == "sysmon":
            return ((3, 14) if mode == BRANCHES else (3, 12)) <= VERSION
        if self.module == "slipcover":
            return VERSION < (3, 15)
        return True

    def options(self, mode: str, source: str, folder: Path, rcfile: Path | None) -> list[str]:
        if not self.module:
            return []
        options = ["-m", self.module]
        if self.module == "slipcover":
            options += ["--json", f"--out={folder / 'slipcover.json'}", f"--source={source}"]
        else:
            options += ["run", f"--data-file={folder / f'data.{self.name}'}"]
            options += [f"--rcfile={rcfile}"] if rcfile else [f"--source={source}"]
        return options + (["--branch"] if mode == BRANCHES else [])

    def environment(self) -> dict[str, str]:
        return {"COVERAGE_CORE": self.core} if self.core else {}


BARE = Tool("bare")
SHMCOV = Tool("shmcov", "shmcov")
CTRACE = Tool("ctrace", "coverage", "ctrace")
SYSMON = Tool("sysmon", "coverage", "sysmon")
SLIPCOVER = Tool("slipcover", "slipcover")
TOOLS = (BARE, SHMCOV, SYSMON, SLIPCOVER, CTRACE)


# The tools that --tools names; empty: all.
CHOSEN: tuple[str, ...] = ()


def tools(mode: str, without: Sequence[Tool] = ()) -> list[Tool]:
    return [
        tool
        for tool in TOOLS
        if tool.works(mode) and tool not in without and (not CHOSEN or tool.name in CHOSEN)
    ]


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


@dataclass(frozen=True)
class Cost:
    """Seconds, of a process and of all descendants that were waited for."""

    cpu: float
    wall: float


def execute(command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> Cost:
    """Runs a command to its end, and waits for processes that it leaves behind, such as the workers
    of a forkserver. Its output goes to a log, which is shown if it fails."""
    adopt_orphans()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        status = process.wait()
        wall = time.perf_counter() - start
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if status:
        text = log.read_text(errors="replace")[-3000:]
        raise Failed(f"{' '.join(map(str, command))}\nexit status {status}\n{text}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Cost(cpu, wall)


def adopt_orphans() -> None:
    """Makes orphans our children, so that their time counts: prctl(PR_SET_CHILD_SUBREAPER)."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def run_program(
    tool: Tool, mode: str, folder: Path, program: str, *args: str, rcfile: Path | None = None
) -> dict[str, float]:
    """Runs a program that ends in clock.run() under a tool; returns what the clock printed."""
    path = PROGRAMS / f"{program}.py" if "/" not in program else Path(program)
    times = folder / "times"
    times.unlink(missing_ok=True)
    options = tool.options(mode, str(path.parent), folder, rcfile)
    whole = execute(
        [sys.executable, *options, str(path), *args],
        environment({"BENCH_TIMES": str(times), **tool.environment()}),
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


def interleave(rounds: int, variants: Sequence[T], measure: Callable[[T], R]) -> dict[T, list[R]]:
    """Measures each variant once in each round; each round begins with another one."""
    results: dict[T, list[R]] = {variant: [] for variant in variants}
    for number in range(rounds):
        shift = number % len(variants)
        for variant in [*variants[shift:], *variants[:shift]]:
            results[variant].append(measure(variant))
    return results


def ratio(values: Sequence[float], bare: Sequence[float]) -> tuple[float, dict[str, object]]:
    """The median of the rounds' ratios, and their spread."""
    ratios = sorted(one / other for one, other in zip(values, bare, strict=True))
    quarter = len(ratios) // 4
    spread = (round(ratios[quarter], 4), round(ratios[-1 - quarter], 4))
    return statistics.median(ratios), {"rounds": len(ratios), "middle_half": spread}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="shmcov-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
