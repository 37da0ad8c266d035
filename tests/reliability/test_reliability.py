# SPDX-License-Identifier: Apache-2.0
"""The rows of docs/reliability.md, as often as CI has time for. report.py runs the long ones."""

from __future__ import annotations

import pytest
from reliability_support import OURS, ROOT, NotHere, Row
from reliability_table import ROWS

pytestmark = pytest.mark.slow  # e2e/ has the like for all versions of Python


def of(row: Row, *more: str) -> object:
    return pytest.param(row, *more, id="-".join([row.name, *more]))


@pytest.mark.parametrize(
    ("row", "tool"), [of(row, tool) for row in ROWS for tool in row.tools if tool in OURS]
)
def test_nothing_is_lost(row: Row, tool: str) -> None:
    try:
        result = row.measure(tool, row.times(tool, long=False))
    except NotHere as why:
        pytest.skip(str(why))
    assert not row.failures(result), f"{row.fault}: {result.in_words()}"


@pytest.mark.parametrize("row", [of(row) for row in ROWS if row.without])
def test_it_fails_without_the_protection(row: Row) -> None:
    """Otherwise the test above shows nothing."""
    assert row.without
    try:
        result = row.measure(row.without.tool, row.ci, row.without)
    except NotHere as why:
        pytest.skip(str(why))
    assert row.failures(result), f"{row.without.how}: {result.in_words()}"


def test_every_row_is_in_the_document() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text()
    assert [row.name for row in ROWS if f"`{row.name}`" not in text] == []


def test_names_differ() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
