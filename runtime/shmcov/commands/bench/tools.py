# SPDX-License-Identifier: Apache-2.0
"""The tools that are compared: which there are here, and how a program runs under one."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from shmcov import compiled
from shmcov.commands.bench.configuration import CHILDREN, OURS, Configuration, Mode

VERSION = sys.version_info[:2]
INJECT = Path(__file__).parent / "inject"

COUNT = "SHMCOV_BENCH_COUNT"
NULL_TRACER = "SHMCOV_BENCH_NULL"


@dataclass(frozen=True)
class Tool:
    """One way to run a program. Its name is what the results call it."""

    name: str
    title: str = ""
    module: str = ""
    """What runs the program, as `python -m`; empty: Python itself."""
    core: str = ""
    """Of coverage.py."""

    def lacking(self) -> str:
        """Why it cannot be used here; empty: it can."""
        if self.module and importlib.util.find_spec(self.module) is None:
            return f"{self.module} is not installed"
        if self.core == "ctrace" and importlib.util.find_spec("coverage.tracer") is None:
            return "this coverage.py has no compiled tracer"
        if self.core == "sysmon" and VERSION < (3, 12):
            return "needs Python 3.12"
        if self.module == "slipcover" and VERSION >= (3, 15):
            return "slipcover does not know this Python"
        if self in (SHMCOV, PLUGIN):
            return compiled.lacking() or ""
        return ""

    def cannot(self, mode: Mode) -> str:
        """Why it does not measure this here."""
        if self.core == "sysmon":
            if mode.contexts:
                return "records no contexts"
            if mode.branches and VERSION < (3, 14):
                return "measures branches from Python 3.14 on"
        if self.module == "slipcover" and mode.contexts:
            return "records no contexts"
        return ""

    @property
    def version(self) -> str:
        name = "shmcov" if self is PLUGIN else self.module
        try:
            return f"{name} {metadata.version(name)}" if name else ""
        except metadata.PackageNotFoundError:
            return name

    @property
    def combines(self) -> bool:
        """Does it leave files that have to be combined?"""
        return bool(self.core)

    # -- how it runs a program --

    def prepare(self, configuration: Configuration, mode: Mode, folder: Path) -> None:
        """Writes what it reads."""
        more: dict[str, object] = {}
        if self.core:
            more = {"core": self.core, "parallel": True, "patch": CHILDREN}
        if self is PLUGIN:
            more = {"plugins": (OURS,)}
        configuration.write(folder / "rc", mode, data_file(folder), more)

    def options(self, configuration: Configuration, mode: Mode, folder: Path) -> list[str]:
        """What stands between Python and the program."""
        if not self.module:
            return []
        if self.module != "slipcover":
            return ["-m", self.module, "run", f"--rcfile={folder / 'rc'}"]
        out = data_file(folder).with_name("slipcover.json")
        options = ["-m", self.module, "--json", f"--out={out}"]
        if configuration.given:
            options.append(f"--source={','.join(configuration.folders())}")
        if omitted := configuration.omitted():
            options.append(f"--omit={','.join(omitted)}")
        return options + ["--branch"] * mode.branches

    def environment(self, configuration: Configuration, mode: Mode, folder: Path) -> dict[str, str]:
        # Whatever else measures: the user's own files stay as they are.
        env = {"COVERAGE_FILE": str(data_file(folder))}
        if self.core:
            env["COVERAGE_CORE"] = self.core
        if self is NULL:
            parts = [
                "|".join(configuration.folders()),
                "|".join(configuration.outside()),
                "1" * mode.branches,
                "1" * mode.contexts,
            ]
            env[NULL_TRACER] = "\n".join(parts)
        return env


BARE = Tool("bare", "no tool")
NULL = Tool("null", "a tracer that does nothing")
SHMCOV = Tool("shmcov", "shmcov run", "shmcov")
PLUGIN = Tool("plugin", "coverage run, plugins = shmcov", "coverage")
SYSMON = Tool("sysmon", "coverage.py, sysmon", "coverage", "sysmon")
CTRACE = Tool("ctrace", "coverage.py, ctrace", "coverage", "ctrace")
PYTRACE = Tool("pytrace", "coverage.py, pytrace", "coverage", "pytrace")
SLIPCOVER = Tool("slipcover", "SlipCover", "slipcover")

TOOLS = (BARE, NULL, SHMCOV, PLUGIN, SYSMON, CTRACE, SLIPCOVER, PYTRACE)
BY_NAME = {tool.name: tool for tool in TOOLS}
ON_REQUEST = {PYTRACE}


def data_file(folder: Path) -> Path:
    """What a tool writes its data to, in the folder of a variant. Nothing else lies there."""
    return folder / "data" / ".coverage"


def cleaned(env: Mapping[str, str]) -> dict[str, str]:
    """An environment without what would start or steer a tool, and with the same hashes in each
    run."""
    runs = ("COVERAGE", "SHMCOV_SEGMENT", "SHMCOV_KEPT", "SHMCOV_READER", "SHMCOV_FALLBACK")
    kept = {name: text for name, text in env.items() if not name.startswith(runs)}
    return {"PYTHONHASHSEED": "0", **kept}


def injected(env: Mapping[str, str]) -> dict[str, str]:
    """With our sitecustomize, if something asks for it."""
    if COUNT not in env and NULL_TRACER not in env:
        return dict(env)
    paths = [str(INJECT), *filter(None, [env.get("PYTHONPATH")])]
    return {**env, "PYTHONPATH": ":".join(paths)}


def combine(folder: Path) -> Sequence[str | Path]:
    """The command that makes one file of those that coverage.py leaves."""
    options = ["-q", f"--rcfile={folder / 'rc'}"]
    return [sys.executable, "-m", "coverage", "combine", *options]
