# SPDX-License-Identifier: Apache-2.0
"""Rows: what a program does in its life. Threads, forks, interpreters, other users."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
import sysconfig

from reliability_support import (
    NO_SLIPCOVER,
    NotHere,
    Result,
    Row,
    Site,
    Without,
    needs_module,
    needs_root,
    needs_unshare,
    needs_version,
    simple,
)

FAMILY = "The program's own life"

THREADS_AT_EXIT = """
    from witness import ran, took
    import atexit, itertools, os, sys, threading, time
    begun = threading.Barrier(5)
    ends = threading.Event()

    def forever(n):
        begun.wait()
        for k in itertools.count():
            line = "pass" if ends.is_set() else "ran()"
            text = "from witness import ran" + chr(10) * (k + 1) + line + chr(10)
            path = os.path.join(FOLDER, f"p_new{n}.py")
            exec(compile(text, path, "exec"), {"__name__": "new"})

    def soon():
        begun.wait()
        time.sleep(0.2)
        if TO_THE_LAST:
            ran()

    class Late:
        def __del__(self):
            if TO_THE_LAST:
                ran()

    def at_exit():
        if TO_THE_LAST:
            ran()

    TO_THE_LAST = len(sys.argv) > 1
    FOLDER = os.path.dirname(os.path.abspath(__file__))
    atexit.register(at_exit)
    late = Late()
    sys.late = Late()
    for n in range(3):
        threading.Thread(target=forever, args=(n,), daemon=True).start()
    threading.Thread(target=soon).start()
    begun.wait()
    time.sleep(0.05)
    ran()
    if not TO_THE_LAST:
        # `coverage run` ends to record here, and so does the plug-in.
        ends.set()
        time.sleep(0.05)
