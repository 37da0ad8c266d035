# SPDX-License-Identifier: Apache-2.0
"""`shmcov combine` beside `coverage combine`: what is said, what is left, and what is combined."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import coverage
import pytest
from coverage import sqldata
from coverage.exceptions import DataError, NoDataError
from coverage.files import PathAliases
from shmcov import _merge
from shmcov.shards import combining
from shmcov.shards.combining import Progress

CODE = "import sys; from {module} import main; sys.exit(main())"
MODULES = {"coverage": "coverage.cmdline", "shmcov": "shmcov.cli"}


def make(
    path: Path | str,
    lines: Mapping[str, Iterable[int]] | None = None,
    *,
    arcs: Mapping[str, Iterable[tuple[int, int]]] | None = None,
    context: str | None = None,
    touch: Iterable[str] = (),
    tracers: Mapping[str, str] | None = None,
) -> None:
    data = coverage.CoverageData(str(path))
    data.set_context(context)
    if lines is not None:
        data.add_lines({name: list(numbers) for name, numbers in lines.items()})
    if arcs is not None:
        data.add_arcs({name: list(pairs) for name, pairs in arcs.items()})
    if touch:
        data.touch_files(list(touch))
    data.add_file_tracers(tracers or {})
    data.close(force=True)


def content(path: Path) -> dict[str, Any]:
    """What is in a data file, whatever its numbers."""
    with sqlite3.connect(path) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        files = dict(db.execute("select id, path from file"))
        contexts = dict(db.execute("select id, context from context"))
        return {
            "files": sorted(files.values()),
            "contexts": sorted(contexts.values()),
            "meta": dict(db.execute("select key, value from meta")),
            "tracers": {files[i]: name for i, name in db.execute("select * from tracer")},
            "lines": {
                (files[f], contexts[c]): n for f, c, n in db.execute("select * from line_bits")
            },
            "arcs": {
                (files[f], contexts[c], a, b) for f, c, a, b in db.execute("select * from arc")
            },
            "schema": list(db.execute("select sql from sqlite_master")),
        }


def run(program: str, *arguments: str, folder: Path, **more: Any) -> tuple[int, list[str]]:
    """Its status, and what it says, in lines."""
    code = CODE.format(module=MODULES[program])
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": "", **more},
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout + done.stderr).replace(str(folder), "HERE").splitlines()
    # Where a warning was given, coverage.py names itself, and shows the line.
    said = [line[max(line.find("CoverageWarning"), 0) :] for line in said]
    return done.returncode, [line for line in said if "data._warn(" not in line]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Data files of each kind, in a folder from which both programs start."""
    here = tmp_path / "start"
    here.mkdir()
    make(here / ".coverage.1", {"/a.py": [1, 2]}, context="x")
    make(here / ".coverage.2", {"/a.py": [3, 900], "/b.py": [5]}, context="x")
    make(here / ".coverage.3", {"/c.py": [3]})
    shutil.copy(here / ".coverage.1", here / ".coverage.again")
    make(here / "branch", arcs={"/a.py": [(1, 2)]})
    make(here / "plugin", {"/t": [1]}, tracers={"/t": "p.q"})
    make(here / "other", {"/t": [1]}, tracers={"/t": "z"})
    make(here / "plain", {"/t": [1]})
    make(here / "touched", {"/z": [1]}, touch=["/t"])
    return here


