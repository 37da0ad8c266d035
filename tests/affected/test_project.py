# SPDX-License-Identifier: Apache-2.0
"""The files of a project, and who imports whom."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from coverage.exceptions import CoverageException
from shmcov.affected import blocks
from shmcov.affected.project import Revision, Tree, importers, may_matter, packages, reached


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a.py", "pkg/__init__.py", "data.json", "env/pyvenv.cfg", "env/lib.py", ".x/y.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"x = {name!r}\n")
    return tmp_path


def git(root: Path, *args: str) -> None:
    who = ["-c", "user.email=a@example.org", "-c", "user.name=a"]
    subprocess.run(["git", *who, *args], cwd=root, check=True, capture_output=True)


def test_without_git(root: Path) -> None:
    assert Tree(root).names == {"a.py", "pkg/__init__.py", "data.json"}


def test_with_git(root: Path) -> None:
    git(root, "init", "-q")
    (root / ".gitignore").write_text("env\n")
    git(root, "add", "data.json", "a.py", ".gitignore")
    (root / "result.xml").write_text("")
    expected = {".gitignore", ".x/y.py", "a.py", "data.json", "pkg/__init__.py"}
    assert Tree(root).names == expected
    assert Tree(root).python == {".x/y.py", "a.py", "pkg/__init__.py"}


def test_a_revision(root: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", "a.py", "data.json")
    git(root, "commit", "-qm", "x")
    then = {name: Tree(root).hash(name) for name in ("a.py", "data.json")}
    (root / "a.py").write_text("x = 2\n")
    (root / "data.json").unlink()
    now, since = Tree(root), Revision(root, "HEAD")
    since.same_as(now)
    assert since.names == {"a.py", "data.json"}
    assert {name: since.hash(name) for name in since.names} == then
    assert now.hash("a.py") != then["a.py"]
    assert now.hash("data.json") == ""
    with pytest.raises(CoverageException, match="nothing is no revision that git knows in"):
        Revision(root, "nothing")


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("data.json", True),
        ("tests/page.html", True),
        ("README.md", False),
        ("docs/a/b.rst", False),
        (".github/workflows/ci.yml", False),
        ("LICENSE.txt", False),
        ("big/x.bin", False),
    ],
)
def test_what_may_matter(name: str, matters: bool) -> None:
    assert may_matter(name, ["*.bin"]) == matters


def test_importers() -> None:
    texts = {
        "src/pkg/__init__.py": "from .core import run",
        "src/pkg/core.py": "from . import util\nfrom .. import none",
        "src/pkg/util.py": "import json",
        "src/pkg/alone.py": "x = 1",
        "tests/test_run.py": "import pkg",
        "tests/test_util.py": "from pkg import util",
        "tests/test_late.py": "def test():\n    import pkg.util",
        "tests/test_none.py": "import other",
    }
    graph = importers({name: blocks.of(text.encode()).imports for name, text in texts.items()})
    assert graph["src/pkg/core.py"] == {"src/pkg/__init__.py"}
    assert reached({"src/pkg/util.py"}, graph) == {
        "src/pkg/util.py",
        "src/pkg/core.py",
        "src/pkg/__init__.py",
        "tests/test_run.py",
        "tests/test_util.py",
        "tests/test_late.py",
    }
    assert reached({"src/pkg/alone.py"}, graph) == {"src/pkg/alone.py"}


def test_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    before = packages()
    (tmp_path / "shop-1.0.dist-info").mkdir()
    first = packages()
    (tmp_path / "shop-1.0.dist-info").rename(tmp_path / "shop-1.1.dist-info")
    assert len({before, first, packages()}) == 3
    assert packages() == packages()
