# SPDX-License-Identifier: Apache-2.0
"""What the rows of docs/reliability.md are made of.

A row is a fault and a program that suffers it. The program records through witness.py what ran,
after it ran; what is in its record and not in the tool's result is lost. The same program runs
under `shmcov run`, under `coverage run` with `plugins = shmcov`, and under coverage.py and
SlipCover with every setting that they have for such things.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coverage.numbits import numbits_to_nums
from project_support import REFERENCE_CORE, clean_environment

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECONDS = 60.0
"""A run that is not over by then hangs."""

Mark = tuple[str, int, int, str]
"""A file, the line from which a jump was taken (0: none), a line, a context."""

RUN, PLUGIN, COVERAGE, SLIPCOVER = "shmcov run", "plug-in", "coverage.py", "SlipCover"
TOOLS = (RUN, PLUGIN, COVERAGE, SLIPCOVER)
OURS = (RUN, PLUGIN)
NO_SLIPCOVER = (RUN, PLUGIN, COVERAGE)

ALL_OF_COVERAGE = """\
parallel = true
concurrency = {concurrency}
patch = _exit, subprocess, execv
sigterm = true
"""
"""Whatever coverage.py has for processes and their ends. (`patch = fork` loses what a forked child
ran before `os._exit`, which 7.17 keeps without.)"""


class NotHere(Exception):
    """A fault that this machine, or this Python, cannot have; why."""


# -- one run --


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int | None
    """The exit status, or minus the signal; None: it had to be killed."""
    text: str
    """Its stderr."""
    killed: tuple[str, ...]
    """What did not end in time."""


@dataclass
class Result:
    """What came of one run, or of several."""

    reported: int = 0
    lost: int = 0
    bad: list[str] = field(default_factory=list)
    """What else went wrong."""
    told: bool = False
    """The tool said that not all was recorded."""
    notes: list[str] = field(default_factory=list)
    examples: list[Mark] = field(default_factory=list)
    stderr: str = ""
    """Its end, where nothing ran."""

    def __iadd__(self, other: Result) -> Result:
        self.reported += other.reported
        self.lost += other.lost
        self.bad += [text for text in other.bad if text not in self.bad]
        self.told |= other.told
        self.notes += [text for text in other.notes if text not in self.notes]
        self.examples = (self.examples + other.examples)[:5]
        self.stderr = self.stderr or other.stderr
        return self

    def in_words(self) -> str:
        text = f"{self.lost:,} of {self.reported:,}"
        if self.lost and self.told:
            text += ", told"
        return "; ".join([text, *self.bad, *self.notes])


class Site:
    """A folder with a program, the witness beside it, and one tool that measures it."""

    def __init__(self, tool: str, *, without: Without | None = None) -> None:
        self.tool = tool
        self.folder = Path(tempfile.mkdtemp(prefix="reliability-"))
        self.folder.chmod(0o755)  # some programs become another user
        place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.segments = Path(tempfile.mkdtemp(prefix="reliability-", dir=place))
        self.log = self.folder / "witness.log"
        self.log.touch()
        self.log.chmod(0o666)
        shutil.copyfile(HERE / "witness.py", self.folder / "witness.py")
        self.env = {**clean_environment(), "SHMCOV_DIR": str(self.segments)}
        if tool == COVERAGE:
            self.env |= REFERENCE_CORE
        self.without = without
        if without:
            self.env |= without.environment()
        self.branch = False
        self.rc = ""
        """More lines of the section [run]."""
        self.python: tuple[str, ...] = ()
        """Options of the interpreter."""
        self.concurrency = "multiprocessing, thread"
        """What coverage.py has to know."""
        self.wrap: tuple[str, ...] = ()
        """What runs the tool, as in `unshare -m`."""
        self.data_file = self.folder / ".coverage"

    def close(self) -> None:
        for path in self.left():
            with contextlib.suppress(OSError):
                path.unlink()
        for folder in (self.folder, self.segments):
            shutil.rmtree(folder, ignore_errors=True)

    # -- what a row prepares --

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        return path

    def adopting(self) -> None:
        """Segments lie where processes without the variable find them."""
        del self.env["SHMCOV_DIR"]

    # -- the tool --

    def configuration(self) -> str:
        text = f"[run]\ninclude = {self.folder}/p_*.py\ndata_file = {self.data_file}\n"
        text += "branch = true\n" if self.branch else ""
        text += {
            PLUGIN: "plugins = shmcov\n",
            COVERAGE: ALL_OF_COVERAGE.format(concurrency=self.concurrency),
        }.get(self.tool, "")
        return text + textwrap.dedent(self.rc)

    def command(self, args: Iterable[str | Path]) -> list[str]:
        rc = self.folder / "rc"
        rc.write_text(self.configuration())
        command = [*self.wrap, sys.executable, *self.python, "-m"]
        if self.tool == SLIPCOVER:
            command += ["slipcover", "--sigterm", "--json", f"--out={self.data_file}"]
            command += [f"--source={self.folder}"] + ["--branch"] * self.branch
        else:
            command += ["shmcov" if self.tool == RUN else "coverage", "run", f"--rcfile={rc}"]
        return [*command, *map(str, args)]

    def measure(self, *args: str | Path, seconds: float = SECONDS) -> Ended:
        """Runs a program under the tool, and all that comes of it to its end."""
        ended = self.execute(self.command(args), seconds)
        if self.tool == COVERAGE:
            self.execute(
                [sys.executable, "-m", "coverage", "combine", "-q", f"--rcfile={self.folder}/rc"],
                seconds,
            )
        return ended

    def run(
        self,
        program: str,
        *args: str,
        files: Mapping[str, str] | None = None,
        status: int | Iterable[int] | None = 0,
        seconds: float = SECONDS,
    ) -> Result:
        """Runs this program, p_main.py, with what lies beside it."""
        for name, text in {"p_main.py": program, **(files or {})}.items():
            self.write(name, text)
        return self.result(self.measure("p_main.py", *args, seconds=seconds), status)

    def execute(self, command: Sequence[str], seconds: float = SECONDS) -> Ended:
        outcome, text = self.folder / "outcome", self.folder / "stderr"
        outcome.unlink(missing_ok=True)
        with text.open("wb") as stderr, (self.folder / "stdout").open("wb") as stdout:
            subprocess.run(
                [sys.executable, "-I", "-S", HERE / "reaper.py", outcome, str(seconds), *command],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                timeout=seconds + 60,
                check=False,
            )
        ended = json.loads(outcome.read_text())
        return Ended(ended["status"], text.read_text(errors="replace"), tuple(ended["killed"]))

    # -- what came of it --

    def reported(self) -> set[Mark]:
        marks = set()
        for line in self.log.read_text().splitlines():
            if not line.endswith("\t"):
                continue
            name, since, number, context, _ = line.split("\t")
            if context and self.tool == SLIPCOVER:
                context = ""
            marks.add((name, int(since), int(number), context))
            marks.add((name, 0, int(number), context))
        return marks if self.branch else {mark for mark in marks if not mark[1]}

    def recorded(self, data_file: Path | None = None) -> set[Mark]:
        data_file = data_file or self.data_file
        if not data_file.exists():
            return set()
        return (_slipcovers if self.tool == SLIPCOVER else _coverages)(data_file)

    def result(self, ended: Ended, status: int | Iterable[int] | None = 0) -> Result:
        """What is lost, and whether the program ended as it should have (None: in any way)."""
        reported = self.reported()
        lost = reported - self.recorded()
        result = Result(len(reported), len(lost), examples=sorted(lost)[:5])
        result.told = bool(TELLS.search(ended.text))
        if not reported:
            result.bad.append("nothing ran")
            result.stderr = ended.text[-1000:]
        if ended.status is None:
            result.bad.append("hangs")
        elif status is not None and ended.status not in (
            (status,) if isinstance(status, int) else tuple(status)
        ):
            result.bad.append(_status_in_words(ended.status))
        if self.tool in OURS and not lost and (left := self.left()):
            result.bad.append(f"{len(left)} segment{'s' * (len(left) > 1)} left")
        if self.tool in OURS and result.told and not lost:
            result.bad.append("tells of a loss that is none")
        return result

    def left(self) -> list[Path]:
        """The segments of this run that are still there, wherever they were put."""
        found = {path for path in self.segments.rglob("*") if path.is_file()}
        named = self.folder / "segments"
        for text in set(named.read_text().split()) if named.exists() else ():
            random = Path(text).name.rpartition("-")[2]
            for root in ("/dev/shm", "/tmp", "/var/tmp"):
                found |= set(Path(root, f"shmcov-{os.geteuid()}").rglob(f"*{random}*"))
        return sorted(found)


TELLS = re.compile(
    r"Not all of this run was recorded|Still running|could not be written|shmcov salvage|"
    r"data of this run is lost",
)
"""What shmcov says of a loss."""


def _status_in_words(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"dies of {signal.Signals(-status).name}"
    except ValueError:
        return f"dies of signal {-status}"


def _coverages(path: Path) -> set[Mark]:
    """Asks the file and not CoverageData, which takes a query for each file and context."""
    marks: set[Mark] = set()
    by_context = "JOIN file ON file.id = file_id JOIN context ON context.id = context_id"
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as data:
            lines = f"SELECT path, context, numbits FROM line_bits {by_context}"
            for file, context, bits in data.execute(lines):
                marks |= {
                    (_name(file), 0, line, one)
                    for line in numbits_to_nums(bits)
                    for one in (context, "")
                }
            arcs = f"SELECT path, context, fromno, tono FROM arc {by_context}"
            for file, context, since, line in data.execute(arcs):
                name = _name(file)
                for one in {context, ""}:
                    marks |= {(name, since, line, one), (name, 0, line, one), (name, 0, since, one)}
    except sqlite3.Error:
        return set()
    return marks


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _slipcovers(path: Path) -> set[Mark]:
    try:
        files = json.loads(path.read_text())["files"]
    except (ValueError, KeyError):
        return set()
    marks: set[Mark] = set()
    for file, found in files.items():
        name = Path(file).name
        marks |= {(name, 0, line, "") for line in found["executed_lines"]}
        marks |= {(name, since, to, "") for since, to in found.get("executed_branches", ())}
    return marks


# -- rows --


@dataclass(frozen=True)
class Without:
    """A protection that is taken away, so that the row is seen to fail."""

    how: str
    env: Mapping[str, str] = field(default_factory=dict)
    preload: str = ""
    """One of those in without.c."""
    tool: str = RUN
    """The tool that runs without it; another one is the control that loses what ours keep."""

    def environment(self) -> dict[str, str]:
        env = dict(self.env)
        if self.preload:
            env |= {"LD_PRELOAD": str(preload_library()), "WITHOUT": self.preload}
        return env


NO_SHARING = Without("`sharing`", preload="sharing")
NO_WAIT = Without("`SHMCOV_WAIT=0`", env={"SHMCOV_WAIT": "0"})


@functools.cache
def preload_library() -> Path:
    """without.c, compiled once and kept for as long as this process lives."""
    if not (cc := shutil.which(os.environ.get("CC", "cc"))):
        raise NotHere("there is no C compiler")
    folder = tempfile.TemporaryDirectory(prefix="reliability-")
    _kept.append(folder)
    path = Path(folder.name, "without.so")
    subprocess.run(
        [cc, "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", path, HERE / "without.c", "-ldl"],
        check=True,
    )
    return path


_kept: list[tempfile.TemporaryDirectory[str]] = []


@dataclass(frozen=True)
class Row:
    """One fault."""

    name: str
    family: str
    fault: str
    injected: str
    run: Callable[[Site, int], Result]
    """In a new site; the number says how often, for a row that does it all in one run."""
    protection: str
    """The document or source that says what keeps the data here."""
    without: Without | None = NO_SHARING
    tools: tuple[str, ...] = TOOLS
    once: bool = False
    """One run holds all repetitions."""
    ci: int = 1
    long: int = 20
    peers: int = 0
    """How often coverage.py and SlipCover do it; 0: as often as shmcov."""
    may_lose: bool = False
    """There is no room for the data: that must be reported, and nothing else may happen."""

    def times(self, tool: str, *, long: bool) -> int:
        times = self.long if long else self.ci
        return min(times, self.peers) if self.peers and tool not in OURS else times

    def measure(self, tool: str, times: int, without: Without | None = None) -> Result:
        """Runs it under a tool. Raises NotHere."""
        if not available(tool):
            raise NotHere(f"{tool} has no build for this Python")
        total = Result()
        for _ in range(1 if self.once else times):
            site = Site(tool, without=without)
            try:
                total += self.run(site, times)
            finally:
                site.close()
        return total

    def failures(self, result: Result) -> list[str]:
        """What is wrong with a result of ours."""
        wrong = [*result.bad, *([result.stderr] if result.stderr else [])]
        if result.lost and not (self.may_lose and result.told):
            wrong.append(f"lost {result.lost} of {result.reported}, such as {result.examples}")
        return wrong


def available(tool: str) -> bool:
    return tool != SLIPCOVER or importlib.util.find_spec("slipcover") is not None


def simple(
    text: str,
    *,
    files: Mapping[str, str] | None = None,
    args: Sequence[str] = (),
    status: int | Iterable[int] | None = 0,
    prepare: Callable[[Site], None] | None = None,
    seconds: float = SECONDS,
) -> Callable[[Site, int], Result]:
    """A row's run: this program, p_main.py, and what lies beside it."""

    def run(site: Site, times: int) -> Result:
        if prepare:
            prepare(site)
        return site.run(text, *args, files=files, status=status, seconds=seconds)

    return run


