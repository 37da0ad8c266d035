# SPDX-License-Identifier: Apache-2.0
"""Which files are measured: the C code against coverage.py's own objects, name by name.

Nothing here says what the right answer is. Patterns, configurations, paths and frames are made by
hand where a rule has an edge, and by seeded chance around them; both sides are asked, and each
disagreement is a failure.
"""

from __future__ import annotations

import ctypes
import os
import random
import re
import sys
import types
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import coverage.files
import pytest
from coverage.exceptions import ConfigError
from coverage.files import GlobMatcher, abs_file
from select_library import ROOT, BadRules, Selection, compile_library

from shmcov import plan
from shmcov.plan import Rule

# Up to 7.10 a newline in a pattern sends coverage.py into an endless loop.
NEWLINES = coverage.files.G2RX_TOKENS[-1][0].pattern == r"[\s\S]"
# Up to 7.10 the folders of TreeMatcher are compared as they are written.
CANONICAL_TREES = "abs_file" in coverage.files.TreeMatcher.match.__code__.co_names


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return compile_library(tmp_path_factory.mktemp("select"))


# -- patterns --

PATTERNS = [
    *["*", "**", "***", "", "?", "*?", "/", "//", "/*", "/**", "*/", "**/", "*/*", "**/*"],
    *["*/**", "**/**", "**/**/a", "a/**", "a/**/b", "a/**/**/b", "a**", "**a", "a**/b", "a/**b"],
    *["a/*/b", "a/*b", "a*/b", "*a*/b", "*/a*", "*.py", "?.py", "a.py", "/a/b.py", "a/b.py"],
    *["*/a/*", "**/a/**", "*/a/b/*", "./a", "../a", "a/../b", "a\\b", "a\\*", "*\\a\\*", "\\a"],
    *["[a]", "[ab].py", "[a-c]x", "[^a]", "[!a]", "[^a-c]/x", "[]", "[^]", "[]]", "[", "]", "a[", "a]"],
    *["[a", "[]a]", "[]x[a]", "[^]x[a]", "[[]", "[a-]", "[-a]", "[--/]", "[c-a]", "[+--]", "[a--b]"],
    *["[a-b-c]", "[a/b]", "[/]x", "[.]", "[*]", "[?]", "[a][b]", "[a]**/x", "[a/]**/x", "[a*]/b"],
    *["x[*]*", "[**]", "[a**]", "[é-ü]x", "é", "é*", "?é", "日本/*.py", "*/日?/*", "[日-本]", "\U0001f40d?"],
    *["a b", "a+b", "a.b", "(a)", "a|b", "{a,b}", "$a", "^a", "a$", "#a", "~/a", "a,b", "@", "'", '"'],
    *["-", "_", "a-b_c", "--", "[&&]", "[a||b]", "[~~]", "%s", "a/./b", "a//b", "*//b", "**//b"],
    *["/a/*/", "/a/**/", "*/*/*/*", "**/a/**/b/**/c", "*a*a*a*a*b", "?" * 20, "*/" * 8, "a" * 300],
    *["*" + "a*" * 40 + "b", "/home/[a-z]*/src/*.py", "*/site-packages/*", "*/test_?[0-9].py"],
]
if NEWLINES:
    PATTERNS += ["\n", "a\nb", "a/*\n", "*/\n", "[a\nb]", "?\n", "/**\n", "**/\na", "/*\n\n"]

PIECES = [
    *["a", "b", "ab", "x", "é", "日", "0", "9", ".", ".py", "_", "-", " ", "+", "$", "^", "(", "|"],
    *["/", "/", "/", "\\", "*", "*", "**", "***", "?", "**/", "/**", "*/", "/*", "/**/"],
    *["[a]", "[ab]", "[^a]", "[a-c]", "[!a]", "[é-日]", "[", "]", "[/]", "[0-9]", "[*]", "[]", "[^]"],
]
LETTERS = ["a", "b", "ab", "x", "é", "日", "0", "/", "/", "\\", ".", ".py", "", "-", "[", "]", "*", "\n"]


def random_pattern(rng: random.Random) -> str:
    return "".join(rng.choices(PIECES, k=rng.randint(1, 7)))


