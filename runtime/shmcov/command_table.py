# SPDX-License-Identifier: Apache-2.0
"""All commands with their options, as the parsers have them: for completion and the man page."""

from __future__ import annotations

import argparse
import optparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Option:
    names: tuple[str, ...]  # "-a", "--append"
    value: str  # what it takes, in words; "" for nothing
    choices: tuple[str, ...]
    help: str

    @property
    def line(self) -> str:
        """The help in one short line."""
        return self.help.split(". ")[0].rstrip(".")


@dataclass(frozen=True)
class Command:
    name: str
    line: str
    usage: str  # what follows the name
    description: str
    options: tuple[Option, ...]


def of(parsers: Mapping[str, Any], lines: Mapping[str, str]) -> list[Command]:
    """From what cli.install() and cli.overview() return."""
    return [_command(name, lines[name], parsers[name]) for name in sorted(parsers)]


def _command(name: str, line: str, parser: Any) -> Command:
    if isinstance(parser, argparse.ArgumentParser):
        usage = " ".join(["[options]", *_positionals(parser)])
        options = _of_argparse(parser)
    else:
        usage = str(parser.usage or "%prog [options]").removeprefix("%prog")
        options = _of_optparse(parser)
    description = str(parser.description or line)
    return Command(name, line, usage.strip(), description, tuple(options))


def _positionals(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if not action.option_strings:
            choices = "|".join(map(str, action.choices or ()))
            name = str(action.metavar or choices or action.dest)
            yield f"[{name}]" if action.nargs == "?" else name


def _of_optparse(parser: optparse.OptionParser) -> Iterator[Option]:
    groups: list[Any] = [parser, *parser.option_groups]
    for group in groups:
        for option in group.option_list:
            names = (*option._short_opts, *option._long_opts)
            value = str(option.metavar or option.dest or "").upper() if option.takes_value() else ""
            choices = tuple(option.choices or ())
            yield Option(names, value, choices, str(option.help or ""))


def _of_argparse(parser: argparse.ArgumentParser) -> Iterator[Option]:
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or not action.option_strings:
            continue
        value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
        choices = tuple(map(str, action.choices or ()))
        yield Option(tuple(action.option_strings), value, choices, action.help or "")
