# SPDX-License-Identifier: Apache-2.0
"""What a process that delivers does: it makes the segment, and writes what is in it.

A worker does neither, so session.py imports this, and with it much of shmcov, only where a process
turns out to deliver. That is when its Coverage object starts: at the end of a process nothing may
be imported any more.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Collection, Sequence

import _shmcov
import coverage
import coverage.collector
import coverage.files
from coverage.exceptions import DataError
from coverage.misc import isolate_module

from shmcov import _merge, file_tracers, messages, plan, result, segments, settings
from shmcov.backend import combine, data, strict
from shmcov.backend.callers import pytest_cov, saves
from shmcov.backend.isolated import exists
from shmcov.delivery import Delivery, Keeper
from shmcov.file_tracers import FileTracers
from shmcov.settings import Settings

os = isolate_module(os)


# -- making a segment --


def create(cov: coverage.Coverage, own: Settings, patch: Sequence[str], *, kept: bool) -> str:
    """A new segment: its path. `patch`: as it was configured. OSError."""
    config = cov.config
    inorout = cov._inorout
    the_plan = plan.build(cov, branch=config.branch, context=config.context)
    cov._inorout = inorout
    flags = the_plan.flags | _merge.FLAG_OWNED
    if pytest_cov():
        flags |= _merge.FLAG_HOLD
    # With `patch = execv` coverage.py saves before an exec, and starts again after it.
    if kept and saves(cov) and "execv" not in patch:
        flags |= _merge.FLAG_KEPT
    rules = the_plan.rules + plan.identity(" ".join(_arguments()), config.data_file)
    path, fd = segments.create(flags, rules, own)
    os.close(fd)  # not kept: programs close descriptors that they did not open
    return path


def _arguments() -> list[str]:
    """The command line, as a person would type it."""
    arguments = sys.orig_argv or ["python"]
    return [os.path.basename(arguments[0]), *arguments[1:]]


def remove_former(now: Collection[str]) -> None:
    """Removes segments that this process owned, and delivered, before an exec. `now`: those that it
    owns."""
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


def _keeper(cov: coverage.Coverage, path: str, wait: float) -> Keeper | None:
    data = cov._data
    append = cov._auto_load or (data is not None and data._have_used)
    suffixed = cov.config.parallel and not append
    target = result.Target(cov.config.data_file, append, suffixed)
    return Keeper.of(path, wait, target.salvage_options(cov), only_again=not saves(cov))


# -- writing what is in it --


class Deliverer:
    """Writes the segment of a session into the data of its collector."""

    delivery: Delivery
    owns: bool

    def __init__(self, cov: coverage.Coverage, options: dict[str, str]) -> None:
        """`options`: the section [shmcov]. ValueError: there is a wrong one."""
        self.cov = cov
        self.settings = settings.of(options)
        self.everything = True
        """False: only files that this Coverage object would measure are delivered."""
        self.lost = ""
        """What was not recorded, in words."""
        self.killed = ""
        self.failed = False
        self._name_warned = False

    @property
    def kept(self) -> bool:
        """Is there to be a keeper?"""
        return self.settings.keeper and not self.cov._no_disk

    def make(self, patch: Sequence[str]) -> str:
        """Makes a segment. `patch`: as it was configured. OSError."""
        path = create(self.cov, self.settings, patch, kept=self.kept)
        if notice := segments.leftover_notice():
            messages.warn(self.cov, [(notice, segments.LEFT)])
        return path

    def take(self, path: str, *, owns: bool, again: bool) -> None:
        """This is the segment. `again`: this process made it before an exec."""
        self.owns = owns
        self.delivery = Delivery(path)
        if again:
            self.delivery.keeper = Keeper(0, 0)  # unknown, and not to be ended
        elif owns and self.kept:
            self.delivery.keeper = _keeper(self.cov, path, self.settings.wait)

    def claim_files(
        self, collector: coverage.collector.Collector, known: FileTracers | None
    ) -> FileTracers | None:
        """Makes the file tracer plug-ins of this Coverage object trace, and returns them; `known`:
        what this has returned before. Other processes of a run load them before anything runs."""
        if self.cov._plugins.file_tracers and known is None:
            known = FileTracers(collector.should_trace, collector.check_include, collector.warn)
        file_tracers.switch(known)
        return known

    def deliver(self, collector: coverage.collector.Collector, *, combines: bool) -> None:
        """DataError. `combines`: pytest-cov is about to combine the file."""
        self.failed = True
        try:
            self.delivery.deliver(functools.partial(self._write_to_data, collector, combines))
        except segments.SegmentNotUsable as error:
            raise DataError(f"The data of this run is lost: {error}") from error
        self.failed = False

    def _write_to_data(
        self, collector: coverage.collector.Collector, combines: bool, copy: _merge.Copy
    ) -> str | None:
        for text in result.losses(copy.info()):
            self.lost = f"Not all of this run was recorded: {text}"
            messages.warn(self.cov, [(self.lost, "not-recorded")])
        self.killed = result.killed(copy, self.cov.config.data_file)
        self._warn_if_name_gone()
        self._mark_imported(copy)
        write = functools.partial(self._write, collector, combines, copy)
        return data.take(collector.covdata, collector.branch, write)

    def _write(
        self,
        collector: coverage.collector.Collector,
        combines: bool,
        copy: _merge.Copy,
        path: str,
        append: bool,
    ) -> None:
        # Without relative_files, names in a segment are as the mapper would make them.
        mapper: Callable[[str], str | None] | None = None
        if self.cov.config.relative_files:
            mapper = collector.file_mapper
        if not self.everything:
            mapper = functools.partial(self._mapped_if_wanted, collector.file_mapper)
        files = copy.files()
        # As coverage.py's core does for files that run: later look-ups need functions of `os`.
        getattr(coverage.files, "CANONICAL_FILENAME_CACHE", {}).update(
            zip(files, files, strict=True)
        )
        touch = plan.never_ran(self.cov, files, copy.packages()) if files else []
        named = collector.covdata._suffix is True and not combines
        argv = str(getattr(sys, "argv", None)) if named else None
        result.write_file(copy, path, append=append, touch=touch, argv=argv, relative=mapper)

    def _mapped_if_wanted(self, mapper: Callable[[str], str], path: str) -> str | None:
        inorout = self.cov._inorout
        unwanted = inorout is not None and inorout.check_include_omit_etc(path, None)
        return None if unwanted else mapper(path)

    def _warn_if_name_gone(self) -> None:
        if self._name_warned or not self.owns:
            return
        for text, slug in self.delivery.name_gone():
            self._name_warned = True
            self.lost = text
            messages.warn(self.cov, [(text, slug)])

    def _mark_imported(self, copy: _merge.Copy) -> None:
        """Marks the source packages that were imported: coverage.py warns of all others."""
        inorout = self.cov._inorout
        if inorout is not None:
            seen = plan.imported(copy.files(), copy.packages())
            inorout.source_pkgs_unmatched = [
                name for name in inorout.source_pkgs_unmatched if name not in seen
            ]

    def written(self, path: str, *, over: bool) -> bool:
        """The data is in this file. True if the segment is not needed any more, which it can only
        be if the collector is `over`."""
        self.delivery.moved_to(path)
        return over and self.unused()

    def unused(self) -> bool:
        """Was everything delivered, and has the segment no other users?"""
        with contextlib.suppress(segments.SegmentNotUsable, OSError):
            return not self.delivery.settle() and not self.delivery.due()
        return False

    def for_combine(self, covdata: coverage.CoverageData) -> None:
        """The data is in the file of `covdata`, which pytest-cov is about to combine."""
        combine.delivered(covdata.data_filename())

    def saved(self) -> None:
        """coverage.py has written the data. Raises if something is missing and `strict` is set."""
        if self.lost and self.settings.strict:
            strict.fail(self.lost)

    def end(
        self, collector: coverage.collector.Collector, *, written: bool, combines: bool
    ) -> None:
        """The process ends. `written`: coverage.py has saved before."""
        last = functools.partial(self._last, collector, written, combines)
        # Processes that went on after the data was saved get their time to end.
        self.delivery.end(last, self.settings.wait, helpers=False)

    def _last(
        self,
        collector: coverage.collector.Collector,
        written: bool,
        combines: bool,
        running: list[segments.Process],
    ) -> list[segments.Process]:
        covdata, delivery = collector.covdata, self.delivery
        if self.failed or delivery.due():
            if covdata._no_disk or (written and not exists(covdata.data_filename())):
                return []  # whoever moved the data file away has the data of that time
            self.deliver(collector, combines=combines)
            covdata.write()
        if self.killed:
            messages.complain(self.killed)
        wait = self.settings.wait
        messages.warn(self.cov, delivery.still_running(running, wait, "[shmcov] wait"))
        return running or delivery.settle()  # helpers of this process included