def paths_for(rng: random.Random, pattern: str) -> list[str]:
    """Paths of which many match: the pattern with its wildcards filled in, and what is near."""

    def fill(match: re.Match[str]) -> str:
        token = match[0]
        if token.startswith("["):
            return rng.choice([*token[1:-1], *LETTERS])
        if token == "?":
            return rng.choice(LETTERS)
        return "".join(rng.choices(LETTERS, k=rng.randint(0, 4)))

    paths = []
    for _ in range(8):
        path = re.sub(r"\*+/?|\?|\[[^\]]*\]", fill, pattern)
        prefix = rng.choice(["", "", "/", "a/", "/a/b/", "\\", "x", "a\nb/"])
        suffix = rng.choice(["", "", "", "/", "/a.py", "\n", "x"])
        paths.append(prefix + path + suffix)
    path = paths[0]
    cut = rng.randrange(len(path) + 1)
    return [*paths, path[:cut], path[cut:], path[:cut] + rng.choice(LETTERS) + path[cut + 1 :]]


def glob_matcher(pattern: str) -> GlobMatcher | None:
    """coverage.py's matcher; None: an error, or a class that swallows what follows it."""
    if any(body in ("", "^") for body in re.findall(r"\[(.*?)\]", pattern.replace("\\", "/"))):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return GlobMatcher([pattern], "test")
    except (ConfigError, re.error):
        return None


def compare_globs(library: ctypes.CDLL, rng: random.Random, pattern: str) -> tuple[int, int]:
    """How many paths matched, and how many did not."""
    matcher = glob_matcher(pattern)
    try:
        selection = Selection(library, [(Rule.INCLUDE, pattern)])
    except BadRules:
        assert matcher is None, f"only the C code refuses {pattern!r}"
        return 0, 0
    with selection:
        assert matcher is not None, f"only coverage.py refuses {pattern!r}"
        count = [0, 0]
        for path in paths_for(rng, pattern):
            expected = matcher.match(path)
            assert selection.match(path, None) == expected, (pattern, path, expected)
            count[not expected] += 1
    return count[0], count[1]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern(library: ctypes.CDLL, pattern: str) -> None:
    rng = random.Random(pattern)
    for _ in range(6):
        compare_globs(library, rng, pattern)


@pytest.mark.parametrize("seed", range(4))
def test_random_patterns(library: ctypes.CDLL, seed: int) -> None:
    rng = random.Random(seed)
    counts = [compare_globs(library, rng, random_pattern(rng)) for _ in range(1000)]
    # The paths are worth something only if both answers are common.
    assert sum(yes for yes, _ in counts) > 400
    assert sum(no for _, no in counts) > 2000


def test_patterns_unite(library: ctypes.CDLL) -> None:
    """One matching pattern is enough, as in coverage.py's one joined regex."""
    rng = random.Random(0)
    for _ in range(300):
        patterns = [p for p in (random_pattern(rng) for _ in range(5)) if glob_matcher(p)]
        if not patterns:
            continue
        matcher = GlobMatcher(patterns, "test")
        with Selection(library, [(Rule.INCLUDE, pattern) for pattern in patterns]) as selection:
            for path in paths_for(rng, rng.choice(patterns)):
                assert selection.match(path, None) == matcher.match(path), (patterns, path)


def test_no_pattern_is_slow(library: ctypes.CDLL) -> None:
    pattern = "*/" + "*a" * 30 + "*b"
    with Selection(library, [(Rule.OMIT, pattern)]) as selection:
        assert selection.match("/" + "a" * 4000, None)


# -- configurations --


