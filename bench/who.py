# SPDX-License-Identifier: Apache-2.0
"""What `shmcov who` takes for an answer from a million rows: the first one, and one after it.

python bench/who.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness import CACHE, environment, execute, folder
from shards import BRANCH_CONTEXTS, CONTEXTS, Shape

QUESTIONS = {"a line": "module7.py:20", "a file": "module7.py"}


def main() -> None:
    with folder() as place:
        for kind in (CONTEXTS, BRANCH_CONTEXTS):
            made = Shape(kind, rows=1_000_000, files=1000, contexts=5000).folder(CACHE, 1)
            (data,) = made.glob(".coverage.*")
            for what, question in QUESTIONS.items():
                for index in made.glob(".shmcov-index*"):
                    index.unlink()
                first, later = (_ask(question, data, place) for _ in range(2))
                print(f"{kind}, who ran {what}: {first}; then {later}")


def _ask(question: str, data: Path, place: Path) -> str:
    command = [sys.executable, "-m", "shmcov", "who", question, f"--data-file={data}"]
    took = execute(command, environment(), place, place / "log")
    return f"{took.wall:.2f} s, {took.cpu:.2f} s of CPU"


if __name__ == "__main__":
    main()
