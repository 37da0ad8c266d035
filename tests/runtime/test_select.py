# SPDX-License-Identifier: Apache-2.0
"""Which files are measured: the C code against coverage.py's own objects, name by name.

Nothing here says what the right answer is. Configurations, names and frames are made by hand where
a rule has an edge, and by seeded chance around them; both sides are asked, and each disagreement
is a failure.
"""

from __future__ import annotations

import ctypes
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import coverage.files
import pytest
from select_library import BadRules, Selection
from select_world import World
from shmcov import _merge, plan


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
    """The module that the caller of rt_rules_decide() has to pass."""
    name = frame.f_globals.get("__name__")
    if isinstance(name, str) and name != "__main__":
        return name
    spec = frame.f_globals.get("__spec__")
    if spec and isinstance(spec.name, str) and spec.name != "__main__":
        return str(spec.name)
    return name if isinstance(name, str) else None


def file_for(frame: Any) -> str | None:
    file = frame.f_globals.get("__file__")
    return str(file) if file else None


def is_impossible(canonical: str, module: str | None) -> bool:
    """Packages that only the program finds are known by name, and lie where the name says.

    Only chance gives their names to other files, and theirs other names.
    """
    for package in ("latepkg", "venvpkg"):
        named = (module or "").split(".")[0] == package
        if named or f"/{package}/" in canonical:
            tail = (module or "").replace(".", "/")
            if not (named and canonical.endswith((f"/{tail}.py", f"/{tail}/__init__.py"))):
                return True
    return False


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
            if is_impossible(disposition.canonical_filename, module):
                continue
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


def compare_names_of_plugins(
    library: ctypes.CDLL, world: World, rng: random.Random, config: dict[str, Any]
) -> None:
    """Those go through the rules as they are, relative or not."""
    cov, made = make(config)
    with Selection(library, made.rules) as selection:
        for name in world.names():
            frame = world.frame(rng, name)
            module = coverage.inorout.name_for_module(name, frame)
            path = coverage.files.abs_file(name)
            if is_impossible(path, module if isinstance(module, str) else None):
                continue
            reason = cov._inorout.check_include_omit_etc(name, frame)  # type: ignore[union-attr]
            matched = selection.match(path, module if isinstance(module, str) else None, name)
            assert matched == (reason is None), (reason, config, name, frame.f_globals, made.rules)


@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_names_of_plugins(library: ctypes.CDLL, world: World, number: int) -> None:
    compare_names_of_plugins(library, world, random.Random(number), CONFIGS[number])


@pytest.mark.parametrize("seed", range(10))
def test_names_of_plugins_random(library: ctypes.CDLL, world: World, seed: int) -> None:
    rng = random.Random(seed)
    compare_names_of_plugins(library, world, rng, world.config(rng))


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
    """A program adds to sys.path: names are found there, and virtual environments count."""
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
                module = module_for(frame)
                if is_impossible(disposition.canonical_filename, module):
                    continue
                traced, _ = selection.decide(name, file_for(frame), module)
                what = (disposition.reason, name, frame.f_globals, made.rules)
                assert traced == disposition.trace, what


# -- rules --


def test_the_library_of_another_interpreter(
    library: ctypes.CDLL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is where this process says, by whatever way, and not where the supervisor's is."""
    folder = tmp_path / "otherlib"
    (folder / "python9").mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    name = str(folder / "python9" / "json.py")
    for place, inside in (("link/python9", True), ("otherlib/python", False), ("nowhere", False)):
        monkeypatch.setattr(sys, "_stdlib_dir", str(tmp_path / place))
        with Selection(library, []) as selection:
            assert selection.decide(name, None, None)[0] is not inside
        with Selection(library, [(_merge.RULE_COVER_PYLIB, "")]) as selection:
            assert selection.decide(name, None, None)[0] is True
    with Selection(library, [(_merge.RULE_INCLUDE, name)]) as selection:
        assert selection.decide(name, None, None)[0] is True


def test_not_utf8(library: ctypes.CDLL, world: World) -> None:
    """A name that cannot be written to the data file is not measured."""
    name = os.fsdecode(os.fsencode(world.root) + b"/bad\xff/x.py")
    with Selection(library, [(_merge.RULE_SOURCE_DIR, str(world.root))]) as selection:
        assert selection.decide(name, None, None)[0] is False
        for raw in (
            *[b"/\x80", b"/\xc3", b"/\xc0\xaf", b"/\xed\xa0\x80", b"/\xf5\x80\x80\x80"],
            *[b"/\xe6\x97"],
        ):
            path = str(world.root) + os.fsdecode(raw)
            encodable = True
            try:
                path.encode()
            except UnicodeEncodeError:
                encodable = False
            assert selection.match(path, None) == encodable, raw


def test_package(library: ctypes.CDLL) -> None:
    rules = [
        (_merge.RULE_SOURCE_PKG, "a.b"),
        (_merge.RULE_SOURCE_PKG, "c"),
        (_merge.RULE_SOURCE_PKG_THIRD, "d"),
    ]
    with Selection(library, rules) as selection:
        names = ("a", "a.b", "a.b.c", "a.bc", "c", "d", "")
        answers = [selection.package(name) for name in names]
    assert answers == [None, "a.b", "a.b", None, "c", None, None]


def test_a_package_that_only_the_program_finds(library: ctypes.CDLL) -> None:
    rules = [
        (_merge.RULE_SOURCE_PKG, "p"),
        (_merge.RULE_SOURCE_PKG_THIRD, "p"),
        (_merge.RULE_THIRD_DIR, "/third"),
    ]
    with Selection(library, rules) as selection:
        for path, module, expected in (
            ("/third/p/__init__.py", "p", True),
            ("/third/p.py", "p", True),
            ("/third/p/x.py", "p.x", True),
            ("/third/deep/p/x/__init__.py", "p.x", True),
            ("/third/p/x.py", "p", False),
            ("/third/xp/x.py", "p.x", False),
            ("/third/q.py", "p.x", False),
            ("/third/p/x.py", "q.x", False),
            ("/elsewhere/q.py", "p.x", True),
            ("/third", "p.long.name", False),
        ):
            assert selection.match(path, module) == expected, (path, module)


def test_folders_of_the_interpreter(library: ctypes.CDLL) -> None:
    never = [(_merge.RULE_NEVER_DIR, "/never")]
    stdlib = [(_merge.RULE_STDLIB_DIR, "/std")]
    names = ("/never/x.py", "/std/x.py", "/neverx/x.py", "/x.py")
    for rules, expected in (
        ([*never, *stdlib], [False, False, True, True]),
        ([*never, *stdlib, (_merge.RULE_COVER_PYLIB, "")], [False, True, True, True]),
        ([*never, *stdlib, (_merge.RULE_INCLUDE, "*")], [True, True, True, True]),
        ([*never, *stdlib, (_merge.RULE_SOURCE_DIR, "/never")], [True, False, False, False]),
    ):
        with Selection(library, rules) as selection:
            assert [selection.match(name, None) for name in names] == expected


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