def damage(folder: Path) -> None:
    (folder / ".coverage.junk").write_text("junk")
    (folder / ".coverage.empty").touch()
    whole = (folder / ".coverage.2").read_bytes()
    (folder / ".coverage.short").write_bytes(whole[: len(whole) // 2])
    (folder / ".coverage.dir").mkdir()
    with sqlite3.connect(folder / ".coverage.foreign") as db:
        db.execute("create table t (x)")
    shutil.copy(folder / ".coverage.3", folder / ".coverage.schema")
    with sqlite3.connect(folder / ".coverage.schema") as db:
        db.execute("update coverage_schema set version = 8")


def both(folder: Path, *arguments: str) -> tuple[tuple[int, list[str]], set[str]]:
    """Runs both programs; asserts that they do the same, and returns what they say and leave."""
    results = []
    for program in MODULES:
        here = folder.parent / program
        shutil.copytree(folder, here)
        said = run(program, *arguments, folder=here)
        left = {path.name for path in here.iterdir()}
        output = here / ".coverage"
        results.append((said, left, content(output) if output.exists() else None))
    theirs, ours = results
    assert ours == theirs
    return ours[0], ours[1]


@pytest.mark.parametrize("more", [[], ["--keep"], ["-q"], ["--append"]], ids=" ".join)
def test_a_folder(folder: Path, more: list[str]) -> None:
    if more == ["--append"]:
        make(folder / ".coverage", {"/old.py": [7], "/a.py": [4]}, context="x")
    (status, said), left = both(folder, "combine", *more)
    assert (status, said) == (0, [] if more == ["-q"] else ["Combined 3 files, skipped 1"])
    assert (".coverage.1" in left) == (more == ["--keep"])


def test_unusable_files_stay(folder: Path) -> None:
    damage(folder)
    (status, said), left = both(folder, "combine")
    assert status == 0
    assert said[-1] == "Combined 3 files, skipped 1, 6 files errored"
    assert sum("CoverageWarning" in line for line in said) == 6
    assert {".coverage.junk", ".coverage.short", ".coverage.dir", ".coverage.schema"} < left


@pytest.mark.parametrize(
    "arguments",
    [
        ["branch"],
        ["plugin", "touched"],
        ["touched", "plugin"],
        ["--data-file=.coverage.2", ".coverage.1", ".coverage.2"],
        ["nothing-of-that-name"],
        ["--data-file=none"],
        [".coverage.junk"],
        ["--bogus"],
    ],
    ids=" ".join,
)
def test_as_coverage_does(folder: Path, arguments: list[str]) -> None:
    (folder / ".coverage.junk").write_text("junk")
    both(folder, "combine", *arguments)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (["branch", ".coverage.1"], "Can't combine branch coverage data with statement data: "),
        (["plain", "branch"], "Can't combine statement coverage data with branch data: "),
        (["plugin", "other"], "Conflicting file tracer name for '/t': 'z' vs 'p.q'"),
        (["plugin", "plain"], "Conflicting file tracer name for '/t': '' vs 'p.q'"),
    ],
)
def test_an_error_changes_nothing(folder: Path, inputs: list[str], text: str) -> None:
    before = {path.name for path in folder.iterdir()}
    theirs = shutil.copytree(folder, folder.parent / "theirs")
    status, said = run("shmcov", "combine", *inputs, folder=folder)
    assert (status, said) == run("coverage", "combine", *inputs, folder=theirs)
    assert status == 1
    assert said[0].startswith(text)
    assert {path.name for path in folder.iterdir()} == before


def test_paths(tmp_path: Path) -> None:
    here = tmp_path / "start"
    (here / "src" / "sub").mkdir(parents=True)
    for name in ("one.py", "sub/two.py"):
        (here / "src" / name).touch()
    (here / ".coveragerc").write_text(
        "[run]\nrelative_files = true\n[paths]\nsource =\n  src\n  /ci/build/*/src\n  C:\\ci\\src\n"
    )
    make(here / ".coverage.1", {"/ci/build/7/src/one.py": [1], "/ci/build/7/src/gone.py": [1]})
    make(here / ".coverage.2", {"C:\\ci\\src\\one.py": [2], "C:\\ci\\src\\sub\\two.py": [3]})
    make(here / ".coverage.3", {"src/one.py": [3], "lib\\three.py": [3]})
    both(here, "combine")


def test_what_would_be_an_error_later(folder: Path) -> None:
    """coverage.py reads such a file, and fails when it comes to the rows."""
    with sqlite3.connect(folder / ".coverage.2") as db:
        db.execute("drop table line_bits")
    status, said = run("shmcov", "combine", folder=folder)
    assert status == 1
    assert said[0].startswith("Couldn't use data file 'HERE/.coverage.2': no such table: line_bits")
    assert (folder / ".coverage.1").exists()