class World:
    """A project, a virtual environment, links, and what may be asked about them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in [
            *["proj/manage.py", "proj/pkg/__init__.py", "proj/pkg/mod.py", "proj/pkg/sub/__init__.py"],
            *["proj/pkg/sub/deep.py", "proj/pkg/omitted.py", "proj/pkgx.py", "proj/ns/part/leaf.py"],
            *["proj/tests/test_a.py", "proj/scripts/tool.py", "proj/späß/日本.py", "proj/a b/c+d.py"],
            *["proj/noext", "proj/pkg/__pycache__/mod.cpython-313.pyc", "outside/pkg/mod.py"],
            *["venv/pyvenv.cfg", "venv/lib/python3/site-packages/third/__init__.py"],
            *["venv/lib/python3/site-packages/third/inner.py", "venv/src/own/__init__.py"],
            *["venv/src/own/core.py", "venv/src/loose.py", "late/latepkg/__init__.py"],
            *["venv/late/venvpkg/__init__.py", "venv/late/venvpkg/sub.py", "late/latepkg/x.py"],
            *["proj/legacy.pyc", "proj/back\\slash.py", "proj/new\nline.py"],
        ]:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
        (root / "link").symlink_to("proj")
        (root / "proj" / "linked.py").symlink_to("../outside/pkg/mod.py")
        (root / "proj" / "linkdir").symlink_to(root / "outside")
        (root / "proj" / "up").symlink_to("..")
        (root / "loop_a").symlink_to("loop_b")
        (root / "loop_b").symlink_to("loop_a")
        (root / "venvlink").symlink_to("venv")
        with zipfile.ZipFile(root / "lib.zip", "w") as archive:
            archive.writestr("zipped/__init__.py", "")
            archive.writestr("zipped/mod.py", "")
        os.mkdir(os.fsencode(root) + b"/bad\xff")
        Path(os.fsdecode(os.fsencode(root) + b"/bad\xff/x.py")).write_text("")
        self.sys_path = [
            *[str(root / "proj"), *sys.path, str(root / "venv/lib/python3/site-packages")],
            *[str(root / "venvlink/src"), str(root / "lib.zip"), str(root / "missing"), ""],
        ]
        self.later = [str(root / "late"), str(root / "venv/late"), "../venv/late"]

    def names(self) -> list[str]:
        """File names as code objects and modules carry them."""
        root, proj = str(self.root), str(self.root / "proj")
        files = [str(p) for p in self.root.rglob("*") if p.is_file() and p.suffix in {".py", ".pyc"}]
        relative = [os.path.relpath(name, proj) for name in files]
        return [
            *files,
            *[name.replace(proj, f"{root}/link") for name in files if name.startswith(proj)],
            *[name.replace(f"{root}/venv/", f"{root}/venvlink/") for name in files if "/venv/" in name],
            *relative,
            *[f"./{name}" for name in relative[:8]],
            *["pkg/mod.py", "third/inner.py", "third/__init__.pyc", "own/core.py", "loose.py", "gone.py"],
            *["venvpkg/sub.py", "latepkg/x.py", "zipped/mod.py", "pkg//mod.py", "pkg/./mod.py", "pkg/"],
            *[f"{proj}/linkdir/pkg/mod.py", f"{proj}/linkdir/../pkg/mod.py", f"{proj}/linked.py"],
            *[f"{proj}/up/proj/up/proj/pkg/mod.py", f"{proj}/up/../x.py", f"{proj}/gone/../pkg/mod.py"],
            *[f"{root}/loop_a/x.py", f"{root}/loop_a", f"{root}/lib.zip/zipped/mod.py", f"{proj}/"],
            *[f"/{proj}/pkg/mod.py", f"//{proj}/pkg/mod.py", "/", "/x.py", "//x.py", "/../x.py", ".", ".."],
            *[f"{proj}/pkg/mod.pyc", f"{proj}/pkg/mod.pyo", f"{proj}/pkg/mod.pyx", f"{proj}/mod.so"],
            *["", "<string>", "<doctest x>", "<", "memory:x", "memory:/x.py", "memory", f"{proj}/<x>.py"],
            *[" ", "日本.py", "späß/日本.py", "é", "%s", f"{proj}/{'d/' * 40}x.py", ".py", f"{proj}/.py"],
            *[os.__file__, types.__file__, re.__file__, coverage.__file__, pytest.__file__],
            *[f"{os.path.dirname(os.__file__)}/xml/__init__.py", "pkg", f"{proj}/pkg", proj + "x/a.py"],
        ]

    def modules(self) -> list[object]:
        return [
            *["pkg", "pkg.mod", "pkg.sub.deep", "pkgx", "pkg.", "pkg.nope", "Pkg", "mod", "manage", ""],
            *["third", "third.inner", "own", "own.core", "ns", "ns.part", "ns.part.leaf", "latepkg"],
            *["latepkg.x", "venvpkg", "venvpkg.sub", "zipped", "zipped.mod", "os", "json", "späß", None],
            *["__main__", "__main__", "__main__", 5, b"pkg", "test_a", "x", "tool"],
        ]

    def frame(self, rng: random.Random, name: str) -> Any:
        """A frame as should_trace looks at it."""
        globals_: dict[str, object] = {}
        if rng.random() < 0.95:
            globals_["__name__"] = rng.choice(self.modules())
        if globals_.get("__name__") == "__main__" or rng.random() < 0.1:
            spec = rng.choice([None, "pkg", "pkg.__main__", "__main__", "third.inner", None, 7])
            globals_["__spec__"] = None if spec is None else types.SimpleNamespace(name=spec)
        kind = rng.randrange(7)
        if kind < 3:
            globals_["__file__"] = rng.choice([name, f"{name}c", os.path.abspath(name or "x")])
        elif kind == 3:
            globals_["__file__"] = rng.choice(self.names())
        elif kind == 4:
            other = os.path.dirname(rng.choice(self.names()))
            globals_["__file__"] = os.path.join(other, os.path.basename(name))
        elif kind == 5:
            globals_["__file__"] = rng.choice([None, "", Path(name or "x")])
        return types.SimpleNamespace(f_globals=globals_)

    def config(self, rng: random.Random) -> dict[str, Any]:
        root, proj = str(self.root), str(self.root / "proj")
        folders = [
            *[".", "pkg", "tests", "ns", "../outside", "linkdir", "späß", "a b", f"{root}/venv/src"],
            *[f"{root}/venv/lib/python3/site-packages/third", f"{root}/venv", root, f"{root}/link"],
            *[os.path.dirname(os.__file__), os.path.dirname(pytest.__file__)],
        ]
        packages = [
            *["pkg", "pkg.sub", "pkg.mod", "third", "third.inner", "own", "ns", "ns.part", "nope"],
            *["latepkg", "venvpkg", "zipped", "json", "manage", "tool", "pytest", "nope.sub"],
        ]
        patterns = [
            *["*/pkg/*", "pkg/*", "*/omitted.py", "*.py", "*", "pkg", "pkg/mod.py", f"{proj}/*"],
            *["tests/*", "*/tests/*", "**/sub/**", "?kg/*", "*/[a-m]*", "[o]*", "../outside/*", "späß/*"],
            *["*/site-packages/*", "*/venv/*", "link/*", f"{root}/link/*", "*/test_?.py", "a b/*", "*\\*"],
        ]

        def some(values: list[str], chance: float) -> list[str]:
            return rng.sample(values, rng.randint(1, 3)) if rng.random() < chance else []

        chance = rng.choice([0.0, 0.0, 0.6])
        return {
            "source": some(folders + packages, chance) or None,
            "source_pkgs": some(packages, chance),
            "source_dirs": some(folders, chance),
            "include": some(patterns, 0.4) or None,
            "omit": some(patterns, 0.4) or None,
            "cover_pylib": rng.random() < 0.4,
        }


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world").resolve())


@pytest.fixture(autouse=True)
def _inside(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(world.root / "proj")
    monkeypatch.setattr(sys, "path", list(world.sys_path))
    yield


def make(config: dict[str, Any]) -> tuple[coverage.Coverage, plan.Plan]:
    cov = coverage.Coverage(
        data_file=None,
        config_file=False,
        source=config.get("source"),
        include=config.get("include"),
        omit=config.get("omit"),
        cover_pylib=config.get("cover_pylib"),
    )
    cov.set_option("run:source_pkgs", config.get("source_pkgs", []))
    cov.config.source_dirs = config.get("source_dirs", [])
    return cov, plan.build(cov, branch=False, context=None)


def module_for(frame: Any) -> str | None:
    """What the caller of rt_rules_decide() has to pass as the module."""
    name = frame.f_globals.get("__name__")
    if isinstance(name, str) and name != "__main__":
        return name
    spec = frame.f_globals.get("__spec__")
    if spec and isinstance(spec.name, str):
        return str(spec.name)
    return name if isinstance(name, str) else None


def file_for(frame: Any) -> str | None:
    file = frame.f_globals.get("__file__")
    return str(file) if file else None


NO_FILE = {
    "original file name is not real",
    "empty string isn't a file name",
    "memory isn't traceable",
    "file name is not real",
}


def compare_decisions(
    library: ctypes.CDLL, world: World, rng: random.Random, config: dict[str, Any], names: list[str]
) -> tuple[int, int]:
    cov, made = make(config)
    inorout: Any = cov._inorout
    count = [0, 0]
    with Selection(library, made.rules) as selection:
        for name in names:
            frame = world.frame(rng, name)
            what = (config, name, frame.f_globals, made.rules)
            disposition = inorout.should_trace(name, frame)
            module = module_for(frame)
            traced, canonical = selection.decide(name, file_for(frame), module)
            assert traced == disposition.trace, (disposition.reason, *what)
            if disposition.reason in NO_FILE:
                assert canonical == "", what
            else:
                assert canonical == disposition.canonical_filename, what
            count[not traced] += 1
    return count[0], count[1]


CONFIGS: list[dict[str, Any]] = [
    {},
    {"cover_pylib": True},
    {"source": ["."]},
    {"source": ["pkg"]},
    {"source": ["pkgx", "third"]},
    {"source_pkgs": ["pkg", "own"]},
    {"source_pkgs": ["third"], "omit": ["*/inner.py"]},
    {"source_pkgs": ["third.inner"]},
    {"source_pkgs": ["venvpkg", "latepkg"]},
    {"source_pkgs": ["ns.part"]},
    {"source_pkgs": ["__main__", "manage"]},
    {"source_dirs": ["../venv/src"]},
    {"source_dirs": [".."]},
    {"source_dirs": ["linkdir"]},
    {"include": ["pkg/*", "*/x.py"]},
    {"include": ["pkg/*"], "omit": ["*/sub/*"]},
    {"include": ["*"], "cover_pylib": True},
    {"omit": ["*"]},
    {"omit": ["tests/*", "*/pkg/mod.py"], "cover_pylib": True},
    {"source": ["."], "include": ["tests/*"], "omit": ["pkg/*"]},
]


@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_config(library: ctypes.CDLL, world: World, number: int) -> None:
    rng = random.Random(number)
    for _ in range(2):
        compare_decisions(library, world, rng, CONFIGS[number], world.names())


@pytest.mark.parametrize("seed", range(10))
def test_random_configs(library: ctypes.CDLL, world: World, seed: int) -> None:
    rng = random.Random(seed)
    names = world.names()
    yes = no = 0
    for _ in range(8):
        counts = compare_decisions(library, world, rng, world.config(rng), rng.sample(names, 60))
        yes, no = yes + counts[0], no + counts[1]
    assert yes > 20 and no > 20


@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_sys_path_changes(
    library: ctypes.CDLL, world: World, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program adds to sys.path: relative names are found there, and virtual environments count."""
    rng = random.Random(number)
    cov, made = make(CONFIGS[number])
    inorout: Any = cov._inorout
    coverage.files.CANONICAL_FILENAME_CACHE.clear()
    with Selection(library, made.rules) as selection:
        for more in range(len(world.later) + 1):
            monkeypatch.setattr(sys, "path", [*world.sys_path, *world.later[:more]])
            coverage.files.CANONICAL_FILENAME_CACHE.clear()
            for name in world.names():
                frame = world.frame(rng, name)
                disposition = inorout.should_trace(name, frame)
                traced, _ = selection.decide(name, file_for(frame), module_for(frame))
                what = (disposition.reason, name, frame.f_globals, made.rules)
                assert traced == disposition.trace, what


