# SPDX-License-Identifier: Apache-2.0
"""Rows: kill torture. Processes are killed at random instants, and at named points of shm/.

Each process runs code of its own, so that no other one makes up for what it loses. It records each
line that ran, and is killed in the middle of first sights.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
from pathlib import Path

from reliability_support import (
    NO_SLIPCOVER,
    ROOT,
    RUN,
    NotHere,
    Result,
    Row,
    Site,
    Without,
    killed,
)

FAMILY = "Kill torture"

WORKER = """
    # Makes modules that nobody else runs, and runs their functions in some threads.
    import importlib, os, random, threading
    import witness

    FOLDER = os.path.dirname(os.path.abspath(__file__))
    FUNCTION = '''
    def {prefix}{n}(flag):
        ran({context})
        total = [flag for _ in range(2)]
        if flag:
            took(1{comma}{context})
        else:
            took(3{comma}{context})
        for number in range(2):
            total.append(number)
        ran({context})
        ran({context})
    '''

    def module(number, functions, contexts):
        name = f"p_k{number}"
        text = "from witness import ran, took\\n"
        for n in range(functions):
            prefix = "test_" if contexts else "f"
            context = f'"{name}.test_{n}"' if contexts else ""
            text += FUNCTION.format(
                n=n, prefix=prefix, context=context, comma=", " if context else ""
            )
        path = os.path.join(FOLDER, f"{name}.py")
        with open(path, "w") as file:
            file.write(text)
        importlib.invalidate_caches()
        made = importlib.import_module(name)
        return [value for key, value in made.__dict__.items() if key.startswith(("f", "test_"))]

    def work(number, threads, contexts, begun=None):
        # Contexts belong to threads; ctrace cannot tell two at once apart.
        functions = module(number, 40, contexts)
        random.Random(number).shuffle(functions)
        witness.hold()
        if begun is not None:
            os.write(begun, b".")

        def some(mine):
            for flag in (0, 1):
                for function in mine:
                    function(flag)

        count = 1 if contexts else threads
        parts = [functions[n::count] for n in range(count)]
        others = [threading.Thread(target=some, args=(part,)) for part in parts[1:]]
        for thread in others:
            thread.start()
        some(parts[0])
        for thread in others:
            thread.join()
"""

MAIN = """
    # p_main.py HOW TIMES CONTEXTS: starts children, a few at a time, and kills each at a random
    # instant.
    import os, random, signal, subprocess, sys, threading, time
    import p_worker

    how, times, contexts = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "contexts"
    dice = random.Random(times)
    SPAWNED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "p_spawned.py")

    def start(number):
        read, write = os.pipe()
        if how == "fork":
            pid = os.fork()
            if pid == 0:
                try:
                    p_worker.work(number, 3, contexts, write)
                    os.kill(os.getpid(), signal.SIGKILL)
                finally:
                    os._exit(99)
            child = pid
        else:
            child = subprocess.Popen(
                [sys.executable, SPAWNED, str(number), str(write), str(int(contexts))],
                pass_fds=(write,),
            ).pid
        os.close(write)
        return child, read

    def kill(child, read):
        os.read(read, 1)
        os.close(read)
        # A run of the functions takes about ten milliseconds.
        time.sleep(dice.random() * 0.012)
        os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status == -9, f"a child ended by itself: {status}"

    width = 2 if how == "fork" else 4
    for first in range(0, times, width):
        started = [start(number) for number in range(first, min(first + width, times))]
        for one in started:
            kill(*one)
"""

SPAWNED = """
    import os, signal, sys
    import p_worker
    p_worker.work(int(sys.argv[1]), 3, sys.argv[3] == "1", int(sys.argv[2]))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def torture(how: str, mode: str, site: Site, times: int) -> Result:
    site.branch = mode != "lines"
    site.rc = "dynamic_context = test_function\n" if mode == "contexts" else ""
    site.write("p_worker.py", WORKER)
    site.write("p_main.py", MAIN)
    site.write("p_spawned.py", SPAWNED)
    ended = site.measure("p_main.py", how, str(times), mode, seconds=60 + times * 0.5)
    result = site.result(ended)
    if result.reported < 5 * times:
        result.bad.append(f"only {result.reported} reports of {times} processes")
    return result


def row(how: str, mode: str, ci: int, long: int) -> Row:
    started = "forked" if how == "fork" else "started with subprocess"
    threads = "one thread" if mode == "contexts" else "3 threads"
    return Row(
        f"kill-{how}-{mode}",
        FAMILY,
        f"{started} processes of {threads} each are killed while they run new code; {mode}"
        + (" with branches" if mode == "contexts" else ""),
        "SIGKILL at a random instant of the first 12 ms",
        functools.partial(torture, how, mode),
        "docs/segment.md, What is ordered with what; Kill safety",
        once=True,
        ci=ci,
        long=long,
        peers=50,
        tools=NO_SLIPCOVER if mode == "contexts" else (*NO_SLIPCOVER, "SlipCover"),
    )


# -- named points --

