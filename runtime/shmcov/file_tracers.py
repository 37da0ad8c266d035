# SPDX-License-Identifier: Apache-2.0
"""coverage.py's file tracer plug-ins in a measured process: docs/file-tracers.md.

What coverage.py's tracer does in C is done here in Python, at the events of claimed code. In a run
with such plug-ins `_shmcov` imports this module before it starts to measure; the backend imports it
in a process that makes a Coverage object with our plug-in.
"""

from __future__ import annotations

import contextlib
import json
import operator
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

import _shmcov
import coverage
import coverage.inorout
from coverage.disposition import FileDisposition
from coverage.files import abs_file

if TYPE_CHECKING:
    from _shmcov import Calls

ShouldTrace = Callable[[str, FrameType], Any]
"""`Coverage._should_trace`: the disposition of a file."""

CheckInclude = Callable[[str, FrameType], bool]
"""`Coverage._check_include_omit_etc`: whether a file with this name is to be measured."""

Warn = Callable[[str], None]


# -- a run's plug-ins --


def rule_of(cov: coverage.Coverage) -> str | None:
    """What start() needs in another process: the text of the rule FILE_TRACERS.

    `cov` has been through `_init()` with the current sys.path. None: it has no file tracers.
    """
    if not cov._plugins.file_tracers:
        return None
    path = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100
    return json.dumps({"config": cov.config.serialize(), "path": path})


def start(rule: str) -> None:
    """Loads the plug-ins of the run and installs them. Called by `_shmcov`; may raise anything."""
    facts = json.loads(rule)
    with _path_has(facts["path"]):
        cov = coverage.Coverage(config_file=":data:" + facts["config"])
        cov.config.debug = []
        cov._init()
    if cov._plugins.file_tracers:
        rules = _Rules(cov)
        switch(FileTracers(rules.should_trace, rules.includes, cov._warn))


@contextlib.contextmanager
def _path_has(wanted: list[str]) -> Iterator[None]:
    """sys.path with what it lacks: start-up files run before the program's own folder is on it."""
    before = list(sys.path)
    added = [entry for entry in wanted if entry not in before]
    sys.path += added
    try:
        yield
    finally:
        for entry in added:
            with contextlib.suppress(ValueError):
                sys.path.remove(entry)


class _Rules(coverage.inorout.InOrOut):
    """coverage.py's decision about a file, by the rules of the segment instead of its own, which
    would need the supervisor's current folder and may import the program's packages."""

    def __init__(self, cov: coverage.Coverage) -> None:
        self.plugins = cov._plugins
        self.warn = cov._warn
        self.debug = None
        self.disp_class = FileDisposition

    @property
    def last_sys_path(self) -> Any:  # type: ignore[override]
        """What coverage.py compares with sys.path, to make its matchers anew. There are none here,
        so it always equals, whatever the program may have put there."""
        return sys.path

    def set_matchers_depending_on_syspath(self) -> None:
        pass

    def check_include_omit_etc(self, filename: str, frame: FrameType | None) -> str | None:
        module = coverage.inorout.name_for_module(filename, frame)
        try:
            measured = _shmcov.measured(abs_file(filename), filename, module)
        except UnicodeEncodeError:
            return "non-encodable filename"
        return None if measured else "left out by the rules of the run"

    def includes(self, filename: str, frame: FrameType) -> bool:
        return self.check_include_omit_etc(filename, frame) is None


# -- tracing --


_installed: FileTracers | None = None


def switch(tracers: FileTracers | None) -> None:
    """Sets who traces files in this process, for code at first sight from now on: after a change of
    segment that is all code. What others claimed before is not measured any more."""
    global _installed
    if tracers is not _installed:
        _shmcov.set_file_tracers(None if tracers is None else tracers.claim)
        _installed = tracers


