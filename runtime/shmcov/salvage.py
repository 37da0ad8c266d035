# SPDX-License-Identifier: Apache-2.0
"""`shmcov salvage`: the data of a run whose supervisor was killed, or could not write it.

The data file is the one that the command line or the configuration names. Nothing in a segment says
where to write: what it holds was written by the measured program.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import coverage
from coverage.config import CoverageConfig
from coverage.exceptions import CoverageException

from shmcov import _merge, plan, result, segments
from shmcov.result import Target, complain


def salvage(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    if options.segment is None:
        if options.discard or options.data_file:
            complain("Which segment? Without arguments, shmcov salvage lists those that there are.")
            return 1
        return _list()
    path = Path(options.segment)
    try:
        with segments.opened(path) as fd:
            copy = _copy(path, fd, options)
            if copy is not None and _supervised(copy) and not options.force:
                complain(
                    f"The run of {path} is still going on, and will write its data itself. "
                    "`shmcov status` looks at it; --force takes what there is and the segment."
                )
                return 1
            if copy is not None and not options.discard:
                _write(copy, options)
        segments.remove(path)
    except (segments.SegmentNotUsable, CoverageException, _merge.DataError, OSError) as error:
        complain(str(error))
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov salvage",
        description="Write the data file of a run that did not, and remove its segment. "
        "Without a segment: list those that are left.",
    )
    parser.add_argument("segment", nargs="?", metavar="SEGMENT")
    parser.add_argument("-o", "--data-file", metavar="FILE", help="default: as configured")
    parser.add_argument("-a", "--append", action="store_true", help="add to the data file")
    parser.add_argument("--rcfile", metavar="FILE", help="the configuration of the run")
    parser.add_argument("--discard", action="store_true", help="remove the segment, write nothing")
    parser.add_argument("--force", action="store_true", help="even if the run is not over")
    return parser


def _copy(path: Path, fd: int, options: argparse.Namespace) -> _merge.Copy | None:
    try:
        return segments.read(path, fd, any_size=options.force or options.discard)
    except segments.SegmentNotUsable:
        if options.discard:
            return None  # whatever it is, it goes
        raise


def _supervised(copy: _merge.Copy) -> bool:
    return segments.Process(*copy.info()["supervisor"]).alive()


def _write(copy: _merge.Copy, options: argparse.Namespace) -> None:
    info = copy.info()
    cov = coverage.Coverage(
        config_file=options.rcfile or True,
        branch=bool(info["flags"] & plan.FLAG_BRANCH),
    )
    if options.data_file:
        cov.config.data_file = options.data_file
        cov.config.parallel = False
    _take_source(cov.config, info["rules"])
    built = plan.build(cov, branch=cov.config.branch, context=None)
    result.tell(cov, built.warnings)
    target = Target.of(cov, append=options.append)
    target.check(has_arcs=cov.config.branch)
    for text in result.losses(info):
        complain(f"Not all of this run was recorded: {text}")
    result.tell(cov, result.last_warnings(copy, cov, target))
    counts = result.write(copy, cov, target, ["salvage"])
    print(f"{counts['lines']} lines in {counts['files']} files are in {target.path}")


def _take_source(config: CoverageConfig, rules: list[tuple[int, str]]) -> None:
    """--source of the run's own command line, which no configuration file tells."""
    if not (config.source or config.source_dirs or config.source_pkgs):
        folders = [Path(text) for kind, text in rules if kind == plan.Rule.SOURCE_DIR]
        config.source_dirs = [str(folder) for folder in folders if folder.is_dir()]
        config.source_pkgs = [text for kind, text in rules if kind == plan.Rule.SOURCE_PKG]


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
            print(error)
            continue
        info = copy.info()
        held = segments.in_words(info["allocated"])
        age = segments.age_in_words(info["created"])
        state = "running" if _supervised(copy) else "left over"
        print(f"{path}  {state}, {held}, {len(copy.files())} files, started {age} ago")
        total += 0 if _supervised(copy) else info["allocated"]
    if total:
        print(
            f"\n{segments.in_words(total)} of memory or disk are held by runs that are over.\n"
            "shmcov salvage SEGMENT [-o DATA_FILE] writes the data file, "
            "shmcov salvage SEGMENT --discard throws it away."
        )
    return 0
