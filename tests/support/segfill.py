# SPDX-License-Identifier: Apache-2.0
"""Segments with known content, written through the writer's side of shm/."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from shmcov import _merge

ROOT = Path(__file__).resolve().parents[2]

BRANCH = _merge.FLAG_BRANCH
TRAIL, EXACT, LINES = range(3)

Arc = tuple[int, int, Sequence[int]]  # from, kind, trail


@functools.cache
def library() -> ctypes.CDLL:
    folder = tempfile.mkdtemp(prefix="segfill-")
    path = f"{folder}/segfill.so"
    sources = [*ROOT.glob("shm/*.c"), ROOT / "tests/support/segfill.c"]
    subprocess.run(
        [os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC"]
        + ["-pthread", "-fvisibility=hidden", f"-I{ROOT}/shm", "-o", path]
        + [str(source) for source in sources if source.name != "segdump.c"],
        check=True,
    )
    lib = ctypes.CDLL(path)
    shutil.rmtree(folder)
    text, handle = ctypes.c_char_p, ctypes.c_void_p
    size, number = ctypes.c_size_t, ctypes.c_uint64
    for name, result, arguments in [
        (
            "create",
            handle,
            [text, ctypes.c_uint32, text, number, ctypes.POINTER(ctypes.c_int)],
        ),
        ("line", ctypes.c_int, [handle, text, text, ctypes.c_uint32]),
        ("code", ctypes.c_int, [handle, text, ctypes.POINTER(ctypes.c_int32), size]),
        ("arc", ctypes.c_int, [handle, text, text, ctypes.c_uint32]),
        ("package", ctypes.c_int, [handle, text, text]),
        ("tracer", ctypes.c_int, [handle, text, text]),
        ("process", ctypes.c_int, [handle, ctypes.c_int]),
        ("lose", None, [handle, ctypes.c_int, number]),
    ]:
        function = getattr(lib, f"segfill_{name}")
        function.restype, function.argtypes = result, arguments
    return lib


class Segment:
    """A segment without a name. `fd` is what a merge reads."""

    def __init__(
        self,
        folder: Path,
        *,
        branch: bool = False,
        context: str | None = None,
        size: int = 0,
    ) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        fd = ctypes.c_int(-1)
        self.handle = library().segfill_create(
            os.fsencode(folder), BRANCH if branch else 0, _text(context), size, ctypes.byref(fd)
        )
        assert self.handle, "the segment could not be made"
        self.fd = fd.value

    def lines(self, path: str, lines: Iterable[int], context: str | None = None) -> None:
        for line in lines:
            self._checked(library().segfill_line(self.handle, _text(context), _text(path), line))

    def code(self, path: str, arcs: Sequence[Arc]) -> int:
        """Declares the arcs of a code object; returns the bit of the first."""
        words = [word for line, kind, trail in arcs for word in (line, kind, len(trail), *trail)]
        array = (ctypes.c_int32 * len(words))(*words)
        return self._checked(library().segfill_code(self.handle, _text(path), array, len(words)))

    def take(self, path: str, bits: Iterable[int], context: str | None = None) -> None:
        for bit in bits:
            self._checked(library().segfill_arc(self.handle, _text(context), _text(path), bit))

    def branch(self, path: str, arc: Arc, context: str | None = None) -> None:
        """One arc of a code object of its own, taken."""
        self.take(path, [self.code(path, [arc])], context)

    def package(self, module: str, folder: str) -> None:
        self._checked(library().segfill_package(self.handle, _text(module), _text(folder)))

    def tracer(self, path: str, plugin: str) -> None:
        """Says that a file is one of a file tracer plug-in."""
        self._checked(library().segfill_tracer(self.handle, _text(path), _text(plugin)))

    def process(self, *, done: bool = False) -> None:
        self._checked(library().segfill_process(self.handle, done))

    def lose(self, what: int, n: int) -> None:
        library().segfill_lose(self.handle, what, n)

    @staticmethod
    def _checked(status: int) -> int:
        assert status >= 0, f"segment status {status}"
        return status


def _text(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")
