# SPDX-License-Identifier: Apache-2.0
"""Prints a table of the wheels in a folder: what they are for, their size, where they were tried.

python wheel_table.py DIST WORK [--write FILE]

WORK is the folder in which .ci/wheels keeps what try_wheel.sh said. --write puts the table between
its two marks in FILE.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

MARKS = "<!-- table: .ci/wheels --write docs/packaging.md -->", "<!-- end of the table -->"
HEAD = "| wheel | KiB | tried in a Debian that can build nothing |\n|---|---|---|"
TRIED = re.compile(r"^installed (\S+) and tried it in (\d+) s with ([^(\n]*[^(\s])", re.MULTILINE)


def tried(work: Path) -> dict[str, str]:
    """What was said last of each wheel."""
    found = {}
    for log in sorted((work / "log").glob("try-*"), key=lambda log: log.stat().st_mtime):
        for name, seconds, python in TRIED.findall(log.read_text(errors="replace")):
            found[name] = f"{python}: {seconds} s"
    return found


def table(dist: Path, work: Path) -> str:
    said = tried(work)
    lines = [HEAD]
    for wheel in sorted(dist.glob("*.whl")):
        tag = wheel.stem.split("-", 2)[2]
        size = round(wheel.stat().st_size / 1024)
        lines.append(f"| `{tag}` | {size} | {said.get(wheel.name, 'no')} |")
    return "\n".join(lines)


def write(path: Path, text: str) -> None:
    before, rest = path.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    path.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    text = table(options.dist, options.work)
    print(text)
    if options.write:
        write(options.write, text)


if __name__ == "__main__":
    main()
