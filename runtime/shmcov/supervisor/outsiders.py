# SPDX-License-Identifier: Apache-2.0
"""Python interpreters below a command that do not take part in the run, as far as they are seen.

Nothing tells of a process that starts, so this looks at the command's descendants now and then.
Whoever lives less than the time between two looks is not seen; nor is a daemon, whose parent is
gone, a process of another user or in another pid namespace, or anything without /proc.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from shmcov import _merge

PAUSE = 0.1
"""Seconds between two looks, at least."""

SHARE = 0.01
"""What looks may take of the time of one processor."""

YOUNG = 0.1
"""Seconds that an interpreter has to come to its start-up files, before it is looked at."""

NAMED = 5

_PYTHON = re.compile(r"(python|pypy|graalpy)[\d.]*[a-z]*(-dbg)?( \(deleted\))?")

_INSTALLER = re.compile(r" -m (pip|ensurepip) ")
"""What fills an environment runs before shmcov is in it."""

Seen = tuple[int, int]
"""A pid, and the start of the process in ticks since boot."""


class Outsiders:
    """Those below one process. look() has to be called from time to time."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._seen: dict[Seen, tuple[str, str]] = {}  # executable, command line
        self._namespace = _namespace("self")

    def look(self) -> float:
        """Notes who is there. Returns how many seconds may pass until the next time."""
        begin = time.monotonic()
        for pid in _below(self.pid):
            try:
                self._note(pid)
            except (OSError, ValueError, IndexError):
                continue  # it has ended, or is another user's
        return max(PAUSE, (time.monotonic() - begin) / SHARE)

    def _note(self, pid: int) -> None:
        executable = os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115
        if not _PYTHON.fullmatch(os.path.basename(executable)):  # noqa: PTH119
            return
        start = int(_read(f"/proc/{pid}/stat").rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - start / os.sysconf("SC_CLK_TCK")
        if age < YOUNG or (pid, start) in self._seen or _namespace(pid) != self._namespace:
            return
        # With it mapped, this is our business: what keeps it out of the run is counted elsewhere,
        # and it may take part in a run of its own.
        if "_shmcov" in _read(f"/proc/{pid}/maps"):
            return
        command = " ".join(_read(f"/proc/{pid}/cmdline").split("\0")).strip()
        if not _INSTALLER.search(command):
            self._seen[pid, start] = executable, command

    def described(self, copy: _merge.Copy) -> str:
        """Those that had not attached by the end, in words, or nothing."""
        attached = {(row["pid"], row["start"]) for row in copy.processes()}
        found = [who for seen, who in self._seen.items() if seen not in attached]
        if not found:
            return ""
        lines = [f"\n    {executable}: {command[:200]}" for executable, command in found[:NAMED]]
        if len(found) > NAMED:
            lines.append(f"\n    and {len(found) - NAMED} more")
        return (
            f"Python interpreters were started that did not attach, {len(found)} of those that "
            f"were seen:{''.join(lines)}\n"
            "What they ran is not in the data. Install shmcov in each environment that is used, so "
            "also in those that tox, nox, hatch or uv run make."
        )


def _below(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    todo = [pid]
    while todo:
        pid = todo.pop()
        yield pid
        try:
            for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
                todo += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
        except (OSError, ValueError):
            continue


def _namespace(pid: int | str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115
    except OSError:
        return ""


def _read(path: str) -> str:
    return Path(path).read_text(errors="replace")
