# SPDX-License-Identifier: Apache-2.0
"""Run the tests that coverage.py and pytest-cov have of their own, with ctrace and with shmcov.

Each suite has a virtual environment with the shmcov of this checkout in it, and its sdist; both
are kept where tests/real keeps what it downloads. With shmcov as the core a start-up file lies in
the environment that forces it upon every process: see own_suites_force.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "real"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pytest
from expected import EXPECTED, Expected
from project_support import clean_environment
from real_support import Store, digest, pip

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
TIMEOUT = 3600.0
# Some tests have deadlines, which a busy machine misses: so many may run again, one at a time.
RETRIED = 100
NEWEST = "7.17.4"
OLDEST = "7.10.7"
PYTEST_COV = "7.1.0"
# '0' sorts before the names of all other start-up files.
FORCING = "0_own_suites.pth"
SHMCOV_SOURCES = ("pyproject.toml", "CMakeLists.txt", "shm", "merge", "runtime")
SMOKE = """
import coverage, os, tempfile
os.chdir(tempfile.mkdtemp())
cov = coverage.Coverage()
cov.start(); cov.stop()
print(type(cov._collector).__module__)
"""


@dataclass(frozen=True)
class Outcome:
    """What became of a test: passed, failed or skipped, what was said, and if at a second try."""

    status: str
    message: str = ""
    again: bool = False


Outcomes = Mapping[str, Outcome]


@dataclass(frozen=True)
class Suite:
    """The tests of `coverage` or of `pytest-cov`, against one version of coverage.py."""

    name: str
    coverage: str

    @property
    def sdist(self) -> str:
        return (
            f"coverage=={self.coverage}"
            if self.name == "coverage"
            else f"{self.name}=={PYTEST_COV}"
        )

    @property
    def label(self) -> str:
        return "-".join(
            (self.sdist.replace("==", "-"), "with", self.coverage, sys.implementation.cache_tag)
        )

    def requirements(self, root: Path) -> list[tuple[str | Path, ...]]:
        """What pip installs, as the suite's tox.ini has it; what comes after the first may fail."""
        own = f"coverage=={self.coverage}"
        if self.name == "pytest-cov":
            # Celery's test wants Docker as well.
            return [(own, self.sdist, "process-tests", "pytest-xdist", "virtualenv")]
        files = root / "requirements"
        # Where the exact versions come with hashes, the index may lack one of the files.
        suffix = ".pip" if (files / "pytest.pip").exists() else ".in"
        return [
            (own, "setuptools", "-r", files / f"pytest{suffix}"),
            ("-r", files / f"light-threads{suffix}"),
        ]

    def prepare(self, root: Path, packages: Path) -> tuple[dict[str, str], list[str]]:
        """The environment of the tests, and options of pytest, as tox.ini has them."""
        if self.name == "pytest-cov":
            return {"PYTHONPATH": str(root / "tests"), "PYTHONUNBUFFERED": "yes"}, []
        # Tests read the package's source beside them, and so it is what pytest's process imports.
        for compiled in (packages / "coverage").glob("*.so"):
            shutil.copy(compiled, root / "coverage")
        (igor,) = (path for path in (root / "igor.py", root / "tools/igor.py") if path.exists())
        subprocess.run([sys.executable, igor, "zip_mods"], cwd=root, check=True)
        return {"COVERAGE_TESTING": "True", "PYTHON_COLORS": "0"}, ["-n", "0"]


