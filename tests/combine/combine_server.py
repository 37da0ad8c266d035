# SPDX-License-Identifier: Apache-2.0
"""Runs commands of coverage.py and of shmcov in forks of one process that has imported both.

Each line of standard input is a command as JSON: [tool, arguments, folder, file for the output,
seconds]. Its exit status is a line of standard output. After that many seconds it is killed, if it
is still there; null: never.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import coverage.cmdline
import coverage.jsonreport
import shmcov.cli

MAINS = {"coverage": coverage.cmdline.main, "shmcov": shmcov.cli.main}


def main() -> None:
    # The tools are not interactive, and a fork must not read ahead what is for this process.
    commands = os.fdopen(os.dup(0), buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    while line := commands.readline():
        tool, arguments, folder, output, seconds = json.loads(line)
        pid = os.fork()
        if pid == 0:
            fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(fd, 1)
            os.dup2(fd, 2)
            os.chdir(folder)
            sys.argv = [tool, *arguments]
            sys.exit(MAINS[tool](arguments))
        if seconds is not None:
            time.sleep(seconds)
            os.kill(pid, signal.SIGKILL)  # it may have ended, but nobody else has its number yet
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
