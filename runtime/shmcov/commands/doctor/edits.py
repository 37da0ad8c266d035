# SPDX-License-Identifier: Apache-2.0
"""Changes to [run] in a configuration file that leave everything else as its author wrote it.

Lines are edited, in INI and TOML files alike. Then both texts are parsed: if anything else than
what was asked for has changed, the change is refused. So the editing may be simple.
"""

from __future__ import annotations

import configparser
import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shmcov.commands.doctor.findings import Value

SHARED = ("setup.cfg", "tox.ini", "pyproject.toml")
"""Where coverage.py's sections have a prefix."""


class Refused(Exception):
    """The file is written in a way that cannot be edited safely: in words."""


class ConfigFile:
    """A configuration file of coverage.py, there or to be made."""

    def __init__(self, path: Path) -> None:
        """OSError, UnicodeDecodeError."""
        self.path = path
        self.there = path.exists()
        self.data = path.read_bytes() if self.there else b""
        self.text = self.data.decode()
        self.toml = path.suffix == ".toml"
        prefix = "tool.coverage." if self.toml else "coverage:"
        self.names = [f"{prefix}run"] + ["run"] * (path.name not in SHARED)
        """What [run] may be called, as coverage.py looks for it."""

    def options(self) -> Mapping[str, Any]:
        """What [run] holds."""
        content = _parsed(self.text, toml=self.toml)
        return next((content[name] for name in self.names if name in content), {})

    def unread(self) -> list[str]:
        """Sections that look like our own settings, under a name that coverage.py does not use."""
        names = {"shmcov", "tool.shmcov"} if self.toml else {"shmcov"}
        read = {name.removesuffix("run") + "shmcov" for name in self.names}
        return sorted(names.difference(read).intersection(_parsed(self.text, toml=self.toml)))

    def line_of(self, option: str) -> int:
        """The number of the line on which an option of [run] begins. 0: it is not to be seen."""
        found = _Lines(self.text, self.names, toml=self.toml).options.get(option)
        return found[0] + 1 if found else 0

    def changed(self, changes: Mapping[str, Value]) -> str:
        """The text with these changes. Refused."""
        text, now = self.text, self.options()
        windows = text.count("\r\n") == text.count("\n")
        text = text.replace("\r\n", "\n") if windows else text
        for option, value in changes.items():
            if "$" in str(now.get(option)):
                raise Refused(f"{option} is made of environment variables")
            text = _changed(text, self.names, option, value, toml=self.toml)
        text = text.replace("\n", "\r\n") if windows and self.text else text
        self._check(text, changes)
        return text

    def _check(self, text: str, changes: Mapping[str, Value]) -> None:
        try:
            before, after = (_parsed(one, toml=self.toml) for one in (self.text, text))
        except (configparser.Error, tomllib.TOMLDecodeError) as error:
            raise Refused(f"the edited text would not be valid: {error}") from error
        name = next((name for name in self.names if name in {**before, **after}), "")
        asked = dict(after.get(name, {}))
        left = dict(before.get(name, {}))
        for option, value in changes.items():
            left.pop(option, None)
            if _as_value(asked.pop(option, None), value) != value:
                raise Refused(f"{option} is written in a way that cannot be edited line by line")
        others = [
            {key: table for key, table in content.items() if key != name and table}
            for content in (before, after)
        ]
        if left != asked or others[0] != others[1]:
            raise Refused("other settings would change with it")

    def diff(self, text: str) -> str:
        """A unified diff, for `patch -p0`."""
        name = str(self.path)
        old, new = (one.splitlines(keepends=True) for one in (self.text, text))
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in difflib.unified_diff(old, new, name if self.there else "/dev/null", name)
        )


def _parsed(text: str, *, toml: bool) -> dict[str, dict[str, Any]]:
    """Sections by their full names; empty ones may be missing."""
    text = text.removeprefix("\ufeff")
    if not toml:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(text)
        return {name: dict(parser.items(name)) for name in parser.sections()}
    return dict(_flat("", tomllib.loads(text)))


def _flat(name: str, table: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    if own := {key: value for key, value in table.items() if key not in inner}:
        yield name, own
    for key, value in inner.items():
        yield from _flat(f"{name}.{key}" if name else key, value)


def _as_value(found: Any, like: Value) -> Value:
    """What a file says, in the form of what it is to say."""
    if found is None or isinstance(found, list):
        return found
    if isinstance(like, list):
        return [word for word in re.split(r"[,\s]+", str(found)) if word]
    return str(found).lower() if isinstance(found, bool) else str(found)


# -- lines --

_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'[^']*'")


