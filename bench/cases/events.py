# SPDX-License-Identifier: Apache-2.0
"""Instructions of one LINE event in a dynamic context, with what re-arms it.

callgrind counts a program that calls a function of 100 straight lines once in each of 100 contexts,
and one that does so in each of 700; the difference is 60,000 events and 1,200 switches.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import callgrind
from harness import (
    BARE,
    LINES,
    PROGRAMS,
    SHMCOV,
    VERSION,
    Row,
    Settings,
    Tool,
    options,
    run_program,
    say,
)

TITLE = "Instructions of an event in a dynamic context"
TEXT = (
    "callgrind counts a function of 100 straight lines that is called once in each of 100 and in "
    "each of 700 contexts: *all* is what an event costs more than bare Python, with its part of "
    "the switches and of restoring its site, *ours* what of it is spent in `_shmcov` and in what "
    "that calls; the rest is CPython's dispatch."
)
FEW, MANY, LONG = 100, 700, 100


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    return None


def rows(settings: Settings) -> Iterator[Row]:
    if VERSION < (3, 12):
        return
    run_program(BARE, LINES, settings.folder, "words", "1")  # compiles the modules
    costs = {
        tool: [count(tool, contexts, settings.folder) for contexts in (FEW, MANY)]
        for tool in (BARE, SHMCOV)
    }
    events = (MANY - FEW) * LONG
    (bare, _), (total, ours) = (
        tuple((many - few) / events for few, many in zip(*counts, strict=True))
        for counts in (costs[BARE], costs[SHMCOV])
    )
    for what, value in (("all", total - bare), ("ours", ours)):
        say(f"  {what}: {value:.1f}")
        yield Row(what, LINES, SHMCOV.name, value, "instr")


def count(tool: Tool, contexts: int, folder: Path) -> tuple[int, int]:
    """The instructions of a run: all, and those of the extension with all that it calls."""
    rcfile = folder / "rc"
    rcfile.write_text(f"[run]\ndynamic_context = test_function\nsource = {PROGRAMS}\n")
    words = options(tool, LINES, str(PROGRAMS), folder, rcfile)
    program = [sys.executable, str(PROGRAMS / "line_events.py"), str(contexts)]
    counts, _ = callgrind.run(words, program, folder)
    return counts.total, counts.ours
