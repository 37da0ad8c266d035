# SPDX-License-Identifier: Apache-2.0
"""What `coverage combine` and `shmcov combine` make of the same folder."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import coverage
from coverage.numbits import numbits_to_nums
from project_support import clean_environment, normalized

TIMEOUT = 60.0

Numbers = Iterable[int]
Arcs = Iterable[tuple[int, int]]


@dataclass(frozen=True)
class Shard:
    """A data file as coverage.py writes it. Names in `lines` and `arcs`: file, then context. A file
    name that begins with @ is in the folder of the case."""

    lines: Mapping[str, Mapping[str, Numbers]] | None = None
    arcs: Mapping[str, Mapping[str, Arcs]] | None = None
    touched: Mapping[str, str] = field(default_factory=dict)
    """Files without data, and their tracers."""
    tracers: Mapping[str, str] = field(default_factory=dict)
    sql: str = ""
    """Run on the file at last."""

    def write(self, path: Path) -> None:
        def full(name: str) -> str:
            return str(path.parent / name[1:]) if name.startswith("@") else name

        path.parent.mkdir(parents=True, exist_ok=True)
        data = coverage.CoverageData(basename=str(path))
        if self.lines is not None:
            data.add_lines({})
            for name, contexts in self.lines.items():
                for context, lines in contexts.items():
                    data.set_context(context)
                    data.add_lines({full(name): list(lines)})
        if self.arcs is not None:
            data.add_arcs({})
            for name, contexts in self.arcs.items():
                for context, arcs in contexts.items():
                    data.set_context(context)
                    data.add_arcs({full(name): list(arcs)})
        for name, tracer in self.touched.items():
            data.touch_files([full(name)], tracer)
        data.add_file_tracers({full(name): tracer for name, tracer in self.tracers.items()})
        if self.lines is None and self.arcs is None:
            with data._connect():
                pass  # the schema alone
        data.close(force=True)
        if self.sql:
            with contextlib.closing(sqlite3.connect(path)) as db:
                db.executescript(self.sql)


def lines(**files: Numbers) -> Shard:
    """A shard of NAME.py each, in no context."""
    return Shard({f"@{name}.py": {"": numbers} for name, numbers in files.items()})


def arcs(**files: Arcs) -> Shard:
    return Shard(arcs={f"@{name}.py": {"": pairs} for name, pairs in files.items()})


Content = str | bytes | Shard


@dataclass(frozen=True)
class Case:
    """What is in the folder (a string that begins with -> is a link), and what is done there, one
    command after the other."""

    files: Mapping[str, Content]
    commands: Sequence[Sequence[str]] = ((),)
    config: str = ""
    folder: str = "project"

    def build(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        if self.config:
            (folder / ".coveragerc").write_text(self.config)
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Shard):
                content.write(path)
            elif isinstance(content, bytes):
                path.write_bytes(content)
            elif content.startswith("->"):
                path.symlink_to(content[2:])
            else:
                path.write_text(content)


@dataclass(frozen=True)
class Outcome:
    """What a tool left and said."""

    commands: list[tuple[int, str]]
    """Exit status and output of each."""
    files: dict[str, Any]
    """What is in each file: the rows of a data file, or bytes."""
    report: Any
    """coverage json --show-contexts"""


class Tools:
    """Both tools, in forks of one process."""

    def __init__(self, scratch: Path) -> None:
        self._log = scratch / "log"
        server = Path(__file__).parent / "combine_server.py"
        self._process = subprocess.Popen(
            [sys.executable, server],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )

    def run(
        self, tool: str, arguments: Sequence[str], folder: Path, killed_after: float | None = None
    ) -> tuple[int, str]:
        command = [tool, list(arguments), str(folder), str(self._log), killed_after]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(command), file=self._process.stdin, flush=True)
        status = int(self._process.stdout.readline())
        return status, self._log.read_text(errors="replace")

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(TIMEOUT)

    def outcome(self, tool: str, case: Case, folder: Path) -> Outcome:
        """Runs the case's commands in this folder, which is as it was built."""
        commands = []
        for command in case.commands:
            name, *arguments = command if command[:1] == ("report",) else ("combine", *command)
            status, output = self.run(tool, [name, *arguments], folder)
            commands.append((status, said(output)))
        return Outcome(commands, contents(folder), self.report(case, folder))

    def report(self, case: Case, folder: Path) -> Any:
        made = folder / "report.json"
        status, output = self.run(
            "coverage", ["json", "-q", "-i", "--show-contexts", "-o", str(made)], folder
        )
        if not made.exists():
            return status, output
        report = json.loads(made.read_text())
        made.unlink()
        del report["meta"]["timestamp"]
        for file in report["files"].values():
            for names in file.get("contexts", {}).values():
                names.sort()
        return report

    def compare(
        self,
        case: Case,
        place: Path,
        *,
        output: bool = True,
        files: bool = True,
        one_of_several: bool = False,
    ) -> None:
        """Asserts that coverage.py and shmcov make the same of it, under the same path. But where
        coverage.py fails with a part of the data in the output, and that part's inputs deleted,
        shmcov leaves everything as it was.

        output, files: whether those have to be the same; the exit status has to be.
        one_of_several: of several errors, the tools may name different ones.
        """
        folder, built = place / case.folder, place / "built"
        case.build(folder)
        shutil.copytree(folder, built, symlinks=True)
        before = contents(folder)
        theirs = self.outcome("coverage", case, folder)
        shutil.rmtree(folder)
        built.rename(folder)
        ours = self.outcome("shmcov", case, folder)
        assert statuses(ours) == statuses(theirs)
        failed = statuses(theirs)[0] and len(theirs.commands) == 1
        if output and not (failed and one_of_several):
            assert ours.commands == theirs.commands
        if failed:
            assert ours.files == before
        else:
            if files:
                assert ours.files == theirs.files
            assert ours.report == theirs.report