"""

FORK_IN_THREADS = """
    from witness import ran, took
    import os, threading, types, warnings
    warnings.simplefilter("ignore")
    FOLDER = os.path.dirname(os.path.abspath(__file__))

    def new(name, n):
        text = "from witness import ran" + chr(10)
        text += "".join(f"def f{k}():" + chr(10) + "    ran()" + chr(10) for k in range(n))
        text += "".join(f"f{k}()" + chr(10) for k in range(n))
        exec(compile(text, os.path.join(FOLDER, name), "exec"), {"__name__": "new"})

    def forks(number):
        for n in range(5):
            pid = os.fork()
            if pid == 0:
                new(f"p_{number}_{n}.py", 10)
                os._exit(0)
            new(f"p_parent_{number}_{n}.py", 10)
            os.waitpid(pid, 0)
        ran()

    threads = [threading.Thread(target=forks, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ran()
"""

DYING_CODE = """
    from witness import ran
    import gc, os, sys, threading
    FOLDER = os.path.dirname(os.path.abspath(__file__))
    sys.setswitchinterval(1e-5)
    made = []
    stop = threading.Event()

    def make(number):
        for n in range(150):
            lines = "".join("    ran()" + chr(10) for _ in range(3))
            text = "from witness import ran" + chr(10) + f"def test_f{n}():" + chr(10) + lines
            space = {"__name__": "p_dying"}
            exec(compile(text, os.path.join(FOLDER, f"p_dying{number}.py"), "exec"), space)
            made.append(space.pop(f"test_f{n}"))
            if len(made) > 4:
                made.pop(0)
        stop.set()

    def run():
        while not stop.is_set():
            for function in list(made):
                function()
                del function

    def collect():
        while not stop.is_set():
            gc.collect()

    threads = [threading.Thread(target=make, args=(n,)) for n in range(2)]
    threads += [threading.Thread(target=run) for _ in range(2)] + [threading.Thread(target=collect)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ran()
"""

SIGNALS = """
    from witness import ran, took
    import signal, sys, time
    count = 0

    def handler(number, frame):
        global count
        ran()
        count += 1
        if count % 2:
            took()

    def work(n):
        if n % 2:
            took()
        else:
            took(3)
        return [k for k in range(n % 7)]

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        work(int(time.monotonic() * 1e6))
    signal.setitimer(signal.ITIMER_REAL, 0)
    ran()
"""

SMALL_STACK = """
    from witness import hold, ran
    import threading
    import p_first
    hold()
    for size in (48, 52, 56, 64):
        try:
            threading.stack_size(size * 1024)
            break
        except ValueError:
            ran()
    thread = threading.Thread(target=p_first.first)
    thread.start()
    thread.join()
    ran()
"""

FIRST = """
    from witness import ran, took
    def first():
        ran()
        for n in (0, 1):
            if n:
                took()
            else:
                took(3)
"""

ASYNC = """
    from witness import ran, took
    import asyncio, threading

    async def step(n):
        ran()
        try:
            await asyncio.sleep(0.001 * n)
            if n % 2:
                took()
            return n
        finally:
            ran()

    async def numbers(n):
        for k in range(n):
            ran()
            yield k
            await asyncio.sleep(0)

    async def main():
        tasks = [asyncio.create_task(step(n)) for n in range(20)]
        await asyncio.sleep(0.005)
        for task in tasks[10:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async for k in numbers(3):
            ran()
            if k:
                break
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, in_thread)
        ran()

    def in_thread():
        ran()

    asyncio.run(main())
    ran()
"""

GREENLETS = """
    from witness import ran, took
    import greenlet
    def ping(n):
        ran()
        for k in range(n):
            other = others[k % len(others)]
            if k % 2:
                took()
            else:
                took(3)
            if not other.dead:
                other.switch(k)
            ran()
    def pong(_):
        while True:
            ran()
            main.switch()
            ran()
    main = greenlet.greenlet(ping)
    others = [greenlet.greenlet(pong) for _ in range(3)]
    main.switch(12)
    del others
    ran()
"""

GEVENT = """
    from gevent import monkey
    monkey.patch_all()
    from witness import ran, took
    import gevent, os, subprocess, sys, threading, time
    def work(n):
        ran()
        time.sleep(0.001)
        if n % 2:
            took()
        return n
    gevent.joinall([gevent.spawn(work, n) for n in range(20)])
    thread = threading.Thread(target=work, args=(1,))
    thread.start()
    thread.join()
    pid = os.fork()
    if pid == 0:
        ran()
        # gevent's waitpid() hangs, with no tool either, if the child has ended before it begins.
        time.sleep(0.3)
        os._exit(0)
    os.waitpid(pid, 0)
    ran()
"""

OPTIONS = """
    from witness import ran, took
    import multiprocessing, os, subprocess, sys, warnings
    def work(n):
        "A docstring that -OO takes away."
        assert n >= 0
        if n:
            took()
        if __debug__:
            ran()
        return [k for k in range(n)]
    def child(n):
        work(n)
        ran()
        os._exit(0)
    if __name__ == "__main__":
        work(2)
        pid = os.fork()
        if pid == 0:
            child(1)
        os.waitpid(pid, 0)
        process = multiprocessing.get_context("spawn").Process(target=child, args=(1,))
        process.start()
        process.join()
        ran()
"""

SUBINTERPRETERS = """
    from witness import ran
    import sys, threading
    if sys.version_info >= (3, 14):
        from concurrent import interpreters
        make, run = interpreters.create, lambda one, text: one.exec(text)
    else:
        import _interpreters
        make = _interpreters.create
        def run(one, text):
            assert _interpreters.exec(one, text) is None
    TEXT = "total = 0" + chr(10) + "for n in range(100):" + chr(10) + "    total += n" + chr(10)
    made = [make() for _ in range(3)]
    threads = [threading.Thread(target=run, args=(one, TEXT)) for one in made]
    for thread in threads:
        thread.start()
    ran()
    for thread in threads:
        thread.join()
    def after():
        ran()
    after()
"""

EMBEDDER = """
    #include <Python.h>
    int main(int argc, char **argv)
    {
        PyConfig config;
        int status = 0;
        for (int round = 0; round < 2; round++) {
            FILE *file = fopen(argv[2], "r");
            PyConfig_InitPythonConfig(&config);
            PyConfig_SetBytesString(&config, &config.executable, argv[1]);
            PyConfig_SetBytesString(&config, &config.program_name, argv[1]);
            if (PyStatus_Exception(Py_InitializeFromConfig(&config)))
                return 9;
            PyConfig_Clear(&config);
            status |= PyRun_SimpleFileEx(file, argv[2], 1);
            if (round == 1)
                abort();
            status |= Py_FinalizeEx();
        }
        return status;
    }
"""

EMBEDDED = """
    import os, sys
    sys.path.insert(0, os.getcwd())
    from witness import ran, took
    def work(n):
        ran()
        if n:
            took()
    work(1)
"""

EMBEDS = """
    from witness import ran
    import os, resource, subprocess, sys
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path = os.path.join(os.getcwd(), "p_embedded.py")
    done = subprocess.run(["./embedder", sys.executable, path])
    assert done.returncode == -6, done.returncode
    ran()
"""


def embedded(site: Site, times: int) -> Result:
    cc = shutil.which(os.environ.get("CC", "cc"))
    if not cc:
        raise NotHere("there is no C compiler")
    source = site.write("embedder.c", EMBEDDER)
    value = sysconfig.get_config_var
    command = [cc, "-o", site.folder / "embedder", source, f"-I{sysconfig.get_path('include')}"]
    folders = [value("LIBDIR"), value("LIBPL")]
    command += [f"-L{folder}" for folder in folders] + [f"-Wl,-rpath,{folders[0]}"]
    version = value("LDVERSION") or value("VERSION")
    command += [f"-lpython{version}", *shlex.split(f"{value('LIBS')} {value('SYSLIBS')}")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotHere("this Python has no library to link with")
    site.write("p_main.py", EMBEDS)
    site.write("p_embedded.py", EMBEDDED)
    site.branch = True
    return site.result(site.measure("p_main.py"))


PID_1 = """
    from witness import ran
    import os, sys, time
    pid = os.fork()
    if pid == 0:
        if os.fork() == 0:
            time.sleep(0.3)
            def orphan():
                ran()
            orphan()
            os._exit(0)
        os._exit(0)
    os.waitpid(pid, 0)
    ran()
"""


def pid_1(site: Site, times: int) -> Result:
    needs_root()
    options = ("--pid", "--fork", "--mount-proc", "--kill-child")
    needs_unshare(*options)
    site.wrap = ("unshare", *options)
    return site.run(PID_1)


NEW_ENVIRONMENT = """
    from witness import ran
    import os, subprocess, sys
    child = os.path.join(os.path.dirname(os.path.abspath(__file__)), "p_child.py")
    for env in ({}, {"PATH": "/bin"}, {**os.environ, "SHMCOV_SEGMENT": ""}):
        env = {**env, "NUMBER": str(len(env))}
        subprocess.run([sys.executable, child], env=env, check=True)
    # The child's child has lost it as well, and its parent is gone.
    ran()
"""

NEW_CHILD = """
    from witness import ran
    import os, subprocess, sys
    ran()
    if len(sys.argv) == 1:
        subprocess.run([sys.executable, __file__, "again"], env={}, check=True)
    else:
        def second():
            ran()
        second()
    ran()
"""

OTHER_USER = """
    from witness import hold, ran
    import os
    hold()
    def before(): ran()
    def after(): ran()
    before()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        after()
        ran()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    ran()
"""

CHROOT = """
    from witness import hold, ran
    import os
    hold()
    os.mkdir("jail")
    def before(): ran()
    def after(): ran()
    before()
    pid = os.fork()
    if pid == 0:
        os.chroot("jail")
        os.chdir("/")
        after()
        for n in range(3):
            ran() if n else None
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    ran()
"""

DROPS_RIGHTS = """
    from witness import hold, ran
    import os
    hold()
    os.chmod(os.path.dirname(os.path.abspath(__file__)), 0o777)
    ran()
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    def after(): ran()
    after()
"""


def as_root(text: str, site: Site, times: int) -> Result:
    needs_root()
    return site.run(text)


def with_options(options: tuple[str, ...], env: dict[str, str], site: Site, times: int) -> Result:
    site.python = options
    site.env |= env
    site.branch = True
    return site.run(OPTIONS)


def with_module(module: str, text: str, site: Site, times: int) -> Result:
    needs_module(module)
    site.branch = True
    site.concurrency = f"{module}, thread"
    return site.run(text)


def subinterpreters(site: Site, times: int) -> Result:
    needs_version(3, 13)
    return site.run(SUBINTERPRETERS)


def option(name: str, options: tuple[str, ...], env: dict[str, str], injected: str) -> Row:
    return Row(
        f"life-{name}",
        FAMILY,
        f"the interpreter runs with {injected}; so do a forked and a spawned child",
        injected,
        functools.partial(with_options, options, env),
        "docs/supervisor.md, The program",
        long=5,
    )


def _branches(site: Site) -> None:
    site.branch = True


NO_ADOPT = Without("`SHMCOV_NO_ADOPT=1`", env={"SHMCOV_NO_ADOPT": "1"})

ROWS = [
    Row(
        "life-threads-at-exit",
        FAMILY,
        "three daemon threads are in the middle of new code when the main module ends",
        "`threading`",
        simple(THREADS_AT_EXIT),
        "docs/design.md",
        tools=NO_SLIPCOVER,
        long=50,
    ),
    Row(
        "life-to-the-last",
        FAMILY,
        "daemon threads, threads that are waited for, exit functions and finalizers run new code "
        "until the process is gone (the plug-in records until `coverage run` stops it, which is "
        "when the main module ends)",
        "`threading`, `atexit`, `__del__`",
        simple(THREADS_AT_EXIT, args=("last",)),
        "docs/supervisor.md, The end",
        tools=("shmcov run", "coverage.py"),
        long=50,
    ),
    Row(
        "life-fork-in-threads",
        FAMILY,
        "four threads fork while the others run new code",
        "`os.fork` in threads",
        simple(FORK_IN_THREADS, prepare=_branches),
        "docs/segment.md, Windows",
        tools=NO_SLIPCOVER,
        ci=2,
        long=50,
    ),
    Row(
        "life-dying-code",
        FAMILY,
        "code objects die while other threads run and collect them",
        "`exec`, `gc.collect`, a switch interval of 10 µs",
        simple(DYING_CODE, prepare=_branches),
        "runtime/ext/codemap.h",
        tools=NO_SLIPCOVER,
        ci=2,
        long=50,
    ),
    Row(
        "life-signals",
        FAMILY,
        "signal handlers interrupt new code 2,000 times a second",
        "`setitimer(0.0005)`",
        simple(SIGNALS, prepare=_branches),
        "docs/tracers.md",
        long=10,
    ),
    Row(
        "life-small-stack",
        FAMILY,
        "a thread with as little stack as Python allows (48 KiB; 3.14: 52) is the first to run a "
        "file's code",
        "`threading.stack_size(48 * 1024)`",
        simple(SMALL_STACK, files={"p_first.py": FIRST}, prepare=_branches),
        "docs/tracers.md",
    ),
    Row(
        "life-asyncio",
        FAMILY,
        "tasks are cancelled, generators are left in the middle, work goes to an executor",
        "`asyncio`",
        simple(ASYNC, prepare=_branches),
        "docs/tracers.md",
        long=10,
    ),
    Row(
        "life-greenlet",
        FAMILY,
        "greenlets switch stacks in the middle of new code",
        "`greenlet`",
        functools.partial(with_module, "greenlet", GREENLETS),
        "docs/tracers.md",
        long=10,
    ),
    Row(
        "life-gevent",
        FAMILY,
        "gevent has patched everything; greenlets, a thread, a fork",
        "`gevent.monkey.patch_all()`",
        functools.partial(with_module, "gevent", GEVENT),
        "docs/tracers.md",
        long=10,
    ),
    option("option-OO", ("-OO",), {}, "`-OO`"),
    option("option-dev", ("-X", "dev"), {}, "`-X dev`"),
    option("option-W-error", ("-W", "error"), {}, "`-W error`"),
    option("option-malloc-debug", (), {"PYTHONMALLOC": "debug"}, "`PYTHONMALLOC=debug`"),
    Row(
        "life-subinterpreters",
        FAMILY,
        "three interpreters run in threads of their own; what the main one runs meanwhile",
        "`concurrent.interpreters`",
        subinterpreters,
        "docs/design.md",
    ),
    Row(
        "life-embedded",
        FAMILY,
        "a C program starts Python, ends it, starts it again, and aborts",
        "a program that is linked with libpython",
        embedded,
        "docs/design.md",
        long=5,
    ),
    Row(
        "life-pid-1",
        FAMILY,
        "the run is PID 1 of a container, and an orphan outlives the program",
        "`unshare --pid --fork --mount-proc`",
        pid_1,
        "docs/supervisor.md, The end",
    ),
    Row(
        "life-new-environment",
        FAMILY,
        "children are started with an empty environment, an allow-list, and their own idea of "
        "our variable; and their children",
        "`subprocess.run(env={})`",
        simple(NEW_ENVIRONMENT, files={"p_child.py": NEW_CHILD}, prepare=Site.adopting),
        "docs/segment.md, Adoption",
        without=NO_ADOPT,
    ),
    Row(
        "life-other-user",
        FAMILY,
        "a forked child becomes another user",
        "`setresuid(65534)`",
        functools.partial(as_root, OTHER_USER),
        "docs/segment.md, Life",
    ),
    Row(
        "life-drops-rights",
        FAMILY,
        "the program itself becomes another user",
        "`setresuid(65534)`",
        functools.partial(as_root, DROPS_RIGHTS),
        "docs/backend.md, The end",
    ),
    Row(
        "life-chroot",
        FAMILY,
        "a forked child changes its root",
        "`os.chroot`",
        functools.partial(as_root, CHROOT),
        "docs/segment.md, Windows",
    ),
]
