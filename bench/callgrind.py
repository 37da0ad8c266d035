# SPDX-License-Identifier: Apache-2.0
"""Instructions, which callgrind counts exactly: of a program, of our extension, of a function."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness import HERE, Cost, Failed, environment, execute

EXTENSION = "/_shmcov."


@dataclass
class Counts:
    """What a run took."""

    total: int = 0
    ours: int = 0
    """Of the extension, with all that it calls."""
    inside: int = 0
    """In the extension's own code."""
    own: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Of each function, without what it calls."""
    whole: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Of each function that others call, with what it calls; a recursion counts again."""

    def of(self, pattern: str) -> int:
        """Own instructions of the functions that a pattern fits."""
        return sum(cost for name, cost in self.own.items() if re.search(pattern, name))


def counting(out: Path) -> list[str]:
    """What stands before a command that is to be counted into this file."""
    return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]


def run(
    under: Sequence[str],
    program: Sequence[str],
    folder: Path,
    *,
    extension: str = EXTENSION,
    cwd: Path | None = None,
    **more: str,
) -> tuple[Counts, Cost]:
    """Counts a program that begins with Python. What it runs under, such as `-m shmcov run`, is not
    counted: shmcov's supervisor. `cwd`: if it is not the folder."""
    out = folder / "callgrind.out"
    out.unlink(missing_ok=True)
    outside = [sys.executable, *under, str(HERE / "launch.py")] if under else []
    log = folder / "log"
    cost = execute([*outside, *counting(out), *program], environment(more), cwd or folder, log)
    if not out.exists():
        raise Failed(f"callgrind counted nothing: {log.read_text(errors='replace')}")
    return read(out, extension), cost


def read(out: Path, extension: str = EXTENSION) -> Counts:
    """`ob` and `cob` name, once, the file of a function and of one that it calls, `fn` and `cfn`
    the functions. The line after `calls` has what the whole call took; the others have a line's
    own instructions."""
    counts = Counts()
    objects: dict[str, str] = {}
    functions: dict[str, str] = {}
    inside = called_inside = is_call = False
    function = called = ""
    with out.open(errors="replace") as file:
        for line in file:
            first = line[:1]
            if first in "+-*0123456789":
                cost = int(line.split()[1])
                if is_call:
                    counts.whole[called] += cost
                    counts.ours += cost if inside and not called_inside else 0
                    called_inside, is_call = inside, False
                else:
                    counts.own[function] += cost
                    if inside:
                        counts.ours += cost
                        counts.inside += cost
                continue
            key, _, value = line.rstrip("\n").partition("=")
            if key in ("ob", "cob"):
                found = extension in _named(objects, value)
                if key == "ob":
                    inside = found
                else:
                    called_inside = found
            elif key == "fn":
                function, called_inside = _named(functions, value), inside
            elif key == "cfn":
                called = _named(functions, value)
            elif key == "calls":
                is_call = True
            elif line.startswith(("totals:", "summary:")):
                counts.total = int(line.split()[1])
    return counts


def _named(names: dict[str, str], value: str) -> str:
    number, _, name = value.partition(" ")
    return names.setdefault(number, name)
