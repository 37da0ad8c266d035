# SPDX-License-Identifier: Apache-2.0
"""Switches the context so often, among a thousand, and runs a few lines in each. At a tenth of the
way and at the end it writes its private memory and the segment's, in bytes.

many_switches.py SWITCHES RESULTS
"""

import re
import sys
from pathlib import Path

import _shmcov
import shmcov


def work(n: int) -> int:
    if n % 2:
        n += 1
    return n


def memory() -> str:
    private = re.search(r"^RssAnon:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert private
    segment = Path(str(_shmcov.attached())).stat()
    return f"{int(private[1]) * 1024} {segment.st_blocks * 512}"


switches, results = int(sys.argv[1]), Path(sys.argv[2])
lines = []
for i in range(1, switches + 1):
    shmcov.switch_context(f"test_{i % 1000}")
    work(i)
    if i in (switches // 10, switches):
        lines.append(memory())
shmcov.switch_context("")
results.write_text("\n".join(lines))
