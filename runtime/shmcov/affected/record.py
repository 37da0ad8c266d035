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
    process: str = ""
    """The one that ran it, whatever names it."""


def record(
    recording: Recording,
    outcomes: Mapping[str, Outcome],
    tree: Tree,
    store: Store,
    rules: choose.Rules,
) -> None:
    """Stores what these tests ran, in the order in which they did; the contexts of a recording are
    named after them."""
    setups, whole, outside = _ran(recording, tree, outcomes)
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


def _ran(
    recording: Recording, tree: Tree, outcomes: Mapping[str, Outcome]
) -> tuple[dict[str, Ran], dict[str, Ran], Ran]:
    """By test: what it ran in its set-up, and in all phases; and functions that ran in no test."""
    processes = {test: outcome.process for test, outcome in outcomes.items()}
    order = {test: number for number, test in enumerate(outcomes)}
    setups: dict[str, Ran] = {}
    whole: dict[str, Ran] = {}
    outside: Ran = {}
    for path in recording.files:
        file = _name_in(tree, path)
        if file is None:
            continue
        cut = _Cutter(blocks.owners(tree.read(file)))
        by_test: dict[str, Bits] = {}
        for context, lines in recording.lines_of_file(path).items():
            names = cut.blocks(lines)
            test, phase = test_of(recording.contexts.get(context, ""))
            if not test:
                outside[file] = names - {IMPORT}
                continue
            by_test[test] = by_test.get(test, 0) | lines
            _add(whole.setdefault(test, {}), file, names)
            if phase == "setup":
                _add(setups.setdefault(test, {}), file, names)
        inside = sorted(order.keys() & by_test.keys(), key=order.__getitem__)
        in_order = {test: by_test[test] for test in inside}
        for test, names in _made_once(in_order, processes, cut).items():
            _add(whole[test], file, names)
    return setups, whole, outside


def _made_once(
    lines: Mapping[str, Bits], processes: Mapping[str, str], cut: _Cutter
) -> dict[str, frozenset[str]]:
    """By test, in the order in which they ran: functions of a file that it did not run, but may
    depend on. A function that never runs again what it ran for the first test in a process has made
    something that is there once, an object or a table. Whoever uses that function depends on what
    else in the file these first tests ran."""
    ran_by = {test: cut.blocks(bits) - {IMPORT} for test, bits in lines.items()}
    users: dict[str, set[str]] = {}
    firsts: dict[str, dict[str, str]] = {}  # by function and process
    early: dict[str, Bits] = {}
    late: dict[str, Bits] = {}
    for test, names in ran_by.items():
        for name in names:
            users.setdefault(name, set()).add(test)
            first = firsts.setdefault(name, {}).setdefault(processes[test], test)
            ran = early if first == test else late
            ran[name] = ran.get(name, 0) | (lines[test] & cut.lines(name))
    found: dict[str, frozenset[str]] = {}
    for name in late:
        if early[name] & ~late[name]:
            made = frozenset[str]().union(*(ran_by[test] for test in firsts[name].values()))
            for test in users[name]:
                found[test] = found.get(test, frozenset()) | made
    return found


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
        self._lines: dict[str, Bits] = {}
        for line, name in enumerate(owners):
            self._lines[name] = self._lines.get(name, 0) | 1 << line

    def lines(self, block: str) -> Bits:
        return self._lines[block]

    def blocks(self, lines: Bits) -> frozenset[str]:
        found = self._known.get(lines)
        if found is None:
            owners = self._owners
            found = frozenset(owners[line] for line in numbers(lines) if line < len(owners))
            self._known[lines] = found
        return found
