# SPDX-License-Identifier: Apache-2.0
"""What bench_merge.c measures, for the table."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness import CACHE, HERE, Failed, Row, Settings, say

TITLE = "The merge"
TEXT = (
    "Rows a second, of those of a bare C loop that inserts the same rows into the same schema "
    "from memory; more is better. The merge's time is all of it, from copying the segment to the "
    "rename."
)
HIGHER_IS_BETTER = True
SHOWN = {"cpu": "CPU time", "clock": "wall time"}


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    return 0.9


def rows(settings: Settings) -> Iterator[Row]:
    rounds = str(max(5, settings.rounds))
    done = subprocess.run(
        [binary(), settings.folder, rounds], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(done.stdout + done.stderr)
    shape = ""
    for line in done.stdout.splitlines():
        say(f"  {line}")
        if found := re.match(r"\s+(\w+)\s+merge .* ratio ([\d.]+)", line):
            yield Row(f"{shape}, {SHOWN[found[1]]}", "", "shmcov", float(found[2]))
        else:
            shape = line.partition(":")[0]


def binary() -> Path:
    """The benchmark, built as a release."""
    if "BENCH_MERGE" in os.environ:
        return Path(os.environ["BENCH_MERGE"])
    build = CACHE / "release"
    source = HERE.parent
    steps = (
        ["cmake", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DSHMCOV_TESTS=ON"],
        ["cmake", "--build", build, "--target", "bench_merge"],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(done.stdout + done.stderr)
    return next(path for path in build.rglob("bench_merge") if path.is_file())
