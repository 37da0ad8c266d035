# SPDX-License-Identifier: Apache-2.0
"""What coverage.py's own tests of combine are about, and what users of CI meet, as a table."""

from __future__ import annotations

import struct
from dataclasses import replace

from combine_support import Case, Shard, arcs, lines

A, B = "a = 1\nb = 2\nc = 3\nd = 4\n", "if 1:\n    x = 2\nelse:\n    x = 4\ny = 5\nz = 6\n"
SOURCES = {"a.py": A, "b.py": B}

ONE = lines(a=[1, 2], b=[1, 5])
TWO = lines(a=[2, 4], b=[3])
ARCS_ONE = arcs(a=[(-1, 1), (1, 2), (2, -1)], b=[(1, 2)])
ARCS_TWO = arcs(a=[(2, 3), (3, -1)], b=[(1, 4), (4, 5)])
PLAIN = {**SOURCES, ".coverage.1": ONE, ".coverage.2": TWO}
ARCS = {**SOURCES, ".coverage.1": ARCS_ONE, ".coverage.2": ARCS_TWO}


def paths(*lines: str, relative: bool = False) -> str:
    text = "[run]\nrelative_files = true\n" if relative else ""
    return text + "[paths]\nsource =\n" + "".join(f"    {line}\n" for line in lines)


def other_source(*names: str) -> Shard:
    return Shard({name: {"": [number, number + 1]} for number, name in enumerate(names, 1)})


def super_journal(name: str) -> bytes:
    """A journal that SQLite would roll back, and that names another file, which it would delete."""
    header = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + struct.pack(">IIIII", 1, 0, 1, 512, 4096)
    raw = name.encode()
    tail = struct.pack(">I", 1) + raw
    tail += struct.pack(">II", len(raw), sum(raw)) + b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
    return header.ljust(512, b"\0") + tail


def tracers(one: Shard, two: Shard) -> Case:
    return Case({"p.html": "x\n" * 9, ".coverage.1": one, ".coverage.2": two})


HTML = Shard({"@p.html": {"": [1, 2]}}, tracers={"@p.html": "first"})
HTML_OTHER = Shard({"@p.html": {"": [2, 3]}}, tracers={"@p.html": "second"})
HTML_NONE = Shard({"@p.html": {"": [2, 3]}})
TOUCHED = Shard({}, touched={"@p.html": ""})
TOUCHED_OTHER = Shard({}, touched={"@p.html": "second"})
HTML_ARCS = Shard(arcs={"@p.html": {"": [(-1, 1), (1, -1)]}}, tracers={"@p.html": "first"})
TOUCHED_ARCS = Shard(arcs={}, touched={"@p.html": ""})


def alike(spec: str, *, branches: bool = False) -> Case:
    """Files with the same letter are equal."""
    files = {}
    for number, letter in enumerate(spec):
        made = lines(all=range(1, 5), **{letter: [1, 3, 5]})
        if branches:
            made = arcs(all=[(1, 9)], **{letter: [(1, 3)]})
        files[f".coverage.{number}"] = made
    return Case(files)