def said(output: str) -> str:
    """Output in which the names of the tools do not differ, nor where in them something is raised
    or warned of."""
    if "Traceback" in output:
        output = output.splitlines()[-1]
    output = re.sub(r"^.*:\d+: (CoverageWarning: .*\n)  .*\n", r"\1", output, flags=re.MULTILINE)
    return re.sub("^Usage: (coverage|shmcov) ", "Usage: TOOL ", normalized(output))


def statuses(outcome: Outcome) -> list[int]:
    return [status for status, _ in outcome.commands]


def contents(folder: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(folder)): content(path)
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }


def content(path: Path) -> Any:
    if path.is_symlink():
        return "->", str(path.readlink())
    data = path.read_bytes()
    if not data.startswith(b"SQLite format 3\0"):
        return data
    try:
        return rows(path)
    except sqlite3.DatabaseError:
        return data


QUERIES = {
    "version": "select version from coverage_schema",
    "meta": "select key, value from meta",
    "file": "select path from file",
    "context": "select context from context",
    "tracer": "select path, tracer from tracer join file on file_id = file.id",
    "line_bits": "select path, context, numbits from line_bits"
    " join file on file_id = file.id join context on context_id = context.id",
    "arc": "select path, context, fromno, tono from arc"
    " join file on file_id = file.id join context on context_id = context.id",
}


def rows(path: Path) -> dict[str, list[Any]]:
    """The rows of each table, by name and not by number."""
    found: dict[str, list[Any]] = {}
    with contextlib.closing(sqlite3.connect(f"file:{quoted(path)}?immutable=1", uri=True)) as db:
        for table, query in QUERIES.items():
            found[table] = sorted(db.execute(query))
        (sound,) = db.execute("pragma integrity_check").fetchone()
        assert sound == "ok"
    found["line_bits"] = [(*names, numbits_to_nums(bits)) for *names, bits in found["line_bits"]]
    return found


def quoted(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


@contextlib.contextmanager
def tools_in(scratch: Path) -> Iterator[Tools]:
    made = Tools(scratch)
    try:
        yield made
    finally:
        made.end()
