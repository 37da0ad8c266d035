# SPDX-License-Identifier: Apache-2.0
"""Do the costs of a run grow no faster than its size?

Each size is measured bare and under each tool in turn; what the tool adds, per item, is shown
relative to the smallest size, also as a plot if matplotlib is installed. The rows `scale-...` of
docs/reliability.md show that nothing is lost at such sizes.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import (
    BARE,
    CTRACE,
    HERE,
    LINES,
    SHMCOV,
    Row,
    Settings,
    Tool,
    core,
    environment,
    execute,
    options,
    say,
)

TITLE = "Scale"
TEXT = (
    "CPU time that a tool adds to a run, merge included, for each process, file, context or line, "
    "relative to the same at the smallest size: 1 is linear, less is better than linear."
)
STEPS = (1, 2, 4, 8)
STEPS_OF_CTRACE = 2
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
    for what, smallest in SMALLEST.items():
        if not settings.wants(what):
            continue
        one: dict[str, float] = {}
        for step in STEPS:
            size = smallest * step
            # ctrace keeps nothing of processes that end by os._exit, so they cost it nothing.
            compared = step <= STEPS_OF_CTRACE and what != "processes"
            tools = [SHMCOV, CTRACE] if compared else [SHMCOV]
            for name, added in costs(tools, what, size, settings).items():
                more = statistics.median(added)
                value = more / size / one.setdefault(name, more / size)
                say(f"  {size} {what} {name}: {more:.2f} s more, {value:.2f}")
                detail: dict[str, object] = {"what": what, "size": size, "added": added}
                yield Row(f"{size:,} {what}", LINES, name, value, detail=detail)


def costs(tools: list[Tool], what: str, size: int, settings: Settings) -> dict[str, list[float]]:
    """CPU seconds that each tool adds to a whole run, one figure a round."""
    cpu(BARE, what, size, settings.folder)  # makes the modules
    added: dict[str, list[float]] = {tool.name: [] for tool in tools}
    for _ in range(settings.rounds):
        bare = cpu(BARE, what, size, settings.folder)
        for tool in tools:
            added[tool.name].append(cpu(tool, what, size, settings.folder) - bare)
    return added


def cpu(tool: Tool, what: str, size: int, folder: Path) -> float:
    words = options(tool, LINES, str(folder), folder, None)
    if what == "contexts" and tool is not BARE:
        rc = folder / "rc"
        rc.write_text("[run]\ndynamic_context = test_function\n")
        words.append(f"--rcfile={rc}")
    made = folder / f"{what} {size}".replace(" ", "-")
    command = [sys.executable, *words, str(HERE / "programs" / PROGRAM), what, str(size)]
    env = environment(core(tool))
    return execute([*command, str(made)], env, folder, folder / "log").cpu


def plot(result: dict[str, Any]) -> None:
    """Draws the results of one version."""
    try:
        import matplotlib

        matplotlib.use("svg")
        from matplotlib import pyplot
    except ImportError:
        return
    figure, axes = pyplot.subplots(1, len(SMALLEST), figsize=(4 * len(SMALLEST), 3.2))
    for axis, what in zip(axes, SMALLEST, strict=True):
        for tool in (SHMCOV, CTRACE):
            details = [
                row["detail"]
                for row in result["rows"]
                if (row["tool"], row["detail"]["what"]) == (tool.name, what)
            ]
            points = sorted((one["size"], statistics.median(one["added"])) for one in details)
            if points:
                axis.plot(*zip(*points, strict=True), marker="o", label=tool.name)
        axis.set(title=what, xlabel="size", ylabel="CPU seconds added", xlim=(0, None))
        axis.set_ylim(0, None)
        axis.legend()
    version = ".".join(result["python"].split(".")[:2])
    figure.suptitle(f"What a run costs, Python {version}")
    figure.tight_layout()
    figure.savefig(HERE / "results" / f"scale-{version}.svg", metadata={"Date": None})
