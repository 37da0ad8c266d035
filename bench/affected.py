# SPDX-License-Identifier: Apache-2.0
"""Does a tool that runs affected tests alone select every test that a change breaks?

    python bench/affected.py mutations [PROJECT...]  random changes of a line of published projects
    python bench/affected.py history REPOSITORY      the last commits of a git repository, in turn
    python bench/affected.py show                    what was found so far
    python bench/run.py affected                     the same in RESULTS.md, with the times

shmcov is compared with pytest-testmon, where that is installed. What each mutation and each commit
came to is kept in build/bench/affected, one line each, so both may be stopped at any time and go on
where they were. Both tools choose in the same way: pytest collects with the tool's own option, and
what is left of the collection is what the tool selects.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness import CACHE, PROGRAMS, PYTHON, say
from mutants import changed, changes, compiles

PROJECTS = {
    "cachetools": ("5.5.0", "src/cachetools"),
    "sqlparse": ("0.5.1", "sqlparse"),
    "click": ("8.1.7", "src/click"),
    "jinja2": ("3.1.4", "src/jinja2"),
}
"""Version and the folder of the package, in the source distribution."""

ALL_OF_IT_FAILS = (2, 3, 4)
"""Exit statuses of pytest if nothing could be collected, so that no tool can hide it."""


@dataclass(frozen=True)
class Tool:
    """What of a tool is given to pytest."""

    name: str
    options: tuple[str, ...]
    kept: str
    """The file in which it keeps what it recorded."""
    only_select: tuple[str, ...] = ()
    """For a selection that leaves the recording alone."""


SHMCOV = Tool("shmcov", ("--shmcov-affected",), ".shmcov-tests")
TESTMON = Tool(
    "pytest-testmon",
    # forceselect: also where the project's own options of pytest have -m.
    ("--testmon", "--testmon-forceselect", "-p", "no:shmcov"),
    ".testmondata",
    ("--testmon-nocollect",),
)
BARE = Tool("bare", ("-p", "no:shmcov"), "")


def tools() -> list[Tool]:
    return [SHMCOV, TESTMON] if find_spec("testmon") else [SHMCOV]


@dataclass
class Outcome:
    """Of one session of pytest: pytest_outcomes.py."""

    status: int
    selected: list[str]
    passed: dict[str, bool]
    uncollected: list[str]

    def finds(self, test: str) -> bool:
        """Would somebody who runs this selection see the test fail, if it fails?"""
        file = test.partition("::")[0]
        broken = self.status in ALL_OF_IT_FAILS and not self.selected
        return broken or test in self.selected or file in self.uncollected


class Checkout:
    """The sources of a project, in a folder with git."""

    def __init__(self, root: Path, sources: str) -> None:
        self.root = root
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "SHMCOV"))},
            "PYTHONPATH": os.pathsep.join([str(root / sources), str(PROGRAMS)]),
            "PYTHONHASHSEED": "0",
            "BENCH_OUTCOMES": str(root.parent / "outcomes.json"),
        }

    def git(self, *args: str) -> str:
        command = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", *args]
        done = subprocess.run(command, cwd=self.root, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout

    def command(self, tool: Tool, *args: str) -> list[str]:
        plain = ["-q", "--tb=no", "-p", "no:randomly"]
        return [sys.executable, "-m", "pytest", *plain, *tool.options, *args]

    def pytest(self, tool: Tool, *args: str) -> Outcome:
        file = Path(self.env["BENCH_OUTCOMES"])
        file.unlink(missing_ok=True)
        command = self.command(tool, "-p", "pytest_outcomes", *args)
        status = subprocess.run(
            command,
            cwd=self.root,
            env=self.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            preexec_fn=_limit,
            check=False,
        ).returncode
        if not file.exists():
            return Outcome(status if status > 1 else 4, [], {}, [])
        return Outcome(status, **json.loads(file.read_text()))

    def all(self) -> Outcome:
        return self.pytest(BARE, "--continue-on-collection-errors")

    def forget(self, tool: Tool) -> None:
        """What the tool has recorded."""
        for file in self.root.glob(f"{tool.kept}*") if tool.kept else ():
            file.unlink()

    def selection(self, tool: Tool) -> Outcome:
        """What it would run now. Its recording stays as it was."""
        kept = self.root / tool.kept
        copy = self.root.parent / tool.kept
        shutil.copy2(kept, copy)
        try:
            return self.pytest(tool, "--collect-only", *tool.only_select)
        finally:
            self.forget(tool)
            shutil.copy2(copy, kept)


def _limit() -> None:
    """Something may go on for ever outside of tests."""
    resource.setrlimit(resource.RLIMIT_CPU, (300, 310))


# -- mutations --


class Mutations:
    """Of one project: the changes, and what each came to."""

    def __init__(self, name: str, seed: int) -> None:
        version, package = PROJECTS[name]
        self.name, self.version = name, version
        self.folder = CACHE / "affected" / f"{name}-{version}-{PYTHON}"
        self.results = self.folder / f"mutations-{seed}.jsonl"
        self.ready = self.folder / "stable.json"
        self.package = package
        self.seed = seed
        self.checkout = Checkout(self.folder / "sources", str(Path(package).parent))

    def unpack(self) -> None:
        """The sources, and which tests pass."""
        if self.ready.exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        _unpack(f"{self.name}=={self.version}", self.checkout.root)
        self.checkout.git("init", "-q")
        self.checkout.git("add", "-Af")
        self.checkout.git("commit", "-qm", "as published")
        first, second = self.checkout.all().passed, self.checkout.all().passed
        stable = sorted(test for test, ok in first.items() if ok and second.get(test))
        self.ready.write_text(json.dumps(stable))

    def prepare(self, number: int) -> None:
        """So many changes, and what each tool has recorded. Nobody else may be at it."""
        self.unpack()
        self.stable: list[str] = json.loads(self.ready.read_text())
        root = self.checkout.root
        self.checkout.git("checkout", "-q", "--", ".")  # if it was stopped in a mutation
        for tool in tools():
            if not (root / tool.kept).exists():
                self.checkout.pytest(tool)
        candidates = [
            (path, *change)
            for path in sorted((root / self.package).rglob("*.py"))
            for change in changes(path.read_text())
        ]
        random.Random(self.seed).shuffle(candidates)
        valid = (one for one in candidates if compiles(changed(one[0].read_text(), *one[1:])))
        self.chosen = list(itertools.islice(valid, number))

    def copy(self, folder: Path) -> Checkout:
        """Another checkout, in which nothing was recorded."""
        _git(self.checkout.root, "clone", "-q", ".", str(folder / "sources"))
        return Checkout(folder / "sources", str(Path(self.package).parent))

    def done(self) -> dict[int, dict[str, Any]]:
        """By number; the last word on each."""
        return {line["number"]: line for line in _lines(self.results)}

    def wanted(self, number: int) -> list[int]:
        done = self.done()
        return [n for n in range(min(number, len(self.chosen))) if n not in done]

    def measure(self, number: int) -> None:
        path, line, new = self.chosen[number]
        before = path.read_text()
        with _Changed(path, changed(before, line, new)):
            outcome = self.checkout.all()
            failed = [test for test in self.stable if not outcome.passed.get(test)]
            found = {tool.name: self._found(tool, failed) for tool in tools()}
            if any(one["missed"] for one in found.values()):  # fails every time?
                passed = self.checkout.all().passed
                failed = [test for test in failed if not passed.get(test)]
                for one in found.values():
                    one["missed"] = [test for test in one["missed"] if test in failed]
        name = path.relative_to(self.checkout.root)
        old = before.splitlines()[line - 1]
        change = f"{name}:{line}: {old.strip()} -> {new.strip()}"
        result = {"number": number, "change": change, "failed": len(failed), "tools": found}
        _append(self.results, result)

    def select_again(self, number: int) -> None:
        """After shmcov has changed so that it selects more: is anything still missed?"""
        path, line, new = self.chosen[number]
        result = self.done()[number]
        with _Changed(path, changed(path.read_text(), line, new)):
            missed = result["tools"][SHMCOV.name]["missed"]
            result["tools"][SHMCOV.name] = self._found(SHMCOV, missed)
        _append(self.results, result)

    def _found(self, tool: Tool, failed: Sequence[str]) -> dict[str, Any]:
        selection = self.checkout.selection(tool)
        return {
            "selected": sum(map(selection.finds, self.stable)),
            "missed": [test for test in failed if not selection.finds(test)],
        }


class _Changed:
    """A file with another text for a while. Each text has its own time, whole seconds apart, so
    that nobody takes the compiled code of one for that of another."""

    _times = itertools.count(2_000_000_000, 2)

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text

    def __enter__(self) -> None:
        self.before, self.status = self.path.read_bytes(), self.path.stat()
        self.path.write_text(self.text)
        time = next(self._times)
        os.utime(self.path, (time, time))

    def __exit__(self, *_: object) -> None:
        self.path.write_bytes(self.before)
        os.utime(self.path, ns=(self.status.st_atime_ns, self.status.st_mtime_ns))


def _unpack(what: str, root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        command = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
        command += ["-d", folder, what]
        subprocess.run([sys.executable, *command], check=True)
        (archive,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
        (inside,) = (path for path in Path(folder).iterdir() if path.is_dir())
        inside.rename(root)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        for line in path.read_text().splitlines():
            yield json.loads(line)


def _append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def mutate(names: Sequence[str], number: int, seed: int, select_again: bool) -> None:
    """In turn, so that all are as far if it is stopped."""
    projects = [Mutations(name, seed) for name in names]
    for project in projects:
        project.prepare(number)
        say(f"{project.name}: {len(project.stable)} tests, {len(project.chosen)} mutations")
        for done in sorted(project.done()) if select_again else ():
            project.select_again(done)
    waiting = {project.name: project.wanted(number) for project in projects}
    while any(waiting.values()):
        for project in sorted(projects, key=lambda p: -len(waiting[p.name])):
            if waiting[project.name]:
                project.measure(waiting[project.name].pop(0))
        say(", ".join(f"{name}: {len(left)} left" for name, left in waiting.items()))


# -- history --


class History:
    """The last commits of a repository's first parents, oldest first, and what each came to. The
    first is recorded in full, and then each tool runs what it selects, and records that."""

    def __init__(self, repository: Path, sources: str, number: int, ignored: str = "") -> None:
        self.repository = repository
        head = _git(repository, "rev-parse", "--short", "HEAD").strip()
        commits = _git(
            repository, "rev-list", "--first-parent", f"--max-count={number + 1}", "HEAD"
        )
        self.commits = commits.split()[::-1]
        origin = repository.resolve().parent if repository.name in ("repo", ".git") else repository
        name = origin.name.rpartition("+")[2]
        self.folder = CACHE / "affected" / f"history-{name}-{head}-{number}-{PYTHON}"
        self.results = self.folder / "commits.jsonl"
        self.tools = tools()
        if ignored:
            option = ("-o", f"shmcov_affected_ignore={ignored}")
            own = replace(SHMCOV, name=f"shmcov, without {ignored}")
            self.tools.append(replace(own, options=(*own.options, *option)))
        self.checkouts = {
            tool: Checkout(self.folder / str(number) / "sources", sources)
            for number, tool in enumerate((BARE, *self.tools))
        }

    def follow(self) -> None:
        for checkout in self.checkouts.values():
            if not checkout.root.exists():
                checkout.root.parent.mkdir(parents=True, exist_ok=True)
                _git(self.repository, "clone", "-q", ".", str(checkout.root))
        done = list(_lines(self.results))
        for number, commit in enumerate(self.commits):
            if number >= len(done):
                done.append(self._commit(commit, done[-1] if done else None))
                _append(self.results, done[-1])
                say(f"{number} of {len(self.commits) - 1}: {done[-1]['about']}")

    def _commit(self, commit: str, before: dict[str, Any] | None) -> dict[str, Any]:
        for checkout in self.checkouts.values():
            checkout.git("checkout", "-qf", commit)
        bare = self.checkouts[BARE]
        passed = bare.all().passed
        old = before["passed"] if before else {}
        differing = [test for test, ok in passed.items() if before and old.get(test, True) != ok]
        found = {tool.name: self._found(tool, differing) for tool in self.tools}
        if any(one["missed"] for one in found.values()):  # or does it end so from time to time?
            again = bare.all().passed
            for one in found.values():
                one["missed"] = [t for t in one["missed"] if again.get(t) == passed[t]]
        about = bare.git("show", "-s", "--format=%h %s", commit).strip()
        return {
            "commit": commit,
            "about": about,
            "differing": differing,
            "tools": found,
            "passed": passed,
        }

    def _found(self, tool: Tool, differing: Sequence[str]) -> dict[str, Any]:
        checkout = self.checkouts[tool]
        kept = checkout.root / tool.kept
        copy = checkout.root.parent / tool.kept  # of the last commit that is done
        if copy.exists():
            checkout.forget(tool)
            shutil.copy2(copy, kept)
        run = checkout.pytest(tool)
        shutil.copy2(kept, copy)
        missed = [test for test in differing if not run.finds(test)]
        return {"selected": len(run.selected), "missed": missed}


def _git(repository: Path, *args: str) -> str:
    command = ["git", "-C", str(repository), *args]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


# -- what was found --


def summary(name: str, seed: int = 1) -> dict[str, dict[str, float]]:
    """Of the mutations of a project, by tool: what to print."""
    project = Mutations(name, seed)
    done = list(project.done().values())
    tests = len(json.loads(project.ready.read_text())) if done else 0
    found: dict[str, dict[str, float]] = {}
    for tool in sorted({tool for line in done for tool in line["tools"]}, reverse=True):
        shares = [line["tools"][tool]["selected"] / tests for line in done]
        found[tool] = {
            "mutations": len(done),
            "tests": tests,
            "failing": sum(line["failed"] > 0 for line in done),
            "missed": sum(bool(line["tools"][tool]["missed"]) for line in done),
            "mean": statistics.mean(shares),
            "median": statistics.median(shares),
        }
    return found


def histories() -> dict[str, list[dict[str, Any]]]:
    """By the name of a repository: its commits that are done, the first without any to compare."""
    found = {}
    for folder in sorted((CACHE / "affected").glob("history-*")):
        commits = list(_lines(folder / "commits.jsonl"))
        if len(commits) > 1:
            found[folder.name.removeprefix("history-").partition("-")[0]] = commits
    return found


def followed(commits: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Of a history, by tool: what to print."""
    commits = commits[1:]
    found: dict[str, dict[str, float]] = {}
    for tool in commits[0]["tools"]:
        ran = [line["tools"][tool] for line in commits]
        shares = [
            one["selected"] / len(line["passed"]) for one, line in zip(ran, commits, strict=True)
        ]
        found[tool] = {
            "commits": len(commits),
            "differing": sum(len(line["differing"]) for line in commits),
            "missed": sum(len(one["missed"]) for one in ran),
            "mean": statistics.mean(shares),
            "median": statistics.median(shares),
            "none": sum(share == 0 for share in shares),
        }
    return found


