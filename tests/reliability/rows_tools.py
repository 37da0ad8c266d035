# SPDX-License-Identifier: Apache-2.0
"""Rows: other tools come and go, and the ground under the program changes."""

from __future__ import annotations

import functools

from reliability_support import Result, Row, Site, needs_version, simple

FAMILY = "Other tools, and changing ground"

# Loops inside one line, branches and long code: what is armed with INSTRUCTION somewhere.
BODY = """
    from witness import ran, took
    import bdb, cProfile, os, sys, threading, time, unittest.mock

    {setup}

    def pick(n, context=""):
        names = [str(k) for k in range(2)]
        ran(context)
        if n:
            took(1, context)
            return names[0]
        took(3, context)
        return names[1]

    def walk(n, context=""):
        while n:
            n -= 1
            if n == 3:
                took(1, context)
                on()
            if n == 2:
                took(1, context)
                off()
            if n < 2:
                took(1, context)
                inner = sum(k for k in range(3))
                ran(context)
        ran(context)
        return "end"

    def test_before():
        name = CONTEXT + "test_before"
        on()
        pick(1, name)
        off()
        ran(name)

    def test_between():
        name = CONTEXT + "test_between"
        pick(1, name)
        walk(6, name)
        pick(0, name)
        ran(name)

    def test_after():
        name = CONTEXT + "test_after"
        on()
        off()
        pick(0, name)
        walk(6, name)
        ran(name)

    CONTEXT = "{context}"
    test_before()
    test_between()
    test_after()
    ran()
"""

OTHERS = {
    "cprofile": (
        "cProfile goes on and off",
        "`cProfile.Profile().enable()`",
        """profiler = cProfile.Profile()
    def on(): profiler.enable()
    def off(): profiler.disable()""",
    ),
    "setprofile": (
        "a profile function comes and goes",
        "`sys.setprofile`, `threading.setprofile`",
        """def on(): sys.setprofile(lambda *a: None)
    def off(): sys.setprofile(None)""",
    ),
    "settrace": (
        "a trace function comes and goes",
        "`sys.settrace` with line and opcode events",
        """def trace(frame, event, arg):
        frame.f_trace_opcodes = True
        return trace
    def on(): sys.settrace(trace)
    def off(): sys.settrace(former)
    former = sys.gettrace()""",
    ),
    "pdb": (
        "a debugger steps through the program and leaves",
        "`bdb.Bdb().set_trace()`, `set_continue()`",
        """class Debugger(bdb.Bdb):
        def user_line(self, frame):
            self.set_step()
    def on():
        global debugger
        debugger = Debugger()
        debugger.set_trace(sys._getframe(1))
    def off():
        debugger.set_quit()
        sys.settrace(former)
    former = sys.gettrace()""",
    ),
    "monitoring": (
        "another tool of sys.monitoring takes all events, and goes",
        "`use_tool_id`, `set_events`, `restart_events`, `free_tool_id`",
        """mon = sys.monitoring
    E = mon.events
    def on():
        for free in (2, 5, 0):
            if mon.get_tool(free) is None:
                break
        global tool
        tool = free
        mon.use_tool_id(tool, "other")
        for event in (E.PY_START, E.LINE, E.INSTRUCTION, E.BRANCH, E.PY_RETURN, E.CALL):
            mon.register_callback(tool, event, lambda *a: mon.DISABLE)
        mon.set_events(tool, E.PY_START | E.LINE | E.INSTRUCTION | E.BRANCH | E.PY_RETURN | E.CALL)
    def off():
        mon.set_events(tool, 0)
        mon.restart_events()
        mon.free_tool_id(tool)""",
    ),
    "monitoring-start": (
        "a tool of sys.monitoring that wants PY_START alone comes and goes",
        "`set_events(PY_START)`",
        """mon = sys.monitoring
    def on():
        global tool
        tool = 2 if mon.get_tool(2) is None else 0
        mon.use_tool_id(tool, "other")
        mon.set_events(tool, mon.events.PY_START)
    def off():
        mon.set_events(tool, 0)
        mon.free_tool_id(tool)""",
    ),
}


