# SPDX-License-Identifier: Apache-2.0
"""Run the corpus under shmcov and under coverage.py's ctrace; `corpus_compare.py` compares them.

A program of the corpus is a file `tests/corpus/NAME.py`, or a folder `tests/corpus/NAME` with a
`__main__.py`, which runs as `python -m NAME`. `tests/corpus/lib` holds what programs import.
Comments at the top of a program may say more:

    # requires: 3.12       the first version of Python that can run it
    # until: 3.13          the last one
    # run: -m              run it by its module name
    # python: -O           options of the interpreter

shmcov runs all programs as children of one run, which leaves one data file. The reference runs
each in a process of its own under `coverage run`, and is cached by program; see `Reference`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from project_support import REFERENCE_CORE

TESTS = Path(__file__).resolve().parent
CORPUS = TESTS / "corpus"
DRIVER = TESTS / "corpus_driver.py"
MODES = ("lines", "branch")
# The same with contexts; and with one that changes at each call and return, where no line may be
# lost.
VARIANTS = (*MODES, "branch-contexts", "lines-switched")
SWITCHER = """
import sys, threading
try:
    import _shmcov
except ImportError:
    pass
else:
    count = 0

    def switch(frame, event, arg):
        global count
        if event in ("call", "return"):
            count += 1
            _shmcov.switch_context("ab"[count % 2], everywhere=True)

    sys.setprofile(switch)
    threading.setprofile(switch)
"""
AT_A_TIME = 2
PROGRAM_TIMEOUT = 60.0
RUN_TIMEOUT = 600.0

# What the reference needs so that children and `os._exit` are not lost; shmcov needs none of it.
REFERENCE_PATCHES = "patch = subprocess, _exit, fork\nparallel = true\n"

HEADER = re.compile(r"#\s*(requires|until|run|python):\s*(.*?)\s*$")
HEADER_LINES = 5

# Builds with assertions abort these under BRANCH events of any tool, 3.14.8 for one: CPython looks
# for END_SEND where the loop's jump leads, and CLEANUP_THROW lies there, before it. Release builds
# go on and are right. (sys.monitoring.set_events(tool, BRANCH_RIGHT) alone does it.)
ABORT_WITH_ASSERTIONS = {"async_comprehension.py", "async_for_multiline.py"}
HAS_ASSERTIONS = hasattr(sys, "gettotalrefcount")

FileReport = Mapping[str, Any]
Report = Mapping[str, Any]


@dataclass(frozen=True)
class Program:
    """One program: how it is named, started and read."""

    name: str
    path: Path
    arguments: tuple[str, ...]
    options: tuple[str, ...] = ()
    requires: tuple[int, ...] = (3, 11)
    until: tuple[int, ...] = (3, 99)

    @property
    def applies(self) -> bool:
        """Whether this interpreter can run it."""
        if HAS_ASSERTIONS and sys.version_info >= (3, 14) and self.name in ABORT_WITH_ASSERTIONS:
            return False
        return self.requires <= sys.version_info[:2] <= self.until

    def command(self, *prefix: str) -> list[str]:
        """Make the command line; `prefix` (`-m coverage run`) stands before the program."""
        return [sys.executable, *self.options, *prefix, *self.arguments]


def _headers(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    with path.open("rb") as source:
        for _, raw in zip(range(HEADER_LINES), source, strict=False):
            match = HEADER.search(raw.decode("latin-1"))
            if match:
                found[match[1]] = match[2]
    return found


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _make_line_gap() -> None:
    """Writes the program whose lines lie thousands apart, which nobody wants to scroll through. It
    has to lie with the others: reports name it."""
    path = CORPUS / "layout_line_gap.py"
    text = "".join(
        (
            *("def f(a):\n    if a:\n", "\n" * 2999, "        return 1\n    return 2\n"),
            *("\n" * 1200, "print(f(1))\nif f(0) == 1:\n    print('never')\n"),
        )
    )
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        new = path.with_suffix(f".{os.getpid()}")  # others may make it at the same time
        new.write_text(text, encoding="utf-8")
        new.replace(path)


_make_line_gap()


def read_program(path: Path) -> Program:
    """Read the header of a program (a file, or a folder with a `__main__.py`)."""
    is_package = path.is_dir()
    headers = _headers(path / "__main__.py" if is_package else path)
    by_module = is_package or headers.get("run") == "-m"
    return Program(
        name=path.name,
        path=path,
        arguments=("-m", path.stem) if by_module else (str(path),),
        options=tuple(shlex.split(headers.get("python", ""))),
        requires=_version(headers.get("requires", "3.11")),
        until=_version(headers.get("until", "3.99")),
    )


@functools.cache
def programs() -> tuple[Program, ...]:
    """Every program of the corpus that this interpreter can run."""
    found = [
        read_program(path)
        for path in sorted(CORPUS.iterdir())
        if path.suffix == ".py" or (path / "__main__.py").is_file()
    ]
    return tuple(program for program in found if program.applies)


@functools.cache
def measured_files() -> tuple[str, ...]:
    """Every source file of the corpus that can be in a report, relative to the corpus."""
    applying = {program.path for program in programs()}
    found = []
    for path in sorted(CORPUS.rglob("*.py")):
        relative = path.relative_to(CORPUS)
        top = CORPUS / relative.parts[0]
        minimum = _version(_headers(path).get("requires", "3.11"))
        if (top in applying or relative.parts[0] == "lib") and minimum <= sys.version_info[:2]:
            found.append(relative.as_posix())
    return tuple(found)


def shmcov_command() -> list[str]:
    """Name the command under test.

    SHMCOV_COMMAND puts another in its place, as `python -m coverage`, which tests this harness.
    """
    named = os.environ.get("SHMCOV_COMMAND")
    return shlex.split(named) if named else [sys.executable, "-m", "shmcov"]


def stand_in() -> bool:
    """Whether another command stands in shmcov's place."""
    return "SHMCOV_COMMAND" in os.environ


