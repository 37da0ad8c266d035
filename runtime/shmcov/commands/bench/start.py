# SPDX-License-Identifier: Apache-2.0
"""Starts Python again and again and writes what each start took: a program that runs under a tool.

Argument: the file to write to.
"""

import json
import os
import sys
import time
from pathlib import Path

STARTS = 15
SECONDS = 0.6
"""The most of both."""


def start() -> tuple[float, float]:
    """CPU and wall milliseconds."""
    begin = time.perf_counter()
    # What a tool says of a process that ran nothing is of no interest.
    quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    command = [sys.executable, "-c", "pass"]
    pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=quiet)
    _, _, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    return (usage.ru_utime + usage.ru_stime) * 1e3, wall * 1e3


if __name__ == "__main__":
    start()  # fills caches
    end = time.monotonic() + SECONDS
    took = [start()]
    while len(took) < STARTS and time.monotonic() < end:
        took.append(start())
    Path(sys.argv[1]).write_text(json.dumps(took))
