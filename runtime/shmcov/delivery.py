# SPDX-License-Identifier: Apache-2.0
"""The end of a run: who may still write, what was delivered, who delivers. docs/ending.md.

A `Delivery` object stands for one segment, on behalf of whoever delivers it: the supervisor, the
coverage.py plug-in, `shmcov salvage`. In the plug-in this runs inside the measured program, at its
end: so nothing is imported late, functions of `os` are those from before the program could replace
them, and C does the waiting.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import _shmcov
from coverage.misc import isolate_module

from shmcov import _merge, segments
from shmcov.messages import Warnings, complain
from shmcov.segments import Process, SegmentNotUsable

os = isolate_module(os)
_sleep = time.sleep
_flock = fcntl.flock

LOCK_TRIES = 100
LOCK_PAUSE = 0.1
"""How often, and for how many seconds each, to wait for another deliverer; two do no harm."""


class Delivery:
    """The segment at `path`, to be delivered. `fd`: open for writing, if the caller has one."""

    def __init__(self, path: str, fd: int | None = None, *, any_size: bool = False) -> None:
        self.path = path
        self._fd = fd
        self._any_size = any_size
        self._hits: int | None = None
        """The hits that this object delivered last."""
        self.keeper: Keeper | None = None

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[int, bool]]:
        """A descriptor to read from, and whether it is the segment's own."""
        if self._fd is not None:
            yield self._fd, True
            return
        own = True
        aside = _shmcov.leftover_path(self.path)
        if not os.access(self.path, os.F_OK) and os.access(aside, os.F_OK):
            self.path = aside  # another run has just taken it for dead
        try:
            fd = segments.open_segment(self.path, writable=True)
        except SegmentNotUsable:
            # This process has changed its user, or the name is gone: what it has mapped remains.
            spilled = _shmcov.spill(self.path)
            if spilled is None:
                raise
            fd, own = spilled, False
        try:
            yield fd, own
        finally:
            os.close(fd)

    # -- who may still write --

    def settle(
        self,
        seconds: float = 0.0,
        *,
        pause: Callable[[float], bool] | None = None,
        helpers: bool = True,
    ) -> list[Process]:
        """Waits until the segment has no other users; returns those left when the time is over.

        `helpers`: includes processes that end only when this one does.
        """
        with self._opened() as (fd, _):
            users = _shmcov.settle(fd, self.path, seconds, pause, not helpers)
        return [Process(*user) for user in users]

    # -- what was delivered --

    def copy(self) -> _merge.Copy:
        """A private copy of the segment. SegmentNotUsable."""
        with self._opened() as (fd, _):
            return segments.read(self.path, fd, any_size=self._any_size)

    def due(self) -> bool:
        """Is there anything in the segment that this object has not delivered?"""
        return self.copy().hits() != (self._hits or 0)

    def before(self) -> tuple[int, int] | None:
        """The last delivery, whoever made it: the number of hits, and the data file."""
        with self._opened() as (fd, _):
            return _shmcov.delivered(fd)

    def deliver(self, write: Callable[[_merge.Copy], str | None]) -> None:
        """Has `write` write a copy and return the data file; notes the delivery in the segment."""
        with self._opened() as (fd, own):
            if own:
                _lock(fd)
            if self.keeper is not None:
                _shmcov.ask_keeper(self.path)
            try:
                copy = segments.read(self.path, fd, any_size=self._any_size)
                data_file = write(copy)
                self._hits = copy.hits()
                self._note(fd if own else None, data_file)
            finally:
                if own:
                    _flock(fd, fcntl.LOCK_UN)

    def moved_to(self, data_file: str) -> None:
        """The data file of the last delivery has another name by now."""
        if self._hits is not None:
            with contextlib.suppress(SegmentNotUsable, OSError), self._opened() as (fd, own):
                self._note(fd if own else None, data_file)

    def _note(self, fd: int | None, data_file: str | None) -> None:
        target = _shmcov.target(data_file) if data_file else 0
        hits = self._hits or 0
        if not _shmcov.set_delivered_here(self.path, hits, target) and fd is not None:
            _shmcov.set_delivered(fd, hits, target)

    # -- the end of the segment --

    def end(
        self,
        last: Callable[[list[Process]], list[Process]],
        wait: float,
        *,
        pause: Callable[[float], bool] | None = None,
        helpers: bool = True,
    ) -> bool:
        """The end of the run: settles, has `last` deliver, and removes the segment.

        `last` gets the users that are left, and returns those that the keeper is to wait for: then
        the segment stays. It also stays, with a message, if anything fails: False.
        """
        try:
            left = last(self.settle(wait, pause=pause, helpers=helpers))
        except Exception as error:
            kept = self.set_aside()
            text = str(error) or type(error).__name__
            complain(f"The data of this run could not be written: {text}\n{kept}")
            return False
        if not (left and self.keeper):
            self.remove()
        return True

    def remove(self) -> None:
        """Removes the segment: everything was delivered, or nobody needs it."""
        if _shmcov.attached() == self.path:
            _shmcov.leave()
        with contextlib.suppress(OSError):  # not ours to remove any more: the keeper does
            _shmcov.remove(self.path)
            self._end_keeper()

    def set_aside(self) -> str:
        """Sets the segment aside. Returns a text: where it is, and how to write its data."""
        self.path = _shmcov.set_aside(self.path)
        self._end_keeper()
        return f"It is kept in the segment {self.path}\nWrite it with: shmcov salvage {self.path}"

    def _end_keeper(self) -> None:
        if self.keeper is not None:
            self.keeper.end()
            self.keeper = None

    def _name_is_gone(self) -> bool:
        if self._fd is not None:
            return os.fstat(self._fd).st_nlink == 0
        try:
            os.lstat(self.path)
        except FileNotFoundError:
            return True
        except OSError:  # this process has changed its user
            pass
        return False

    # -- what to warn of --

    def name_gone(self) -> Warnings:
        """A warning if somebody has removed the name, not if this user can't see it."""
        if not self._name_is_gone():
            return []
        text = (
            f"The segment {self.path} was removed before the end of the run: processes that "
            "started after that were not measured."
        )
        return [(text, "segment-removed")]

    def still_running(self, users: Sequence[Process], wait: float, setting: str) -> Warnings:
        """A warning if processes go on after the end of the run."""
        if not users:
            return []
        who = "".join(f"\n    {user.pid}  {user.command()}" for user in users)
        then = (
            "What they do from now on is not in the data."
            if self.keeper is None
            else "What they do from now on is added to the data when they end."
        )
        text = f"Still running after {wait:g} s ({setting} sets how long to wait):{who}\n{then}"
        return [(text, "still-running")]