def other(name: str, mode: str, site: Site, times: int) -> Result:
    if name in ("settrace", "pdb") or name.startswith("monitoring"):
        # On 3.11 shmcov is a trace function, as coverage.py is: with another one in its place it
        # hears nothing.
        needs_version(3, 12)
    site.branch = mode != "lines"
    context = ""
    if mode == "contexts":
        site.rc = "dynamic_context = test_function\n"
        context = "p_body."
    body = BODY.format(setup=OTHERS[name][2], context=context)
    if mode != "contexts":
        body = body.replace('CONTEXT + "', '"" and "')
    site.write("p_body.py", body)
    # Contexts are named after the module.
    return site.run("import p_body\n")


def all_modes(name: str, site: Site, times: int) -> Result:
    total = Result()
    for mode in ("lines", "branches", "contexts"):
        one = Site(site.tool, without=site.without)
        try:
            result = other(name, mode, one, times)
        finally:
            one.close()
        if result.lost:
            result.notes.append(f"{mode} lost {result.lost}")
        total += result
    return total


# -- ground --

CHANGES = """
    from witness import ran, took
    import atexit, os, sys, threading, time, unittest.mock
    def work(n):
        ran()
        if n:
            took()
    work(1)
    pid = os.fork()
    if pid == 0:
        time.sleep(0.4)
        work(1)
        def later():
            ran()
        later()
        os._exit(0)
    {change}
    def after():
        ran()
    after()
    ran()
"""


def change(name: str, fault: str, injected: str, code: str) -> Row:
    return Row(
        f"ground-{name}",
        FAMILY,
        fault,
        injected,
        simple(CHANGES.format(change=code), prepare=_branches),
        "docs/backend.md, The end",
    )


def _branches(site: Site) -> None:
    site.branch = True


MOCKED = (
    "for name in 'getpid open fstat unlink geteuid stat kill close getenv'.split():\n"
    "        unittest.mock.patch(f'os.{name}', side_effect=OSError).start()"
)

ROWS = [
    *(
        Row(
            f"tool-{name}",
            FAMILY,
            f"{fault}: before, during and after new code; lines, branches, contexts",
            injected,
            functools.partial(all_modes, name),
            "docs/tracers.md; docs/contexts.md, Other tools",
            long=5,
        )
        for name, (fault, injected, _) in OTHERS.items()
    ),
    change(
        "mocked-os",
        "functions of `os` are mocked, and stay so",
        "`unittest.mock.patch` of nine functions",
        MOCKED,
    ),
    change(
        "frozen-time",
        "the clock stands still (freezegun and the like)",
        "`patch('time.monotonic')`, `time.time`, `time.sleep`",
        "now = time.monotonic(); unittest.mock.patch('time.monotonic', lambda: now).start(); "
        "unittest.mock.patch('time.time', lambda: now).start(); "
        "unittest.mock.patch('time.sleep', lambda n: None).start()",
    ),
    change(
        "sys-path",
        "`sys.path` is empty at the end",
        "`sys.path.clear()`",
        "sys.path.clear()",
    ),
    change(
        "modules-gone",
        "modules are taken out of `sys.modules`, shmcov's and coverage.py's included",
        "`del sys.modules[…]`",
        "[sys.modules.pop(name) for name in list(sys.modules) if name.split('.')[0] in "
        "('shmcov', '_shmcov', 'datetime', 'tempfile', 'warnings')]",
    ),
    change(
        "descriptors-closed",
        "all descriptors from 3 on are closed",
        "`os.closerange(3, 512)`",
        "os.closerange(3, 512)",
    ),
    change(
        "folder-gone",
        "the working folder changes, and is removed",
        "`os.chdir`, `os.rmdir`",
        "os.mkdir('gone'); os.chdir('gone'); os.rmdir(os.getcwd())",
    ),
    change(
        "environment-gone",
        "the environment is emptied",
        "`os.environ.clear()`",
        "os.environ.clear()",
    ),
    change(
        "segment-unlinked",
        "the segment loses its name in the middle of the run",
        "`unlink`, as a cleaner of `/tmp` does",
        "os.environ.get('SHMCOV_SEGMENT') and os.unlink(os.environ['SHMCOV_SEGMENT'])",
    ),
]
