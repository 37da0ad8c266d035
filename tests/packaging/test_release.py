# SPDX-License-Identifier: Apache-2.0
"""The steps of a release, in a small repository: what each does, and what each refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import shmcov

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / ".ci/release.py"

CHANGELOG = """# Changelog

## [Unreleased]

To be 0.1.0, the first version.

### Added

- Everything.
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def release(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, RELEASE, *arguments], cwd=folder, capture_output=True, text=True
    )


def refused(folder: Path, *arguments: str) -> str:
    result = release(folder, *arguments)
    assert result.returncode == 1
    assert result.stderr.startswith("release: ")
    return result.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    version = tmp_path / "runtime/shmcov/__init__.py"
    version.parent.mkdir(parents=True)
    version.write_text('x = 1\n\n__version__ = "0.0.1"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "Makefile").write_text("all:\n")
    git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "m")


def test_prepare_check_and_tag(folder: Path) -> None:
    assert release(folder, "prepare", "0.1.0").returncode == 0
    changelog = (folder / "CHANGELOG.md").read_text()
    assert re.search(
        r"## \[Unreleased\]\n\n## \[0.1.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- Every", changelog
    )
    assert '\n__version__ = "0.1.0"\n' in (folder / "runtime/shmcov/__init__.py").read_text()
    assert "not committed" in refused(folder, "check", "--fast")
    commit(folder)
    assert release(folder, "check", "--fast").returncode == 0
    git(folder, "config", "user.name", "n")
    git(folder, "config", "user.email", "e@example.org")
    assert release(folder, "tag", "--fast").stdout.endswith("git push origin v0.1.0\n")
    assert git(folder, "tag") == "v0.1.0\n"
    assert "v0.1.0 exists" in refused(folder, "check", "--fast")


def test_refusals(folder: Path) -> None:
    assert "newest entry" in refused(folder, "check", "--fast")
    assert "not a version" in refused(folder, "prepare", "1.0")
    assert release(folder, "prepare", "0.1.0").returncode == 0
    commit(folder)
    assert "what is new" in refused(folder, "prepare", "0.1.1")
    version = folder / "runtime/shmcov/__init__.py"
    version.write_text('__version__ = "0.1.1"\n')
    commit(folder)
    assert "newest entry of CHANGELOG.md with a date is of 0.1.0" in refused(folder, "tag")
    assert git(folder, "tag") == ""


def test_the_version_is_in_one_place() -> None:
    """What else needs it takes it from there."""
    version = re.compile(rf"(?<![\d.]){re.escape(shmcov.__version__)}(?![\d.])")
    files = [ROOT / "pyproject.toml", ROOT / "CMakeLists.txt", *(ROOT / "cmake").iterdir()]
    files += (ROOT / "runtime").rglob("*.py")
    found = [path for path in files if version.search(path.read_text())]
    assert found == [ROOT / "runtime/shmcov/__init__.py"]


def test_the_installed_package_has_that_version() -> None:
    assert metadata.version("shmcov") == shmcov.__version__
