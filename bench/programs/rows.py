# SPDX-License-Identifier: Apache-2.0
"""Makes a row of the data file for each of so many contexts in each of FILES files.

rows.py CONTEXTS FOLDER
"""

import sys
from pathlib import Path

FILES = 50

functions = []
for number in range(FILES):
    path = Path(sys.argv[2]) / f"rows_{number}.py"
    text = "def run():\n    a = 1\n    return a\n"
    path.write_text(text)
    names: dict[str, object] = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(text, path, "exec"), names)
    functions.append(names["run"])

tests: dict[str, object] = {"functions": functions, "__name__": "tests", "__file__": __file__}
for number in range(int(sys.argv[1])):
    text = f"def test_{number}():\n    for one in functions:\n        one()\n"
    exec(compile(text, __file__, "exec"), tests)
    tests[f"test_{number}"]()  # type: ignore[operator]
