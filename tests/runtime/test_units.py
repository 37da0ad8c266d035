# SPDX-License-Identifier: Apache-2.0
"""Unit tests in C of runtime/ext, inside the interpreter that runs this: unit.h says how."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
PROGRAMS = {"segdump.c", "keeper.c"}
RUN = """
import ctypes, sys
unit = getattr(ctypes.PyDLL(sys.argv[1]), sys.argv[2], None)
if unit is None:
    sys.exit(77)
unit.restype = ctypes.c_char_p
wrong = unit()
sys.exit(wrong.decode() if wrong else 0)
"""
UNITS = [
    (file.name, name)
    for file in sorted(HERE.glob("unit_*.c"))
    for name in re.findall(r"^UNIT\((\w+)\)", file.read_text(), re.MULTILINE)
]

pytestmark = pytest.mark.xdist_group("units")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "these tests need a C compiler"
    target = tmp_path_factory.mktemp("units") / "units.so"
    sources = [
        *(ROOT / "runtime" / "ext").glob("*.c"),
        *(file for file in (ROOT / "shm").glob("*.c") if file.name not in PROGRAMS),
        *HERE.glob("unit*.c"),
    ]
    flags = ["-std=c11", "-D_GNU_SOURCE=", "-g", "-O1", "-fPIC", "-fvisibility=hidden", "-shared"]
    folders = [ROOT / "runtime" / "ext", ROOT / "shm", HERE, sysconfig.get_path("include")]
    command = [compiler, *flags, *(f"-I{folder}" for folder in folders), *map(str, sources)]
    libraries = ["-pthread"]
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        libraries += ["-lurcu-bp", "-lurcu-cds", "-lurcu-common"]
    subprocess.run([*command, "-o", str(target), *libraries], check=True)
    return target


@pytest.mark.parametrize(("file", "name"), UNITS)
def test_unit(library: Path, file: str, name: str) -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", RUN, str(library), f"unit_{name}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if run.returncode == 77:
        pytest.skip(f"{file}: not with this interpreter")
    assert run.returncode == 0, run.stderr