def clean_environment(**more: str) -> dict[str, str]:
    """Copy the environment without what would measure the children some other way."""
    prefixes = ("COVERAGE_", "COV_CORE_", "SHMCOV_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | more


def write_rcfile(
    path: Path, *, branch: bool, include: Path = CORPUS, extra: str = "", data_file: str = ""
) -> Path:
    """Write the configuration: the same measurement and exclusions for both sides."""
    data = f"data_file = {data_file}\n" if data_file else ""
    path.write_text(
        f"[run]\nbranch = {branch}\ninclude = {include}/*\n"
        f"disable_warnings = no-data-collected, no-sysmon\n{data}{extra}"
        "[report]\nexclude_also =\n    if TYPE_CHECKING:\n    raise NotImplementedError\n"
        "partial_also =\n    while never_ends:\n",
        encoding="utf-8",
    )
    return path


def run_checked(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float = RUN_TIMEOUT
) -> None:
    """Run a command that has to succeed; its output is in the error if it does not."""
    done = subprocess.run(
        command, env=env, cwd=cwd, timeout=timeout, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(
            f"{shlex.join(command)}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )


def combine(folders: Iterable[Path], into: Path, rcfile: Path, cwd: Path = CORPUS) -> None:
    """Combine all suffixed data files in `folders` into one, and keep them."""
    names = sorted(str(path) for folder in folders for path in folder.glob(".coverage.*"))
    run_checked(
        [
            *(sys.executable, "-m", "coverage", "combine", "--keep", "-q"),
            *(f"--rcfile={rcfile}", f"--data-file={into}", *names),
        ],
        env=clean_environment(),
        cwd=cwd,
    )


def report(data_file: Path, rcfile: Path, cwd: Path = CORPUS, *options: str) -> Report:
    """Read what `coverage json` says about a data file; file names are relative to `cwd`."""
    out = data_file.with_name(f"{data_file.name.lstrip('.')}.json")
    run_checked(
        [
            *(sys.executable, "-m", "coverage", "json", "-q", f"--rcfile={rcfile}"),
            *(f"--data-file={data_file}", "-o", str(out), *options),
        ],
        env=clean_environment(),
        cwd=cwd,
    )
    loaded: Report = json.loads(out.read_text(encoding="utf-8"))
    return loaded


@dataclass(frozen=True)
class Outcome:
    """A measured corpus: the report, and the exit status of each program."""

    report: Report
    statuses: Mapping[str, int]

    @property
    def files(self) -> Mapping[str, FileReport]:
        files: Mapping[str, FileReport] = self.report["files"]
        return files


class Reference:
    """coverage.py's answer under ctrace, one process per program.

    A program's data files stay in the cache under the versions of Python and coverage.py and the
    content of the program and of everything in `lib`, so only what changed runs again.
    """

    def __init__(self, cache: Path, mode: str) -> None:
        self._branch = mode == "branch"
        core = REFERENCE_CORE["COVERAGE_CORE"]
        # A build with assertions runs the same code, and much slower.
        python = f"{sys.version.split()[0]}{sys.abiflags.replace('d', '')}"
        label = f"{python}-coverage-{version('coverage')}-{core}-{mode}"
        self._cache = cache / label
        self._cache.mkdir(parents=True, exist_ok=True)

    def outcome(self, work: Path) -> Outcome:
        """Run what the cache does not hold, and report on everything; `work` is scratch."""
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            entries = list(pool.map(self._entry, programs()))
        rcfile = write_rcfile(work / "reference.rc", branch=self._branch)
        combine(entries, work / "reference.data", rcfile)
        statuses = {
            program.name: int((entry / "status").read_text())
            for program, entry in zip(programs(), entries, strict=True)
        }
        return Outcome(report(work / "reference.data", rcfile), statuses)

    def _entry(self, program: Program) -> Path:
        entry = self._cache / f"{program.path.stem}-{self._key(program)}"
        if not (entry / "status").exists():
            building = self._cache / f"building-{uuid.uuid4().hex}"
            building.mkdir()
            status = run_reference(program, building, branch=self._branch)
            (building / "status").write_text(str(status))
            try:
                building.rename(entry)
            except OSError:  # somebody else was faster
                shutil.rmtree(building)
        return entry

    def _key(self, program: Program) -> str:
        digest = hashlib.sha256(repr((program, REFERENCE_PATCHES)).encode())
        digest.update(_library_digest())
        digest.update(
            write_rcfile.__code__.co_code + repr(write_rcfile.__code__.co_consts).encode()
        )
        for path in _sources(program.path):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:20]


def _sources(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from (
            found
            for found in sorted(path.rglob("*"))
            if found.is_file() and "__pycache__" not in found.parts
        )


@functools.cache
def _library_digest() -> bytes:
    digest = hashlib.sha256()
    for path in _sources(CORPUS / "lib"):
        digest.update(str(path).encode() + path.read_bytes())
    return digest.digest()


def run_reference(
    program: Program, folder: Path, *, branch: bool, include: Path = CORPUS, cwd: Path = CORPUS
) -> int:
    """Run one program under coverage.py's ctrace; its data files stay in `folder`."""
    rcfile = write_rcfile(
        folder / "reference.rc", branch=branch, include=include, extra=REFERENCE_PATCHES
    )
    done = subprocess.run(
        program.command("-m", "coverage", "run", f"--rcfile={rcfile}", "--parallel-mode"),
        env=clean_environment(**REFERENCE_CORE, COVERAGE_FILE=str(folder / ".coverage")),
        cwd=cwd,
        timeout=PROGRAM_TIMEOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return done.returncode


def tested_environment(data_file: Path) -> dict[str, str]:
    """The environment for the command under test."""
    env = clean_environment(COVERAGE_FILE=str(data_file))
    if stand_in() and "COVERAGE_CORE" in os.environ:
        env["COVERAGE_CORE"] = os.environ["COVERAGE_CORE"]
    for name in ("SHMCOV_DEBUG",):
        if name in os.environ:
            env[name] = os.environ[name]
    return env


def run_tested(
    arguments: Sequence[str],
    folder: Path,
    *,
    branch: bool,
    include: Path = CORPUS,
    cwd: Path = CORPUS,
    options: Sequence[str] = (),
    variant: str = "",
) -> tuple[Report, subprocess.CompletedProcess[str]]:
    """Run `arguments` once under shmcov, into one data file, and report on it."""
    data_file = folder / ".coverage"
    # A command in shmcov's place is coverage.py, which needs settings for children.
    extra = REFERENCE_PATCHES if stand_in() else ""
    env = tested_environment(data_file)
    if variant:
        extra += "dynamic_context = test_function\n"
    if variant == "switched":
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(SWITCHER)
        env["PYTHONPATH"] = str(folder / "site")
    rcfile = write_rcfile(folder / "tested.rc", branch=branch, include=include, extra=extra)
    command = shmcov_command()
    if options and command[0] == sys.executable:
        command[1:1] = options
    done = subprocess.run(
        [*command, "run", f"--rcfile={rcfile}", *(["--branch"] if branch else []), *arguments],
        env=env,
        cwd=cwd,
        timeout=RUN_TIMEOUT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if stand_in() and not data_file.exists():
        combine([folder], data_file, rcfile, cwd)
    if not data_file.exists():
        raise RuntimeError(
            f"no data file after {shlex.join(done.args)}\n"
            f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
    plain = write_rcfile(folder / "report.rc", branch=branch, include=include)
    return report(data_file, plain, cwd), done


def mode_of(variant: str) -> str:
    """What the reference is measured with for it."""
    return variant.partition("-")[0]


def run_corpus_tested(work: Path, name: str) -> Outcome:
    """Run the whole corpus in one run of shmcov: a driver starts each program as a child."""
    plan = work / "plan.json"
    plan.write_text(json.dumps([[program.name, program.command()] for program in programs()]))
    statuses = work / "statuses.json"
    found, done = run_tested(
        [str(DRIVER), str(plan), str(statuses)],
        work,
        branch=mode_of(name) == "branch",
        variant=name.partition("-")[2],
    )
    if done.returncode:
        raise RuntimeError(f"the driver ended with {done.returncode}\n{done.stderr}")
    return Outcome(found, json.loads(statuses.read_text()))


def default_cache() -> Path:
    """Name the folder that caches the reference outside pytest."""
    return Path(tempfile.gettempdir()) / f"shmcov-corpus-{os.getuid()}"
