# SPDX-License-Identifier: Apache-2.0
"""Show where shmcov and coverage.py's ctrace disagree about single programs.

    python tests/compare_ctrace.py [--lines | --branch] [--raw] PROGRAM...

PROGRAM is any Python file, or a folder with a `__main__.py`; without one, the whole corpus.
SHMCOV_COMMAND puts another command in the place of `python -m shmcov`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import corpus_compare
import corpus_support as corpus


def main() -> int:
    """Compare, print, and return 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--lines", dest="modes", action="store_const", const=["lines"])
    only.add_argument("--branch", dest="modes", action="store_const", const=["branch"])
    parser.add_argument("--raw", action="store_true", help="show the recorded rows that differ too")
    parser.add_argument("programs", nargs="*", type=Path, metavar="PROGRAM")
    options = parser.parse_args()
    paths = options.programs or [program.path for program in corpus.programs()]
    different = 0
    for path in paths:
        for mode in options.modes or corpus.MODES:
            try:
                text = corpus_compare.compare_program(
                    path, branch=mode == "branch", raw=options.raw
                )
            except RuntimeError as error:
                text = str(error)
            if text:
                different += 1
                print(f"[{mode}] {text}\n")
            else:
                print(f"[{mode}] {path.name}: same")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
