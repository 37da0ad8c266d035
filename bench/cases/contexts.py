# SPDX-License-Identifier: Apache-2.0
"""Contexts: who tests what, `dynamic_context = test_function`."""

import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import callgrind
from django_source import APPS, command, configured, run_tests
from harness import (
    BARE,
    CPU_BOUND,
    CTRACE,
    LINES,
    MODES,
    SHMCOV,
    Row,
    Settings,
    Tool,
    interleave,
    ratio,
    run_program,
    say,
    tools,
    units_for,
)

from cases.steady import OURS, PARTS

TITLE = "With a context for each test"
TEXT = (
    "CPU time of bare Python's. *Django*: one process, "
    f"`runtests.py --parallel=1 {' '.join(APPS)}`, the whole command. *One context*: the "
    "CPU-bound programs, each in one test function. *5,000 tests*: each calls 20 functions of "
    "four lines, below 40 frames of measured functions; given is what a test costs more, with "
    "both of its switches and all arming."
)
DJANGO = "Django"
ONE = "one context: "
COUNTED = "counted"
COUNTED_APP = "forms_tests"
INSTRUCTIONS = f"Django's {COUNTED_APP}, instructions"
ALL_IN_ONE = f"{ONE}**median**"
TINY = "5,000 tests, each"
TESTS, A_FILE, HELPERS, DEPTH = 5000, 100, 20, 40


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    if python < (3, 12):
        return None
    if program == TINY:
        return 30.0
    if program == DJANGO:
        return 1.10 if mode == LINES else 1.15
    return 1.05


def rows(settings: Settings) -> Iterator[Row]:
    for name, measure in (("tiny", tiny), ("one", one_context), ("django", django)):
        if settings.wants(name):
            yield from measure(settings)
    if COUNTED in settings.only and shutil.which("valgrind"):
        yield from counted(settings)


def variants() -> list[tuple[Tool, str]]:
    return [(BARE, LINES)] + [
        (tool, mode) for mode in MODES for tool in (SHMCOV, CTRACE) if tool in tools(mode)
    ]


def configuration(settings: Settings, source: Path) -> Path:
    path = settings.folder / "rc"
    path.write_text(f"[run]\ndynamic_context = test_function\nsource = {source}\n")
    return path


def tiny(settings: Settings) -> Iterator[Row]:
    program = write_tests(settings.folder)
    rcfile = configuration(settings, program.parent)
    run_program(BARE, LINES, settings.folder, str(program))
    costs = interleave(
        settings.rounds,
        variants(),
        lambda v: run_program(v[0], v[1], settings.folder, str(program), rcfile=rcfile),
    )
    bare = [run["cpu"] for run in costs[BARE, LINES]]
    for (tool, mode), runs in costs.items():
        if tool is BARE:
            continue
        more = [(run["cpu"] - b) * 1e6 / TESTS for run, b in zip(runs, bare, strict=True)]
        value = statistics.median(more)
        say(f"  tests {mode} {tool.name}: {value:.1f} µs (bare {bare[0] * 1e6 / TESTS:.1f})")
        yield Row(TINY, mode, tool.name, value, "µs")


def write_tests(folder: Path) -> Path:
    place = folder / "tiny"
    place.mkdir(exist_ok=True)
    clock = Path(__file__).parent.parent / "programs" / "clock.py"
    (place / "clock.py").write_text(clock.read_text().replace("test_program", "all_units"))
    text = []
    for i in range(HELPERS):
        text.append(
            f"def helper_{i}(n):\n    a = n + {i}\n    if a > 1000:\n        a = 0\n    return a\n"
        )
    (place / "helpers.py").write_text("\n\n".join(text))
    calls = "\n".join(f"    n = helper_{i}(n)" for i in range(HELPERS))
    for number, first in enumerate(range(0, TESTS, A_FILE)):
        names = [f"test_{i}" for i in range(first, first + A_FILE)]
        text = ["from helpers import *\n"]
        text += [f"def {name}():\n    n = 1\n{calls}\n    assert n > 0\n" for name in names]
        text.append(f"TESTS = [{', '.join(names)}]\n")
        (place / f"cases_{number}.py").write_text("\n\n".join(text))
    text = ["import clock\nfrom importlib import import_module\n"]
    text.append("TESTS = []")
    text.append(f"for number in range({TESTS // A_FILE}):")
    text.append("    TESTS += import_module(f'cases_{number}').TESTS\n")
    text.append("def frame_0():\n    for case in TESTS:\n        case()\n    return 1\n")
    for i in range(1, DEPTH):
        text.append(f"def frame_{i}():\n    result = frame_{i - 1}()\n    return result\n")
    text.append(f"clock.run(frame_{DEPTH - 1})\n")
    program = place / "suite.py"
    program.write_text("\n\n".join(text))
    return program


