# SPDX-License-Identifier: Apache-2.0
"""What README and the site tell to type does what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_support import PAGES, ROOT, SHELL, Failed, Session, blocks, lacks, slow

WITH_BLOCKS = [page for page in PAGES if any(block.kind in SHELL for block in blocks(page))]
NOT_RUN = 12
"""So many blocks cannot be run in a test; docs_support.py lists them with their reasons."""


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[pytest.mark.slow] * slow(page)) for page in WITH_BLOCKS],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_page(page: Path, tmp_path: Path) -> None:
    session = Session(page, tmp_path)
    for block in blocks(page):
        if block.kind == "needs":
            if missing := lacks(block.name):
                pytest.skip(f"{', '.join(missing)} is not installed: make docs-test")
            continue
        try:
            session.run(block)
        except Failed as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None


def test_what_is_not_run() -> None:
    left_out = [block for page in PAGES for block in blocks(page) if block.not_run]
    assert len(left_out) == NOT_RUN


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("$ echo a b\na  b\n", True),
        ("$ echo ab\na…\n", True),
        ("$ printf 'a\\nb\\nc\\n'\na\n…\nc\n", True),
        ("$ printf 'a\\nb\\nc\\n'\na\nc\n", False),
        ("$ echo a\nb\n", False),
        ("$ false\n", False),
        ("$ (exit 3)\n$ echo $?\n3\n", True),
        ("$ a=1\n$ echo $a\n1\n", True),
    ],
)
def test_a_block_can_fail(text: str, right: bool, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```console\n{text}```\n")
    session = Session(ROOT / "page.md", tmp_path)
    (block,) = blocks(page)
    if right:
        session.run(block)
    else:
        with pytest.raises(Failed):
            session.run(block)
