# SPDX-License-Identifier: Apache-2.0
"""What commands write for people, and whether somebody reads it."""

from __future__ import annotations

import os
import sys


def drop_unread() -> None:
    """Where nobody reads any more, throws away what is not yet written. Else Python would complain
    of it at the end, and change the exit status."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
