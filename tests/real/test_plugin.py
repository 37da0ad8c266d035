# SPDX-License-Identifier: Apache-2.0
"""Published projects as they run their own tests, with pytest-cov and pytest-xdist by what their
own configuration says, and the one line `plugins = shmcov` more: the same coverage.

yarl's configuration names both `--cov` and `--numprocesses=auto`. aiosignal's and propcache's name
`--cov` and leave processes out ("slower with so few tests"), so `-n 2` is on the command line. All
have branches, a context for each test, and warnings that are errors; yarl and propcache also have
covdefaults and Cython's file tracer. They run without their C extensions, which an sdist has not.

What is not as in a checkout of the project: `auto` means two workers, the tests are dealt out to
them in a fixed way (dealt.py), and hypothesis takes the same examples each time, as it does where
CI is set. The reference runs twice. Where its two runs differ from each other, nothing is compared.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from corpus_support import clean_environment
from project_support import REFERENCE_CORE
from real_support import ENVIRONMENT, HERE, TIMEOUT, Store

pytest.importorskip("pytest_cov")
pytest.importorskip("xdist")

pytestmark = [pytest.mark.real, pytest.mark.slow]

LINE_KEYS = ("executed_lines", "missing_lines", "excluded_lines")
# The reference may differ from itself in this many lines, branches, and lines in contexts.
UNSTEADY = 20
BRANCH_KEYS = ("executed_branches", "missing_branches")


@dataclass(frozen=True)
class Published:
    """A project whose sdist has its tests and the configuration of pytest and coverage.py."""

    sdist: str
    needs: tuple[str, ...]
    # The configuration as it is, and with the line more.
    line: tuple[str, str]
    arguments: tuple[str, ...] = ()
    path: str = "."
    environment: tuple[tuple[str, str], ...] = ()
    # Less than these would be no comparison.
    lines: int = 50
    contexts: int = 10

    @property
    def name(self) -> str:
        return self.sdist.replace("==", "-")


PLUGIN_LIST = ("plugins =\n  covdefaults\n", "plugins =\n  covdefaults\n  shmcov\n")
NO_PLUGINS = ("[run]\n", "[run]\nplugins = shmcov\n")

YARL = Published(
    "yarl==1.25.1",
    ("covdefaults", "cython", "hypothesis", "idna", "multidict", "propcache"),
    PLUGIN_LIST,
    environment=(("YARL_NO_EXTENSIONS", "1"),),
    lines=2000,
    contexts=1000,
)
PROPCACHE = Published(
    "propcache==0.5.4",
    ("covdefaults", "cython", "expandvars", "setuptools"),
    PLUGIN_LIST,
    arguments=("-n", "2", "--no-c-extensions"),
    path="src",
    environment=(("PROPCACHE_NO_EXTENSIONS", "1"),),
)
AIOSIGNAL = Published(
    "aiosignal==1.4.0",
    ("frozenlist", "pytest-asyncio", "typing_extensions"),
    NO_PLUGINS,
    arguments=("-n", "2"),
)
PROJECTS = (AIOSIGNAL, PROPCACHE, YARL)


@dataclass
class Outcome:
    """What a run said, and what its data file holds."""

    status: int
    tests: str
    total: str
    files: dict[str, Any]

    def lines(self) -> set[tuple[str, str, int]]:
        return {
            (file, key, line)
            for file, found in self.files.items()
            for key in LINE_KEYS
            for line in found[key]
        }

    def branches(self) -> set[tuple[str, str, int, int]]:
        return {
            (file, key, *arc)
            for file, found in self.files.items()
            for key in BRANCH_KEYS
            for arc in found[key]
        }

    def contexts(self) -> set[tuple[str, int, str]]:
        return {
            (file, int(line), context)
            for file, found in self.files.items()
            for line, contexts in found["contexts"].items()
            for context in contexts
            if int(line)
        }


class Tree:
    """The unpacked sdist, anew for each run but always in the same place."""

    def __init__(self, project: Published, store: Store, work: Path) -> None:
        self.project = project
        self.store = store
        self.work = work
        self.sdist = store.sdist(project.sdist)
        self.needs = store.installed(project.needs)
        self.root = work / "unpacked" / project.name
        self.env = clean_environment(
            **ENVIRONMENT,
            **dict(project.environment),
            CI="1",
            COLUMNS="200",
            PYTEST_ADDOPTS="-p dealt",
            PYTEST_XDIST_AUTO_NUM_WORKERS="2",
            PYTHONPATH=os.pathsep.join([str(self.root / project.path), str(self.needs), str(HERE)]),
        )

    def run(self, before: str, after: str, **env: str) -> Outcome:
        shutil.rmtree(self.root.parent, ignore_errors=True)
        with tarfile.open(self.sdist) as archive:
            archive.extractall(self.root.parent, filter="data")
        rcfile = self.root / ".coveragerc"
        text = rcfile.read_text()
        assert before in text
        rcfile.write_text(text.replace(before, after, 1))
        done = self._python("pytest", *self.project.arguments, env=env)
        made = sorted(path.name for path in self.root.glob(".coverage*"))
        said = f"{done.stdout[-20000:]}\n{done.stderr[-20000:]}"
        assert made == [".coverage", ".coveragerc"], f"{made}\n{said}"
        assert "measures with its own core" not in said, said
        # Both data files are read with the configuration as it was.
        rcfile.write_text(text)
        out = self.work / "report.json"
        options = ("-q", "--fail-under=0", "--show-contexts", "-o", str(out))
        reported = self._python("coverage", "json", *options, env=REFERENCE_CORE)
        assert reported.returncode == 0, f"{reported.stdout}{reported.stderr}\n{said}"
        files = json.loads(out.read_text())["files"]
        tests = re.findall(r"^=+ (.*(?:passed|failed).*) in [\d.]+s.*$", done.stdout, re.M)
        total = re.findall(r"^TOTAL .*$|^FAIL Required.*$|^Required.*$", done.stdout, re.M)
        assert tests and total, said
        return Outcome(done.returncode, tests[-1], " ".join(" ".join(total).split()), files)

    def _python(self, *arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env={**{k: v for k, v in self.env.items() if k not in OURS}, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )


# What a run of pytest passes to its children.
OURS = ("PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT")


def unlike(kind: str, ours: set[Any], first: set[Any], second: set[Any]) -> Iterable[str]:
    """What differs from both runs of the reference, where these agree."""
    for item in sorted((ours ^ first) & (ours ^ second)):
        yield f"{kind}: {'only with' if item in ours else 'not with'} the plug-in: {item}"


@pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)
def test_their_own_configuration_reports_the_same(
    project: Published, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    tree = Tree(project, Store.of(pytestconfig), tmp_path)
    first, second = (tree.run("[run]\n", "[run]\n", **REFERENCE_CORE) for _ in range(2))
    recorded = tmp_path / "recorded"
    recorded.mkdir()
    ours = tree.run(*project.line, DEALT_RECORDED=str(recorded))
    assert sorted(path.read_text() for path in recorded.iterdir()) == ["gw0 records", "gw1 records"]

    kinds: dict[str, Callable[[Outcome], set[Any]]] = {
        "line": Outcome.lines,
        "branch": Outcome.branches,
        "context": Outcome.contexts,
    }
    found, counts, unsteady = [], [], {}
    for kind, of in kinds.items():
        sets = of(ours), of(first), of(second)
        found.extend(unlike(kind, *sets))
        unsteady[kind] = len(sets[1] ^ sets[2])
        counts.append(f"{len(sets[0])} {kind} entries ({unsteady[kind]} unsteady)")
    names = {context for _, _, context in ours.contexts()}
    print(
        f"{project.name}: {ours.tests}; status {ours.status}; {ours.total}; "
        f"{len(ours.files)} files, {', '.join(counts)}, {len(names)} contexts"
    )
    assert (ours.status, ours.tests) == (first.status, first.tests)
    if not unsteady["line"] and not unsteady["branch"]:
        assert ours.total == first.total
    assert len(ours.lines()) >= project.lines and len(names) >= project.contexts
    assert sum(unsteady.values()) <= UNSTEADY, unsteady
    if found:
        pytest.fail("\n".join([f"{len(found)} differences", *found[:200]]), pytrace=False)
