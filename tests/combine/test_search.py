# SPDX-License-Identifier: Apache-2.0
"""Searches for shards that `shmcov combine` and `coverage combine` do not combine alike."""

from __future__ import annotations

import tempfile
from pathlib import Path

import coverage.exceptions
import hypothesis
import pytest
from combine_support import Case, Content, Shard, Tools
from hypothesis import strategies as st

FILES = (
    "@src/a.py",
    "src/a.py",
    "src\\a.py",
    "/ci/1/src/a.py",
    "C:\\ci\\src\\a.py",
    "@src/sub/b.py",
    "/ci/2/src/sub/b.py",
    "lib/b.py",
    "/ci/lib/b.py",
    "/elsewhere/p.html",
    "/elsewhere/\N{SNOWMAN}.py",
)
SOURCES = {"src/a.py": "a = 1\n" * 9, "src/sub/b.py": "b = 1\n" * 9, "lib/b.py": "b = 1\n" * 9}
CONFIGS = (
    "",
    "[run]\nrelative_files = true\n",
    "[paths]\nsource =\n    src\n    /ci/*/src\n    C:\\ci\\src\n",
    "[run]\nrelative_files = true\n[paths]\nsrc =\n    src\n    */src\nlib =\n    lib\n    */lib\n",
    "[paths]\nall =\n    src\n    */src\n    */lib\n",
)
COMMANDS = ((), ("--append",), ("--keep",), ("--append", "--keep"), ("-q",))

files = st.sampled_from(FILES)
contexts = st.sampled_from(("", "one", "two|run", "three"))
numbers = st.one_of(st.integers(1, 9), st.sampled_from((16, 255, 256, 4000)))
ends = st.one_of(st.integers(-9, 9), st.sampled_from((-4000, 255, 256)))
tracers = st.dictionaries(
    st.one_of(st.just("/elsewhere/p.html"), files), st.sampled_from(("p", "q")), max_size=1
)
damage = st.sampled_from(
    (b"", b"no database", b"SQLite format 3\0" + bytes(84), b"SQLite format 3")
)


def by_file(values: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, dict[str, object]]]:
    data = st.lists(values, max_size=4)
    return st.dictionaries(files, st.dictionaries(contexts, data, max_size=3), max_size=4)


with_lines = st.builds(
    lambda lines, touched, tracers: Shard(lines, touched=touched, tracers=tracers),
    by_file(numbers),
    tracers | st.dictionaries(files, st.just(""), max_size=2),
    tracers,
)
with_arcs = st.builds(
    lambda arcs, touched: Shard(arcs=arcs, touched=touched),
    by_file(st.tuples(ends, ends)),
    tracers | st.dictionaries(files, st.just(""), max_size=2),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Mostly shards that go together; an old file; one that does not belong to them or is damaged;
    equal ones."""
    usual, other = draw(st.permutations((with_lines, with_arcs)))
    shards: list[Content] = list(draw(st.lists(usual, min_size=1, max_size=4)))
    for chance, more in (
        (4, other),
        (3, damage),
        (4, st.just(Shard())),
        (2, st.sampled_from(shards)),
    ):
        if draw(st.integers(1, chance)) == 1:
            shards.insert(draw(st.integers(0, len(shards))), draw(more))
    contents: dict[str, Content] = dict(SOURCES)
    contents |= {f".coverage.{number}": shard for number, shard in enumerate(shards)}
    if draw(st.booleans()):
        contents[".coverage"] = draw(usual)
    return Case(contents, [draw(st.sampled_from(COMMANDS))], draw(st.sampled_from(CONFIGS)))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("search")


@hypothesis.given(case=cases())
def test_same(tools: Tools, place: Path, case: Case) -> None:
    try:
        with tempfile.TemporaryDirectory(dir=place) as folder:
            tools.compare(case, Path(folder), one_of_several=True)
    except coverage.exceptions.DataError:
        hypothesis.reject()  # two tracers for a file
