# SPDX-License-Identifier: Apache-2.0
"""`shmcov combine --dask`, compared with coverage.py's own combine."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from project_support import Project

pytest.importorskip("distributed")

import coverage
from coverage.exceptions import DataError, NoDataError
from coverage.files import PathAliases
from distributed import Client, LocalCluster
from shmcov import dask
from shmcov.cluster import tree

pytestmark = pytest.mark.slow

SHARDS = 23


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def folder(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    for i in range(9):
        project.write(f"src/m{i}.py", "1\n" * 90)
    project.write(".coveragerc", "[paths]\nsrc =\n    src\n    */src\n")
    monkeypatch.chdir(project.folder)
    return project.folder


def shards(folder: Path, *, branch: bool) -> list[str]:
    """Data of machines that have the files in three places, two of which are the same file."""
    rng = random.Random(branch)
    for i in range(SHARDS):
        data = coverage.CoverageData(basename=str(folder / f".coverage.{i:02}"))
        for _ in range(3):
            data.set_context(f"test_{rng.randrange(20)}")
            path = f"/ci{i % 3}/src/m{rng.randrange(12)}.py"
            if branch:
                arcs = [(rng.randrange(1, 50), rng.randrange(1, 50)) for _ in range(9)]
                data.add_arcs({path: arcs})
            else:
                data.add_lines({path: [rng.randrange(1, 90) for _ in range(9)]})
        data.close()
    shutil.copy(folder / ".coverage.03", folder / ".coverage.30")
    (folder / ".coverage.31").write_text("this is no database")
    return [str(folder / f".coverage.{i:02}") for i in [*range(SHARDS), 30, 31]]


def content(path: Path | str) -> dict[str, Any]:
    data = coverage.CoverageData(basename=str(path))
    data.read()
    found = {
        file: (
            sorted(data.lines(file) or []),
            sorted(data.arcs(file) or []),
            {line: sorted(names) for line, names in data.contexts_by_lineno(file).items()},
        )
        for file in data.measured_files()
    }
    data.close()
    return found


def aliases(folder: Path) -> PathAliases:
    aliases = PathAliases()
    aliases.add("*/src", str(folder / "src"))
    return aliases


def said(done: subprocess.CompletedProcess[str], output: str) -> list[str]:
    """Without the line of source that coverage.py's warnings show, and where it is."""
    lines = (done.stdout + done.stderr).replace(output, "OUTPUT").splitlines()
    lines = [line.partition("CoverageWarning")[2] or line for line in lines]
    return [line for line in lines if not line.startswith("  ")]


@pytest.fixture(params=[False, True], ids=["own cluster", "address"])
def scheduler(request: pytest.FixtureRequest) -> list[str]:
    """What stands behind --dask: nothing, for a cluster that is started, or an address."""
    if not request.param:
        return []
    client: Client = request.getfixturevalue("client")
    return [client.scheduler_info()["address"]]


def test_the_command(project: Project, folder: Path, scheduler: list[str]) -> None:
    inputs = shards(folder, branch=bool(scheduler))
    options = ("--keep", *inputs)
    theirs = project.coverage("combine", "--data-file=theirs", *options)
    ours = project.shmcov("combine", "--dask", *scheduler, "--data-file=ours", *options)
    assert (theirs.returncode, said(theirs, "theirs")) == (ours.returncode, said(ours, "ours"))
    assert content("ours") == content("theirs")
    assert not [path for path in folder.iterdir() if path.name.startswith(".shmcov")]


def test_inputs_are_removed(project: Project, folder: Path, client: Client) -> None:
    inputs = shards(folder, branch=True)
    address = client.scheduler_info()["address"]
    done = project.shmcov("combine", "--dask", address, "--data-file=ours", *inputs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path for path in inputs if Path(path).exists()] == [str(folder / ".coverage.31")]


@pytest.mark.parametrize("shared", [False, True], ids=["as bytes", "shared folder"])
def test_many_levels_and_a_worker_that_dies(
    project: Project,
    folder: Path,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    shared: bool,
) -> None:
    inputs = shards(folder, branch=True)
    project.coverage("combine", "--data-file=theirs", "--keep", *inputs)
    monkeypatch.setattr(tree, "FAN", 2)
    killed: list[int] = []

    def kill(now: object) -> None:
        if not killed:
            killed.extend(client.run(os.getpid).values())
            os.kill(killed[0], signal.SIGKILL)

    parts = folder / "parts"
    parts.mkdir()
    result = dask.combine(
        inputs,
        "ours",
        scheduler=client,
        shared=str(parts) if shared else None,
        aliases=aliases(folder),
        on_progress=kill,
    )
    assert killed
    assert content("ours") == content("theirs")
    assert result.combined == inputs[:SHARDS]
    assert result.skipped == inputs[SHARDS:-1]
    assert [path for path, _ in result.unusable] == inputs[-1:]


def test_appending(project: Project, folder: Path, client: Client) -> None:
    inputs = shards(folder, branch=False)
    for name in ("theirs", "ours"):
        shutil.copy(inputs[0], name)
    project.coverage("combine", "--append", "--keep", "--data-file=theirs", *inputs[1:])
    dask.combine(inputs[1:], "ours", scheduler=client, aliases=aliases(folder), append=True)
    assert content("ours") == content("theirs")


def test_what_is_refused(
    project: Project, folder: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "FAN", 2)
    lines = shards(folder, branch=False)[:5]
    for i, path in enumerate(lines):
        lines[i] = shutil.move(path, str(folder / f"line.{i}"))
    arcs = shards(folder, branch=True)[:5]
    for inputs in (sorted([*lines, *arcs]), sorted([lines[0], arcs[0]])):
        theirs = project.coverage("combine", "--keep", "--data-file=out", *inputs)
        Path("out").unlink()
        with pytest.raises(DataError) as refused:
            dask.combine(inputs, "out", scheduler=client)
        assert str(refused.value) in theirs.stdout + theirs.stderr
        assert not Path("out").exists()
    bad = [str(folder / ".coverage.31")]
    for inputs in ([], bad):
        with pytest.raises(NoDataError, match="No usable data files"):
            dask.combine(inputs, "out", scheduler=client)
    assert not Path("out").exists()


def test_workers_fetch_what_is_in_a_store(project: Project, folder: Path, client: Client) -> None:
    pytest.importorskip("fsspec")
    inputs = shards(folder, branch=True)
    store = folder / "store"
    store.mkdir()
    project.coverage("combine", "--data-file=theirs", "--keep", *inputs)
    for path in inputs:
        shutil.move(path, store)
    address = client.scheduler_info()["address"]
    done = project.shmcov("combine", "--dask", address, f"file://{store}/", "--data-file=.coverage")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Combined {SHARDS} files, skipped 1, 1 file errored" in done.stdout + done.stderr
    assert content(".coverage") == content("theirs")
    assert [path.name for path in store.iterdir()] == [".coverage.31"]
