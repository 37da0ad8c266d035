# SPDX-License-Identifier: Apache-2.0
"""No circle of imports between the files of the package, wherever in a file an import is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "runtime" / "shmcov"


def circle(package: Path) -> list[str]:
    """The files of a circle, if there is one. A package is not taken to be imported by what is in
    it."""
    modules: dict[str, ast.Module] = {}
    for path in package.rglob("*.py*"):  # .pyi: an extension
        if path.suffix == ".pyc":
            continue
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(path.read_text(), path)
    graph = {
        name: {one for found in _imported(tree) for one in _resolved(found, set(modules))}
        for name, tree in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _imported(tree: ast.Module) -> Iterator[str]:
    """Dotted names, of which the last part may be no module; a `*` at the end is any module."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                assert not node.level, "a relative import"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[name, *_]):
                match name:
                    case ast.JoinedStr(values=[ast.Constant(value=str(start)), _]):
                        yield f"{start}*"
                    case _:
                        raise AssertionError(f"not understood: {ast.unparse(node)}")


def _resolved(name: str, modules: set[str]) -> set[str]:
    if name.endswith(".*"):
        return {module for module in modules if module.startswith(name[:-1])}
    if name in modules:
        return {name}
    return {name.rpartition(".")[0]} & modules


def test_there_is_no_circle() -> None:
    assert circle(PACKAGE) == []


@pytest.mark.parametrize(
    "back",
    [
        "from shmcov.rooms.a import x",
        "from shmcov.rooms import a",
        "import shmcov.rooms.a",
        "def f():\n    from shmcov.rooms import a",
        "if TYPE_CHECKING:\n    from shmcov.rooms.a import T",
        "import importlib; importlib.import_module(f'shmcov.rooms.{name}')",
    ],
)
def test_a_circle_is_found(tmp_path: Path, back: str) -> None:
    rooms = tmp_path / "shmcov" / "rooms"
    rooms.mkdir(parents=True)
    (tmp_path / "shmcov" / "__init__.py").write_text("")
    (tmp_path / "shmcov" / "b.py").write_text("y = 1\n")
    (rooms / "__init__.py").write_text("")
    (rooms / "a.py").write_text("from shmcov.b import y\nx = 1\n")
    assert circle(tmp_path / "shmcov") == []
    (tmp_path / "shmcov" / "b.py").write_text(back)
    found = circle(tmp_path / "shmcov")
    assert {"shmcov.b", "shmcov.rooms.a"} <= set(found)
