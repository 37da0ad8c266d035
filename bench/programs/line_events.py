# SPDX-License-Identifier: Apache-2.0
"""Runs straight lines once in each of so many contexts.

line_events.py CONTEXTS
"""

import sys

LINES = 100

body = "".join(f"    a = {i}\n" for i in range(LINES))
exec(compile(f"def test_straight():\n{body}", __file__, "exec"))

for _ in range(int(sys.argv[1])):
    test_straight()  # type: ignore[name-defined]  # noqa: F821
