# SPDX-License-Identifier: Apache-2.0
"""Run CPython's own tests bare and measured, and list the tests that do not end alike.

    python tests/stdlib/run.py                        # the heaviest files, as the stage does
    python tests/stdlib/run.py --all --at-a-time 2    # every file of `python -m test`: hours
    python tests/stdlib/run.py --mode switched test_generators test_patma

Test files and standard library are measured, so the code under test is what carries breakpoints.
A file that differs is run again, both ways, before it counts. Ends with 1 if a test passes bare
and not measured that tests/stdlib/stdlib_known.py does not list, or if a process dies.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from stdlib_known import HEAVIEST, KNOWN

TIMEOUT = 1200.0

# A profile function is there with and without shmcov: tests see it themselves.
SWITCHER = """
import sys, threading
try:
    import _shmcov
except ImportError:
    _shmcov = None
count = 0

def switch(frame, event, arg):
    global count
    if event in ("call", "return"):
        count += 1
        if _shmcov:
            _shmcov.switch_context("ab"[count % 2], everywhere=True)

sys.setprofile(switch)
threading.setprofile(switch)
"""

CONFIGURATION = """\
[run]
branch = {branch}
cover_pylib = true
data_file = {folder}/data
include = {library}/*
"""


@dataclass(frozen=True)
class Mode:
    """How a file is measured, and beside which bare run."""

    branch: bool
    switched: bool = False


MODES = {
    "lines": Mode(branch=False),
    "branches": Mode(branch=True),
    "switched": Mode(branch=False, switched=True),
    "switched-branches": Mode(branch=True, switched=True),
}

Outcomes = Mapping[str, str]


@dataclass
class Ended:
    """How one file's tests ended: each test, and the process."""

    status: int
    tests: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    said: str = ""

    @property
    def died(self) -> bool:
        return self.status < 0 or self.status > 128


def outcomes(report: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        # A line number or an address is part of some names.
        status = "passed"
        for child in case:
            if child.tag in ("failure", "error", "skipped"):
                status = child.tag
        if case.get("status") == "skipped" or case.get("result") == "suppressed":
            status = "skipped"
        found[case.get("name", "")] = status
    return found


def run(name: str, mode: Mode, *, measured: bool, tracer: str) -> Ended:
    with tempfile.TemporaryDirectory(prefix="stdlib-", ignore_cleanup_errors=True) as text:
        folder = Path(text)
        report = folder / "report.xml"
        environment = {**os.environ, "SHMCOV_TRACER": tracer, "TMPDIR": text}
        command = [sys.executable]
        if measured:
            rcfile = folder / "coveragerc"
            library = sysconfig.get_path("stdlib")
            rcfile.write_text(
                CONFIGURATION.format(folder=folder, branch=mode.branch, library=library)
            )
            command += ["-m", "shmcov", "run", f"--rcfile={rcfile}"]
        if mode.switched:
            (folder / "site").mkdir()
            (folder / "site" / "sitecustomize.py").write_text(SWITCHER)
            environment["PYTHONPATH"] = str(folder / "site")
        command += ["-m", "test", "-v", "--junit-xml", str(report), name]
        begun = time.monotonic()
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Ended(-14, seconds=TIMEOUT, said="took too long")
        return Ended(
            done.returncode,
            outcomes(report) if report.exists() else {},
            time.monotonic() - begun,
            done.stdout.decode(errors="replace"),
        )


@dataclass
class Difference:
    """One test that does not end measured as it does bare; or the process, if `test` is empty."""

    file: str
    mode: str
    test: str
    bare: str
    measured: str

    @property
    def reason(self) -> str:
        return next(
            (one.reason for one in KNOWN if one.matches(self.file, self.mode, self.test)), ""
        )


def differences(name: str, mode: str, bare: Ended, measured: Ended) -> Iterator[Difference]:
    if measured.died and not bare.died:
        yield Difference(name, mode, "", str(bare.status), str(measured.status))
        return
    for test, status in bare.tests.items():
        now = measured.tests.get(test, "missing")
        if status == "passed" and now != "passed":
            yield Difference(name, mode, test, status, now)
    if bare.status == 0 and measured.status != 0 and not measured.tests:
        yield Difference(name, mode, "", str(bare.status), str(measured.status))


class Runner:
    """Runs files, and knows how they end bare."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.bare: dict[str, Ended] = {}
        self.ran = 0
        cached = options.bare
        if cached and cached.exists():
            for key, (status, tests, seconds) in json.loads(cached.read_text()).items():
                self.bare[key] = Ended(status, tests, seconds)

    def save(self) -> None:
        if self.options.bare:
            table = {key: (e.status, e.tests, e.seconds) for key, e in self.bare.items()}
            self.options.bare.write_text(json.dumps(table))

    def bare_of(self, name: str, mode: Mode, *, fresh: bool = False) -> Ended:
        key = f"{name}{' profiled' if mode.switched else ''}"
        if fresh or key not in self.bare:
            again = run(name, mode, measured=False, tracer="")
            if key in self.bare:  # what passes only now and then says nothing
                for test, status in self.bare[key].tests.items():
                    if again.tests.get(test) != status:
                        again.tests[test] = "unsure"
            self.bare[key] = again
        return self.bare[key]

    def compare(self, job: tuple[str, str]) -> tuple[str, str, Ended, Ended, list[Difference]]:
        name, mode = job
        bare = self.bare_of(name, MODES[mode])
        for again in (False, True):
            if again:
                bare = self.bare_of(name, MODES[mode], fresh=True)
            measured = run(name, MODES[mode], measured=True, tracer=self.options.tracer)
            found = list(differences(name, mode, bare, measured))
            if all(one.reason for one in found):
                break
        if self.options.logs and found:
            self.options.logs.mkdir(exist_ok=True)
            (self.options.logs / f"{name}-{mode}.log").write_text(measured.said)
        return name, mode, bare, measured, found


@cache
def all_files() -> Sequence[str]:
    command = [sys.executable, "-m", "test", "--list-tests"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def show(rows: Iterable[tuple[str, str, Ended, Ended, list[Difference]]]) -> int:
    total = files = unexplained = died = 0
    explained: dict[str, list[str]] = {}
    for name, mode, bare, measured, found in rows:
        passed = sum(status == "passed" for status in measured.tests.values())
        total += passed
        files += 1
        died += measured.died and not bare.died
        new = [one for one in found if not one.reason]
        unexplained += bool(new)
        for one in found:
            if one.reason:
                explained.setdefault(one.reason, []).append(f"{one.test or one.file} ({mode})")
        word = "ok" if not new else "DIFFERS"
        print(
            f"{name} {mode}: {word}, {passed} of {len(bare.tests)} pass; "
            f"{bare.seconds:.1f} s bare, {measured.seconds:.1f} s measured",
            flush=True,
        )
        for one in new:
            print(f"    {one.test or 'the process'}: {one.bare} bare, {one.measured}", flush=True)
    for reason, tests in explained.items():
        print(f"as expected, {reason}: {', '.join(tests)}")
    # The closing line is one that .ci/run counts.
    print(f"{total} tests measured in {files} files and modes, {died} died")
    print(f"{files - unexplained} passed, {unexplained} failed in 0.0s")
    return 1 if unexplained else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", metavar="FILE", help="test_…; the heaviest without one")
    parser.add_argument("--all", action="store_true", help="every file that there is")
    parser.add_argument("--mode", action="append", choices=MODES, help="all of them without one")
    parser.add_argument("--tracer", choices=("breakpoints", "trace"), default="breakpoints")
    parser.add_argument("--at-a-time", type=int, default=2, metavar="N")
    parser.add_argument("--bare", type=Path, metavar="PATH", help="keeps how files end bare there")
    parser.add_argument("--logs", type=Path, metavar="DIR", help="what differing files said")
    options = parser.parse_args()
    files = options.files or (all_files() if options.all else HEAVIEST)
    known = set(all_files())
    jobs = [(name, mode) for name in files if name in known for mode in options.mode or MODES]
    print(f"CPython {platform.python_version()}, {len(jobs)} runs", flush=True)
    runner = Runner(options)
    with ThreadPoolExecutor(options.at_a_time) as pool:
        status = show(pool.map(runner.compare, jobs))
    runner.save()
    return status


if __name__ == "__main__":
    sys.exit(main())
