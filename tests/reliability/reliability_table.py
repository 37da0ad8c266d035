# SPDX-License-Identifier: Apache-2.0
"""All rows, in the order of docs/reliability.md."""

from __future__ import annotations

import rows_ends
import rows_kills
from reliability_support import Row

ROWS: list[Row] = [*rows_kills.ROWS, *rows_ends.ROWS]
