# SPDX-License-Identifier: Apache-2.0
"""Runs a unit of work as often as the command line says, and prints how long the program took.

Each program imports it first, and the time starts there: so what a tool does before the program's
first line does not count, and all that it does while the program runs does.
"""

import json
import os
import sys
import time
from collections.abc import Callable

CPU = time.process_time()
WALL = time.perf_counter()


def run(unit: Callable[[], object]) -> None:
    units = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    results = test_program(unit, units)
    cpu, wall = time.process_time() - CPU, time.perf_counter() - WALL
    assert len(results) == 1, results
    text = json.dumps({"cpu": cpu, "wall": wall, "result": results.pop()})
    if "BENCH_TIMES" in os.environ:
        with open(os.environ["BENCH_TIMES"], "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text + "\n")
    else:
        print(text)


def test_program(unit: Callable[[], object], units: int) -> set[str]:
    """All of the work; one context if contexts are named after test functions."""
    return {repr(unit()) for _ in range(units)}
