# SPDX-License-Identifier: Apache-2.0
"""The sdist must build without the checkout, and the wheel must put each file in its place.

The start-up file works only at the root of site-packages, beside its extension, and only if its
name sorts before that of coverage.py's.
"""

import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist of the checkout, and the wheel that is built from the sdist, as quickly as it can
    be: nothing runs it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", out, "-C", "cmake.build-type=Debug", ROOT]
    subprocess.run(
        [*command, *["--no-isolation"] * bool(find_spec("scikit_build_core"))], check=True
    )
    (sdist,) = out.glob("*.tar.gz")
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


def test_sdist_carries_every_part(built):
    with tarfile.open(built[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    parts = ("cmake/", "shm/", "merge/", "runtime/", "tests/")
    parts += ("CMakeLists.txt", "LICENSE", "README.md")
    expected = {name for name in tracked if name.startswith(parts) and (ROOT / name).is_file()}
    assert expected <= names
    assert not [name for name in names if name.startswith((".venv", "build/"))]


def test_wheel_puts_each_file_in_its_place(built):
    with zipfile.ZipFile(built[1]) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
    (start,) = [name for name in names if name.endswith(".pth")]
    assert "/" not in start
    assert start < "a1_coverage.pth"
    assert [name for name in names if re.fullmatch(r"_shmcov\.[^/]*\.so", name)]
    assert [name for name in names if re.fullmatch(r"shmcov/_merge\.[^/]*\.so", name)]
    assert "shmcov/py.typed" in names
    page = r"shmcov-[^/]*\.data/data/share/man/man1/shmcov\.1$"
    assert not [n for n in names if not re.match(rf"shmcov/|_shmcov\.|{page}", n)]
    assert [name for name in names if re.match(page, name)]


def test_nothing_of_the_build_folder_is_in_the_extensions(built, tmp_path):
    """An rpath into the build folder would load the wrong libraries on another machine."""
    with zipfile.ZipFile(built[1]) as wheel:
        wheel.extractall(tmp_path)
    for extension in tmp_path.rglob("*.so"):
        dynamic = subprocess.run(
            ["readelf", "-d", extension], check=True, capture_output=True, text=True
        ).stdout
        assert "RPATH" not in dynamic
        assert "RUNPATH" not in dynamic