# Those of a run's creation, and of what delivers, lie in other processes.
ELSEWHERE = ("folder", "create", "keeper", "aside", "delivery", "spill")
POINTS = [
    point
    for path in sorted(ROOT.glob("shm/*.c"))
    for point in re.findall(r'SEG_KILL_POINT\("([\w.]+)"\)', path.read_text())
    if not point.startswith(ELSEWHERE)
]

AT_POINTS = """
    # p_main.py POINTS TIMES: a child for each point and count of passes, which dies there.
    import os, sys
    import p_worker

    OFTEN = "table", "code", "slot", "record", "arena.claimed"
    points, times = sys.argv[1].split(","), int(sys.argv[2])
    number = died = 0
    for n in range(times):
        for point in points:
            number += 1
            pid = os.fork()
            if pid == 0:
                try:
                    contexts = point.startswith(("record", "extent")) or n % 2
                    often = 1 + n // 2 if point.startswith(OFTEN) else 1
                    os.environ["SEG_KILL_AT"] = f"{point}:{often}"
                    # A process takes a row when it enters, and backs pages when others have not.
                    if point.startswith("process") or n % 3 == 2:
                        os.execv(
                            sys.executable,
                            [sys.executable, "p_alone.py", str(number), str(int(contexts))],
                        )
                    p_worker.work(number, 2, contexts)
                finally:
                    os._exit(0)
            died += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
    with open("died", "w") as file:
        file.write(str(died))
"""

ALONE = """
    import sys
    import p_worker
    p_worker.work(int(sys.argv[1]), 2, sys.argv[2] == "1")
"""


@functools.cache
def with_kill_points() -> Path:
    """A folder with an extension that is compiled with the kill points."""
    if not shutil.which("cmake"):
        raise NotHere("there is no cmake")
    build = ROOT / "build" / f"kill-points-{sys.implementation.cache_tag}"
    configure = [
        "cmake",
        *("-S", str(ROOT), "-B", str(build)),
        *("-DSHMCOV_TESTS=OFF", "-DCMAKE_BUILD_TYPE=RelWithDebInfo"),
        *("-DCMAKE_C_FLAGS=-DSEG_KILL_POINTS", f"-DPython_EXECUTABLE={sys.executable}"),
    ]
    for step in (configure, ["cmake", "--build", str(build), "--target", "_shmcov"]):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotHere(f"the extension with kill points does not build: {done.stderr[-300:]}")
    built = next(build.rglob("_shmcov*.so"))
    folder = build / "only"
    folder.mkdir(exist_ok=True)
    shutil.copyfile(built, folder / built.name)
    return folder


def at_points(site: Site, times: int) -> Result:
    site.env["PYTHONPATH"] = str(with_kill_points())
    site.branch = True
    site.rc = "dynamic_context = test_function\n"
    site.write("p_worker.py", WORKER)
    site.write("p_main.py", AT_POINTS)
    site.write("p_alone.py", ALONE)
    rounds = max(1, times // len(POINTS))
    ended = site.measure("p_main.py", ",".join(POINTS), str(rounds), seconds=60 + times * 0.5)
    result = site.result(ended)
    died = site.folder / "died"
    count = int(died.read_text()) if died.exists() else 0
    if count < rounds * len(POINTS) // 2:
        result.bad.append(f"only {count} of {rounds * len(POINTS)} processes came to their point")
    result.notes.append(f"{count} died at their point")
    return result


# -- all at once --

STORM = """
    # p_main.py TIMES: the whole run, supervisor or owner included, may die at any instant.
    import os, sys
    import p_worker
    for number in range(int(sys.argv[1])):
        if os.fork() == 0:
            p_worker.work(number, 3, False)
            os._exit(0)
    p_worker.work(1000, 3, False)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
"""


def storm(site: Site, times: int) -> Result:
    site.branch = True
    site.write("p_worker.py", WORKER)
    return killed(site, STORM, "witness.log", 0.05, "killpg", "4")


ROWS = [
    row("fork", "lines", 60, 3000),
    row("fork", "branches", 50, 3000),
    row("fork", "contexts", 40, 2500),
    row("spawn", "lines", 20, 600),
    row("spawn", "branches", 15, 600),
    row("spawn", "contexts", 15, 600),
    Row(
        "kill-points",
        FAMILY,
        "forked and started processes die at each named point of the segment's code, at the "
        "first pass, the second, …",
        f"`SEG_KILL_AT` in a build with SEG_KILL_POINTS: {', '.join(POINTS)}",
        at_points,
        "docs/segment.md, Kill safety; shm/kill_point.h",
        once=True,
        ci=22,
        long=1100,
        tools=(RUN,),
    ),
    Row(
        "kill-storm",
        FAMILY,
        "the whole run, five processes of 3 threads and the supervisor or owner, is killed at once",
        "`killpg(SIGKILL)` at a random instant of the first 50 ms",
        storm,
        "docs/supervisor.md, The end",
        ci=2,
        long=100,
        without=Without("coverage.py itself", tool="coverage.py"),
    ),
]
