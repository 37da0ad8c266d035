# SPDX-License-Identifier: Apache-2.0
"""What is put into coverage.py if its configuration names the plug-in.

Importing this module changes nothing; the plug-in's configure() does.
"""

from __future__ import annotations

import functools
import os
import sys
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import _shmcov
import coverage
import coverage.collector
import coverage.config
import coverage.control
import coverage.core
import coverage.data
import coverage.disposition
import coverage.inorout
import coverage.sqldata
import coverage.sqlitedb
from coverage.files import PathAliases
from coverage.plugin import CoveragePlugin

from shmcov import compiled, schemes, variables
from shmcov.backend.callers import combines, configured, starting
from shmcov.backend.collector import Collector, Core
from shmcov.backend.session import Wanted

RELIES_ON: tuple[tuple[Any, str, str], ...] = (
    # Where our core and collector come in, and what is read of them.
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
    # What our collector inherits, and what it overrides.
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
    # What `configure` changes. 7.10
    (coverage.config.CoverageConfig.__init__, "uses", "concurrency patch"),
    (coverage.inorout.InOrOut.__init__, "uses", "source_pkgs_unmatched"),
)

COMBINING = (
    (coverage.control.Coverage.combine, "uses", "combine_parallel_data _make_aliases"),
    (coverage.data.combine_parallel_data, "uses", "combinable_files"),
    (coverage.sqldata.CoverageData, "has", "base_filename close"),
    (coverage.sqldata.CoverageData.__init__, "uses", "_debug _has_arcs _has_lines"),
    (coverage.sqlitedb.SqliteDb, "has", "execute execute_one"),
    (PathAliases.__init__, "uses", "aliases"),
    (PathAliases, "has", "map"),
)
"""What combine.py relies on. Without it, coverage.py combines."""


def missing(relies_on: Iterable[tuple[Any, str, str]] = RELIES_ON) -> list[str]:
    """What this names and the installed coverage.py lacks."""
    lacks = []
    for owner, how, names in relies_on:
        for name in names.split():
            if name not in owner.__code__.co_names if how == "uses" else not hasattr(owner, name):
                lacks.append(f"{owner.__qualname__} {how} no {name}")
    return lacks


_marked: weakref.WeakKeyDictionary[Any, Wanted] = weakref.WeakKeyDictionary()
"""The configurations that name the plug-in."""


def wanted(config: Any) -> Wanted | None:
    """A configuration as it was before configure() changed it, if it names the plug-in."""
    return _marked.get(config)


class Plugin(CoveragePlugin):
    """Marks each configuration that coverage.py has it configure."""

    def __init__(self, options: dict[str, str]) -> None:
        self.options = options

    def configure(self, config: Any) -> None:
        config = getattr(config, "config", config)  # a Coverage or its CoverageConfig
        if config in _marked:
            return
        lacks = missing()
        if lacks or _joins(config):
            cov = configured(config)
            if cov is not None:
                why = f"it doesn't know coverage.py {coverage.__version__} ({', '.join(lacks)})"
                _fall_back(cov, why, self.options)
            return
        wanted = Wanted(self.options, list(config.patch), list(config.concurrency))
        # These start coverage.py in children, which are measured without it. Only the program that
        # this process becomes by exec needs them.
        dropped = {"fork"} if "execv" in wanted.patch else {"fork", "subprocess"}
        config.patch = [name for name in wanted.patch if name not in dropped]
        config.concurrency = [name for name in wanted.concurrency if name != "multiprocessing"]
        _marked[config] = wanted
        _install()

    def sys_info(self) -> list[tuple[str, Any]]:
        return [("tracer", _shmcov.tracer()[0]), ("segment", _shmcov.attached() or "none")]


def _install() -> None:
    """Puts the factories, and our combine, into coverage.control, once."""
    control: Any = coverage.control
    if isinstance(control.Core, _Factory):
        return
    control.Core = _Factory(control.Core, _make_core)
    control.Collector = _Factory(control.Collector, _make_collector)
    if hasattr(control, "InOrOut"):
        control.InOrOut = _Factory(control.InOrOut, _make_inorout)
    if not missing(COMBINING):
        control.combine_parallel_data = _combine(control.combine_parallel_data)


class _Factory:
    """Replaces a class of coverage.py: makes what `make` makes, or else an original."""

    def __init__(self, original: Any, make: Callable[[dict[str, Any]], Any]) -> None:
        self.original = original
        self.make = make

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        made = self.make(kwargs)
        return self.original(*args, **kwargs) if made is None else made

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


def _make_core(kwargs: dict[str, Any]) -> Core | None:
    config = kwargs.get("config")
    wanted = _marked.get(config)
    cov = starting()
    if wanted is None or cov is None:
        return None
    if cov._plugins.context_switchers:
        names = ", ".join(one._coverage_plugin_name for one in cov._plugins.context_switchers)
        why = f"plug-ins for dynamic contexts ({names}) are not supported"
    else:
        try:
            return Core(cov, wanted)
        except (OSError, ValueError) as error:
            why = str(error)
        except ImportError as error:  # of shmcov._merge
            why = compiled.why(error)
    # Falls back to coverage.py's core, as if the plug-in were not there.
    cov.config.patch = wanted.patch
    cov.config.concurrency[:] = wanted.concurrency
    _fall_back(cov, why, wanted.options)
    return None


def _make_inorout(kwargs: dict[str, Any]) -> Any:
    if kwargs.get("config") not in _marked:
        return None
    with schemes.looked_up_once():
        return coverage.inorout.InOrOut(**kwargs)


def _joins(config: Any) -> bool:
    """Is this process part of a run that fell back, with this configuration?"""
    if variables.FALLBACK not in os.environ:
        return False
    from shmcov.backend import fallback

    return fallback.joins(config)


def _fall_back(cov: coverage.Coverage, why: str, options: dict[str, str]) -> None:
    from shmcov import settings
    from shmcov.backend import fallback

    fallback.fall_back(cov, why, strict=settings.strict(options))


def _make_collector(kwargs: dict[str, Any]) -> Collector | None:
    core = kwargs.get("core")
    return Collector(**kwargs) if isinstance(core, Core) else None


def _moved(
    data: coverage.CoverageData, aliases: PathAliases | None, data_paths: Iterable[str] | None
) -> bool:
    """Was there one file, and is it the combined one by now? A process that has delivered nothing
    has not imported what knows."""
    combine = sys.modules.get("shmcov.backend.combine")
    return combine is not None and combine.moved(data, aliases, data_paths)


def _combine(original: Callable[..., None]) -> Callable[..., None]:
    """What pytest-cov combines with; `original` does all that is not ours."""

    @functools.wraps(original)
    def combined(
        data: coverage.CoverageData,
        aliases: PathAliases | None = None,
        data_paths: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        cov = combines()
        if cov is None or cov.config not in _marked or not _moved(data, aliases, data_paths):
            original(data, aliases=aliases, data_paths=data_paths, **kwargs)

    return combined
