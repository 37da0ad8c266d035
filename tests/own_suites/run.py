# SPDX-License-Identifier: Apache-2.0
"""Run coverage.py's or pytest-cov's own tests with shmcov as the core of all, and with ctrace.

python tests/own_suites/run.py coverage
python tests/own_suites/run.py pytest-cov --coverage-version 7.10.7 -- -k central

Ends with 1 if a test passes with ctrace and fails with shmcov that tests/own_suites/expected.py
does not list, or if one passes that it lists; with 2 if a suite cannot be had or run.
"""

from __future__ import annotations

import argparse
import platform
import re
import sys

import pytest
from expected import EXPECTED
from own_suites_support import (
    CHECKOUT,
    PYTEST_COV,
    Comparison,
    Environment,
    Outcomes,
    Suite,
    counts,
)
from real_support import pip

DOCS = CHECKOUT / "docs" / "own-suites.md"
STATUSES = ("passed", "failed", "skipped")
HEADER = """\
# The tests of coverage.py and pytest-cov

Written by `python tests/own_suites/run.py SUITE --write`, which runs coverage.py's and pytest-cov's
own tests twice in the same environment: with coverage.py's C tracer, and with shmcov forced upon
every Coverage object in every process. What fails with ctrace as well is due to the machine or to
how pytest is started, and does not count against shmcov. A test that fails is tried a second time,
alone.

| Suite | coverage.py | Python | Core | passed | failed | skipped | cannot apply |
|---|---|---|---|---:|---:|---:|---:|
"""


def newest() -> str:
    """The newest coverage.py 7 that pip has for this Python."""
    found = re.findall(r"\b7\.[0-9.]+\b", pip(sys.executable, "index", "versions", "coverage"))
    if not found:
        raise SystemExit("pip knows no version of coverage.py 7: name one by --coverage-version")
    return str(found[0])


def show(core: str, found: Outcomes) -> None:
    count = counts(found)
    print(f"{core}: " + ", ".join(f"{count[status]} {status}" for status in STATUSES), flush=True)
    for test, outcome in found.items():
        if outcome.again and outcome.status == "passed":
            print(f"    passes at the second try only: {test}")


def write(suite: Suite, core: str, found: Outcomes, explained: int | None) -> None:
    """Puts one line into the table of docs/own-suites.md."""
    version = PYTEST_COV if suite.name == "pytest-cov" else suite.coverage
    name = (f"{suite.name} {version}", suite.coverage, platform.python_version(), core)
    rows = {name: [str(counts(found)[status]) for status in STATUSES]}
    rows[name].append("" if explained is None else str(explained))
    for line in DOCS.read_text().splitlines() if DOCS.exists() else ():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 8 and cells[3] in ("ctrace", "shmcov"):
            rows.setdefault((cells[0], cells[1], cells[2], cells[3]), cells[4:])
    table = "".join(f"| {' | '.join((*key, *rows[key]))} |\n" for key in sorted(rows))
    reasons = ""
    for title, expected in EXPECTED.items():
        for one in expected:
            tests = ", ".join(f"`{pattern}`" for pattern in one.patterns)
            reasons += f"- {title}: {one.reason}. {tests}\n"
    reasons = f"\n## What cannot apply\n\n{reasons}" if reasons else ""
    DOCS.write_text(HEADER + table + reasons)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suite", choices=sorted(EXPECTED))
    parser.add_argument("--core", choices=("shmcov", "ctrace"), default="shmcov")
    parser.add_argument("--coverage-version", metavar="X", help="the newest 7.x if not given")
    parser.add_argument("--fresh", action="store_true", help="run ctrace again as well")
    parser.add_argument("--write", action="store_true", help="record the counts in docs/")
    parser.epilog = "What follows -- goes to pytest."
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)  # argparse has its own ideas of it
    options = parser.parse_args(words[:at])
    options.arguments = words[at + 1 :]
    if options.write and options.arguments:
        parser.error("--write is for whole suites")
    try:
        return compare(options)
    except (RuntimeError, pytest.skip.Exception) as error:
        print(error, file=sys.stderr)
        return 2


def compare(options: argparse.Namespace) -> int:
    suite = Suite(options.suite, options.coverage_version or newest())
    environment = Environment(suite)
    print(f"{suite.label} in {environment.folder}", flush=True)
    ctrace = environment.baseline(options.arguments, options.fresh)
    show("ctrace", ctrace)
    for test, outcome in ctrace.items():
        if outcome.status == "failed":
            print(f"    fails with ctrace: {test}")
    if options.write:
        write(suite, "ctrace", ctrace, None)
    if options.core == "ctrace":
        return 0

    found = Comparison(suite, ctrace, environment.forced(options.arguments))
    show("shmcov", found.shmcov)
    print(f"{len(found.lost)} pass with ctrace only, {len(found.explained)} of them as expected")
    if options.write:
        write(suite, "shmcov", found.shmcov, len(found.explained))
    problems = found.problems()
    if problems:
        print(problems, f"See {environment.log('shmcov')}", sep="\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
