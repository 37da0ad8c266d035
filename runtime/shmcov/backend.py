# SPDX-License-Identifier: Apache-2.0
"""The coverage.py plug-in: `Coverage` objects that record in a segment. docs/backend.md says how.

Everything that depends on the insides of coverage.py, beyond what plan.py reads, is in this file,
and RELIES_ON names it. Importing this module changes nothing; `coverage_init` of the package does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import tempfile
import warnings
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import FrameType
from typing import Any

import _shmcov
import coverage
import coverage.collector
import coverage.control
import coverage.core
import coverage.disposition
import coverage.files
import coverage.inorout
import coverage.sqldata
import coverage.sqlitedb
from coverage.exceptions import CoverageException, CoverageWarning, DataError
from coverage.misc import isolate_module
from coverage.multiproc import patch_multiprocessing
from coverage.plugin import CoveragePlugin

from shmcov import _merge, file_tracers, plan, result, segments, settings
from shmcov.delivery import (
    NAME_GONE,
    STILL_RUNNING,
    Delivery,
    Keeper,
    name_gone,
    still_running,
)

os = isolate_module(os)
_open = open

READER = "SHMCOV_READER"
"""The environment variable that names the process which delivers in a run of `shmcov run`."""

RELIES_ON: tuple[tuple[Any, str, str], ...] = (
    # Where our core and collector come in, and what is asked of them.
    (
        coverage.control.Coverage._init_for_start,
        "uses",
        "Core Collector _core _collector use_data supports_plugins file_disposition_class "
        "disp_class _init_data _should_trace _check_include_omit_etc",
    ),
    (coverage.control.Coverage, "has", "_init _init_for_start _should_trace"),
    (
        coverage.control.Coverage.__init__,
        "uses",
        "_auto_load _auto_save _data _data_suffix_specified _no_disk",
    ),
    (coverage.control.Coverage.get_data, "uses", "_collector flush_data _post_save_work"),
    (coverage.control.Coverage.switch_context, "uses", "_collector switch_context"),
    # What our collector inherits, and what it has in the place of coverage.py's.
    (
        coverage.collector.Collector,
        "has",
        "_collectors _start_tracer start stop pause resume post_fork reset flush_data "
        "switch_context use_data tracer_name",
    ),
    (coverage.collector.Collector.start, "uses", "_collectors pid pause _start_tracer resume"),
    (coverage.collector.Collector.stop, "uses", "_collectors pause resume"),
    # How data is delivered.
    (
        coverage.sqldata.CoverageData,
        "has",
        "_connect _reset add_arcs add_file_tracers add_lines arcs data_filename file_tracer lines "
        "measured_contexts measured_files read set_context set_query_context touch_files write",
    ),
    (
        coverage.sqldata.CoverageData.__init__,
        "uses",
        "_current_context _have_used _lock _no_disk _suffix",
    ),
    (coverage.inorout.InOrOut, "has", "check_include_omit_etc"),
    (coverage.inorout.InOrOut.__init__, "uses", "source_pkgs_unmatched"),
)


def missing() -> list[str]:
    """What the installed coverage.py has not that RELIES_ON names."""
    lacks = []
    for owner, how, names in RELIES_ON:
        for name in names.split():
            if name not in owner.__code__.co_names if how == "uses" else not hasattr(owner, name):
                lacks.append(f"{owner.__qualname__} {how} no {name}")
    return lacks


# -- getting in --


@dataclass
class Wanted:
    """What a configuration that names the plug-in says."""

    options: dict[str, str]
    patch: list[str]
    concurrency: list[str]


_marked: weakref.WeakKeyDictionary[Any, Wanted] = weakref.WeakKeyDictionary()
"""The configurations that name the plug-in."""


def wanted(config: Any) -> Wanted | None:
    """What a configuration said before `configure` changed it, if it names the plug-in."""
    return _marked.get(config)


class Plugin(CoveragePlugin):
    """Marks each configuration that it is asked to configure."""

    def __init__(self, options: dict[str, str]) -> None:
        self.options = options

    def configure(self, config: Any) -> None:
        config = getattr(config, "config", config)  # a Coverage or its CoverageConfig
        if config in _marked:
            return
        lacks = missing()
        if lacks:
            text = (
                f"shmcov doesn't know coverage.py {coverage.__version__} ({lacks[0]}): "
                "coverage.py measures with its own core"
            )
            if settings.strict(self.options):
                raise CoverageException(f"{text} (strict is set)")
            warnings.warn(text, CoverageWarning, stacklevel=2)
            return
        wanted = Wanted(self.options, list(config.patch), list(config.concurrency))
        # These start coverage.py in children, which are measured without it. But what becomes of
        # this process by exec needs to be told.
        dropped = {"fork"} if "execv" in wanted.patch else {"fork", "subprocess"}
        config.patch = [name for name in wanted.patch if name not in dropped]
        config.concurrency = [name for name in wanted.concurrency if name != "multiprocessing"]
        _marked[config] = wanted
        _install()

    def sys_info(self) -> list[tuple[str, Any]]:
        return [("tracer", _shmcov.TRACER), ("segment", _shmcov.attached() or "none")]


def _install() -> None:
    """Puts the factories into coverage.control, once."""
    control: Any = coverage.control
    if isinstance(control.Core, _Factory):
        return
    control.Core = _Factory(control.Core, _make_core)
    control.Collector = _Factory(control.Collector, _make_collector)


class _Factory:
    """Stands in for a class of coverage.py: makes ours where `make` does, else the original."""

    def __init__(self, original: Any, make: Callable[[dict[str, Any]], Any]) -> None:
        self.original = original
        self.make = make

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        made = self.make(kwargs)
        return self.original(*args, **kwargs) if made is None else made

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class ShmTracer:
    """What coverage.py shows as the name of the tracer. `concur_id_func`: all of them work."""

    concur_id_func = None


class Core:
    """What coverage.py asks of its core, for a Coverage object that records in a segment."""

    tracer_class = ShmTracer
    tracer_kwargs: dict[str, Any] = {}  # noqa: RUF012
    file_disposition_class = coverage.disposition.FileDisposition
    supports_plugins = True
    supports_dynamic_contexts = True
    packed_arcs = False
    systrace = False

    def __init__(self, cov: coverage.Coverage, session: Session) -> None:
        self.cov = cov
        self.session = session

    def __repr__(self) -> str:
        return f"<Core tracer_class={self.tracer_class.__name__}>"


def _make_core(kwargs: dict[str, Any]) -> Core | None:
    config = kwargs.get("config")
    wanted = _marked.get(config)
    cov = _caller()
    if wanted is None or cov is None:
        return None
    if cov._plugins.context_switchers:
        names = ", ".join(one._coverage_plugin_name for one in cov._plugins.context_switchers)
        why = f"plug-ins for dynamic contexts ({names}) are not supported"
    else:
        try:
            return Core(cov, Session.of(cov, wanted))
        except (OSError, ValueError) as error:
            why = str(error)
    # As if the plug-in were not there.
    cov.config.patch = wanted.patch
    cov.config.concurrency = wanted.concurrency
    if "multiprocessing" in wanted.concurrency and cov.config.config_file:
        patch_multiprocessing(rcfile=cov.config.config_file)
    text = f"shmcov doesn't measure: {why}. coverage.py measures with its own core"
    cov._warn(text)
    if settings.strict(wanted.options):
        save = cov.save

        def save_and_tell() -> None:
            save()
            _not_all(text)

        cov.save = save_and_tell  # type: ignore[method-assign]
    return None


not_all: list[str] = []
"""Why not all of what pytest-cov was to measure is in its data, where that has to be an error."""


def _not_all(text: str) -> None:
    """The data is saved, and it is not all: that decides the exit status, unless something worse
    does. pytest-cov saves in the middle of pytest, where our plug-in has the last word."""
    if _pytest_cov():
        not_all.append(text)
        return
    ending = sys.exc_info()[1]
    if ending is None or (isinstance(ending, SystemExit) and not ending.code):
        raise CoverageException(f"{text} (strict is set)")


def _make_collector(kwargs: dict[str, Any]) -> Collector | None:
    core = kwargs.get("core")
    return Collector(**kwargs) if isinstance(core, Core) else None


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _caller() -> coverage.Coverage | None:
    """The Coverage object whose _init_for_start asks for a core."""
    code = coverage.control.Coverage._init_for_start.__code__
    for frame in _frames():
        if frame.f_code is code:
            cov = frame.f_locals["self"]
            return cov if isinstance(cov, coverage.Coverage) else None
    return None


def _pytest_cov() -> str | None:
    """The name of pytest-cov's controller, if that starts the Coverage object."""
    for frame in _frames():
        if frame.f_globals.get("__name__") == "pytest_cov.engine":
            return type(frame.f_locals.get("self")).__name__
    return None


