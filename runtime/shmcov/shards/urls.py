# SPDX-License-Identifier: Apache-2.0
"""What the name of a data file says of where it is. A run needs this, and not what reads stores."""

from __future__ import annotations

import re

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?:::|://)")
"""Two characters at least before the colon: a single one is a drive."""


def is_url(text: str) -> bool:
    return URL.match(text) is not None
