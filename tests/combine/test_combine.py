# SPDX-License-Identifier: Apache-2.0
"""`shmcov combine` does what `coverage combine` does: output, status, files, data, reports."""

from __future__ import annotations

from pathlib import Path

import pytest
from combine_cases import CASES, LEFT_OTHERWISE, SAID_OTHERWISE
from combine_support import Tools


@pytest.mark.parametrize("name", CASES)
def test_same(tools: Tools, tmp_path: Path, name: str) -> None:
    tools.compare(
        CASES[name],
        tmp_path,
        output=name not in SAID_OTHERWISE,
        files=name not in LEFT_OTHERWISE,
    )
