# SPDX-License-Identifier: Apache-2.0
"""What can go wrong around the data file: the old one stays, and the message says what to do."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import coverage
import pytest
from coverage import CoverageData
from segfill import Segment
from shmcov import _merge

A, B = "/src/a.py", "/src/b.py"
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts, or changes users: needs root")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "segments"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / ".coverage"


@pytest.fixture
def copy(folder: Path) -> _merge.Copy:
    return _merge.Copy(small(folder).fd)


def small(folder: Path) -> Segment:
    segment = Segment(folder)
    segment.lines(A, [1, 2, 3])
    segment.lines(B, [4], "context")
    return segment


def large(folder: Path) -> Segment:
    """Half a second of merging."""
    segment = Segment(folder, size=256 << 20)
    for context in range(250):
        for file in range(200):
            segment.lines(f"/src/{file}.py", [100 + context], f"context {context}")
    return segment


def old_data(target: Path) -> CoverageData:
    data = CoverageData(str(target))
    data.add_lines({"/src/old.py": [7]})
    data.close(force=True)
    return data


def is_old(target: Path) -> bool:
    return lines_of(target) == {"/src/old.py": [7]}


def lines_of(target: Path) -> dict[str, list[int]]:
    data = CoverageData(str(target))
    data.read()
    return {path: sorted(data.lines(path) or []) for path in data.measured_files()}


def write(copy: _merge.Copy, target: Path, **options: Any) -> Any:
    return copy.write(str(target), coverage_version=coverage.__version__, **options)


def temporaries(target: Path) -> list[Path]:
    return list(target.parent.glob(".shmcov-*"))


def refused(
    copy: _merge.Copy, target: Path, *words: str, append: bool = False, early: bool = True
) -> None:
    """The write fails with a message that names the file and has these words; so does the check
    before the program starts, if it can know."""
    with pytest.raises(_merge.DataError) as caught:
        write(copy, target, append=append)
    assert target.name in str(caught.value)
    for word in words:
        assert word in str(caught.value)
    if early:
        with pytest.raises(_merge.DataError) as checked:
            _merge.check_target(str(target), has_arcs=False, append=append)
        assert str(checked.value) == str(caught.value)
    assert temporaries(target) == []


# -- targets that cannot be --


def test_target_is_a_folder(copy: _merge.Copy, target: Path) -> None:
    target.mkdir()
    refused(copy, target, "it is a folder")
    assert target.is_dir()


def test_target_is_no_plain_file(copy: _merge.Copy, target: Path) -> None:
    os.mkfifo(target)
    refused(copy, target, "not a plain file")
    assert stat.S_ISFIFO(target.stat().st_mode)


def test_no_such_folder(copy: _merge.Copy, tmp_path: Path) -> None:
    refused(copy, tmp_path / "missing" / ".coverage", "No such file or directory")


def test_links_in_a_circle(copy: _merge.Copy, target: Path) -> None:
    target.symlink_to(target.name)
    refused(copy, target, "symbolic links")


def as_nobody(action: Callable[[], None]) -> None:
    """Runs an action in a child without root's rights; an exception is an exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            action()
            status = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr)
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def open_tmp() -> Iterator[Path]:
    """A folder that everybody can reach, unlike pytest's."""
    path = Path(f"/tmp/shmcov-test-{os.getpid()}-{random.randrange(10**9)}")
    path.mkdir(mode=0o755)
    yield path
    shutil.rmtree(path)


@needs_root
def test_folder_cannot_be_written(copy: _merge.Copy, open_tmp: Path) -> None:
    target = open_tmp / ".coverage"
    old_data(target)
    as_nobody(lambda: refused(copy, target, "Permission denied", "name another data file"))
    assert is_old(target)


@needs_root
def test_somebody_elses_file_in_a_sticky_folder(copy: _merge.Copy, open_tmp: Path) -> None:
    open_tmp.chmod(0o1777)
    target = open_tmp / ".coverage"
    old_data(target)
    as_nobody(lambda: refused(copy, target, "sticky"))
    assert is_old(target)


@needs_root
@pytest.mark.parametrize("append", [False, True])
def test_old_file_that_we_may_only_read(copy: _merge.Copy, open_tmp: Path, append: bool) -> None:
    """It is the folder that counts: the file is replaced, not written."""
    target = open_tmp / "data" / ".coverage"
    target.parent.mkdir()
    os.chown(target.parent, NOBODY, NOBODY)
    old_data(target)
    target.chmod(0o444)
    as_nobody(lambda: write(copy, target, append=append) and None)
    assert ("/src/old.py" in lines_of(target)) is append
    assert stat.S_IMODE(target.stat().st_mode) == 0o444