KILLER = """
    # Kills a command, or all of its group, at a random instant after a file has something in it.
    import os, random, signal, sys, time
    file, seconds, kill = sys.argv[1], float(sys.argv[2]), getattr(os, sys.argv[3])
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.execv(sys.argv[4], sys.argv[4:])
    for _ in range(10000):
        if os.path.exists(file) and os.path.getsize(file):
            break
        time.sleep(0.002)
    time.sleep(random.random() * seconds)
    kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


def killed(site: Site, program: str, file: str, seconds: float, kill: str, *args: str) -> Result:
    """Runs a program under a tool that is killed (`kill` or `killpg`) within so many seconds from
    when the program writes to the file."""
    killer = site.write("killer.py", KILLER)
    site.wrap = (sys.executable, str(killer), file, str(seconds), kill)
    site.write("p_main.py", program)
    ended = site.measure("p_main.py", *args)
    return site.result(Ended(ended.status, "", ended.killed))


# -- what a row may need --


def needs_root() -> None:
    if os.geteuid() != 0:
        raise NotHere("needs root")


@functools.cache
def can_unshare(*options: str) -> bool:
    unshare = shutil.which("unshare")
    return (
        bool(unshare)
        and not subprocess.run(
            [str(unshare), *options, "true"], capture_output=True, check=False
        ).returncode
    )


def needs_unshare(*options: str) -> None:
    if not can_unshare(*options):
        raise NotHere(f"needs the right to `unshare {' '.join(options)}`")


MOUNTED = """
    set -e
    mount -t tmpfs -o size=$1,mode=$2 tmpfs "$3"
    shift 3
    exec "$@"
"""


def on_tmpfs(site: Site, place: str | Path, size: str, mode: str) -> None:
    """Has the tool run where a tmpfs of this size is in this place."""
    needs_root()
    needs_unshare("-m")
    script = site.write("mounted.sh", MOUNTED)
    site.wrap = ("unshare", "-m", "sh", str(script), size, mode, str(place))


def needs_module(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise NotHere(f"{name} is not installed")


def needs_version(*version: int) -> None:
    if sys.version_info < version:
        raise NotHere(f"needs Python {'.'.join(map(str, version))}")


def machine() -> str:
    model = platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":")[1].strip()
                break
    release = platform.release().split("-")[0]
    return f"{model}, {len(os.sched_getaffinity(0))} cores, {platform.system()} {release}"