# -- canonical names --


def test_canonical(library: ctypes.CDLL, world: World) -> None:
    """abs_file() of chains of folders, links, dots and what does not exist."""
    rng = random.Random(0)
    parts = [
        *["proj", "pkg", "mod.py", "..", "..", ".", "", "link", "linkdir", "up", "venvlink", "gone"],
        *["linked.py", "outside", "lib.zip", "späß", "sub"],
    ]
    with Selection(library, [(Rule.INCLUDE, "*")]) as selection:
        for _ in range(3000):
            name = "/".join([str(world.root), *rng.choices(parts, k=rng.randint(1, 7))])
            _, canonical = selection.decide(name, None, None)
            assert canonical == abs_file(name), name


def test_relative_without_a_current_folder(
    library: ctypes.CDLL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with Selection(library, [(Rule.INCLUDE, "*")]) as selection:
        assert selection.decide("x.py", None, None) == (False, "")
        assert selection.decide("/x.py", None, None) == (True, "/x.py")


def test_long_names(library: ctypes.CDLL) -> None:
    with Selection(library, [(Rule.INCLUDE, "*")]) as selection:
        for size in (4090, 4095, 4096, 8192, 100_000):
            for prefix in ("/", "", "/x/../"):
                name = prefix + "d/" * (size // 2)
                traced, canonical = selection.decide(name, name, name)
                assert not traced or canonical == abs_file(name)
        assert selection.decide("/" + "a" * 50, None, None, size=20) == (False, "")
        assert selection.decide("a", None, None, size=2) == (False, "")


def test_not_utf8(library: ctypes.CDLL, world: World) -> None:
    """A name that cannot be written to the data file is not measured."""
    name = os.fsdecode(os.fsencode(world.root) + b"/bad\xff/x.py")
    with Selection(library, [(Rule.SOURCE_DIR, str(world.root))]) as selection:
        assert selection.decide(name, None, None)[0] is False
        for raw in (b"/\x80", b"/\xc3", b"/\xc0\xaf", b"/\xed\xa0\x80", b"/\xf5\x80\x80\x80", b"/\xe6\x97"):
            path = str(world.root) + os.fsdecode(raw)
            encodable = True
            try:
                path.encode()
            except UnicodeEncodeError:
                encodable = False
            assert selection.match(path, None) == encodable, raw


# -- rules --


def test_package(library: ctypes.CDLL) -> None:
    rules = [(Rule.SOURCE_PKG, "a.b"), (Rule.SOURCE_PKG, "c"), (Rule.SOURCE_PKG_THIRD, "d")]
    with Selection(library, rules) as selection:
        answers = {name: selection.package(name) for name in ("a", "a.b", "a.b.c", "a.bc", "c", "d", "")}
    assert answers == {
        **{"a": None, "a.b": "a.b", "a.b.c": "a.b", "a.bc": None, "c": "c", "d": None, "": None}
    }


@pytest.mark.parametrize(
    "packed",
    [
        b"\1",
        b"\1\0\0\0\1\0\0",
        b"\1\0\0\0\1\0\0\0",
        b"\1\0\0\0\xff\xff\xff\xff" + b"x" * 8,
        b"\0\0\0\0\1\0\0\0x" + b"\0" * 7,
        b"\x63\0\0\0\1\0\0\0x" + b"\0" * 7,
        b"\1\0\0\0\3\0\0\0x\0y" + b"\0" * 5,
        b"\3\0\0\0\3\0\0\0***" + b"\0" * 5,
    ],
)
def test_damaged_rules(library: ctypes.CDLL, packed: bytes) -> None:
    with pytest.raises(BadRules):
        Selection(library, packed)


def test_random_bytes_as_rules(library: ctypes.CDLL) -> None:
    rng = random.Random(0)
    good = bytearray(
        b"".join(b"%c\0\0\0\5\0\0\0a/*.x\0\0\0" % kind for kind in (1, 2, 3, 4, 5, 6, 7, 8, 11))
    )
    for _ in range(3000):
        packed = bytearray(good[: rng.randrange(len(good) + 1)])
        for _ in range(rng.randint(0, 4)):
            if packed:
                packed[rng.randrange(len(packed))] = rng.randrange(256)
        try:
            selection = Selection(library, bytes(packed))
        except BadRules:
            continue
        with selection:
            selection.match("/a/b.x", "a.b")


def test_no_rules(library: ctypes.CDLL) -> None:
    with Selection(library, b"") as selection:
        assert selection.decide("/x.py", None, None) == (True, "/x.py")


def test_rule_numbers_are_those_of_the_layout() -> None:
    text = (ROOT / "shm" / "layout.h").read_text()
    body = re.search(r"enum seg_rule_kind \{(.*?)\}", text, re.S)
    assert body
    names = re.findall(r"^\s+SEG_RULE_(\w+)(?: = 1)?,", body[1], re.M)
    assert [rule.name for rule in Rule] == names
    assert [int(rule) for rule in Rule] == list(range(1, len(names) + 1))
    for flag, value in (("BRANCH", plan.FLAG_BRANCH), ("TEST_FUNCTION", plan.FLAG_TEST_FUNCTION)):
        assert f"#define SEG_FLAG_{flag} UINT32_C({value})" in text
