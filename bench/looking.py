# SPDX-License-Identifier: Apache-2.0
"""What it costs a run to be looked at: its CPU time with `shmcov top` or `shmcov status` open,
relative to that without.

    python bench/looking.py [--rounds N]

Runs take turns. What is counted is the run: its supervisor, its two workers and the merge, not who
looks; what that takes is given for itself. Needs Textual.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness import PROGRAMS, environment, folder, interleave, say
from shmcov import segments

SWITCHES = 6000
"""Of each worker, some milliseconds apart."""

ALONE, STATUS, TOP = "alone", "status --watch=0.5", "top"


def measure(how: str, place: Path, switches: int) -> tuple[float, float]:
    """CPU seconds of a run, and of who looks at it."""
    command = [sys.executable, "-m", "shmcov", "run", "--shm-contexts", f"--source={PROGRAMS}"]
    command += [f"--data-file={place / 'data'}", str(PROGRAMS / "looked_at.py"), str(switches)]
    run = subprocess.Popen(command, env=environment(), cwd=place)
    looks = 0.0
    if how == ALONE:
        cpu = _ended(run)
    else:
        with _looking(how.split(), _segment(place)) as looker:
            cpu = _ended(run)
            if how == TOP and looker.poll() is not None:
                sys.exit("top did not stay until the run was over")
            looker.terminate()
            looks = _ended(looker)
    if run.returncode:
        sys.exit(f"the run ended with {run.returncode}")
    return cpu, looks


def _segment(place: Path) -> Path:
    """Of the run that has just been started in this folder."""
    os.chdir(place)
    while True:
        with contextlib.suppress(segments.SegmentNotUsable):
            return segments.the_run(None)
        time.sleep(0.01)


@contextlib.contextmanager
def _looking(command: Sequence[str], segment: Path) -> Iterator[subprocess.Popen[bytes]]:
    """On a terminal of its own, which is read as a real one is."""
    ours, theirs = pty.openpty()

    def read() -> None:
        with contextlib.suppress(OSError):
            while os.read(ours, 1 << 16):
                pass

    reader = threading.Thread(target=read)
    reader.start()
    words = [sys.executable, "-m", "shmcov", *command, str(segment)]
    env = environment({"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"})
    looker = subprocess.Popen(words, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        yield looker
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)


def _ended(process: subprocess.Popen[bytes]) -> float:
    """The CPU time of a process and of what it has waited for."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--switches", type=int, default=SWITCHES)
    options = parser.parse_args()
    with folder() as place:
        found = interleave(
            options.rounds,
            (ALONE, STATUS, TOP),
            lambda how: measure(how, place, options.switches),
        )
    alone = [run for run, _ in found[ALONE]]
    say(f"alone: {statistics.median(alone):.2f} s of CPU, {min(alone):.2f} to {max(alone):.2f}")
    for how in (STATUS, TOP):
        ratios = sorted(run / bare for (run, _), bare in zip(found[how], alone, strict=True))
        itself = statistics.median(looks for _, looks in found[how])
        print(
            f"{how}: {statistics.median(ratios):.4f} of that without ({ratios[0]:.4f} to "
            f"{ratios[-1]:.4f}); takes {itself:.2f} s of CPU itself"
        )


if __name__ == "__main__":
    main()