@dataclass
class Environment:
    """The virtual environment of a suite."""

    suite: Suite
    store: Store = field(default_factory=Store.of)

    def __post_init__(self) -> None:
        self.folder = self.store.folder / "own-suites" / self.suite.label
        self.folder.mkdir(parents=True, exist_ok=True)
        self.venv = self.folder / "venv"
        self.python = self.venv / "bin" / "python"

    @cached_property
    def packages(self) -> Path:
        (found,) = (self.venv / "lib").glob("python*/site-packages")
        return found

    @contextlib.contextmanager
    def unpacked(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="own-suites-") as folder:
            with tarfile.open(self.store.sdist(self.suite.sdist)) as archive:
                archive.extractall(folder, filter="data")
            (root,) = Path(folder).iterdir()
            yield root

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else forces another core upon the environment meanwhile."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._install()
            yield

    def _install(self) -> None:
        made = self.folder / "made"
        if not made.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", self.venv], check=True)
            with self.unpacked() as root:
                needed, *wanted = self.suite.requirements(root)
                pip(self.python, "install", "-q", *needed)
                for requirements in wanted:
                    with contextlib.suppress(pytest.skip.Exception):
                        pip(self.python, "install", "-q", *requirements)
            made.touch()
        sources = (CHECKOUT / name for name in SHMCOV_SOURCES)
        files = sorted(
            path
            for source in sources
            for path in (source.rglob("*") if source.is_dir() else [source])
            if path.is_file() and path.suffix != ".pyc"
        )
        now = digest([(path.relative_to(CHECKOUT), path.read_bytes()) for path in files])
        installed = self.folder / "shmcov"
        if not installed.exists() or installed.read_text() != now:
            pip(self.python, "install", "-q", "--no-deps", "--force-reinstall", CHECKOUT)
            installed.write_text(now)

    def choose(self, core: str) -> None:
        """Has every process of the environment use that core."""
        forcing = self.packages / FORCING
        forcing.unlink(missing_ok=True)
        if core == "shmcov":
            shutil.copy(HERE / "own_suites_force.py", self.packages)
            forcing.write_text("import own_suites_force\n")
        environment = {**clean_environment(), "COVERAGE_CORE": "ctrace"}
        smoke = subprocess.run(
            [self.python, "-c", SMOKE], env=environment, capture_output=True, text=True, check=False
        )
        used = smoke.stdout.partition(".")[0].strip()
        if used != {"shmcov": "shmcov", "ctrace": "coverage"}[core]:
            raise RuntimeError(
                f"{core} is not the core in {self.venv}: {smoke.stdout}{smoke.stderr}"
            )

    def baseline(self, arguments: Sequence[str], fresh: bool = False) -> Outcomes:
        """What becomes of the tests with ctrace: kept, as it has nothing to do with shmcov."""
        with self.locked():
            freeze = pip(self.python, "freeze", "--exclude", "shmcov")
            key = digest((sys.version, freeze, self.suite, tuple(arguments)))
            kept = self.folder / f"ctrace-{key}.json"
            if fresh or not kept.exists():
                found = self._run("ctrace", arguments)
                kept.write_text(
                    json.dumps({test: astuple(outcome) for test, outcome in found.items()})
                )
            return {test: Outcome(*said) for test, said in json.loads(kept.read_text()).items()}

    def forced(self, arguments: Sequence[str]) -> Outcomes:
        """What becomes of the tests with shmcov as the core of all."""
        with self.locked():
            return self._run("shmcov", arguments)

    def log(self, core: str) -> Path:
        return self.folder / f"{core}.log"

    def _run(self, core: str, arguments: Sequence[str]) -> Outcomes:
        self.choose(core)
        with self.unpacked() as root, self.log(core).open("w") as log:
            more, options = self.suite.prepare(root, self.packages)
            environment = clean_environment()
            # coverage.py's tests are about .pyc files as well.
            del environment["PYTHONDONTWRITEBYTECODE"]
            path = f"{self.python.parent}{os.pathsep}{environment['PATH']}"
            environment |= {"COVERAGE_CORE": "ctrace", "PATH": path, **more}
            run = partial(self._pytest, core, root, environment, log)
            found = run([*options, *arguments])
            failed = [test for test, outcome in found.items() if outcome.status == "failed"]
            if failed and len(failed) <= RETRIED:
                again = run([*options, *failed])
                found |= {
                    test: replace(again[test], again=True) for test in failed if test in again
                }
        return found

    def _pytest(
        self,
        core: str,
        root: Path,
        environment: Mapping[str, str],
        log: IO[str],
        arguments: Sequence[str],
    ) -> dict[str, Outcome]:
        junit = self.folder / f"{core}.xml"
        junit.unlink(missing_ok=True)
        report = (f"--junitxml={junit}", "-o", "junit_family=xunit1")
        with subprocess.Popen(
            [self.python, "-m", "pytest", "-vv", *report, *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as running:
            try:
                running.wait(TIMEOUT)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)
        if not junit.exists():
            last = self.log(core).read_text(errors="replace")[-2000:]
            raise RuntimeError(f"pytest ended with {running.returncode} before its report: {last}")
        return outcomes(junit)


def outcomes(junit: Path) -> dict[str, Outcome]:
    """The outcomes in pytest's report, by node id. What was expected to fail counts as skipped.

    Of a test that coverage.py's suite marks as flaky, and that ran more than once, the last one.
    """
    found: dict[str, Outcome] = {}
    for case in ElementTree.parse(junit).iter("testcase"):
        file = case.get("file", "")
        module = file.removesuffix(".py").replace("/", ".")
        within = case.get("classname", "").removeprefix(module).strip(".").replace(".", "::")
        test = "::".join(part for part in (file, within, case.get("name", "")) if part)
        outcome = Outcome("passed")
        for status, tags in (("skipped", ("skipped",)), ("failed", ("failure", "error"))):
            for tag in tags:
                for said in case.iter(tag):
                    outcome = Outcome(status, said.get("message", ""))
        found[test] = outcome
    return found


def counts(found: Outcomes) -> Counter[str]:
    return Counter(outcome.status for outcome in found.values())


@dataclass(frozen=True)
class Comparison:
    """What differs between ctrace and shmcov, beyond what has to."""

    suite: Suite
    ctrace: Outcomes
    shmcov: Outcomes

    def _expected(self) -> Iterator[Expected]:
        version = tuple(int(number) for number in re.findall(r"\d+", self.suite.coverage)[:3])
        for expected in EXPECTED[self.suite.name]:
            if expected.since <= version and sys.version_info[:2] >= expected.python:
                yield expected

    @cached_property
    def lost(self) -> list[str]:
        """The tests that pass with ctrace and not with shmcov."""
        passing = (test for test, outcome in self.ctrace.items() if outcome.status == "passed")
        return [test for test in passing if not self._passes(test)]

    def _passes(self, test: str) -> bool:
        return test in self.shmcov and self.shmcov[test].status == "passed"

    @cached_property
    def explained(self) -> list[str]:
        return [test for test in self.lost if any(e.matches(test) for e in self._expected())]

    @cached_property
    def unexplained(self) -> list[str]:
        return [test for test in self.lost if test not in self.explained]

    @cached_property
    def stale(self) -> list[str]:
        """Tests that the list has and that pass."""
        return [
            f"{test}: {expected.reason}"
            for expected in self._expected()
            if not expected.sometimes
            for test, outcome in self.ctrace.items()
            if outcome.status == "passed" and expected.matches(test) and self._passes(test)
        ]

    def problems(self) -> str:
        """What is to be done; empty if nothing."""
        absent = Outcome("absent")
        lines = []
        for test in self.unexplained:
            outcome = self.shmcov.get(test, absent)
            lines.append(
                f"passes with ctrace only: {test}\n    {outcome.status}: {_short(outcome)}"
            )
        lines.extend(f"passes, though listed in expected.py: {stale}" for stale in self.stale)
        return "\n".join(lines)


def _short(outcome: Outcome) -> str:
    return " ".join(outcome.message.split())[:200]
