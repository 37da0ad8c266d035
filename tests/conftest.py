# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from project_support import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty folder to run shmcov in."""
    folder = tmp_path / "project"
    folder.mkdir()
    made = Project(folder)
    yield made
    made.end()
