# SPDX-License-Identifier: Apache-2.0
"""Begins each Python of a command, if `shmcov bench` put its folder on PYTHONPATH.

Counts processes, or is the tracer that does nothing. The sitecustomize that it hides is run before.
Imports nothing that Python has not imported by then.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

TOOL_ID = 4  # that of shmcov, which runs in no process beside this


def count(path: str) -> None:
    """A byte in this file for each process."""

    def one() -> None:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.write(fd, b".")
        os.close(fd)

    one()
    os.register_at_fork(after_in_child=one)


class NullTracer:
    """Hears what a tracer has to hear, and does nothing with it."""

    def __init__(self, folders: str, outside: str, branches: str, contexts: str) -> None:
        self.folders = tuple(filter(None, folders.split("|")))
        self.outside = tuple(filter(None, outside.split("|")))
        self.branches = bool(branches)
        self.contexts = bool(contexts)
        self.known: dict[str, bool] = {}

    def wants(self, code: CodeType) -> bool:
        name = code.co_filename
        if name not in self.known:
            self.known[name] = name.startswith(self.folders) and not name.startswith(self.outside)
        return self.known[name]

    def start(self) -> None:
        if sys.version_info >= (3, 12):
            self._monitor()
        else:
            self._settrace()

    def _monitor(self) -> None:
        monitoring = sys.monitoring  # type: ignore[attr-defined]
        events, disable = monitoring.events, monitoring.DISABLE
        sides = [name for name in ("BRANCH_LEFT", "BRANCH_RIGHT") if hasattr(events, name)]
        branches = (sides or ["BRANCH"]) if self.branches else []
        local = events.LINE

        def entered(code, offset):  # type: ignore[no-untyped-def]
            if self.wants(code):
                monitoring.set_local_events(TOOL_ID, code, local)
            if self.contexts and code.co_name.startswith("test"):
                monitoring.restart_events()  # the next context hears everything again
                return None
            return disable

        monitoring.use_tool_id(TOOL_ID, "shmcov bench: null")
        monitoring.register_callback(TOOL_ID, events.LINE, lambda code, line: disable)
        for event in (getattr(events, name) for name in branches):
            local |= event
            monitoring.register_callback(TOOL_ID, event, lambda code, at, to: disable)
        monitoring.register_callback(TOOL_ID, events.PY_START, entered)
        monitoring.set_events(TOOL_ID, events.PY_START)

    def _settrace(self) -> None:
        import threading

        def local(frame, event, arg):  # type: ignore[no-untyped-def]
            return local

        def called(frame, event, arg):  # type: ignore[no-untyped-def]
            return local if self.wants(frame.f_code) else None

        threading.settrace(called)
        sys.settrace(called)


def run_hidden() -> None:
    """The sitecustomize that there would be without this one."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    sys.path[:] = [folder for folder in sys.path if folder != here]
    mine = sys.modules.pop("sitecustomize")
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", mine)


run_hidden()
if path := os.environ.get("SHMCOV_BENCH_COUNT"):
    count(path)
if null := os.environ.get("SHMCOV_BENCH_NULL"):
    NullTracer(*null.split("\n")).start()
