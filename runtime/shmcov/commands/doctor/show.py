# SPDX-License-Identifier: Apache-2.0
"""What doctor prints: for people, and for programs (docs/doctor.md has the fields)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from shmcov.commands.doctor.findings import Finding, Kind

WIDTH = 16
SCHEMA = 1
MARKS = {Kind.PROBLEM: "PROBLEM: ", Kind.NOTE: "note: "}


def plain(findings: Sequence[Finding]) -> str:
    lines = [
        line
        for one in findings
        if one.kind not in (Kind.NOT_NEEDED, Kind.STAYS)
        for line in _lines(one.name, MARKS.get(one.kind, "") + one.text)
    ]
    for head, kind in (("not needed", Kind.NOT_NEEDED), ("stays", Kind.STAYS)):
        lines += _lines(head, _all_advice(findings, kind))
    return "\n".join(lines)


def _all_advice(findings: Sequence[Finding], kind: Kind) -> str:
    return "\n".join(text for one in findings if one.kind is kind for text in _advice(one))


def _lines(name: str, text: str) -> Iterator[str]:
    for number, part in enumerate(text.splitlines()):
        yield f"{'' if number else name:{WIDTH}}{part}"


def _advice(one: Finding) -> Iterator[str]:
    yield f"{one.text}  ({one.file}:{one.line})" if one.line else one.text
    if one.run == one.plugin:
        yield f"    either way: {one.run}"
    else:
        yield f"    under `shmcov run`: {one.run}"
        yield f"    with the plug-in: {one.plugin}"


def change(diff: str, refused: str, *, fix: bool) -> str:
    if diff:
        head = "This may be changed:" if fix else "`shmcov doctor --fix` makes this change:"
        return f"\n{head}\n\n{diff}\n"
    if refused:
        return f"\n{refused}\n"
    return "\nThere is nothing to change.\n" if fix else ""


def as_json(
    findings: Sequence[Finding], status: int, diff: str, refused: str, written: bool, copy: str
) -> str:
    return json.dumps(
        {
            "schema": SCHEMA,
            "status": status,
            "findings": [asdict(one) for one in findings],
            "diff": diff,
            "refused": refused,
            "written": written,
            "copy": copy,
        },
        indent=2,
    )