def _saves(cov: coverage.Coverage) -> bool:
    """Will this object be saved at the end, whatever the program does?"""
    makers = {"coverage.cmdline", "pytest_cov.engine"}
    return cov._auto_save or any(frame.f_globals.get("__name__") in makers for frame in _frames())


def _in_exit_patch() -> bool:
    """Is coverage.py's `patch = _exit` about to end the process?"""
    return any(frame.f_code.co_name == "coverage_os_exit_patch" for frame in _frames())


# -- sessions --


class Role(Enum):
    """What a collector does with its segment."""

    OWNS = "owns"  # makes it and delivers what is in it
    READS = "reads"  # delivers what is in that of `shmcov run`
    ATTACHED = "attached"  # records into that of another process, which delivers


class _Process:
    """This process: the run that it takes part in by itself, and who records at the moment."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        _shmcov.attach()
        self.run = _shmcov.attached()
        if self.run is not None and not _exists(self.run):
            self.run = None
        self.owner = _shmcov.owner() if self.run else None
        self.recorded = _shmcov.recording()
        self.newest: Collector | None = None
        """The attached collector that started last: the only one that records."""


_process: _Process | None = None


def _here() -> _Process:
    global _process
    if _process is None or _process.pid != os.getpid():
        _process = _Process()
    return _process


class Session:
    """A segment, and what the process does with it that made this object."""

    def __init__(self, cov: coverage.Coverage, wanted: Wanted) -> None:
        self.pid = os.getpid()
        self.settings = settings.of(wanted.options)
        self.wait = self.settings.wait
        self.pytest_cov = bool(_pytest_cov())
        self.everything = True
        """False: only files that this Coverage object would measure are delivered."""
        here = _here()
        where, what = plan.digest(cov.config).split()
        their_where, _, their_what = here.owner[2].partition(" ") if here.owner else ("", "", "")
        self.role, again = Role.OWNS, False
        if here.run and here.owner and where == their_where:
            reader = os.environ.get(READER, "")
            if here.owner[1]:
                # "Central": pytest-cov in a process that reports for itself, as looponfail's.
                if what == their_what and _pytest_cov() != "Central":
                    again = here.owner[0] == self.pid  # by exec: what it was before made it
                    self.role = Role.OWNS if again else Role.ATTACHED
            elif reader and reader != str(self.pid):
                self.role = Role.ATTACHED
            else:
                self.role = Role.READS
                self.everything = what == their_what
        kept = self.settings.keeper and not cov._no_disk
        if self.role is Role.OWNS and not again:
            if "execv" in wanted.patch:
                _remove_former()
            self.path = _create(cov, self.settings, wanted, kept=kept)
            if notice := segments.leftover_notice():
                result.tell(cov, [(notice, segments.LEFT)])
        else:
            assert here.run is not None
            self.path = here.run
        self.delivery = Delivery(self.path)
        if self.role is Role.OWNS:
            _owned.append(self)
            if again:
                self.delivery.keeper = Keeper(0, 0)  # it stays, whoever it is
            elif kept:
                self.delivery.keeper = self._keeper(cov)

    def _keeper(self, cov: coverage.Coverage) -> Keeper | None:
        data = cov._data
        append = cov._auto_load or (data is not None and data._have_used)
        suffixed = cov.config.parallel and not append
        target = result.Target(cov.config.data_file, append, suffixed)
        return Keeper.of(
            self.path, self.wait, target.salvage_options(cov), only_again=not _saves(cov)
        )

    @classmethod
    def of(cls, cov: coverage.Coverage, wanted: Wanted | None = None) -> Session:
        return cls(cov, wanted or _marked[cov.config])

    @property
    def delivers(self) -> bool:
        return self.role is not Role.ATTACHED and self.pid == os.getpid()

    @property
    def steers(self) -> bool:
        """Do collectors say when this process records? Not in a run of `shmcov run`."""
        owner = _here().owner
        return self.role is Role.OWNS or (owner is not None and owner[1])

    def record(self) -> None:
        """This process records into the segment from now on, and so do its new children."""
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
        """Nothing of this process is recorded, and new children are not measured for it."""
        if self.steers:
            _shmcov.pause()
            os.environ.pop(segments.VARIABLE, None)

    def settle(self, seconds: float = 0.0, *, helpers: bool = False) -> list[segments.Process]:
        """Waits until nobody else records; who still does."""
        return self.delivery.settle(seconds, helpers=helpers)

    def disown(self) -> None:
        """The segment goes, or is another's business."""
        if self in _owned:
            _owned.remove(self)

    def end(self) -> None:
        """The segment is of no use to anybody any more."""
        if self.role is Role.OWNS and self.pid == os.getpid() and self in _owned:
            self.disown()
            if _shmcov.attached() == self.path:
                _shmcov.leave()
            self.delivery.remove()


