# SPDX-License-Identifier: Apache-2.0
"""`shmcov salvage`: the data of a run that did not write it itself.

People call it for segments that are left over; the keeper of a segment (shm/keeper.c) calls it when
the process that was to deliver has ended without doing so. The data file is the one that the
command line or the configuration names. Nothing in a segment says where to write: what it holds was
written by the measured program.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import _shmcov
import coverage
from coverage.exceptions import CoverageException

from shmcov import _merge, messages, result, segments
from shmcov.delivery import KEPT, Delivery
from shmcov.messages import complain
from shmcov.recording import data_file_in
from shmcov.result import Target

REPLACED = 3
"""Status for the keeper: somebody else has written the data file since the first delivery."""


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    sys.path += [place for place in options.sys_path.split(os.pathsep) if place not in sys.path]
    if options.all:
        return _all(options)
    if options.segment is None:
        if options.discard or options.data_file:
            complain("Which segment? `shmcov salvage` without arguments lists them.")
            return 1
        return _list()
    if options.kept and options.segment == "-":
        options.segment = os.environ[KEPT]
    return _one(Path(options.segment).absolute(), options)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov salvage",
        description="Write the data file of a run that could not do it, and remove its segment. "
        "Without SEGMENT, list the segments of this user.",
    )
    parser.add_argument("segment", nargs="?", metavar="SEGMENT")
    parser.add_argument("-o", "--data-file", metavar="FILE", help="default: as configured")
    parser.add_argument("-a", "--append", action="store_true", help="add to the data file")
    parser.add_argument("--rcfile", metavar="FILE", help="the configuration of the run")
    parser.add_argument("--discard", action="store_true", help="remove the segment, write nothing")
    parser.add_argument("--force", action="store_true", help="even if the run is not over")
    parser.add_argument(
        "--all",
        action="store_true",
        help="all segments that are left over; those of runs in the current folder each into a "
        "data file of its own, for `coverage combine`",
    )
    # What the keeper says: docs/ending.md.
    parser.add_argument("--kept", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--suffixed", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--sys-path", default="", help=argparse.SUPPRESS)
    return parser


def _one(path: Path, options: argparse.Namespace) -> int:
    delivery = Delivery(str(path), any_size=options.force or options.discard)
    try:
        info = _looked_at(delivery, options)
        busy = "" if options.force or info is None else _busy(path, delivery, info)
        if busy and not options.kept:
            complain(f"{busy} `shmcov status` shows it; --force takes what is there.")
            return 1
        if info is not None and not options.discard:
            cov, target = _configured(info, options)
            if options.kept and not _is_ours(delivery, target, options):
                return REPLACED
            delivery.deliver(lambda copy: _write(copy, cov, target, quiet=options.kept))
        if not busy:
            delivery.remove()
    except (segments.SegmentNotUsable, CoverageException, _merge.DataError, OSError) as error:
        complain(str(error))
        return 1
    return 0


def _looked_at(delivery: Delivery, options: argparse.Namespace) -> _merge.Info | None:
    """What a segment says before anything is done to it. None: it is nothing, which may go."""
    if options.force and options.discard:
        return None
    try:
        return delivery.copy().info()
    except segments.SegmentNotUsable:
        if options.discard:
            return None
        raise


def _busy(path: Path, delivery: Delivery, info: _merge.Info) -> str:
    """Who else cares for this segment, in words; nothing if nobody does."""
    if segments.goes_on(info):
        return f"The run of {path} is still going on, and will write its data itself."
    if users := delivery.settle():
        who = ", ".join(f"{user.pid} ({user.command()})" for user in users)
        return f"The supervisor of {path} has ended, but these still record into it: {who}."
    return ""


def _is_ours(delivery: Delivery, target: Target, options: argparse.Namespace) -> bool:
    """May this go into the data file? If the run has delivered before, only beside what it did."""
    before = delivery.before()
    if before is None or options.suffixed:
        return True
    target.append = True
    return _shmcov.target(target.path) == before[1]


def _configured(info: _merge.Info, options: argparse.Namespace) -> tuple[coverage.Coverage, Target]:
    cov, warnings = result.configured(info, options.rcfile)
    if options.data_file:
        cov.config.data_file = options.data_file
        cov.config.parallel = options.suffixed
    if not options.kept:
        messages.warn(cov, warnings)
    target = Target.of(cov, append=options.append)
    target.check(has_arcs=cov.config.branch)
    return cov, target


def _write(copy: _merge.Copy, cov: coverage.Coverage, target: Target, *, quiet: bool) -> str:
    if not quiet:
        for text in result.losses(copy.info()):
            messages.tell(cov, f"Not all of this run was recorded: {text}", "not-recorded")
        messages.warn(cov, result.last_warnings(copy, cov, target))
    counts = result.write(copy, cov, target, ["salvage"])
    if not quiet:
        print(f"{counts['lines']} lines in {counts['files']} files are in {target.path}")
    return target.path


def _all(options: argparse.Namespace) -> int:
    """--all: what is left over. Data goes only where the user stands."""
    _shmcov.sweep()
    failed = False
    here = str(Path.cwd())
    options.suffixed = True
    if not options.data_file:
        options.data_file = data_file_in(options.rcfile)
    for path in segments.leftovers():
        try:
            with segments.opened(path) as fd:
                info = segments.read(path, fd, any_size=True).info()
        except segments.SegmentNotUsable as error:
            if not path.exists():  # somebody else has salvaged it meanwhile
                continue
            if not options.discard:
                complain(str(error))
                failed |= not isinstance(error, segments.OtherVersion)
                continue
        else:
            folder = dict(info["rules"]).get(_merge.RULE_FOLDER, here)
            if folder != here and not options.discard:
                print(f"{path}  {segments.described(info)}: salvage it there")
                continue
        failed |= bool(_one(path, options))
    return int(failed)


def _list() -> int:
    paths = segments.found()
    if not paths:
        print("No segment is left.")
        return 0
    total = 0
    for path in paths:
        try:
            with segments.opened(path) as fd:
                copy = segments.read(path, fd)
        except segments.SegmentNotUsable as error:
            if path.exists():
                print(error)
            continue
        info = copy.info()
        running = segments.goes_on(info)
        state = "running" if running else "left over"
        print(f"{path}  {state}, {len(copy.files())} files, {segments.described(info)}")
        total += 0 if running else info["allocated"]
    if total:
        print(
            f"\n{segments.in_words(total)} of memory or disk are held by runs that are over.\n"
            "shmcov salvage SEGMENT [-o DATA_FILE] writes the data file, "
            "shmcov salvage SEGMENT --discard throws it away; --all does so with all of them."
        )
    return 0