CASES = {
    # -- what is found, and what becomes of it --
    "lines": Case(PLAIN),
    "branches": Case(ARCS),
    "one file": Case({**SOURCES, ".coverage.1": ONE}),
    "nothing there": Case(SOURCES),
    "nothing there, an old file": Case({**SOURCES, ".coverage": ONE}),
    "again": Case(PLAIN, [[], []]),
    "keep": Case(PLAIN, [["--keep"], ["--keep"], []]),
    "append": Case({**PLAIN, ".coverage": lines(a=[3])}, [["--append"]]),
    "append, no old file": Case(PLAIN, [["-a"]]),
    "append, in two steps": Case(PLAIN, [[".coverage.1"], ["--append"]]),
    "no append": Case({**PLAIN, ".coverage": lines(a=[3])}),
    "append and keep": Case({**ARCS, ".coverage": arcs(a=[(4, -1)])}, [["-a", "--keep"]]),
    "append, parallel": Case(
        {**PLAIN, ".coverage": lines(a=[3])}, [["-a"]], "[run]\nparallel = true\n"
    ),
    "parallel, no old file": Case(PLAIN, [["-a"]], "[run]\nparallel = true\n"),
    "quiet": Case(PLAIN, [["-q"], ["--quiet"]]),
    "report combines": Case(PLAIN, [["report"]], "[run]\nparallel = true\n"),
    "a folder": Case({**SOURCES, "in/.coverage.1": ONE, ".coverage.2": TWO}, [["in"]]),
    "folders": Case(
        {**SOURCES, "x/.coverage.1": ONE, "y/.coverage.2": TWO, ".coverage.3": ARCS_ONE},
        [["x", "y"]],
    ),
    "a folder and a file": Case(
        {
            **SOURCES,
            "x/.coverage.1": ONE,
            "x/.coverage.1-journal": "not a journal",
            "y/.coverage.2": TWO,
            "y/.coverage.x": ARCS_ONE,
        },
        [["x", "y/.coverage.2"]],
    ),
    "a folder and a file in it": Case({**SOURCES, "x/.coverage.1": ONE}, [["x", "x/.coverage.1"]]),
    "the same file twice": Case({**SOURCES, "one": ONE}, [["one", "./one"]]),
    "the same file twice, kept": Case({**SOURCES, "one": ONE}, [["--keep", "one", "one"]]),
    "an empty folder": Case({**SOURCES, "x/y": ""}, [["x"]]),
    "files of any name": Case({**SOURCES, "one": ONE, "two.db": TWO}, [["two.db", "one"]]),
    "the old file is named": Case({**PLAIN, ".coverage": lines(a=[3])}, [[".coverage", "."]]),
    "the old file is named, append": Case(
        {**PLAIN, ".coverage": lines(a=[3])}, [["-a", ".coverage", ".coverage.1"]]
    ),
    "no such path": Case(PLAIN, [["nowhere"], [".coverage.1", "nowhere"]]),
    "a data file of another name": Case(
        {**SOURCES, "cov.db.1": ONE, "cov.db.2": TWO, ".coverage.1": ARCS_ONE},
        [["--data-file=cov.db"]],
    ),
    "a data file in a new folder": Case(PLAIN, [["--data-file=new/er/data", ".coverage.1"]]),
    "a data file by the configuration": Case(
        {**SOURCES, "d/data.1": ONE, "d/data.2": TWO}, [[]], "[run]\ndata_file = d/data\n"
    ),
    "a configuration of another name": Case(
        {**SOURCES, "data.1": ONE, "rc": "[run]\ndata_file = data\n"}, [["--rcfile", "rc"]]
    ),
    "no configuration": Case(PLAIN, [["--rcfile=nowhere"]]),
    "an unknown option": Case(PLAIN, [["--no-such-option"]]),
    "help": Case(PLAIN, [["--help"]]),
    "debug": Case({**PLAIN, ".coverage.3": TWO, ".coverage.4": "x"}, [["--debug=combine"]]),
    "debug of paths": Case(PLAIN, [["--debug=pathmap", "-q"]], paths("src", "*/lib")),
    "a folder with strange characters": Case(PLAIN, folder="a [b] *c? #d%41 'e' ü\N{SNOWMAN}"),
    "a name with strange characters": Case(
        {**SOURCES, ".cov[x] #%41'\N{SNOWMAN}.1": ONE, ".cov[x] #%41'\N{SNOWMAN}.2": TWO},
        [["--data-file=.cov[x] #%41'\N{SNOWMAN}"]],
    ),
    "links": Case(
        {
            **SOURCES,
            "real/one": ONE,
            "two": TWO,
            ".coverage.1": "->real/one",
            ".coverage.2": "->two",
        }
    ),
    "the old file is a link": Case({**PLAIN, "real/old": lines(a=[3]), ".coverage": "->real/old"}),
    "the old file is a link, append": Case(
        {**PLAIN, "real/old": lines(a=[3]), ".coverage": "->real/old"}, [["-a"]]
    ),
    # -- the same data again --
    "all differ": alike("abcdef"),
    "all alike": alike("aaaaaa"),
    "some alike": alike("ababac"),
    "the last differs": alike("aaaaab"),
    "branches alike": alike("abab", branches=True),
    "alike and kept": replace(alike("aab"), commands=[["--keep"]]),
    "alike, one damaged": Case({**alike("aa").files, ".coverage.x": "x", ".coverage.y": "x"}),
    "a hash in the name": Case(
        {
            **SOURCES,
            ".coverage.host.pid1.Xabcdefghx.H12345678910h": ONE,
            ".coverage.host.pid2.Xabcdefghx.H12345678910h": TWO,
            ".coverage.host.pid3.Xabcdefghx.H1234567891_h": TWO,
        }
    ),
    "the same rows and other words": Case(
        {
            **SOURCES,
            ".coverage.1": replace(ONE, sql="insert into meta values ('when', 'now')"),
            ".coverage.2": replace(ONE, sql="insert into meta values ('when', 'then')"),
        }
    ),
    # -- what cannot be combined --
    "branches and then lines": Case({**SOURCES, ".coverage.1": ARCS_ONE, ".coverage.2": TWO}),
    "lines and then branches": Case({**SOURCES, ".coverage.1": ONE, ".coverage.2": ARCS_ONE}),
    "branches to lines": Case({**ARCS, ".coverage": ONE}, [["-a"]]),
    "lines to branches": Case({**PLAIN, ".coverage": ARCS_ONE}, [["-a"]]),
    "lines over branches": Case({**PLAIN, ".coverage": ARCS_ONE}),
    "a text": Case({**PLAIN, ".coverage.bad": "This is no data file.\n"}),
    "an empty file": Case({**PLAIN, ".coverage.0": "", ".coverage.9": ""}),
    "only an empty file": Case({**SOURCES, ".coverage.0": ""}),
    "nothing usable, an old file": Case(
        {**SOURCES, ".coverage": ONE, ".coverage.1": "x", ".coverage.2": "y"}
    ),
    "a link to nothing": Case({**PLAIN, ".coverage.0": "->nowhere"}),
    "a folder of such a name": Case({**PLAIN, ".coverage.d/file": "x"}),
    "another database": Case({**PLAIN, ".coverage.0": Shard(sql="drop table coverage_schema")}),
    "an older schema": Case(
        {**PLAIN, ".coverage.0": replace(ONE, sql="update coverage_schema set version = 6")}
    ),
    "a newer schema": Case(
        {**PLAIN, ".coverage.9": replace(ONE, sql="update coverage_schema set version = 99")}
    ),
    "no table of lines": Case({**PLAIN, ".coverage.0": replace(ONE, sql="drop table line_bits")}),
    "cut off": Case({**PLAIN, ".coverage.0": b"SQLite format 3\0" + b"\0" * 84}),
    "an old text": Case({**PLAIN, ".coverage": "This is no data file.\n"}),
    "an old text, append": Case({**PLAIN, ".coverage": "This is no data file.\n"}, [["-a"]]),
    "an old empty file": Case({**PLAIN, ".coverage": ""}),
    "an old empty file, append": Case({**PLAIN, ".coverage": ""}, [["-a"]]),
    "an old file of another schema": Case(
        {**PLAIN, ".coverage": replace(ONE, sql="update coverage_schema set version = 6")}, [["-a"]]
    ),
    "a folder for an old file": Case({**PLAIN, ".coverage/x": ""}),
    "a journal that names another file": Case(
        {
            **SOURCES,
            ".coverage.1": ONE,
            ".coverage.1-journal": super_journal("victim"),
            "victim": "x",
        }
    ),
    "such a journal at the old file": Case(
        {**PLAIN, ".coverage": ONE, ".coverage-journal": super_journal("victim"), "victim": "x"},
        [["-a"], []],
    ),
    # -- data of all kinds --
    "no data": Case({**PLAIN, ".coverage.0": Shard({}), ".coverage.9": Shard()}),
    "no data, neither lines nor branches": Case({**SOURCES, ".coverage.0": Shard()}),
    "no data, lines": Case({**SOURCES, ".coverage.0": Shard({})}),
    "no data of branches": Case({**SOURCES, ".coverage.0": Shard(arcs={})}),
    "no data of the other kind": Case({**PLAIN, ".coverage.0": Shard(arcs={})}),
    "no data of the other kind, last": Case({**PLAIN, ".coverage.9": Shard(arcs={})}),
    "no lines of a file": Case({**PLAIN, ".coverage.0": lines(a=[], b=[])}),
    "files that never ran": Case(
        {**PLAIN, "c.py": A, ".coverage.0": Shard({}, touched={"@c.py": "", "@a.py": ""})}
    ),
    "only files that never ran": Case({**SOURCES, ".coverage.0": Shard({}, touched={"@a.py": ""})}),
    "large numbers": Case(
        {
            "a.py": A,
            ".coverage.1": lines(a=[1, 7, 8, 255, 256, 70_000]),
            ".coverage.2": lines(a=[1_000_000]),
        }
    ),
    "arcs of large numbers": Case(
        {
            "a.py": A,
            ".coverage.1": arcs(a=[(-70_000, 70_000), (2**31 - 1, -(2**31)), (0, 0)]),
            ".coverage.2": arcs(a=[(1, 2), (-1, 1), (70_000, -1)]),
        }
    ),
    "bytes of zeros": Case(
        {
            **PLAIN,
            ".coverage.1": replace(
                ONE, sql="update line_bits set numbits = cast(numbits || x'0000' as blob)"
            ),
        }
    ),
    "contexts": Case(
        {
            **SOURCES,
            ".coverage.1": Shard(
                {"@a.py": {"": [1], "x": [1, 2], "y|run": [2]}, "@b.py": {"x": [1]}}
            ),
            ".coverage.2": Shard({"@a.py": {"": [1], "x": [3], "\N{SNOWMAN}": [4]}}),
        }
    ),
    "contexts of branches": Case(
        {
            **SOURCES,
            ".coverage.1": Shard(arcs={"@b.py": {"x": [(1, 2)], "y": [(1, 2), (2, 5)]}}),
            ".coverage.2": Shard(arcs={"@b.py": {"y": [(1, 2), (1, 4)], "z": [(4, 5)]}}),
        }
    ),
    "contexts that hit nothing": Case(
        {
            **PLAIN,
            ".coverage.0": replace(ONE, sql="insert into context (context) values ('never')"),
        }
    ),
    "tracers": Case(
        {
            "a.py": A,
            "p.html": "x\n",
            ".coverage.1": HTML,
            ".coverage.2": Shard(
                {"@p.html": {"": [3]}, "@q.html": {"": [1]}, "@a.py": {"": [1]}},
                tracers={"@p.html": "first", "@q.html": "third"},
            ),
        }
    ),
    "two tracers": tracers(HTML, HTML_OTHER),
    "a tracer and none": tracers(HTML, HTML_NONE),
    "no tracer and one": tracers(HTML_NONE, HTML),
    "a tracer, and touched": tracers(HTML, TOUCHED),
    "touched, and a tracer": tracers(TOUCHED, HTML),
    "a tracer, and touched by another": tracers(HTML, TOUCHED_OTHER),
    "touched by another, and a tracer": tracers(TOUCHED_OTHER, HTML),
    "a tracer, and touched, branches": tracers(HTML_ARCS, TOUCHED_ARCS),
    "touched, and a tracer, branches": tracers(TOUCHED_ARCS, HTML_ARCS),
    # -- names --
    "paths": Case(
        {
            **SOURCES,
            "sub/b.py": B,
            "t.html": "x\n",
            ".coverage.1": Shard(
                {"/home/u/src/a.py": {"": [1, 2]}, "/home/u/src/t.html": {"": [1]}},
                tracers={"/home/u/src/t.html": "html"},
            ),
            ".coverage.2": Shard(
                {"c:\\u\\test\\a.py": {"": [4]}, "c:\\u\\test\\sub\\b.py": {"": [3]}}
            ),
        },
        config=paths(".", "/home/u/src", "c:\\u\\test"),
    ),
    "paths, and there is no such file": Case(
        {**SOURCES, ".coverage.1": other_source("/w/src/a.py", "/w/src/none.py")},
        config=paths(".", "*/src"),
    ),
    "two files become one": Case(
        {
            "src/x.py": B,
            ".coverage.1": other_source("/one/d1/x.py", "/one/d2/x.py"),
            ".coverage.2": other_source("/two/d2/x.py"),
        },
        config=paths("src", "*/d1", "*/d2"),
    ),
    "two files become one, branches": Case(
        {
            "src/x.py": B,
            ".coverage.1": Shard(
                arcs={
                    "/1/d1/x.py": {"": [(1, 2)], "c": [(2, 5)]},
                    "/1/d2/x.py": {"": [(1, 2), (1, 4)]},
                }
            ),
            ".coverage.2": Shard(arcs={"@src/x.py": {"c": [(2, 5), (5, 6)]}}),
        },
        config=paths("src", "*/d1", "*/d2"),
    ),
    "two files become one, tracers": Case(
        {
            "src/x.py": B,
            ".coverage.1": Shard(
                {"/1/d1/x.py": {"": [1]}, "/1/d2/x.py": {"": [2]}},
                tracers={"/1/d1/x.py": "p", "/1/d2/x.py": "q"},
            ),
        },
        config=paths("src", "*/d1", "*/d2"),
    ),
    "the order of paths": Case(
        {
            "plugins/p.py": A,
            "girder/g.py": A,
            ".coverage.1": other_source("/ci/girder/g.py", "/ci/girder/plugins/p.py"),
        },
        config="[paths]\ngirder =\n    girder/\n    /ci/girder/\n"
        "plugins =\n    plugins/\n    /ci/girder/plugins/\n",
    ),
    "paths of Windows": Case(
        {
            "module/a.py": A,
            ".coverage.1": other_source("C:\\w\\project\\module\\a.py", "X:\\module\\a.py"),
            ".coverage.2": other_source("/w/project/module/a.py"),
        },
        config=paths("module", "*\\module", "X:\\"),
    ),
    "slashes": Case(
        {
            "src/a.py": A,
            "src/sub/b.py": B,
            ".coverage.1": other_source("src/a.py", "src/sub/b.py"),
            ".coverage.2": other_source("src\\a.py", "src\\sub\\b.py", "src\\sub/b.py"),
        }
    ),
    "relative files": Case(
        {
            "src/a.py": A,
            "lib/b.py": B,
            ".coverage.1": other_source("src/a.py", "/ci/7/lib/b.py"),
            ".coverage.2": other_source("lib\\b.py", "/ci/9/src/a.py", "C:\\ci\\src\\a.py"),
        },
        config="[run]\nrelative_files = true\n",
    ),
    "relative files and paths": Case(
        {
            "foo.py": A,
            "modsrc/__init__.py": A,
            ".coverage.1": other_source("foo.py", "lib/mod/__init__.py"),
            ".coverage.2": other_source("bar.py", "/x/mod/__init__.py"),
        },
        config=paths("modsrc", "*/mod", relative=True),
    ),
    "absolute and then relative": Case(
        {
            "sub/prog.py": A,
            ".coverage.1.abs": Shard({"@sub/prog.py": {"": [1]}}),
            ".coverage.2.rel": other_source("sub/prog.py"),
        },
        config="[run]\nrelative_files = true\n",
    ),
    "relative and then absolute": Case(
        {
            "sub/prog.py": A,
            ".coverage.1.rel": other_source("sub/prog.py"),
            ".coverage.2.abs": Shard({"@sub/prog.py": {"": [1]}}),
        },
        config="[run]\nrelative_files = true\n",
    ),
    "names of the old file": Case(
        {
            "src/a.py": A,
            ".coverage": other_source("/ci/src/a.py", "src\\a.py"),
            ".coverage.1": other_source("/ci/src/a.py", "src/a.py"),
        },
        [["-a"]],
        paths("src", "/ci/src"),
    ),
    "a pattern that is wrong": Case(PLAIN, [[]], paths("src", "/home/*")),
    "a result that is wrong": Case(PLAIN, [[]], paths("*/src", "/home")),
    "names with other letters": Case(
        {
            **SOURCES,
            ".coverage.1": other_source("/w/\N{SNOWMAN}.py", "/w/a b'c\".py", "<string>", ""),
        }
    ),
}

SAID_OTHERWISE = {
    "a folder and a file in it": "an input is deleted last, and not missed when it comes again",
    "the same file twice": "the same",
    "no table of lines": "the file that lacks it is named, and not the one that is written",
    "a folder for an old file": "coverage.py dies of an exception",
    "help": "-o is an option of ours",
}
LEFT_OTHERWISE = {"the old file is a link": "the link stays, as in each merge of ours"}
