# SPDX-License-Identifier: Apache-2.0
"""`shmcov combine --dask` with many shards of the shape of Django's tests, on this machine's local
cluster: wall time, CPU, memory of all processes together, and the disk that parts take.

    python bench/combine_dask.py                     1,000 shards, 55,000,000 rows
    python bench/combine_dask.py --shards 1          what starting a cluster costs, above all
    python bench/combine_dask.py --beside            `shmcov combine` without Dask as well

Needs distributed, and about 13 GB of disk for 1,000 shards (--folder; it keeps the shards for the
next time). A case of its own, and not of run.py: it takes a quarter of an hour.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from harness import CACHE, environment
from shards import CONTEXTS, KINDS, Shape

MODELS = 20
"""So many shards are made row by row."""

EVERY = 0.25
"""Seconds between two looks at memory and disk."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--kind", choices=KINDS, default=CONTEXTS)
    parser.add_argument("--folder", type=Path, default=CACHE)
    parser.add_argument("--scheduler", default="", help="of a cluster, instead of a local one")
    parser.add_argument("--beside", action="store_true")
    options = parser.parse_args()
    shape = Shape(options.kind)
    start = time.perf_counter()
    folder = many(shape, options.folder, options.shards)
    shards = sorted(map(str, folder.glob(".coverage.*")))
    size = sum(Path(path).stat().st_size for path in shards)
    say(f"{len(shards)} shards, {size / 1e6:,.0f} MB ({time.perf_counter() - start:.0f} s to make)")
    dask = ["--dask", options.scheduler] if options.scheduler else ["--dask"]
    for name, how in {"dask": dask, **({"alone": []} if options.beside else {})}.items():
        measure(name, how, shards, folder.with_suffix(f".{name}.data"))


def many(shape: Shape, parent: Path, shards: int) -> Path:
    """Some shards, and the others made of them: each with contexts of its own."""
    models = shape.folder(parent, min(shards, MODELS))
    if shards <= MODELS:
        return models
    folder = parent / f"{models.name}-times-{shards}"
    folder.mkdir(exist_ok=True)
    for number in range(shards):
        path = folder / f".coverage.{number:04}"
        if path.exists():
            continue
        model = number % MODELS
        unfinished = path.with_name("unfinished")
        shutil.copyfile(models / f".coverage.{model:04}", unfinished)
        with closing(sqlite3.connect(unfinished)) as db:
            names = (f"test_module{model}_", f"test_module{number}_")
            db.execute("pragma synchronous = off")
            db.execute("update context set context = replace(context, ?, ?)", names)
            db.commit()
        unfinished.rename(path)
    return folder


def measure(name: str, how: list[str], shards: list[str], result: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = ["combine", "--keep", "--rcfile=", f"--data-file={result}", *how, *shards]
    process = subprocess.Popen([sys.executable, "-m", "shmcov", *command], env=environment())
    watch = Watch(process.pid, result.parent)
    status = process.wait()
    wall = time.perf_counter() - start
    watch.end()
    if status:
        sys.exit(f"shmcov combine ended with {status}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    with closing(sqlite3.connect(result)) as db:
        rows = sum(db.execute(f"select count(*) from {t}").fetchone()[0] for t in TABLES)
    say(
        f"{name}: {wall:.1f} s, {cpu:.1f} s of CPU, {rows:,} rows ({rows / wall:,.0f} a second), "
        f"{watch.memory / 1e6:,.0f} MB of memory at most in {watch.processes} processes, "
        f"{watch.parts / 1e6:,.0f} MB of parts, {result.stat().st_size / 1e6:,.0f} MB result"
    )
    result.unlink()


TABLES = ("line_bits", "arc")


class Watch:
    """Looks at a process and all that it has started, and at the parts in a folder."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.memory = self.parts = self.processes = 0
        self._pid = pid
        self._folder = folder
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look_on)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._over.wait(EVERY):
            pids = descendants(self._pid)
            self.processes = max(self.processes, len(pids))
            self.memory = max(self.memory, sum(map(anonymous, pids)))
            parts = self._folder.glob(".shmcov-parts-*/*")
            self.parts = max(self.parts, sum(map(size_of, parts)))


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def descendants(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def anonymous(pid: int) -> int:
    """What a process has to itself: pages of files, which go when room is needed, do not count."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return 1024 * int(fields.get("RssAnon", "0").split()[0])


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
