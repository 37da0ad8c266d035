# SPDX-License-Identifier: Apache-2.0
"""Makes every fault of docs/reliability.md happen, under each tool, and prints what was lost.

    python tests/reliability/report.py                       all rows, as often as CI does
    python tests/reliability/report.py --only end-abort
    python tests/reliability/report.py --long --write docs/reliability.md

Ends with 1 if shmcov lost anything, or if a row did not fail without its protection.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from reliability_support import OURS, ROOT, TOOLS, NotHere, Row, machine  # noqa: E402
from reliability_table import ROWS  # noqa: E402

RESULTS = ROOT / "build" / "reliability"
MARKS = "<!-- table: python tests/reliability/report.py --write -->", "<!-- end of the table -->"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--long", action="store_true", help="as often as the long run does")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="or its start")
    parser.add_argument("--tool", action="append", default=[], choices=TOOLS)
    parser.add_argument("--no-control", action="store_true", help="not without the protections")
    parser.add_argument("--report", action="store_true", help="measure nothing, print what was")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs measured")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this file")
    options = parser.parse_args()
    rows = [row for row in ROWS if not options.only or row.name.startswith(tuple(options.only))]
    if not rows:
        parser.error("no such row")
    kept = Kept(fresh=options.fresh)
    failed = 0
    for number, row in enumerate([] if options.report else rows, 1):
        say(f"[{number}/{len(rows)}] {row.name}: {row.fault}")
        failed += measure(row, kept, options)
    text = table(kept)
    print(text)
    if options.write:
        write(options.write, text)
    return int(failed > 0)


class Kept:
    """What was measured, a file for each version of Python: a run may be one of some rows."""

    def __init__(self, *, fresh: bool) -> None:
        self.path = RESULTS / f"{platform.python_version()}.json"
        read = self.path.exists() and not fresh
        self.rows: dict[str, dict[str, Any]] = json.loads(self.path.read_text()) if read else {}

    def save(self, name: str, row: dict[str, Any]) -> None:
        self.rows[name] = {**self.rows.get(name, {}), **row}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.rows, indent=1) + "\n")


def measure(row: Row, kept: Kept, options: argparse.Namespace) -> int:
    failed = 0
    found: dict[str, Any] = {"date": datetime.date.today().isoformat()}
    for tool in TOOLS:
        if options.tool and tool not in options.tool:
            continue
        if tool not in row.tools:
            found[tool] = {"text": "-"}
            continue
        times, start = row.times(tool, long=options.long), time.monotonic()
        try:
            result = row.measure(tool, times)
        except NotHere as why:
            found[tool] = {"text": "-", "why": str(why)}
            say(f"    {tool}: not here: {why}")
            continue
        took = time.monotonic() - start
        wrong = row.failures(result) if tool in OURS else []
        failed += bool(wrong)
        found[tool] = {"text": result.in_words(), "times": times, "wrong": wrong}
        say(f"    {tool}: {result.in_words()}  ({times} x, {took:.0f} s)")
        for text in wrong:
            say(f"    *** {text}")
    if row.without and not options.no_control and not options.tool:
        found["control"] = control(row)
        failed += found["control"] == "does not fail"
        say(f"    without: {row.without.how}: {found['control']}")
    kept.save(row.name, found)
    return failed


def control(row: Row) -> str:
    """What happens without the protection."""
    assert row.without
    try:
        result = row.measure(row.without.tool, row.ci, row.without)
    except NotHere as why:
        return f"not here: {why}"
    return result.in_words() if row.failures(result) else "does not fail"


def table(kept: Kept) -> str:
    versions = ", ".join(
        f"{name} {metadata.version(name)}"
        for name in ("shmcov", "coverage", "slipcover")
        if has(name)
    )
    shown = [row for row in ROWS if row.name in kept.rows]
    if not shown:
        return "Nothing has been measured with this Python."
    dates = sorted({kept.rows[row.name]["date"] for row in shown})
    out = [
        f"{len(shown)} rows. {' to '.join(sorted({dates[0], dates[-1]}))}; Python "
        f"{platform.python_version()}, {versions}; {machine()}.",
    ]
    family = ""
    for row in shown:
        if row.family != family:
            family = row.family
            out += ["", f"### {family}", ""]
            out.append(
                "| fault | how it is injected | times | lost: shmcov run | plug-in | coverage.py "
                "| SlipCover | without the protection | test |"
            )
            out.append("|---|---|---:|---|---|---|---|---|---|")
        out.append(line(row, kept.rows[row.name]))
    return "\n".join(out)


def line(row: Row, found: dict[str, Any]) -> str:
    cells = [found.get(tool, {}).get("text", "") for tool in TOOLS]
    ran = sorted({str(found[t]["times"]) for t in TOOLS if "times" in found.get(t, {})}, key=int)
    times = " / ".join(reversed(ran)) if len(ran) > 1 else "".join(ran)
    control = f"{row.without.how}: {found.get('control', '')}" if row.without else ""
    parts = [row.fault, row.injected, times, *cells, control, f"`{row.name}`"]
    return "| " + " | ".join(part.replace("|", "\\|").replace("\n", " ") for part in parts) + " |"


def has(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def write(path: Path, text: str) -> None:
    before, _, rest = path.read_text().partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    path.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
