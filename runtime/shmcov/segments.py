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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import _shmcov
from coverage.misc import isolate_module

from shmcov import _merge
from shmcov.plan import Rule
from shmcov.settings import Settings

os = isolate_module(os)
_open = open

VARIABLE = "SHMCOV_SEGMENT"


class SegmentNotUsable(Exception):
    """A file that is no segment of this user, in words."""


def leftover_path(path: str) -> str:
    """Where a segment is once it has been set aside."""
    folder, name = os.path.split(path)
    return os.path.join(dict(_shmcov.folders()).get(folder, folder), name)


def name_of(path: str) -> str:
    """What SHMCOV_SEGMENT says of the segment at `path`: shm/segment.h, SEG_SHARED_BY."""
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        if stat.S_IMODE(status.st_mode) == _shmcov.MODE_SHARED:
            return f"{_shmcov.SHARED_BY}{status.st_uid}:{path}"
    return path


def create(flags: int, rules: list[tuple[int, str]], own: Settings) -> tuple[str, int]:
    """A new segment: its path, and a descriptor to read and write it with. OSError."""
    flags |= 0 if own.adopt else _shmcov.FLAG_NO_ADOPT
    flags |= _shmcov.FLAG_CONTEXTS if own.contexts else 0
    flags |= _shmcov.FLAG_OTHERS if own.other_users else 0
    if own.other_users and any(kind == Rule.FILE_TRACERS for kind, _ in rules):
        raise OSError(
            "other users can't be admitted to a run with file tracer plug-ins: whoever may write "
            "into the segment would choose what code they load"
        )
    _shmcov.sweep()
    if own.folder:
        with contextlib.suppress(FileExistsError):
            os.mkdir(own.folder, 0o711 if own.other_users else 0o700)
    for _ in range(3):
        # The end of another run removes the folder if it is empty.
        with contextlib.suppress(FileNotFoundError):
            return _shmcov.create(flags, rules, own.folder, own.size)
    return _shmcov.create(flags, rules, own.folder, own.size)


def found() -> list[Path]:
    """The segments of this user, oldest first, and those that are left over before all others."""
    live = [folder for folder, _ in _shmcov.folders()]
    return leftovers() + _segments_in(live)


def leftovers() -> list[Path]:
    """The segments that nobody will deliver any more, oldest first."""
    return _segments_in([left for _, left in _shmcov.folders()])


def _segments_in(folders: Sequence[str]) -> list[Path]:
    paths: list[tuple[float, Path]] = []
    for folder in folders:
        with contextlib.suppress(OSError):
            for path in Path(folder).glob("run-*"):  # the others are not finished
                with contextlib.suppress(OSError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode):
                        paths.append((status.st_mtime, path))
    return [path for _, path in sorted(paths)]


def open_segment(path: str | Path, *, writable: bool = False) -> int:
    """A descriptor for a segment, if it is one that this user may trust."""
    flags = os.O_RDWR if writable else os.O_RDONLY
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except IsADirectoryError as error:
        text = f"{path} cannot be used as a segment: it is not a regular file"
        raise SegmentNotUsable(text) from error
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
    elif status.st_mode & 0o077 and stat.S_IMODE(status.st_mode) != _shmcov.MODE_SHARED:
        why = "others may read or write it"
    if why:
        os.close(fd)
        raise SegmentNotUsable(f"{path} cannot be used as a segment: {why}")
    return fd


def read(path: str | Path, fd: int, *, any_size: bool = False) -> _merge.Copy:
    """A private copy of the segment, with all that is wrong in words that name it."""
    try:
        copy = _merge.Copy(fd)
    except _merge.SegmentError as error:
        raise SegmentNotUsable(f"{path} cannot be read: {error}") from error
    if not any_size and copy.info()["size"] != os.fstat(fd).st_size:
        raise SegmentNotUsable(
            f"{path} was truncated or resized after it was created. `shmcov salvage --force` takes "
            "what is still good in it"
        )
    return copy


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
        if self.namespace != namespace():
            return False
        try:
            state, start = _state_and_start(self.pid)
        except OSError:
            return False
        return state not in "ZX" and start == self.start

    def command(self) -> str:
        """What it runs, the program by its name alone."""
        with contextlib.suppress(OSError):
            args = _read(f"/proc/{self.pid}/cmdline").split(b"\0")
            args[0] = args[0].rpartition(b"/")[2]
            return " ".join(os.fsdecode(arg) for arg in args if arg)
        return ""


def _read(path: str) -> bytes:
    with _open(path, "rb") as file:
        return file.read()


def _state_and_start(pid: int) -> tuple[str, int]:
    text = _read(f"/proc/{pid}/stat").decode(errors="replace")
    # The name, in parentheses, may itself hold any of them.
    fields = text[text.rindex(")") + 1 :].split()
    return fields[0], int(fields[19])


def namespace() -> int:
    """Of pids. -1: unknown."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return -1


LEFT = "segments-left"
"""The slug of leftover_notice()."""


def leftover_notice() -> str | None:
    """What to tell of the segments that runs in the current folder have left over, or None."""
    lines, total, here = [], 0, os.getcwd()
    for path in leftovers():
        with contextlib.suppress(SegmentNotUsable), opened(path) as fd:
            info = read(path, fd, any_size=True).info()
            if (Rule.FOLDER, here) in info["rules"]:
                lines.append(f"\n    {path}  {described(info)}")
                total += info["allocated"]
    if not lines:
        return None
    return (
        f"Earlier runs here ended without saving their data, which takes {in_words(total)}:"
        + "".join(lines)
        + "\n`shmcov salvage SEGMENT` or `--all` writes it, with --discard throws it away."
    )


def described(info: _merge.Info) -> str:
    """What a segment belongs to."""
    named = {kind: text for kind, text in info["rules"] if kind in (Rule.COMMAND, Rule.FOLDER)}
    text = f"{age_in_words(info['created'])} old, {in_words(info['allocated'])}"
    if Rule.COMMAND in named:
        text += f": {named[Rule.COMMAND]}"
    if Rule.FOLDER in named:
        text += f" (in {named[Rule.FOLDER]})"
    return text


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
def opened(path: str | Path) -> Iterator[int]:
    fd = open_segment(path)
    try:
        yield fd
    finally:
        os.close(fd)
