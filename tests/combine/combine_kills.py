# SPDX-License-Identifier: Apache-2.0
"""Kills `shmcov combine` at random instants: each line, with its context, is in the output or still
in its input, and the next combine makes the whole.

    python tests/combine/combine_kills.py [KILLS [SEED]]
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from combine_support import Shard, Tools, rows, tools_in

SHARDS = 30
FILES = 40
Data = set[tuple[object, ...]]


def shard(number: int, *, branch: bool) -> Shard:
    numbers = range(1, 8 + number % 5)
    contexts = [f"{number}.{n}" for n in range(4)] + [""]
    if branch:
        pairs = [(line, line + 1) for line in numbers]
        return Shard(arcs={f"/w/{n}.py": dict.fromkeys(contexts, pairs) for n in range(FILES)})
    return Shard({f"/w/{n}.py": dict.fromkeys(contexts, numbers) for n in range(FILES)})


def build(folder: Path, *, branch: bool) -> None:
    for number in range(SHARDS):
        shard(number, branch=branch).write(folder / f".coverage.{number:02}")
    shard(SHARDS, branch=branch).write(folder / ".coverage")


def data(path: Path) -> Data:
    found = rows(path)
    lines = {(file, context, n) for file, context, bits in found["line_bits"] for n in bits}
    return lines | set(found["arc"])


def everything(folder: Path) -> Data:
    return set().union(*(data(path) for path in folder.glob(".coverage*")))


def kill(tools: Tools, kills: int, seed: int, scratch: Path) -> dict[str, int]:
    """How often it was killed before and after the output took its place, and came too late."""
    roll = random.Random(seed)
    counts = {"before": 0, "after": 0, "too late": 0}
    for branch in (False, True):
        built = scratch / f"built-{branch}"
        build(built, branch=branch)
        old = data(built / ".coverage")
        all_of_it = everything(built)
        inputs = set().union(*(data(path) for path in built.glob(".coverage.*")))
        for append in (False, True):
            options = ["--append"] if append else []
            expected = all_of_it if append else inputs
            folder = scratch / "project"
            took = _time(tools, built, folder, options)
            for _ in range((kills + 3) // 4):
                shutil.copytree(built, folder)
                status, said = tools.run(
                    "shmcov", ["combine", *options], folder, roll.uniform(0, 1.1 * took)
                )
                assert status in (0, -9), said
                left = len(list(folder.glob(".coverage.*")))
                now = data(folder / ".coverage")
                assert now in (old, expected), "a part of it is in the output"
                if status == 0:
                    assert (now, left) == (expected, 0)
                    counts["too late"] += 1
                elif now == old:
                    assert left == SHARDS, "an input is gone whose data is nowhere"
                    counts["before"] += 1
                else:
                    counts["after"] += 1
                if left:
                    status, said = tools.run("shmcov", ["combine", "--append"], folder)
                    assert status == 0, said
                    assert data(folder / ".coverage") == (expected | (old if now == old else set()))
                assert [path.name for path in folder.iterdir()] == [".coverage"]
                shutil.rmtree(folder)
    return counts


def _time(tools: Tools, built: Path, folder: Path, options: list[str]) -> float:
    """How long it takes if it is let alone."""
    shutil.copytree(built, folder)
    start = time.perf_counter()
    status, said = tools.run("shmcov", ["combine", *options], folder)
    took = time.perf_counter() - start
    assert status == 0, said
    shutil.rmtree(folder)
    return took


def main() -> None:
    kills, seed = (*map(int, sys.argv[1:]), *(200, 1)[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as scratch, tools_in(Path(scratch)) as tools:
        print(f"{kills} kills, seed {seed}: {kill(tools, kills, seed, Path(scratch))}")


if __name__ == "__main__":
    main()
