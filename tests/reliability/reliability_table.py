# SPDX-License-Identifier: Apache-2.0
"""All rows, in the order of docs/reliability.md."""

from __future__ import annotations

import rows_ends
import rows_kills
import rows_life
import rows_readers
import rows_scale
import rows_space
import rows_tools
from reliability_support import Row

ROWS: list[Row] = [
    *rows_kills.ROWS,
    *rows_ends.ROWS,
    *rows_space.ROWS,
    *rows_life.ROWS,
    *rows_tools.ROWS,
    *rows_scale.ROWS,
    *rows_readers.ROWS,
]
