# SPDX-License-Identifier: Apache-2.0
"""What is said while a run goes on, and the warnings that are ours, by the slug with which
`[run] disable_warnings` turns them off. Nothing that this imports is compiled."""

from __future__ import annotations

import contextlib
import sys
import warnings
from typing import TextIO

import coverage
from coverage.exceptions import CoverageWarning

Warnings = list[tuple[str, str | None]]
"""Texts for `Coverage._warn`, each with its slug, by which `disable_warnings` silences it."""

PAGE = "https://github.com/shmcov/shmcov/tree/main/docs/messages.md"
"""Where each has a section of its name. Links begin with this; once the documentation has an
address, it is that of the page."""

WARNINGS = {
    "context-plugins": "Plug-ins of coverage.py for dynamic contexts are not run.",
    "no-proc": "Without /proc, processes that outlive the program can't be seen.",
    "nobody-attached": "No interpreter attached, so nothing was measured.",
    "not-attached": "Below the command, Python interpreters ran that did not attach.",
    "not-recorded": "Something ran and could not be recorded.",
    "own-core": "shmcov falls back, and coverage.py measures with its own core.",
    "plugin-files": "A file tracer plug-in couldn't find its files.",
    "segment-removed": "Somebody removed the segment while the run went on.",
    "segments-left": "Earlier runs in this folder ended without saving their data.",
    "still-running": "Processes go on after the end of the run.",
    "trace-function": "Breakpoints were asked for, and the trace function measured.",
}


def with_link(text: str, slug: str) -> str:
    """As coverage.py puts it."""
    return f"{text} ({slug}); see {PAGE}#{slug}"


def _warn(cov: coverage.Coverage, text: str, slug: str | None) -> None:
    """Warns as coverage.py does, which leaves out what `cov` disables."""
    if slug not in WARNINGS:
        cov._warn(text, slug=slug)
    elif slug not in cov.config.disable_warnings:
        cov._warn(with_link(text, slug))


def warn(cov: coverage.Coverage, texts: Warnings) -> None:
    """Warns as coverage.py does, but never at the cost of the data."""
    if not texts:
        return  # catch_warnings() makes the measured program repeat warnings
    with warnings.catch_warnings(module=warnings):  # sys.modules may be empty by now
        warnings.formatwarning = _format_warning
        for text, slug in texts:
            try:
                _warn(cov, text, slug)
            except CoverageWarning as warning:
                # -W error: only printed, because the data must still be written.
                say(f"CoverageWarning: {warning}", file=sys.stderr)


def _format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    # Without the line in the source that coverage.py's own warnings show: it helps nobody.
    return f"{category.__name__}: {message}\n"


def tell(cov: coverage.Coverage, text: str, slug: str) -> None:
    """Warns of what no filter for warnings may hide."""
    if slug not in cov.config.disable_warnings:
        complain(with_link(text, slug))


def complain(text: str) -> None:
    say(f"shmcov: {text}", file=sys.stderr)


def say(text: str, file: TextIO | None = None) -> None:
    """Prints while a run goes on, whose data must not be lost because nobody reads any more."""
    with contextlib.suppress(OSError):
        print(text, file=file, flush=True)
