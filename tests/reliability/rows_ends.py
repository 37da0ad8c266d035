# SPDX-License-Identifier: Apache-2.0
"""Rows: how a process ends."""

from __future__ import annotations

import signal

from reliability_support import (
    NO_WAIT,
    RUN,
    Ended,
    Result,
    Row,
    Site,
    Without,
    simple,
)

FAMILY = "Ends"

WORK = """
    from witness import ran, took
    import atexit, ctypes, faulthandler, os, signal, sys, threading, time

    def work(n):
        ran()
        if n:
            took()
        else:
            took(3)
        return n

    work(1)
    work(0)
"""

END = {
    "os-exit": ("`os._exit` of the program and of a forked child", "os._exit(3)", 3),
    "abort": ("`abort()`", "os.abort()", -signal.SIGABRT),
    "segfault": ("SIGSEGV", "faulthandler._sigsegv()", -signal.SIGSEGV),
    "sigkill": ("SIGKILL", "os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "sigterm": ("SIGTERM, no handler", "os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "sigint": ("SIGINT", "os.kill(os.getpid(), signal.SIGINT)", None),
    "sighup": ("SIGHUP, no handler", "os.kill(os.getpid(), signal.SIGHUP)", -signal.SIGHUP),
}

BOTH_END = """
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pid = os.fork()
    if pid == 0:
        ran()
        {end}
    os.waitpid(pid, 0)
    ran()
    {end}
"""


def both_end(end: str) -> Row:
    fault, code, status = END[end]
    return Row(
        f"end-{end}",
        FAMILY,
        f"{fault}: first of a forked child, then of the program",
        f"`{code}`",
        simple(WORK + BOTH_END.format(end=code), prepare=branches, status=status),
        "docs/segment.md, Life; docs/supervisor.md, The end",
    )


def branches(site: Site) -> None:
    site.branch = True


FAULTHANDLER = """
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable(all_threads=True)
    faulthandler.dump_traceback_later(0.05, repeat=True)
    threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
    time.sleep(0.2)
    ran()
    faulthandler._sigsegv()
"""

STACK_OVERFLOW = """
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    def deep(n):
        ran() if n == 50 else None
        return deep(n + 1)
    try:
        deep(0)
    except RecursionError:
        ran()
    CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int)
    threading.stack_size(256 * 1024)
    sys.setrecursionlimit(10**6)
    @CALLBACK
    def again():
        again()
        return 0
    ran()
    thread = threading.Thread(target=again)
    thread.start()
    thread.join()
"""

EXEC_CHAIN = """
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    def first(): ran()
    def second(): ran()
    def third(): ran()
    (first, second, third)[step]()
    if step == 0:
        os.execv(sys.executable, [sys.executable, __file__, "1"])
    if step == 1:
        os.execve(sys.executable, [sys.executable, __file__, "2"], {"PATH": os.environ["PATH"]})
    ran()
    os.execv("/bin/true", ["true"])
"""

DAEMON = """
    def serve(n):
        ran()
        if n:
            took()
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    time.sleep(0.4)
    serve(1)
    ran()
"""

DAEMON_LONG = """
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        ran()
        time.sleep(60)
    os.wait()
    time.sleep(0.2)
    ran()
"""

OUTLIVES = """
    import subprocess
    subprocess.Popen([sys.executable, os.path.join(os.path.dirname(__file__), "p_child.py")])
    ran()
"""

CHILD = """
    from witness import ran
    import time
    ran()
    time.sleep(0.6)
    def late():
        ran()
    late()
"""

STAYS = """
    pid = os.fork()
    if pid == 0:
        ran()
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(0.2)
    ran()
"""

OWNER_KILLED = """
    pid = os.fork()
    if pid == 0:
        ran()
        time.sleep(0.3)
        def later():
            ran()
        later()
        os._exit(0)
    time.sleep(0.1)
    ran()
    {kill}
    time.sleep(0.5)
    ran()
"""

POOL = """
    import concurrent.futures, multiprocessing
    def job(n):
        ran()
        if n % 2:
            took()
            time.sleep(30)
        return n
    def dies(n):
        ran()
        os.kill(os.getpid(), signal.SIGKILL)
    if __name__ == "__main__":
        context = multiprocessing.get_context("fork")
        with concurrent.futures.ProcessPoolExecutor(2, context) as executor:
            try:
                executor.submit(dies, 1).result()
            except concurrent.futures.process.BrokenProcessPool:
                ran()
        pool = context.Pool(4)
        pool.map_async(job, range(8), chunksize=1)
        time.sleep(0.3)
        pool.terminate()
        pool.join()
        ran()
"""

SERVER = """
    import multiprocessing
    def job(n):
        ran()
        os._exit(n)
    if __name__ == "__main__":
        for method in ("forkserver", "spawn"):
            context = multiprocessing.get_context(method)
            for n in (0, 3):
                process = context.Process(target=job, args=(n,))
                process.start()
                process.join()
        ran()
"""

TRACKER = """
    import subprocess
    tracker = subprocess.Popen(
        [sys.executable, os.path.join(os.path.dirname(__file__), "p_tracker.py")],
        stdin=subprocess.PIPE,
    )
    time.sleep(0.4)
    ran()
"""

TRACKS = """
    from witness import ran
    import sys
    ran()
    sys.stdin.buffer.read()
"""


def killed_supervisor(site: Site, times: int) -> Result:
    """The process that the user started dies of SIGKILL; the program, if it is another, goes on."""
    site.write("p_main.py", WORK + OWNER_KILLED.format(kill=KILL_TOP))
    ended = site.measure("p_main.py")
    return site.result(Ended(ended.status, "", ended.killed), -signal.SIGKILL)


# Under `shmcov run` the supervisor is the parent; under the others the program itself is on top.
KILL_TOP = """os.kill(
        os.getppid() if os.environ.get("TOP") == "parent" else os.getpid(), signal.SIGKILL
    )"""


def killed_top(site: Site, times: int) -> Result:
    site.env["TOP"] = "parent" if site.tool == RUN else "self"
    return killed_supervisor(site, times)


def killed_all(site: Site, times: int) -> Result:
    site.write("p_main.py", WORK + "    ran()\n    os.killpg(0, signal.SIGKILL)\n")
    # A group of its own, so that what holds the test together lives.
    site.wrap = ("setsid", "--wait")
    ended = site.measure("p_main.py")
    return site.result(Ended(ended.status, "", ended.killed), None)


def stays(site: Site, times: int) -> Result:
    site.write("p_main.py", WORK + STAYS)
    site.env["SHMCOV_WAIT"] = "0.5"
    return without_told(site.result(site.measure("p_main.py", seconds=8), None))


def without_told(result: Result) -> Result:
    """Who stays is named, which is no loss of what ran before."""
    result.bad = [text for text in result.bad if text != "tells of a loss that is none"]
    return result


ENV = Without("`SHMCOV_NO_ADOPT=1`", env={"SHMCOV_NO_ADOPT": "1"})

ROWS = [
    *(both_end(end) for end in END),
    Row(
        "end-faulthandler",
        FAMILY,
        "faulthandler dumps all threads' stacks every 50 ms, then the process dies of SIGSEGV",
        "`faulthandler.enable()`, `dump_traceback_later(repeat=True)`, `_sigsegv()`",
        simple(WORK + FAULTHANDLER, status=-signal.SIGSEGV),
        "docs/segment.md, Life",
    ),
    Row(
        "end-stack-overflow",
        FAMILY,
        "RecursionError; then a thread of 256 KiB overflows its C stack and takes the process "
        "along",
        "a ctypes callback that calls itself",
        simple(WORK + STACK_OVERFLOW, status=(-signal.SIGSEGV, 0, 1)),
        "docs/segment.md, Life",
    ),
    Row(
        "end-exec-chain",
        FAMILY,
        "the process becomes another program three times: with its environment, with an empty "
        "one, not Python",
        "`os.execv`, `os.execve(…, {PATH})`, `execv('/bin/true')`",
        simple(WORK + EXEC_CHAIN, prepare=Site.adopting),
        "docs/segment.md, Adoption",
        without=ENV,
    ),
    Row(
        "end-daemon",
        FAMILY,
        "a daemon (two forks, setsid) goes on for 0.4 s after the program has ended by `os._exit`",
        "the daemonizer's double fork",
        simple(WORK + DAEMON, seconds=20),
        "docs/supervisor.md, Children that outlive the program",
        without=NO_WAIT,
        ci=2,
        long=50,
    ),
    Row(
        "end-daemon-stays",
        FAMILY,
        "a daemon that never ends; what it did up to the end of the wait counts",
        "the daemonizer's double fork, `sleep(60)`",
        lambda site, times: daemon_stays(site),
        "docs/supervisor.md, Children that outlive the program",
    ),
    Row(
        "end-child-last",
        FAMILY,
        "a child is started in the last instant of the program, and not waited for",
        "`subprocess.Popen` in the last line",
        simple(WORK + OUTLIVES, files={"p_child.py": CHILD}),
        "docs/supervisor.md, Children that outlive the program",
        without=NO_WAIT,
        ci=2,
        long=50,
    ),
    Row(
        "end-child-stopped",
        FAMILY,
        "a child stops for ever (SIGSTOP) while the program ends",
        "`kill(getpid(), SIGSTOP)`",
        stays,
        "docs/supervisor.md, Children that outlive the program",
    ),
    Row(
        "end-top-killed",
        FAMILY,
        "the process that the user started is killed: the supervisor of `shmcov run`, else the "
        "owner; children go on for 0.3 s",
        "`kill(…, SIGKILL)`",
        killed_top,
        "docs/supervisor.md, The end",
        long=50,
        without=None,
    ),
    Row(
        "end-group-killed",
        FAMILY,
        "the whole process group is killed, as CI runners do",
        "`killpg(0, SIGKILL)`",
        killed_all,
        "docs/supervisor.md, The end",
        long=50,
        without=None,
    ),
    Row(
        "end-pools",
        FAMILY,
        "a worker of ProcessPoolExecutor is killed; Pool.terminate() while four workers are in "
        "the middle",
        "SIGKILL, `Pool.terminate()`",
        simple(WORK + POOL, prepare=branches),
        "docs/segment.md, Life",
    ),
    Row(
        "end-forkserver-spawn",
        FAMILY,
        "children of a forkserver and spawned ones end by `os._exit`",
        "`multiprocessing`, `os._exit(3)` in the target",
        simple(WORK + SERVER),
        "docs/segment.md, Life",
    ),
    Row(
        "end-tracker",
        FAMILY,
        "a helper ends only when its owner has (resource trackers): not waited for, and no loss "
        "told",
        "a child that reads a pipe to its end",
        simple(WORK + TRACKER, files={"p_tracker.py": TRACKS}),
        "docs/supervisor.md, Children that outlive the program",
    ),
]


def daemon_stays(site: Site) -> Result:
    site.write("p_main.py", WORK + DAEMON_LONG)
    site.env["SHMCOV_WAIT"] = "0.5"
    return without_told(site.result(site.measure("p_main.py", seconds=8), None))
