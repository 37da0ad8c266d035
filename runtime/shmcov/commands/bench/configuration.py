# SPDX-License-Identifier: Apache-2.0
"""The user's configuration of coverage.py, and what becomes of it for one tool in one mode.

All of [run] that says what to measure stays. Where the data goes, with which core, and whether
branches and contexts are measured, is the benchmark's.
"""

from __future__ import annotations

import importlib.util
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import coverage
from coverage.config import CoverageConfig

KEPT = (
    *("concurrency", "context", "cover_pylib", "disable_warnings", "include", "omit"),
    *("patch", "plugins", "relative_files", "sigterm", "source", "source_pkgs", "source_dirs"),
)
"""Options of [run]. Not `parallel`: how many files there are is the tool's own doing here."""

OURS = "shmcov"

CHILDREN = ("subprocess", "_exit")
"""The patches with which coverage.py measures all processes, as others do without. With `fork` it
would write two files for each fork, and miss lines."""


@dataclass(frozen=True)
class Mode:
    """What is recorded."""

    branches: bool = False
    contexts: bool = False

    def __str__(self) -> str:
        return ("branches" if self.branches else "lines") + ", contexts" * self.contexts


class Configuration:
    """What the user has configured for the folder in which the command runs."""

    def __init__(self, rcfile: str | None = None, source: Sequence[str] = ()) -> None:
        cov = coverage.Coverage(
            data_file=None, config_file=rcfile or True, source=list(source) or None
        )
        self.config: CoverageConfig = cov.config
        self.given = bool(self.config.config_file) or bool(source)

    def modes(self, *, branches: bool, contexts: bool) -> list[Mode]:
        """Those of the configuration, and beside them what is asked for."""
        return [
            Mode(with_branches, with_contexts)
            for with_contexts in _values(self.config.dynamic_context, contexts)
            for with_branches in _values(self.config.branch, branches)
        ]

    def write(self, path: Path, mode: Mode, data_file: Path, more: Mapping[str, object]) -> None:
        """As a file for coverage.py. `more` are options of [run]; what is a list is added."""
        run: dict[str, Any] = {name: self._option(name) for name in KEPT}
        run["plugins"] = [name for name in run["plugins"] or () if name != OURS]
        run |= {"branch": mode.branches, "data_file": data_file}
        if mode.contexts:
            run["dynamic_context"] = self.config.dynamic_context or "test_function"
        for name, value in more.items():
            here = run.get(name)
            run[name] = (
                [*dict.fromkeys([*(here or ()), *value])] if isinstance(value, tuple) else value
            )
        sections: dict[str, Mapping[str, Any]] = {"run": run}
        for plugin in (*self.config.plugins, OURS):
            sections[plugin] = self.config.get_plugin_options(plugin)
        path.write_text("".join(_ini(sections)))

    def _option(self, name: str) -> object:
        return self.config.get_option(f"run:{name}")

    # -- for tools that do not read it --

    def folders(self) -> list[str]:
        """Where the code is that is measured."""
        config = self.config
        found: list[str] = []
        for name in (*(config.source or ()), *config.source_pkgs, *config.source_dirs):
            found += [name] if Path(name).is_dir() else _of_package(name)
        return [str(Path(name).resolve()) for name in found or ["."]]

    def outside(self) -> list[str]:
        """What of it is not."""
        if self.config.source or self.config.source_pkgs or self.config.source_dirs:
            return []
        return [sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")]

    def omitted(self) -> list[str]:
        return list(self.config.run_omit or ())


def _values(configured: object, asked: bool) -> list[bool]:
    return [True] if configured else [False, True] if asked else [False]


def _of_package(name: str) -> list[str]:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    return list(spec.submodule_search_locations or ()) or ([spec.origin] if spec.origin else [])


def _ini(sections: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, options in sections.items():
        yield f"[{name}]\n"
        for option, value in options.items():
            if value is None or value == []:
                continue
            values = value if isinstance(value, list | tuple) else [value]
            # coverage.py replaces variables when it reads; that has been done.
            lines = [str(one).replace("$", "$$") for one in values]
            yield f"{option} = " + "\n    ".join(lines) + "\n"
