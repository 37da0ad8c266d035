# SPDX-License-Identifier: Apache-2.0
"""Runs a command to its end, and says what it and all its descendants took."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10.0
"""Seconds for what a command leaves behind, such as the workers of a forkserver."""

SAMPLE = 0.05
"""Seconds between two looks at memory."""

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


@dataclass(frozen=True)
class Run:
    """What a process took, with all of its descendants."""

    status: int
    """As a shell has it, but negative for a signal."""
    cpu: float
    wall: float
    written: int | None
    """Bytes passed to write(), whatever they were for; None where /proc does not say."""
    memory: int
    """The most bytes that all processes had at a time; 0 if nobody looked."""
    left: int
    """Processes that it left behind, and that had to be killed."""


def run(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    cwd: Path,
    out: Path,
    err: Path | None = None,
    *,
    look_at_memory: bool = False,
) -> Run:
    """What it prints goes to files; without `err`, both into `out`."""
    adopt_orphans()
    written = _written()
    with contextlib.ExitStack() as stack:
        to = stack.enter_context(out.open("wb"))
        also = stack.enter_context(err.open("wb")) if err else to
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        process = subprocess.Popen(
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=to, stderr=also
        )
        memory = stack.enter_context(_Memory(process.pid)) if look_at_memory else None
        try:
            status = process.wait()
            wall = time.perf_counter() - start
            left = _reap(PATIENCE)
        except BaseException:  # Ctrl-C, which the terminal has sent to the command as well
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=PATIENCE)
            _kill()
            process.wait()
            _reap(PATIENCE)
            raise
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    now = _written()
    more = None if written is None or now is None else now - written
    return Run(status, cpu, wall, more, memory.most if memory else 0, left)


def adopt_orphans() -> None:
    """Makes orphans our children, so that what they take counts."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def _reap(patience: float) -> int:
    """Waits for orphans; returns how many had to be killed."""
    end = time.monotonic() + patience
    killed = 0
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return killed
        if pid == 0:
            if time.monotonic() > end:
                killed += _kill()
                end = time.monotonic() + patience
            time.sleep(0.001)


def _kill() -> int:
    """Kills all of our descendants."""
    pids = list(_descendants(os.getpid()))
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(pids)


def _descendants(of: int) -> Iterator[int]:
    # A thread's children are in its own file; who forks is mostly, but not always, the main one.
    for file in Path(f"/proc/{of}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for word in file.read_text().split():
                yield int(word)
                yield from _descendants(int(word))


def _written() -> int | None:
    """The bytes that we and all children that were waited for have passed to write()."""
    try:
        match = re.search(r"^wchar: (\d+)$", Path("/proc/self/io").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) if match else None


class _Memory(threading.Thread):
    """Looks again and again at the memory of a process and its descendants. What several share
    counts once (PSS), as the segment of a run."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.most = 0
        self._ended = threading.Event()

    def __enter__(self) -> _Memory:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(SAMPLE):
            with contextlib.suppress(OSError):
                pids = (self.pid, *_descendants(self.pid))
                self.most = max(self.most, sum(map(_memory, pids)))


def _memory(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    match = re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0
