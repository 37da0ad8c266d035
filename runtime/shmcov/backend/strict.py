# SPDX-License-Identifier: Apache-2.0
"""`strict`: not all was recorded, and that is an error."""

from __future__ import annotations

import sys

from coverage.exceptions import CoverageException

from shmcov.backend.callers import pytest_cov

not_all: list[str] = []
"""Why not all of what pytest-cov was to measure is in its data, where that has to be an error."""


def fail(text: str) -> None:
    """The data is saved, and it is not all: that decides the exit status, unless something worse
    does. pytest-cov saves in the middle of pytest, where our plug-in has the last word."""
    if pytest_cov():
        not_all.append(text)
        return
    ending = sys.exc_info()[1]
    if ending is None or (isinstance(ending, SystemExit) and not ending.code):
        raise CoverageException(f"{text} (strict is set)")
