# SPDX-License-Identifier: Apache-2.0
"""The stubs of the extensions name what there is, so that a checker knows of each constant."""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import _shmcov
import pytest
from shmcov import _merge

RUNTIME = Path(__file__).resolve().parents[2] / "runtime"
TYPES = {"Calls", "Claim", "StrPath", "Info", "Process", "Counts", "CombineCounts"}
"""Names only for the checker."""


def named(body: list[ast.stmt]) -> set[str]:
    names = set()
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                names.add(name)
    return names


@pytest.mark.parametrize(
    ("module", "stub"), [(_shmcov, "_shmcov.pyi"), (_merge, "shmcov/_merge.pyi")]
)
def test_the_stub_names_what_there_is(module: ModuleType, stub: str) -> None:
    there = {name for name in vars(module) if not name.startswith("__")}
    assert named(ast.parse((RUNTIME / stub).read_text()).body) - TYPES == there
