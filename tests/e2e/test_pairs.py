# SPDX-License-Identifier: Apache-2.0
"""3.12 joins pairs of instructions when it makes a code object, and takes them apart when a tool
listens to that code. What has run under shmcov has them again."""

from __future__ import annotations

import subprocess
import sys

import pytest
from project_support import Project

pytestmark = pytest.mark.skipif(sys.version_info[:2] != (3, 12), reason="no other version does so")

# There is a loop inside a line: such code has an event on each of its instructions. All of it runs.
PROG = """
import dis

def f(a, b):
    c = [a, b]
    n = 0
    for x in c: y = x; n = n + y
    e, g = a, b
    return c, e, g, n

def pairs():
    return [
        (one.offset, one.opname)
        for one in dis.get_instructions(f, adaptive=True)
        if "__" in one.opname
    ]

print(len(pairs()) > 3, f(1, 2), f(2, 3))
print(pairs())
"""


@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branch"])
def test_code_that_has_run_has_its_pairs_again(project: Project, branch: bool) -> None:
    program = project.write("prog.py", PROG)
    bare = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=True
    )
    done = project.shmcov("run", *["--branch"] * branch, "--source=.", "prog.py")
    assert done.returncode == 0, done.stderr
    assert bare.stdout.startswith("True ")
    assert done.stdout == bare.stdout


def test_another_tool_hears_of_both_of_a_pair(project: Project) -> None:
    more = """
import sys
mon = sys.monitoring
mon.use_tool_id(2, "other")
heard = []
mon.register_callback(2, mon.events.INSTRUCTION, lambda code, offset: heard.append(offset))
mon.set_local_events(2, f.__code__, mon.events.INSTRUCTION)
print(pairs(), f(3, 4), len(heard))
"""
    program = project.write("prog.py", PROG + more)
    bare = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=True
    )
    done = project.shmcov("run", "--source=.", "prog.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == bare.stdout
    assert bare.stdout.splitlines()[-1].startswith("[] ")
