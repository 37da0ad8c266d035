# SPDX-License-Identifier: Apache-2.0
"""Breakpoints are there on 3.11 alone."""

from __future__ import annotations

import sys

collect_ignore_glob = ["test_*.py"] if sys.version_info >= (3, 12) else []
