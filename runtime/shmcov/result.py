# SPDX-License-Identifier: Apache-2.0
"""From a segment to the data file that coverage.py's configuration asks for.

`shmcov run` does this at the end of a run, `shmcov salvage` with a left-over segment. The merge
itself is C (`shmcov._merge`); here is what needs coverage.py or the source files: the name of the
data file, the multi-line maps, the files that never ran, the warnings.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import coverage
from coverage.config import CoverageConfig
from coverage.misc import ensure_dir_for_file, isolate_module
from coverage.sqldata import filename_suffix

from shmcov import _merge, logical_lines, messages, plan
from shmcov.messages import Warnings

os = isolate_module(os)

LOST = {
    "space": "{n} pieces of data found no room in the segment: allow more with --shm-size, or "
    "choose another folder with --shm-dir",
    "map": "{n} times a part of the segment could not be mapped: memory, or a limit on it "
    "(RLIMIT_AS), was too small",
    "limit": "{n} lines, files or contexts have numbers or names that are too large to be recorded",
    "tracer": "{n} functions could not be traced",
    "attach": "{n} processes could not start to measure",
    "plugin": "{n} processes ran without file tracer plug-ins, because those could not be loaded "
    "there: SHMCOV_DEBUG=1 in the environment makes them say why",
    "user": "{n} processes run as another user, who may not open the segment: --shm-other-users "
    "([shmcov] other_users = true) admits them",
}


NAMED = 5
"""So many lossy files are named."""


class Target:
    """The data file of a run."""

    def __init__(self, path: str, append: bool = False, suffixed: bool = False) -> None:
        self.path = path
        self.append = append
        self.suffixed = suffixed

    @classmethod
    def of(cls, cov: coverage.Coverage, *, append: bool) -> Target:
        """As coverage.py names it: with a suffix if the run is one of several in parallel."""
        path = os.path.abspath(cov.config.data_file)
        suffixed = cov.config.parallel and not append
        if suffixed:
            # Without the hash of the data that coverage.py adds: `combine` makes its own.
            path += f".{filename_suffix(True)}"
        return cls(path, append, suffixed)

    def salvage_options(self, cov: coverage.Coverage) -> list[str]:
        """The options with which `shmcov salvage` writes a data file like this one."""
        options = ["-o", os.path.abspath(cov.config.data_file)]
        if self.append:
            options.append("--append")
        if self.suffixed:
            options.append("--suffixed")
        if cov.config.config_file:
            options += ["--rcfile", os.path.abspath(cov.config.config_file)]
        return options

    def check(self, *, has_arcs: bool) -> None:
        """Raises `_merge.DataError` if the result of a run could not be written here."""
        ensure_dir_for_file(self.path)
        _merge.check_target(self.path, has_arcs=has_arcs, append=self.append)


def configured(info: _merge.Info, rcfile: str | None) -> tuple[coverage.Coverage, Warnings]:
    """The configuration with which to write a segment of another process, and its warnings."""
    branch = bool(info["flags"] & _merge.FLAG_BRANCH)
    cov = coverage.Coverage(config_file=rcfile or True, branch=branch)
    _take_source(cov.config, info["rules"])
    built = plan.build(cov, branch=branch, context=None)
    return cov, built.warnings


def _take_source(config: CoverageConfig, rules: list[tuple[int, str]]) -> None:
    """--source of the run's own command line, which is in no configuration file."""
    if not (config.source or config.source_dirs or config.source_pkgs):
        folders = [Path(text) for kind, text in rules if kind == _merge.RULE_SOURCE_DIR]
        config.source_dirs = [str(folder) for folder in folders if folder.is_dir()]
        config.source_pkgs = [text for kind, text in rules if kind == _merge.RULE_SOURCE_PKG]


def write(
    copy: _merge.Copy, cov: coverage.Coverage, target: Target, argv: Sequence[str]
) -> _merge.Counts:
    """Writes the data file. `cov` has been through plan.build()."""
    failures: Warnings = []
    tracers = plan.files_of_plugins(cov, copy.packages(), failures)
    messages.warn(cov, failures)
    for path in copy.tracers():
        tracers.pop(path, None)  # it ran, so its plug-in is known
    return write_file(
        copy,
        target.path,
        append=target.append,
        touch=[*plan.never_ran(cov, copy.files(), copy.packages()), *tracers],
        tracers=tracers,
        argv=str(list(argv)) if target.suffixed else None,
        relative=cov._file_mapper if cov.config.relative_files else None,
    )


def write_file(
    copy: _merge.Copy,
    path: str,
    *,
    append: bool,
    touch: Iterable[str],
    tracers: Mapping[str, str] | None = None,
    argv: str | None,
    relative: Callable[[str], str | None] | None,
) -> _merge.Counts:
    """Writes a data file as this coverage.py does. `argv`: as in coverage.py, None where it would
    make equal files differ."""
    for file in copy.multiline_wanted():
        copy.set_multiline(file, logical_lines.of_file(file))
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S")
    return copy.write(
        path,
        append=append,
        touch=touch,
        tracers=tracers,
        coverage_version=coverage.__version__,
        argv=argv,
        when=now if argv is not None else None,
        relative=relative,
    )


def last_warnings(copy: _merge.Copy, cov: coverage.Coverage, target: Target) -> Warnings:
    """What coverage.py would warn of after this run."""
    appended = target.append and os.path.exists(target.path)
    return plan.last_warnings(cov, copy.files(), copy.packages(), appended=appended)


def killed(copy: _merge.Copy, path: str) -> str:
    """One line on workers that did not end by themselves, or "". Of pytest-xdist's it is known that
    they would have said so. Others may have called os._exit(), as a fork of multiprocessing does,
    so of them only those count that were in a test, and how they ended is not said."""
    ended = [row for row in copy.processes() if row["alive"] is False]
    gone = [row for row in ended if row["state"] == "attached"]
    xdist = [re.fullmatch(r"gw\d+", row["name"] or "") is not None for row in gone]
    in_test = [row["tests"] > 0 and row["context"] is not None for row in gone]
    workers = sum(xdist)
    others = sum(test and not worker for worker, test in zip(xdist, in_test, strict=True))
    said = [f"{workers} worker{' was' if workers == 1 else 's were'} killed"] if workers else []
    if others:
        said.append(f"{others} process{'' if others == 1 else 'es'} ended in the middle of a test")
    if not said:
        return ""
    they = "it" if workers + others == 1 else "they"
    return f"{' and '.join(said)}; what {they} ran is in {os.path.basename(path)}"


def losses(info: _merge.Info) -> list[str]:
    """What a run could not record, in words."""
    texts = [LOST[kind].format(n=n) for kind, n in info["lost"].items() if n]
    if info["lossy"]:
        named = sorted(info["lossy"])
        more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
        texts.append(f"parts of {', '.join(named[:NAMED])}{more}")
    if info["damaged"]:
        texts.append(f"{info['damaged']} parts of the segment are damaged and were skipped")
    return texts
