# SPDX-License-Identifier: Apache-2.0
"""Random one-line changes of published projects: does every test that fails get selected?

`python bench/affected.py [PROJECT...] --mutations N` asks the package index for the projects, and
prints for each the misses, the share of tests that is selected, and what recording costs, beside
pytest-testmon on the same changes where that is installed. A mutation that hangs is left out.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

PROJECTS = {
    "cachetools": ("5.5.0", "src/cachetools"),
    "sqlparse": ("0.5.1", "sqlparse"),
    "click": ("8.1.7", "src/click"),
    "jinja2": ("3.1.4", "src/jinja2"),
}
"""Version and the folder of the package, in the source distribution."""

SWAPS = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}


def mutants(source: str) -> list[str]:
    """All changes of one statement: an operator or a constant is another one, a result or the
    whole statement is gone."""
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    found = []
    for statement in ast.walk(tree):
        if not isinstance(
            statement, ast.Assign | ast.AugAssign | ast.Return | ast.Expr | ast.Raise
        ):
            continue
        if statement.lineno != statement.end_lineno:
            continue
        before = ast.unparse(statement)
        for after in _changed(statement):
            line = lines[statement.lineno - 1]
            if after != before and line.strip() and ";" not in line:
                indent = line[: len(line) - len(line.lstrip())]
                if line[statement.col_offset :][:1] and not line[: statement.col_offset].strip():
                    new = [*lines]
                    new[statement.lineno - 1] = f"{indent}{after}\n"
                    found.append("".join(new))
    for test in ast.walk(tree):
        if isinstance(test, ast.If | ast.While) and test.test.lineno == test.test.end_lineno:
            line = lines[test.test.lineno - 1]
            start, end = test.test.col_offset, test.test.end_col_offset
            if line.isascii():
                new = [*lines]
                new[test.test.lineno - 1] = f"{line[:start]}not ({line[start:end]}){line[end:]}"
                found.append("".join(new))
    return found


def _changed(statement: ast.stmt) -> list[str]:
    texts = ["pass"]
    if isinstance(statement, ast.Return) and statement.value is not None:
        texts.append("return None")
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and type(node.value) in (int, bool, str):
            old = node.value
            node.value = (
                not old if isinstance(old, bool) else old + (1 if old.__class__ is int else "x")
            )
            texts.append(ast.unparse(statement))
            node.value = old
        for name in ("op",):
            old_op = getattr(node, name, None)
            if type(old_op) in SWAPS:
                setattr(node, name, SWAPS[type(old_op)]())
                texts.append(ast.unparse(statement))
                setattr(node, name, old_op)
        if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            old_ops = node.ops
            node.ops = [SWAPS[type(old_ops[0])](), *old_ops[1:]]
            texts.append(ast.unparse(statement))
            node.ops = old_ops
    return texts


@dataclass
class Tool:
    """How a tool records, and how it says what it would run."""

    name: str
    record: list[str]
    select: list[str]
    misses: list[str] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    seconds: float = 0.0
    idle: float = 0.0


class Project:
    def __init__(self, name: str, folder: Path) -> None:
        version, package = PROJECTS[name]
        self.name = f"{name} {version}"
        _download(f"{name}=={version}", folder)
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
        (self.root,) = (path for path in folder.iterdir() if path.is_dir())
        self.package = self.root / package
        self.env = {**os.environ, "PYTHONPATH": str(self.package.parent)}
        self.env |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
        for args in (["init", "-q"], ["add", "-A"]):
            subprocess.run(["git", *args], cwd=self.root, check=True)

    def python(self, *args: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *args],
            cwd=self.root,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def outcomes(self, timeout: float = 300) -> dict[str, bool]:
        """Did each test pass? A file that cannot be collected fails as one."""
        done = self.python(
            "-m", "pytest", "-q", "--tb=no", "-rA", "-p", "no:shmcov", *PLAIN, timeout=timeout
        )
        found = {}
        for word, name in re.findall(
            r"^(PASSED|FAILED|ERROR) (\S+\.py(?:::.*?)?)(?: - .*)?$", done.stdout, re.MULTILINE
        ):
            found[name] = found.get(name, True) and word == "PASSED"
        return found


PLAIN = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]


def _download(what: str, folder: Path) -> None:
    command = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    command += ["-d", str(folder), what]
    subprocess.run([sys.executable, *command], check=True)


def _tools() -> list[Tool]:
    pytest = ["-m", "pytest", "-q", "--tb=no", *PLAIN]
    tools = [
        Tool(
            "shmcov",
            [*pytest, "--shmcov-affected"],
            ["-m", "shmcov", "affected", "--format=pytest"],
        )
    ]
    if find_spec("testmon"):
        tools.append(
            Tool(
                "pytest-testmon",
                [*pytest, "--testmon", "-p", "no:shmcov"],
                [
                    *pytest,
                    "--testmon-nocollect",
                    "--testmon-forceselect",
                    "--collect-only",
                    "-p",
                    "no:shmcov",
                ],
            )
        )
    return tools


def measure(name: str, number: int, seed: int, folder: Path) -> None:
    project = Project(name, folder)
    tools = _tools()
    stable = project.outcomes()
    again = project.outcomes()
    tests = {test for test, passed in stable.items() if passed and again.get(test)}
    if not tests:
        sys.exit(f"{project.name}: no test passes here")
    plain = [_timed(project, ["-m", "pytest", "-q", "--tb=no", "-p", "no:shmcov", *PLAIN])]
    for tool in tools:
        tool.seconds = _timed(project, tool.record)
        plain.append(_timed(project, ["-m", "pytest", "-q", "--tb=no", "-p", "no:shmcov", *PLAIN]))
        tool.idle = _timed(project, tool.record)
    limit = 10 * statistics.median(plain) + 10
    candidates = [
        (path, text)
        for path in sorted(project.package.rglob("*.py"))
        for text in mutants(path.read_text())
    ]
    chosen = random.Random(seed).sample(candidates, min(number, len(candidates)))
    killed = hung = 0
    for count, (path, text) in enumerate(chosen, 1):
        before = path.read_text()
        path.write_text(text)
        try:
            outcomes = project.outcomes(limit)
        except subprocess.TimeoutExpired:
            hung += 1
            continue
        else:
            failed = {test for test in tests if not outcomes.get(test, False)}
            killed += bool(failed)
            for tool in tools:
                selected = _selected(project, tool)
                tool.shares.append(len(selected & tests) / len(tests))
                if missed := failed - selected:
                    change = f"{path.relative_to(project.root)}: {_difference(before, text)}"
                    tool.misses.append(f"{change}: {len(missed)} of {len(failed)}, {min(missed)}")
        finally:
            path.write_text(before)
        if count % 10 == 0:
            print(f"  {project.name}: {count} of {len(chosen)}", file=sys.stderr, flush=True)
    base = statistics.median(plain)
    print(
        f"\n{project.name}: {len(tests)} tests, {len(chosen)} mutations, {killed} make tests fail, "
        f"{hung} hang; plain run {base:.2f} s"
    )
    print(f"{'':16}{'misses':>8}{'selected':>10}{'median':>8}{'record':>8}{'no change':>11}")
    for tool in tools:
        mean, median = statistics.mean(tool.shares), statistics.median(tool.shares)
        print(
            f"{tool.name:16}{len(tool.misses):>8}{mean:>10.1%}{median:>8.1%}"
            f"{tool.seconds / base:>8.2f}{tool.idle / base:>11.2f}"
        )
        for miss in tool.misses:
            print(f"    missed: {miss}")
    sys.stdout.flush()


def _timed(project: Project, command: list[str]) -> float:
    start = time.monotonic()
    project.python(*command)
    return time.monotonic() - start


def _selected(project: Project, tool: Tool) -> set[str]:
    done = project.python(*tool.select)
    return set(re.findall(r"^(\S+\.py::.*)$", done.stdout, re.MULTILINE))


def _difference(before: str, after: str) -> str:
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    number, (old, new) = next((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1])
    return f"{number}: {old.strip()} -> {new.strip()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("projects", nargs="*", metavar="PROJECT", default=list(PROJECTS))
    parser.add_argument("--mutations", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name in options.projects:
        with tempfile.TemporaryDirectory(prefix="shmcov-bench-") as folder:
            measure(name, options.mutations, options.seed, Path(folder))


if __name__ == "__main__":
    main()
