# SPDX-License-Identifier: Apache-2.0
"""From a data file with a context for each test to what is kept of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shmcov.affected import blocks, choose
from shmcov.affected.blocks import IMPORT
from shmcov.affected.project import Tree, may_matter, packages
from shmcov.affected.store import Session, Store, Test
from shmcov.recording import Bits, Recording, numbers, test_of


@dataclass
class Outcome:
    """What a test did, whatever it ran."""

    passed: bool = True
    seconds: float = 0.0
    shares: set[str] = field(default_factory=set)
    """Tests in whose set-up something was made that this one uses as well."""


def record(
    recording: Recording,
    outcomes: Mapping[str, Outcome],
    tree: Tree,
    store: Store,
    rules: choose.Rules,
) -> None:
    """Stores what these tests ran; the contexts of a recording are named after them."""
    setups, whole, outside = _ran(recording, tree)
    tests = []
    for name, outcome in outcomes.items():
        ran = dict(whole.get(name, {}))
        for other in outcome.shares - {name}:
            for file, names in setups.get(other, {}).items():
                ran[file] = ran.get(file, frozenset()) | names
        files = {file: tuple(sorted(names)) for file, names in ran.items()}
        tests.append(Test(name, outcome.passed, outcome.seconds, files))
    python = tree.python
    session = Session(
        python=sys.version,
        packages=packages(),
        variables={name: os.environ.get(name) for name in rules.variables},
        ignored=list(rules.ignored),
        files={
            name: tree.hash(name)
            for name in tree.names
            if name in python or may_matter(name, rules.ignored)
        },
        outside={file: sorted(names) for file, names in outside.items()},
    )
    store.add(session, choose.sources(tree, python), tests)


Ran = dict[str, frozenset[str]]
"""By file: blocks."""


def _ran(recording: Recording, tree: Tree) -> tuple[dict[str, Ran], dict[str, Ran], Ran]:
    """By test: what it ran in its set-up, and in all phases; and functions that ran in no test."""
    setups: dict[str, Ran] = {}
    whole: dict[str, Ran] = {}
    outside: Ran = {}
    for path in recording.files:
        file = _name_in(tree, path)
        if file is None:
            continue
        cut = _Cutter(blocks.owners(tree.read(file)))
        for context, lines in recording.lines_of_file(path).items():
            names = cut.blocks(lines)
            test, phase = test_of(recording.contexts.get(context, ""))
            if not test:
                outside[file] = names - {IMPORT}
                continue
            _add(whole.setdefault(test, {}), file, names)
            if phase == "setup":
                _add(setups.setdefault(test, {}), file, names)
    return setups, whole, outside


def _add(ran: Ran, file: str, names: frozenset[str]) -> None:
    ran[file] = ran.get(file, frozenset()) | names


def _name_in(tree: Tree, path: str) -> str | None:
    """The name of a measured file in the project; None: it is not part of it."""
    try:
        name = Path(tree.root, path).relative_to(tree.root).as_posix()
    except ValueError:
        return None
    return name if name in tree.python else None


class _Cutter:
    """From lines of a file to blocks."""

    def __init__(self, owners: list[str]) -> None:
        self._owners = owners
        self._known: dict[Bits, frozenset[str]] = {}

    def blocks(self, lines: Bits) -> frozenset[str]:
        found = self._known.get(lines)
        if found is None:
            owners = self._owners
            found = frozenset(owners[line] for line in numbers(lines) if line < len(owners))
            self._known[lines] = found
        return found
