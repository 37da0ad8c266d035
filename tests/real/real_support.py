# SPDX-License-Identifier: Apache-2.0
"""Run a published project's tests under shmcov in parallel and under ctrace in one process.

The project's sdist and what its tests need come from the package index, once, into a folder that
SHMCOV_TEST_CACHE names (without it, pytest's cache). The reports of ctrace are kept there as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pytest
from corpus_compare import differences
from corpus_support import FileReport, clean_environment, report, shmcov_command

HERE = Path(__file__).resolve().parent
MODES = ("lines", "branch")
TIMEOUT = 900.0
# Without this, loops over sets of names are left by other edges in other runs.
ENVIRONMENT = {"PYTHONHASHSEED": "0"}
BRANCH_KEYS = ("executed_branches", "missing_branches")


@dataclass(frozen=True)
class Suite:
    """A project, and how its tests are run: in one process, and in several."""

    sdist: str
    source: tuple[str, ...]
    serial: tuple[str, ...]
    parallel: Mapping[str, tuple[str, ...]]
    needs: tuple[str, ...] = ()
    omit: str = ""
    path: str = "."
    cwd: str = "."
    statuses: tuple[int, ...] = (0,)

    @property
    def name(self) -> str:
        return self.sdist.replace("==", "-")


@dataclass(frozen=True)
class Explained:
    """Lines that one of the two runs has and the other has not, and why the program does so.

    `lines` is what only the parallel run has, `either` what may differ, as it depends on timing or
    on the user. A branch is explained if it begins or ends on such a line, or if `branches` (one
    of the two runs has it) or `either_branches` names it.
    """

    reason: str
    lines: str = ""
    either: str = ""
    branches: tuple[tuple[int, int], ...] = ()
    either_branches: tuple[tuple[int, int], ...] = ()
    starts: tuple[str, ...] = ()
    since: tuple[int, int] = (3, 11)

    def applies(self, start: str) -> bool:
        return (not self.starts or start in self.starts) and sys.version_info[:2] >= self.since


Explanations = Mapping[str, tuple[Explained, ...]]


def numbers(text: str) -> set[int]:
    """The line numbers in `3 5-7`."""
    found: set[int] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


@dataclass
class Store:
    """What is kept between test runs."""

    folder: Path

    @classmethod
    def of(cls, config: pytest.Config | None = None) -> Store:
        named = os.environ.get("SHMCOV_TEST_CACHE")
        cache = getattr(config, "cache", None)
        if named:
            folder = Path(named) / "real"
        elif cache:
            folder = Path(cache.mkdir("shmcov-real"))
        else:
            folder = Path(tempfile.gettempdir()) / f"shmcov-real-{os.getuid()}"
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    def sdist(self, requirement: str) -> Path:
        """The sdist of `name==version`, as the index has it."""
        folder = self.folder / "sdists" / requirement.replace("==", "-")
        if not folder.exists():
            # Its metadata is not wanted, but pip builds it, and knows no option not to.
            options = ("--no-deps", "--no-binary", ":all:")
            self._make(folder, "download", *options, "-d", requirement=(requirement,))
        (found,) = folder.glob("*.tar.gz")
        return found

    def installed(self, requirements: tuple[str, ...]) -> Path:
        """A folder for PYTHONPATH in which the requirements are installed for this interpreter."""
        label = f"{sys.implementation.cache_tag}{sys.abiflags}-{digest(requirements)}"
        folder = self.folder / "installed" / label
        if requirements and not folder.exists():
            self._make(folder, "install", "--target", requirement=requirements)
        return folder

    def _make(self, folder: Path, command: str, *options: str, requirement: Iterable[str]) -> None:
        building = folder.parent / f"building-{uuid.uuid4().hex}"
        building.parent.mkdir(parents=True, exist_ok=True)
        pip(sys.executable, command, "-q", *options, str(building), *requirement)
        try:
            building.rename(folder)
        except OSError:  # somebody else was faster
            assert folder.exists()


def pip(python: str | Path, *arguments: str | Path) -> str:
    """What `pip ARGUMENTS` of that interpreter prints; without an index the test is skipped."""
    done = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", *arguments],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = " ".join(map(str, arguments))
        pytest.skip(f"NOT COMPARED WITH REAL INPUT: pip {said}: {done.stderr}")
    return done.stdout


def digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


@dataclass
class Checkout:
    """An unpacked suite, and what its runs report, file by file."""

    suite: Suite
    store: Store
    work: Path
    made: ClassVar[dict[str, Checkout]] = {}

    @classmethod
    def of(cls, suite: Suite, config: pytest.Config, factory: pytest.TempPathFactory) -> Checkout:
        """The one of this session."""
        if suite.name not in cls.made:
            cls.made[suite.name] = cls(suite, Store.of(config), factory.mktemp(suite.name))
        return cls.made[suite.name]

    def __post_init__(self) -> None:
        self.sdist = self.store.sdist(self.suite.sdist)
        self.needs = self.store.installed(self.suite.needs)
        with tarfile.open(self.sdist) as archive:
            archive.extractall(self.work / "unpacked", filter="data")
        (self.root,) = (self.work / "unpacked").iterdir()

    def serial(self, mode: str) -> Mapping[str, FileReport]:
        """What coverage.py's ctrace reports of the run in one process."""
        kept = self.kept(mode, self.suite, self._rcfile(Path("root")))
        if not kept.exists():
            found = self._run(
                f"serial-{mode}",
                [sys.executable, "-m", "coverage", "run"],
                self.suite.serial,
                mode,
                COVERAGE_CORE="ctrace",
            )
            kept.parent.mkdir(exist_ok=True)
            building = kept.with_name(f"{uuid.uuid4().hex}.json")
            building.write_text(json.dumps(found))
            building.replace(kept)
        loaded: Mapping[str, FileReport] = json.loads(kept.read_text())
        return loaded

    def kept(self, mode: str, *decisive: object) -> Path:
        """Where a report of ctrace is kept, by all that it depends on."""
        label = f"{sys.implementation.cache_tag}{sys.abiflags}-{mode}"
        versions = (sys.version, version("coverage"), version("pytest"), self.sdist.read_bytes())
        key = digest((versions, ENVIRONMENT, decisive))
        return self.store.folder / "reports" / f"{self.suite.name}-{label}-{key}.json"

    def parallel(self, start: str, mode: str) -> Mapping[str, FileReport]:
        """What shmcov reports of the run in several processes."""
        command = [*shmcov_command(), "run"]
        return self._run(f"{start}-{mode}", command, self.suite.parallel[start], mode)

    def _run(
        self, label: str, command: list[str], program: tuple[str, ...], mode: str, **env: str
    ) -> Mapping[str, FileReport]:
        options = ["--rcfile={rcfile}", *(["--branch"] if mode == "branch" else [])]
        data_file, rcfile = self.measure(label, [*command, *options, *program], **env)
        files: Mapping[str, FileReport] = report(data_file, rcfile, self.root)["files"]
        return files

    def measure(
        self, label: str, command: Iterable[str], settings: str = "", **env: str
    ) -> tuple[Path, Path]:
        """Run the tests: the data file and the configuration, which the command names
        `{rcfile}`, with more settings than the suite's own."""
        rcfile = self.work / f"{label}.rc"
        rcfile.write_text(self._rcfile(self.root) + settings)
        data_file = self.work / f".coverage-{label}"
        paths = [str(self.root / self.suite.path), str(self.needs), str(HERE)]
        environment = clean_environment(
            COVERAGE_FILE=str(data_file),
            PYTHONPATH=os.pathsep.join(paths),
            **ENVIRONMENT,
            **env,
        )
        done = subprocess.run(
            [part.replace("{rcfile}", str(rcfile)) for part in command],
            cwd=self.root / self.suite.cwd,
            env={k: v for k, v in environment.items() if not k.startswith("PYTEST_")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        output = f"{done.stdout[-20000:]}\n{done.stderr[-20000:]}"
        assert done.returncode in self.suite.statuses, f"{label}: {done.returncode}\n{output}"
        made = sorted(path.name for path in self.work.glob(f"{data_file.name}*"))
        assert made == [data_file.name], f"{label}: not one data file, but {made}\n{output}"
        return data_file, rcfile

    def _rcfile(self, root: Path) -> str:
        source = "".join(f"    {root / folder}\n" for folder in self.suite.source)
        omit = f"omit = {root / self.suite.omit}\n" if self.suite.omit else ""
        return f"[run]\nsource =\n{source}{omit}"

    def compare(self, start: str, mode: str, explanations: Explanations) -> str:
        """Say where the two reports differ without an explanation; empty if nowhere."""
        expected, actual = self.serial(mode), self.parallel(start, mode)
        found = []
        for name in sorted(expected.keys() | actual.keys() | explanations.keys()):
            theirs, ours = expected.get(name), actual.get(name)
            why = [e for e in explanations.get(name, ()) if e.applies(start)]
            if why and theirs and ours:
                found.extend(_stale(name, why, theirs, ours))
                theirs, ours = _without(theirs, why), _without(ours, why)
            found.append(differences(name, theirs, ours, self.root))
        return "\n\n".join(text for text in found if text)


def _without(file_report: FileReport, why: Iterable[Explained]) -> FileReport:
    """The report without the lines, and the branches from and to lines, that are explained."""
    gone: set[int] = set()
    arcs: set[tuple[int, ...]] = set()
    for explained in why:
        gone |= numbers(f"{explained.lines} {explained.either}")
        arcs |= {*explained.branches, *explained.either_branches}
    kept: dict[str, Any] = {}
    for key in ("executed_lines", "missing_lines", "excluded_lines"):
        kept[key] = [line for line in file_report[key] if line not in gone]
    for key in BRANCH_KEYS:
        kept[key] = [
            arc
            for arc in file_report.get(key, ())
            if not gone & {abs(end) for end in arc} and tuple(arc) not in arcs
        ]
    return kept


def _stale(
    name: str, why: Iterable[Explained], theirs: FileReport, ours: FileReport
) -> Iterable[str]:
    """Explained lines that do not differ, or differ the other way round."""
    statements = {*theirs["executed_lines"], *theirs["missing_lines"]}
    for explained in why:
        for line in sorted(numbers(explained.lines) & statements):
            if line not in ours["executed_lines"] or line in theirs["executed_lines"]:
                yield f"{name}:{line} does not differ as explained: {explained.reason}"
        for arc in explained.branches:
            runs = [list(arc) in side.get("executed_branches", ()) for side in (theirs, ours)]
            if "executed_branches" in ours and runs[0] == runs[1]:
                yield f"{name}: branch {arc} does not differ: {explained.reason}"
