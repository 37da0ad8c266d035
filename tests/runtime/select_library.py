# SPDX-License-Identifier: Apache-2.0
"""The selection code of runtime/ext as a shared library, called without an interpreter attached.

It is plain C, so the tests can pass it any rules and names, by the thousand, and compare its
answers with those of coverage.py's own objects in the same process.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    *[ROOT / "runtime" / "ext" / name for name in ("select.c", "glob.c", "canon.c")],
    *[ROOT / "shm" / name for name in ("rules.c", "utf8.c", "hash.c")],
]


class Plan(ctypes.Structure):
    """struct seg_rules"""

    _fields_ = (("next", ctypes.c_char_p), ("left", ctypes.c_size_t))


SYS_PATH_FN = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.POINTER(ctypes.c_char), ctypes.c_size_t
)


def compile_library(folder: Path) -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "these tests need a C compiler"
    target = folder / "select.so"
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command = [compiler, *flags, f"-I{ROOT / 'shm'}", *map(str, SOURCES), "-o", str(target)]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(target))
    library.seg_rule_put.argtypes = [
        *[ctypes.c_void_p] * 2 + [ctypes.c_uint32],
        *[ctypes.c_char_p, ctypes.c_size_t],
    ]
    library.free.argtypes = [ctypes.c_void_p]
    library.rt_rules_load.argtypes = [Plan, ctypes.c_void_p]
    library.rt_rules_free.argtypes = [ctypes.c_void_p]
    library.rt_rules_free.restype = None
    library.rt_rules_match.argtypes = [
        *[ctypes.c_void_p] + [ctypes.c_char_p] * 3,
        *[SYS_PATH_FN, ctypes.c_void_p],
    ]
    library.rt_rules_decide.argtypes = [
        *[ctypes.c_void_p] + [ctypes.c_char_p] * 3,
        *[SYS_PATH_FN, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t],
    ]
    library.rt_rules_package.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    library.rt_rules_package.restype = ctypes.c_char_p
    return library


def pack(library: ctypes.CDLL, rules: Iterable[tuple[int, str]]) -> bytes:
    """The bytes of a plan in a segment."""
    packed, length = ctypes.c_void_p(), ctypes.c_size_t()
    for kind, text in rules:
        raw = os.fsencode(text)
        status = library.seg_rule_put(
            ctypes.byref(packed), ctypes.byref(length), kind, raw, len(raw)
        )
        assert not status, (kind, text)
    made = ctypes.string_at(packed, length.value) if packed else b""
    library.free(packed)
    return made


LIBRARY = 2**32 - 1
"""RT_LIBRARY"""


@SYS_PATH_FN
def _sys_path(_arg: int, i: int, buf: ctypes.Array[ctypes.c_char], size: int) -> int:
    if i == LIBRARY:
        entry = sys._stdlib_dir  # type: ignore[attr-defined]
    elif i < len(sys.path):
        entry = sys.path[i]
    else:
        return 0
    raw = os.fsencode(entry) + b"\0"
    ctypes.memmove(buf, raw if len(raw) <= size else b"\0", min(len(raw), size))
    return 1


NO, YES, GONE, LONG = 0, 1, -1, -2
"""What rt_rules_decide() says; the last two are of enum rt_canon_status."""


class BadRules(ValueError):
    """rt_rules_load() failed."""


class Selection:
    """Loaded rules."""

    def __init__(self, library: ctypes.CDLL, rules: Iterable[tuple[int, str]] | bytes) -> None:
        self._library = library
        self._rules = ctypes.c_void_p()
        packed = rules if isinstance(rules, bytes) else pack(library, rules)
        if library.rt_rules_load(Plan(packed, len(packed)), ctypes.byref(self._rules)):
            raise BadRules

    def __enter__(self) -> Selection:
        return self

    def __exit__(self, *exc: object) -> None:
        self._library.rt_rules_free(self._rules)

    def match(self, canonical: str, module: str | None, name: str | None = None) -> bool:
        """`name` is what a plug-in calls the file, if it is a plug-in's."""
        path, called = os.fsencode(canonical), os.fsencode(canonical if name is None else name)
        return bool(
            self._library.rt_rules_match(
                self._rules, path, called, _encode(module), _sys_path, None
            )
        )

    def decide(
        self, co_filename: str, dunder_file: str | None, module: str | None
    ) -> tuple[bool, str]:
        longer = max(co_filename, dunder_file or "", key=len)
        answer, canonical = self.status(
            co_filename, dunder_file, module, len(os.fsencode(longer)) + 3 * 4096
        )
        assert answer in (NO, YES, GONE)
        return answer == YES, canonical

    def status(
        self, co_filename: str, dunder_file: str | None, module: str | None, size: int
    ) -> tuple[int, str]:
        canonical = ctypes.create_string_buffer(size)
        answer = self._library.rt_rules_decide(
            self._rules,
            os.fsencode(co_filename),
            _encode(dunder_file),
            _encode(module),
            _sys_path,
            None,
            canonical,
            size,
        )
        return answer, os.fsdecode(canonical.value)

    def package(self, module: str) -> str | None:
        name = self._library.rt_rules_package(self._rules, os.fsencode(module))
        return None if name is None else os.fsdecode(name)


def _encode(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)
