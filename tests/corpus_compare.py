# SPDX-License-Identifier: Apache-2.0
"""Say in words and source lines how two reports of a file differ."""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from corpus_support import (
    CORPUS,
    FileReport,
    combine,
    read_program,
    report,
    run_reference,
    run_tested,
    write_rcfile,
)


def _state(file_report: FileReport, line: int) -> str:
    for key, mark in (("executed_lines", "run"), ("missing_lines", "miss")):
        if line in file_report[key]:
            return mark
    return "excl" if line in file_report["excluded_lines"] else "-"


def _branches(file_report: FileReport, key: str) -> set[tuple[int, int]]:
    return {(branch[0], branch[1]) for branch in file_report.get(key, ())}


def _branch_differences(expected: FileReport, actual: FileReport) -> Iterator[tuple[int, str]]:
    for key in ("executed_branches", "missing_branches"):
        ours, theirs = _branches(actual, key), _branches(expected, key)
        for verb, arcs in (("only ctrace has", theirs - ours), ("only shmcov has", ours - theirs)):
            for source, target in sorted(arcs):
                yield source, f"{verb} {key.replace('_', ' ')[:-2]} {source} -> {target}"


def _other_differences(expected: Any, actual: Any, where: str = "") -> Iterator[str]:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key in sorted(expected.keys() | actual.keys()):
            yield from _other_differences(expected.get(key), actual.get(key), f"{where}/{key}")
    elif expected != actual:
        yield f"{where}: ctrace {expected}, shmcov {actual}"


def differences(
    name: str, expected: FileReport | None, actual: FileReport | None, base: Path = CORPUS
) -> str:
    """Say how two reports of one file differ; empty if they do not."""
    if expected == actual:
        return ""
    if expected is None or actual is None:
        return f"{name} is only in the report of {'shmcov' if expected is None else 'ctrace'}"
    marks: dict[int, list[str]] = {}
    lines = {
        line
        for side in (expected, actual)
        for key in ("executed_lines", "missing_lines", "excluded_lines")
        for line in side[key]
        if _state(expected, line) != _state(actual, line)
    }
    for line in lines:
        marks.setdefault(line, [])
    for line, text in _branch_differences(expected, actual):
        marks.setdefault(line, []).append(text)
    out = [f"{name}: shmcov differs from ctrace", "  line ctrace shmcov"]
    out.extend(_marked_source(base / name, expected, actual, marks))
    if not marks:
        out.extend(_other_differences(expected, actual))
    return "\n".join(out)


def _marked_source(
    path: Path, expected: FileReport, actual: FileReport, marks: Mapping[int, list[str]]
) -> Iterator[str]:
    if not path.is_file():  # inside a zip
        source: list[str] = []
    else:
        source = re.split(r"\r\n|\r|\n", path.read_bytes().decode("utf-8", "replace"))
    whole = len(source) <= 60
    shown = {line + by for line in marks for by in range(-3, 4)}
    before = 0
    for number in sorted({*range(1, len(source) + 1), *marks}):
        if not whole and number not in shown:
            continue
        if number > before + 1 and before:
            yield "   ..."
        before = number
        text = source[number - 1] if 0 < number <= len(source) else ""
        theirs, ours = _state(expected, number), _state(actual, number)
        flag = ">" if number in marks else " "
        yield f"{flag}{number:5} {theirs:6} {ours:6} | {text}".rstrip()
        yield from (f"{'':21}^ {text}" for text in marks.get(number, ()))


def compare_program(path: Path, *, branch: bool, raw: bool = False) -> str:
    """Run one program, of the corpus or not, under both; return the differences."""
    program = read_program(path.resolve())
    include = CORPUS if path.resolve().is_relative_to(CORPUS) else program.path.parent
    with tempfile.TemporaryDirectory(prefix="compare-ctrace-") as made:
        theirs, ours = Path(made, "ctrace"), Path(made, "shmcov")
        theirs.mkdir()
        ours.mkdir()
        cwd = program.path.parent
        status = run_reference(program, theirs, branch=branch, include=include, cwd=cwd)
        rcfile = write_rcfile(theirs / "report.rc", branch=branch, include=include)
        combine([theirs], theirs / "data", rcfile, cwd)
        expected: Mapping[str, FileReport] = report(theirs / "data", rcfile, cwd)["files"]
        tested, done = run_tested(
            program.arguments,
            ours,
            branch=branch,
            include=include,
            cwd=cwd,
            options=program.options,
        )
        actual: Mapping[str, FileReport] = tested["files"]
        found = [
            differences(name, expected.get(name), actual.get(name), cwd)
            for name in sorted(expected.keys() | actual.keys())
        ]
        if done.returncode != status:
            found.append(
                f"{program.name}: exit status {status} under ctrace, {done.returncode} under shmcov"
            )
        if raw:
            found.append(_raw_rows(theirs / "data", ours / ".coverage"))
    return "\n\n".join(text for text in found if text)


def _raw_rows(theirs: Path, ours: Path) -> str:
    from coverage import CoverageData

    def rows(path: Path) -> list[str]:
        data = CoverageData(str(path))
        data.read()
        return [
            f"{Path(name).name}: {row}"
            for name in sorted(data.measured_files())
            for row in (
                sorted(set(data.arcs(name) or []))
                if data.has_arcs()
                else sorted(set(data.lines(name) or []))
            )
        ]

    changes = difflib.unified_diff(rows(theirs), rows(ours), "ctrace", "shmcov", n=0, lineterm="")
    return "\n".join(changes)
