# SPDX-License-Identifier: Apache-2.0
"""What doctor finds, as data: what is printed, whatever the format, is made of this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Value = list[str] | str | None
"""What an option of [run] is to be. None: it goes."""


class Kind(StrEnum):
    FACT = "fact"
    PROBLEM = "problem"
    """Measuring falls back to coverage.py's own core, does not begin, or processes are missed."""
    NOTE = "note"
    """Worth knowing, and perhaps wanted."""
    NOT_NEEDED = "not-needed"
    """There for coverage.py's own core. What becomes of it depends on the way in."""
    STAYS = "stays"
    """The same, but something still needs it."""


@dataclass(frozen=True)
class Finding:
    """One thing that doctor has to say."""

    kind: Kind
    name: str
    text: str
    run: str = ""
    """What to do about it under `shmcov run`."""
    plugin: str = ""
    """What to do about it with the plug-in: `coverage run`, pytest --cov, the API."""
    file: str = ""
    line: int = 0
    changes: Mapping[str, Value] = field(default_factory=dict)
    """What to write into [run] of the configuration."""


def fact(name: str, text: str) -> Finding:
    return Finding(Kind.FACT, name, text)


def problem(name: str, text: str) -> Finding:
    return Finding(Kind.PROBLEM, name, text)


def note(name: str, text: str) -> Finding:
    return Finding(Kind.NOTE, name, text)