def one_context(settings: Settings) -> Iterator[Row]:
    rcfile = configuration(settings, Path(__file__).parent.parent / "programs")
    ratios: dict[tuple[Tool, str], list[float]] = {}
    for program in CPU_BOUND:
        units = str(units_for(program, settings.seconds, settings.folder))
        costs = interleave(
            settings.rounds,
            [variant for variant in variants() if variant[0] is not CTRACE],
            lambda v, p=program, u=units: run_program(  # type: ignore[misc]
                v[0], v[1], settings.folder, p, u, rcfile=rcfile
            ),
        )
        bare = [run["cpu"] for run in costs[BARE, LINES]]
        for (tool, mode), runs in costs.items():
            if tool is BARE:
                continue
            value, detail = ratio([run["cpu"] for run in runs], bare)
            say(f"  one context {program} {mode} {tool.name}: {value:.3f}")
            ratios.setdefault((tool, mode), []).append(value)
            yield Row(ONE + program, mode, tool.name, value, detail=detail)
    for (tool, mode), values in ratios.items():
        yield Row(ALL_IN_ONE, mode, tool.name, statistics.median(values))


def django(settings: Settings) -> Iterator[Row]:
    run_tests(BARE, LINES, settings.folder, 1, contexts=True)
    rounds = max(1, settings.rounds // 2)
    costs = interleave(
        rounds,
        variants(),
        lambda v: run_tests(v[0], v[1], settings.folder, 1, contexts=True),
    )
    bare = [cost.cpu for cost in costs[BARE, LINES]]
    for (tool, mode), runs in costs.items():
        if tool is BARE:
            continue
        value, detail = ratio([run.cpu for run in runs], bare)
        say(f"  Django {mode} {tool.name}: {value:.3f} {detail} (bare {bare[0]:.1f} s)")
        yield Row(DJANGO, mode, tool.name, value, detail=detail)


def counted(settings: Settings) -> Iterator[Row]:
    """Instructions of the tests of one app, without the supervisor: where the rest goes. Takes some
    minutes, so it has to be asked for."""
    bare = count_django(BARE, LINES, settings.folder)
    for mode in MODES:
        counts = count_django(SHMCOV, mode, settings.folder)
        parts = {part: counts.of(name) - bare.of(name) for part, name in PARTS.items()}
        parts[OURS] = counts.inside
        shares = {part: round(more / bare.total, 4) for part, more in parts.items()}
        value = counts.total / bare.total
        where = ", ".join(f"{part} {share:+.4f}" for part, share in shares.items())
        say(f"  {INSTRUCTIONS} {mode}: {value:.4f} of {bare.total / 1e9:.1f} G ({where})")
        detail: dict[str, object] = {"bare": bare.total, "more": shares}
        yield Row(INSTRUCTIONS, mode, SHMCOV.name, value, detail=detail)


def count_django(tool: Tool, mode: str, folder: Path) -> callgrind.Counts:
    words, more = configured(tool, mode, folder, contexts=True)
    program = [sys.executable, *command(1, [COUNTED_APP])]
    place = Path(more["PYTHONPATH"]) / "tests"
    return callgrind.run(words, program, folder, cwd=place, **more)[0]
