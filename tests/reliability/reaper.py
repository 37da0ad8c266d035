# SPDX-License-Identifier: Apache-2.0
"""Runs a command and waits until nothing that it started is left.

    reaper.py OUTCOME SECONDS COMMAND...

Daemons, orphans and whatever delivers data after the command has ended become children of this
process, so that a test waits for them and not for a time that it guesses. What is left after
SECONDS is killed. OUTCOME is a JSON file: the command's status (null if it had to be killed), and
what had to be killed.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
GRACE = 10.0
"""Seconds in which those that deliver data may do so when all others have been killed."""
DELIVER = b"shmcov-keeper", b"shmcov\0salvage"


def main() -> None:
    outcome, seconds = Path(sys.argv[1]), float(sys.argv[2])
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    until = time.monotonic() + seconds
    child = os.posix_spawnp(sys.argv[3], sys.argv[3:], os.environ)
    status = None
    hangs = False
    killed: list[str] = []
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == child:
            status = os.waitstatus_to_exitcode(ended)
        elif not pid:
            if time.monotonic() > until:
                hangs |= status is None
                killed += kill_all(os.getpid(), spare=time.monotonic() < until + GRACE)
            time.sleep(0.005)
    outcome.write_text(json.dumps({"status": None if hangs else status, "killed": killed}))


def kill_all(parent: int, *, spare: bool) -> list[str]:
    """Kills the descendants of a process, and says which."""
    killed = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        for pid in (task / "children").read_text().split():
            killed += kill_all(int(pid), spare=spare) if Path(f"/proc/{pid}").exists() else []
            try:
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                if spare and any(name in command for name in DELIVER):
                    continue
                os.kill(int(pid), signal.SIGKILL)
            except OSError:
                continue
            if command:
                killed.append(command.replace(b"\0", b" ").decode(errors="replace").strip())
    return killed


if __name__ == "__main__":
    main()
