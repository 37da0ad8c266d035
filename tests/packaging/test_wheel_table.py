# SPDX-License-Identifier: Apache-2.0
"""The table of wheels in docs/packaging.md says what try_wheel.sh said last, and of which wheel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci/wheel_table.py"
NAMES = ("shmcov-0.1.0-cp313-cp313-linux_x86_64.whl", "shmcov-0.1.0-py3-none-any.whl")


def test_the_table_replaces_the_one_in_the_page(tmp_path: Path) -> None:
    dist, log = tmp_path / "dist", tmp_path / "work/log"
    dist.mkdir()
    log.mkdir(parents=True)
    for name in NAMES:
        (dist / name).write_bytes(bytes(2048))
    (log / "try-3.13").write_text(
        f"installed {NAMES[0]} and tried it in 7 s with Python 3.13.1 (main)\n"
    )
    page = tmp_path / "page.md"
    marks = (ROOT / "docs/packaging.md").read_text().split("\n")
    begin, end = (line for line in marks if line.startswith("<!-- "))
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    subprocess.run(
        [sys.executable, SCRIPT, dist, log.parent, "--write", page], check=True, capture_output=True
    )
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("before\n") and text.endswith("after\n")
    assert "| `cp313-cp313-linux_x86_64` | 2 | Python 3.13.1: 7 s |" in text
    assert "| `py3-none-any` | 2 | no |" in text