_owned: list[Session] = []


def _create(cov: coverage.Coverage, own: settings.Settings, wanted: Wanted, *, kept: bool) -> str:
    config = cov.config
    inorout = cov._inorout
    the_plan = plan.build(cov, branch=config.branch, context=config.context)
    cov._inorout = inorout
    flags = the_plan.flags | _shmcov.FLAG_OWNED
    if _pytest_cov():
        flags |= _shmcov.FLAG_HOLD
    # With `patch = execv` coverage.py saves before an exec, and starts again after it.
    if kept and _saves(cov) and "execv" not in wanted.patch:
        flags |= _shmcov.FLAG_KEPT
    flags |= 0 if own.adopt else _shmcov.FLAG_NO_ADOPT
    flags |= _shmcov.FLAG_CONTEXTS if own.contexts else 0
    flags |= _shmcov.FLAG_OTHERS if own.other_users else 0
    rules = the_plan.rules + plan.identity(" ".join(_arguments()), config.data_file)
    _end_idle()
    path, fd = segments.create(flags, rules, own.folder, own.size)
    os.close(fd)  # programs close what they did not open
    return path


def _arguments() -> list[str]:
    """The command line, as a person would type it."""
    arguments = sys.orig_argv or ["python"]
    return [os.path.basename(arguments[0]), *arguments[1:]]


