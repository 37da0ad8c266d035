# SPDX-License-Identifier: Apache-2.0
"""Rows: room runs out. Memory, disk, addresses, descriptors."""

from __future__ import annotations

import contextlib
import functools
import resource
import signal
import sys
import uuid
from pathlib import Path

from reliability_support import (
    OURS,
    PLUGIN,
    RUN,
    Ended,
    NotHere,
    Result,
    Row,
    Site,
    Without,
    needs_root,
    needs_unshare,
    on_tmpfs,
    simple,
)

FAMILY = "Room"

MANY = """
    # Runs new code in many files and contexts, in the program and in a child.
    from witness import ran, took
    import importlib, os

    FOLDER = os.path.dirname(os.path.abspath(__file__))

    def module(name, functions):
        text = "from witness import ran, took\\n"
        for n in range(functions):
            text += f"def test_{n}(flag):\\n    if flag:\\n        took()\\n    return flag\\n"
            text += "\\n" * 600
        text += f"\\nfor n in range({functions}):\\n    globals()[f'test_{{n}}'](1)\\nran()\\n"
        with open(os.path.join(FOLDER, f"{name}.py"), "w") as file:
            file.write(text)
        importlib.invalidate_caches()
        importlib.import_module(name)

    def many(prefix, modules, functions=20):
        for n in range(modules):
            module(f"{prefix}{n}", functions)
"""

WITH_MANY = {"p_many.py": MANY}

WORK = """
    import p_many
    from witness import hold, ran
    import os, signal, sys
    hold()
    ran()
    p_many.many("p_a", 10)
    pid = os.fork()
    if pid == 0:
        p_many.many("p_b", 10)
        ran()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    ran()
"""


def private_shm(size: str, site: Site, times: int) -> Result:
    """/dev/shm of this size, in a mount namespace; no folder is named for the segment."""
    on_tmpfs(site, "/dev/shm", size, "1777")
    site.adopting()
    site.branch = True
    site.rc = "dynamic_context = test_function\n"
    return site.run(WORK, files=WITH_MANY)


FILLER = """
    import p_many
    from witness import hold, ran
    import os
    hold()
    ran()
    p_many.many("p_a", 4)
    # All that is left, to the last page.
    with open("full/filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            ran()
    p_many.many("p_b", 60, 60)
    pid = os.fork()
    if pid == 0:
        p_many.many("p_c", 5)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    ran()
    os.unlink("full/filler")
    p_many.many("p_d", 1)
    ran()
"""


def full_tmpfs(site: Site, times: int) -> Result:
    full = site.folder / "full"
    full.mkdir()
    on_tmpfs(site, full, "10m", "700")
    site.branch = True
    site.rc = "dynamic_context = test_function\n"
    site.env["SHMCOV_DIR"] = str(full)
    return site.run(FILLER, files=WITH_MANY)


def small_segment(site: Site, times: int) -> Result:
    site.env["SHMCOV_SIZE"] = "1M"
    site.branch = True
    site.rc = "dynamic_context = test_function\n"
    return site.run(WORK.replace('"p_b", 10', '"p_b", 40, 60'), files=WITH_MANY)


DISK = """
    # A small disk for the data file. What was saved earlier is on it.
    set -e
    mkdir -p data
    mount -t tmpfs -o size=$1 tmpfs data
    when=$2
    shift 2
    cp old.data data/.coverage
    if [ $when = before ]; then cat /dev/zero > data/filler 2>/dev/null || true; fi
    "$@" && status=0 || status=$?
    echo $status > status
    cp data/.coverage after-failure.data 2>/dev/null || true
    rm -f data/filler data/.coverage-journal
    mount -o remount,size=10m data
    # The user makes room, and does what the message says.
    sed -n 's/.*\\(shmcov salvage [^ ]*\\).*/\\1/p' stderr | head -n 1 > named
    export PATH="$(dirname "$PYTHON"):$PATH"
    if [ -s named ]; then sh -c "$(cat named) --rcfile=rc" || true; fi
    cp data/.coverage . 2>/dev/null || true
    exit 0
"""

FILLS_DISK = """
    import p_many
    from witness import ran
    import os
    ran()
    p_many.many("p_a", 10)
    with open("data/filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            ran()
    p_many.many("p_b", 10)
    ran()
"""

