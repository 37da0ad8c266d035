# SPDX-License-Identifier: Apache-2.0
"""A few of the kills of combine_kills.py, which does hundreds."""

from __future__ import annotations

from pathlib import Path

import combine_kills
from combine_support import Tools


def test_nothing_is_lost(tools: Tools, tmp_path: Path) -> None:
    combine_kills.kill(tools, 12, 1, tmp_path)
