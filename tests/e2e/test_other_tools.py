# SPDX-License-Identifier: Apache-2.0
"""Other tools come and go: nothing is lost that ctrace records, and they hear what is theirs."""

from __future__ import annotations

import sys
import textwrap
from typing import Any

import pytest
from project_support import Project

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")

# Every line and every edge of a branch is first taken in another round, many of them only once, in
# lines of one instruction too; the other tool is asked before each.
CODE = """
    def walk(n, tool):
        total = 0
        while n:
            n -= 1
            tool(n)
            if n == 9:
                total += 1
            elif n == 8:
                pass
            elif n == 7:
                continue
            elif n == 6: total += sum(x for x in range(3) if x)
            elif n == 5:
                for x in range(2): total += x
            elif n == 4:
                try:
                    raise KeyError
                except KeyError:
                    pass
            elif n == 3:
                total = (
                    total
                    + 1
                )
            if n == 2 and (
                total or
                n
            ):
                total -= 1
            for x in range(n % 2):
                if x:
                    break
            else:
                total += 0
            if n == 1:
                return total
        return None

    def inline(n, tool):
        tool(n)
        found = [y for y in range(n) if y]; tool(n)
        if n == 2:
            return found
        while n and n != 3: n -= 1; tool(n)
        return None

    def gen(n, tool):
        for x in range(n):
            tool(x)
            if x == 2:
                yield x
            elif x == 3:
                continue
            yield -x

    async def pairs(n, tool):
        for x in range(n):
            tool(x)
            yield x

    async def co(n, tool):
        async for x in pairs(n, tool):
            if x == 3:
                pass
            tool(x)
        return n

    def late(n): return n

    def never_before(tool):
        tool(0)
        if tool:
            pass
        return late(2)

    class C:
        def method(self, tool):
            tool(1)
            return [
                self,
                lambda: 1,
            ][1]()
"""

# How often the tool is asked before it comes, and whether it is there before.
VARIANTS = ((3, False), (4, True), (10, False), (1000, False))

PROGRAM = """
    import asyncio
    import importlib
    import itertools
    import sys

    number, period, before, alone = map(int, sys.argv[1:])
    lib = importlib.import_module(f"code{number}")
    if not alone:
        from other import on, off
    try:
        from shmcov import switch_context as switch
    except ImportError:
        switch = print
    rounds = itertools.count()

    def tool(n):
        # on and off again, at another place in each round
        if alone:
            return
        k = next(rounds)
        if k % period == period // 2:
            on()
        elif k % period == period - 1:
            off()
        if SWITCHES and k % 7 == 3:
            switch(f"c{k % 4}")

    if before and not alone:
        on()
    for n in (11, 10, 4):
        lib.walk(n, tool)
    for n in (3, 2, 5):
        lib.inline(n, tool)
    list(lib.gen(5, tool))
    if ASYNC:
        asyncio.run(lib.co(5, tool))
    lib.never_before(tool)
    lib.C().method(tool)
    lib.walk(11, tool)
    if not alone:
        off()
"""

ALL = """
    import subprocess, sys
    for number, (period, before) in enumerate(VARIANTS):
        args = map(str, [number, period, int(before), 0])
        subprocess.run([sys.executable, "prog.py", *args], check=True)
"""

MONITORING = """
    import sys
    m = sys.monitoring
    ID = next(n for n in (2, 0, 1, 3, 5) if m.get_tool(n) is None)

    def on():
        if m.get_tool(ID) is None:
            m.use_tool_id(ID, "other")
            for event in {events}:
                m.register_callback(ID, getattr(m.events, event), lambda *_: {result})
        {turn}

    def off():
        if m.get_tool(ID) is None:
            return
        m.set_events(ID, 0)
        {free}
"""
TURN = "m.set_events(ID, sum({getattr(m.events, event) for event in %s}))"


def monitoring(*events: str, disable: bool = True, free: bool = False) -> str:
    return MONITORING.format(
        events=events,
        result="m.DISABLE" if disable else "None",
        turn=TURN % (events,),
        free="m.free_tool_id(ID)" if free else "",
    )


BRANCHES = ("BRANCH_LEFT", "BRANCH_RIGHT") if sys.version_info >= (3, 14) else ("BRANCH",)

LOCAL = """
    import sys
    lib = sys.modules[f"code{sys.argv[1]}"]
    m = sys.monitoring
    m.use_tool_id(2, "other")
    EVENTS = m.events.LINE | m.events.INSTRUCTION | m.events.PY_START | m.events.PY_RETURN
    for event in ("LINE", "INSTRUCTION", "PY_START", "PY_RETURN"):
        m.register_callback(2, getattr(m.events, event), lambda *_: m.DISABLE)
    FUNCTIONS = (lib.walk, lib.inline, lib.gen, lib.co, lib.pairs, lib.never_before)
    CODES = [function.__code__ for function in FUNCTIONS]

    def on():
        for code in CODES:
            m.set_local_events(2, code, EVENTS)

    def off():
        for code in CODES:
            m.set_local_events(2, code, 0)
"""

