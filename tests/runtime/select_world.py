# SPDX-License-Identifier: Apache-2.0
"""A project, a virtual environment, links, and what may be asked about them.

Names are strings here, because what os.path makes of a string is what is tested.
"""

# ruff: noqa: PTH100, PTH102, PTH118, PTH119, PTH120
from __future__ import annotations

import os
import random
import re
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import coverage
import pytest


class World:
    """A project, a virtual environment, links, and what may be asked about them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in [
            *["proj/manage.py", "proj/pkg/__init__.py", "proj/pkg/mod.py"],
            *["proj/pkg/sub/__init__.py"],
            *["proj/pkg/sub/deep.py", "proj/pkg/omitted.py", "proj/pkgx.py"],
            *["proj/ns/part/leaf.py"],
            *[
                "proj/tests/test_a.py",
                "proj/scripts/tool.py",
                "proj/späß/日本.py",
                "proj/a b/c+d.py",
            ],
            *["proj/noext", "proj/pkg/__pycache__/mod.cpython-313.pyc", "outside/pkg/mod.py"],
            *["venv/pyvenv.cfg", "venv/lib/python3/site-packages/third/__init__.py"],
            *["venv/lib/python3/site-packages/third/inner.py", "venv/src/own/__init__.py"],
            *["venv/src/own/core.py", "venv/src/loose.py", "late/latepkg/__init__.py"],
            *["venv/late/venvpkg/__init__.py", "venv/late/venvpkg/sub.py", "late/latepkg/x.py"],
            *["proj/legacy.pyc", "proj/back\\slash.py", "proj/new\nline.py"],
        ]:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
        (root / "link").symlink_to("proj")
        (root / "proj" / "linked.py").symlink_to("../outside/pkg/mod.py")
        (root / "proj" / "linkdir").symlink_to(root / "outside")
        (root / "proj" / "up").symlink_to("..")
        (root / "loop_a").symlink_to("loop_b")
        (root / "loop_b").symlink_to("loop_a")
        (root / "venvlink").symlink_to("venv")
        with zipfile.ZipFile(root / "lib.zip", "w") as archive:
            archive.writestr("zipped/__init__.py", "")
            archive.writestr("zipped/mod.py", "")
        os.mkdir(os.fsencode(root) + b"/bad\xff")
        Path(os.fsdecode(os.fsencode(root) + b"/bad\xff/x.py")).write_text("")
        self.sys_path = [
            *[str(root / "proj"), *sys.path, str(root / "venv/lib/python3/site-packages")],
            *[str(root / "venvlink/src"), str(root / "lib.zip"), str(root / "missing"), ""],
        ]
        self.later = [str(root / "late"), str(root / "venv/late"), "../venv/late"]

    def names(self) -> list[str]:
        """File names as code objects and modules carry them."""
        root, proj = str(self.root), str(self.root / "proj")
        found = sorted(self.root.rglob("*"))
        files = [str(p) for p in found if p.is_file() and p.suffix in {".py", ".pyc"}]
        relative = [os.path.relpath(name, proj) for name in files]
        return [
            *files,
            *[name.replace(proj, f"{root}/link") for name in files if name.startswith(proj)],
            *[name.replace("/venv/", "/venvlink/") for name in files if "/venv/" in name],
            *relative,
            *[f"./{name}" for name in relative[:8]],
            *["pkg/mod.py", "third/inner.py", "third/__init__.pyc", "own/core.py", "loose.py"],
            *["gone.py"],
            *["venvpkg/sub.py", "latepkg/x.py", "zipped/mod.py", "pkg//mod.py", "pkg/./mod.py"],
            *["pkg/"],
            *[f"{proj}/linkdir/pkg/mod.py", f"{proj}/linkdir/../pkg/mod.py", f"{proj}/linked.py"],
            *[f"{proj}/up/proj/up/proj/pkg/mod.py", f"{proj}/up/../x.py"],
            *[f"{proj}/gone/../pkg/mod.py"],
            *[f"{root}/loop_a/x.py", f"{root}/loop_a", f"{root}/lib.zip/zipped/mod.py", f"{proj}/"],
            *[f"/{proj}/pkg/mod.py", f"//{proj}/pkg/mod.py", "/", "/x.py", "//x.py", "/../x.py"],
            *[".", ".."],
            *[f"{proj}/pkg/mod.pyc", f"{proj}/pkg/mod.pyo", f"{proj}/pkg/mod.pyx"],
            *[f"{proj}/mod.so"],
            *["", "<string>", "<doctest x>", "<", "memory:x", "memory:/x.py", "memory"],
            *[f"{proj}/<x>.py"],
            *[" ", "日本.py", "späß/日本.py", "é", "%s", f"{proj}/{'d/' * 40}x.py", ".py"],
            *[f"{proj}/.py"],
            *[os.__file__, types.__file__, re.__file__, coverage.__file__, pytest.__file__],
            *[f"{os.path.dirname(os.__file__)}/xml/__init__.py", "pkg", f"{proj}/pkg"],
            *[proj + "x/a.py"],
        ]

    def modules(self) -> list[object]:
        return [
            *["pkg", "pkg.mod", "pkg.sub.deep", "pkgx", "pkg.", "pkg.nope", "Pkg", "mod"],
            *["manage", ""],
            *["third", "third.inner", "own", "own.core", "ns", "ns.part", "ns.part.leaf"],
            *["latepkg"],
            *["latepkg.x", "venvpkg", "venvpkg.sub", "zipped", "zipped.mod", "os", "json", "späß"],
            *[None],
            *["__main__", "__main__", "__main__", 5, b"pkg", "test_a", "x", "tool"],
        ]

    def natural_module(self, name: str) -> str | None:
        """The module that an import makes of the file."""
        for folder in ("proj", "late", "venv/late", "venv/src", "venv/lib/python3/site-packages"):
            head = f"{self.root}/{folder}/"
            if name.startswith(head):
                module = re.sub(r"(/__init__)?\.pyc?$", "", name[len(head) :])
                return module.replace("/", ".")
        return None

    def frame(self, rng: random.Random, name: str) -> Any:
        """A frame, as far as should_trace reads it."""
        globals_: dict[str, object] = {}
        if rng.random() < 0.95:
            globals_["__name__"] = rng.choice([*self.modules(), *[self.natural_module(name)] * 20])
        if globals_.get("__name__") == "__main__" or rng.random() < 0.1:
            spec = rng.choice([None, "pkg", "pkg.__main__", "__main__", "third.inner", None, 7])
            globals_["__spec__"] = None if spec is None else types.SimpleNamespace(name=spec)
        kind = rng.randrange(7)
        if kind < 3:
            globals_["__file__"] = rng.choice([name, f"{name}c", os.path.abspath(name or "x")])
        elif kind == 3:
            globals_["__file__"] = rng.choice(self.names())
        elif kind == 4:
            other = os.path.dirname(rng.choice(self.names()))
            globals_["__file__"] = os.path.join(other, os.path.basename(name))
        elif kind == 5:
            globals_["__file__"] = rng.choice([None, "", Path(name or "x")])
        return types.SimpleNamespace(f_globals=globals_)

    def config(self, rng: random.Random) -> dict[str, Any]:
        root, proj = str(self.root), str(self.root / "proj")
        folders = [
            *[".", "pkg", "tests", "ns", "../outside", "linkdir", "späß", "a b"],
            *[f"{root}/venv/src"],
            *[f"{root}/venv/lib/python3/site-packages/third", f"{root}/venv", root, f"{root}/link"],
            *[os.path.dirname(os.__file__), os.path.dirname(pytest.__file__)],
        ]
        packages = [
            *["pkg", "pkg.sub", "pkg.mod", "third", "third.inner", "own", "ns", "ns.part", "nope"],
            *["latepkg", "venvpkg", "zipped", "json", "manage", "tool", "pytest", "nope.sub"],
        ]
        patterns = [
            *["*/pkg/*", "pkg/*", "*/omitted.py", "*.py", "*", "pkg", "pkg/mod.py", f"{proj}/*"],
            *["tests/*", "*/tests/*", "**/sub/**", "?kg/*", "*/[a-m]*", "[o]*", "../outside/*"],
            *["späß/*"],
            *["*/site-packages/*", "*/venv/*", "link/*", f"{root}/link/*", "*/test_?.py", "a b/*"],
            *["*\\*"],
        ]

        def some(values: list[str], chance: float) -> list[str]:
            return rng.sample(values, rng.randint(1, 3)) if rng.random() < chance else []

        chance = rng.choice([0.0, 0.0, 0.6])
        return {
            "source": some(folders + packages, chance) or None,
            "source_pkgs": some(packages, chance),
            "source_dirs": some(folders, chance),
            "include": some(patterns, 0.4) or None,
            "omit": some(patterns, 0.4) or None,
            "cover_pylib": rng.random() < 0.4,
        }
