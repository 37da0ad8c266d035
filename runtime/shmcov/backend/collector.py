# SPDX-License-Identifier: Apache-2.0
"""The core and the collector that replace coverage.py's own."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import TYPE_CHECKING, Any

import _shmcov
import coverage
import coverage.collector
import coverage.disposition
from coverage.misc import isolate_module

from shmcov import variables
from shmcov.backend.callers import in_exit_patch
from shmcov.backend.session import Role, Session, Wanted, here, owned

if TYPE_CHECKING:
    from shmcov.backend.delivering import Deliverer
    from shmcov.file_tracers import FileTracers

os = isolate_module(os)


class ShmTracer:
    """Its name is what coverage.py shows. `concur_id_func`: all kinds of concurrency work."""

    concur_id_func = None


class Core:
    """What coverage.py reads of its core, for a Coverage object that records in a segment."""

    tracer_class = ShmTracer
    tracer_kwargs: dict[str, Any] = {}  # noqa: RUF012
    file_disposition_class = coverage.disposition.FileDisposition
    supports_plugins = True
    supports_dynamic_contexts = True
    packed_arcs = False
    systrace = False

    def __init__(self, cov: coverage.Coverage, wanted: Wanted) -> None:
        """OSError, ValueError or ImportError: there can be no session."""
        self.cov = cov
        self._wanted = wanted
        self.first = self.new_session()

    def new_session(self) -> Session:
        return Session(self.cov, self._wanted, _end_idle)

    def __repr__(self) -> str:
        return f"<Core tracer_class={self.tracer_class.__name__}>"


class Collector(coverage.collector.Collector):
    """Keeps coverage.py's stack of collectors; everything else happens in the segment."""

    _session: Session | None = None
    _activity_since = False
    _recording = False
    _context: str | None = None
    _file_tracers: FileTracers | None = None
    _written = False
    _finished = False

    def __init__(self, core: Core, **kwargs: Any) -> None:
        super().__init__(core=core, **kwargs)  # type: ignore[arg-type]
        self._core = core
        self._cov = core.cov
        self._session = core.first
        if not _live:
            # Before coverage.py registers its own: what is registered first runs last.
            atexit.register(_at_exit)
        _live.add(self)

    # -- recording --

    def _start_tracer(self) -> None:
        self._record()

    def _record(self) -> None:
        if self._finished:
            return
        if self._session is None:
            self._session = self._core.new_session()
        session = self._session
        deliverer = session.deliverer
        if session.role is Role.ATTACHED:
            here().newest = self
        elif deliverer is not None and session.role is Role.OWNS:
            self._file_tracers = deliverer.claim_files(self, self._file_tracers)
        session.record()
        self._recording = self._activity_since = True
        if self._context:
            _shmcov.switch_context(self._context, everywhere=True)

    def pause(self) -> None:
        self._activity_since |= self._recording
        self._recording = False
        if self._session and not self._session.dropped:
            self._session.pause()

    def resume(self) -> None:
        session = self._session
        if session and (
            session.dropped or (session.role is Role.ATTACHED and here().newest is not self)
        ):
            return  # pytest-cov has dropped this one: docs/backend.md, "Children"
        self._record()

    def stop(self) -> None:
        super().stop()
        process = here()
        owns = self._session and self._session.role is Role.OWNS
        if owns and process.run and process.recorded and not self._collectors:
            # The run that this process took part in before goes on.
            name = _shmcov.name_of(process.run)
            _shmcov.start(name)
            os.environ[variables.SEGMENT] = name

    def idle(self) -> bool:
        """Does it own a segment of which everything was delivered?"""
        return self._owned is not None and self._deliverer is not None and not self._activity()

    def post_fork(self) -> None:
        self._recording = False

    def reset(self) -> None:
        super().reset()
        session, self._session = self._session, None
        if session:
            session.end()
            if self._recording:
                self._start_tracer()

    def switch_context(self, new_context: str | None) -> str | None:
        self._context = new_context
        if self._recording:
            _shmcov.switch_context(new_context or "", everywhere=True)
        parts = [part for part in (self.static_context, new_context) if part]
        return self.covdata.set_context("|".join(parts) or None)

    # -- delivering --

    def use_data(self, covdata: coverage.CoverageData, context: str | None) -> None:
        super().use_data(covdata, context)

        def write() -> None:
            # A collector that does not deliver has no file, and a fork's would be its parent's.
            if self._asked_for_a_file():
                self._written = True
                (covdata.add_arcs if self.branch else covdata.add_lines)({})
                type(covdata).write(covdata)
            elif deliverer := self._deliverer:
                if self._for_pytest_cov():
                    deliverer.for_combine(covdata)
                else:
                    type(covdata).write(covdata)
                self._was_written(covdata, deliverer)
                if not self._finished:
                    deliverer.saved()

        covdata.write = write  # type: ignore[method-assign]

    def _was_written(self, covdata: coverage.CoverageData, deliverer: Deliverer) -> None:
        self._written = True
        if self._owned is None or covdata._no_disk:
            return
        over = not self._finished and (self not in self._collectors or in_exit_patch())
        if deliverer.written(covdata.data_filename(), over=over):
            self._end_session()

    def end_if_unused(self) -> None:
        """Removes the segment if everything was saved and it has no other users."""
        owned = self._owned
        if owned is not None and owned.unused():
            self._end_session()

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.end()
            self._session = None

    @property
    def _owned(self) -> Deliverer | None:
        """What delivers, if this process has made the segment."""
        session = self._session
        return session.deliverer if session and session.role is Role.OWNS else None

    @property
    def _deliverer(self) -> Deliverer | None:
        """What delivers, if it is this process that does."""
        session = self._session
        return session.deliverer if session and session.delivers else None

    def _asked_for_a_file(self) -> bool:
        """Is it attached, but made with a data_suffix by a program that combines such files itself
        and may insist on finding one (`combine(strict=True)`)? It gets an empty one."""
        session = self._session
        return (
            session is not None
            and session.role is Role.ATTACHED
            and session.pid == os.getpid()
            and not session.controller
            and not self._written
            and bool(self._cov._data_suffix_specified)
        )

    def _for_pytest_cov(self) -> bool:
        """Is the data in a file that pytest-cov is about to combine? Then its name needs no hash of
        all rows, and what coverage.py leaves out of a combined file is not written first."""
        session, covdata = self._session, self.covdata
        combines = session is not None and bool(session.controller)
        return combines and covdata._suffix is True and not covdata._no_disk

    def _activity(self) -> bool:
        return self._recording or self._activity_since

    def flush_data(self) -> bool:
        deliverer = self._deliverer
        if deliverer is None or not self._activity():
            return False
        self._activity_since = False
        deliverer.deliver(self, combines=self._for_pytest_cov())
        return True

    def finish(self) -> None:
        """The process ends; coverage.py has saved what it wants to save."""
        session, self._finished = self._session, True
        deliverer = self._deliverer
        if session is None or session.role is not Role.OWNS or deliverer is None:
            return
        if not self._written and not deliverer.failed:
            session.end()  # nobody asked for the data
            return
        session.disown()
        deliverer.end(self, written=self._written, combines=self._for_pytest_cov())


_live: weakref.WeakSet[Collector] = weakref.WeakSet()


def _at_exit() -> None:
    for collector in list(_live):
        collector.finish()
    for session in list(owned):
        session.end()


def _end_idle() -> None:
    """Ends idle sessions, so that programs with many Coverage objects do not fill the memory."""
    for collector in list(_live):
        if collector.idle():
            collector.end_if_unused()