def test_damaged_further_in(tmp_path: Path) -> None:
    path = tmp_path / "in"
    make(path, {f"/{i}.py": range(1, 8000) for i in range(50)})
    whole = bytearray(path.read_bytes())
    with sqlite3.connect(path) as db:
        (page,) = db.execute(
            "select rootpage from sqlite_master where name = 'line_bits'"
        ).fetchone()
    whole[(page - 1) * 4096 : (page - 1) * 4096 + 12] = bytes(12)
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"Couldn't use data file '.*in': .*malformed"):
        combining.combine_files([str(path)], str(tmp_path / "out"))
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


def test_in_use(tmp_path: Path) -> None:
    """An input that this very process is writing, with another SQLite."""
    make(tmp_path / "in", {"/a.py": [1]})
    db = sqlite3.connect(tmp_path / "in", isolation_level=None)
    db.execute("begin exclusive")
    result = combining.combine_files([str(tmp_path / "in")], str(tmp_path / "out"), strict=False)
    assert [Path(path).name for path, _ in result.unusable] == ["in"]
    assert "another program is writing it" in result.unusable[0][1]
    db.execute("insert into file (path) values ('/b.py')")  # it still has its lock
    code = "import sqlite3; sqlite3.connect('in', timeout=0).execute('select * from file')"
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "locked" in other.stderr
    db.execute("commit")
    db.close()


# -- combine_files() --


def test_combine_files(folder: Path) -> None:
    inputs = [str(folder / name) for name in (".coverage.3", ".coverage.1", ".coverage.again")]
    seen: list[Progress] = []
    fates: list[tuple[str, str]] = []
    aliases = PathAliases()
    aliases.add("/nowhere", str(folder))
    result = combining.combine_files(
        inputs,
        str(folder / "out"),
        aliases=aliases,
        on_progress=seen.append,
        on_input=lambda path, fate, why: fates.append((Path(path).name, fate)),
    )
    assert result.combined == inputs[:2]
    assert result.skipped == inputs[2:]
    assert (result.unusable, result.files, result.contexts, result.line_rows) == ([], 2, 2, 2)
    assert (seen[-1].inputs, seen[-1].inputs_in_all, seen[-1].rows) == (3, 3, 2)
    assert fates == [
        (".coverage.3", "combined"),
        (".coverage.1", "combined"),
        (".coverage.again", "skipped"),
    ]
    assert all(os.path.exists(path) for path in inputs)  # noqa: PTH110


def test_nothing(tmp_path: Path) -> None:
    with pytest.raises(NoDataError):
        combining.combine_files([], str(tmp_path / "out"))
    assert combining.combine_files([], str(tmp_path / "out"), strict=False) == combining.Combined()
    assert list(tmp_path.iterdir()) == []


def test_no_such_folder(tmp_path: Path) -> None:
    make(tmp_path / "in", {"/a.py": [1]})
    with pytest.raises(DataError, match="No such file or directory"):
        combining.combine_files([str(tmp_path / "in")], str(tmp_path / "none" / "out"))


def test_what_is_told_may_end_it(tmp_path: Path) -> None:
    make(tmp_path / "in", {f"/{i}.py": [1] for i in range(100)})

    def tell(now: Progress) -> None:
        raise KeyError(now)

    with pytest.raises(KeyError):
        combining.combine_files([str(tmp_path / "in")], str(tmp_path / "out"), on_progress=tell)
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


def test_equal_beginnings_and_ends(tmp_path: Path) -> None:
    """Files that differ only in the middle are not the same."""
    known = combining.Known()
    for name, middle in (("a", b"x"), ("b", b"y"), ("c", b"x")):
        (tmp_path / name).write_bytes(bytes(combining.PROBE) + middle + bytes(combining.PROBE))
    (tmp_path / "d").write_bytes(bytes(combining.PROBE))
    assert [known.again(str(tmp_path / name)) for name in "abcd"] == [False, False, True, False]


@pytest.mark.skipif(not hasattr(sqldata, "NHASH"), reason="no hash in names")
def test_a_hash_in_the_name(tmp_path: Path) -> None:
    """It counts, and nothing else."""
    known = combining.Known()
    again = []
    for data_hash in ("a", "b", "a"):
        hashed = data_hash * getattr(sqldata, "NHASH", 0)
        path = tmp_path / f".coverage.{sqldata.filename_suffix(True)}.H{hashed}h"
        path.write_text(path.name)
        again.append(known.again(str(path)))
    assert again == [False, False, True]


