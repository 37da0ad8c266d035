# SPDX-License-Identifier: Apache-2.0
"""Segments on this machine: where they are, whether their run is alive, opening one for reading.

What is in a segment is read by `shmcov._merge`, from a private copy. A segment belongs to one user,
and nobody else's is opened, root's included: what it says was written by processes of that user.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import _shmcov

from shmcov import _merge

VARIABLE = "SHMCOV_SEGMENT"


class SegmentNotUsable(Exception):
    """A file that is no segment of this user, in words."""


def folders() -> list[Path]:
    """Where segments are made: shm/segment.h, seg_folder_name()."""
    return [Path(f"{place}/shmcov-{os.geteuid()}") for place in ("/dev/shm", "/tmp", "/var/tmp")]


def create(
    flags: int, rules: list[tuple[int, str]], folder: str | None, size: int
) -> tuple[str, int]:
    """A new segment: its path, and a descriptor to read it with. OSError."""
    if folder:
        Path(folder).mkdir(mode=0o700, exist_ok=True)
    for _ in range(3):
        # The end of another run removes the folder if it is empty.
        with contextlib.suppress(FileNotFoundError):
            return _shmcov.create(flags, rules, folder, size)
    return _shmcov.create(flags, rules, folder, size)


def found() -> list[Path]:
    """The segments of this user, oldest first."""
    paths: list[tuple[float, Path]] = []
    for folder in folders():
        with contextlib.suppress(OSError):
            for path in folder.glob("run-*"):  # the others are not finished
                with contextlib.suppress(OSError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode):
                        paths.append((status.st_mtime, path))
    return [path for _, path in sorted(paths)]


def open_segment(path: Path) -> int:
    """A descriptor to read a segment from, if it is one that this user may trust."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SegmentNotUsable(f"Cannot open the segment {path}: {error.strerror}") from error
    status = os.fstat(fd)
    why = ""
    if not stat.S_ISREG(status.st_mode):
        why = "it is not a regular file"
    elif status.st_uid != os.geteuid():
        why = f"it belongs to user {status.st_uid}; run this as that user"
    elif status.st_nlink > 1:
        why = "it has several names"
    elif status.st_mode & 0o077:
        why = "others may read or write it"
    if why:
        os.close(fd)
        raise SegmentNotUsable(f"{path} cannot be used as a segment: {why}")
    return fd


def read(path: Path, fd: int, *, any_size: bool = False) -> _merge.Copy:
    """A private copy of the segment, with all that is wrong in words that name it."""
    try:
        copy = _merge.Copy(fd)
    except _merge.SegmentError as error:
        raise SegmentNotUsable(f"{path} cannot be read: {error}") from error
    if not any_size and copy.info()["size"] != os.fstat(fd).st_size:
        raise SegmentNotUsable(
            f"{path} has not the size that it was made with. `shmcov salvage --force` takes what "
            "is still good in it"
        )
    return copy


def remove(path: Path) -> None:
    """Removes a segment, and folders that are empty: where one is, every process looks into it."""
    path.unlink(missing_ok=True)
    for folder in folders():
        with contextlib.suppress(OSError):
            folder.rmdir()


@dataclass(frozen=True)
class Process:
    """A process that a segment knows. The pid alone does not say which one it was."""

    pid: int
    start: int
    namespace: int

    @classmethod
    def of_row(cls, row: _merge.Process) -> Process:
        return cls(row["pid"], row["start"], row["ns"])

    def alive(self) -> bool:
        """Runs, here and now. False where that cannot be known: in another pid namespace."""
        if self.namespace != _namespace():
            return False
        try:
            state, start = _state_and_start(self.pid)
        except OSError:
            return False
        return state not in "ZX" and start == self.start

    def command(self) -> str:
        """What it runs, the program by its name alone."""
        with contextlib.suppress(OSError):
            args = Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")
            args[0] = args[0].rpartition(b"/")[2]
            return " ".join(os.fsdecode(arg) for arg in args if arg)
        return ""

    def maps(self, path: Path) -> bool:
        """Has it this segment mapped? A process that became another program has not."""
        try:
            return os.fsencode(path) in Path(f"/proc/{self.pid}/maps").read_bytes()
        except OSError:
            return True


def running(copy: _merge.Copy, path: Path) -> list[Process]:
    """The processes that still record into a segment, but for this one."""
    rows = [Process.of_row(row) for row in copy.processes()]
    return [
        process
        for process in dict.fromkeys(rows)
        if process.pid != os.getpid() and process.alive() and process.maps(path)
    ]


STARTING = 0.5
"""Seconds in which an interpreter that starts has come to its start-up files, and attaches."""


def starting(path: Path) -> list[Process]:
    """Processes that have been started just now with the variable, and may be about to attach."""
    wanted = os.fsencode(f"{VARIABLE}={path}")
    since = time.clock_gettime(time.CLOCK_BOOTTIME) - STARTING
    youngest = int(since * os.sysconf("SC_CLK_TCK"))
    young = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            if folder.stat().st_uid != os.geteuid():
                continue
            state, start = _state_and_start(int(folder.name))
            if state in "ZX" or start < youngest:
                continue
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                young.append(Process(int(folder.name), start, _namespace()))
    return young


def _state_and_start(pid: int) -> tuple[str, int]:
    text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    # The name, in parentheses, may itself hold any of them.
    fields = text[text.rindex(")") + 1 :].split()
    return fields[0], int(fields[19])


def _namespace() -> int:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return -1


def in_words(size: int) -> str:
    """A number of bytes for people."""
    for shift, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >> shift:
            return f"{size / (1 << shift):.1f} {unit}"
    return f"{size} B"


def age_in_words(since: float) -> str:
    seconds = max(0, int(time.time() - since))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[int]:
    fd = open_segment(path)
    try:
        yield fd
    finally:
        os.close(fd)
