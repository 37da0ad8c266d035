# SPDX-License-Identifier: Apache-2.0
"""Two workers run the same code, one after the other: what the second one pays.

The driver is measured as well, so both processes attach to its run. The work is half the usual,
because first sight is what matters here.
"""

import json
import sys
from collections.abc import Iterator

from harness import (
    BARE,
    CPU_BOUND,
    HERE,
    LINES,
    MODES,
    PROGRAMS,
    SHMCOV,
    Row,
    Settings,
    Tool,
    environment,
    execute,
    interleave,
    options,
    ratio,
    say,
    units_for,
)

TITLE = "A second worker that runs what the first has covered"
TEXT = "CPU time of the second process from the first line of the program to its last."
ALL = "**median**"


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    return 1.02 if program == ALL and python >= (3, 12) else None


def rows(settings: Settings) -> Iterator[Row]:
    for program in CPU_BOUND:
        if not settings.wants(program):
            continue
        units = str(units_for(program, settings.seconds / 2, settings.folder))

        def both(
            variant: tuple[Tool, str], program: str = program, units: str = units
        ) -> list[float]:
            tool, mode = variant
            times = settings.folder / "times"
            times.unlink(missing_ok=True)
            words = options(tool, mode, str(PROGRAMS), settings.folder, None)
            driver = [str(HERE / "twice.py"), str(PROGRAMS / f"{program}.py"), units]
            execute(
                [sys.executable, *words, *driver],
                environment({"BENCH_TIMES": str(times)}),
                settings.folder,
                settings.folder / "log",
            )
            return [json.loads(line)["cpu"] for line in times.read_text().splitlines()]

        variants = [(BARE, LINES), *((SHMCOV, mode) for mode in MODES)]
        costs = interleave(settings.rounds, variants, both)
        bare = [second for _, second in costs[BARE, LINES]]
        for (tool, mode), runs in costs.items():
            if tool is BARE:
                continue
            value, detail = ratio([second for _, second in runs], bare)
            first, _ = ratio([first for first, _ in runs], [b for b, _ in costs[BARE, LINES]])
            detail["first"] = round(first, 4)
            say(f"  {program} {mode}: first {first:.3f}, second {value:.3f}")
            yield Row(program, mode, tool.name, value, detail=detail)
