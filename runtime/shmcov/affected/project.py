# SPDX-License-Identifier: Apache-2.0
"""The files of a project as they are now, or were at a git revision, and who imports whom."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from coverage.exceptions import CoverageException

from shmcov.affected import blocks
from shmcov.affected.blocks import Source

IGNORED = (
    "*.md",
    "*.rst",
    "LICENSE*",
    ".gitignore",
    ".gitattributes",
    ".github/*",
    ".gitlab-ci.yml",
)
"""Files that are not Python and that no test is expected to read."""

_SKIPPED = {"__pycache__", "node_modules", "site-packages", "build", "dist"}


class Tree:
    """The files below a folder. Names are relative to it, with slashes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._hashes: dict[str, str] = {}
        self._sources: dict[tuple[str, str], Source] = {}

    def read(self, name: str) -> bytes:
        """OSError"""
        return (self.root / name).read_bytes()

    @cached_property
    def names(self) -> set[str]:
        """All files that git tracks, and sources that it does not ignore; without git, all files
        but what is known for a result of something."""
        listed = _git(self.root, "ls-files", "-z")
        if listed is not None:
            new = _git(self.root, "ls-files", "-oz", "--exclude-standard", "--", "*.py") or b""
            names = {os.fsdecode(name) for name in (listed + new).split(b"\0") if name}
            return {name for name in names if (self.root / name).is_file()}
        found: set[str] = set()
        for folder, below, files in os.walk(self.root):
            if "pyvenv.cfg" in files:
                below.clear()
                continue
            below[:] = [name for name in below if not (name.startswith(".") or name in _SKIPPED)]
            inside = Path(folder).relative_to(self.root)
            found |= {(inside / name).as_posix() for name in files if not name.startswith(".")}
        return found

    @property
    def python(self) -> set[str]:
        return {name for name in self.names if name.endswith(".py")}

    def hash(self, name: str) -> str:
        """Of the content; "" for a file that cannot be read."""
        found = self._hashes.get(name)
        if found is None:
            try:
                found = hashlib.blake2b(self.read(name), digest_size=12).hexdigest()
            except OSError:
                found = ""
            self._hashes[name] = found
        return found

    def source(self, name: str) -> Source:
        """OSError"""
        key = name, self.hash(name)
        if key not in self._sources:
            self._sources[key] = blocks.of(self.read(name))
        return self._sources[key]

    def know(self, name: str, content: str, source: Source) -> None:
        """What source() would make of a file with a content of this hash."""
        self._sources[name, content] = source


class Revision(Tree):
    """The files as they were at a git revision."""

    def __init__(self, root: Path, revision: str) -> None:
        super().__init__(root)
        self.revision = revision
        if _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is None:
            raise CoverageException(f"{revision} is no revision that git knows in {root}")

    @cached_property
    def names(self) -> set[str]:
        listed = _git(self.root, "ls-tree", "-r", "-z", "--name-only", self.revision)
        return {os.fsdecode(name) for name in (listed or b"").split(b"\0") if name}

    def read(self, name: str) -> bytes:
        text = _git(self.root, "show", f"{self.revision}:./{name}")
        if text is None:
            raise FileNotFoundError(name)
        return text

    @cached_property
    def _changed(self) -> set[str]:
        listed = _git(self.root, "diff", "--relative", "--name-only", "-z", self.revision, "--")
        return {os.fsdecode(name) for name in (listed or b"").split(b"\0") if name}

    def same_as(self, now: Tree) -> None:
        """Lets git say which files are as they are now, so that they need not be read."""
        for name in self.names & now.names - self._changed:
            self._hashes[name] = now.hash(name)


def may_matter(name: str, ignored: Iterable[str]) -> bool:
    """May a test read this file, which is not Python? Not if it matches a pattern."""
    return not any(
        fnmatch.fnmatchcase(name, one) or fnmatch.fnmatchcase(name.rpartition("/")[2], one)
        for one in [*IGNORED, *ignored]
    )


def _git(root: Path, *args: str) -> bytes | None:
    try:
        done = subprocess.run(["git", *args], cwd=root, capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def importers(imports: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """By file: the files that import it, or a package around it, directly. `imports`: by file, as
    in Source."""
    modules: dict[str, list[str]] = {}
    for name in imports:
        for module in _modules(name):
            modules.setdefault(module, []).append(name)
    found: dict[str, set[str]] = {name: set() for name in imports}
    for name, modules_of in imports.items():
        for imported in modules_of:
            for module in _with_packages(_absolute(name, imported)):
                for file in modules.get(module, ()):
                    found[file].add(name)
    return found


def _modules(name: str) -> list[str]:
    """What a file may be imported as: a/b/c.py as a.b.c, and as b.c or c if a folder is on the path
    of modules, which cannot be known here."""
    parts = name.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        parts.pop()
    return [".".join(parts[start:]) for start in range(len(parts))]


def _absolute(name: str, imported: str) -> str:
    """A relative import by the folders that its file lies in."""
    level = len(imported) - len(imported.lstrip("."))
    if not level:
        return imported
    folders = name.split("/")[:-1]
    inside = folders[: len(folders) - level + 1]
    return ".".join([*inside, *filter(None, [imported.lstrip(".")])])


def _with_packages(module: str) -> list[str]:
    """Importing a.b.c runs a and a.b as well."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def reached(start: set[str], importers: Mapping[str, set[str]]) -> set[str]:
    """These files, and all that import them, directly or not."""
    found, waiting = set(start), list(start)
    while waiting:
        for name in importers.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def packages() -> str:
    """A hash of what is installed, and in which version. The names of the folders say so, and to
    read what is in them would take longer than many a suite."""
    listed: set[str] = set()
    for folder in sys.path:
        with contextlib.suppress(OSError), os.scandir(folder or ".") as entries:
            names = (entry.name for entry in entries)
            listed.update(name for name in names if name.endswith((".dist-info", ".egg-info")))
    return hashlib.blake2b("\n".join(sorted(listed)).encode(), digest_size=12).hexdigest()
