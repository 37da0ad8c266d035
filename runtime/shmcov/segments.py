# SPDX-License-Identifier: Apache-2.0
"""Segments on this machine: where they are, whether their run is alive, opening one for reading.

`shmcov._merge` reads a segment, from a private copy. Only segments of this user are opened, also by
root: processes of another user wrote what is in theirs.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import _shmcov
from coverage.misc import isolate_module

from shmcov import _merge, variables
from shmcov.settings import Settings

os = isolate_module(os)
_open = open

VARIABLE = variables.SEGMENT


name_of = _shmcov.name_of
"""The name of the segment at a path, for SHMCOV_SEGMENT."""


class SegmentNotUsable(Exception):
    """A file that is not a usable segment of this user; the message says why."""


class OtherVersion(SegmentNotUsable):
    """A segment that another version of shmcov made: after an upgrade some may be left over."""


def create(flags: int, rules: list[tuple[int, str]], own: Settings) -> tuple[str, int]:
    """A new segment: its path, and a descriptor to read and write it with. OSError."""
    flags |= 0 if own.adopt else _merge.FLAG_NO_ADOPT
    flags |= _merge.FLAG_CONTEXTS if own.contexts else 0
    flags |= _merge.FLAG_OTHERS if own.other_users else 0
    if own.other_users and any(kind == _merge.RULE_FILE_TRACERS for kind, _ in rules):
        raise OSError(
            "other users can't be admitted to a run with file tracer plug-ins: whoever may write "
            "into the segment would choose what code they load"
        )
    _shmcov.sweep()
    return _shmcov.create(flags, rules, own.folder, own.size)


def found() -> list[Path]:
    """The segments of this user: the left-over ones, then all others, each oldest first."""
    return leftovers() + _oldest_first(_shmcov.segments(False))


def leftovers() -> list[Path]:
    """The left-over segments of this user, oldest first."""
    return _oldest_first(_shmcov.segments(True))


def _oldest_first(names: Sequence[str]) -> list[Path]:
    paths: list[tuple[float, Path]] = []
    for path in map(Path, names):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                paths.append((status.st_mtime, path))
    return [path for _, path in sorted(paths)]


def open_segment(path: str | Path, *, writable: bool = False) -> int:
    """A descriptor for a segment, if this user may trust it."""
    try:
        return _shmcov.open_segment(path, writable)
    except OSError as error:
        raise SegmentNotUsable(f"Cannot open the segment {path}: {error.strerror}") from error
    except ValueError as error:
        raise SegmentNotUsable(f"{path} cannot be used as a segment: {error}") from error


def read(path: str | Path, fd: int, *, any_size: bool = False) -> _merge.Copy:
    """A private copy of the segment. The message of SegmentNotUsable names the segment."""
    try:
        copy = _merge.Copy(fd)
    except _merge.VersionError as error:
        raise OtherVersion(
            f"{path} was made by another version of shmcov, which can read it; `shmcov salvage "
            "--discard SEGMENT` throws it away"
        ) from error
    except _merge.SegmentError as error:
        raise SegmentNotUsable(f"{path} cannot be read: {error}") from error
    if not any_size and copy.info()["size"] != os.fstat(fd).st_size:
        raise SegmentNotUsable(
            f"{path} was truncated or resized after it was created. `shmcov salvage --force` takes "
            "what is still good in it"
        )
    return copy


class Process(NamedTuple):
    """A process in a segment. A pid alone may have been reused."""

    pid: int
    start: int
    namespace: int

    @classmethod
    def of_row(cls, row: _merge.Process) -> Process:
        return cls(row["pid"], row["start"], row["ns"])

    def alive(self) -> bool:
        """Is it running now? False if unknown: it is in another pid namespace."""
        return _shmcov.alive(self.pid, self.start, self.namespace)

    def command(self) -> str:
        """Its command line, without the folder of the program; "": unknown."""
        with contextlib.suppress(OSError):
            args = _read(f"/proc/{self.pid}/cmdline").split(b"\0")
            args[0] = args[0].rpartition(b"/")[2]
            return " ".join(os.fsdecode(arg) for arg in args if arg)
        return ""


def goes_on(info: _merge.Info) -> bool:
    """Is the run of a segment not over? Its supervisor, or the process that owns it, lives."""
    return Process(*info["supervisor"]).alive()


def _read(path: str) -> bytes:
    with _open(path, "rb") as file:
        return file.read()


LEFT = "segments-left"
"""The slug of leftover_notice()."""


def leftover_notice() -> str | None:
    """A notice of segments that runs in the current folder have left over, or None."""
    lines, total, here = [], 0, os.getcwd()
    for path in leftovers():
        with contextlib.suppress(SegmentNotUsable), opened(path) as fd:
            info = read(path, fd, any_size=True).info()
            if (_merge.RULE_FOLDER, here) in info["rules"]:
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
    """A segment's age, size and run, in words."""
    named = dict(info["rules"])
    text = f"{age_in_words(info['created'])} old, {in_words(info['allocated'])}"
    if _merge.RULE_COMMAND in named:
        text += f": {named[_merge.RULE_COMMAND]}"
    if _merge.RULE_FOLDER in named:
        text += f" (in {named[_merge.RULE_FOLDER]})"
    return text


def in_words(size: int) -> str:
    """A number of bytes in words."""
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


def the_run(named: str | None) -> Path:
    """The segment that a command means: the one that it names, or of the run that goes on here, or
    at all. SegmentNotUsable."""
    if named:
        return Path(named).absolute()
    going_on: list[tuple[Path, _merge.Info]] = []
    for path in found():
        try:
            with opened(path) as fd:
                info = read(path, fd).info()
        except SegmentNotUsable:
            continue
        if goes_on(info):
            going_on.append((path, info))
    here = (_merge.RULE_FOLDER, os.getcwd())
    meant = [one for one in going_on if here in one[1]["rules"]] or going_on
    if not meant:
        raise SegmentNotUsable("No run is going on.")
    if len(meant) > 1:
        raise SegmentNotUsable(
            "Several runs are going on; name the segment of one:"
            + "".join(f"\n    {path}  {described(info)}" for path, info in meant)
        )
    return meant[0][0]