def _remove_former() -> None:
    """The segments that this process owned before it became another program, and saved."""
    owned = {session.path for session in _owned}
    for path in segments.found():
        if str(path) in owned:
            continue
        with contextlib.suppress(OSError, segments.SegmentNotUsable), segments.opened(path) as fd:
            copy = segments.read(path, fd)
            info = copy.info()
            ours = info["flags"] & _shmcov.FLAG_OWNED and info["supervisor"][0] == os.getpid()
            delivered = _shmcov.delivered(fd)
            if ours and delivered is not None and delivered[0] == copy.hits():
                Delivery(str(path)).remove()


def _end_idle() -> None:
    """Programs that make many Coverage objects must not fill the memory."""
    for collector in list(_live):
        if collector.idle():
            with contextlib.suppress(segments.SegmentNotUsable, OSError):
                collector.end_if_alone()


# -- the collector --


class Collector(coverage.collector.Collector):
    """Keeps coverage.py's stack of collectors; everything else happens in the segment."""

    _session: Session | None = None
    _activity_since = False
    _recording = False
    _context: str | None = None
    _lost = ""
    _file_tracers: file_tracers.FileTracers | None = None
    _written = False
    _failed = False
    _finished = False
    _name_told = False

    def __init__(self, core: Core, **kwargs: Any) -> None:
        super().__init__(core=core, **kwargs)  # type: ignore[arg-type]
        self._cov = core.cov
        self._session = core.session
        self._strict = core.session.settings.strict
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
            self._session = Session.of(self._cov)
        session = self._session
        if session.role is Role.ATTACHED:
            _here().newest = self
        elif session.role is Role.OWNS:
            self._claim_files()
        session.record()
        self._recording = self._activity_since = True
        if self._context:
            _shmcov.switch_context(self._context, everywhere=True)

    def _claim_files(self) -> None:
        """Lets the file tracer plug-ins of this Coverage object trace. In other processes of a run
        they are loaded before anything runs."""
        tracers = self._file_tracers
        if self._cov._plugins.file_tracers and tracers is None:
            tracers = self._file_tracers = file_tracers.FileTracers(
                self.should_trace, self.check_include, self.warn
            )
        file_tracers.switch(tracers)

    def pause(self) -> None:
        self._activity_since |= self._recording
        self._recording = False
        if self._session:
            self._session.pause()

    def resume(self) -> None:
        if self._session and self._session.role is Role.ATTACHED and _here().newest is not self:
            return  # pytest-cov forgets this one: docs/backend.md, "Children"
        self._record()

    def stop(self) -> None:
        super().stop()
        here = _here()
        owns = self._session and self._session.role is Role.OWNS
        if owns and here.run and here.recorded and not self._collectors:
            # What this process took part in before goes on.
            name = segments.name_of(here.run)
            _shmcov.start(name)
            os.environ[segments.VARIABLE] = name

    def idle(self) -> bool:
        """Has a segment of which everything was delivered."""
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
            # What does not deliver has no file, and a fork's would be its parent's.
            if self._asked_for_a_file():
                self._written = True
                (covdata.add_arcs if self.branch else covdata.add_lines)({})
                type(covdata).write(covdata)
            elif self._delivers:
                type(covdata).write(covdata)
                self._was_written(covdata)
                if self._lost and self._strict and not self._finished:
                    _not_all(self._lost)

        covdata.write = write  # type: ignore[method-assign]

    def _was_written(self, covdata: coverage.CoverageData) -> None:
        self._written = True
        session = self._session
        if session is None or session.role is not Role.OWNS or covdata._no_disk:
            return
        session.delivery.moved_to(covdata.data_filename())
        if not self._finished and (self not in self._collectors or _in_exit_patch()):
            with contextlib.suppress(segments.SegmentNotUsable, OSError):
                self.end_if_alone()

    def end_if_alone(self) -> None:
        """Everything was saved: the segment goes, unless others still write into it."""
        session = self._session
        if session is None or session.role is not Role.OWNS or session.settle(helpers=True):
            return
        if not session.delivery.due():
            session.end()
            self._session = None

    def _asked_for_a_file(self) -> bool:
        """Attached, but made with a data_suffix by a program that combines such files itself and
        may insist on finding one (`combine(strict=True)`). It gets one, in which nothing is."""
        session = self._session
        return (
            session is not None
            and session.role is Role.ATTACHED
            and session.pid == os.getpid()
            and not session.pytest_cov
            and not self._written
            and bool(self._cov._data_suffix_specified)
        )

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
            result.tell(self._cov, [(self._lost, None)])
        self._tell_name()
        self._tell_packages(copy)
        covdata = self.covdata
        # Data that is in use is added to. Other data coverage.py would erase now; here it goes when
        # the new is complete.
        append = covdata._have_used
        with covdata._lock:
            try:
                if append or covdata._no_disk:
                    # Refuses what is of the other kind.
                    (covdata.add_arcs if self.branch else covdata.add_lines)({})
                if covdata._no_disk:
                    self._add_all(covdata, copy)
                else:
                    covdata._reset()  # closes the file
                    self._write(copy, covdata.data_filename(), append=append)
                    _read_back(covdata)
                    _tell_hash(covdata)
            except _merge.DataError as error:
                covdata._have_used = append
                raise DataError(str(error)) from error
        return None if covdata._no_disk else covdata.data_filename()

    def _add_all(self, covdata: coverage.CoverageData, copy: _merge.Copy) -> None:
        """Into data that is in memory. (`update` can do that only once before 7.16.)"""
        with tempfile.TemporaryDirectory(prefix="shmcov-") as folder:
            path = os.path.join(folder, "data")
            self._write(copy, path, append=False)
            data = coverage.CoverageData(basename=path)
            data.read()
            covdata.touch_files(data.measured_files())
            covdata.add_file_tracers(
                {file: data.file_tracer(file) or "" for file in data.measured_files()}
            )
            now = covdata._current_context
            for context in data.measured_contexts():
                data.set_query_context(context)
                covdata.set_context(context)
                if self.branch:
                    covdata.add_arcs(
                        {file: data.arcs(file) or [] for file in data.measured_files()}
                    )
                else:
                    covdata.add_lines(
                        {file: data.lines(file) or [] for file in data.measured_files()}
                    )
            covdata.set_context(now)
            data._reset()

    def _write(self, copy: _merge.Copy, path: str, *, append: bool) -> None:
        # Names in a segment are what the mapper makes of them, but for relative_files.
        mapper: Callable[[str], str | None] | None = None
        if self._cov.config.relative_files:
            mapper = self.file_mapper
        if self._session and not self._session.everything:
            mapper = self._mapped_if_wanted
        files = copy.files()
        # As its own core does for a file that runs: to look again needs functions of `os`.
        getattr(coverage.files, "CANONICAL_FILENAME_CACHE", {}).update(
            zip(files, files, strict=True)
        )
        touch = plan.never_ran(self._cov, files, copy.packages()) if files else []
        own_name = self.covdata._suffix is True
        result.write_file(
            copy,
            path,
            append=append,
            touch=touch,
            argv=str(getattr(sys, "argv", None)) if own_name else None,
            relative=mapper,
        )

    def _mapped_if_wanted(self, path: str) -> str | None:
        inorout = self._cov._inorout
        unwanted = inorout is not None and inorout.check_include_omit_etc(path, None)
        return None if unwanted else self.file_mapper(path)

    def _tell_name(self) -> None:
        session = self._session
        if self._name_told or session is None or session.role is not Role.OWNS:
            return
        if session.delivery.name_is_gone():
            self._name_told = True
            self._lost = name_gone(session.path)
            result.tell(self._cov, [(self._lost, NAME_GONE)])

    def _tell_packages(self, copy: _merge.Copy) -> None:
        """Which source packages were imported: coverage.py warns of the others."""
        inorout = self._cov._inorout
        if inorout is not None:
            seen = plan.imported(copy.files(), copy.packages())
            inorout.source_pkgs_unmatched = [
                name for name in inorout.source_pkgs_unmatched if name not in seen
            ]

    def finish(self) -> None:
        """The process ends. Coverage has saved what it wants to save."""
        session, self._finished = self._session, True
        if session is None or session.role is not Role.OWNS or not self._delivers:
            return
        if not self._written and not self._failed:
            session.end()  # nobody wants it
            return
        try:
            running = self._deliver_late(session)
        except Exception as error:
            session.disown()
            kept = session.delivery.set_aside()
            result.complain(f"The data of this run could not be saved: {error}\n{kept}")
            return
        if running and session.delivery.keeper:
            session.disown()
        else:
            session.end()

    def _deliver_late(self, session: Session) -> list[segments.Process]:
        """Processes that went on after the data was saved have their time to come to an end. Who is
        left, helpers of this process included."""
        covdata = self.covdata
        running = session.settle(session.wait)
        if self._failed or session.delivery.due():
            if covdata._no_disk or (self._written and not _exists(covdata.data_filename())):
                return []  # whoever took the data file away has what was in it then
            self._deliver(session)
            covdata.write()
        if running:
            kept = session.delivery.keeper is not None
            text = still_running(running, session.wait, "[shmcov] wait", kept=kept)
            result.tell(self._cov, [(text, STILL_RUNNING)])
        return session.settle(helpers=True)