@pytest.fixture
def mounts() -> Iterator[Callable[..., None]]:
    mounted: list[str] = []

    def mount(*args: Any) -> None:
        subprocess.run(["mount", *map(str, args)], check=True)
        mounted.append(str(args[-1]))

    yield mount
    for path in reversed(mounted):
        subprocess.run(["umount", "--lazy", path], check=True)


@needs_root
def test_disk_full(folder: Path, target: Path, mounts: Callable[..., None]) -> None:
    mounts("-t", "tmpfs", "-o", "size=256k", "tmpfs", target.parent)
    old_data(target)
    copy = _merge.Copy(large(folder).fd)
    refused(copy, target, "No space left on device", "make room", early=False)
    assert is_old(target)
    refused(copy, target, "No space left on device", append=True, early=False)
    assert is_old(target)


@needs_root
def test_file_size_limit(folder: Path, target: Path) -> None:
    old_data(target)
    copy = _merge.Copy(large(folder).fd)

    def limited() -> None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        refused(copy, target, "File too large", early=False)

    child = os.fork()
    if child == 0:
        try:
            limited()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert is_old(target)


@needs_root
@pytest.mark.parametrize("append", [False, True])
def test_target_is_a_mount_point(
    copy: _merge.Copy, target: Path, tmp_path: Path, mounts: Callable[..., None], append: bool
) -> None:
    outside = tmp_path / "outside"
    old_data(outside)
    # Longer than the new one: what is left of it must go.
    with closing(sqlite3.connect(outside)) as db:
        db.execute("insert into meta values ('long', ?)", ["x" * 1_000_000])
        db.execute("delete from meta where key = 'long'")
        db.commit()
    target.touch()
    mounts("--bind", outside, target)
    inode = outside.stat().st_ino
    _merge.check_target(str(target), has_arcs=False, append=append)
    write(copy, target, append=append)
    expected = {A: [1, 2, 3], B: [4]} | ({"/src/old.py": [7]} if append else {})
    assert lines_of(target) == expected
    assert lines_of(outside) == expected
    assert outside.stat().st_ino == inode
    with closing(sqlite3.connect(outside)) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert outside.stat().st_size < 100_000
    assert temporaries(target) == []


@needs_root
def test_mount_point_with_a_write_ahead_log(
    copy: _merge.Copy, target: Path, tmp_path: Path, mounts: Callable[..., None]
) -> None:
    outside = tmp_path / "outside"
    write_ahead_log(outside)
    target.touch()
    mounts("--bind", outside, target)
    Path(f"{outside}-wal").rename(
        f"{target}-wal"
    )  # SQLite looks for it beside the name it is given
    write(copy, target, append=True)
    expected = {A: [1, 2, 3], B: [4], "/src/old.py": [7], "/src/in the log.py": []}
    assert lines_of(target) == expected
    with closing(sqlite3.connect(target)) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]


