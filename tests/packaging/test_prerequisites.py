# SPDX-License-Identifier: Apache-2.0
"""What a build from source says where something is missing: all of it at once, with the packages to
install, before CMake says anything of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
TOOLS = ["cc", "pkg-config"]


def where(tool: str) -> str:
    """The system's first: what others put into PATH may be a script that needs PATH itself."""
    return shutil.which(tool, path=f"{os.defpath}:{os.environ['PATH']}") or ""


pytestmark = pytest.mark.skipif(
    not all(map(where, ["cmake", *TOOLS])), reason="needs what a build needs"
)

PACKAGES = {
    "a C compiler": "Debian: gcc   Fedora: gcc   Alpine: gcc musl-dev",
    "the headers of Python": "Debian: python3-dev   Fedora: python3-devel   Alpine: python3-dev",
    "pkg-config": "Debian: pkg-config   Fedora: pkgconf-pkg-config   Alpine: pkgconf",
    "SQLite": "Debian: libsqlite3-dev   Fedora: sqlite-devel   Alpine: sqlite-dev",
    "liburcu": "Debian: liburcu-dev   Fedora: userspace-rcu-devel   Alpine: userspace-rcu-dev",
}

WITHOUT_HEADERS = """#!/bin/sh
echo "3.13;/nowhere/include;0"
"""
FREE = """#!/bin/sh
echo "3.13;{headers};1"
"""
KNOWS_ONLY = """#!/bin/sh
for name; do
    case $name in --exists | {known}) ;; *) exit 1 ;; esac
done
"""


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder for PATH in which everything is."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(where(tool))
    return folder


def check(
    path: Path, python: Path | None = None, sqlite: str = "system"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(where("cmake"), "-DSHMCOV_RUNTIME=ON", f"-DSHMCOV_SQLITE={sqlite}"),
            f"-DPython_EXECUTABLE={python or sys.executable}",
            *("-P", ROOT / "cmake/prerequisites.cmake"),
        ],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
    )


def named(result: subprocess.CompletedProcess[str]) -> set[str]:
    """Which of PACKAGES the message names, each with the right packages."""
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    if result.returncode == 0:
        return set()
    assert lines[0].startswith("CMake Error at ")
    assert lines[1] == "shmcov is compiled here, and this is missing:"
    names = set()
    for name, packages in PACKAGES.items():
        for number, line in enumerate(lines):
            if line.startswith(name):
                assert lines[number + 1] == packages
                names.add(name)
    return names


def test_nothing_is_missing(path: Path) -> None:
    result = check(path)
    assert (result.returncode, result.stderr) == (0, "")


def test_no_compiler(path: Path) -> None:
    (path / "cc").unlink()
    assert named(check(path)) == {"a C compiler"}


def test_no_headers(path: Path, tmp_path: Path) -> None:
    python = script(tmp_path / "python", WITHOUT_HEADERS)
    assert named(check(path, python)) == {"the headers of Python"}


def test_no_pkg_config(path: Path) -> None:
    """Nobody knows then what else is there, so it is named too."""
    (path / "pkg-config").unlink()
    expected = {"pkg-config", "SQLite"} | ({"liburcu"} if FREE_THREADED else set())
    assert named(check(path)) == expected


def test_no_sqlite(path: Path) -> None:
    (path / "pkg-config").unlink()
    script(path / "pkg-config", KNOWS_ONLY.format(known="liburcu-bp | liburcu-cds"))
    assert named(check(path)) == {"SQLite"}


def test_a_sqlite_of_our_own_needs_no_package(path: Path, tmp_path: Path) -> None:
    (tmp_path / "sqlite3.c").touch()
    (path / "pkg-config").unlink()
    gil = FREE.format(headers=sysconfig.get_path("include")).replace(";1", ";0")
    result = check(path, script(tmp_path / "python", gil), sqlite=str(tmp_path))
    assert (result.returncode, result.stderr) == (0, "")
    (tmp_path / "sqlite3.c").unlink()
    result = check(path, sqlite=str(tmp_path))
    assert result.returncode != 0
    assert "has no sqlite3.c" in " ".join(result.stderr.split())  # CMake breaks lines


def test_liburcu_is_needed_without_the_gil_only(path: Path, tmp_path: Path) -> None:
    (path / "pkg-config").unlink()
    script(path / "pkg-config", KNOWS_ONLY.format(known="sqlite3"))
    headers = sysconfig.get_path("include")
    free = script(tmp_path / "python", FREE.format(headers=headers))
    assert named(check(path, free)) == {"liburcu"}
    script(tmp_path / "python", FREE.format(headers=headers).replace(";1", ";0"))
    assert named(check(path, free)) == set()


def test_everything_is_missing(path: Path, tmp_path: Path) -> None:
    for tool in TOOLS:
        (path / tool).unlink()
    python = script(tmp_path / "python", WITHOUT_HEADERS.replace(";0", ";1"))
    assert named(check(path, python)) == set(PACKAGES)


def test_pip_shows_it_first(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("scikit_build_core", reason="is not there to build with")
    (path / "cc").unlink()
    for tool in ("cmake", "ninja"):
        (path / tool).symlink_to(where(tool))
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
            *("-w", tmp_path / "out", ROOT),
        ],
        env={"PATH": str(path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    errors = result.stdout + result.stderr
    message = errors.index("this is missing:")
    assert "rror" not in errors[errors.index("***") : errors.index("CMake Error at cmake/")]
    assert errors.index("a C compiler") > message
    assert "No CMAKE_C_COMPILER" not in errors
