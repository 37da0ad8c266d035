# SPDX-License-Identifier: Apache-2.0
"""`shmcov status`: a look at a run while it goes on. Who is measured, what is covered."""

from __future__ import annotations

import argparse
from pathlib import Path

from shmcov import _merge, segments, terminal
from shmcov.messages import complain
from shmcov.result import losses

STATES = {"attached": "running", "done": "ended", "left": "paused"}


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov status",
        description="Show who is measured, and what is covered so far. Without SEGMENT, of all "
        "runs of this user.",
    )
    parser.add_argument("segment", nargs="?", metavar="SEGMENT")
    parser.add_argument("--files", action="store_true", help="show each file")
    return parser


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    paths = [Path(options.segment).absolute()] if options.segment else segments.found()
    if not paths:
        print("No run is going on.")
        return 0
    failed = False
    for path in paths:
        try:
            with segments.opened(path) as fd:
                _show(path, segments.read(path, fd), files=options.files)
        except segments.SegmentNotUsable as error:
            if options.segment or path.exists():  # else the run has ended meanwhile
                complain(str(error))
                failed = True
    return int(failed)


def _show(path: Path, copy: _merge.Copy, *, files: bool) -> None:
    info = copy.info()
    supervisor = segments.Process(*info["supervisor"])
    counts = {name: copy.lines(name) for name in copy.files()}
    state = f"supervisor {supervisor.pid}" if supervisor.alive() else "its supervisor has ended"
    used, size = segments.in_words(info["used"]), segments.in_words(info["size"])
    print(path)
    print(f"  {state}, started {segments.age_in_words(info['created'])} ago, {used} of {size} used")
    print(f"  {sum(counts.values())} lines of {len(counts)} files")
    for text in losses(info):
        print(f"  not recorded: {text}")
    print()
    terminal.table(("PID", "PARENT", "PYTHON", "STARTED BY", "STATE", "COMMAND"), _processes(copy))
    if files:
        print()
        terminal.table(("LINES", "FILE"), [(str(n), name) for name, n in counts.items()])
    print()


def _processes(copy: _merge.Copy) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for row in reversed(copy.processes()):
        process = segments.Process.of_row(row)
        version = row["interpreter"]
        state = STATES.get(row["state"], row["state"])
        if row["alive"] is None:
            state += ", in another pid namespace"
        elif row["state"] == "attached" and not row["alive"]:
            state = "killed"
        rows.append(
            (
                str(row["pid"]),
                str(row["parent"]),
                f"{version >> 24}.{version >> 16 & 255}.{version >> 8 & 255}",
                "fork" if row["forked"] else "start",
                state,
                process.command()[:60] if row["alive"] else "",
            )
        )
    return rows
