# SPDX-License-Identifier: Apache-2.0
"""What the merge writes, read back by coverage.py and compared with what coverage.py writes."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import coverage
import pytest
from coverage import CoverageData
from coverage.exceptions import CoverageException
from coverage.numbits import nums_to_numbits
from segfill import BRANCH, EXACT, LINES, TRAIL, Segment
from shmcov import _merge

VERSION = coverage.__version__
A, B, C = "/src/a.py", "/src/b.py", "/src/c.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "segments"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / ".coverage"


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert not list(tmp_path.rglob(".shmcov-*")), "a temporary file was left"


def write(segment: Segment, target: Path, **options: Any) -> _merge.Counts:
    return _merge.Copy(segment.fd).write(str(target), coverage_version=VERSION, **options)


def read(target: Path) -> CoverageData:
    data = CoverageData(str(target))
    data.read()
    return data


def rows(target: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(target)) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        return db.execute(sql).fetchall()


def content(target: Path) -> dict[str, Any]:
    """The content of a data file, without row ids."""
    joined = "from {} t join file f on f.id = t.file_id join context c on c.id = t.context_id"
    return {
        "file": sorted(rows(target, "select path from file")),
        "context": sorted(rows(target, "select context from context")),
        "lines": sorted(
            rows(target, "select path, context, numbits " + joined.format("line_bits"))
        ),
        "arcs": sorted(rows(target, "select path, context, fromno, tono " + joined.format("arc"))),
        "meta": sorted(rows(target, "select key, value from meta")),
        "tracer": sorted(
            rows(target, "select path, tracer from tracer t join file f on f.id = t.file_id")
        ),
    }


class Pair:
    """The same data in a segment and in coverage.py."""

    def __init__(self, tmp_path: Path, *, branch: bool = False, context: str = "") -> None:
        self.segment = Segment(tmp_path / "segments", branch=branch, context=context)
        self.theirs = tmp_path / "theirs"
        self.data = CoverageData(str(self.theirs))
        self.context = context

    def lines(self, path: str, lines: set[int], context: str | None = None) -> None:
        self.segment.lines(path, lines, context)
        names = [name for name in (self.context, context) if name]
        self.data.set_context("|".join(names) or None)
        self.data.add_lines({path: lines})


BORDERS = {1, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, 513, 1023, 1024, 5000}


# -- lines --


def test_schema_is_that_of_coverage(folder: Path, target: Path, tmp_path: Path) -> None:
    theirs = CoverageData(str(tmp_path / "theirs"))
    theirs.add_lines({A: [1]})
    theirs.close(force=True)
    segment = Segment(folder)
    segment.lines(A, [1])
    write(segment, target)
    sql = "select type, name, tbl_name, sql from sqlite_master"
    assert rows(target, sql) == rows(tmp_path / "theirs", sql)
    assert content(target) == content(tmp_path / "theirs")
    assert rows(target, "select version from coverage_schema") == [(7,)]


@pytest.mark.parametrize("static", ["", "static", "st|at"])
def test_same_file_as_coverage(tmp_path: Path, target: Path, static: str) -> None:
    pair = Pair(tmp_path, context=static)
    pair.lines(A, BORDERS)
    pair.lines(B, {2})
    pair.lines(A, {3, 127, 128, 700}, "tests.T.test_x")
    pair.lines(C, {9}, "tests.T.test_x")
    pair.lines(B, {64}, "späße ☃")
    pair.data.close(force=True)
    counts = write(pair.segment, target)
    assert content(target) == content(pair.theirs)
    assert counts == {
        "files": 3,
        "unnamed": 0,
        "contexts": 3,
        "line_rows": 5,
        "arc_rows": 0,
        "lines": len(BORDERS | {3, 700}) + 2 + 1,
        "old_files": 0,
    }


def test_several_records_of_one_key(folder: Path, target: Path) -> None:
    segment = Segment(folder)
    for line in [5, 6, 7, 300]:  # each call makes a record of its own
        segment.lines(A, [line], "c")
    counts = write(segment, target)
    assert rows(target, "select numbits from line_bits") == [(nums_to_numbits([5, 6, 7, 300]),)]
    assert counts["line_rows"] == 1


def test_rows_are_in_the_order_of_the_index(folder: Path, target: Path) -> None:
    segment = Segment(folder)
    for context in ["z", "y", "x", None]:
        for path in [C, B, A]:
            segment.lines(path, [1], context)
    write(segment, target)
    keys = rows(target, "select file_id, context_id from line_bits order by rowid")
    assert keys == sorted(keys)
    assert len(keys) == 12


def test_line_zero_is_no_line(folder: Path, target: Path) -> None:
    segment = Segment(folder)
    segment.lines(A, [0])
    segment.lines(B, [0, 1])
    assert write(segment, target)["lines"] == 1
    assert read(target).lines(A) == []
    assert read(target).lines(B) == [1]


def test_files_that_never_ran(folder: Path, target: Path) -> None:
    segment = Segment(folder)
    segment.lines(A, [1])
    write(segment, target, touch=[B, A, C, C])
    assert read(target).measured_files() == {A, B, C}
    assert rows(target, "select count(*) from line_bits") == [(1,)]


def test_nothing_was_collected(folder: Path, target: Path) -> None:
    old = CoverageData(str(target))
    old.add_lines({A: [1]})
    old.close(force=True)
    counts = write(Segment(folder), target, touch=[B])
    assert (counts["files"], counts["lines"], counts["contexts"]) == (0, 0, 0)
    assert read(target).measured_files() == {B}  # as coverage.py: the old data is erased
    assert not read(target).has_arcs()
    assert rows(target, "select * from context") == []


def test_meta(folder: Path, target: Path) -> None:
    segment = Segment(folder)
    write(segment, target, argv="['x', '-m']", when="2026-01-02 03:04:05")
    assert dict(rows(target, "select key, value from meta")) == {
        "version": VERSION,
        "has_arcs": "0",
        "sys_argv": "['x', '-m']",
        "when": "2026-01-02 03:04:05",
    }


def test_stored_names(folder: Path, target: Path) -> None:
    segment = Segment(folder)
    segment.lines(A, [1])
    segment.lines("/other/x.py", [1])
    write(segment, target, touch=[B], relative=lambda path: path.removeprefix("/src/"))
    assert read(target).measured_files() == {"a.py", "b.py", "/other/x.py"}


def test_two_files_with_one_stored_name(folder: Path, target: Path) -> None:
    segment = Segment(folder, branch=True)
    for path, line in [(A, 1), (B, 3), (C, 5)]:
        segment.lines(path, [line, line + 1], None)
        segment.lines(path, [line, line + 1], "t")
        segment.branch(path, (line, TRAIL, [line + 1]), "t")
    write(segment, target, relative=lambda path: "x" if path in (A, C) else path)
    data = read(target)
    assert sorted(data.lines("x") or []) == [1, 2, 5, 6]
    data.set_query_context("t")
    assert sorted(data.lines("x") or []) == [1, 2, 5, 6]
    assert sorted(data.arcs("x") or []) == [(1, 2), (5, 6)]


def test_name_that_utf8_cannot_say(folder: Path, target: Path) -> None:
    segment = Segment(folder)
    bad = os.fsdecode(b"/src/\xff.py")
    segment.lines(bad, [1, 2])
    segment.lines(A, [1])
    segment.lines(bad, [1], "t")
    assert _merge.Copy(segment.fd).files() == [A, bad]
    counts = write(segment, target)
    assert (counts["files"], counts["unnamed"], counts["lines"]) == (1, 1, 1)
    assert read(target).measured_files() == {A}


def test_context_that_is_not_utf8(folder: Path, target: Path) -> None:
    segment = Segment(folder)
    segment.lines(A, [1], os.fsdecode(b"t\xc3\xa4\xff"))
    write(segment, target)
    assert read(target).measured_contexts() == {"tä\ufffd"}


def test_error_of_a_naming_function(folder: Path, target: Path) -> None:
    segment = Segment(folder)
    segment.lines(A, [1])
    with pytest.raises(ZeroDivisionError):
        write(segment, target, relative=lambda path: 1 / 0)
    assert not target.exists()


# -- branches --


def arcs_of(target: Path, context: str | None = None) -> set[tuple[int, int]]:
    data = read(target)
    if context is not None:
        data.set_query_context(context)
    return {arc for arc in data.arcs(A) or [] if arc[0] != arc[1]}


def test_each_line_is_an_arc_to_itself(folder: Path, target: Path) -> None:
    segment = Segment(folder, branch=True)
    segment.lines(A, BORDERS)
    counts = write(segment, target)
    assert set(read(target).arcs(A) or []) == {(line, line) for line in BORDERS}
    assert rows(target, "select count(*) from line_bits") == [(0,)]
    assert counts["arc_rows"] == len(BORDERS)
    assert read(target).has_arcs()


@pytest.mark.parametrize(
    ("arc", "lines", "result"),
    [
        ((1, TRAIL, [2, 3]), {1, 2, 3}, {(1, 2)}),
        ((1, TRAIL, [1, 3]), {1, 3}, {(1, 3)}),
        ((1, TRAIL, [1, 1]), {1}, set()),
        ((1, TRAIL, []), {1}, set()),
        ((1, TRAIL, [3]), {1}, set()),  # never ran
        ((1, TRAIL, [-1]), {1}, {(1, -1)}),
        ((4, TRAIL, [4, -1]), {4}, {(4, -1)}),
        ((1, EXACT, [3]), {1}, {(1, 3)}),
        ((-1, EXACT, [1]), {1}, {(-1, 1)}),
        ((5, EXACT, [-5]), {5}, {(5, -5)}),
    ],
)
def test_taken_arc(
    folder: Path, target: Path, arc: Any, lines: set[int], result: set[tuple[int, int]]
) -> None:
    segment = Segment(folder, branch=True)
    segment.lines(A, lines)
    segment.branch(A, arc)
    write(segment, target)
    assert arcs_of(target) == result


def test_arc_that_was_not_taken(folder: Path, target: Path) -> None:
    segment = Segment(folder, branch=True)
    segment.lines(A, [1, 2, 3])
    first = segment.code(A, [(1, TRAIL, [2]), (1, TRAIL, [3])])
    segment.take(A, [first + 1])
    write(segment, target)
    assert arcs_of(target) == {(1, 3)}


@pytest.mark.parametrize(("lines", "taken"), [({1, 2}, True), ({1}, False), ({2}, False)])
def test_arc_of_two_lines(folder: Path, target: Path, lines: set[int], taken: bool) -> None:
    segment = Segment(folder, branch=True)
    segment.lines(A, lines)
    segment.code(A, [(1, LINES, [2])])
    write(segment, target)
    assert arcs_of(target) == ({(1, 2)} if taken else set())


def test_many_code_objects(folder: Path, target: Path) -> None:
    segment = Segment(folder, branch=True)
    expected = set()
    for line in range(1, 600, 3):
        segment.lines(A, [line, line + 1, line + 2])
        first = segment.code(A, [(line, TRAIL, [line + 1]), (line, TRAIL, [line + 2])])
        segment.take(A, [first + line % 2])
        expected.add((line, line + 1 + line % 2))
    write(segment, target)
    assert arcs_of(target) == expected


def test_the_target_must_have_run_in_the_same_context(folder: Path, target: Path) -> None:
    segment = Segment(folder, branch=True)
    first = segment.code(A, [(1, TRAIL, [2]), (1, LINES, [3])])
    segment.lines(A, [1, 2], "one")
    segment.lines(A, [1, 3], "two")
    segment.take(A, [first], "one")
    segment.take(A, [first], "two")
    write(segment, target)
    assert arcs_of(target, "one") == {(1, 2)}
    assert arcs_of(target, "two") == {(1, 3)}
    assert rows(target, "select * from context where context = ''") == []


MULTILINE = {1: 1, 2: 1, 3: 1, 5: 5, 6: 5}


@pytest.mark.parametrize(
    ("trail", "lines", "result"),
    [
        ([2, 3, 5], {1, 2, 3, 5}, {(1, 5)}),
        ([2, 6], {1, 6}, {(1, 6)}),
        ([2, 6], {1, 5}, {(1, 5)}),  # another line of the statement ran
        ([2, 5], {1, 6}, {(1, 6)}),
        ([2, 5], {1, 2}, set()),
        ([3, 2], {1, 2, 3}, set()),
        ([3, -1], {1, 3}, {(1, -1)}),
        ([2, 9], {1, 9}, {(1, 9)}),  # beyond the map
    ],
)
def test_multiline(
    folder: Path,
    target: Path,
    trail: list[int],
    lines: set[int],
    result: set[tuple[int, int]],
) -> None:
    segment = Segment(folder, branch=True)
    segment.lines(A, lines)
    segment.branch(A, (1, TRAIL, trail))
    copy = _merge.Copy(segment.fd)
    copy.set_multiline(A, MULTILINE)
    copy.write(str(target), coverage_version=VERSION)
    assert arcs_of(target) == result


@pytest.mark.parametrize(
    ("arc", "lines", "wanted"),
    [
        ((1, TRAIL, [2]), {1, 2}, False),
        ((1, TRAIL, [2]), {1}, True),  # dropped, unless another line of its statement ran
        ((1, TRAIL, [1, 2, 2]), {1, 2}, False),
        ((1, TRAIL, [2, 3]), {1, 2}, True),
        ((1, TRAIL, [2, -1]), {1, 2}, True),
        ((1, TRAIL, [-1]), {1}, False),
        ((1, TRAIL, [1]), {1}, False),
        ((1, EXACT, [5]), {1}, False),
    ],
)
def test_multiline_wanted(folder: Path, arc: Any, lines: set[int], wanted: bool) -> None:
    segment = Segment(folder, branch=True)
    segment.lines(A, lines)
    segment.lines(B, [1])
    bit = segment.code(A, [arc])
    assert _merge.Copy(segment.fd).multiline_wanted() == []
    segment.take(A, [bit], "context")
    assert _merge.Copy(segment.fd).multiline_wanted() == ([A] if wanted else [])


def test_multiline_mistakes(folder: Path) -> None:
    segment = Segment(folder, branch=True)
    segment.lines(A, [1])
    copy = _merge.Copy(segment.fd)
    with pytest.raises(KeyError):
        copy.set_multiline(B, {})
    with pytest.raises(TypeError):
        copy.set_multiline(A, 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        copy.set_multiline(A, {"x": 1})  # type: ignore[dict-item]
    copy.set_multiline(A, {2**80: 1, -4: 2, 3: 2**31, 1: 2**40})
    copy.set_multiline(A, {})


# -- append --


def theirs(target: Path, *, branch: bool = False) -> CoverageData:
    data = CoverageData(str(target))
    for context, path, lines in [(None, A, [1, 2]), ("t", A, [3]), ("t", C, [1]), ("u", C, [8])]:
        data.set_context(context)
        if branch:
            data.add_arcs({path: [(line, line + 1) for line in lines] + [(-1, lines[0])]})
        else:
            data.add_lines({path: lines})
    data.add_file_tracers({C: "some.plugin"})
    data.close(force=True)
    return data


def append_to(tmp_path: Path, target: Path, *, branch: bool) -> None:
    """Appends the same data with the merge and with coverage.py."""
    theirs(target, branch=branch)
    theirs(tmp_path / "theirs", branch=branch)
    data = CoverageData(str(tmp_path / "theirs"))
    data.read()
    segment = Segment(tmp_path / "segments", branch=branch)
    for context, path, lines in [
        (None, B, [4, 900]),
        (None, A, [2, 700]),
        ("u", A, [1]),
        ("new", C, [1]),
        ("t", C, [1, 2]),
    ]:
        segment.lines(path, lines, context)
        data.set_context(context)
        if branch:
            data.add_arcs({path: [(line, line) for line in lines]})
        else:
            data.add_lines({path: lines})
    if branch:
        data.set_context(None)
        data.add_arcs({A: [(2, 700), (2, -1)], B: [(4, 900)]})
        segment.branch(A, (2, TRAIL, [700]))
        segment.branch(A, (2, TRAIL, [-1]))
        segment.branch(B, (4, TRAIL, [900]))
    data.touch_files([C, "/src/d.py"])
    data.close(force=True)
    counts = write(segment, target, append=True, touch=[C, "/src/d.py"])
    assert content(target) == content(tmp_path / "theirs")
    assert counts["old_files"] == 2
    assert counts["files"] == 3
    table = "arc" if branch else "line_bits"
    total = rows(target, f"select count(*) from {table}")[0][0]
    assert counts["arc_rows" if branch else "line_rows"] == total
    order = rows(target, f"select * from {table} order by rowid")
    assert order == sorted(order)


@pytest.mark.parametrize("branch", [False, True])
def test_append(tmp_path: Path, target: Path, branch: bool) -> None:
    append_to(tmp_path, target, branch=branch)


def test_append_to_our_own_twice(folder: Path, target: Path) -> None:
    segment = Segment(folder, branch=True)
    segment.lines(A, [1, 2], "t")
    segment.branch(A, (1, TRAIL, [2]), "t")
    write(segment, target)
    before = content(target)
    write(segment, target, append=True)
    write(segment, target, append=True)
    assert content(target) == before


def test_append_keeps_what_old_meta_says(folder: Path, target: Path) -> None:
    data = theirs(target)
    with closing(sqlite3.connect(target)) as db:
        db.execute("update meta set value = '1.0' where key = 'version'")
        db.execute("insert into meta values ('hash', 'of other data'), ('mine', 'x')")
        db.commit()
    data.close()
    segment = Segment(folder)
    segment.lines(B, [1])
    write(segment, target, append=True)
    assert dict(rows(target, "select key, value from meta")) == {
        "version": "1.0",
        "has_arcs": "0",
        "mine": "x",
    }


@pytest.mark.parametrize("old", ["missing", "empty", "no tables"])
def test_append_to_nothing(folder: Path, target: Path, old: str) -> None:
    if old == "empty":
        target.touch()
    elif old == "no tables":
        with closing(sqlite3.connect(target)) as db:
            db.execute("vacuum")
    segment = Segment(folder)
    segment.lines(A, [1])
    _merge.check_target(str(target), has_arcs=False, append=True)
    write(segment, target, append=True)
    assert read(target).lines(A) == [1]


def test_append_with_strange_ids(folder: Path, target: Path) -> None:
    theirs(target)
    with closing(sqlite3.connect(target)) as db:
        db.executescript(
            """
            update file set id = 9000000000000 where path = '/src/a.py';
            update line_bits set file_id = 9000000000000 where file_id = 1;
            update context set id = -5 where context = 't';
            update line_bits set context_id = -5 where context_id = 2;
            insert into line_bits values (null, 1, x'02');
            """
        )
    segment = Segment(folder)
    segment.lines(A, [7], "t")
    segment.lines(B, [1])
    write(segment, target, append=True)
    data = read(target)
    assert sorted(data.lines(A) or []) == [1, 2, 3, 7]
    assert data.lines(B) == [1]
    assert set(data.contexts_by_lineno(A)[7]) == {"t"}


def test_two_appends_at_once_lose_nothing(folder: Path, target: Path) -> None:
    theirs(target)
    copies = []
    for number in range(8):
        segment = Segment(folder)
        segment.lines(f"/src/{number}.py", range(1, 5000, 3))
        copies.append(_merge.Copy(segment.fd))
    errors: list[Exception] = []

    def append(copy: _merge.Copy) -> None:
        try:
            copy.write(str(target), append=True, coverage_version=VERSION)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=append, args=[copy]) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(read(target).measured_files()) == 2 + len(copies)


# -- files of plug-ins --


PLUGIN, OTHER = "package.module.Plugin", "package.module.Other"


@pytest.mark.parametrize("branch", [False, True])
def test_tracers_as_coverage_has_them(tmp_path: Path, target: Path, branch: bool) -> None:
    """One that recorded lines, one that recorded none, one that never ran; and Python."""
    segment = Segment(tmp_path / "segments", branch=branch)
    data = CoverageData(str(tmp_path / "theirs"))
    for path, lines, context in [(A, {1, 700}, None), (B, {3}, None), (B, {4}, "t")]:
        segment.lines(path, lines, context)
        data.set_context(context)
        if branch:
            data.add_arcs({path: [(line, line) for line in lines]})
        else:
            data.add_lines({path: lines})
    segment.tracer(B, PLUGIN)
    segment.tracer(C, PLUGIN)
    data.add_file_tracers({B: PLUGIN, C: PLUGIN})
    data.touch_files(["/src/never.html"], OTHER)
    data.touch_files(["/src/never.py"])
    data.close(force=True)
    assert _merge.Copy(segment.fd).tracers() == {B: PLUGIN, C: PLUGIN}
    touch = ["/src/never.html", "/src/never.py"]
    write(segment, target, touch=touch, tracers={"/src/never.html": OTHER, "/unknown": OTHER})
    assert content(target) == content(tmp_path / "theirs")
    assert read(target).file_tracer(B) == PLUGIN
    assert read(target).file_tracer(A) == ""


def test_the_first_of_two_tracers_stays(folder: Path, target: Path) -> None:
    segment = Segment(folder)
    for path, plugins in [(A, [PLUGIN, OTHER]), (B, [OTHER, PLUGIN])]:
        segment.lines(path, [1])
        for plugin in plugins:
            segment.tracer(path, plugin)
    write(segment, target)
    assert rows(target, "select tracer from tracer order by file_id") == [(PLUGIN,), (OTHER,)]


def test_append_keeps_and_adds_tracers(folder: Path, target: Path) -> None:
    theirs(target)  # says that C is one of some.plugin
    segment = Segment(folder)
    for path, plugin in [(A, PLUGIN), (C, "some.plugin"), (B, OTHER)]:
        segment.lines(path, [9])
        segment.tracer(path, plugin)
    write(segment, target, append=True, touch=[B, "/x"], tracers={B: OTHER, "/x": PLUGIN})
    data = read(target)
    found = {path: data.file_tracer(path) for path in (A, B, C, "/x")}
    assert found == {A: PLUGIN, B: OTHER, C: "some.plugin", "/x": PLUGIN}
    assert sorted(data.lines(C) or []) == [1, 8, 9]


@pytest.mark.parametrize("how", ["ran", "touched"])
def test_append_refuses_another_tracer(folder: Path, target: Path, how: str) -> None:
    data = theirs(target)
    before = content(target)
    with pytest.raises(CoverageException) as refused:
        data.add_file_tracers({C: OTHER})
    segment = Segment(folder)
    segment.lines(A, [1])
    if how == "ran":
        segment.tracer(C, OTHER)
    with pytest.raises(_merge.DataError, match="erase it, or run without --append") as error:
        write(segment, target, append=True, touch=[C], tracers={C: OTHER})
    assert str(error.value).startswith(str(refused.value).split(":")[0])
    assert f"'some.plugin' in data file '{target}' vs '{OTHER}'" in str(error.value)
    assert content(target) == before


# -- what a segment says --


def test_info(folder: Path) -> None:
    segment = Segment(folder, branch=True, context="ctx")
    segment.lose(1, 3)
    info = _merge.Copy(segment.fd).info()
    assert info["flags"] == BRANCH
    assert info["context"] == "ctx"
    assert info["rules"] == [(10, "ctx")]
    assert info["lost"] == {
        "space": 0,
        "map": 3,
        "limit": 0,
        "tracer": 0,
        "attach": 0,
        "plugin": 0,
        "user": 0,
    }
    assert info["uid"] == os.geteuid()
    assert info["damaged"] == 0
    assert info["supervisor"][0] == os.getpid()
    assert 0 < info["used"] <= info["size"]
    assert info["allocated"] > 0


def test_processes(folder: Path) -> None:
    segment = Segment(folder)
    segment.process()
    child = os.fork()
    if child == 0:
        segment.process(done=True)
        os._exit(0)
    os.waitpid(child, 0)
    newest, oldest = _merge.Copy(segment.fd).processes()
    assert (oldest["pid"], oldest["alive"], oldest["state"]) == (os.getpid(), True, "attached")
    assert (newest["pid"], newest["alive"], newest["state"]) == (child, False, "done")
    assert newest["parent"] == os.getpid()
    assert oldest["interpreter"] == 0x030D00F0
    assert newest["forked"] is False


def test_files_lines_packages(folder: Path) -> None:
    segment = Segment(folder)
    segment.lines(B, [1, 2])
    segment.lines(B, [2, 3, 500], "t")
    segment.lines(A, [0])
    segment.package("pkg.sub", "/src/pkg")
    copy = _merge.Copy(segment.fd)
    assert copy.files() == [A, B]
    assert (copy.lines(A), copy.lines(B)) == (0, 4)
    assert copy.packages() == [("pkg.sub", "/src/pkg")]
    with pytest.raises(KeyError):
        copy.lines(C)


def test_copy_does_not_change_with_the_segment(folder: Path, target: Path) -> None:
    segment = Segment(folder)
    segment.lines(A, [1])
    copy = _merge.Copy(segment.fd)
    segment.lines(A, [2])
    copy.write(target, coverage_version=VERSION)
    assert read(target).lines(A) == [1]


def test_not_a_segment(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"nothing" * 100000)
    with path.open("rb") as file, pytest.raises(_merge.SegmentError, match="segment"):
        _merge.Copy(file.fileno())
    with pytest.raises(_merge.SegmentError, match="Bad file descriptor"):
        _merge.Copy(12345)


def test_write_needs_a_version(folder: Path, target: Path) -> None:
    copy = _merge.Copy(Segment(folder).fd)
    with pytest.raises(TypeError):
        copy.write(str(target))  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        _merge.check_target(str(target))  # type: ignore[call-arg]


# -- the module --


def test_one_sqlite_in_the_process() -> None:
    """Two would not see each other's locks."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    assert len({line.split()[-1] for line in maps if "libsqlite3" in line}) <= 1
    extension = Path(_merge.__file__).read_bytes()
    assert b"libsqlite3.so" in extension
    assert b"SQLite format 3" not in extension


