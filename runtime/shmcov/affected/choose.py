# SPDX-License-Identifier: Apache-2.0
"""Compares what tests ran with what is there now: which of them may end differently?"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from shmcov.affected.blocks import IMPORT, Source
from shmcov.affected.project import Revision, Tree, importers, may_matter, packages, reached
from shmcov.affected.store import Recorded, Session, Store, Test


@dataclass
class Rules:
    """What a user adds to the safe defaults."""

    ignored: tuple[str, ...] = ()  # patterns of files that are not Python and do not matter
    variables: tuple[str, ...] = ()  # environment variables that matter

    @classmethod
    def of(cls, sessions: Iterable[Session]) -> Rules:
        """Those with which sessions were recorded."""
        ignored: dict[str, None] = {}
        variables: dict[str, None] = {}
        for session in sessions:
            ignored.update(dict.fromkeys(session.ignored))
            variables.update(dict.fromkeys(session.variables))
        return cls(tuple(ignored), tuple(variables))


@dataclass
class _Change:
    """What has changed since a session."""

    everything: str = ""
    """Why all of its tests run; "" if not all do."""
    blocks: dict[str, set[str]] = field(default_factory=dict)
    """By file: functions that have changed or are gone."""
    on_import: dict[str, str] = field(default_factory=dict)
    """Files whose import may do something else: file to why."""
    conftests: dict[str, str] = field(default_factory=dict)
    """Folders whose conftest.py may do something else: folder to why."""


class Chooser:
    """Says of each test why it has to run."""

    def __init__(
        self,
        tree: Tree,
        store: Store,
        rules: Rules | None = None,
        since: Revision | None = None,
    ) -> None:
        """`rules`: None for those that were recorded. `since`: compares with a revision, not with
        what the tests have seen."""
        self.tree = tree
        self.since = since
        self.recorded = Recorded(store)
        self.rules = Rules.of(self.recorded.sessions.values()) if rules is None else rules
        for (name, content), source in self.recorded.sources.items():
            tree.know(name, content, source)
        if since is not None:
            since.same_as(tree)
            for (name, content), source in self.recorded.sources.items():
                since.know(name, content, source)
        self._changes: dict[int, _Change] = {}

    def why(self, test: str) -> str:
        """Why a test has to run; "" if nothing that changed can matter to it."""
        known = self.recorded.tests.get(test)
        if known is None:
            return "it is new"
        if not known.passed:
            return "it failed last time"
        change = self._since(known.session)
        return change.everything or self._in_what_it_ran(known, change)

    def changed_on_import(self) -> set[str]:
        """Files that are there and may do something else on import, for any test."""
        changes = [self._since(number) for number in self.recorded.sessions]
        return {name for change in changes for name in change.on_import} & self.tree.python

    def everything(self) -> str:
        """Why all tests run, if that is so for all of the same reason."""
        if not self.recorded.tests:
            return "nothing was recorded before"
        reasons = {self._since(number).everything for number in self.recorded.sessions}
        return reasons.pop() if len(reasons) == 1 else ""

    def _in_what_it_ran(self, test: Test, change: _Change) -> str:
        own = test.name.partition("::")[0]
        for folder, why in change.conftests.items():
            if folder in ("", ".") or own.startswith(f"{folder}/"):
                return why
        for name in [own, *test.ran]:
            if name in change.on_import:
                return change.on_import[name]
        for name, blocks in test.ran.items():
            if changed := change.blocks.get(name, set()).intersection(blocks):
                return f"{min(changed)}() in {name} has changed"
        return ""

    def _since(self, session: int) -> _Change:
        if session not in self._changes:
            self._changes[session] = self._compared(self.recorded.sessions[session])
        return self._changes[session]

    def _compared(self, session: Session) -> _Change:
        if why := self._around(session):
            return _Change(why)
        change = _Change()
        before = self._before(session)
        stale: dict[str, str] = {}
        for name in sorted(self.tree.python | set(before)):
            then = before.get(name)
            now = self._now.get(name)
            if then is None or now is None:
                stale[name] = f"{name} is {'new' if then is None else 'gone'}"
            elif then.blocks != now.blocks:
                blocks = {
                    block for block, hash in then.blocks.items() if now.blocks.get(block) != hash
                }
                if IMPORT in blocks:
                    stale[name] = f"what {name} does on import has changed"
                blocks.discard(IMPORT)
                if early := blocks.intersection(session.outside.get(name, ())):
                    stale[name] = f"{min(early)}() in {name}, which runs outside of tests, changed"
                change.blocks[name] = blocks
        for name, why in stale.items():
            for file in reached({name}, self._importers):
                change.on_import.setdefault(file, why)
        for name, why in change.on_import.items():
            path = PurePosixPath(name)
            if path.name == "conftest.py":
                change.conftests.setdefault(str(path.parent), why)
        return change

    def _around(self, session: Session) -> str:
        """What has changed that any test may depend on."""
        if self.since is None:
            if session.python != sys.version:
                return "the interpreter is another one"
            if session.packages != self._packages:
                return "the installed packages have changed"
        for name in self.rules.variables:
            if session.variables.get(name, os.environ.get(name)) != os.environ.get(name):
                return f"the environment variable {name} has changed"
        before = self._read_by_any(session.files)
        if self.since is not None:
            before = self._read_by_any(dict.fromkeys(self.since.names, ""))
            before = {name: self.since.hash(name) for name in before}
        now = self._read_by_any(dict.fromkeys(self.tree.names, ""))
        for name in sorted(now.keys() | before.keys()):
            if name not in now or name not in before:
                return f"{name} is {'gone' if name not in now else 'new'}"
            if before[name] != self.tree.hash(name):
                return f"{name} has changed"
        return ""

    def _read_by_any(self, names: Mapping[str, str]) -> dict[str, str]:
        """The files that are not Python, but which any test may read."""
        return {
            name: content
            for name, content in names.items()
            if not name.endswith(".py") and may_matter(name, self.rules.ignored)
        }

    @cached_property
    def _packages(self) -> str:
        return packages()

    @cached_property
    def _now(self) -> dict[str, Source]:
        return sources(self.tree, self.tree.python)

    @cached_property
    def _importers(self) -> dict[str, set[str]]:
        """Who imports whom now, or did in any session: one graph for all of them, in which nobody
        is missing."""
        imports: dict[str, dict[str, None]] = {}
        before = self.recorded.sources if self.since is None else {}
        known = [(name, source) for (name, _), source in before.items()]
        if self.since is not None:
            known += sources(self.since, self.since.python).items()
        for name, source in [*known, *self._now.items()]:
            imports.setdefault(name, {}).update(dict.fromkeys(source.imports))
        return importers(imports)

    def _before(self, session: Session) -> dict[str, Source]:
        if self.since is not None:
            return sources(self.since, self.since.python)
        return self.recorded.sources_of(session)


def sources(tree: Tree, names: Iterable[str]) -> dict[str, Source]:
    """Those that can be read."""
    found = {}
    for name in names:
        try:
            found[name] = tree.source(name)
        except OSError:
            continue
    return found