def _exists(path: str) -> bool:
    """os.path.exists(), which asks whatever os.stat is by now."""
    try:
        os.stat(path)  # this module's own: isolate_module
    except OSError:
        return False
    return True


def _read_back(covdata: coverage.CoverageData) -> None:
    """Reads the file that the merge has just put there, so it has no journal of another writer, for
    which coverage.py 7.17 looks with pathlib: that imports, and uses what a test may have replaced.
    """
    check = getattr(coverage.sqlitedb, "check_hot_journal", None)
    if check is not None:
        coverage.sqlitedb.check_hot_journal = lambda filename: None
    try:
        with covdata._connect():
            covdata._have_used = True
    finally:
        if check is not None:
            coverage.sqlitedb.check_hot_journal = check


def _tell_hash(covdata: coverage.CoverageData) -> None:
    """7.13.1 to 7.16 put a hash of what was added with add_lines() into the file's name, and
    `combine` takes files with the same hash for the same."""
    hasher = getattr(covdata, "_hasher", None)
    if hasher is not None:
        with _open(covdata.data_filename(), "rb") as file:
            hasher.update(file.read())


_live: weakref.WeakSet[Collector] = weakref.WeakSet()


def _at_exit() -> None:
    for collector in list(_live):
        collector.finish()
    for session in list(_owned):
        session.end()
