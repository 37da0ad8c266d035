# SPDX-License-Identifier: Apache-2.0
"""Falling back: coverage.py measures with its own core, and all processes all the same.

Whoever cannot record in a segment comes here, for whatever reason: docs/backend.md, "When shmcov
falls back". Nothing that this imports is compiled, so it works wherever coverage.py does.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import coverage
import coverage.core
from coverage.exceptions import CoverageException
from coverage.files import prep_patterns, relative_filename
from coverage.misc import isolate_module
from coverage.plugin import CoveragePlugin

from shmcov import messages, settings, variables
from shmcov.backend import strict
from shmcov.backend.callers import configured, starts

real_os, os = os, isolate_module(os)

SLUG = "own-core"
MARK = ".fallback-"
"""What the names of data files begin with, after that of the run's own, until they are in it."""

PROCESS = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START", variables.FALLBACK)
"""The environment variables that make a new interpreter measure."""

PATCHES = {"_exit", "execv", "fork", "subprocess"}
"""Those of coverage.py, in whose place is what is done here."""

HELPER = re.compile(r"\b(multiprocessing\.forkserver|resource_tracker) import main\b")
"""In the command of a process that multiprocessing or loky starts for itself."""

FINISHED = re.compile(r"\.H\w+h$")
"""The end of the name of a data file to which nothing will be added, since coverage.py 7.13.1."""


class Plugin(CoveragePlugin):
    """Stands in for the one in hooks.py where that cannot be imported."""

    def __init__(self, options: Mapping[str, Any], reason: str) -> None:
        self.options = options
        self.reason = reason

    def configure(self, config: Any) -> None:
        cov = configured(getattr(config, "config", config))
        if cov is not None:
            fall_back(cov, self.reason, strict=settings.strict(self.options))

    def sys_info(self) -> list[tuple[str, Any]]:
        return [("not in use", self.reason)]


def joins(config: Any) -> bool:
    """Is this process part of a run that fell back, and is the configuration that of the run?

    Not in the process of the owner, but after an `exec`: other objects have runs of their own."""
    run = _run()
    if run is None or (run[0] == os.getpid() and any(one.pid == run[0] for one in _here)):
        return False
    path = os.path.abspath(config.data_file)
    return run[1] == path or run[1].startswith(path + MARK)


def _run() -> tuple[int, str] | None:
    pid, _, base = os.environ.get(variables.FALLBACK, "").partition(" ")
    return (int(pid), base) if pid.isdecimal() and base else None


def fall_back(cov: coverage.Coverage, reason: str, *, strict: bool) -> None:
    """From its start on, `cov` measures with coverage.py's core, and its children do, too."""
    if not hasattr(cov, "_shmcov_fallback"):
        setattr(cov, "_shmcov_fallback", Fallback(cov, reason, strict))  # noqa: B010


def switch_context(name: str) -> bool:
    """As `shmcov.switch_context`, where coverage.py measures in our place."""
    one = _current()
    if one is None:
        return False
    one.cov.switch_context(name)
    return True


_here: weakref.WeakSet[Fallback] = weakref.WeakSet()
"""All that this process has, or its parent had when it was forked."""

_warned: set[str] = set()


