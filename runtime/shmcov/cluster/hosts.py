# SPDX-License-Identifier: Apache-2.0
"""One run on many hosts: each host has a segment, and its rows come home. docs/hosts.md.

An engine (Dask, Ray, Spark, anything that calls Python functions where its workers are) carries a
`Run` to its workers and calls these functions there. They import nothing but `_shmcov`, for they
run in measured processes; what needs coverage.py runs in a process of its own (`helper.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _shmcov

VARIABLE = "SHMCOV_SEGMENT"

RUN = "SHMCOV_RUN"
"""The environment variable by which a process knows that it is measured only until the run ends."""

Rules = list[tuple[int, str]]


@dataclass(frozen=True)
class Run:
    """What a host has to know of a run. It travels there, so it holds nothing but plain values."""

    id: str
    home: str
    """The segment of the process that began the run, and that all rows go to in the end."""
    machine: str
    """Where that is."""
    folder: str
    flags: int
    rules: Rules
    """Those of `home`, with folders of that machine."""
    size: int = 0


@dataclass(frozen=True)
class Rows:
    """What came of a run on one host."""

    host: str
    data: bytes
    """A data file of coverage.py's."""
    losses: Sequence[str]
    packages: Sequence[Sequence[str]]


class HostError(RuntimeError):
    """A host cannot take part in a run; the message says which, and why."""


def machine() -> str:
    """Names the kernel and the file systems that a process sees: who shares memory with it."""
    boot = _text("/proc/sys/kernel/random/boot_id")
    return f"{os.uname().nodename} {boot} {_mounts()}"


def _mounts() -> int:
    try:
        return Path("/proc/self/ns/mnt").stat().st_ino
    except OSError:
        return 0


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


# -- the segment of a host --


def segment(run: Run) -> str:
    """The name of this host's segment, which is made if there is none. HostError, OSError.

    All processes of this user on one host get the same one.
    """
    if is_home(run):
        return run.home
    with _noted(run) as note:
        name: str = note.read()
        if name and _usable(name):
            return name
        path, fd = _shmcov.create(run.flags, _rules_here(run), None, run.size)
        os.close(fd)
        note.write(name := _shmcov.name_of(path))
    return name


def is_home(run: Run) -> bool:
    """Does this process share the memory of the one that began the run?"""
    return run.machine.split()[1:2] == machine().split()[1:2] and _usable(run.home)


def known(run: Run) -> str | None:
    """The name of this host's own segment, if it has one."""
    with _noted(run, create=False) as note:
        return note.read() or None if note else None


def _usable(name: str) -> bool:
    try:
        os.close(_shmcov.open_segment(name, True))
    except (OSError, ValueError):
        return False
    return True


def _rules_here(run: Run) -> Rules:
    answer = _helper("rules", {"flags": run.flags, "rules": run.rules}, run.folder)
    return [(kind, text) for kind, text in answer["rules"]]


class _Note:
    """A small file in which the processes of one host read which segment is theirs."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self) -> str:
        return os.fsdecode(os.pread(self._fd, 4096, 0))

    def write(self, name: str) -> None:
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, os.fsencode(name), 0)


def _note_path(run: Run) -> Path:
    # Hosts that share the folder, as containers may, do not share memory.
    name = f"shmcov-{os.geteuid()}-{run.id}-{_mounts()}"
    return Path(tempfile.gettempdir(), name)


@contextlib.contextmanager
def _noted(run: Run, *, create: bool = True) -> Iterator[Any]:
    """The note of this host, which nobody else reads or writes meanwhile. None: there is none."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    path = _note_path(run)
    try:
        fd = os.open(path, flags, 0o600)
    except FileNotFoundError:
        yield None
        return
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise HostError(f"{path} is not a file of this user: remove it")
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield _Note(fd)
    finally:
        os.close(fd)


# -- a process of a host --


def attach(run: Run) -> bool:
    """Measures this process from now on, and what it starts. False: it was measured already, by
    this run. HostError: by another one."""
    name = segment(run)
    path = _path_of(name)
    now = _shmcov.attached()
    if now == path and _shmcov.recording():
        return False
    if now is not None and now != path and _shmcov.recording() and _usable(now):
        raise HostError(
            f"Process {os.getpid()} on {os.uname().nodename} is measured by another run, whose "
            f"segment is {now}: end that run, or start the workers outside of it"
        )
    if now == path:
        _shmcov.resume()
    else:
        _shmcov.start(name)
    os.environ[VARIABLE] = name
    return True


def detach(run: Run) -> None:
    """Ends what attach() began."""
    names = {run.home, known(run)} - {None}
    if os.environ.get(VARIABLE) in names:
        del os.environ[VARIABLE]
    os.environ.pop(RUN, None)
    now = _shmcov.attached()
    if now is not None and _shmcov.name_of(now) in names:
        _shmcov.leave()


def _path_of(name: str) -> str:
    return name.split(":", 2)[-1] if name.startswith("shared-by:") else name


def imported_before() -> list[str]:
    """The modules that this process imported before it was attached, and that the run measures:
    what ran when they were imported is not in its data."""
    found = []
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        main = name in ("__main__", "__mp_main__")
        if isinstance(path, str) and path.endswith(".py") and not main:
            path = os.path.realpath(path)
            if _shmcov.measured(path, path, name):
                found.append(name)
    return sorted(found)


# -- the end --


def collect(run: Run, wait: float = 2.0) -> Rows | None:
    """What was recorded on this host by now. None: nothing was, or it is at home already."""
    name = known(run)
    if name is None:
        return None
    folder = tempfile.mkdtemp(prefix="shmcov-")
    try:
        data = Path(folder, "data")
        task = {"segment": _path_of(name), "data": str(data), "wait": wait}
        answer = _helper("collect", task, run.folder)
        content = data.read_bytes()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Rows(machine(), content, answer["losses"], answer["packages"])


def discard(run: Run) -> None:
    """Removes the segment of this host: its rows are where they belong."""
    name = known(run)
    if name is not None:
        with contextlib.suppress(OSError):
            _shmcov.remove(_path_of(name))
        with contextlib.suppress(OSError):
            _note_path(run).unlink()


# -- what needs coverage.py --


def _helper(task: str, facts: dict[str, Any], folder: str | None = None) -> Any:
    """Has a process of its own do a task of helper.py. HostError."""
    environment = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("SHMCOV_", "COVERAGE_"))
    }
    facts = {**facts, "path": [place for place in sys.path if place]}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "shmcov.cluster.helper", task],
        input=json.dumps(facts),
        capture_output=True,
        text=True,
        env={**environment, VARIABLE: "none"},  # it would find the run through its parent
        cwd=folder if folder and Path(folder).is_dir() else None,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
        raise HostError(f"{os.uname().nodename}: {last[0]}")
    return json.loads(done.stdout)
