# SPDX-License-Identifier: Apache-2.0
"""scale.py WHAT SIZE FOLDER: so many processes, files, contexts or lines; cases/scale.py.

The first run leaves the modules in the folder, so that no later one writes them.
"""

import os
import sys
from pathlib import Path

BODY = "def f(n):\n    if n:\n        return 1\n    return 0\nf(1)\n"

CONTEXTS = """
def body(n):
    return n + 1 if n % 2 else n - 1

def test(n):
    return body(n)

for number in range(SIZE):
    name = f"test_{number}"
    test.__code__ = test.__code__.replace(co_name=name, co_qualname=name)
    test(number)
"""


def processes(size, folder):
    for first in range(0, size, 10):
        pids = []
        for number in range(first, min(first + 10, size)):
            pid = os.fork()
            if pid == 0:
                module(folder, f"own{number}", BODY)
                os._exit(0)
            pids.append(pid)
        for pid in pids:
            os.waitpid(pid, 0)


def files(size, folder):
    for number in range(size):
        module(folder, f"file{number}", BODY)


def contexts(size, folder):
    module(folder, "contexts", f"SIZE = {size}\n{CONTEXTS}")


def lines(size, folder):
    module(folder, "long", "x = 1\n" * size)


def high(size, folder):
    module(folder, "high", "\n" * (1 << 20) + "x = 1\n" * size)


def module(folder, name, text):
    path = Path(folder, f"{name}.py")
    if not path.exists():
        path.write_text(text)
    exec(compile(text, str(path), "exec"), {"__name__": name, "__file__": str(path)})


if __name__ == "__main__":
    what, size, folder = sys.argv[1:]
    Path(folder).mkdir(exist_ok=True)
    {
        "processes": processes,
        "files": files,
        "contexts": contexts,
        "lines of one module": lines,
        "lines above 2^20": high,
    }[what](int(size), folder)