OLD = """
    from witness import ran
    ran()
"""


def full_disk(when: str, site: Site, times: int) -> Result:
    needs_root()
    needs_unshare("-m")
    # The old file is made without the tool's help, and is what a failure must not cost.
    old = Site(RUN)
    try:
        old.write("p_old.py", OLD)
        old.measure("p_old.py")
        (site.folder / "old.data").write_bytes(old.data_file.read_bytes())
    finally:
        old.close()
    site.env["PYTHON"] = sys.executable
    site.write("p_many.py", MANY)
    site.write("p_main.py", FILLS_DISK if when == "during" else OLD)
    if when == "merge":
        # Room for the old file, and not for a second one of many rows beside it.
        site.write("p_main.py", "import p_many\np_many.many('p_a', 40, 30)\n")
    script = site.write("disk.sh", DISK)
    size = {"before": "200k", "during": "400k", "merge": "120k"}[when]
    site.wrap = ("unshare", "-m", "sh", str(script), size, when)
    real = site.data_file
    site.data_file = site.folder / "data" / ".coverage"
    ended = site.measure("p_main.py")
    site.data_file = real
    result = site.result(Ended(ended.status, "", ended.killed))
    status = (site.folder / "status").read_text().strip()
    after = site.folder / "after-failure.data"
    named = (site.folder / "named").read_text().strip()
    content = after.read_bytes() if after.exists() else b""
    # coverage.py erases the old file first, which may make the room that was missing.
    saved = bool(content) and not site.reported() - site.recorded(after)
    if not saved and content != (site.folder / "old.data").read_bytes():
        text = "the old data file is gone"
        (result.bad if site.tool in OURS else result.notes).append(text)
    if not saved and site.tool in OURS:
        result.notes.append("after the command that it names")
        if status == "0":
            result.bad.append("a failed save ends with exit status 0")
        if not named:
            result.bad.append("no command is named")
    return result


# -- limits of the process --

LIMITED = """
    import p_many, p_before
    from witness import hold, ran
    import ctypes, os, resource, sys
    hold()
    ran()
    {limit}
    ran()
    p_before.run(p_before.here)
    ran()
    pid = os.fork()
    if pid == 0:
        p_before.run(p_before.there)
        ran()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    ran()
    {after}
"""

BEFORE = """
    # Modules that are made and imported before there is a limit, and run when there is one.
    from witness import ran
    import importlib, os
    FOLDER = os.path.dirname(os.path.abspath(__file__))
    FUNCTIONS = 30
    def made(prefix, modules=20):
        text = "from witness import ran, took\\n"
        for f in range(FUNCTIONS):
            text += f"def f{f}(flag):\\n    if flag:\\n        took()\\n"
            text += "\\n" * 600
        names = [f"{prefix}{n}" for n in range(modules)]
        for name in names:
            with open(os.path.join(FOLDER, f"{name}.py"), "w") as file:
                file.write(text)
        importlib.invalidate_caches()
        return [importlib.import_module(name) for name in names]
    here, there = made("p_m"), made("p_n")
    def run(modules):
        for module in modules:
            for f in range(FUNCTIONS):
                getattr(module, f"f{f}")(1)
        ran()
"""


def limited(limit: str, site: Site, times: int, after: str = "") -> Result:
    site.branch = True
    files = {**WITH_MANY, "p_before.py": BEFORE}
    return site.run(LIMITED.format(limit=limit, after=after), files=files)


def limit_as(site: Site, times: int) -> Result:
    """Little more than the process has; a segment that maps all of itself would not fit."""
    limit = (
        "used = int(open('/proc/self/statm').read().split()[0]) * 4096;"
        " resource.setrlimit(resource.RLIMIT_AS, (used + (96 << 20),) * 2)"
    )
    return limited(limit, site, times)


def fsize(site: Site, times: int) -> Result:
    """The limit is there from the start, for everything; a segment of 64 GB would be SIGXFSZ."""
    site.wrap = ("sh", "-c", 'ulimit -f 40960; exec "$@"', "sh")
    program = LIMITED.format(limit="pass", after="").replace("p_many, ", "")
    return site.run(program, files={"p_before.py": BEFORE})


CORE = """
    import p_before
    from witness import hold, ran
    import os, resource
    hold()
    ran()
    p_before.run(p_before.here)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    with open("/proc/self/coredump_filter", "w") as file:
        file.write("0x3b")
    ran()
    os.abort()
"""


