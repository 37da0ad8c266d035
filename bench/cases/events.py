# SPDX-License-Identifier: Apache-2.0
"""Instructions of one LINE event in a dynamic context, with what re-arms it.

callgrind counts a program that calls a function of 100 straight lines once in each of 100 contexts,
and one that does so in each of 700; the difference is 60,000 events and 1,200 switches.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from harness import (
    BARE,
    HERE,
    LINES,
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
)

TITLE = "Instructions of an event in a dynamic context"
TEXT = (
    "callgrind counts a function of 100 straight lines that is called once in each of 100 and in "
    "each of 700 contexts: *all* is what an event costs more than bare Python, with its part of "
    "the switches and of restoring its site, *ours* what of it is spent in `_shmcov` and in what "
    "that calls; the rest is CPython's dispatch."
)
FEW, MANY, LONG = 100, 700, 100
EXTENSION = "/_shmcov."


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
    out = folder / "callgrind.out"
    out.unlink(missing_ok=True)
    options = tool.options(LINES, str(PROGRAMS), folder, rcfile)
    launch = [sys.executable, *options, str(HERE / "launch.py")] if tool is SHMCOV else []
    valgrind = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]
    program = [sys.executable, str(PROGRAMS / "line_events.py"), str(contexts)]
    execute([*launch, *valgrind, *program], environment(), folder, folder / "log")
    return read(out)


def read(out: Path, extension: str = EXTENSION, calls: bool = True) -> tuple[int, int]:
    """All instructions, and those in the file named so with or without what it calls.

    `ob` and `cob` name, once, the file of a function and of one that it calls. The line after
    `calls` has what the whole call took; the others have a line's own instructions."""
    names: dict[str, str] = {}
    inside = called_inside = is_call = False
    ours = total = 0
    for line in out.read_text().splitlines():
        key, _, value = line.partition("=")
        if key in ("ob", "cob"):
            number, _, name = value.partition(" ")
            names.setdefault(number, name)
            found = extension in names[number]
            if key == "ob":
                inside = found
            else:
                called_inside = found
        elif key == "fn":
            called_inside = inside
        elif key == "calls":
            is_call = True
        elif line[:1] in tuple("+-*0123456789"):
            cost = int(line.split()[1])
            if inside and not (is_call and (called_inside or not calls)):
                ours += cost
            if is_call:
                called_inside = inside
            is_call = False
        elif key.startswith(("totals: ", "summary: ")):
            total = int(line.split()[1])
    return total, ours
