# SPDX-License-Identifier: Apache-2.0
"""What is in force here, tried out where it can be."""

from __future__ import annotations

import difflib
import importlib.util
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _shmcov
import coverage
import coverage.config
from coverage.exceptions import CoverageException

from shmcov import __version__, _merge, plan, segments, settings, startup, versions
from shmcov.commands.doctor.findings import Finding, fact, note, problem
from shmcov.supervisor.program import interpreter_options


def interpreter() -> Iterator[Finding]:
    free = getattr(sys, "_is_gil_enabled", None)
    threads = ", free-threaded" if free is not None and not free() else ""
    yield fact("interpreter", f"{sys.executable}\nCPython {platform.python_version()}{threads}")
    name, why = _shmcov.tracer()
    yield fact("shmcov", f"{__version__}, tracer {name}{f' ({why})' if why else ''}")


def start_up() -> Finding:
    files = startup.files() or startup.elsewhere()  # whether it is read: children()
    if files:
        return fact("start-up file", "\n".join(files))
    return problem("start-up file", startup.why_not())


# -- coverage.py and the configuration --


@dataclass
class Configuration:
    """What coverage.py reads here."""

    cov: coverage.Coverage
    config: Any
    """As it was written: plug-ins have not changed it."""
    plugin: bool
    """It names our plug-in."""
    section: Mapping[str, Any]
    """[shmcov]"""


def coverage_version(*, plugin: bool) -> Iterator[Finding]:
    """`plugin`: the configuration names ours."""
    yield fact("coverage.py", coverage.__version__)
    if text := versions.too_old():
        yield problem("coverage.py", text)
        return
    try:
        from shmcov.backend import hooks

        lacks = hooks.missing()
    except (ImportError, AttributeError) as error:
        lacks = [str(error)]
    if lacks:
        text = (
            "the plug-in does not know this version, so coverage.py's own core measures with "
            f"`plugins = shmcov`: {'; '.join(lacks)}. Install a newer shmcov"
        )
        yield problem("coverage.py", text) if plugin else note("coverage.py", text)


