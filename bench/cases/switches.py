# SPDX-License-Identifier: Apache-2.0
"""Memory of a process that switches its context a million times, as a long-lived suite may."""

import sys
from collections.abc import Iterator

from harness import (
    MODES,
    PROGRAMS,
    SHMCOV,
    VERSION,
    Row,
    Settings,
    environment,
    execute,
    options,
    say,
)

TITLE = "Memory of a million switches of context"
TEXT = (
    "A process switches a million times among a thousand contexts and runs three lines in each. "
    "*process* is what its private memory grew by after the first hundred thousand, *segment* what "
    "the segment grew by for each switch since then."
)
SWITCHES = 1_000_000


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    return 256.0 if program == "process" else None


def rows(settings: Settings) -> Iterator[Row]:
    if VERSION < (3, 12):
        return
    for mode in MODES:
        early, late = measure(mode, settings)
        process, segment = (after - before for before, after in zip(early, late, strict=True))
        for what, value, unit in (
            ("process", process / 1024, "KiB"),
            ("segment", segment / (SWITCHES - SWITCHES // 10), "bytes"),
        ):
            say(f"  {mode} {what}: {value:.1f} {unit}")
            yield Row(what, mode, SHMCOV.name, value, unit)


def measure(mode: str, settings: Settings) -> list[tuple[int, int]]:
    """(private memory, segment) after a tenth of the switches and after all."""
    results = settings.folder / "memory"
    words = options(SHMCOV, mode, str(PROGRAMS), settings.folder, None)
    program = [str(PROGRAMS / "many_switches.py"), str(SWITCHES), str(results)]
    execute(
        [sys.executable, *words, "--shm-contexts", *program],
        environment(),
        settings.folder,
        settings.folder / "log",
    )
    lines = results.read_text().splitlines()
    return [(int(private), int(segment)) for private, segment in (line.split() for line in lines)]
