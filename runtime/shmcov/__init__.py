# SPDX-License-Identifier: Apache-2.0
"""Code coverage for Python programs that run in many processes.

This package is what stands on top: the command line, the supervisor of a run, and what turns a
segment into a data file. Importing it costs nothing; coverage.py is imported by what needs it.
Measured processes import only the extension module `_shmcov`, and `file_tracers` where plug-ins of
coverage.py have to run in them.
"""

from __future__ import annotations

__version__ = "0.1.0"


def switch_context(name: str) -> bool:
    """Counts what the calling thread runs from now on in the dynamic context `name`.

    An empty name is no context. False where the process is not measured, which is no error: a
    program may always call this. Contexts belong to threads: docs/contexts.md.
    """
    try:
        import _shmcov
    except ImportError:
        return False
    return bool(_shmcov.switch_context(name))
