# SPDX-License-Identifier: Apache-2.0
"""Runs so many functions of straight lines, each once.

first_hits.py FUNCTIONS
"""

import sys

LINES = 100

body = "".join(f"    a = {i}\n" for i in range(LINES))
for number in range(int(sys.argv[1])):
    names: dict[str, object] = {"__name__": __name__, "__file__": __file__}
    text = "\n" * (number * (LINES + 1)) + f"def straight():\n{body}"
    exec(compile(text, __file__, "exec"), names)
    names["straight"]()  # type: ignore[operator]