class FileTracers:
    """Which plug-in traces which file, by coverage.py's dispositions."""

    def __init__(self, should_trace: ShouldTrace, check_include: CheckInclude, warn: Warn) -> None:
        self._should_trace = should_trace
        self._check_include = check_include
        self.warn = warn
        # As in coverage.py, one dict has the names of Python files and those that plug-ins return;
        # None: a plug-in's name that is left out.
        self._decided: dict[str, Any] = {}
        self._paths: dict[str, str] = {}

    def claim(self, filename: str, frame: FrameType) -> Calls | Literal[False] | None:
        """The claim: see _shmcov.set_file_tracers()."""
        if filename not in self._decided:
            self._decided[filename] = self._should_trace(filename, frame)
        disposition = self._decided[filename]
        if disposition is None:
            return False
        if disposition.file_tracer is None:
            return None
        if not disposition.trace:
            return False
        file = _File(self, disposition)
        return file.started, file.line, file.ended

    def included(self, name: str, disposition: Any, frame: FrameType) -> bool:
        """Do the rules measure a name that a plug-in returned?"""
        if name not in self._decided:
            included = self._check_include(name, frame)
            self._decided[name] = disposition if included else None
        return self._decided[name] is not None

    def path(self, name: str) -> str:
        if name not in self._paths:
            self._paths[name] = abs_file(name)
        return self._paths[name]


class _File:
    """A claimed Python file: what coverage.py's tracer does at the events of its code."""

    def __init__(self, tracers: FileTracers, disposition: Any) -> None:
        self._tracers = tracers
        self._disposition = disposition
        self._file_tracer = disposition.file_tracer
        self._plugin = disposition.file_tracer._coverage_plugin
        # By the frame's address: a reference to the frame would keep its locals alive. An entry of
        # a dead frame is replaced when another one begins at its address.
        self._frames: dict[int, tuple[str, int]] = {}

    def started(self, frame: FrameType, begins: bool) -> None:
        """A frame begins, or is resumed."""
        path = self._source_path(frame)
        if path is None:
            self._frames.pop(id(frame), None)
        else:
            line = -frame.f_code.co_firstlineno if begins else frame.f_lineno or 0
            self._frames[id(frame)] = path, line

    def line(self, frame: FrameType) -> None:
        known = self._frames.get(id(frame))
        if known is None:
            return
        path, previous = known
        try:
            first, last = _pair(self._file_tracer.line_number_range(frame))
            if first != -1 and first <= last:
                _shmcov.record(path, first, last, previous)
                self._frames[id(frame)] = path, last
        except Exception:
            self._frames.pop(id(frame), None)
            self._disable()

    def ended(self, frame: FrameType) -> None:
        """A frame ends; only called if branches are recorded."""
        known = self._frames.pop(id(frame), None)
        if known is not None:
            _shmcov.record_arc(*known, -frame.f_code.co_firstlineno)

    def _source_path(self, frame: FrameType) -> str | None:
        """The file that the frame runs lines of. None: it is not measured."""
        if not self._disposition.trace:
            return None
        name = self._disposition.source_filename
        try:
            if self._disposition.has_dynamic_filename:
                name = self._file_tracer.dynamic_source_filename(name, frame)
                if name is None or not self._tracers.included(name, self._disposition, frame):
                    return None
            path = self._tracers.path(name)
            _shmcov.record_tracer(path, self._plugin._coverage_plugin_name)
        except Exception:
            self._disable()
            return None
        return path

    def _disable(self) -> None:
        """Disables the plug-in, which raised or returned what it must not."""
        _print_exception()
        self._plugin._coverage_enabled = False
        self._disposition.trace = False
        name = self._plugin._coverage_plugin_name
        try:
            self._tracers.warn(f"Disabling plug-in {name!r} due to previous exception")
        except Exception:  # -W error: must not reach the program
            _print_exception()


def _print_exception() -> None:
    """Prints the exception that is being handled, from the plug-in's own frame on."""
    kind, value, trace = sys.exc_info()
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    with contextlib.suppress(Exception):
        if sys.stderr is not None:
            traceback.print_exception(kind, value, trace)


def _pair(found: object) -> tuple[int, int]:
    if not isinstance(found, tuple) or len(found) != 2:
        raise TypeError("line_number_range must return 2-tuple")
    return operator.index(found[0]), operator.index(found[1])