@needs_root
def test_mount_point_without_room(
    folder: Path, target: Path, tmp_path: Path, mounts: Callable[..., None]
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    mounts("-t", "tmpfs", "-o", "size=256k", "tmpfs", inner)
    (inner / "file").touch()
    target.touch()
    mounts("--bind", inner / "file", target)
    with pytest.raises(_merge.DataError, match="the complete data is in") as caught:
        write(_merge.Copy(large(folder).fd), target)
    (complete,) = temporaries(target)
    assert str(complete) in str(caught.value)
    assert len(lines_of(complete)) == 200
    complete.unlink()


# -- old files that cannot be united with --


def test_old_file_is_no_database(copy: _merge.Copy, target: Path) -> None:
    target.write_bytes(b"no database, but long enough to be looked at " * 100)
    before = target.read_bytes()
    refused(copy, target, "isn't a coverage data file", append=True)
    assert target.read_bytes() == before
    write(copy, target)  # without --append, whatever is there is replaced
    assert lines_of(target) == {A: [1, 2, 3], B: [4]}


def test_old_file_is_another_database(copy: _merge.Copy, target: Path) -> None:
    with closing(sqlite3.connect(target)) as db:
        db.execute("create table mine (x)")
    refused(copy, target, "not one of coverage data", append=True)


@pytest.mark.parametrize("change", ["version = 6", "version = null"])
def test_other_schema(copy: _merge.Copy, target: Path, change: str) -> None:
    old_data(target)
    with closing(sqlite3.connect(target)) as db:
        db.execute(f"update coverage_schema set {change}")
        db.commit()
    refused(copy, target, "wrong schema", "instead of 7", append=True)


@pytest.mark.parametrize("sql", ["drop table meta", "drop table line_bits", "drop table file"])
def test_broken_schema(copy: _merge.Copy, target: Path, sql: str) -> None:
    old_data(target)
    with closing(sqlite3.connect(target)) as db:
        db.execute(sql)
        db.commit()
    refused(copy, target, "no such table", append=True, early=False)


@pytest.mark.parametrize(
    "sql",
    [
        "update file set id = 0",
        "create table twice (id integer primary key, path text);"
        "insert into twice (path) select path from file;"
        "insert into twice (path) select path from file;"
        "drop table file; alter table twice rename to file",
    ],
)
def test_rows_that_are_nobodys(copy: _merge.Copy, target: Path, sql: str) -> None:
    old_data(target)
    with closing(sqlite3.connect(target)) as db:
        db.executescript(sql)
    refused(copy, target, "has no number, or is there twice", append=True, early=False)


@pytest.mark.parametrize("ours", [False, True])
def test_other_mode(folder: Path, target: Path, ours: bool) -> None:
    data = CoverageData(str(target))
    if ours:
        data.add_lines({A: [1]})
    else:
        data.add_arcs({A: [(1, 2)]})
    data.close(force=True)
    before = target.read_bytes()
    words = "Can't add branch measurements to existing line data"
    if not ours:
        words = "Can't add line measurements to existing branch data"
    with pytest.raises(_merge.DataError, match=words):
        _merge.check_target(str(target), has_arcs=ours, append=True)
    with pytest.raises(_merge.DataError, match=words):
        write(_merge.Copy(Segment(folder, branch=ours).fd), target, append=True)
    assert target.read_bytes() == before
    _merge.check_target(str(target), has_arcs=ours, append=False)
    _merge.check_target(str(target), has_arcs=not ours, append=True)


def test_damaged_old_file(copy: _merge.Copy, target: Path) -> None:
    data = CoverageData(str(target))
    data.add_lines({f"/src/{n}.py": range(1, 3000) for n in range(100)})
    data.close(force=True)
    content = bytearray(target.read_bytes())
    content[8192 : len(content) // 2] = bytes(len(content) // 2 - 8192)
    target.write_bytes(content)
    refused(copy, target, "malformed", append=True, early=False)
    assert target.read_bytes() == content


# -- somebody else uses the old file --


LOCKER = """
    import sqlite3, sys
    db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=1)
    db.execute("begin exclusive")
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def locked(target: Path) -> Iterator[subprocess.Popen[str]]:
    old_data(target)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LOCKER), str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "locked\n"
        yield process
        process.kill()


@pytest.mark.parametrize("append", [False, True])
def test_locked_for_long(
    copy: _merge.Copy, target: Path, locked: subprocess.Popen[str], append: bool
) -> None:
    refused(copy, target, "another program holds its lock", append=append, early=False)
    locked.communicate()
    assert is_old(target)


@pytest.mark.parametrize("append", [False, True])
def test_locked_for_a_moment(
    copy: _merge.Copy, target: Path, locked: subprocess.Popen[str], append: bool
) -> None:
    assert locked.stdin
    child = os.fork()
    if child == 0:
        time.sleep(0.5)
        os.kill(locked.pid, signal.SIGKILL)
        os._exit(0)
    write(copy, target, append=append)
    os.waitpid(child, 0)
    assert ("/src/old.py" in lines_of(target)) is append


def test_locked_by_this_process(copy: _merge.Copy, target: Path) -> None:
    """Whatever SQLite Python has: its lock counts, and is still there after we gave up."""
    old_data(target)
    with closing(sqlite3.connect(target, isolation_level=None)) as db:
        db.execute("begin exclusive")
        refused(copy, target, "another program holds its lock", early=False)
        other = [sys.executable, "-c", textwrap.dedent(LOCKER), str(target)]
        result = subprocess.run(other, input="", capture_output=True, text=True)
        assert "database is locked" in result.stderr
    assert is_old(target)


# -- leftovers of the old file --


def hot_journal(target: Path, tmp_path: Path) -> None:
    """A file whose writer was killed in the middle: SQLite would roll it back."""
    old_data(target)
    code = f"""
        import os, sqlite3
        db = sqlite3.connect({str(target)!r}, isolation_level=None)
        db.execute("pragma cache_size = 1")
        db.execute("begin")
        db.executemany("insert into meta values (?, ?)", [(n, "x" * 3000) for n in range(50)])
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
    journal = Path(f"{target}-journal")
    assert journal.stat().st_size > 512


def test_stale_journal(copy: _merge.Copy, target: Path, tmp_path: Path) -> None:
    hot_journal(target, tmp_path)
    write(copy, target)
    assert not Path(f"{target}-journal").exists()
    assert lines_of(target) == {A: [1, 2, 3], B: [4]}


def test_append_with_a_hot_journal(copy: _merge.Copy, target: Path, tmp_path: Path) -> None:
    hot_journal(target, tmp_path)
    refused(copy, target, "journal to roll back", append=True)
    # coverage.py refuses as well.
    with pytest.raises(coverage.exceptions.CoverageException, match="journal"):
        CoverageData(str(target)).read()


def test_journal_without_a_file(copy: _merge.Copy, target: Path, tmp_path: Path) -> None:
    hot_journal(target, tmp_path)
    target.unlink()
    write(copy, target)
    assert lines_of(target) == {A: [1, 2, 3], B: [4]}


def write_ahead_log(target: Path) -> None:
    """The writer was killed: what it wrote is only in the log."""
    old_data(target)
    code = f"""
        import os, sqlite3
        db = sqlite3.connect({str(target)!r}, isolation_level=None)
        db.execute("pragma journal_mode = wal")
        db.execute("insert into file values (50, '/src/in the log.py')")
        os._exit(0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
    assert Path(f"{target}-wal").stat().st_size > 0


@pytest.mark.parametrize("append", [False, True])
def test_write_ahead_log(copy: _merge.Copy, target: Path, append: bool) -> None:
    write_ahead_log(target)
    write(copy, target, append=append)
    assert sorted(path.name for path in target.parent.iterdir()) == [".coverage"]
    expected = {A: [1, 2, 3], B: [4]}
    if append:
        expected |= {"/src/old.py": [7], "/src/in the log.py": []}
    assert lines_of(target) == expected


# -- what the new file looks like to the file system --


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_mode_of_a_new_file(copy: _merge.Copy, target: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write(copy, target)
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask


@needs_root
def test_umask_that_takes_our_own_rights(copy: _merge.Copy, open_tmp: Path) -> None:
    target = open_tmp / "data" / ".coverage"
    target.parent.mkdir()
    os.chown(target.parent, NOBODY, NOBODY)

    def masked() -> None:
        os.umask(0o222)
        write(copy, target)

    as_nobody(masked)
    assert stat.S_IMODE(target.stat().st_mode) == 0o444


@pytest.mark.parametrize("append", [False, True])
def test_mode_of_the_old_file_stays(copy: _merge.Copy, target: Path, append: bool) -> None:
    old_data(target)
    target.chmod(0o604)
    write(copy, target, append=append)
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


@needs_root
def test_owner_of_the_old_file_stays(copy: _merge.Copy, target: Path) -> None:
    old_data(target)
    os.chown(target, 1234, 4321)
    write(copy, target)
    assert (target.stat().st_uid, target.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("exists", [False, True])
def test_links_are_followed(copy: _merge.Copy, tmp_path: Path, append: bool, exists: bool) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    real = tmp_path / "real" / "data"
    (tmp_path / "links" / "second").symlink_to("../real/data")
    link = tmp_path / "links" / ".coverage"
    link.symlink_to(tmp_path / "links" / "second")
    if exists:
        old_data(real)
    write(copy, link, append=append)
    assert link.is_symlink()
    assert lines_of(real).keys() >= {A, B}
    assert ("/src/old.py" in lines_of(real)) is (exists and append)
    assert sorted(path.name for path in real.parent.iterdir()) == ["data"]


def test_name_relative_to_the_folder(
    copy: _merge.Copy, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(target.parent)
    write(copy, Path(".coverage"))
    assert lines_of(target) == {A: [1, 2, 3], B: [4]}


def test_reader_of_the_old_file_goes_on(copy: _merge.Copy, target: Path) -> None:
    old_data(target)
    with closing(sqlite3.connect(target)) as reader:
        cursor = reader.execute("select path from file")
        cursor.fetchall()
        write(copy, target)
        assert reader.execute("select path from file").fetchall() == [("/src/old.py",)]


# -- killed --


@pytest.mark.parametrize("append", [False, True])
def test_killed_at_any_time(folder: Path, target: Path, append: bool) -> None:
    old_data(target)
    copy = _merge.Copy(large(folder).fd)
    started = time.monotonic()
    write(copy, target.with_name("other"))
    whole = time.monotonic() - started
    killed = 0
    rolls = random.Random(7)
    for _ in range(12):
        child = os.fork()
        if child == 0:
            write(copy, target, append=append)
            os._exit(0)
        time.sleep(rolls.uniform(0, whole))
        os.kill(child, signal.SIGKILL)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL:
            continue
        if is_old(target):
            killed += 1
        else:
            assert len(lines_of(target)) == (201 if append else 200)
            target.unlink()
            old_data(target)
    assert killed >= 2
    # What a killed merge leaves is its temporary file, which no `coverage combine` takes for data.
    assert all(path.suffix == ".tmp" for path in temporaries(target))
    write(copy, target, append=append)
    assert len(lines_of(target)) == (201 if append else 200)
