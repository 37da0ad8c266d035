# SPDX-License-Identifier: Apache-2.0
"""A look at a run while it goes on: what `shmcov status` and `shmcov top` show.

A look reads the segment once, with `pread`, as every reader does; the run does not notice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from coverage.exceptions import CoverageException
from coverage.numbits import numbits_to_nums
from coverage.python import PythonFileReporter

from shmcov import _merge, plan, result, segments
from shmcov.recording import test_of

PAUSE = 0.5
"""Seconds between two looks, at least."""

STUCK, STUCK_TIMES = 10.0, 2.0
"""Seconds in one test, and how many times as long as the next: then a worker seems to be stuck."""

STATES = {"attached": "running", "done": "ended", "left": "paused"}
RUNNING, GONE = "running", "gone"


@dataclass(frozen=True)
class Worker:
    """A process of a run."""

    pid: int
    parent: int
    python: str
    started_by: str  # "start" or "fork"
    state: str  # "running", "paused", "ended", "gone"
    alive: bool | None  # None: it is in another pid namespace, and may have been killed
    command: str  # "": it has ended, or is out of sight
    name: str  # what people call it, or ""
    test: str  # or other context that it is in; ""
    phase: str  # of the test, or ""
    seconds: float | None  # since it is in it
    tests: int  # that it has done
    longest: bool = False  # it is in its test for longer than all others, and for long

    @property
    def shown_state(self) -> str:
        return f"{self.state}?" if self.alive is None and not self.over else self.state

    @property
    def over(self) -> bool:
        return self.state == "ended"

    @property
    def what(self) -> str:
        """What it is at."""
        phase = f" ({self.phase})" if self.phase in ("setup", "teardown") else ""
        return f"{self.test}{phase}" if self.test else self.command[:60]


def _worker(row: _merge.Process, now: float) -> Worker:
    version = row["interpreter"]
    test, phase = test_of(row["context"] or "")
    state = STATES.get(row["state"], row["state"])
    if row["alive"] is False and state != "ended":
        state = GONE if state == RUNNING else "ended"
    return Worker(
        pid=row["pid"],
        parent=row["parent"],
        python=f"{version >> 24}.{version >> 16 & 255}.{version >> 8 & 255}",
        started_by="fork" if row["forked"] else "start",
        state=state,
        alive=row["alive"],
        command=segments.Process.of_row(row).command() if row["alive"] else "",
        name=row["name"] or "",
        test=test,
        phase=phase,
        seconds=max(0.0, now - row["since"]) if test else None,
        tests=row["tests"] - (test != "" and row["tests"] > 0 and row["alive"] is not False),
    )


def _marked(workers: list[Worker]) -> list[Worker]:
    """Marks the one that seems to be stuck."""
    busy = [one for one in workers if one.state == RUNNING and one.test]
    if len(busy) < 2:
        return workers
    *_, second, first = sorted(busy, key=lambda one: one.seconds or 0.0)
    if (first.seconds or 0.0) < max(STUCK, STUCK_TIMES * (second.seconds or 0.0)):
        return workers
    return [replace(one, longest=one is first) for one in workers]


@dataclass
class Look:
    """What one look at a segment has seen. Raises SegmentNotUsable."""

    path: Path
    at: float = field(default_factory=time.monotonic)
    info: _merge.Info = field(init=False)
    workers: list[Worker] = field(init=False)  # oldest first
    files: dict[str, int] = field(init=False)  # lines that ran
    numbits: dict[str, bytes] = field(init=False)
    tracers: dict[str, str] = field(init=False)
    packages: list[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        with segments.opened(self.path) as fd:
            copy = segments.read(self.path, fd)
        self.info = copy.info()
        rows = reversed(copy.processes())
        self.workers = _marked([_worker(row, self.at) for row in rows])
        self.numbits = {name: copy.numbits(name) for name in copy.files()}
        self.files = {
            name: int.from_bytes(bits, "little").bit_count() for name, bits in self.numbits.items()
        }
        self.tracers = copy.tracers()
        self.packages = copy.packages()

    @property
    def lines(self) -> int:
        return sum(self.files.values())

    @property
    def goes_on(self) -> bool:
        """Is the run not over? It may be without its supervisor."""
        return segments.goes_on(self.info) or any(worker.alive for worker in self.workers)

    def rule(self, kind: int) -> str:
        return dict(self.info["rules"]).get(kind, "")

    def as_json(
        self, before: Look | None, counted: Mapping[str, Counted] | None, *, files: bool
    ) -> dict[str, Any]:
        """As docs/reference/status.md has it. `before`: the look before this one."""
        info = self.info
        covered, statements = total(counted or {})
        rows = {path: one.row for path, one in counted.items()} if files and counted else None
        return {
            "segment": str(self.path),
            "goes_on": self.goes_on,
            "started": info["created"],
            "supervisor": info["supervisor"][0],
            "command": self.rule(_merge.RULE_COMMAND),
            "folder": self.rule(_merge.RULE_FOLDER),
            "data_file": self.rule(_merge.RULE_DATA_FILE),
            "used": info["used"],
            "size": info["size"],
            "not_recorded": result.losses(info),
            "lines": self.lines,
            "new_lines": self.lines - before.lines if before else None,
            "new_in": round(self.at - before.at, 3) if before else None,
            "files": self.files if files else None,
            "statements": statements if counted is not None else None,
            "covered": covered if counted is not None else None,
            "percent": percent(covered, statements) if counted is not None else None,
            "counted": rows,
            "processes": [_json_of(worker) for worker in self.workers],
        }


def total(counted: Mapping[str, Counted]) -> tuple[int, int]:
    """Covered statements, and all of them."""
    rows = [one.row for one in counted.values()]
    return sum(row[0] for row in rows), sum(row[1] for row in rows)


def percent(covered: int, statements: int) -> float:
    return round(100 * covered / statements, 2) if statements else 100.0


def _json_of(worker: Worker) -> dict[str, Any]:
    return {
        "pid": worker.pid,
        "parent": worker.parent,
        "python": worker.python,
        "started_by": worker.started_by,
        "state": worker.state,
        "alive": worker.alive,
        "command": worker.command,
        "name": worker.name,
        "test": worker.test,
        "phase": worker.phase,
        "seconds": None if worker.seconds is None else round(worker.seconds, 3),
        "tests": worker.tests,
        "longest": worker.longest,
    }


@dataclass(frozen=True)
class Counted:
    """What is covered of a file, as coverage.py counts: statements that are not excluded."""

    statements: frozenset[int]
    covered: frozenset[int]

    @property
    def row(self) -> tuple[int, int]:
        return len(self.covered), len(self.statements)


class Source:
    """The statements of source files, parsed once for each state of a file, as the configuration
    in the current folder says. Files that nothing ran count where `source` names their folder."""

    def __init__(self, info: _merge.Info) -> None:
        self.cov, _ = result.configured(info, None)
        self._parsed: dict[str, tuple[tuple[int, int], PythonFileReporter | None]] = {}
        self._others: list[str] | None = None

    def _reporter(self, path: str) -> PythonFileReporter | None:
        try:
            stat = Path(path).stat()
        except OSError:
            return None
        state = stat.st_mtime_ns, stat.st_size
        known = self._parsed.get(path)
        if known is None or known[0] != state:
            made: PythonFileReporter | None = PythonFileReporter(path, self.cov)
            try:
                assert made is not None
                made.lines()
            except CoverageException:
                made = None  # it is no Python
            known = self._parsed[path] = state, made
        return known[1]

    def count(self, look: Look) -> dict[str, Counted]:
        """By file. Files of plug-ins, and those whose source is gone, are left out."""
        if self._others is None:
            self._others = plan.never_ran(self.cov, list(look.files), look.packages)
        counted = {}
        for path in dict.fromkeys([*look.files, *self._others]):
            reporter = None if path in look.tracers else self._reporter(path)
            if reporter is not None:
                ran = set(numbits_to_nums(look.numbits[path])) if path in look.files else set()
                statements = frozenset(reporter.lines())
                covered = statements & reporter.translate_lines(ran)
                counted[path] = Counted(statements, frozenset(covered))
        return counted


class Watch:
    """Looks again and again, and knows the look before."""

    def __init__(self, segment: str | None) -> None:
        self._segment = Path(segment).absolute() if segment else None
        self.before: Mapping[Path, Look] = {}
        self.over = 0
        """Runs that are over, and were left out."""
        self._told: set[str] = set()
        self._sources: dict[Path, Source] = {}

    def counted(self, look: Look) -> dict[str, Counted]:
        """What is covered of the source. Takes long the first time. CoverageException."""
        if look.path not in self._sources:
            self._sources[look.path] = Source(look.info)
        return self._sources[look.path].count(look)

    def there(self) -> bool:
        """Is the segment that was asked for still there?"""
        return self._segment is None or self._segment.exists()

    def looks(self, *, all_runs: bool) -> Iterator[Look | segments.SegmentNotUsable]:
        """A look at each run, those first that go on, or why there could be none."""
        seen: dict[Path, Look] = {}
        over: list[Look] = []
        failed: list[segments.SegmentNotUsable] = []
        for path in [self._segment] if self._segment else segments.found():
            try:
                look = seen[path] = Look(path)
            except segments.SegmentNotUsable as error:
                known = str(error) in self._told
                self._told.add(str(error))
                if self._segment or (path.exists() and not known):  # else the run has just ended
                    failed.append(error)
                continue
            if self._segment or look.goes_on:
                yield look
            else:
                over.append(look)
        yield from failed
        self.over = 0 if all_runs else len(over)
        if all_runs:
            yield from over
        self.before = seen
