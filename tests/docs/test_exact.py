# SPDX-License-Identifier: Apache-2.0
"""bench/exact.py: how callgrind's counts are read, and which of them are too many."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from docs_support import ROOT

sys.path[:0] = [str(ROOT / "bench")]

import callgrind  # noqa: E402
import exact  # noqa: E402

OUT = """\
# callgrind format
events: Ir
ob=(1) /usr/bin/python3
fl=(1) ceval.c
fn=(1) _PyEval_EvalFrameDefault
10 100
cob=(2) /site-packages/_shmcov.abi3.so
cfn=(2) mon_on_line
calls=3 20
11 65
fn=(3) PyObject_Hash
+2 7

ob=(2)
fn=(2)
20 30
cob=(1)
cfn=(3)
calls=5 30
+1 35
cfn=(4) seg_bit_set
calls=1 40
* 0

totals: 137
"""
"""The loop calls us, and we call CPython. Names stand once, and lines may be relative."""


def test_counts_are_read(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text(OUT)
    found = callgrind.read(out)
    assert found.total == 137
    assert found.inside == 30
    assert found.ours == 65  # with what it calls of CPython
    assert found.whole["PyObject_Hash"] == 35
    assert found.of("^_PyEval") == 100 and found.of("^mon_") == 30


@pytest.mark.parametrize(
    ("now", "well", "says"),
    [
        (100.0, True, "(100.0)"),
        (104.0, True, "(100.0)"),
        (106.0, False, "too many: it was 100.0"),
        (90.0, True, "better than 100.0"),
    ],
)
def test_what_grows_is_found(now: float, well: bool, says: str) -> None:
    lines, all_well = exact.compare({"a hit": 100.0}, {"a hit": now})
    assert all_well is well
    assert says in lines[0]


def test_what_is_not_stored_is_no_success() -> None:
    assert exact.compare({}, {"a hit": 1.0})[1] is False


def test_all_that_is_counted_is_stored() -> None:
    stored = json.loads(exact.STORED.read_text())
    assert all(set(one) == {*exact.COUNTS, *exact.RATIOS} for one in stored.values())
