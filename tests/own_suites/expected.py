# SPDX-License-Identifier: Apache-2.0
"""The tests of coverage.py and pytest-cov that cannot hold for shmcov, and why.

A pattern is a node id in which `*` stands for anything. A test that is listed and passes is an
error as well, so that the list says no more than it must; `sometimes` is for tests whose outcome
depends on timing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """Tests that fail for one reason, since a version of coverage.py and of Python."""

    reason: str
    patterns: tuple[str, ...]
    since: tuple[int, ...] = (7, 10)
    python: tuple[int, int] = (3, 11)
    sometimes: bool = False

    def matches(self, test: str) -> bool:
        return any(
            re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), test, re.DOTALL)
            for pattern in self.patterns
        )


EXPECTED: dict[str, tuple[Expected, ...]] = {
    "coverage": (),
    "pytest-cov": (),
}