class _Lines:
    """Where [run] and its options are."""

    def __init__(self, text: str, names: list[str], *, toml: bool) -> None:
        self.lines = text.split("\n")
        self.header = -1
        self.options: dict[str, tuple[int, int]] = {}
        for wanted in names:
            self._scan(wanted, toml=toml)
            if self.header >= 0:
                break

    def _scan(self, wanted: str, *, toml: bool) -> None:
        option, indent, depth, inside = "", 0, 0, False
        for number, line in enumerate(self.lines):
            stripped = line.strip()
            if not stripped or stripped[0] in ("#" if toml else "#;"):
                continue
            here = len(line) - len(line.lstrip())
            if depth > 0 if toml else option and here > indent:  # a value goes on
                if inside:
                    self.options[option] = (self.options[option][0], number + 1)
            elif header := re.match(r"\ufeff?\s*\[([^\[\]]+)\]", line):
                inside = header[1].strip() == wanted
                option = ""
                if inside:
                    self.header = number
                continue
            elif key := re.match(r"\s*[\"']?([^\s=:\"']+)[\"']?\s*[=:]", line):
                option, indent = (key[1] if toml else key[1].lower()), here
                if inside:
                    self.options[option] = (number, number + 1)
            if toml:
                bare = _STRING.sub("", line).partition("#")[0]
                depth += sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}")


def _changed(text: str, names: list[str], option: str, value: Value, *, toml: bool) -> str:
    at = _Lines(text, names, toml=toml)
    lines = at.lines
    begin, end = at.options.get(option, (0, 0))
    if value is None:
        del lines[begin:end]
    elif end and isinstance(value, list):
        lines[begin:end] = _with_words(lines[begin:end], value, toml=toml)
    elif end:
        lines[begin:end] = [re.sub(r"([=:]\s*).*?(\s*)$", rf"\g<1>{value}\2", lines[begin])]
    else:
        words = [f'"{word}"' if toml else word for word in value] if isinstance(value, list) else []
        said = value if isinstance(value, str) else ", ".join(words)
        new = f"{option} = [{said}]" if toml and words else f"{option} = {said}"
        if at.header >= 0:
            first = min((place[0] for place in at.options.values()), default=-1)
            indent = re.match(r"\s*", lines[first])[0] if first >= 0 else ""  # type: ignore[index]
            lines.insert(at.header + 1, indent + new)
        else:
            if lines[-1] == "":
                lines.pop()
            lines += [*([""] if lines else []), f"[{names[-1]}]", new, ""]
    return "\n".join(lines)


def _with_words(lines: list[str], value: list[str], *, toml: bool) -> list[str]:
    """The lines of an option whose value is a list, with these words left in it or added."""
    head, body = re.match(r"([^=:]*[=:])(.*)", lines[0], re.DOTALL).groups()  # type: ignore[union-attr]
    kept = []
    missing = list(value)
    for number, line in enumerate([body, *lines[1:]]):
        code, comment = _parted(line, toml=toml)
        left = code
        for word in _words(code, toml=toml):
            if word in value:
                missing.remove(word)
            else:
                left = _without(left, word)
        if left == code or left.strip() or number == 0:
            kept.append((left, comment))
    for word in missing:
        _add(kept, word, toml=toml)
    (first, comment), *rest = kept
    return [head + first + comment, *(code + comment for code, comment in rest)]


def _parted(line: str, *, toml: bool) -> tuple[str, str]:
    """The code of a line, and its comment with the blanks before it."""
    if toml:
        code = re.match(rf"(?:{_STRING.pattern}|[^#])*", line)[0]  # type: ignore[index]
    else:
        code = "" if line.strip()[:1] in ("#", ";") else line
    code = code.rstrip() if code.strip() else code
    return code, line[len(code) :]


def _words(code: str, *, toml: bool) -> list[str]:
    if toml:
        return [quoted[1:-1] for quoted in _STRING.findall(code)]
    return [word for word in re.split(r"[,\s]+", code) if word]


def _without(code: str, word: str) -> str:
    one = rf"([\"']?)(?<![\w.-]){re.escape(word)}(?![\w.-])\1"
    less, count = re.subn(rf"{one}\s*,\s*", "", code)
    return less if count else re.sub(rf",?\s*{one}", "", code)


def _add(kept: list[tuple[str, str]], word: str, *, toml: bool) -> None:
    """Adds a word to a list, in the list's style."""
    at = max(n for n, (code, _) in enumerate(kept) if code.strip() or n == 0)
    code, comment = kept[at]
    new = f'"{word}"' if toml else word
    if toml and at and code.strip() == "]":
        at = max(n for n, (code, _) in enumerate(kept[:at]) if code.strip())
        code, comment = kept[at]
        if not at and not code.endswith("["):
            kept[at] = (f"{code.rstrip(',')}, {new}", comment)
            return
        if at:  # the item before it
            kept[at] = (code if code.endswith(",") else f"{code},", comment)
    elif toml:
        inside = code.rpartition("]")[0].rstrip().rstrip(",")
        kept[at] = (f"{inside}{'' if inside.endswith('[') else ', '}{new}]", comment)
        return
    elif not at or "," in code.rstrip(","):
        kept[at] = (f"{code.rstrip(',')}{', ' if code.strip() else ' '}{new}", comment)
        return
    indent = re.match(r"\s*", code)[0] if at else "    "  # type: ignore[index]
    kept.insert(at + 1, (f"{indent}{new}{',' if toml else ''}", ""))
