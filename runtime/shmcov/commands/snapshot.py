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
        path = segments.the_run(options.segment)
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
