# SPDX-License-Identifier: Apache-2.0
"""A few of the kills of kills.py, which does hundreds."""

from __future__ import annotations

from pathlib import Path

import kills
from combine_support import Tools


def test_nothing_is_lost(tools: Tools, tmp_path: Path) -> None:
    kills.kill(tools, 12, 1, tmp_path)
