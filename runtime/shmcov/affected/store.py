# SPDX-License-Identifier: Apache-2.0
"""What sessions recorded of tests, in one SQLite file: which blocks each test ran, and of what.

Each test belongs to the session that recorded it last, and a session knows the contents of all
files as they were then. So tests may be recorded at different times, on different machines, and
each is compared with what itself has seen.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from coverage.exceptions import DataError

from shmcov.affected.blocks import Source

NAME = ".shmcov-tests"
"""The file, in the folder that file names are relative to."""

VERSION = 1

SCHEMA = """
create table session (
    id integer primary key,
    python text not null,    -- sys.version
    packages text not null,  -- a hash
    variables text not null, -- JSON: environment variables that were named
    ignored text not null,   -- JSON: patterns of files that do not matter
    files blob not null      -- JSON, compressed: file to hash of its content
);
create table source (  -- a content that some session has seen
    name text not null,
    content text not null,
    parsed blob not null,  -- JSON, compressed: blocks and imports
    primary key (name, content)
) without rowid;
create table outside (  -- blocks that ran outside of tests
    session integer not null references session on delete cascade,
    file text not null,
    blocks text not null,  -- JSON
    primary key (session, file)
) without rowid;
create table ran (  -- blocks of a file that some test ran
    id integer primary key,
    file text not null,
    blocks text not null,  -- JSON, sorted
    unique (file, blocks)
);
create table test (
    id integer primary key,
    name text not null unique,
    session integer not null references session,
    passed integer not null,
    seconds real not null
);
create table test_ran (
    test integer not null references test on delete cascade,
    ran integer not null references ran,
    primary key (test, ran)
) without rowid;
"""


@dataclass
class Session:
    """What was there when tests ran."""

    python: str
    packages: str
    variables: dict[str, str | None]
    ignored: list[str]
    files: dict[str, str]
    """All files of the project: name to hash of the content."""
    outside: dict[str, list[str]] = field(default_factory=dict)
    """By file: blocks of functions that ran in no test."""


@dataclass
class Test:
    name: str
    passed: bool
    seconds: float
    ran: dict[str, tuple[str, ...]]
    """By file: the names of the blocks that the test ran."""
    session: int = 0


class Store:
    """The file at `path`, which need not exist. DataError names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        return self.path.exists()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self.path, timeout=30)
            try:
                db.execute("pragma foreign_keys = on")
                (version,) = db.execute("pragma user_version").fetchone()
                if version not in (0, VERSION):
                    raise DataError(
                        f"{self.path} was recorded by another version of shmcov: remove it, and "
                        "record again"
                    )
                with db:
                    db.execute("begin immediate")
                    if not version:
                        for statement in SCHEMA.split(";\n"):
                            db.execute(statement)
                        db.execute(f"pragma user_version = {VERSION}")
                    yield db
            finally:
                db.close()
        except (sqlite3.Error, zlib.error, ValueError, KeyError) as error:
            raise DataError(
                f"Couldn't use {self.path}: {error}. If it is damaged, remove it, and record again"
            ) from error

    def add(self, session: Session, sources: dict[str, Source], tests: Iterable[Test]) -> None:
        """Adds a session. Its tests take the place of what is known of them."""
        with self._opened() as db:
            number = _add_session(db, session, sources)
            for test in tests:
                _add_test(db, test, number)
            _tidy(db)

    def unite(self, path: Path) -> int:
        """Takes over all sessions of another file; returns the number of its tests."""
        other = Recorded(Store(path))
        with self._opened() as db:
            numbers = {
                old: _add_session(db, session, other.sources_of(session))
                for old, session in other.sessions.items()
            }
            for test in other.tests.values():
                _add_test(db, test, numbers[test.session])
            _tidy(db)
        return len(other.tests)