class Fallback:
    """A Coverage object that coverage.py's own core measures for.

    The object itself stays as its user configured it. The other processes of its run measure in
    parallel mode, into files whose names begin with `base`, and this adds them to its data.
    """

    def __init__(self, cov: coverage.Coverage, reason: str, strict: bool) -> None:
        self.cov = cov
        self.pid = self.owner = os.getpid()
        self.strict = strict
        self.text = f"shmcov doesn't measure: {reason}. coverage.py measures with its own core"
        self.base = ""
        self.first = False
        """Is this the one in the run that was there first? That speaks for all of them."""
        self.collects: str | None = None
        """The data file to which this adds those of the others. None: who made them does it."""
        self._exports: dict[str, str | None] = {}
        self._replaced: dict[str, str | None] = {}
        self._saved = False
        self._ends = False
        for name in ("start", "stop", "get_data", "save", "_post_save_work"):
            setattr(cov, name, getattr(self, name))
        if starts(cov):
            self._prepare()

    # -- what is in the place of methods of the Coverage object --

    def start(self) -> None:
        self._prepare()
        type(self.cov).start(self.cov)

    def stop(self) -> None:
        type(self.cov).stop(self.cov)
        if self.pid == os.getpid():
            _set(self._replaced)
            self._replaced = {}

    def get_data(self) -> coverage.CoverageData:
        data = type(self.cov).get_data(self.cov)
        if self.collects and self.pid == os.getpid() and not self.cov._started:
            self._collect(data, last=self._ends)
        return data

    def save(self) -> None:
        """CoverageException, if strict is set."""
        self._saved = True
        with _undisturbed():
            if self._is_part():
                self._save_part()
            else:
                type(self.cov).save(self.cov)
        if self.first and self.strict and self.pid == os.getpid():
            strict.fail(self.text)

    def _is_part(self) -> bool:
        """Did nobody ask for this object, in this process?"""
        started = getattr(coverage.process_startup, "coverage", None)
        return self.cov is started or self.pid != os.getpid()

    def _save_part(self) -> None:
        cov = self.cov
        if not cov._auto_save:
            return  # the program has an object of its own
        if self.pid == os.getpid() and any(HELPER.search(text) for text in sys.orig_argv):
            return  # it outlives the owner; the forks of a forkserver have what it has
        data = type(cov).get_data(cov)
        if data:
            data.write()
        else:
            data.erase()

    def _post_save_work(self) -> None:
        """Only who measured anything looks for files that never ran."""
        if self.cov._data or not self._is_part():
            type(self.cov)._post_save_work(self.cov)

    # -- before the start --

    def _prepare(self) -> None:
        """Puts into the environment and into this process what measures its children."""
        if not self.base:
            self._join()
            self._warn()
            _here.add(self)
            try:
                self._configure()
                self._exports = self._for_children()
                _change_process()
            except Exception as error:  # nobody knows this coverage.py
                messages.complain(f"the children of this process are not measured: {error!r}")
        if not self._replaced:
            self._replaced = {name: os.environ.get(name) for name in self._exports}
        _set(self._exports)

    def _join(self) -> None:
        """Finds out which run this is part of, and who collects."""
        cov, config = self.cov, self.cov.config
        path = os.path.abspath(config.data_file)
        run = _run()
        if run is not None and joins(config):
            self.owner, self.base = run
            target = self.base.rpartition(MARK)[0]
            if target:
                config.data_file = self.base
            config.parallel = True
            if self.owner == self.pid and target:
                # By exec: what this process was before was the owner.
                self.collects = target
                self._saved = True
        else:
            self.first = True
            self.base = path
            if cov._no_disk:
                import tempfile

                path = os.path.join(tempfile.gettempdir(), os.path.basename(path))
            if cov._no_disk or not (config.parallel or cov._data_suffix_specified):
                self.base = f"{path}{MARK}{self.pid}-{os.urandom(4).hex()}"
                self.collects = path
        if self.collects:
            # Before coverage.py registers its own, and the program any: this runs last.
            atexit.register(self._at_exit)

    def _warn(self) -> None:
        if _run() is not None or self.text in _warned or SLUG in self.cov.config.disable_warnings:
            return  # once in a tree of processes
        _warned.add(self.text)
        messages.warn(self.cov, [(self.text, SLUG)])

    def _configure(self) -> None:
        """What coverage.py needs in this process, unless the configuration says otherwise."""
        config = self.cov.config
        config.patch = [name for name in config.patch if name not in PATCHES]
        # The list itself is what coverage.py has at hand by now.
        if "multiprocessing" in config.concurrency:
            config.concurrency.remove("multiprocessing")
        if config.core is None and getattr(coverage.core, "CTRACER_FILE", None):
            config.core = "ctrace"  # the other one has no contexts and no file tracers
        # Not `sigterm`: a pool waits forever for a terminated worker in whose interpreter a handler
        # has to run, if that worker waits for a semaphore by then.

    def _for_children(self) -> dict[str, str | None]:
        """The environment variables with which interpreters measure for this run."""
        from coverage.patch import apply_patches

        config = self.cov.config.copy()
        config.data_file, config.parallel = self.base, True
        config.patch = ["subprocess"]
        # In TOML they may be dates, which coverage.py cannot hand on.
        config.plugin_options = json.loads(json.dumps(config.plugin_options, default=str))
        if "shmcov" not in config.plugins:
            config.plugins = [*config.plugins, "shmcov"]
        config.config_file = config.config_file or os.devnull
        # A child may be started in another folder. coverage.py sees to `source` since 7.10.6.
        config.source = [
            os.path.abspath(name) if os.path.isdir(name) else name for name in config.source or []
        ] or None
        config.run_omit = prep_patterns(config.run_omit or [])
        config.run_include = prep_patterns(config.run_include or [])
        if self.collects:
            config.relative_files = False  # they are made relative when they are collected
        before = {name: os.environ.get(name) for name in PROCESS}
        arguments: tuple[Any, ...] = (self.cov, config, self.cov._debug)
        try:
            apply_patches(*arguments[: apply_patches.__code__.co_argcount])
            os.environ[variables.FALLBACK] = f"{self.owner} {self.base}"
            return {name: os.environ.get(name) for name in PROCESS}
        finally:
            _set(before)

    # -- in a fork --

    def forked(self, *, recording: bool) -> None:
        """In the child: it goes on as its parent was, and has a data file of its own."""
        cov = self.cov
        data, collector = cov._data, cov._collector
        if data is None or collector is None:
            return
        cov._warn_no_data = cov._warn_unimported_source = False
        cov._auto_save = recording
        mine = coverage.CoverageData(self.base, suffix=True, warn=cov._warn, debug=cov._debug)
        mine.set_context(data._current_context)
        cov._data = collector.covdata = mine
        cov._data_to_close = [mine]
        collector.pid = os.getpid()  # coverage.py forgets those of another process
        if collector.data_lock is not None:
            # A thread that is not here may hold the old one.
            lock = collector.data_lock = threading.Lock()
            tracers: list[Any] = collector.tracers
            for tracer in tracers:
                tracer.lock_data, tracer.unlock_data = lock.acquire, lock.release

    # -- the end --

    def end(self) -> None:
        """The process ends without further notice."""
        self._ends = True
        self.cov.stop()
        self.cov.save()

    def _at_exit(self) -> None:
        if self.pid != os.getpid() or self.collects is None:
            return
        if self._saved and not self.cov._no_disk:
            data = coverage.CoverageData(self.collects)
            data.read()
            self._collect(data, last=True)
            data._reset()
        else:
            for path in self._files():
                _remove(path)

    def _collect(self, data: coverage.CoverageData, *, last: bool) -> None:
        """Adds what other processes have saved. The `last` time this takes what looks unfinished,
        too."""
        relative = self.cov.config.relative_files
        for path in self._files():
            if not last and not FINISHED.search(path):
                continue
            theirs = coverage.CoverageData(path)
            try:
                theirs.read()
                data.update(theirs, map_path=relative_filename if relative else str)
            except CoverageException as error:
                if last:
                    messages.complain(f"{path} could not be added to the data: {error}")
                continue
            finally:
                theirs._reset()
            _remove(path)

    def _files(self) -> list[str]:
        folder, name = os.path.split(self.base)
        try:
            found = os.listdir(folder)
        except OSError:
            return []
        ours = (one for one in found if one.startswith(name + ".") and not one.endswith("-journal"))
        return [os.path.join(folder, one) for one in sorted(ours)]


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """SIGTERM has to wait, for half a file is none. A pool sends it to workers that are about to
    end."""
    handler = signal.getsignal(signal.SIGTERM)
    main = threading.current_thread() is threading.main_thread()
    if not main or handler in (None, signal.SIG_IGN):
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
        if came:
            os.kill(os.getpid(), signal.SIGTERM)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):  # on Windows, if somebody has it open
        os.remove(path)


