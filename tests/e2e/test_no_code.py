# SPDX-License-Identifier: Apache-2.0
"""A program without code to run leaves older data as it is, as under coverage.py."""

from __future__ import annotations

import ctypes
import zipfile
from pathlib import Path

import coverage
import pytest
from project_support import Project


@pytest.fixture
def place(project: Project) -> Project:
    """A folder with much that can be run, and much that cannot."""
    files = {
        "old.py": "x = 1",
        "pkg/__init__.py": "x = 1",
        "pkg/mod.py": "x = 1",
        "pkg/exits.py": "raise SystemExit(1)",
        "pkg/syntax.py": "x = = 1",
        "main/__init__.py": "x = 1",
        "main/__main__.py": "raise SystemExit(1)",
        "space/mod.py": "raise SystemExit(1)",
        "fails/__init__.py": "raise ValueError",
        "fails/mod.py": "",
        "finds/__init__.py": "__path__.append('hidden')",
        "hidden/found.py": "raise SystemExit(1)",
        "syntax.py": "x = = 1",
        "cookie.py": "# coding: no-such-coding",
        "bad.pyc": "nothing",
        "folder/other.py": "",
        "exits.py": "raise SystemExit(1)",
        "exits2.py": "raise SystemExit(2)",
        "imports.py": "import no_such_module",
    }
    for name, text in files.items():
        project.write(name, f"{text}\n")
    with zipfile.ZipFile(project.folder / "lib.zip", "w") as file:
        file.writestr("zipped/__init__.py", "x = 1\n")
        file.writestr("zipped/mod.py", "raise SystemExit(1)\n")
    project.env["PYTHONPATH"] = str(project.folder / "lib.zip")
    project.write(".coveragerc", "[run]\nsource = .\n")
    return project


def measured(project: Project, data_file: str) -> set[str]:
    data = coverage.CoverageData(str(project.folder / data_file))
    data.read()
    return {Path(path).name for path in data.measured_files() if data.lines(path)}


NOTHING = [
    "-m pkg.typo",
    "-m pkg.mod.typo",
    "-m pkg",
    "-m pkg.",
    "-m pkg..mod",
    "-m typo",
    "-m space",
    "-m space.typo",
    "-m finds.typo",
    "-m zipped",
    "-m zipped.typo",
    "-m xml",
    "-m sys",
    "bad.pyc",
    "folder",
    "typo.py",
]

SOMETHING = [
    "-m pkg.mod",
    "-m pkg.exits",
    "-m pkg.syntax",
    "-m main",
    "-m main.__main__",
    "-m space.mod",
    "-m finds.found",
    "-m fails.mod",
    "-m zipped.mod",
    "-m imports",
    "syntax.py",
    "cookie.py",
    "exits.py",
    "exits2.py",
    "imports.py",
]


DEPENDS = ["-m math"]
"""A file of its own in some interpreters, and a part of others."""


@pytest.mark.parametrize("command", [*NOTHING, *SOMETHING, *DEPENDS])
def test_old_data(place: Project, command: str) -> None:
    for tool, run in (("theirs", place.coverage), ("ours", place.shmcov)):
        assert run("run", f"--data-file={tool}", "old.py").returncode == 0
    theirs = place.coverage("run", "--data-file=theirs", *command.split())
    ours = place.shmcov("run", "--data-file=ours", *command.split())
    assert ours.returncode == theirs.returncode
    assert measured(place, "ours") == measured(place, "theirs")
    if command not in DEPENDS:
        assert (measured(place, "ours") == {"old.py"}) == (command in NOTHING)
    if command in NOTHING:
        assert "No data was collected" not in ours.stderr + theirs.stderr
        assert ours.stdout + ours.stderr != ""


def test_none_is_written_where_there_was_none(place: Project) -> None:
    for options in [], ["--append"], ["--parallel-mode"]:
        place.shmcov("run", *options, "-m", "pkg.typo")
        assert place.data_files() == []


def test_what_is_not_measured_has_run_all_the_same(place: Project) -> None:
    """Whether __main__ began is known of code that no rule selects, too."""
    place.write(".coveragerc", "[run]\ninclude = old.py\n")
    place.shmcov("run", "old.py")
    done = place.shmcov("run", "-m", "pkg.exits")
    assert done.returncode == 1
    assert "No data was collected" in done.stderr
    assert measured(place, ".coverage") == set()


def test_a_plugins_code_has_run_all_the_same(place: Project) -> None:
    place.write(
        "plug.py",
        """
        import coverage
        class Plugin(coverage.CoveragePlugin, coverage.FileTracer):
            def file_tracer(self, filename):
                return self if filename.endswith("exits.py") else None
            def source_filename(self):
                return "exits.source"
            def file_reporter(self, filename):
                return "python"
        def coverage_init(reg, options):
            reg.add_file_tracer(Plugin())
        """,
    )
    place.write(".coveragerc", "[run]\nsource = .\nplugins = plug\n")
    done = place.shmcov("run", "-m", "pkg.exits")
    assert done.returncode == 1
    assert "exits.source" in measured(place, ".coverage")


def without_privileges() -> None:
    """Of a root: to read what the mode forbids."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


def test_a_file_that_may_not_be_read(place: Project) -> None:
    """Python says so with status 2, coverage.py with 1."""
    place.write("secret.py", "x = 1\n").chmod(0)
    for tool, run, status in (("theirs", place.coverage, 1), ("ours", place.shmcov, 2)):
        args = "run", f"--data-file={tool}"
        assert run(*args, "old.py").returncode == 0
        done = run(*args, "secret.py", preexec_fn=without_privileges)
        assert done.returncode == status, done.stderr
        assert measured(place, tool) == {"old.py"}