def no_proc() -> Warnings:
    """A warning if /proc is missing on a system that should have it."""
    if sys.platform != "linux" or os.path.exists("/proc/self/stat"):
        return []
    text = (
        "/proc is not mounted, so processes that outlive the program can't be seen or waited for: "
        "what they did after its end is not in the data."
    )
    return [(text, "no-proc")]


def _lock(fd: int) -> None:
    for _ in range(LOCK_TRIES):
        try:
            _flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _sleep(LOCK_PAUSE)
        else:
            return


# -- the keeper --

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shmcov-keeper")
"""Built from shm/keeper.c."""

KEPT = "SHMCOV_KEPT"
"""The environment variable that names the segment to the keeper, and to what it runs."""

NOT_FOR_SALVAGE = ("SHMCOV_", "COVERAGE_")


class Keeper(NamedTuple):
    """The process that delivers a segment if this one does not."""

    pid: int
    start: int

    @classmethod
    def of(
        cls, path: str, wait: float, salvage: Sequence[str], *, only_again: bool = False
    ) -> Keeper | None:
        """Starts one that runs `shmcov salvage` with these options. `only_again`: if this process
        has delivered before, and only then. None: there can be no keeper.
        """
        if not sys.executable or not os.path.exists(PROGRAM):
            return None
        places = os.pathsep.join(place for place in sys.path if place)
        command = [sys.executable, "-P", "-m", "shmcov", "salvage", "--kept", "--sys-path", places]
        when = "again" if only_again else "always"
        environment = [
            f"{name}={value}"
            for name, value in os.environ.items()
            if not name.startswith(NOT_FOR_SALVAGE)
        ]
        # All users see the arguments of a process, and must not see a name that admits them.
        named = path if segments.name_of(path) == path else "-"
        environment.append(f"{KEPT}={path}")
        arguments = [
            PROGRAM,
            named,
            str(int(wait * 1000)),
            os.getcwd(),
            when,
            *command,
            *salvage,
            named,
        ]
        try:
            return cls(*_shmcov.keep(path, arguments, environment))
        except OSError:
            return None

    def end(self) -> None:
        _shmcov.end_keeper(self.pid, self.start)
