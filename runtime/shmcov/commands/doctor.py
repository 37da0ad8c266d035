# SPDX-License-Identifier: Apache-2.0
"""`shmcov doctor`: what is in force here, tried out where it can be, and what is not needed.

Exit status 1 if something keeps processes from being measured.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import _shmcov
import coverage
from coverage.exceptions import ConfigError, CoverageException

from shmcov import __version__, _merge, plan, segments, settings, startup
from shmcov.backend import hooks

WIDTH = 16


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov doctor",
        description="Show what shmcov does here: interpreter, tracer, segment, configuration, "
        "whether children will be measured, and what in the configuration is not needed.",
    )
    parser.add_argument(
        "--rcfile", help="The configuration file. Default: as coverage.py finds it."
    )
    return parser


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    show = _Sheet()
    _interpreter(show)
    cov = _read(show, options.rcfile)
    own = _settings(show, settings.section_of(cov.config) if cov else {})
    _segment(show, own)
    if cov:
        _configuration(show, cov)
    return 1 if show.trouble else 0


class _Sheet:
    """What is printed, line by line as it is found out."""

    def __init__(self) -> None:
        self.trouble = False

    def line(self, name: str, text: str) -> None:
        for n, part in enumerate(text.splitlines()):
            print(f"{'' if n else name:{WIDTH}}{part}")

    def bad(self, name: str, text: str) -> None:
        self.trouble = True
        self.line(name, f"PROBLEM: {text}")


def _interpreter(show: _Sheet) -> None:
    free = getattr(sys, "_is_gil_enabled", None)
    threads = ", free-threaded" if free is not None and not free() else ""
    show.line("interpreter", f"{sys.executable}\nCPython {platform.python_version()}{threads}")
    show.line("shmcov", f"{__version__}, tracer {_shmcov.TRACER}")
    show.line("coverage.py", coverage.__version__)
    lacks = hooks.missing()
    if lacks:
        show.bad(
            "",
            "the plug-in does not know this version, so coverage.py's own core measures with "
            "`plugins = shmcov`: " + "; ".join(lacks),
        )
    if startup.files():
        show.line("start-up file", "\n".join(startup.files()))
    elif startup.elsewhere():
        show.line("start-up file", "\n".join(startup.elsewhere()))  # whether it is read: children
    else:
        show.bad("start-up file", f"{startup.why_not()}. Install shmcov here, not with -t")


def _read(show: _Sheet, rcfile: str | None) -> coverage.Coverage | None:
    """The configuration, with its plug-ins. None: coverage.py refuses it."""
    try:
        cov = coverage.Coverage(config_file=rcfile or True)
        settings.section_of(cov.config)
        cov._init()
        plan.build(cov, branch=cov.config.branch, context=cov.config.context)
        for name in sorted({*cov.config.concurrency} - cov.config.CONCURRENCY_CHOICES):
            raise ConfigError(f"Unknown concurrency choices: {name}")
    except (Exception, SystemExit) as error:  # of the plug-ins, too
        kind = "" if isinstance(error, CoverageException) else f"{type(error).__name__}: "
        show.bad("configuration", f"{kind}{error}")
        return None
    return cov


def _settings(show: _Sheet, section: Mapping[str, Any]) -> settings.Settings | None:
    wrong = settings.problems(section)
    for problem in wrong:
        show.bad("settings", f"{problem}. `coverage run` measures with its own core")
    if wrong:
        return None
    own = settings.of(section)
    changed = [
        f"{option.name} = {getattr(own, option.field)}"
        for option in settings.OPTIONS
        if getattr(own, option.field) != getattr(settings.Settings, option.field)
    ]
    if changed:
        show.line("settings", ", ".join(changed))
    return own


def _segment(show: _Sheet, own: settings.Settings | None) -> None:
    here = _shmcov.attached()
    show.line("this process", f"is measured, in {here}" if here else "is not measured")
    live = [path for path in segments.found() if str(path) != here]
    if live:
        show.line("left or live", f"{len(live)} other segments: see `shmcov status`")
    if own is None:
        return
    try:
        plain = settings.Settings(folder=own.folder, size=own.size)
        path, fd = segments.create(0, [], plain)
    except OSError as error:
        show.bad("segments", f"cannot be made: {error}")
        return
    try:
        room = segments.in_words(os.fstat(fd).st_size)
        show.line("segments", f"are made in {Path(path).parent}, up to {room}")
        _children(show, own, path, fd)
    finally:
        os.close(fd)
        _shmcov.remove(path)


def _children(show: _Sheet, own: settings.Settings, path: str, fd: int) -> None:
    """Starts children in a run of their own, and looks who came."""
    program = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], env={}, check=True)"
    )
    env = {**os.environ, segments.VARIABLE: path, "SHMCOV_DEBUG": "1"}
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - begin
    rows = [row for row in _merge.Copy(fd).processes() if row["pid"] != os.getpid()]
    if done.returncode:
        show.bad("children", f"could not be started: {done.stderr.strip()}")
    elif not rows:
        show.bad(
            "children",
            f"a child that was started did not attach: {done.stderr.strip() or startup.why_not()}",
        )
    elif len(rows) == 1 and not own.folder:
        show.bad("children", "attach, but not with an empty environment")
    else:
        less = "" if len(rows) > 1 else f", but not with an empty environment (in {own.folder})"
        show.line("children", f"attach{less} (two interpreters in {took:.2f} s)")


# -- the configuration --


def _configuration(show: _Sheet, cov: coverage.Coverage) -> None:
    config = cov.config
    files = [path for path in config.config_files_read if path]
    show.line("configuration", "\n".join(map(str, files)) or "none: coverage.py's defaults")
    show.line("data file", str(Path(config.data_file).absolute()))
    if "shmcov" in config.plugins:
        show.line("plug-in", "yes: `coverage run`, pytest --cov and the API record in a segment")
    else:
        show.line(
            "plug-in",
            "no: only `shmcov run` measures in a segment. For `coverage run`, pytest --cov\n"
            "and the API, add to [run]: plugins = shmcov",
        )
    switchers = [one._coverage_plugin_name for one in cov._plugins.context_switchers]
    if switchers:
        show.line(
            "not supported",
            f"plug-ins for dynamic contexts ({', '.join(switchers)}): coverage.py's own core "
            "measures",
        )
    idle = list(_not_needed(cov))
    if idle and "shmcov" not in config.plugins:
        idle.insert(0, "with `shmcov run`; without the plug-in the others do need it:")
    show.line("not needed", "\n".join(idle) or "nothing of what is configured")


def _not_needed(cov: coverage.Coverage) -> Iterator[str]:
    """What is there to help coverage.py's own core, and may be taken out."""
    config = cov.config
    wanted = hooks.wanted(config)
    patch = wanted.patch if wanted else config.patch
    concurrency = wanted.concurrency if wanted else config.concurrency
    helped = [name for name in concurrency if name != "thread"]
    if helped:
        yield f"[run] concurrency = {', '.join(helped)}"
    # Under `coverage run` these make the first process save; `shmcov run` saves whatever happens.
    first = " (but for `coverage run`)" if wanted else ""
    for name in sorted(set(patch)):
        yield f"[run] patch = {name}" + (first if name in ("_exit", "execv") else "")
    if config.parallel:
        yield (
            "[run] parallel = True, and `coverage combine`: a run leaves one data file (unless you "
            "combine those of several runs)"
        )
    if config.sigterm:
        yield f"[run] sigterm = True{first}"
    if config.timid:
        yield "[run] timid = True"
    if config.core:
        yield f"[run] core = {config.core}"
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COVERAGE_CORE"):
        if os.environ.get(name):
            yield f"the environment variable {name}"
    with contextlib.suppress(OSError):
        for folder in dict.fromkeys(sys.path):
            for path in sorted(Path(folder).glob("*.pth")):
                text = path.read_text(errors="replace")
                ours = path.name == "a1_coverage.pth"  # coverage.py's own
                if "process_startup" in text and not ours:
                    yield f"the start-up file {path}"