def core_dump(site: Site, times: int) -> Result:
    """The segment is not part of it: the core is as large as without a tool, or nearly so."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or pattern.startswith("|"):
        raise NotHere("cores do not lie in the working folder (kernel.core_pattern)")
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        raise NotHere("RLIMIT_CORE is limited")
    site.write("p_before.py", BEFORE)
    site.write("p_main.py", CORE)
    # coverage.py, which the plug-in lives in, is no part of the segment.
    load = "import shmcov.backend.hooks, " if site.tool == PLUGIN else "import "
    run = "runpy; runpy.run_path('p_main.py', run_name='__main__')"
    site.execute([sys.executable, "-c", load + run])
    bare = _core(site)
    site.log.write_text("")
    ended = site.measure("p_main.py")
    mine = _core(site)
    result = site.result(ended, -signal.SIGABRT)
    if not bare or not mine:
        raise NotHere("no core was written")
    result.notes.append(f"core {mine / bare:.1f} x as large as bare")
    # A window of the segment has 16 MiB.
    if site.tool in OURS and mine > bare + (12 << 20):
        result.bad.append("the segment is in the core")
    return result


def _core(site: Site) -> int:
    """The size of the core in the folder, holes included: tools copy cores with them filled."""
    cores = [path for path in site.folder.glob("core*") if path.is_file()]
    size = sum(path.stat().st_size for path in cores)
    for path in cores:
        path.unlink()
    return size


def memory_cgroup(site: Site, times: int) -> Result:
    """48 MB for the whole run; the pages of a tmpfs count."""
    needs_root()
    group = _make_cgroup(48 << 20)
    try:
        site.adopting()
        site.branch = True
        site.rc = "dynamic_context = test_function\n"
        site.wrap = ("sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh")
        return site.run(WORK.replace('"p_b", 10', '"p_b", 30'), files=WITH_MANY)
    finally:
        for _ in range(50):
            with contextlib.suppress(OSError):
                group.rmdir()
                break


def _make_cgroup(limit: int) -> Path:
    name = f"reliability-{uuid.uuid4().hex[:8]}"
    for root, file in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = root / name
        with contextlib.suppress(OSError):
            group.mkdir()
            try:
                (group / file).write_text(str(limit))
                return group
            except OSError:
                group.rmdir()
    raise NotHere("no memory cgroup can be made")


NO_FILES = (
    "import fcntl; held = []\n"
    "    while True:\n"
    "        try: held.append(os.dup(0))\n"
    "        except OSError: break\n"
)


def no_files(site: Site, times: int) -> Result:
    """Given back before the end: coverage.py, which saves there, needs some."""
    limit = "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)); " + NO_FILES
    return limited(limit, site, times, "[os.close(fd) for fd in held]")


MLOCKALL = "assert ctypes.CDLL(None).mlockall(3) == 0"


def mlockall(site: Site, times: int) -> Result:
    needs_root()
    return limited(MLOCKALL, site, times)


MEMORY_ERRORS = """
    import p_before
    from witness import hold, ran
    import os, resource
    hold()
    ran()
    used = int(open('/proc/self/statm').read().split()[0]) * 4096
    soft = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (24 << 20), soft[1]))
    held = []
    try:
        while True:
            held.append(bytearray(1 << 16))
    except MemoryError:
        ran()
    def in_need(n):
        ran()
        try:
            return [bytearray(1 << 20) for _ in range(n)]
        except MemoryError:
            ran()
    in_need(64)
    held.clear()
    resource.setrlimit(resource.RLIMIT_AS, soft)
    ran()
    p_before.run(p_before.here)
    ran()
