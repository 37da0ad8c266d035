# SPDX-License-Identifier: Apache-2.0
"""Which coverage.py shmcov works with. Nothing here needs the insides of one."""

from __future__ import annotations

import coverage

OLDEST = (7, 10, 3)
"""The first whose children get the configuration of their parent, which falling back needs. The
dependency in pyproject.toml says the same."""


def too_old() -> str | None:
    """What to tell, if the installed coverage.py is too old."""
    if coverage.version_info[:3] >= OLDEST:
        return None
    oldest = ".".join(map(str, OLDEST))
    return (
        f"coverage.py {coverage.__version__} is too old: shmcov needs {oldest} or newer. "
        "pip install --upgrade coverage"
    )
