# SPDX-License-Identifier: Apache-2.0
"""The readers of a code object's tables against CPython's own, on real code."""

from __future__ import annotations

import ctypes
import dis
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).resolve().parents[2]
STDLIB = Path(dis.__file__).parent
SOURCES = [
    *sorted((ROOT / "tests" / "corpus").glob("*.py")),
    *(STDLIB / name for name in ("argparse.py", "dataclasses.py", "typing.py", "tarfile.py")),
    *(STDLIB / "asyncio" / name for name in ("base_events.py", "streams.py", "taskgroups.py")),
]
BRANCH, JUMP, SEND = 3, 4, 5
"""Of enum rt_kind."""


class Bytes(ctypes.Structure):
    _fields_ = (("data", ctypes.c_char_p), ("len", ctypes.c_size_t))


class Unit(ctypes.Structure):
    _fields_ = (
        ("target", ctypes.c_uint32),
        ("line", ctypes.c_int32),
        ("kind", ctypes.c_uint8),
        ("units", ctypes.c_uint8),
        ("waits", ctypes.c_bool),
    )


class Units(ctypes.Structure):
    _fields_ = (
        ("unit", ctypes.POINTER(Unit)),
        ("n", ctypes.c_uint32),
        ("resume", ctypes.c_uint32),
    )


class Handler(ctypes.Structure):
    _fields_ = (
        ("start", ctypes.c_uint32),
        ("end", ctypes.c_uint32),
        ("target", ctypes.c_uint32),
    )


def bytes_of(data: bytes) -> Bytes:
    return Bytes(data, len(data))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "these tests need a C compiler"
    target = tmp_path_factory.mktemp("tables") / "tables.so"
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC"]
    source = ROOT / "runtime" / "ext" / "tables.c"
    include = f"-I{sysconfig.get_path('include')}"
    subprocess.run([compiler, *flags, include, str(source), "-o", str(target)], check=True)
    library = ctypes.CDLL(str(target))
    library.rt_units_read.argtypes = [ctypes.POINTER(Units), Bytes, Bytes, ctypes.c_int]
    library.rt_units_free.argtypes = [ctypes.POINTER(Units)]
    library.rt_handler_next.argtypes = [
        ctypes.POINTER(Bytes),
        ctypes.POINTER(ctypes.c_size_t),
        ctypes.POINTER(Handler),
    ]
    library.rt_handler_next.restype = ctypes.c_bool
    return library


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def all_codes() -> Iterator[CodeType]:
    for source in SOURCES:
        try:
            code = compile(source.read_bytes(), source.name, "exec")
        except SyntaxError:
            continue  # of a later version
        yield from codes(code)


def test_lines_and_jumps(tables: ctypes.CDLL) -> None:
    n = jumps = 0
    for code in all_codes():
        units = Units()
        assert not tables.rt_units_read(
            units, bytes_of(code.co_code), bytes_of(code.co_linetable), code.co_firstlineno
        )
        lines = [0] * units.n
        for start, end, line in code.co_lines():
            lines[start // 2 : end // 2] = [line or 0] * ((end - start) // 2)
        assert [units.unit[i].line for i in range(units.n)] == lines, code
        for instruction in dis.get_instructions(code) if sys.version_info >= (3, 12) else ():
            unit = units.unit[instruction.offset // 2]
            if unit.kind in (BRANCH, JUMP, SEND):
                assert unit.target == instruction.argval // 2, (code, instruction)
                jumps += 1
        n += 1
        tables.rt_units_free(units)
    assert n > 1500
    assert jumps > 3000 or sys.version_info < (3, 12)


def test_handlers(tables: ctypes.CDLL) -> None:
    n = 0
    for code in all_codes():
        table, at, handler = bytes_of(code.co_exceptiontable), ctypes.c_size_t(), Handler()
        found = []
        while tables.rt_handler_next(table, at, handler):
            found.append((handler.start * 2, handler.end * 2, handler.target * 2))
        expected = dis._parse_exception_table(code)  # type: ignore[attr-defined]
        assert found == [(entry.start, entry.end, entry.target) for entry in expected], code
        assert at.value == table.len
        n += len(found)
    assert n > 1000
