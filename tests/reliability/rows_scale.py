# SPDX-License-Identifier: Apache-2.0
"""Rows: scale. Small in CI; bench/cases/scale.py measures what it costs."""

from __future__ import annotations

from collections.abc import Callable

from reliability_support import NO_SLIPCOVER, Result, Row, Site

FAMILY = "Scale"

PROCESSES = """
    from witness import hold, ran
    import importlib, os, subprocess, sys
    FOLDER = os.path.dirname(os.path.abspath(__file__))
    hold()
    TEXT = "from witness import ran;def f():;    ran();f();".replace(";", chr(10))

    def own(number):
        with open(os.path.join(FOLDER, f"p_own{number}.py"), "w") as file:
            file.write(TEXT)
        importlib.invalidate_caches()
        importlib.import_module(f"p_own{number}")

    if len(sys.argv) > 2:
        own(int(sys.argv[2]))
    else:
        count = int(sys.argv[1])
        # Some wide at a time; each tenth is an interpreter of its own.
        for first in range(0, count, 20):
            started, forked = [], []
            for number in range(first, min(first + 20, count)):
                if number % 10 == 0:
                    command = [sys.executable, __file__, "0", str(number)]
                    started.append(subprocess.Popen(command))
                    continue
                pid = os.fork()
                if pid == 0:
                    own(number)
                    os._exit(0)
                forked.append(pid)
            assert not any([os.waitpid(pid, 0)[1] for pid in forked])
            assert not any([one.wait() for one in started])
        ran()
"""

FILES = """
    from witness import hold, ran
    import importlib, os, sys
    FOLDER = os.path.dirname(os.path.abspath(__file__))
    hold()
    TEXT = "from witness import ran, took;def f(n):;    if n:;        took();f(1);"
    TEXT = TEXT.replace(";", chr(10))
    for number in range(int(sys.argv[1])):
        with open(os.path.join(FOLDER, f"p_file{number}.py"), "w") as file:
            file.write(TEXT)
    importlib.invalidate_caches()
    for number in range(int(sys.argv[1])):
        importlib.import_module(f"p_file{number}")
    ran()
"""

CONTEXTS = """
    from witness import hold, took
    import sys, types
    hold()
    def body(n, name):
        if n % 2:
            took(1, name)
        else:
            took(3, name)
    def make(name):
        def test(n):
            body(n, f"p_tests.{name}")
        test.__code__ = test.__code__.replace(co_name=name, co_qualname=name)
        test.__name__ = test.__qualname__ = name
        return test
    def run(count):
        for n in range(count):
            name = f"test_{n}"
            globals()[name] = make(name)
            globals()[name](n)
            del globals()[name]
"""

LONG = """
    from witness import hold, ran
    import importlib, os, sys
    FOLDER = os.path.dirname(os.path.abspath(__file__))
    hold()
    count, first = int(sys.argv[1]), int(sys.argv[2])
    with open(os.path.join(FOLDER, "p_long.py"), "w") as file:
        file.write("from witness import ran" + chr(10) * (first or 1))
        for n in range(count):
            file.write(f"ran(){chr(10)}" if n % 50 == 0 else f"x = {n % 100}{chr(10)}")
    importlib.import_module("p_long")
    ran()
"""


def run(
    text: str,
    *args: str,
    branch: bool = False,
    rc: str = "",
    files: tuple[tuple[str, str], ...] = (),
) -> Callable[[Site, int], Result]:
    def measure(site: Site, times: int) -> Result:
        site.branch = branch
        site.rc = rc
        for name, content in (("p_main.py", text), *files):
            site.write(name, content)
        ended = site.measure("p_main.py", str(times), *args, seconds=60 + times * 0.2)
        return site.result(ended)

    return measure


MAIN_OF_CONTEXTS = """
    import sys
    import p_tests
    p_tests.run(int(sys.argv[1]))
"""

ROWS = [
    Row(
        "scale-processes",
        FAMILY,
        "so many processes, a tenth of them interpreters of their own, each with a file of its own",
        "`os.fork`, `subprocess`",
        run(PROCESSES),
        "docs/segment.md, Layout",
        once=True,
        ci=40,
        long=2000,
        peers=200,
    ),
    Row(
        "scale-files",
        FAMILY,
        "so many files with branches",
        "`import`",
        run(FILES, branch=True),
        "docs/segment.md, Layout",
        once=True,
        ci=300,
        long=10000,
        peers=2000,
    ),
    Row(
        "scale-contexts",
        FAMILY,
        "so many contexts with branches",
        "`dynamic_context = test_function`",
        run(
            MAIN_OF_CONTEXTS,
            branch=True,
            rc="dynamic_context = test_function\n",
            files=(("p_tests.py", CONTEXTS),),
        ),
        "docs/contexts.md",
        once=True,
        ci=1000,
        long=100000,
        peers=10000,
        tools=NO_SLIPCOVER,
    ),
    Row(
        "scale-long-module",
        FAMILY,
        "a module of so many lines",
        "`import`",
        run(LONG, "0"),
        "docs/segment.md, Layout",
        once=True,
        ci=20000,
        long=500000,
        peers=50000,
    ),
    Row(
        "scale-high-lines",
        FAMILY,
        "so many lines, all above line 2^20",
        "a file that begins with empty lines",
        run(LONG, str(1 << 20)),
        "docs/segment.md, Layout",
        once=True,
        ci=1000,
        long=100000,
        peers=1000,
    ),
]