def test_interrupted(tmp_path: Path) -> None:
    for i in range(30):
        make(tmp_path / f".coverage.{i}", {f"/{k}.py": [i + 1] for k in range(300)}, context=str(i))
    code = (
        "import os, signal; from shmcov.shards import combining; from glob import glob\n"
        "def tell(now):\n"
        "    if now.rows or now.inputs > 3: os.kill(os.getpid(), signal.SIGINT)\n"
        "combining.combine_files(sorted(glob('.coverage.*')), 'out', on_progress=tell)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {f".coverage.{i}" for i in range(30)}


# -- the class --


def test_misuse(tmp_path: Path) -> None:
    make(tmp_path / "in", {"/a.py": [1]})
    combine = _merge.Combine(tmp_path / "out", coverage_version="7")
    with pytest.raises(ValueError, match="the input that is open"):
        combine.add(["/a.py"])
    assert combine.open(tmp_path / "in") == ["/a.py"]
    with pytest.raises(ValueError, match="the input that is open"):
        combine.add([])
    with pytest.raises(UnicodeEncodeError):
        combine.add(["\udc80"])
    combine.add(["/b.py"])
    with pytest.raises(ValueError, match="has not returned"):
        combine.finish(lambda _: combine.progress())
    combine.close()
    with pytest.raises(ValueError, match="closed"):
        combine.open(tmp_path / "in")
    with pytest.raises(TypeError):
        _merge.Combine(tmp_path / "out")  # type: ignore[call-arg]


def test_abandoned(tmp_path: Path) -> None:
    make(tmp_path / "in", {"/a.py": [1]})
    combine = _merge.Combine(tmp_path / "out", coverage_version="7")
    combine.open(tmp_path / "in")
    combine.add(["/a.py"])
    assert len(list(tmp_path.iterdir())) == 2
    del combine
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


# -- what is shown --


def test_progress_in_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from shmcov import terminal

    with pytest.MonkeyPatch.context() as patch, terminal.progress(quiet=False) as show:
        assert show is not None
        show(Progress(1, 20, 0, 0, 0))
        later = time.monotonic() + terminal.PLAIN
        patch.setattr(terminal.time, "monotonic", lambda: later)
        show(Progress(7, 20, 0, 0, 0))
        show(Progress(8, 20, 0, 0, 0))
        later += terminal.PLAIN
        show(Progress(20, 20, 3, 9, 100))
    assert capsys.readouterr().err.splitlines() == [
        "shmcov: 7 of 20 data files read",
        "shmcov: 3 of 9 files written",
    ]
    with terminal.progress(quiet=True) as show:
        assert show is None


def test_a_removal_that_was_cut_off_is_ended(tmp_path: Path) -> None:
    """What is left is in the output already, and must not take its place."""
    for number in range(4):
        make(tmp_path / f".coverage.{number}", {"/a.py": [number + 1]})
    code = (
        "import sys; from shmcov import cli; from shmcov.shards import removal\n"
        "gone = []\n"
        "def be_gone(path, real=removal.file_be_gone):\n"
        "    if len(gone) == 2: import os; os._exit(9)\n"
        "    gone.append(path); real(path)\n"
        "removal.file_be_gone = be_gone\n"
        "sys.exit(cli.main(['combine']))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 9
    whole = content(tmp_path / ".coverage")
    assert len(list(tmp_path.glob(".coverage.*"))) == 2

    def combine(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "shmcov", "combine", *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    other = tmp_path / "other"
    shutil.copytree(tmp_path, other)
    done = combine()
    assert done.returncode == 0
    assert done.stdout + done.stderr == "Removed 2 files that had been combined before\n"
    assert content(tmp_path / ".coverage") == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == [".coverage", "other"]
    assert combine().returncode == 1  # nothing is left to do
    # In a copy nothing is what the note speaks of, so nothing is removed.
    done = subprocess.run(
        [sys.executable, "-m", "shmcov", "combine", "--append"],
        cwd=other,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == "Combined 2 files\n"
    assert content(other / ".coverage") == whole
    assert [path.name for path in other.iterdir()] == [".coverage"]