def show(seed: int = 1) -> None:
    for name, (version, _) in PROJECTS.items():
        for tool, one in summary(name, seed).items():
            print(
                f"{name} {version}, {one['mutations']} mutations, {one['failing']} make some of "
                f"{one['tests']} tests fail. {tool}: {one['missed']} with a miss; "
                f"{one['mean']:.1%} of tests selected, median {one['median']:.1%}"
            )
        for line in Mutations(name, seed).done().values():
            for tool, one in line["tools"].items():
                if missed := one["missed"]:
                    print(f"  {tool} misses {len(missed)} of {line['failed']}: {line['change']}")
                    print(f"    {missed[0]}")
    for name, commits in histories().items():
        for tool, one in followed(commits).items():
            print(
                f"{name}, {one['commits']} commits, {one['differing']} times a test ends "
                f"differently than before. {tool}: {one['missed']} of these not selected; "
                f"{one['mean']:.1%} of tests selected, median {one['median']:.1%}, none at "
                f"{one['none']} commits"
            )
        for line in commits:
            for tool, ran in line["tools"].items():
                for test in ran["missed"][:5]:
                    print(f"  {tool} misses {test} at {line['about']}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("mutations")
    one.add_argument("projects", nargs="*", metavar="PROJECT", default=list(PROJECTS))
    one.add_argument("--number", type=int, default=200)
    one.add_argument("--seed", type=int, default=1)
    one.add_argument(
        "--select-again",
        action="store_true",
        help="first for those that are done, after a change of shmcov: what would it select now?",
    )
    one = commands.add_parser("history")
    one.add_argument("repository", type=Path)
    one.add_argument("--sources", default=".", help="the folder that PYTHONPATH has; default: .")
    one.add_argument("--number", type=int, default=50)
    one.add_argument("--ignore", default="", help="as well with this shmcov_affected_ignore")
    commands.add_parser("show")
    options = parser.parse_args()
    if options.command == "mutations":
        mutate(options.projects, options.number, options.seed, options.select_again)
    elif options.command == "history":
        History(options.repository, options.sources, options.number, options.ignore).follow()
    else:
        show()


if __name__ == "__main__":
    main()
