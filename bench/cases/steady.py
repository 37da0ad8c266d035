# SPDX-License-Identifier: Apache-2.0
"""Instructions that a program still pays for when everything in it is covered, and where.

callgrind counts n units of work in one process, and 3n in another; half the difference is what n
units cost in the long run. Counts are exact, so each needs one run. coverage.py and SlipCover run
inside valgrind with the program, shmcov's supervisor outside.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import callgrind
from harness import (
    BARE,
    CPU_BOUND,
    CTRACE,
    LINES,
    MODES,
    PROGRAMS,
    SHMCOV,
    VERSION,
    Row,
    Settings,
    Tool,
    core,
    options,
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
OURS = "in _shmcov"
PARTS = {
    OURS: "",
    "in CPython's dispatch of events": "instrument",
    "in the interpreter's loop": "^_PyEval_EvalFrameDefault",
    "in memory": "(?i)malloc|realloc|(object|mem|int)_free|memcpy|memset",
}
"""Where a tool may cost something, and in whose names to look for it."""
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
        total = bare["total"]
        for mode in MODES:
            for tool in tools(mode, without=[BARE, *without]):
                found = per_units(tool, mode, program, settings.folder)
                value = found["total"] / total
                more = {part: (found[part] - bare[part]) / total for part in PARTS}
                where = ", ".join(f"{part} {share:+.4f}" for part, share in more.items())
                say(f"  {program} {mode} {tool.name}: {value:.4f} ({where})")
                shares = {part: round(share, 5) for part, share in more.items()}
                detail: dict[str, object] = {"bare": total, "more": shares}
                yield Row(program, mode, tool.name, value, detail=detail)


def per_units(tool: Tool, mode: str, program: str, folder: Path) -> dict[str, float]:
    """Of n units, in the long run: all instructions, and those of each of PARTS."""
    n = UNITS[program]
    few, many = (instructions(tool, mode, program, units, folder) for units in (n, 3 * n))
    found = {part: (many.of(name) - few.of(name)) / 2 for part, name in PARTS.items()}
    return {**found, OURS: (many.inside - few.inside) / 2, "total": (many.total - few.total) / 2}


def instructions(tool: Tool, mode: str, program: str, units: int, folder: Path) -> callgrind.Counts:
    path = str(PROGRAMS / f"{program}.py")
    words = options(tool, mode, str(PROGRAMS), folder, None)
    outside, inside = (words, []) if tool is SHMCOV else ([], words)
    program = [sys.executable, *inside, path, str(units)]
    more = {"BENCH_TIMES": str(folder / "times"), **core(tool)}
    counts, _ = callgrind.run(outside, program, folder, **more)
    return counts
