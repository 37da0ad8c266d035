# SPDX-License-Identifier: Apache-2.0
"""The configurations of CI services in docs/how-to/ci-shards.md: their form, by the services' own
schemas, and what they do. The lines that run in a shell are taken out of them and run, each job in
a checkout of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from docs_support import SITE, Session, blocks

yaml = pytest.importorskip("yaml")

PAGE = SITE / "how-to" / "ci-shards.md"
FILES = {block.name: block.text for block in blocks(PAGE) if block.kind == "file"}
ELSEWHERE = ("pip install", "buildkite-agent")
"""What begins so fetches and installs, and is left out."""

SHARDS = 4


class Job:
    """Lines of shell, the environment that the service gives, and what is kept of the folder."""

    def __init__(self, lines: list[str], env: dict[str, str], keeps: str = "") -> None:
        self.lines = [line for line in lines if not line.startswith(ELSEWHERE)]
        self.env = env
        self.keeps = keeps


def github(config: dict[str, Any]) -> Iterator[Job]:
    def lines(job: str, shard: int = 0) -> list[str]:
        runs = [step["run"] for step in config["jobs"][job]["steps"] if "run" in step]
        return [line.replace("${{ matrix.shard }}", str(shard)) for line in runs]

    tests = config["jobs"]["tests"]
    (upload,) = (step for step in tests["steps"] if "upload" in step.get("uses", ""))
    assert upload["with"]["include-hidden-files"] is True
    for shard in tests["strategy"]["matrix"]["shard"]:
        yield Job(lines("tests", shard), {}, upload["with"]["path"])
    yield Job(lines("coverage"), {})


def gitlab(config: dict[str, Any]) -> Iterator[Job]:
    tests = config["tests"]
    (keeps,) = tests["artifacts"]["paths"]
    for shard in range(tests["parallel"]):
        env = {"CI_NODE_INDEX": str(shard + 1), "CI_NODE_TOTAL": str(tests["parallel"])}
        yield Job(tests["script"], env, keeps)
    yield Job(config["coverage"]["script"], {})


def uploaded(line: str) -> str:
    """What `pipeline upload` makes of a line where no job has a number yet."""
    kept = {"$$": "$", "$(": "$("}
    return re.sub(r"\$\$|\$\(|\$\{.*?\}|\$\w+", lambda found: kept.get(found[0], ""), line)


def buildkite(config: dict[str, Any]) -> Iterator[Job]:
    tests, wait, report = config["steps"]
    assert "wait" in wait
    for shard in range(tests["parallelism"]):
        env = {
            "BUILDKITE_PARALLEL_JOB": str(shard),
            "BUILDKITE_PARALLEL_JOB_COUNT": str(tests["parallelism"]),
        }
        yield Job([*map(uploaded, tests["command"])], env, tests["artifact_paths"])
    yield Job([*map(uploaded, report["command"])], {})


def circle(config: dict[str, Any]) -> Iterator[Job]:
    def lines(job: str) -> list[str]:
        return [step["run"] for step in config["jobs"][job]["steps"] if "run" in step]

    tests = config["jobs"]["tests"]
    (keeps,) = tests["steps"][-1]["persist_to_workspace"]["paths"]
    for shard in range(tests["parallelism"]):
        env = {"CIRCLE_NODE_INDEX": str(shard), "CIRCLE_NODE_TOTAL": str(tests["parallelism"])}
        yield Job(lines("tests"), env, keeps)
    yield Job(lines("coverage"), {})


SERVICES: dict[str, tuple[str, Callable[[dict[str, Any]], Iterator[Job]]]] = {
    ".github/workflows/tests.yml": ("github-workflows", github),
    ".gitlab-ci.yml": ("gitlab-ci", gitlab),
    ".buildkite/pipeline.yml": ("buildkite", buildkite),
    ".circleci/config.yml": ("circle-ci", circle),
}


def test_all_are_here() -> None:
    assert {name for name in FILES if name.endswith(".yml")} == set(SERVICES)


@pytest.mark.skipif(
    find_spec("check_jsonschema") is None, reason="check-jsonschema is not installed"
)
@pytest.mark.parametrize("name", SERVICES)
def test_form(name: str, tmp_path: Path) -> None:
    """By the schemas that come with check-jsonschema."""
    path = tmp_path / Path(name).name
    path.write_text(FILES[name])
    schema = f"vendor.{SERVICES[name][0]}"
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    not (find_spec("pytest_cov") and find_spec("xdist")), reason="pytest-cov, xdist are missing"
)
@pytest.mark.parametrize("name", SERVICES)
def test_jobs(name: str, tmp_path: Path) -> None:
    """The report of all shards together has everything; no shard does alone."""
    *shards, report = SERVICES[name][1](yaml.safe_load(FILES[name]))
    assert len(shards) == SHARDS
    last = checkout(tmp_path / "report" / "checkout")
    running = []
    for number, job in enumerate(shards):
        folder = checkout(tmp_path / f"shard{number}")
        running.append((job, folder, start(job, folder)))
    for job, folder, popen in running:
        output, _ = popen.communicate(timeout=120)
        assert popen.returncode == 0, output
        (kept,) = folder.glob(job.keeps)
        shutil.copy(kept, last)
    popen = start(report, last)
    output, _ = popen.communicate(timeout=120)
    assert popen.returncode == 0, output
    assert f"Combined {SHARDS} files" in output
    assert "shop.py 4 0 100%" in " ".join(output.split())


def checkout(folder: Path) -> Path:
    """The project of the page, with as many files of tests as there are shards."""
    more = {
        f"tests/test_more{number}.py": f"import shop\n\ndef test_{number}():\n    {what}\n"
        for number, what in enumerate(("pass", "shop.cheap(1), shop.dear(1)"))
    }
    for name, text in {**FILES, **more}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def start(job: Job, folder: Path) -> subprocess.Popen[str]:
    """As the services do: a shell that ends with the first line that fails."""
    assert job.lines
    return subprocess.Popen(
        ["bash", "-e", "-c", "\n".join(job.lines)],
        cwd=folder,
        env={**Session(PAGE, folder).env, "PYTHONPATH": os.curdir, **job.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