TOOLS = {
    "cprofile": """
        import cProfile
        profile = cProfile.Profile()
        def on():
            try:
                profile.enable()
            except ValueError:
                pass
        off = profile.disable
    """,
    "setprofile": """
        import sys
        def on(): sys.setprofile(lambda *_: None)
        def off(): sys.setprofile(None)
    """,
    "settrace": """
        import sys
        def trace(*_): return trace
        def on():
            sys.settrace(trace)
            frame = sys._getframe()
            while frame:
                frame.f_trace = trace
                frame = frame.f_back
        def off(): sys.settrace(None)
    """,
    "opcodes": """
        import sys
        def trace(frame, *_):
            frame.f_trace_opcodes = True
            return trace
        def on():
            sys.settrace(trace)
            frame = sys._getframe()
            while frame:
                frame.f_trace = trace
                frame.f_trace_opcodes = True
                frame = frame.f_back
        def off(): sys.settrace(None)
    """,
    "start": monitoring("PY_START"),
    "line": monitoring("LINE"),
    "line_stays": monitoring("LINE", disable=False),
    "instruction": monitoring("INSTRUCTION"),
    "branch": monitoring(*BRANCHES),
    "everything": monitoring(
        "PY_START", "PY_RESUME", "PY_RETURN", "PY_YIELD", "LINE", "INSTRUCTION", "JUMP", *BRANCHES
    ),
    "freed": monitoring("LINE", "INSTRUCTION", "PY_START", free=True),
    "local": LOCAL,
    "restart": """
        import sys
        def on(): sys.monitoring.restart_events()
        def off(): pass
    """,
    "pdb": """
        import pdb, io
        def on():
            debugger = pdb.Pdb(stdin=io.StringIO("c\\n" * 99), stdout=io.StringIO(), nosigint=True)
            debugger.set_trace()
        def off(): pass
    """,
}


def write(project: Project, *, branch: bool, switches: bool, with_async: bool) -> None:
    for number in range(len(VARIANTS)):
        project.write(f"code{number}.py", CODE)
    flags = f"SWITCHES, ASYNC = {switches}, {with_async}\n"
    project.write("prog.py", flags).open("a").write(textwrap.dedent(PROGRAM))
    project.write("all.py", f"VARIANTS = {VARIANTS}\n").open("a").write(textwrap.dedent(ALL))
    project.write(".coveragerc", f"[run]\nbranch = {branch}\ninclude = code*.py\n")


def expected(project: Project) -> dict[str, Any]:
    """ctrace's report of the code without other tools, of which some silence ctrace itself."""
    done = project.coverage("run", "--data-file", "theirs", "prog.py", "0", "1", "0", "1")
    assert done.returncode == 0, done.stderr
    return dict(project.report("theirs")["code0.py"])


def may_lose_async_for(mode: str, sites: str) -> bool:
    """Before 3.14 only INSTRUCTION records the edges of `async for`: plain, it can be silenced."""
    return mode != "lines" and sites == "0" and sys.version_info < (3, 14)


FEW = ("cprofile", "settrace", "pdb", "instruction")
"""Tools that every version is tried with, also where slow tests are left out."""


@pytest.mark.parametrize(
    ("tool", "mode", "sites"),
    [
        pytest.param(
            tool,
            mode,
            sites,
            id=f"{tool}-{mode}-{'sites' if sites == '1' else 'plain'}",
            marks=[pytest.mark.slow] * (tool not in FEW or sites == "0" or mode == "branch"),
        )
        for tool in TOOLS
        for mode in ("lines", "branch", "contexts")
        for sites in ("1", "0")
    ],
)
def test_nothing_is_lost(project: Project, tool: str, mode: str, sites: str) -> None:
    branch, contexts = mode != "lines", mode == "contexts"
    with_async = not may_lose_async_for(mode, sites)
    write(project, branch=branch, switches=contexts, with_async=with_async)
    project.write("other.py", TOOLS[tool])
    options = ("--shm-contexts",) if contexts else ()
    done = project.shmcov("run", *options, "all.py", env={"SHMCOV_SITES": sites})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost" not in done.stderr, done.stderr
    actual = project.report()
    theirs = expected(project)
    for number in range(len(VARIANTS)):
        ours = actual[f"code{number}.py"]
        for key in ("executed_lines", "missing_lines", "executed_branches", "missing_branches"):
            assert ours.get(key) == theirs.get(key), (number, key)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="3.11 has no tools")
def test_the_tool_id_is_nobodys(project: Project) -> None:
    """Hypothesis takes 3 and warns where it cannot; 0, 1 and 2 are by convention those of
    debuggers, coverage tools and profilers."""
    project.write(
        "prog.py", "import sys\nprint([n for n in range(6) if sys.monitoring.get_tool(n)])\n"
    )
    assert project.shmcov("run", "prog.py").stdout == "[4]\n"
