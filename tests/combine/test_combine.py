# SPDX-License-Identifier: Apache-2.0
"""`shmcov combine` does what `coverage combine` does: output, status, files, data, reports."""

from __future__ import annotations

from pathlib import Path

import pytest
from cases import CASES
from combine_support import Tools


@pytest.mark.parametrize("name", CASES)
def test_same(tools: Tools, tmp_path: Path, name: str) -> None:
    theirs, ours = tools.both(CASES[name], tmp_path)
    assert ours.commands == theirs.commands
    assert ours.files == theirs.files
    assert ours.report == theirs.report
