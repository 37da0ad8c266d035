# SPDX-License-Identifier: Apache-2.0
"""Canonical names: canon.c against abs_file() and canonical_filename() of coverage.py."""

from __future__ import annotations

import ctypes
import random
import sys
from pathlib import Path

import coverage.files
import pytest
from coverage.files import abs_file
from select_library import LONG, Selection
from select_world import World
from shmcov import _merge


def test_canonical(library: ctypes.CDLL, world: World) -> None:
    """abs_file() of chains of folders, links, dots and what does not exist."""
    rng = random.Random(0)
    parts = [
        *["proj", "pkg", "mod.py", "..", "..", ".", "", "link", "linkdir", "up", "venvlink"],
        *["gone"],
        *["linked.py", "outside", "lib.zip", "späß", "sub"],
    ]
    with Selection(library, [(_merge.RULE_INCLUDE, "*")]) as selection:
        for _ in range(3000):
            name = "/".join([str(world.root), *rng.choices(parts, k=rng.randint(1, 7))])
            _, canonical = selection.decide(name, None, None)
            assert canonical == abs_file(name), name


def test_relative_names_prefer_the_current_folder(
    library: ctypes.CDLL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("here", "first", "second"):
        (tmp_path / folder / "sub").mkdir(parents=True)
    for name in ("here/a.py", "first/a.py", "second/b.py", "second/sub/c.py", "first/sub/d.py"):
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path / "here")
    paths = [str(tmp_path / "first"), "../second/", "", str(tmp_path / "gone"), "/"]
    monkeypatch.setattr(sys, "path", paths)
    coverage.files.CANONICAL_FILENAME_CACHE.clear()
    names = ["a.py", "b.py", "sub/c.py", "sub/d.py", "sub", "e.py", "../first/a.py", "tmp"]
    with Selection(library, [(_merge.RULE_INCLUDE, "*")]) as selection:
        for name in names:
            expected = coverage.files.canonical_filename(name)
            assert selection.decide(name, None, None) == (True, expected)


def test_a_folder_that_was_missing(library: ctypes.CDLL, tmp_path: Path) -> None:
    """Only what exists is remembered."""
    name = str(tmp_path / "later" / "x.py")
    (tmp_path / "real").mkdir()
    with Selection(library, [(_merge.RULE_INCLUDE, "*")]) as selection:
        assert selection.decide(name, None, None) == (True, name)
        (tmp_path / "later").symlink_to("real")
        assert selection.decide(name, None, None) == (True, str(tmp_path / "real" / "x.py"))
        assert selection.decide(name, None, None) == (True, str(tmp_path / "real" / "x.py"))


def test_more_folders_than_are_remembered(library: ctypes.CDLL, tmp_path: Path) -> None:
    with Selection(library, [(_merge.RULE_INCLUDE, "*")]) as selection:
        for _ in range(2):
            for i in range(6000):
                name = f"{tmp_path}{'/.' * (i % 80)}{'/' * (i // 80)}/x.py"
                assert selection.decide(name, None, None) == (True, f"{tmp_path}/x.py")


def test_relative_without_a_current_folder(
    library: ctypes.CDLL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with Selection(library, [(_merge.RULE_INCLUDE, "*")]) as selection:
        assert selection.decide("x.py", None, None) == (False, "")
        assert selection.decide("/x.py", None, None) == (True, "/x.py")


def test_long_names(library: ctypes.CDLL) -> None:
    with Selection(library, [(_merge.RULE_INCLUDE, "*")]) as selection:
        for size in (4090, 4095, 4096, 8192, 100_000):
            for prefix in ("/", "", "/x/../"):
                name = prefix + "d/" * (size // 2)
                assert selection.decide(name, name, name) == (True, abs_file(name))
        assert selection.status("/" + "a" * 50, None, None, 20) == (LONG, "")
        assert selection.status("a", None, None, 2) == (LONG, "")