def beside(data_files: Iterable[str], target: Path) -> list[Path]:
    """The recordings in the folders of these data files, without that at `target`: NAME, and with
    whatever suffix shards gave it."""
    folders = dict.fromkeys(Path(file).parent for file in data_files)
    found = [path for folder in folders for path in sorted(folder.glob(f"{NAME}*"))]
    return [
        path
        for path in found
        if path.name[len(NAME) :][:1] in ("", ".")
        and not path.name.endswith("-journal")
        and path.resolve() != target.resolve()
    ]


class Recorded:
    """All that a store knows."""

    def __init__(self, store: Store) -> None:
        self.sessions: dict[int, Session] = {}
        self.tests: dict[str, Test] = {}
        self.sources: dict[tuple[str, str], Source] = {}
        """By name and content: those that some session has seen."""
        if not store.exists():
            return
        with store._opened() as db:
            rows = db.execute("select * from session")
            for number, python, packages, variables, ignored, files in rows:
                self.sessions[number] = Session(
                    python,
                    packages,
                    json.loads(variables),
                    json.loads(ignored),
                    json.loads(zlib.decompress(files)),
                )
            for number, file, blocks in db.execute("select * from outside"):
                self.sessions[number].outside[file] = json.loads(blocks)
            for name, content, parsed in db.execute("select * from source"):
                self.sources[name, content] = Source(**json.loads(zlib.decompress(parsed)))
            ran: dict[int, tuple[str, tuple[str, ...]]] = {
                number: (file, tuple(json.loads(blocks)))
                for number, file, blocks in db.execute("select * from ran")
            }
            tests: dict[int, Test] = {}
            for number, name, session, passed, seconds in db.execute("select * from test"):
                tests[number] = Test(name, bool(passed), seconds, {}, session)
            for number, which in db.execute("select * from test_ran"):
                file, names = ran[which]
                tests[number].ran[file] = names
            self.tests = {test.name: test for test in tests.values()}

    def sources_of(self, session: Session) -> dict[str, Source]:
        return {
            name: self.sources[name, content]
            for name, content in session.files.items()
            if (name, content) in self.sources
        }


def _packed(value: object) -> bytes:
    return zlib.compress(json.dumps(value).encode("utf-8", "surrogatepass"))


def _add_session(db: sqlite3.Connection, session: Session, sources: dict[str, Source]) -> int:
    number = db.execute(
        "insert into session (python, packages, variables, ignored, files) values (?, ?, ?, ?, ?)",
        (
            session.python,
            session.packages,
            json.dumps(session.variables),
            json.dumps(session.ignored),
            _packed(session.files),
        ),
    ).lastrowid
    assert number is not None
    db.executemany(
        "insert into outside values (?, ?, ?)",
        [(number, file, json.dumps(names)) for file, names in session.outside.items()],
    )
    known = set(db.execute("select name, content from source"))
    db.executemany(
        "insert into source values (?, ?, ?)",
        [
            (name, content, _packed({"blocks": source.blocks, "imports": source.imports}))
            for name, source in sources.items()
            if (name, content := session.files.get(name, "")) not in known
        ],
    )
    return number


def _add_test(db: sqlite3.Connection, test: Test, session: int) -> None:
    db.execute("delete from test where name = ?", (test.name,))
    number = db.execute(
        "insert into test (name, session, passed, seconds) values (?, ?, ?, ?)",
        (test.name, session, test.passed, test.seconds),
    ).lastrowid
    for file, names in test.ran.items():
        row = file, json.dumps(names)
        db.execute("insert or ignore into ran (file, blocks) values (?, ?)", row)
        db.execute(
            "insert into test_ran select ?, id from ran where file = ? and blocks = ?",
            (number, *row),
        )


def _tidy(db: sqlite3.Connection) -> None:
    """Drops what no test refers to any more."""
    db.execute("delete from ran where id not in (select ran from test_ran)")
    db.execute("delete from session where id not in (select session from test)")
    contents = {
        pair
        for (files,) in db.execute("select files from session")
        for pair in json.loads(zlib.decompress(files)).items()
    }
    gone = set(db.execute("select name, content from source")) - contents
    db.executemany("delete from source where name = ? and content = ?", gone)
