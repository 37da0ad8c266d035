# SPDX-License-Identifier: Apache-2.0
"""shmcov's own settings: one table for the command line, the environment and the configuration.

The section [shmcov] of coverage.py's configuration < SHMCOV_… in the environment < --shm-… on the
command line. ValueError says which setting it is, by the name that was used, and what it takes.
"""

from __future__ import annotations

import math
import optparse
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from coverage.config import HandyConfigParser
from coverage.exceptions import CoverageException
from coverage.tomlconfig import TomlConfigParser

SECTION = "shmcov"


class Settings(NamedTuple):
    """What is shmcov's own about a run."""

    wait: float = 2.0
    folder: str | None = None
    size: int = 0
    adopt: bool = True
    contexts: bool = False
    other_users: bool = False
    strict: bool = False
    keeper: bool = True


# -- what a value may be --


def seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} takes a number of seconds, not {text!r}")
    return value


def size(name: str, text: str) -> int:
    """A number of bytes."""
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if not match:
        raise ValueError(f"{name} takes a number of bytes such as 64M, not {text!r}")
    return int(match[1]) << 10 * " KMGT".index(match[2].upper() or " ")


def yes(name: str, text: str) -> bool:
    """A choice, in the words of configuration files."""
    word = text.strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError(f"{name} takes true or false, not {text!r}")


