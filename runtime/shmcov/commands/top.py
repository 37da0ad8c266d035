# SPDX-License-Identifier: Apache-2.0
"""`shmcov top`: a run on a full screen, while it goes on."""

from __future__ import annotations

import argparse

from shmcov import segments
from shmcov.messages import complain


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov top",
        description="Show on a full screen what the workers of a run are at, and what is covered. "
        "The run does not notice. Without SEGMENT, the one that goes on here, or at all. Needs "
        "the extra shmcov[live].",
    )
    parser.add_argument("segment", nargs="?", metavar="SEGMENT")
    return parser


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    try:
        from shmcov.screen import Top
    except ImportError as error:
        if not (error.name or "").startswith(("textual", "rich")):
            raise
        complain("top needs Textual, which is not installed here: pip install 'shmcov[live]'")
        return 1
    try:
        path = segments.the_run(options.segment)
        with segments.opened(path):
            pass
    except segments.SegmentNotUsable as error:
        complain(str(error))
        return 1
    Top(path).run()
    return 0
