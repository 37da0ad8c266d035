# SPDX-License-Identifier: Apache-2.0
"""Django's own tests as shards, an app each with a context for each test: both tools combine them
to the same."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from corpus_support import clean_environment, shmcov_command
from real_support import Checkout
from test_django import APPS, SUITE

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("django")]


def run(command: list[str], folder: Path, **env: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**clean_environment(), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: a test fails for root
    assert "Traceback" not in done.stderr or "runtests.py" in command[-2], done.stderr


def tables(path: Path) -> dict[str, Any]:
    with sqlite3.connect(path) as db:
        files = dict(db.execute("select id, path from file"))
        contexts = dict(db.execute("select id, context from context"))
        found = {
            name: sorted((files[f], contexts[c], *rest) for f, c, *rest in db.execute(query))
            for name, query in (
                ("line_bits", "select * from line_bits"),
                ("arc", "select * from arc"),
            )
        }
    db.close()
    return {**found, "files": sorted(files.values()), "contexts": sorted(contexts.values())}


def with_sorted_contexts(part: dict[str, Any]) -> dict[str, Any]:
    """coverage.py lists those of a line as they come from the file."""
    if "contexts" in part:
        part["contexts"] = {line: sorted(names) for line, names in part["contexts"].items()}
    return part


@pytest.mark.parametrize("mode", ["lines", "branch"])
def test_same(
    mode: str, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> None:
    checkout = Checkout.of(SUITE, pytestconfig, tmp_path_factory)
    work = tmp_path_factory.mktemp(f"shards-{mode}")
    rcfile = work / "rc"
    rcfile.write_text(
        "[run]\ndynamic_context = test_function\nparallel = true\n"
        f"branch = {mode == 'branch'}\nsource = {checkout.root / 'django'}\n"
        f"data_file = {work / 'shards' / '.coverage'}\n"
    )
    (work / "shards").mkdir()
    path = f"{checkout.root}:{checkout.needs}"
    for app in APPS:
        command = [*shmcov_command(), "run", f"--rcfile={rcfile}", "runtests.py", app]
        run(command, checkout.root / "tests", PYTHONPATH=path)
    assert len(list((work / "shards").iterdir())) == len(APPS)
    results = {}
    for tool in ("coverage", "shmcov"):
        folder = work / tool
        shutil.copytree(work / "shards", folder)
        options = [f"--rcfile={rcfile}", f"--data-file={folder / '.coverage'}"]
        run([sys.executable, "-m", tool, "combine", *options], folder)
        assert [path.name for path in folder.iterdir()] == [".coverage"]
        report = work / f"{tool}.json"
        made = ["json", "-q", *options, "--show-contexts", "-o", str(report)]
        run([sys.executable, "-m", "coverage", *made], folder)
        files = json.loads(report.read_text(), object_hook=with_sorted_contexts)["files"]
        results[tool] = (tables(folder / ".coverage"), files)
    assert len(results["coverage"][0]["contexts"]) > 1000
    assert results["shmcov"][0] == results["coverage"][0]
    assert results["shmcov"][1] == results["coverage"][1]
