# SPDX-License-Identifier: Apache-2.0
"""Makes shmcov the core of every Coverage object in every process of a virtual environment.

A start-up file imports this module there, before anything can import coverage.py. A test that
sets its own `run:plugins` cannot undo it: the plug-in is not added to the configuration, but
each Coverage object runs our configurers after those of the plug-ins that its configuration names.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


class Registry:
    """As much of coverage.py's Plugins as `shmcov.coverage_init` uses."""

    def __init__(self) -> None:
        self.configurers: list[Any] = []

    def add_configurer(self, plugin: Any) -> None:
        self.configurers.append(plugin)


def force(coverage: ModuleType) -> None:
    # Here, as coverage.py's tests forget what modules were first imported during a test, and a
    # plug-in that is imported a second time is not what users have.
    import shmcov.backend.hooks

    original = coverage.Coverage._init

    def _init(self: Any) -> None:
        first = not self._inited
        original(self)
        if first:
            registry = Registry()
            shmcov.coverage_init(registry, {})
            for configurer in registry.configurers:
                configurer.configure(self.config)

    coverage.Coverage._init = _init


class Finder:
    """Finds coverage.py where it is, and has it changed as soon as it has run."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == "coverage" else None
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            force(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, Finder)
