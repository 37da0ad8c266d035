# SPDX-License-Identifier: Apache-2.0
"""How much stack a callback takes, all frames together, as the compiler says.

The program decides how much stack its threads have; 32 KiB is what Python lets it ask for. The
compiler itself refuses a large frame (small_frames() in CMakeLists.txt), but not the sum of small
ones, and what it inlines only shows in the build that users get. So that build is repeated here,
with the call graph that GCC writes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BAR = 4096
RETURN_ADDRESS = 8

# What runs when a segment is made, entered or delivered, and not in a callback. Whoever calls one
# of these has to be named here as well, or is found too deep.
NOT_IN_CALLBACKS = {
    *["create", "create_in", "try_folder", "given_folder", "choose_folder", "probe"],
    *["seg_headroom", "read_field"],
    *["module_exec", "module_start", "module_attach", "mon_start", "settrace_start"],
    *["process_attach", "process_enter", "rt_process_attach", "rt_process_enter"],
    *["find_segment", "seg_adopt", "seg_attach"],
    # What Python calls at the end of a run: ending.c.
    *["settle", "sweep", "delivered", "seg_sweep", "seg_users_settle", "seg_delivery_read"],
    *["look_at_rows", "seg_users_look", "sweep_one", "seg_owner_life", "is_old_and_foreign"],
}
# Makes the twin of a code object, and those of the code in it: it goes down as deep as functions
# stand in each other, when code is about to run for the first time.
NESTED = {
    *["rt_twin_of", "twin_make", "twin_new", "twin_constants", "rt_twin_probe"],
    *["rt_reach_twin", "rt_reach_constants", "instead_of", "draft_make"],
}
# What the pointers lead to that the extension calls in a callback; the deepest stands for all.
BEHIND_POINTERS = {"rt_sys_path_entry", "mon_switched", "settrace_switched"}

INDIRECT = "__indirect_call"  # GCC's name

NODE = re.compile(r'node: { title: "([^"]*)" label: "([^"\\]*)(?:[^"]*\\n(\d+) bytes)?')
EDGE = re.compile(r'edge: { sourcename: "([^"]*)" targetname: "([^"]*)"')


class Graph:
    def __init__(self, files: Iterable[Path]) -> None:
        self.frame: dict[str, int] = {}
        self.name: dict[str, str] = {}
        self.calls: defaultdict[str, set[str]] = defaultdict(set)
        for file in files:
            for line in file.read_text().splitlines():
                if node := NODE.match(line):
                    self.name[node[1]] = node[2]
                    if node[3]:
                        self.frame[node[1]] = int(node[3]) + RETURN_ADDRESS
                elif edge := EDGE.match(line):
                    self.calls[edge[1]].add(edge[2])

    def deepest(self, function: str, above: tuple[str, ...] = ()) -> tuple[int, list[str]]:
        """The bytes and the names of the path below a function that takes the most."""
        if function in above:
            if self.name.get(function, function).split(".")[0] in NESTED:
                return 0, []
            raise AssertionError(f"recursion has no depth: {[*above, function]}")
        called = set(self.calls[function])
        if function == INDIRECT:
            called = {one for one in self.frame if self.name[one] in BEHIND_POINTERS}
        elif INDIRECT in above:
            called.discard(INDIRECT)
        below = [self.deepest(one, (*above, function)) for one in called]
        depth, path = max(below, default=(0, []))
        return self.frame.get(function, 0) + depth, [self.name.get(function, function), *path]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    compiler = shutil.which("gcc")
    if not (compiler and shutil.which("cmake") and shutil.which("ninja")):
        pytest.skip("needs gcc, cmake and ninja")
    build = tmp_path_factory.mktemp("build")
    configure = [
        *["cmake", "-S", str(ROOT), "-B", str(build), "-G", "Ninja"],
        *["-DCMAKE_BUILD_TYPE=Release", "-DSHMCOV_TESTS=OFF", f"-DCMAKE_C_COMPILER={compiler}"],
        *["-DCMAKE_C_FLAGS=-fcallgraph-info=su", f"-DPython_EXECUTABLE={sys.executable}"],
    ]
    for command in (configure, ["cmake", "--build", str(build), "--target", "_shmcov"]):
        subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=500)
    # With LTO what the linker made of all files together; without, one for each file.
    linked = list(build.glob("runtime/*.ltrans*.ci"))
    return Graph(linked or [*build.glob("runtime/**/*.ci"), *build.glob("shm/**/*.ci")])


def test_callbacks_take_little_stack(graph: Graph) -> None:
    deep = []
    seen = set()
    for function in graph.frame:
        depth, path = graph.deepest(function)
        name = path[0].split(".")[0]
        seen.add(name)
        if depth > BAR and name not in NOT_IN_CALLBACKS:
            deep.append(f"{depth} bytes: {' > '.join(path)}")
    assert {"seg_intern", "rt_canonical"} <= seen, "these are no functions of ours"
    assert not deep, "\n".join(deep)