def test_several_threads_use_one_copy(folder: Path, target: Path) -> None:
    segment = Segment(folder, branch=True)
    for number in range(50):
        path = f"/src/{number}.py"
        segment.lines(path, range(1, 40))
        segment.branch(path, (1, TRAIL, [2, 3]))
    copy = _merge.Copy(segment.fd)
    errors: list[Exception] = []

    def use(number: int) -> None:
        try:
            for path in copy.multiline_wanted():
                copy.set_multiline(path, {1: 1, 2: 1} if number % 2 else {})
                assert copy.lines(path) == 39
            copy.write(f"{target}{number}", coverage_version=VERSION)
            copy.packages(), copy.processes(), copy.info()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=use, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for number in range(6):
        for path in copy.files():
            found = set(read(Path(f"{target}{number}")).arcs(path) or [])
            assert len(found & {(1, 2), (1, 3)}) == 1


def test_in_a_subinterpreter() -> None:
    code = "from shmcov import _merge; _merge.Copy; _merge.DataError"
    interpreters: Any = pytest.importorskip(
        "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    )
    interpreter = interpreters.create()
    try:
        path = f"import sys; sys.path[:] = {sys.path!r}; "
        failed = interpreters.run_string(interpreter, path + code)
        assert failed is None
    finally:
        interpreters.destroy(interpreter)
