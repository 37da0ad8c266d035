# SPDX-License-Identifier: Apache-2.0
"""The multi-line map of our scanner is the one that coverage.py's parser makes."""

from __future__ import annotations

import json
import tokenize
import unittest
from pathlib import Path

import pytest
from coverage.exceptions import CoverageException
from coverage.parser import PythonParser
from shmcov import logical_lines

CORPUS = sorted((Path(__file__).parents[1] / "corpus").glob("**/*.py"))
LIBRARY = [
    path
    for module in (json, unittest, tokenize)
    for path in sorted(Path(module.__file__ or "").parent.glob("*.py"))[:120]
]


def theirs(path: Path) -> dict[int, int] | None:
    parser = PythonParser(filename=str(path))
    try:
        parser.parse_source()
    except CoverageException:
        return None
    try:
        return dict(parser.multiline_map)
    except AttributeError:
        return dict(parser._multiline)  # before 7.13


def test_of_files() -> None:
    assert len(CORPUS) > 100
    compared = 0
    for path in {*CORPUS, *LIBRARY}:
        expected = theirs(path)
        if expected is not None:
            assert logical_lines.of_file(str(path)) == expected, path
            compared += 1
    assert compared > 200


@pytest.mark.parametrize("content", [b"", b"x = (\n", b"\xff\xfe", b"def f(:\n  x\n y\n"])
def test_what_is_no_source_has_no_map(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.py"
    path.write_bytes(content)
    assert all(1 <= first <= line <= 4 for line, first in logical_lines.of_file(str(path)).items())
    assert logical_lines.of_file(str(tmp_path / "nowhere.py")) == {}
