# SPDX-License-Identifier: Apache-2.0
"""Rows: whoever reads a segment. It is killed in the middle; what it reads was forged."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from reliability_support import (
    RUN,
    Ended,
    NotHere,
    Result,
    Row,
    Site,
    killed,
)
from rows_space import MANY

FAMILY = "Readers"

WORK = """
    import p_many
    from witness import ran
    import os, shutil, sys
    p_many.many("p_a", 40)
    if len(sys.argv) > 1:
        shutil.rmtree("data")
    ran()
    with open("ended", "w") as file:
        file.write("yes")
"""


def merge_killed(site: Site, times: int) -> Result:
    site.branch = True
    site.write("p_many.py", MANY)
    result = killed(site, WORK, "ended", 0.25, "kill")
    if stray := [path.name for path in site.folder.glob(".shmcov-*")]:
        result.bad.append(f"{len(stray)} temporary file left")
    return result


def left_over(site: Site) -> str:
    """The segment of a run whose data file had no place."""
    site.branch = True
    site.write("p_many.py", MANY)
    site.write("p_main.py", WORK)
    (site.folder / "data").mkdir()
    real = site.data_file
    site.data_file = site.folder / "data" / ".coverage"
    ended = site.measure("p_main.py", "no data folder")
    site.data_file = real
    found = re.search(r"shmcov salvage (\S+)", ended.text)
    if not found:
        raise NotHere(f"no segment is left: {ended.text[-300:]}")
    return found[1]


READER = """
    # Damages copies of a segment at random and reads each, as salvage does.
    import contextlib, os, random, resource, shutil, sys
    from pathlib import Path
    from shmcov import _merge, segments

    source, times = Path(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30,) * 2)
    with source.open("rb") as file:
        good = file.read(512 * source.stat().st_blocks)
    folder = source.with_name("damaged")
    folder.mkdir(mode=0o700, exist_ok=True)
    dice = random.Random(times)
    for number in range(times):
        damaged = bytearray(good)
        for _ in range(dice.choice((1, 4, 64))):
            at = dice.randrange(64, len(good) - 8)
            size = dice.choice((1, 2, 4, 8))
            damaged[at : at + size] = dice.choice(
                (bytes(size), b"\\xff" * size, dice.randbytes(size), damaged[64 : 64 + size])
            )
        path = folder / "run-damaged"
        path.touch(mode=0o600)
        with path.open("r+b") as file:
            file.write(damaged)
            file.truncate(source.stat().st_size)
        with contextlib.suppress(segments.SegmentNotUsable, _merge.DataError, _merge.SegmentError):
            with segments.opened(path) as fd:
                copy = segments.read(path, fd, any_size=True)
                copy.info(), copy.files(), copy.processes(), copy.packages()
                copy.write(
                    "damaged.data", append=False, touch=[], coverage_version="7", argv=None,
                    when=None, relative=None,
                )
        path.unlink()
    folder.rmdir()
"""


def damaged(site: Site, times: int) -> Result:
    path = left_over(site)
    reader = site.write("reader.py", READER)
    ended = site.execute([sys.executable, str(reader), path, str(times)], 60 + times)
    salvaged = site.execute(salvage(site, path))
    result = site.result(Ended(salvaged.status, "", ()))
    if ended.status != 0:
        result.bad.append(f"reading ends with {ended.status}: {ended.text.strip()[-200:]}")
    return result


def salvage(site: Site, path: str) -> list[str]:
    options = ["salvage", "--force", path, "--rcfile", str(site.folder / "rc")]
    return [sys.executable, "-m", "shmcov", *options, "-o", str(site.data_file)]


PEAK = """
    # Runs a command, and writes down how much memory it had at most, in KiB.
    import resource, subprocess, sys
    status = subprocess.run(sys.argv[1:]).returncode
    with open("peak", "w") as file:
        file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
    sys.exit(status)
"""


def forged_bump(site: Site, times: int) -> Result:
    """All that is there is read, and no more memory is taken than the file has."""
    from shmcov import _merge

    path = left_over(site)
    with Path(path).open("r+b") as file:
        info = _merge.Copy(file.fileno()).info()
        file.seek(file.read(4096).index(info["used"].to_bytes(8, sys.byteorder)))
        file.write(info["size"].to_bytes(8, sys.byteorder))
    # Where all of it is read, this is an error and not a machine that swaps.
    limit = ("sh", "-c", 'ulimit -v 5242880; exec "$@"', "sh")
    peak = site.write("peak.py", PEAK)
    salvaged = site.execute([*limit, sys.executable, str(peak), *salvage(site, path)])
    result = site.result(Ended(salvaged.status, "", ()))
    most = int((site.folder / "peak").read_text()) >> 10
    result.notes.append(f"salvage took {most} MB")
    if most > 256:
        result.bad.append("it takes memory for what is not there")
    return result


ROWS = [
    Row(
        "read-merge-killed",
        FAMILY,
        "whoever writes the data file is killed: the supervisor, or the owner in its save",
        "SIGKILL at a random instant of the 250 ms after the program's last line",
        merge_killed,
        "docs/merge.md; docs/supervisor.md, The end",
        ci=2,
        long=100,
        without=None,
    ),
    Row(
        "read-damaged",
        FAMILY,
        "segments are damaged at random, and read; tests/fuzz does it with feedback",
        "1 to 64 places of a real segment overwritten",
        damaged,
        "shm/reader.c; docs/security.md",
        once=True,
        ci=100,
        long=5000,
        tools=(RUN,),
        without=None,
    ),
    Row(
        "read-forged-bump",
        FAMILY,
        "a segment says that all of its sparse size is in use, and is salvaged",
        "`bump` set to the segment's size",
        forged_bump,
        "shm/reader.c; docs/security.md",
        tools=(RUN,),
        long=3,
        without=None,
    ),
]
