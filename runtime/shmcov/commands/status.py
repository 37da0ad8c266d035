# SPDX-License-Identifier: Apache-2.0
"""`shmcov status`: a look at a run while it goes on. Who is measured, what is covered."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from coverage.exceptions import CoverageException

from shmcov import live, segments, terminal
from shmcov.live import Counted, Look, Watch, Worker
from shmcov.messages import complain
from shmcov.result import losses

CLEAR = "\x1b[H\x1b[2J\x1b[3J"


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov status",
        description="Show who is measured, and what is covered so far. Without SEGMENT, of all "
        "runs of this user that go on.",
    )
    parser.add_argument("segment", nargs="?", metavar="SEGMENT")
    parser.add_argument(
        "--all", action="store_true", help="show what is over, too: runs, and processes of a run"
    )
    parser.add_argument("--files", action="store_true", help="show each file")
    parser.add_argument(
        "--percent",
        action="store_true",
        help="count what the source has, too, as a report does; this may take some seconds",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, a line a look")
    parser.add_argument(
        "--watch",
        type=float,
        nargs="?",
        const=2.0,
        metavar="SECONDS",
        help="look again every so many seconds, until Ctrl-C or the end of SEGMENT. Default: 2",
    )
    return parser


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    watch = Watch(options.segment)
    if options.watch is None:
        return int(_look(watch, options))
    first = True
    try:
        while True:
            if not first and options.segment and not watch.there():
                return 0  # the run is over
            if not options.json and sys.stdout.isatty():
                print(end=CLEAR)
            failed = _look(watch, options)
            sys.stdout.flush()
            if failed and options.segment:
                return int(failed and first)
            first = False
            time.sleep(max(live.PAUSE, options.watch))
    except KeyboardInterrupt:
        return 0


def _look(watch: Watch, options: argparse.Namespace) -> bool:
    """One look at all that was asked for. True: some of it could not be read."""
    shown = failed = False
    before = watch.before
    made: list[dict[str, Any]] = []
    for look in watch.looks(all_runs=options.all):
        if isinstance(look, segments.SegmentNotUsable):
            passed_over = isinstance(look, segments.OtherVersion) and not options.segment
            if options.all or not passed_over:
                complain(str(look))
            failed |= not passed_over
            continue
        try:
            counted = watch.counted(look) if options.percent else None
        except CoverageException as error:
            complain(str(error))
            counted, failed = None, True
        if options.json:
            made.append(look.as_json(before.get(look.path), counted, files=options.files))
        else:
            shown = True
            _show(look, before.get(look.path), counted, options)
    if options.json:
        print(json.dumps({"time": round(time.time(), 3), "runs": made}))
        return failed
    if not (shown or failed):
        print("No run is going on.")
    if watch.over:
        print(f"{watch.over} {'run is' if watch.over == 1 else 'runs are'} over: --all shows more.")
    return failed


def _show(
    look: Look,
    before: Look | None,
    counted: dict[str, Counted] | None,
    options: argparse.Namespace,
) -> None:
    info = look.info
    lives = segments.goes_on(info)
    state = f"supervisor {info['supervisor'][0]}" if lives else "its supervisor has ended"
    used, size = segments.in_words(info["used"]), segments.in_words(info["size"])
    print(look.path)
    print(f"  {state}, started {segments.age_in_words(info['created'])} ago, {used} of {size} used")
    new = ""
    if before:
        new = f", {look.lines - before.lines} of them in the last {look.at - before.at:.0f} s"
    print(f"  {look.lines} lines of {len(look.files)} files{new}")
    if counted is not None:
        covered, of = live.total(counted)
        print(f"  {live.percent(covered, of):.0f} % of {of} statements of {len(counted)} files")
    for text in losses(info):
        print(f"  not recorded: {text}")
    print()
    shown = [worker for worker in look.workers if options.all or not worker.over]
    terminal.table(("PID", "NAME", "STATE", "TESTS", "FOR", "TEST, OR COMMAND"), _rows(shown))
    if len(shown) < len(look.workers):
        print(f"\n  and {len(look.workers) - len(shown)} that have ended: --all shows them")
    if any(worker.longest for worker in shown):
        print("\n  ! is in its test for longer than all others")
    if options.files:
        print()
        _show_files(look, counted)
    print()


def _show_files(look: Look, counted: dict[str, Counted] | None) -> None:
    if counted is None:
        terminal.table(("LINES", "FILE"), [(str(n), name) for name, n in look.files.items()])
        return
    rows = sorted((one.row[1] - one.row[0], *one.row, name) for name, one in counted.items())
    terminal.table(
        ("MISSING", "OF", "%", "FILE"),
        [
            (str(missing), str(of), f"{live.percent(covered, of):.0f}", name)
            for missing, covered, of, name in reversed(rows)
        ],
    )


def _rows(workers: list[Worker]) -> list[tuple[str, ...]]:
    return [
        (
            str(worker.pid),
            worker.name,
            worker.shown_state,
            str(worker.tests or ""),
            "" if worker.seconds is None else f"{worker.seconds:.0f} s{' !' * worker.longest}",
            worker.what,
        )
        for worker in workers
    ]
