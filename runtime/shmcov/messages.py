# SPDX-License-Identifier: Apache-2.0
"""The warnings that are ours, by the slug with which `[run] disable_warnings` turns them off."""

from __future__ import annotations

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
}


def with_link(text: str, slug: str) -> str:
    """As coverage.py puts it."""
    return f"{text} ({slug}); see {PAGE}#{slug}"
