# SPDX-License-Identifier: Apache-2.0
"""Threads with little stack: what bare Python survives, a measured program survives as well."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import pytest
from coverage import CoverageData
from project_support import Project

# Runs the first code of many files at the bottom of a thread whose stack is nearly used up. Python
# looks after its own recursion; what goes through C takes stack, the same for each level.
MAIN = """
    import sys, threading

    size, depth = (int(arg) for arg in sys.argv[1:])
    files = 20
    ran = []

    def work():
        for number in range(files):
            scope = {"__name__": f"package.module{number}", "__file__": f"file{number}.py"}
            exec(codes[number], scope)
            ran.append(scope["value"](number))

    def nested(depth):
        if depth:
            list(map(nested, [depth - 1]))
        else:
            work()

    source = "def value(n):\\n  if n % 2:\\n    return [m for m in range(n) if m]\\n  return n"
    codes = [compile(source, f"file{number}.py", "exec") for number in range(files)]
    sys.setrecursionlimit(100_000)
    threading.stack_size(size)
    thread = threading.Thread(target=nested, args=(depth,))
    thread.start()
    thread.join()
    print("ran", len(ran))
"""

RC = """
    [run]
    branch = {branch}
    dynamic_context = {context}
    omit = */nothing/*, **/x?[a-f]*.py
"""

STACK = 64 * 1024
# 4 KB of ours (tests/runtime/test_stack.py), and what the interpreter and libc put around them.
ROOM = 6 * 1024


def deepest(project: Project, stack: int) -> int:
    """How many levels bare Python survives."""
    low, high = 0, 1000
    assert survives(project.python("main.py", stack, low))
    while high - low > 1:
        middle = (low + high) // 2
        if survives(project.python("main.py", stack, middle)):
            low = middle
        else:
            high = middle
    return low


def survives(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode == 0 and done.stdout == "ran 20\n"


@pytest.mark.parametrize(
    ("branch", "context"), [(False, ""), (True, ""), (False, "test_function")], ids=str
)
def test_first_code_of_files(project: Project, branch: bool, context: str) -> None:
    project.write("main.py", MAIN)
    project.write(".coveragerc", RC.format(branch=branch, context=context))
    bare = deepest(project, STACK)
    level = STACK / (deepest(project, 2 * STACK) - bare)
    done = project.shmcov("run", "main.py", STACK, bare - math.ceil(ROOM / level))
    assert survives(done), done
    data = CoverageData(str(project.folder / ".coverage"))
    data.read()
    measured = {Path(name).name for name in data.measured_files()}
    assert measured == {"main.py", *(f"file{number}.py" for number in range(20))}
