# SPDX-License-Identifier: Apache-2.0
"""Runs benchmarks with the Python that runs this, and writes RESULTS.md.

    python bench/run.py                   all of them
    python bench/run.py steady cpu        these
    python bench/run.py --quick           ten minutes for a first look; results/ stay as they are
    python bench/run.py --report          only makes RESULTS.md from bench/results/

shmcov must be installed in this Python; coverage.py and SlipCover are measured beside it.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import harness
import report
from harness import HERE, PYTHON, Failed, Settings, folder, say

CASES = (
    "attach",
    "steady",
    "cpu",
    "second",
    "longcode",
    "contexts",
    "events",
    "switches",
    "django",
    "pytest_cov",
    "pytest_cov_end",
    "merge",
    "combine",
    "scale",
)
# By default: rounds of a case, and seconds of bare Python for a run of a program.
ROUNDS = {
    "attach": 60,
    "cpu": 9,
    "second": 9,
    "longcode": 9,
    "contexts": 7,
    "django": 3,
    "pytest_cov": 5,
    "pytest_cov_end": 5,
    "combine": 5,
}
# What --quick runs: rounds, seconds, and the programs, of which none is all.
QUICK: dict[str, tuple[int, float, tuple[str, ...]]] = {
    "attach": (15, 0, ()),
    "steady": (1, 0, ("orbits", "machine", "inline_loops")),
    "cpu": (3, 0.3, ("sudoku", "shapes", "streams")),
    "contexts": (3, 0.3, ("tiny",)),
    "events": (1, 0, ()),
    "merge": (5, 0, ()),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, help="measure each variant so often")
    parser.add_argument("--seconds", type=float, help="of bare Python, each run; 0.5")
    parser.add_argument("--only", action="append", default=[], metavar="PROGRAM")
    parser.add_argument("--tools", default="", help="such as bare,shmcov; by default all")
    parser.add_argument("--quick", action="store_true", help="little of some, and keep nothing")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    options = parser.parse_args()
    if options.tools:
        harness.CHOSEN = tuple(options.tools.split(","))
    names = options.names or (QUICK if options.quick else CASES)
    if unknown := set(names) - set(CASES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    failed = 0
    if not options.report:
        for name in names:
            failed += not run(name, options)
    if not options.quick:
        report.write(CASES)
    return int(failed > 0)


def run(name: str, options: argparse.Namespace) -> bool:
    case = importlib.import_module(f"cases.{name}")
    say(f"{name} ({case.TITLE}), Python {platform.python_version()}")
    with folder() as path:
        settings = settings_for(name, options, path)
        others = Others()
        try:
            # One by one, so that what has been measured is kept if a later program fails.
            for row in case.rows(settings):
                if not options.quick:
                    save(name, asdict(row) | {"others": round(others.share(), 2)})
        except Failed as error:
            say(f"{name}: {error}")
            return False
    return True


class Others:
    """How many processors the others on this machine have kept busy, since this was made."""

    def __init__(self) -> None:
        self.start = self._now()

    def share(self) -> float:
        """0 where the system does not say."""
        clock, busy, own = (now - then for now, then in zip(self._now(), self.start, strict=True))
        return max(0.0, busy - own) / clock if busy else 0.0

    @staticmethod
    def _now() -> tuple[float, float, float]:
        """The clock, and the seconds that processors were busy: with all, with us and children."""
        try:
            # user, nice, system, idle, iowait, irq, softirq, steal, and what is in user as well
            ticks = [int(word) for word in Path("/proc/stat").read_text().split(None, 9)[1:9]]
        except OSError:
            ticks = [0] * 8
        busy = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
        return time.monotonic(), busy, sum(os.times()[:4])


def settings_for(name: str, options: argparse.Namespace, folder: Path) -> Settings:
    rounds, seconds, only = ROUNDS.get(name, 1), 0.5, ()
    if options.quick and name in QUICK:
        rounds, seconds, only = QUICK[name]
    rounds = options.rounds or rounds
    return Settings(rounds, options.seconds or seconds, tuple(options.only) or only, folder)


def save(name: str, row: dict[str, object]) -> None:
    """Replaces figures that were measured again, and keeps the others."""
    path = HERE / "results" / f"{name}-{PYTHON}.json"
    path.parent.mkdir(exist_ok=True)
    row["value"] = round(float(str(row["value"])), 5)
    before = json.loads(path.read_text()) if path.exists() else {"rows": []}
    rows = before["rows"]
    places = [i for i, old in enumerate(rows) if which(old) == which(row)]
    rows[slice(places[0], places[0] + 1) if places else slice(len(rows), None)] = [row]
    shown = {
        "case": name,
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "machine": machine(),
        "versions": versions(),
        "rows": rows,
    }
    if "load" in before and not all("others" in row for row in rows):
        shown["load"] = before["load"]  # of figures from before `others` was kept
    path.write_text(json.dumps(shown, indent=1) + "\n")


def which(row: dict[str, object]) -> tuple[object, ...]:
    return row["program"], row["mode"], row["tool"]


def machine() -> str:
    model = platform.machine()
    with Path("/proc/cpuinfo").open() as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":")[1].strip()
                break
    cpus = len(os.sched_getaffinity(0))
    return f"{model}, {cpus} processors, {platform.system()} {platform.release().split('-')[0]}"


def versions() -> dict[str, str]:
    found = {}
    for name in ("shmcov", "coverage", "slipcover", "django"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(main())
