# SPDX-License-Identifier: Apache-2.0
"""Start every program of a plan as a child, two at a time, and write down how each ended.

This is the one program that `shmcov run` starts when it measures the corpus; it imports nothing
of the tests, so that it can run anywhere.

    corpus_driver.py PLAN STATUSES

PLAN is JSON, [[name, command line], ...]; STATUSES becomes JSON, {name: exit status}.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

AT_A_TIME = 2
TIMEOUT = 60.0


def run(entry: tuple[str, list[str]]) -> tuple[str, int]:
    """Run one program; what it prints is of no interest."""
    name, command = entry
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False
    )
    return name, done.returncode


def main(plan: Path, statuses: Path) -> None:
    """Run the plan."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        ended = dict(pool.map(run, json.loads(plan.read_text(encoding="utf-8"))))
    statuses.write_text(json.dumps(ended), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
