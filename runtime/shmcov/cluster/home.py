# SPDX-License-Identifier: Apache-2.0
"""Where the rows of many hosts end: the segment of the process that began the run. docs/hosts.md.

If that process is measured by shmcov, its segment is home, and its data file is written by whoever
writes it anyway. If not, a segment is made and delivered here.
"""

from __future__ import annotations

import contextlib
import copy
import os
import secrets
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import _shmcov
import coverage
from coverage.exceptions import CoverageException
from coverage.files import PathAliases

from shmcov import _merge, messages, plan, result, segments, settings
from shmcov.cluster import hosts
from shmcov.delivery import Delivery, Keeper
from shmcov.messages import Warnings
from shmcov.result import Target

FOR_HOSTS = (
    _merge.FLAG_BRANCH
    | _merge.FLAG_TEST_FUNCTION
    | _merge.FLAG_CONTEXTS
    | _merge.FLAG_QUALNAME
    | _merge.FLAG_NO_ADOPT
)
"""The flags of a segment that hold on other hosts too."""


class Home:
    """The segment that all rows go to. Use as a context manager; `run` travels to the hosts."""

    run: hosts.Run

    def __init__(self, cov: coverage.Coverage, command: str) -> None:
        self.cov = cov
        self.command = command
        self.warnings: Warnings = []

    def __enter__(self) -> Home:
        raise NotImplementedError

    def __exit__(self, *exception: object) -> None:
        raise NotImplementedError

    def begin(self, path: str, fd: int, size: int) -> None:
        info = segments.read(path, fd).info()
        self.run = hosts.Run(
            id=secrets.token_hex(16),
            home=segments.name_of(path),
            machine=hosts.machine(),
            folder=str(Path.cwd()),
            flags=info["flags"] & FOR_HOSTS,
            rules=info["rules"],
            size=size,
        )

    def take(self, rows: Iterable[hosts.Rows]) -> None:
        """Takes what came from hosts."""
        rows = list(rows)
        if not rows:
            return
        for one in rows:
            for text in one.losses:
                host = one.host.split()[0]
                text = f"Not all of this run was recorded on {host}: {text}"
                self.warnings.append((text, "not-recorded"))
        with tempfile.TemporaryDirectory(prefix="shmcov-") as folder:
            files = []
            for i, one in enumerate(rows):
                file = Path(folder, str(i))
                file.write_bytes(one.data)
                files.append(str(file))
            # A package is known by the file that is run when it is imported.
            packages = {
                (name, str(Path(place, "__init__.py")))
                for one in rows
                for name, place in one.packages
            }
            hosts._helper(
                "take",
                {
                    "segment": hosts._path_of(self.run.home),
                    "files": files,
                    "packages": sorted(packages),
                    "map": sorted(self._mapped(files, {init for _, init in packages}).items()),
                },
            )

    def _mapped(self, files: list[str], names: set[str]) -> dict[str, str]:
        """`[paths]`: names on other hosts, and here."""
        aliases = PathAliases(relative=False)
        for paths in self.cov.config.paths.values():
            for pattern in paths[1:]:
                aliases.add(pattern, paths[0])
        for file in files:
            data = coverage.CoverageData(basename=file)
            data.read()
            names |= data.measured_files()
            data.close()
        # What lies on this machine, too, is taken to be the same file.
        mapped = {name: aliases.map(name) for name in names if not Path(name).exists()}
        return {name: here for name, here in mapped.items() if here != name}


class Measured(Home):
    """This process is measured by shmcov: its segment is home."""

    def __enter__(self) -> Home:
        path = _shmcov.attached()
        assert path is not None
        with segments.opened(path) as fd:
            self.begin(path, fd, 0)
        return self

    def __exit__(self, *exception: object) -> None:
        messages.warn(self.cov, self.warnings)


class Made(Home):
    """This process is not measured by shmcov: a segment is made, and delivered at the end."""

    into: coverage.Coverage | None = None
    """coverage.py measures this process, with its own core, and gets the data."""
    append = False

    def __enter__(self) -> Home:
        config = self.cov.config
        self.own = settings.of(settings.section_of(config))
        built = plan.build(self.cov, branch=config.branch, context=config.context)
        messages.warn(self.cov, built.warnings)
        self.target = Target.of(self.cov, append=self.append)
        if self.into is None:
            self.target.check(has_arcs=config.branch)
        rules = built.rules + plan.identity(self.command, self.target.path)
        path, self.fd = segments.create(built.flags, rules, self.own)
        self.delivery = Delivery(path, self.fd)
        if self.own.keeper and self.into is None:
            self.delivery.keeper = Keeper.of(
                path, self.own.wait, self.target.salvage_options(self.cov)
            )
        self.begin(path, self.fd, self.own.size)
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if not self.delivery.end(self._last, self.own.wait):
                raise CoverageException("The data of the cluster could not be written")
        finally:
            os.close(self.fd)

    def _last(self, left: list[segments.Process]) -> list[segments.Process]:
        self.delivery.deliver(self._write)
        left = [one for one in left if one.pid != os.getpid()]
        texts = self.delivery.still_running(left, self.own.wait, "--shm-wait")
        messages.warn(self.cov, [*self.delivery.name_gone(), *texts])
        return left

    def _write(self, copy: _merge.Copy) -> str | None:
        for text in result.losses(copy.info()):
            self.warnings.append((f"Not all of this run was recorded: {text}", "not-recorded"))
        messages.warn(self.cov, self.warnings)
        messages.warn(self.cov, result.last_warnings(copy, self.cov, self.target))
        if self.into is None:
            result.write(copy, self.cov, self.target, sys.argv)
            return self.target.path
        with tempfile.TemporaryDirectory(prefix="shmcov-") as folder:
            target = Target(str(Path(folder, "data")))
            result.write(copy, self.cov, target, sys.argv)
            data = coverage.CoverageData(basename=target.path)
            data.read()
            self.into.get_data().update(data)
            data.close()
        return None


@contextlib.contextmanager
def here(command: str, config_file: str | bool, *, append: bool) -> Iterator[Home]:
    """The home of a run that this process begins."""
    current = coverage.Coverage.current()
    if _shmcov.attached() and _shmcov.recording():
        home: Home = Measured(current or coverage.Coverage(config_file=config_file), command)
    else:
        cov = coverage.Coverage(config_file=False if current else config_file)
        if current is not None:
            cov.config = copy.deepcopy(current.config)
        made = Made(cov, command)
        made.into, made.append = current, append
        home = made
    with home as begun:
        yield begun
