# SPDX-License-Identifier: Apache-2.0
"""`strict`: it is an error if not all was recorded."""

from __future__ import annotations

import sys

from coverage.exceptions import CoverageException

from shmcov.backend.callers import pytest_cov

not_all: list[str] = []
"""What pytest-cov's data lacks, and why; strict is set."""


def fail(text: str) -> None:
    """Makes the process fail, unless it does already. The data is saved. Under pytest-cov, which
    saves in the middle of pytest, our pytest plug-in decides the exit status."""
    if pytest_cov():
        not_all.append(text)
        return
    ending = sys.exc_info()[1]
    if ending is None or (isinstance(ending, SystemExit) and not ending.code):
        raise CoverageException(f"{text} (strict is set)")
