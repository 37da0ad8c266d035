# SPDX-License-Identifier: Apache-2.0
"""A part of Django's own test suite with two workers."""

from collections.abc import Iterator

from django_source import APPS, run_tests
from harness import (
    BARE,
    LINES,
    MODES,
    SLIPCOVER,
    Row,
    Settings,
    interleave,
    ratio,
    say,
    tools,
)

TITLE = "Django's tests, two workers"
TEXT = (
    f"`runtests.py --parallel=2 {' '.join(APPS)}`, the whole command with its start and the "
    "writing of the result: CPU time of all processes, and wall time. coverage.py's `combine` is "
    "not counted."
)
CPU, WALL = "CPU time", "wall time"


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    return 1.08 if python >= (3, 12) and mode == LINES else None


def rows(settings: Settings) -> Iterator[Row]:
    variants = [(BARE, LINES)]
    variants += [(tool, mode) for mode in MODES for tool in tools(mode, without=[BARE, SLIPCOVER])]
    run_tests(BARE, LINES, settings.folder, 2, contexts=False)
    costs = interleave(
        settings.rounds,
        variants,
        lambda v: run_tests(v[0], v[1], settings.folder, 2, contexts=False),
    )
    bare = costs[BARE, LINES]
    for (tool, mode), runs in costs.items():
        if tool is BARE:
            continue
        cpu, detail = ratio([r.cpu for r in runs], [b.cpu for b in bare])
        wall, wall_detail = ratio([r.wall for r in runs], [b.wall for b in bare])
        say(f"  {mode} {tool.name}: CPU {cpu:.3f}, wall {wall:.3f} (bare {bare[0].cpu:.1f} s)")
        yield Row(CPU, mode, tool.name, cpu, detail=detail)
        yield Row(WALL, mode, tool.name, wall, detail=wall_detail)