def read(rcfile: str | None, found: list[Finding]) -> Configuration | None:
    """The configuration; what is wrong with it goes to `found`. None: it cannot be read."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            cov = coverage.Coverage(config_file=rcfile or True)
            section = settings.section_of(cov.config)
        except Exception as error:
            where = "" if isinstance(error, CoverageException) else f"{_looked_for(rcfile)}: "
            found.append(problem("configuration", where + _in_words(error)))
            return None
    found += [note("configuration", str(one.message)) for one in told]
    config = cov.config.copy()
    return Configuration(cov, config, settings.SECTION in config.plugins, section)


def _looked_for(rcfile: str | None) -> str:
    """What was being read when coverage.py failed without saying so, as for a file that is not
    UTF-8."""
    tried = (name for name, *_ in coverage.config.config_files_to_try(rcfile or True))
    return next((str(Path(name).absolute()) for name in tried if Path(name).is_file()), "none")


def load(here: Configuration, found: list[Finding]) -> plan.Plan | None:
    """Loads the plug-ins and makes the plan of a run. What cannot be goes to `found`."""
    cov, config = here.cov, here.config
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they are about is found by itself
        try:
            with plan.sys_path_of(["doctor"], True):  # a plug-in may lie beside the program
                cov._init()
        except (Exception, SystemExit) as error:
            plugins = getattr(cov, "_plugins", None)
            name = getattr(plugins, "current_module", None)
            whose = f"the plug-in {name} cannot be loaded: " if name else ""
            found.append(problem("configuration", whose + _in_words(error)))
            return None
        try:
            the_plan = plan.build(cov, branch=config.branch, context=config.context)
        except Exception as error:
            found.append(problem("configuration", _in_words(error)))
            return None
    found += _refused(config, plugin=here.plugin)
    switchers = [one._coverage_plugin_name for one in cov._plugins.context_switchers]
    if switchers:
        text = f"plug-ins for dynamic contexts ({', '.join(switchers)}) are not supported: "
        if here.plugin:
            found.append(problem("contexts", f"{text}coverage.py's own core measures"))
        else:
            found.append(note("contexts", f"{text}under `shmcov run` theirs are not recorded"))
    return the_plan


def _refused(config: Any, *, plugin: bool) -> Iterator[Finding]:
    """What coverage.py finds only when it starts to measure."""
    unknown = sorted({*config.concurrency} - config.CONCURRENCY_CHOICES)
    if unknown:
        yield problem("configuration", f"Unknown concurrency choices: {', '.join(unknown)}")
    for name in sorted({*config.concurrency} & getattr(config, "LIGHT_THREADS", set())):
        if plugin and importlib.util.find_spec(name) is None:
            yield problem(
                "configuration",
                f"coverage.py refuses [run] concurrency = {name}, because that is not installed",
            )


def _in_words(error: BaseException) -> str:
    kind = "" if isinstance(error, CoverageException) else f"{type(error).__name__}: "
    return f"{kind}{error}"


def in_force(here: Configuration) -> Iterator[Finding]:
    config = here.config
    files = [path for path in config.config_files_read if path]
    yield fact("configuration", "\n".join(map(str, files)) or "none: coverage.py's defaults")
    yield fact("data file", str(Path(config.data_file).absolute()))
    if here.plugin:
        text = "yes: `coverage run`, pytest --cov and the API record in a segment"
        yield fact("plug-in", text)
    else:
        text = "no: only `shmcov run` measures in a segment. For `coverage run`, pytest --cov\n"
        yield fact("plug-in", f"{text}and the API, add to [run]: plugins = shmcov")


# -- our own settings --


def own_settings(section: Mapping[str, Any], found: list[Finding]) -> settings.Settings | None:
    wrong = settings.problems(section)
    for text in wrong:
        own_core = "`shmcov run` refuses it, and with the plug-in coverage.py's own core measures"
        found.append(problem("settings", f"{text}. {own_core}"))
    found += _variables()
    if wrong:
        return None
    own = settings.of(section)
    changed = [
        f"{option.name} = {getattr(own, option.field)}"
        for option in settings.OPTIONS
        if getattr(own, option.field) != getattr(settings.Settings, option.field)
    ]
    if changed:
        found.append(fact("settings", ", ".join(changed)))
    return own


def _variables() -> Iterator[Finding]:
    known = settings.variables()
    for name in sorted(os.environ):
        if name.startswith("SHMCOV_") and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f": did you mean {near[0]}?" if near else ""
            yield note("settings", f"shmcov knows no environment variable {name}{hint}")


# -- segments and children --


def segment(own: settings.Settings | None, the_plan: plan.Plan | None) -> Iterator[Finding]:
    here = _shmcov.attached()
    yield fact("this process", f"is measured, in {here}" if here else "is not measured")
    named = os.environ.get(segments.VARIABLE)
    if named and not here:
        yield note(
            "this process", f"{segments.VARIABLE} names a segment that is of no use: {named}"
        )
    live = [path for path in segments.found() if str(path) != here]
    if live:
        yield fact("left or live", f"{len(live)} other segments: see `shmcov status`")
    if own is None:
        return
    the_plan = the_plan or plan.Plan()
    try:
        path, fd = segments.create(the_plan.flags, the_plan.rules, own)
    except OSError as error:
        yield problem("segments", f"cannot be made: {error}")
        return
    try:
        room = segments.in_words(os.fstat(fd).st_size)
        yield fact("segments", f"are made in {Path(path).parent}, up to {room}")
        yield _children(own, path, fd)
    finally:
        os.close(fd)
        _shmcov.remove(path)


def _children(own: settings.Settings, path: str, fd: int) -> Finding:
    """Starts children in a run of their own, and looks who came."""
    program = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], env={}, check=True)"
    )
    env = {**os.environ, segments.VARIABLE: segments.name_of(path), "SHMCOV_DEBUG": "1"}
    command = [sys.executable, *interpreter_options(), "-c", program]
    begin = time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    took = time.perf_counter() - begin
    rows = [row for row in _merge.Copy(fd).processes() if row["pid"] != os.getpid()]
    if done.returncode:
        return problem("children", f"could not be started: {done.stderr.strip()}")
    if not rows:
        why = done.stderr.strip() or startup.why_not()
        return problem("children", f"a child that was started did not attach: {why}")
    if len(rows) > 1:
        return fact("children", f"attach (two interpreters in {took:.2f} s)")
    text = "attach, but not with an empty environment"
    if not own.adopt:
        return note("children", f"{text}: adopt is off (SHMCOV_NO_ADOPT or [shmcov])")
    if own.folder:
        return note("children", f"{text}: they do not look for segments in {own.folder}")
    return problem("children", text)