"""


def _before(site: Site) -> None:
    site.branch = True
    site.write("p_before.py", BEFORE)


UNBACKED = Without("`backing`", preload="backing")
ROOMY = "shm/folder.c; docs/segment.md, Room"

ROWS = [
    *(
        Row(
            f"room-shm-{size}",
            FAMILY,
            f"`/dev/shm` has {size[:-1]} MB",
            "`unshare -m`, a tmpfs of that size",
            functools.partial(private_shm, size),
            ROOMY,
        )
        for size in ("1m", "4m", "64m")
    ),
    Row(
        "room-tmpfs-fills",
        FAMILY,
        "the program fills the tmpfs that its own segment lies on, to the last page, and later "
        "makes room",
        "`unshare -m`, `SHMCOV_DIR` on a tmpfs of 10 MB",
        full_tmpfs,
        "shm/arena.c; docs/segment.md, Room",
        without=UNBACKED,
        may_lose=True,
    ),
    Row(
        "room-segment-full",
        FAMILY,
        "the segment may hold 1 MB, and the program needs more",
        "`SHMCOV_SIZE=1M`",
        small_segment,
        "docs/segment.md, Room",
        tools=OURS,
        may_lose=True,
    ),
    Row(
        "room-disk-full",
        FAMILY,
        "the disk of the data file is full when the run begins; an old data file is on it",
        "a tmpfs of 200 KB, filled; room is made afterwards, and the command that was named is run",
        functools.partial(full_disk, "before"),
        "docs/supervisor.md, The end",
        without=Without("coverage.py itself", tool="coverage.py"),
    ),
    Row(
        "room-disk-fills",
        FAMILY,
        "the disk of the data file fills while the program runs",
        "a tmpfs of 400 KB that the program fills",
        functools.partial(full_disk, "during"),
        "docs/supervisor.md, The end",
        without=Without("coverage.py itself", tool="coverage.py"),
    ),
    Row(
        "room-merge-fills",
        FAMILY,
        "the disk fills in the middle of the merge",
        "a tmpfs of 120 KB, less than the data",
        functools.partial(full_disk, "merge"),
        "docs/merge.md",
        without=None,
    ),
    Row(
        "room-fsize",
        FAMILY,
        "RLIMIT_FSIZE of 20 MB for the whole run",
        "`ulimit -f 40960`",
        fsize,
        ROOMY,
    ),
    Row(
        "room-fsize-0",
        FAMILY,
        "the program sets RLIMIT_FSIZE to 0 for its child",
        "`setrlimit(RLIMIT_FSIZE, (0, …))` after fork",
        simple(
            """
    import p_before
    from witness import ran
    import os, resource, sys
    ran()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        p_before.quiet(30)
        os.write(write, str(sys._getframe().f_lineno).encode())
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert status == 0, status
    ran()
    p_before.told()
""",
            files={
                "p_before.py": """
    # A process that may write no file cannot say what ran in one: its parent says it.
    from witness import ran
    def quiet(n):
        total = 0
        for k in range(n):
            if k % 2:
                total += k
        return total
    def told():
        import witness
        for line in (4, 5, 6, 7, 8):
            witness.report("p_before.py", 0, line)
"""
            },
        ),
        "docs/segment.md, Room",
    ),
    Row(
        "room-address-space",
        FAMILY,
        "RLIMIT_AS of 96 MB above what the process has",
        "`setrlimit(RLIMIT_AS)`",
        limit_as,
        "docs/segment.md, Windows",
    ),
    Row(
        "room-memory-error",
        FAMILY,
        "memory runs out (MemoryError) while new code runs, and comes back",
        "`setrlimit(RLIMIT_AS)`, then everything is taken",
        simple(MEMORY_ERRORS, prepare=_before),
        "runtime/ext; docs/design.md",
        may_lose=True,
    ),
    Row(
        "room-descriptors",
        FAMILY,
        "no descriptor is left",
        "`setrlimit(RLIMIT_NOFILE, 256)`, `dup` until it fails",
        no_files,
        "docs/segment.md, Windows",
    ),
    Row(
        "room-mlockall",
        FAMILY,
        "all memory of the process is locked, that to come as well",
        "`mlockall(MCL_CURRENT | MCL_FUTURE)`",
        mlockall,
        "docs/segment.md, Windows",
    ),
    Row(
        "room-core",
        FAMILY,
        "the process dumps core",
        "`setrlimit(RLIMIT_CORE, unlimited)`, shared files in `coredump_filter`, `abort()`",
        core_dump,
        "docs/segment.md, Windows",
        without=Without("`dontdump`", preload="dontdump"),
        long=5,
    ),
    Row(
        "room-cgroup",
        FAMILY,
        "a memory cgroup of 48 MB for the whole run",
        "`memory.max` or `memory.limit_in_bytes`",
        memory_cgroup,
        "shm/headroom.c",
        long=5,
    ),
]
