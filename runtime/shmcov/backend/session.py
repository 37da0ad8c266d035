# SPDX-License-Identifier: Apache-2.0
"""A segment, and what this process does with it.

docs/backend.md, "What a collector is", says which process has which role.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import _shmcov
import coverage
from coverage.exceptions import CoverageException
from coverage.misc import isolate_module

from shmcov import _merge, messages, plan, result, segments, settings
from shmcov.backend.callers import pytest_cov, saves
from shmcov.delivery import Delivery, Keeper

os = isolate_module(os)

READER = "SHMCOV_READER"
"""The environment variable with the pid of the process that reads the segment of `shmcov run`."""


@dataclass
class Wanted:
    """What configure() needs of a configuration that names the plug-in, unchanged."""

    options: dict[str, str]
    patch: list[str]
    concurrency: list[str]


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
        self.settings = settings.of(wanted.options)
        self.wait = self.settings.wait
        self.controller = pytest_cov()
        self.dropped = False
        """pytest-cov has another one by now, and asks for nothing of this one."""
        self.everything = True
        """False: only files that this Coverage object would measure are delivered."""
        process = here()
        where, what = plan.digest(cov.config).split()
        theirs = process.owner[2] if process.owner else ""
        their_where, _, their_what = theirs.partition(" ")
        self.role, again = Role.OWNS, False
        if process.run and process.owner and where == their_where:
            reader = os.environ.get(READER, "")
            if process.owner[1]:
                # "Central": pytest-cov in a process that reports on its own, like looponfail's.
                if what == their_what and self.controller != "Central":
                    again = process.owner[0] == self.pid  # it made the segment before an exec
                    self.role = Role.OWNS if again else Role.ATTACHED
            elif reader and reader != str(self.pid):
                self.role = Role.ATTACHED
            else:
                self.role = Role.READS
                self.everything = what == their_what
        if self.controller == "DistWorker":
            _drop_earlier()
        kept = self.settings.keeper and not cov._no_disk
        if self.role is Role.OWNS and not again:
            if "execv" in wanted.patch:
                _remove_former()
            make_room()
            self.path = _create(cov, self.settings, wanted, kept=kept)
            if notice := segments.leftover_notice():
                messages.warn(cov, [(notice, segments.LEFT)])
        else:
            assert process.run is not None
            self.path = process.run
        self.delivery = Delivery(self.path)
        if self.role is Role.OWNS:
            owned.append(self)
            if again:
                self.delivery.keeper = Keeper(0, 0)  # unknown, and not to be ended
            elif kept:
                self.delivery.keeper = self._keeper(cov)

    def _keeper(self, cov: coverage.Coverage) -> Keeper | None:
        data = cov._data
        append = cov._auto_load or (data is not None and data._have_used)
        suffixed = cov.config.parallel and not append
        target = result.Target(cov.config.data_file, append, suffixed)
        return Keeper.of(
            self.path, self.wait, target.salvage_options(cov), only_again=not saves(cov)
        )

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
            os.environ[READER] = str(self.pid)
        if not self.steers:
            return
        if _shmcov.attached() == self.path:
            _shmcov.resume()
        else:
            try:
                _shmcov.start(segments.name_of(self.path))
            except OSError as error:
                raise CoverageException(f"Couldn't start to measure: {error}") from error
        os.environ[segments.VARIABLE] = segments.name_of(self.path)

    def pause(self) -> None:
        """Pauses recording in this process; new children do not attach to the segment."""
        if self.steers:
            _shmcov.pause()
            os.environ.pop(segments.VARIABLE, None)

    def disown(self) -> None:
        """This process need not remove the segment any more."""
        if self in owned:
            owned.remove(self)

    def end(self) -> None:
        """Removes the segment, which nobody needs any more."""
        if self.role is Role.OWNS and self.pid == os.getpid() and self in owned:
            self.disown()
            self.delivery.remove()


owned: list[Session] = []
"""Sessions whose segments this process has made and not removed."""


def _drop_earlier() -> None:
    """Ends the session that pytest-cov began before it knew that this is a worker."""
    for session in list(owned):
        if session.controller:
            session.dropped = True
            session.end()


def _create(cov: coverage.Coverage, own: settings.Settings, wanted: Wanted, *, kept: bool) -> str:
    config = cov.config
    inorout = cov._inorout
    the_plan = plan.build(cov, branch=config.branch, context=config.context)
    cov._inorout = inorout
    flags = the_plan.flags | _merge.FLAG_OWNED
    if pytest_cov():
        flags |= _merge.FLAG_HOLD
    # With `patch = execv` coverage.py saves before an exec, and starts again after it.
    if kept and saves(cov) and "execv" not in wanted.patch:
        flags |= _merge.FLAG_KEPT
    rules = the_plan.rules + plan.identity(" ".join(_arguments()), config.data_file)
    path, fd = segments.create(flags, rules, own)
    os.close(fd)  # not kept: programs close descriptors that they did not open
    return path


def _arguments() -> list[str]:
    """The command line, as a person would type it."""
    arguments = sys.orig_argv or ["python"]
    return [os.path.basename(arguments[0]), *arguments[1:]]


def _remove_former() -> None:
    """Removes segments that this process owned, and delivered, before an exec."""
    now = {session.path for session in owned}
    for path in segments.found():
        if str(path) in now:
            continue
        with contextlib.suppress(OSError, segments.SegmentNotUsable), segments.opened(path) as fd:
            copy = segments.read(path, fd)
            info = copy.info()
            ours = info["flags"] & _merge.FLAG_OWNED and info["supervisor"][0] == os.getpid()
            delivered = _shmcov.delivered(fd)
            if ours and delivered is not None and delivered[0] == copy.hits():
                Delivery(str(path)).remove()


def exists(path: str) -> bool:
    """Like os.path.exists(), which would call an os.stat that a test has replaced."""
    try:
        os.stat(path)  # this module's own: isolate_module
    except OSError:
        return False
    return True