def _current() -> Fallback | None:
    """That of the object that records at the moment."""
    return getattr(coverage.Coverage.current(), "_shmcov_fallback", None)


# -- what is changed in the process, once --


@functools.cache
def _change_process() -> None:
    """What `patch = _exit, execv, fork` do, for whatever object records by then."""
    if hasattr(real_os, "register_at_fork"):
        real_os.register_at_fork(after_in_child=_after_fork)
    real_os._exit = _saving(real_os._exit, ends=True)
    if sys.platform != "win32":
        real_os.execv = _saving(real_os.execv)
        real_os.execve = _saving(real_os.execve)


def _after_fork() -> None:
    with contextlib.suppress(Exception):  # it would be printed, whatever it is
        current = _current()
        for one in list(_here):
            one.forked(recording=one is current)


def _saving(function: Callable[..., NoReturn], *, ends: bool = False) -> Callable[..., NoReturn]:
    """A function that ends the program, after the data was saved."""

    @functools.wraps(function)
    def save_and_end(*args: Any, **named: Any) -> NoReturn:
        with contextlib.suppress(Exception):
            one = _current()
            if one is not None and ends:
                one.end()
            elif one is not None:
                one.cov.save()
                exports = {name: value for name, value in one._exports.items() if value}
                if "env" in named:
                    named["env"] = {**named["env"], **exports}
                elif len(args) == 3:
                    args = (*args[:2], {**args[2], **exports})
        function(*args, **named)

    return save_and_end
