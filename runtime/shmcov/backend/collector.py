# SPDX-License-Identifier: Apache-2.0
"""The core and the collector that replace coverage.py's own."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import sys
import weakref
from collections.abc import Callable
from typing import Any

import _shmcov
import coverage
import coverage.collector
import coverage.disposition
import coverage.files
from coverage.exceptions import DataError
from coverage.misc import isolate_module

from shmcov import _merge, file_tracers, messages, plan, result, segments
from shmcov.backend import combine, data, strict
from shmcov.backend.callers import in_exit_patch
from shmcov.backend.session import Role, Session, Wanted, exists, here, owned

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
        """OSError or ValueError: there can be no session."""
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
    _lost = ""
    _killed = ""
    _file_tracers: file_tracers.FileTracers | None = None
    _written = False
    _failed = False
    _finished = False
    _name_warned = False

    def __init__(self, core: Core, **kwargs: Any) -> None:
        super().__init__(core=core, **kwargs)  # type: ignore[arg-type]
        self._core = core
        self._cov = core.cov
        self._session = core.first
        self._strict = core.first.settings.strict
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
        if session.role is Role.ATTACHED:
            here().newest = self
        elif session.role is Role.OWNS:
            self._claim_files()
        session.record()
        self._recording = self._activity_since = True
        if self._context:
            _shmcov.switch_context(self._context, everywhere=True)

    def _claim_files(self) -> None:
        """Makes the file tracer plug-ins of this Coverage object trace. Other processes of a run
        load them before anything runs."""
        tracers = self._file_tracers
        if self._cov._plugins.file_tracers and tracers is None:
            tracers = self._file_tracers = file_tracers.FileTracers(
                self.should_trace, self.check_include, self.warn
            )
        file_tracers.switch(tracers)

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
            name = segments.name_of(process.run)
            _shmcov.start(name)
            os.environ[segments.VARIABLE] = name

    def idle(self) -> bool:
        """Does it own a segment of which everything was delivered?"""
        owns = self._session is not None and self._session.role is Role.OWNS
        return owns and self._delivers and not self._activity()

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
            elif self._delivers:
                if self._for_pytest_cov():
                    combine.delivered(covdata.data_filename())
                else:
                    type(covdata).write(covdata)
                self._was_written(covdata)
                if self._lost and self._strict and not self._finished:
                    strict.fail(self._lost)

        covdata.write = write  # type: ignore[method-assign]

    def _was_written(self, covdata: coverage.CoverageData) -> None:
        self._written = True
        session = self._session
        if session is None or session.role is not Role.OWNS or covdata._no_disk:
            return
        session.delivery.moved_to(covdata.data_filename())
        if not self._finished and (self not in self._collectors or in_exit_patch()):
            with contextlib.suppress(segments.SegmentNotUsable, OSError):
                self.end_if_unused()

    def end_if_unused(self) -> None:
        """Removes the segment if everything was saved and it has no other users."""
        session = self._session
        if session is None or session.role is not Role.OWNS or session.delivery.settle():
            return
        if not session.delivery.due():
            session.end()
            self._session = None

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

    @property
    def _delivers(self) -> bool:
        return self._session is not None and self._session.delivers

    def _activity(self) -> bool:
        return self._recording or self._activity_since

    def flush_data(self) -> bool:
        session = self._session
        if session is None or not self._delivers or not self._activity():
            return False
        self._activity_since = False
        self._deliver(session)
        return True

    def _deliver(self, session: Session) -> None:
        self._failed = True
        try:
            session.delivery.deliver(self._write_to_data)
        except segments.SegmentNotUsable as error:
            raise DataError(f"The data of this run is lost: {error}") from error
        self._failed = False

    def _write_to_data(self, copy: _merge.Copy) -> str | None:
        for text in result.losses(copy.info()):
            self._lost = f"Not all of this run was recorded: {text}"
            messages.warn(self._cov, [(self._lost, "not-recorded")])
        self._killed = result.killed(copy, self._cov.config.data_file)
        self._warn_if_name_gone()
        self._mark_imported(copy)
        return data.take(self.covdata, self.branch, functools.partial(self._write, copy))

    def _write(self, copy: _merge.Copy, path: str, append: bool) -> None:
        # Without relative_files, names in a segment are as the mapper would make them.
        mapper: Callable[[str], str | None] | None = None
        if self._cov.config.relative_files:
            mapper = self.file_mapper
        if self._session and not self._session.everything:
            mapper = self._mapped_if_wanted
        files = copy.files()
        # As coverage.py's core does for files that run: later look-ups need functions of `os`.
        getattr(coverage.files, "CANONICAL_FILENAME_CACHE", {}).update(
            zip(files, files, strict=True)
        )
        touch = plan.never_ran(self._cov, files, copy.packages()) if files else []
        named = self.covdata._suffix is True and not self._for_pytest_cov()
        argv = str(getattr(sys, "argv", None)) if named else None
        result.write_file(copy, path, append=append, touch=touch, argv=argv, relative=mapper)

    def _mapped_if_wanted(self, path: str) -> str | None:
        inorout = self._cov._inorout
        unwanted = inorout is not None and inorout.check_include_omit_etc(path, None)
        return None if unwanted else self.file_mapper(path)

    def _warn_if_name_gone(self) -> None:
        session = self._session
        if self._name_warned or session is None or session.role is not Role.OWNS:
            return
        for text, slug in session.delivery.name_gone():
            self._name_warned = True
            self._lost = text
            messages.warn(self._cov, [(text, slug)])

    def _mark_imported(self, copy: _merge.Copy) -> None:
        """Marks the source packages that were imported: coverage.py warns of all others."""
        inorout = self._cov._inorout
        if inorout is not None:
            seen = plan.imported(copy.files(), copy.packages())
            inorout.source_pkgs_unmatched = [
                name for name in inorout.source_pkgs_unmatched if name not in seen
            ]

    def finish(self) -> None:
        """The process ends; coverage.py has saved what it wants to save."""
        session, self._finished = self._session, True
        if session is None or session.role is not Role.OWNS or not self._delivers:
            return
        if not self._written and not self._failed:
            session.end()  # nobody asked for the data
            return
        session.disown()
        # Processes that went on after the data was saved get their time to end.
        last = functools.partial(self._last, session)
        session.delivery.end(last, session.wait, helpers=False)

    def _last(self, session: Session, running: list[segments.Process]) -> list[segments.Process]:
        covdata, delivery = self.covdata, session.delivery
        if self._failed or delivery.due():
            if covdata._no_disk or (self._written and not exists(covdata.data_filename())):
                return []  # whoever moved the data file away has the data of that time
            self._deliver(session)
            covdata.write()
        if self._killed:
            messages.complain(self._killed)
        messages.warn(self._cov, delivery.still_running(running, session.wait, "[shmcov] wait"))
        return running or delivery.settle()  # helpers of this process included


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
            with contextlib.suppress(segments.SegmentNotUsable, OSError):
                collector.end_if_unused()
