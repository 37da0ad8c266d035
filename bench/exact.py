# SPDX-License-Identifier: Apache-2.0
"""Compares what can be counted exactly with what it was: instructions, in bench/exact.json.

    python bench/exact.py              ends with 1 if one has grown by more than the margin
    python bench/exact.py --write      what is counted now is right

Needs valgrind. A stage of .ci/run; one run takes about a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import callgrind
from cases import attach, events, pytest_cov
from harness import HERE, LINES, PROGRAMS, PYTHON, SHMCOV, Failed, folder

STORED = HERE / "exact.json"
MARGIN = 0.05
"""What another compiler, or another bug-fix release of CPython, may make of the same source."""

MERGE = "copy_write"
"""The function of merge/ that Python calls. What else a supervisor does depends on the machine."""

Counted = dict[str, float]


def hit(place: Path) -> float:
    """Of a line that runs for the first time, with its part of meeting its code."""
    few, many = (_first_hits(number, place) for number in (20, 120))
    return (many - few) / (100 * 100)


def _first_hits(functions: int, place: Path) -> int:
    program = [sys.executable, str(PROGRAMS / "first_hits.py"), str(functions)]
    counts, _ = callgrind.run(_run(place, f"--source={PROGRAMS}"), program, place)
    return counts.ours


def event(place: Path) -> float:
    """Of an event in a dynamic context, of which CPython's part is not ours."""
    few, many = (events.count(SHMCOV, contexts, place)[1] for contexts in (100, 700))
    return (many - few) / (600 * 100)


def attached(place: Path) -> float:
    """Of a process's start in a measured run, above one without our start-up file."""
    bare, ours = (attach.make_venv(place / kind, kind) for kind in ("bare", "shmcov"))
    measured = attach.count(_run(place, "--source=nowhere"), ours, place)
    return measured.total - attach.count([], bare, place).total


PUBLISHING = r"^(switch_all|rt_process_switched|seg_process_switch|time_of_switch)|clock_gettime"
"""What tells readers of the segment which test a process is in, and since when. It may be compiled
into the first of these, so that this is what it costs at most."""


def publishing(place: Path) -> float:
    """Of a switch to another test, what it takes to publish it."""
    few, many = (_switches(number, place) for number in (1000, 3000))
    return (many - few) / 2000


def _switches(number: int, place: Path) -> int:
    program = [sys.executable, str(PROGRAMS / "many_switches.py"), str(number), str(place / "said")]
    under = _run(place, "--shm-contexts", f"--source={PROGRAMS}")
    return callgrind.run(under, program, place)[0].of(PUBLISHING)


def row(place: Path) -> float:
    """Of a row that the merge writes at the end of a run."""
    few, many = (_rows(contexts, place) for contexts in (100, 700))
    return (many - few) / (600 * 50)


def _rows(contexts: int, place: Path) -> int:
    made = place / "rows"
    made.mkdir(exist_ok=True)
    rcfile = place / "rc"
    rcfile.write_text(f"[run]\ndynamic_context = test_function\nsource = {made}\n")
    program = [str(PROGRAMS / "rows.py"), str(contexts), str(made)]
    supervisor = [sys.executable, *_run(place, f"--rcfile={rcfile}"), *program]
    return callgrind.run([], supervisor, place)[0].whole[MERGE]


def short_run(place: Path) -> float:
    """The supervisor of a program that does nothing, beside `coverage run` of it."""
    program = place / "nothing.py"
    program.write_text("")
    ours, theirs = (
        callgrind.run([], [sys.executable, "-m", tool, "run", str(program)], place)[0].total
        for tool in ("shmcov", "coverage")
    )
    return ours / theirs


def worker(place: Path) -> float:
    """A process that starts and saves under pytest-cov, beside the same without our plug-in."""
    ours, theirs = (
        pytest_cov.count(place, tool, LINES) for tool in (pytest_cov.SHMCOV, pytest_cov.COVERAGE)
    )
    return ours / theirs


def _run(place: Path, *options: str) -> list[str]:
    return ["-m", "shmcov", "run", f"--data-file={place / 'data'}", *options]


COUNTS: dict[str, Callable[[Path], float]] = {
    "a first hit": hit,
    "an event in a context": event,
    "publishing a switch": publishing,
    "attaching": attached,
    "a merged row": row,
}
"""In instructions."""

RATIOS: dict[str, Callable[[Path], float]] = {
    "a short run": short_run,
    "a worker under pytest-cov": worker,
}
"""Of coverage.py's instructions. Much of both is what coverage.py imports, whatever its version."""


def compare(stored: Counted, counted: Counted) -> tuple[list[str], bool]:
    """A line for each, and whether all is well."""
    lines, well = [], True
    for name, now in counted.items():
        before = stored.get(name)
        of, form = ("of coverage.py's", ".3f") if name in RATIOS else ("instructions", ",.1f")
        text = f"{name}: {now:{form}} {of}"
        if before is None:
            text, well = f"{text}, and nothing is stored", False
        elif now > before * (1 + MARGIN):
            text, well = f"{text}, which is too many: it was {before:{form}}", False
        elif now < before * (1 - MARGIN):
            text += f", which is better than {before:{form}}: --write stores it"
        else:
            text += f" ({before:{form}})"
        lines.append(text)
    return lines, well


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="store what is counted")
    options = parser.parse_args()
    all_ = json.loads(STORED.read_text()) if STORED.exists() else {}
    try:
        with folder() as place:
            counted = {name: count(place) for name, count in {**COUNTS, **RATIOS}.items()}
    except Failed as error:
        print(error)
        return 1
    lines, well = compare(all_.get(PYTHON, {}), counted)
    print("\n".join(lines))
    if not options.write:
        return int(not well)
    all_[PYTHON] = {
        name: round(number, 3 if name in RATIOS else 1) for name, number in counted.items()
    }
    STORED.write_text(json.dumps(dict(sorted(all_.items())), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
