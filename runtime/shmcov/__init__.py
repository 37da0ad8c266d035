# SPDX-License-Identifier: Apache-2.0
"""Code coverage for Python programs that run in many processes.

This package is what stands on top: the command line, the supervisor of a run, and what turns a
segment into a data file. Importing it costs nothing; coverage.py is imported by what needs it.
A measured process imports only the extension module `_shmcov`, with two exceptions: `file_tracers`
where file tracer plug-ins of coverage.py have to run in it, and `backend` with what that imports
where a Coverage object with our plug-in is made in it. The former comes before pytest, which would
warn that it is too late to rewrite assertions; there are none: PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import sys
from typing import Any

__version__ = "0.1.0"


def coverage_init(reg: Any, options: dict[str, str] | None = None) -> None:
    """What coverage.py calls where its configuration says `plugins = shmcov`: docs/backend.md.

    `reg` is coverage.py's `Plugins`, which gets a configurer. `options` is the section `[shmcov]`
    of the configuration, names and texts; docs/reference/settings.md says which there are. Where
    the compiled part cannot be imported, coverage.py measures with its own core, and a
    `CoverageWarning` says so; with `strict` that is an error.
    """
    try:
        from shmcov.backend.hooks import Plugin
    except ImportError as error:
        from shmcov import compiled
        from shmcov.backend import fallback

        reg.add_configurer(fallback.Plugin(options or {}, compiled.why(error)))
        return
    reg.add_configurer(Plugin(options or {}))


def name_process(name: str) -> bool:
    """Says what people call this process: `shmcov status` and `shmcov top` show it.

    Workers of pytest-xdist and processes of multiprocessing have a name without this. Forks and
    other children do not inherit it. Returns whether the process is measured; that it is not is no
    error. A name that UTF-8 cannot hold raises UnicodeEncodeError, one that is no text TypeError.
    """
    try:
        import _shmcov
    except ImportError:
        return False
    return _shmcov.name_process(name)


def switch_context(name: str) -> bool:
    """Counts what the calling thread runs from now on in the dynamic context `name`.

    An empty name is no context. Contexts belong to threads; one that has none of its own is in the
    one that any thread switched to last: docs/contexts.md. Where coverage.py's own core measures in
    our place, they are of all threads. The call takes some microseconds, and is meant for tests and
    requests rather than for inner loops.

    Returns whether the process is measured. That it is not is no error: a program may always call
    this. A name that UTF-8 cannot hold raises UnicodeEncodeError, one that is no text TypeError.
    One of more than 4 MiB finds no room, and the run says at its end that it lost something.
    """
    try:
        import _shmcov
    except ImportError:
        pass
    else:
        if _shmcov.switch_context(name):
            return True
    fallback = sys.modules.get("shmcov.backend.fallback")
    return fallback is not None and bool(fallback.switch_context(name))
