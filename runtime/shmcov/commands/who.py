# SPDX-License-Identifier: Apache-2.0
"""`shmcov who`: which tests ran a line, and which lines a test ran."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from coverage.exceptions import CoverageException
from coverage.parser import PythonParser

from shmcov import terminal
from shmcov.messages import complain
from shmcov.recording import Bits, Recording, configured, in_words, numbers, test_of

FOUND, FAILED, NOBODY = 0, 1, 2

NO_TESTS = (
    "{path} does not say which test ran what. Record contexts: `pytest --cov-context=test`, or "
    "`dynamic_context = test_function` in the configuration."
)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov who",
        description="Show which tests ran these lines, as the data file has it: those first that "
        "run least besides. The exit status is 2 if no test did.",
    )
    parser.add_argument("what", metavar="FILE[:LINE[-LINE]]")
    parser.add_argument(
        "--files",
        action="store_true",
        help="the other way round: show which lines of which files a test ran, which is named "
        "instead of FILE; a part of its name will do",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--limit", type=int, default=20, metavar="N", help="show N at most; 0: all. Default: 20"
    )
    parser.add_argument("--data-file", metavar="FILE", help="default: as configured")
    parser.add_argument("--rcfile", metavar="FILE", help="the configuration that names it")
    return parser


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    try:
        with closing(configured(options.data_file, options.rcfile)) as recording:
            if not recording.has_tests:
                raise CoverageException(NO_TESTS.format(path=recording.path))
            return (_files_of if options.files else _tests_of)(recording, options)
    except CoverageException as error:
        complain(str(error))
        return FAILED


@dataclass
class Test:
    """What a test ran of the lines that were asked for."""

    name: str
    phases: list[str] = field(default_factory=list)
    lines: Bits = 0
    all_lines: int = 0  # that it ran in all files, each phase for itself

    @property
    def row(self) -> tuple[str, str, str, str]:
        return str(self.all_lines), in_words(self.lines), " ".join(self.phases), self.name


def _tests_of(recording: Recording, options: argparse.Namespace) -> int:
    text, first, last = _parsed(options.what)
    name = _file_named(text, recording)
    wanted = _statements(name, first, last)
    tests: dict[str, Test] = {}
    for context, lines in recording.lines_of_file(name).items():
        if not (lines & wanted and recording.contexts.get(context)):
            continue
        key, phase = test_of(recording.contexts[context])
        test = tests.setdefault(key, Test(key))
        test.lines |= lines & wanted
        if phase:
            test.phases.append(phase)
    keys = {context: test_of(name)[0] for context, name in recording.contexts.items()}
    for context, total in recording.totals([c for c, key in keys.items() if key in tests]).items():
        tests[keys[context]].all_lines += total
    found = sorted(tests.values(), key=lambda test: (test.all_lines, test.name))
    if options.json:
        shown = found[: options.limit or None]
        made = [
            {
                "test": test.name,
                "phases": test.phases,
                "lines": numbers(test.lines),
                "all_lines": test.all_lines,
            }
            for test in shown
        ]
        asked = {"file": name, "first": first, "last": last}
        print(json.dumps({**asked, "found": len(found), "tests": made}))
    elif found:
        _show(("IN ALL", "LINES", "PHASES", "TEST"), [test.row for test in found], options.limit)
    else:
        complain(f"No test ran {options.what}.")
    return FOUND if found else NOBODY


def _files_of(recording: Recording, options: argparse.Namespace) -> int:
    name, contexts = _test_named(options.what, recording)
    files = sorted(recording.files_of_contexts(contexts).items())
    if options.json:
        shown = files[: options.limit or None]
        made = [{"file": file, "lines": numbers(lines)} for file, lines in shown]
        print(json.dumps({"test": name, "found": len(files), "files": made}))
    else:
        print(name)
        rows = [(str(lines.bit_count()), file, in_words(lines)) for file, lines in files]
        _show(("LINES", "FILE", "WHICH"), rows, options.limit)
    return FOUND if files else NOBODY


def _show(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], limit: int) -> None:
    terminal.table(head, rows[: limit or None])
    if 0 < limit < len(rows):
        print(f"\n  and {len(rows) - limit} more: --limit 0 shows all")


def _parsed(what: str) -> tuple[str, int | None, int | None]:
    """The file, and the first and last line or None for all."""
    match = re.fullmatch(r"(.+?)(?::(\d+)(?:-(\d+))?)?", what, re.DOTALL)
    assert match is not None
    name, first, last = match.groups()
    if first is None:
        return name, None, None
    pair = int(first), int(last or first)
    if not 0 < pair[0] <= pair[1] < 1 << 24:
        raise CoverageException(f"{what}: lines count from 1, and the first is not after the last.")
    return name, *pair


def _file_named(text: str, recording: Recording) -> str:
    """The data file's name for a file."""
    for name in (text, str(Path(text).absolute()), str(Path(text).resolve())):
        if name in recording.files:
            return name
    end = "/" + text.replace("\\", "/").removeprefix("./")
    return _the_one(
        text,
        [name for name in recording.files if ("/" + name.replace("\\", "/")).endswith(end)],
        f"{recording.path} knows no file {text}",
    )


def _test_named(text: str, recording: Recording) -> tuple[str, list[int]]:
    tests: dict[str, list[int]] = {}
    for number, context in recording.contexts.items():
        if context:
            tests.setdefault(test_of(context)[0], []).append(number)
            if context == text:
                return text, [number]
    ways: tuple[Callable[[str], bool], ...] = (
        lambda name: name == text,
        lambda name: name.endswith((f"::{text}", f".{text}")),
        lambda name: name.endswith(text),
        lambda name: text in name,
    )
    found = next(filter(None, ([name for name in tests if way(name)] for way in ways)), [])
    name = _the_one(text, found, f"{recording.path} knows no test {text}")
    return name, tests[name]


def _the_one(text: str, found: list[str], nothing: str) -> str:
    if len(found) == 1:
        return found[0]
    if not found:
        raise CoverageException(f"{nothing}.")
    shown = "".join(f"\n    {name}" for name in sorted(found)[:10])
    more = f"\n    and {len(found) - 10} more" if len(found) > 10 else ""
    raise CoverageException(
        f"{text} may be one of {len(found)}; say more of its name:{shown}{more}"
    )


def _statements(name: str, first: int | None, last: int | None) -> Bits:
    """The lines from first to last, and whatever else belongs to their statements."""
    if first is None or last is None:
        return -1
    wanted: Bits = ((1 << (last - first + 1)) - 1) << first
    try:
        parser = PythonParser(filename=name)
        parser.parse_source()
    except (CoverageException, OSError):
        return wanted  # no source, or another than Python
    statement = parser.multiline_map  # a line to the first one, for statements of several
    starts = {start for line, start in statement.items() if wanted >> line & 1}
    starts |= {line for line in statement.values() if wanted >> line & 1}
    for line, start in statement.items():
        if start in starts:
            wanted |= 1 << line | 1 << start
    return wanted
