# SPDX-License-Identifier: Apache-2.0
"""Seven CPU-bound programs: the time that they take under each tool."""

from collections.abc import Iterator

from harness import (
    BARE,
    BRANCHES,
    CPU_BOUND,
    LINES,
    MODES,
    Row,
    Settings,
    interleave,
    ratio,
    run_program,
    say,
    tools,
    units_for,
)

TITLE = "Time of CPU-bound programs"
TEXT = (
    "CPU time from the first line of the program to its last. What a tool does before and after "
    "is not in it (`whole` in `results/` is the command from start to end)."
)
ALL = "**median**"


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    if python < (3, 12) or program != ALL:
        return None
    return 1.03 if mode == LINES or python >= (3, 14) else 1.10


def rows(settings: Settings) -> Iterator[Row]:
    for program in CPU_BOUND:
        if not settings.wants(program):
            continue
        units = str(units_for(program, settings.seconds, settings.folder))
        variants = [(BARE, LINES)]
        variants += [(tool, mode) for mode in MODES for tool in tools(mode, without=[BARE])]
        costs = interleave(
            settings.rounds,
            variants,
            lambda v, p=program, u=units: run_program(v[0], v[1], settings.folder, p, u),  # type: ignore[misc]
        )
        bare = costs[BARE, LINES]
        for (tool, mode), runs in costs.items():
            if tool is BARE:
                continue
            value, detail = ratio([r["cpu"] for r in runs], [b["cpu"] for b in bare])
            whole, _ = ratio([r["whole_cpu"] for r in runs], [b["whole_cpu"] for b in bare])
            detail["whole"] = round(whole, 4)
            say(f"  {program} {mode} {tool.name}: {value:.3f}  (whole command {whole:.3f})")
            yield Row(program, mode, tool.name, value, detail=detail)


__all__ = ["BRANCHES", "TEXT", "TITLE", "bar", "rows"]
