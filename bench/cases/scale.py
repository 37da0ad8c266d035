# SPDX-License-Identifier: Apache-2.0
"""Does what a run costs grow with what it holds, and no faster?

Each size is measured bare and under each tool; what the tool adds, for each item, is shown relative
to the smallest size. A plot of it is drawn where matplotlib is installed. That nothing is lost at
such sizes is shown by the rows `scale-...` of docs/reliability.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from harness import (
    BARE,
    CTRACE,
    HERE,
    LINES,
    PYTHON,
    SHMCOV,
    Row,
    Settings,
    Tool,
    environment,
    execute,
    say,
)

TITLE = "Scale"
TEXT = (
    "CPU time that a tool adds to a run, merge included, for each process, file, context or line, "
    "relative to the same at the smallest size: 1 is linear, less is better than linear."
)
STEPS = (1, 2, 4, 8)
# The smallest size; CPU time of less than some tenths of a second says nothing.
SMALLEST = {
    "processes": 100,
    "files": 1000,
    "contexts": 5000,
    "lines of one module": 50_000,
    "lines above 2^20": 12_500,
}
PROGRAM = "scale.py"


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    return 1.3


def rows(settings: Settings) -> Iterator[Row]:
    added: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for what, smallest in SMALLEST.items():
        if not settings.wants(what):
            continue
        for step in STEPS:
            size = smallest * step
            bare = cost(BARE, what, size, settings.folder)
            for tool in (SHMCOV, CTRACE):
                if tool is CTRACE and step > 2:
                    continue
                more = cost(tool, what, size, settings.folder) - bare
                points = added.setdefault((what, tool.name), [])
                points.append((size, more))
                one = points[0][1] / points[0][0]
                value = more / size / one
                say(f"  {size} {what} {tool.name}: {more:.2f} s more, {value:.2f}")
                if step > 1:
                    detail: dict[str, object] = {"bare": bare, "added": more}
                    yield Row(f"{size:,} {what}", LINES, tool.name, value, detail=detail)
    plot(added)


def cost(tool: Tool, what: str, size: int, folder: Path) -> float:
    """CPU seconds of a whole run; the best of three."""
    options = tool.options(LINES, str(folder), folder, None)
    if what == "contexts" and tool is not BARE:
        rc = folder / "rc"
        rc.write_text("[run]\ndynamic_context = test_function\n")
        options.append(f"--rcfile={rc}")
    program = str(HERE / "programs" / PROGRAM)
    command = [sys.executable, *options, program, what, str(size), str(folder / "made")]
    env = environment(tool.environment())
    return min(execute(command, env, folder, folder / "log").cpu for _ in range(3))


def plot(added: dict[tuple[str, str], list[tuple[int, float]]]) -> None:
    try:
        import matplotlib

        matplotlib.use("svg")
        from matplotlib import pyplot
    except ImportError:
        say("  no plot: matplotlib is not installed")
        return
    names = list(dict.fromkeys(what for what, _ in added))
    if not names:
        return
    figure, axes = pyplot.subplots(1, len(names), figsize=(4 * len(names), 3.2), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        for (what, tool), points in added.items():
            if what == name:
                axis.plot(*zip(*points, strict=True), marker="o", label=tool)
        axis.set(title=name, xlabel="size", ylabel="CPU seconds added", xlim=(0, None))
        axis.set_ylim(0, None)
        axis.legend()
    figure.suptitle(f"What a run costs, Python {PYTHON}")
    figure.tight_layout()
    figure.savefig(HERE / "results" / f"scale-{PYTHON}.svg", metadata={"Date": None})
