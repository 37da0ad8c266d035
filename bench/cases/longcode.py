# SPDX-License-Identifier: Apache-2.0
"""A module of 8,000 lines without a loop: how much longer its import takes. Before 3.14, LINE
events take time quadratic in the length."""

import statistics
from collections.abc import Iterator
from pathlib import Path

from harness import BARE, LINES, MODES, Row, Settings, interleave, run_program, say, tools

TITLE = "Long code: importing a module of 8,000 straight lines"
TEXT = "How much longer the import takes than under bare Python, CPU time, milliseconds."
LENGTH = 8000


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    return 10.0


def rows(settings: Settings) -> Iterator[Row]:
    program = str(write(settings.folder))
    variants = [(BARE, LINES)]
    variants += [(tool, mode) for mode in MODES for tool in tools(mode, without=[BARE])]
    # The first run compiles the module, so that no measured run does.
    run_program(BARE, LINES, settings.folder, program)
    costs = interleave(
        settings.rounds, variants, lambda v: run_program(v[0], v[1], settings.folder, program)
    )
    bare = [run["cpu"] for run in costs[BARE, LINES]]
    for (tool, mode), runs in costs.items():
        if tool is BARE:
            continue
        more = [(run["cpu"] - b) * 1e3 for run, b in zip(runs, bare, strict=True)]
        value = statistics.median(more)
        say(f"  {mode} {tool.name}: {value:+.2f} ms (bare {statistics.median(bare) * 1e3:.2f})")
        yield Row(f"{LENGTH} lines", mode, tool.name, value, "ms")


def write(folder: Path) -> Path:
    lines = ["x0 = 1"] + [f"x{i % 50} = x{(i - 1) % 50} + {i % 7}" for i in range(1, LENGTH)]
    (folder / "long_module.py").write_text("\n".join(lines) + "\n")
    clock = Path(__file__).parent.parent / "programs" / "clock.py"
    (folder / "clock.py").write_text(clock.read_text())
    program = folder / "long_code.py"
    program.write_text(
        "import clock\n\n\ndef unit():\n    import long_module\n\n    return long_module.x1\n\n\n"
        "clock.run(unit)\n"
    )
    return program
