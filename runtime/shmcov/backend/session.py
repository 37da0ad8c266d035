# SPDX-License-Identifier: Apache-2.0
"""A segment, and what this process does with it.

docs/backend.md, "What a collector is", says which process has which role.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

import _shmcov
import coverage
from coverage.exceptions import CoverageException
from coverage.misc import isolate_module

from shmcov import digest, variables
from shmcov.backend.callers import pytest_cov
from shmcov.backend.isolated import exists

if TYPE_CHECKING:
    from shmcov.backend.delivering import Deliverer

os = isolate_module(os)


class Wanted:
    """What configure() needs of a configuration that names the plug-in, unchanged."""

    def __init__(self, options: dict[str, str], patch: list[str], concurrency: list[str]) -> None:
        self.options = options
        self.patch = patch
        self.concurrency = concurrency


class Role(Enum):
    """What a collector does with its segment."""

    OWNS = "owns"  # made it, and delivers it
    READS = "reads"  # delivers the one of `shmcov run`
    ATTACHED = "attached"  # records into that of another process, which delivers


class _Process:
    """This process: the run that it was started in, and who records at the moment."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        _shmcov.attach()
        self.run = _shmcov.attached()
        if self.run is not None and not exists(self.run):
            self.run = None
        self.owner = _shmcov.owner() if self.run else None
        self.recorded = _shmcov.recording()
        self.newest: object = None
        """The attached collector that started last: the only one that records."""


_process: _Process | None = None


def here() -> _Process:
    global _process
    if _process is None or _process.pid != os.getpid():
        _process = _Process()
    return _process


class Session:
    """A segment, and what the process that made this object does with it."""

    def __init__(
        self, cov: coverage.Coverage, wanted: Wanted, make_room: Callable[[], None]
    ) -> None:
        """`make_room` is called before a new segment is made."""
        self.pid = os.getpid()
        self.controller = pytest_cov()
        self.dropped = False
        """pytest-cov has another one by now, and asks for nothing of this one."""
        self.deliverer: Deliverer | None = None
        """None: another process delivers."""
        process = here()
        where, what = digest.of(cov.config).split()
        theirs = process.owner[2] if process.owner else ""
        their_where, _, their_what = theirs.partition(" ")
        self.role, again = Role.OWNS, False
        if process.run and process.owner and where == their_where:
            reader = os.environ.get(variables.READER, "")
            if process.owner[1]:
                # "Central": pytest-cov in a process that reports on its own, like looponfail's.
                if what == their_what and self.controller != "Central":
                    again = process.owner[0] == self.pid  # it made the segment before an exec
                    self.role = Role.OWNS if again else Role.ATTACHED
            elif reader and reader != str(self.pid):
                self.role = Role.ATTACHED
            else:
                self.role = Role.READS
        if self.controller == "DistWorker":
            _drop_earlier()
        if self.role is Role.ATTACHED:
            assert process.run is not None
            self.path = process.run
            return
        from shmcov.backend import delivering

        self.deliverer = delivering.Deliverer(cov, wanted.options)
        self.deliverer.everything = self.role is not Role.READS or what == their_what
        if self.role is Role.OWNS and not again:
            if "execv" in wanted.patch:
                delivering.remove_former({session.path for session in owned})
            make_room()
            self.path = self.deliverer.make(wanted.patch)
        else:
            assert process.run is not None
            self.path = process.run
        owns = self.role is Role.OWNS
        if owns:
            owned.append(self)
        self.deliverer.take(self.path, owns=owns, again=again)

    @property
    def delivers(self) -> bool:
        return self.role is not Role.ATTACHED and self.pid == os.getpid()

    @property
    def steers(self) -> bool:
        """Do collectors say when this process records? Not in a run of `shmcov run`."""
        owner = here().owner
        return self.role is Role.OWNS or (owner is not None and owner[1])

    def record(self) -> None:
        """Makes this process, and its new children, record into the segment from now on."""
        if self.role is Role.READS:
            os.environ[variables.READER] = str(self.pid)
        if not self.steers:
            return
        if _shmcov.attached() == self.path:
            _shmcov.resume()
        else:
            try:
                _shmcov.start(_shmcov.name_of(self.path))
            except OSError as error:
                raise CoverageException(f"Couldn't start to measure: {error}") from error
        os.environ[variables.SEGMENT] = _shmcov.name_of(self.path)

    def pause(self) -> None:
        """Pauses recording in this process; new children do not attach to the segment."""
        if self.steers:
            _shmcov.pause()
            os.environ.pop(variables.SEGMENT, None)

    def disown(self) -> None:
        """This process need not remove the segment any more."""
        if self in owned:
            owned.remove(self)

    def end(self) -> None:
        """Removes the segment, which nobody needs any more."""
        if self.role is Role.OWNS and self.pid == os.getpid() and self in owned:
            self.disown()
            if self.deliverer is not None:
                self.deliverer.delivery.remove()


owned: list[Session] = []
"""Sessions whose segments this process has made and not removed."""


def _drop_earlier() -> None:
    """Ends the session that pytest-cov began before it knew that this is a worker."""
    for session in list(owned):
        if session.controller:
            session.dropped = True
            session.end()