def folder(name: str, text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{name} takes a folder, not {text!r}")
    return os.path.abspath(text)  # noqa: PTH100


# -- the table --


class Option(NamedTuple):
    """One setting. A choice has no metavar, and is turned on or off by being named."""

    name: str
    field: str
    read: Callable[[str, str], Any]
    help: str
    metavar: str | None = None
    off: bool = False
    """A choice that is on, and that --shm-no-… and SHMCOV_NO_… turn off."""

    @property
    def flag(self) -> str:
        return f"--shm-{'no-' * self.off}{self.name}".replace("_", "-")

    @property
    def variable(self) -> str:
        return f"SHMCOV_{'NO_' * self.off}{self.name.upper()}"


OPTIONS = (
    Option(
        "wait",
        "wait",
        seconds,
        "How long to wait for processes that outlive the program. Default 2.",
        "SECONDS",
    ),
    Option(
        "dir",
        "folder",
        folder,
        "Folder for the segment. By default in shared memory if it has room, else on disk. "
        "With it, children with a replaced environment are not measured.",
        "DIR",
    ),
    Option(
        "size",
        "size",
        size,
        "The most that the segment may hold, in bytes or with K, M or G. By default what there is "
        "room for.",
        "SIZE",
    ),
    Option(
        "adopt",
        "adopt",
        yes,
        "Do not measure processes that lost the environment variable SHMCOV_SEGMENT. By default "
        "they find the run through their ancestors.",
        off=True,
    ),
    Option(
        "contexts",
        "contexts",
        yes,
        "Announce that something in the program switches contexts: shmcov.switch_context, or "
        "pytest with --shmcov-context. They work without it, but then the first switch in a "
        "process enables events that other tools of sys.monitoring have disabled.",
    ),
    Option(
        "other_users",
        "other_users",
        yes,
        "Measure children that run as another user too. Whoever learns the name of the segment can "
        "then write into it: docs/security.md.",
    ),
    Option(
        "strict",
        "strict",
        yes,
        "Exit with a status other than 0 if something could not be recorded, even if the "
        "program succeeded.",
    ),
    Option(
        "keeper",
        "keeper",
        yes,
        "Do not start the process that saves the data if this one is killed.",
        off=True,
    ),
)


OTHER_VARIABLES = (
    "SHMCOV_SEGMENT",  # which segment a process attaches to
    "SHMCOV_CONTEXT",  # the dynamic context that a started interpreter begins in
    "SHMCOV_RUN",  # the run on many hosts until whose end a process is measured
    "SHMCOV_READER",  # which process delivers in a run of `shmcov run`
    "SHMCOV_KEPT",  # what a keeper tells `shmcov salvage`
    "SHMCOV_FALLBACK",  # the run in which coverage.py's own core measures
    "SHMCOV_BENCH_COUNT",  # where `shmcov bench` has processes counted
    "SHMCOV_BENCH_NULL",  # the events of its tracer that does nothing
    "SHMCOV_DEBUG",  # a process says why it did not attach
    "SHMCOV_SITES",  # 0: no single events are re-armed
    "SHMCOV_TRACER",  # trace or breakpoints: what measures on 3.11
)
"""What else is read from the environment."""


def variables() -> set[str]:
    return {option.variable for option in OPTIONS} | {*OTHER_VARIABLES}


# -- the command line --


def add_to(parser: optparse.OptionParser) -> None:
    """Adds shmcov's own options to those of `coverage run`."""
    group = optparse.OptionGroup(parser, "shmcov's own options")
    for option in OPTIONS:
        help_text = f"{option.help} [env: {option.variable}]"
        if option.metavar:
            group.add_option(option.flag, metavar=option.metavar, help=help_text)
        else:
            group.add_option(option.flag, action="store_const", const="true", help=help_text)
    parser.add_option_group(group)


def of_command(options: optparse.Values, config: Any) -> Settings:
    """The settings of a command line, from wherever they are set. ValueError."""
    given = {
        option.flag: getattr(options, option.flag.removeprefix("--").replace("-", "_"))
        for option in OPTIONS
    }
    return of(section_of(config), given)


# -- reading --


def of(section: Mapping[str, Any], given: Mapping[str, str] | None = None) -> Settings:
    """The settings of a section [shmcov] and the environment, and of a command line: flag to text,
    "true" for a choice. ValueError."""
    for problem in unknown(section):
        raise ValueError(problem)
    return Settings(**{option.field: value for option, value in _values(section, given or {})})


def strict(section: Any) -> bool:
    """Whether a plug-in that falls back is an error, whatever else is wrong with the settings."""
    option = next(option for option in OPTIONS if option.name == "strict")
    try:
        return bool(_value(option, section if isinstance(section, Mapping) else {}, {}))
    except ValueError:
        return True  # somebody wanted something of the kind


def problems(section: Any) -> list[str]:
    """All that is wrong with a section [shmcov] and the environment."""
    found = list(unknown(section))
    section = section if isinstance(section, Mapping) else {}
    for option in OPTIONS:
        try:
            _value(option, section, {})
        except ValueError as error:
            found.append(str(error))
    return found


def unknown(section: Any) -> Iterator[str]:
    """What it has beside settings. In TOML it may be no section at all."""
    if not isinstance(section, Mapping):
        yield f"[{SECTION}] takes a table of settings, not {section!r}"
        return
    names = [option.name for option in OPTIONS]
    for name in section:
        if name not in names:
            import difflib

            near = difflib.get_close_matches(name, names, 1)
            hint = f": did you mean {near[0]}?" if near else f"; there are {', '.join(names)}"
            yield f"[{SECTION}] {name} is not an option of shmcov{hint}"


def _values(section: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[tuple[Option, Any]]:
    for option in OPTIONS:
        value = _value(option, section, given)
        if value is not None:
            yield option, value


def _value(option: Option, section: Mapping[str, Any], given: Mapping[str, str]) -> Any:
    """None: it is set nowhere."""
    for name, text, off in (
        (option.flag, given.get(option.flag), option.off),
        (option.variable, os.environ.get(option.variable), option.off),
        (f"[{SECTION}] {option.name}", section.get(option.name), False),
    ):
        if text is not None and text != "":
            value = option.read(name, str(text))
            return not value if off else value
    return None


def section_of(config: Any) -> Any:
    """The section [shmcov] of coverage.py's configuration. coverage.py itself reads it only where
    `plugins` names shmcov; `shmcov run` needs no plug-in. CoverageException."""
    if SECTION in config.plugins:
        return _copied(config.get_plugin_options(SECTION))
    path = config.config_file
    if not path:
        return {}
    shared = os.path.basename(path) in ("setup.cfg", "tox.ini", "pyproject.toml")  # noqa: PTH119
    parser = TomlConfigParser if path.endswith(".toml") else HandyConfigParser
    parsed: Any = parser(not shared)
    try:
        parsed.read(path)
        return _copied(parsed.get_section(SECTION)) if parsed.has_section(SECTION) else {}
    except Exception as error:  # configparser's and tomllib's own, and coverage.py's
        name = os.path.abspath(path)  # noqa: PTH100
        raise CoverageException(f"Couldn't read config file {name}: {error}") from error


def _copied(section: Any) -> Any:
    """What is no section is refused where its values are read."""
    return dict(section) if isinstance(section, Mapping) else section
