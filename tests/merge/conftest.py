# SPDX-License-Identifier: Apache-2.0
"""Where the tests of merge/ find their helpers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
