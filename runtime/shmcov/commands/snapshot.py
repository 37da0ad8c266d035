# SPDX-License-Identifier: Apache-2.0
"""`shmcov snapshot`: a data file of a run that goes on, which does not notice."""

from __future__ import annotations

import argparse
from pathlib import Path

from coverage.exceptions import CoverageException

from shmcov import _merge, messages, result, segments
from shmcov.messages import complain
from shmcov.result import Target


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov snapshot",
        description="Write a data file of what a run has measured so far. The run goes on as if "
        "nobody had looked. Without SEGMENT, of the one that goes on here, or at all.",
    )
    parser.add_argument("segment", nargs="?", metavar="SEGMENT")
    parser.add_argument(
        "-o", "--data-file", metavar="FILE", required=True, help="where to; reports read it"
    )
    parser.add_argument("--rcfile", metavar="FILE", help="the configuration of the run")
    return parser


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    try:
        path = Path(options.segment).absolute() if options.segment else _the_run()
        with segments.opened(path) as fd:
            copy = segments.read(path, fd)
        cov, warnings = result.configured(copy.info(), options.rcfile)
        messages.warn(cov, warnings)
        target = Target(str(Path(options.data_file).absolute()))
        target.check(has_arcs=cov.config.branch)
        counts = result.write(copy, cov, target, ["snapshot"])
    except (segments.SegmentNotUsable, CoverageException, _merge.DataError, OSError) as error:
        complain(str(error))
        return 1
    print(f"{counts['lines']} lines in {counts['files']} files so far are in {target.path}")
    return 0


def _the_run() -> Path:
    """The segment that is meant where none is named."""
    going_on: list[tuple[Path, _merge.Info]] = []
    for path in segments.found():
        try:
            with segments.opened(path) as fd:
                info = segments.read(path, fd).info()
        except segments.SegmentNotUsable:
            continue
        if segments.goes_on(info):
            going_on.append((path, info))
    here = (_merge.RULE_FOLDER, str(Path.cwd()))
    found = [one for one in going_on if here in one[1]["rules"]] or going_on
    if not found:
        raise segments.SegmentNotUsable("No run is going on.")
    if len(found) > 1:
        raise segments.SegmentNotUsable(
            "Several runs are going on; name the segment of one:"
            + "".join(f"\n    {path}  {segments.described(info)}" for path, info in found)
        )
    return found[0][0]
