# SPDX-License-Identifier: Apache-2.0
"""Runs straight lines in one context after the other, too few times for their events to go quiet.

line_events.py STAYS CALLS
"""

import sys

LINES = 100
STAYS, CALLS = map(int, sys.argv[1:])

body = "".join(f"    a = {i}\n" for i in range(LINES))
source = (
    f"def straight():\n{body}\ndef test_stay():\n    for _ in range({CALLS}):\n        straight()\n"
)
exec(compile(source, __file__, "exec"))

for _ in range(STAYS):
    test_stay()  # type: ignore[name-defined]  # noqa: F821
