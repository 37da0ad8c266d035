# SPDX-License-Identifier: Apache-2.0
"""Instructions that a program still pays for when everything in it is covered.

callgrind counts n units of work in one process, and 3n in another; half the difference is what n
units cost in the long run. Counts are exact, so each needs one run. coverage.py and SlipCover run
inside valgrind with the program, shmcov's supervisor outside.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from harness import (
    BARE,
    CPU_BOUND,
    CTRACE,
    HERE,
    LINES,
    MODES,
    PROGRAMS,
    SHMCOV,
    VERSION,
    Row,
    Settings,
    Tool,
    environment,
    execute,
    run_program,
    say,
    tools,
)

TITLE = "Instructions per unit of work when all is covered"
TEXT = (
    "callgrind counts n and 3n units of work in one process; the difference is divided by bare "
    "Python's. `inline_loops` is a function with three loops that are inside one line each, and "
    "with lines that never run."
)
UNITS = {
    "sudoku": 4,
    "fannkuch": 2,
    "orbits": 8,
    "shapes": 8,
    "words": 6,
    "streams": 25,
    "machine": 10,
    "inline_loops": 10,
}


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    if python < (3, 12) or (mode != LINES and python < (3, 14)):
        return None
    return 1.03 if python == (3, 12) else 1.01


def rows(settings: Settings) -> Iterator[Row]:
    # ctrace has no steady state: on 3.11 it is the only peer, so it is counted there.
    without = [] if VERSION < (3, 12) else [CTRACE]
    for program in (*CPU_BOUND, "inline_loops"):
        if not settings.wants(program):
            continue
        # Compiles what it imports, so that no counted run does.
        run_program(BARE, LINES, settings.folder, program)
        bare = per_units(BARE, LINES, program, settings.folder)
        for mode in MODES:
            for tool in tools(mode, without=[BARE, *without]):
                value = per_units(tool, mode, program, settings.folder) / bare
                say(f"  {program} {mode} {tool.name}: {value:.4f}")
                yield Row(program, mode, tool.name, value, detail={"bare": bare})


def per_units(tool: Tool, mode: str, program: str, folder: Path) -> int:
    n = UNITS[program]
    few, many = (instructions(tool, mode, program, units, folder) for units in (n, 3 * n))
    return (many - few) // 2


def instructions(tool: Tool, mode: str, program: str, units: int, folder: Path) -> int:
    counts = folder / "callgrind.out"
    counts.unlink(missing_ok=True)
    path = str(PROGRAMS / f"{program}.py")
    options = tool.options(mode, str(PROGRAMS), folder, None)
    valgrind = [
        "valgrind",
        "-q",
        "--tool=callgrind",
        f"--callgrind-out-file={counts}",
        sys.executable,
    ]
    if tool is SHMCOV:
        command = [sys.executable, *options, str(HERE / "launch.py"), *valgrind]
    else:
        command = [*valgrind, *options]
    env = environment({"BENCH_TIMES": str(folder / "times"), **tool.environment()})
    execute([*command, path, str(units)], env, folder, folder / "log")
    match = re.search(r"^(?:totals|summary): (\d+)", counts.read_text(), re.MULTILINE)
    assert match, counts
    return int(match[1])
