# SPDX-License-Identifier: Apache-2.0
"""pytest-cov with `plugins = shmcov`: the same reports as with coverage.py's own core."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import coverage
import pytest
from project_support import REFERENCE_CORE, Project, with_ctrace

pytest.importorskip("pytest_cov")
pytest.importorskip("xdist")

SUITE = {
    "src/lib.py": """
        import helper

        def a(x):
            if x:
                return 1
            return 2

        def b():
            return 3

        def hidden():
            return 4

        def threaded():
            return 5

        def by_fixture():
            return helper.used()

        def finished():
            return 6
    """,
    "src/helper.py": "def used():\n    return 1\n\ndef unused():\n    return 2\n",
    "src/never.py": "import os\nprint(os.name)\n",
    "conftest.py": """
        import sys
        sys.path.insert(0, "src")

        def pytest_sessionfinish(session):
            import lib
            lib.finished()
    """,
    "tests/test_one.py": """
        import threading

        import lib
        import pytest

        @pytest.fixture
        def fixture():
            yield lib.by_fixture()
            lib.b()

        def test_a():
            assert lib.a(1) == 1

        def test_fixture(fixture):
            assert fixture == 1

        @pytest.mark.no_cover
        def test_hidden():
            assert lib.hidden() == 4

        def test_after_hidden():
            assert lib.a(0) == 2

        def test_thread():
            thread = threading.Thread(target=lib.threaded)
            thread.start()
            thread.join()
    """,
    "tests/test_two.py": """
        import lib
        import pytest

        @pytest.mark.parametrize("x", [0, 1, "", "x"])
        def test_many(x):
            lib.a(x)
    """,
}


@pytest.fixture
def suite(project: Project) -> Project:
    for name, text in SUITE.items():
        project.write(name, text)
    return project


def run(project: Project, *args: str, plugin: bool) -> subprocess.CompletedProcess[str]:
    """A run with what an earlier one left taken away, but for --cov-append."""
    lines = "[run]\nomit = conftest.py\n" + ("plugins = shmcov\n" if plugin else "")
    project.write(".coveragerc", lines)
    if "--cov-append" not in args:
        for path in project.folder.glob(".coverage*"):
            if path.name != ".coveragerc":
                path.unlink()
    return project.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *args, env=REFERENCE_CORE)


def coverage_part(done: subprocess.CompletedProcess[str]) -> str:
    """What pytest printed of coverage, and how the tests went."""
    text = re.sub(r" in [\d.]+s", "", done.stdout)
    text = re.sub(r"\[gw\d+\]", "", text)
    at = text.find("= tests coverage")
    return text[at:] if at >= 0 else text.splitlines()[-1]


def contexts(project: Project) -> dict[str, Any]:
    return {
        name: {line: sorted(of) for line, of in report["contexts"].items()}
        for name, report in project.report().items()
    }


OPTIONS = {
    "one process": (),
    "two workers": ("-n", "2"),
    "branches": ("-n", "2", "--cov-branch"),
    "contexts": ("-n", "2", "--cov-context=test"),
    "contexts in one process": ("--cov-context=test", "--cov-branch"),
    "by file": ("-n", "2", "--dist", "loadfile"),
    "each": ("-n", "2", "--dist", "each"),
    "steal": ("-n", "3", "--dist", "worksteal", "--maxprocesses", "2"),
    "fails under": ("-n", "2", "--cov-fail-under=99"),
    "no coverage": ("-n", "2", "--no-cov"),
    "tx": ("--dist", "load", "--tx", "2*popen"),
    "reports": ("-n", "2", "--cov-report=json:out.json", "--cov-report=xml:out.xml"),
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_same_reports(suite: Project, options: tuple[str, ...]) -> None:
    results = []
    for plugin in (False, True):
        args = ("--cov=src", "--cov-report=term-missing", *options)
        done = run(suite, *args, plugin=plugin)
        data = contexts(suite) if "--no-cov" not in options else None
        assert suite.data_files() == ([".coverage"] if data else [])
        results.append((done.returncode, done.stderr, coverage_part(done), data))
    theirs, ours = results
    assert ours == theirs


FILE_TRACER = """
    import coverage

    class Tracer(coverage.CoveragePlugin):
        def file_tracer(self, filename):
            return None

    def coverage_init(reg, options):
        reg.add_file_tracer(Tracer())
"""


@with_ctrace
def test_file_tracers_where_warnings_are_errors(suite: Project) -> None:
    """Workers import shmcov for them before pytest, which warns of what it cannot rewrite."""
    suite.write("tracer.py", FILE_TRACER)
    suite.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")
    suite.env["PYTHONPATH"] = str(suite.folder)
    results = []
    for names in ("tracer", "tracer, shmcov"):
        suite.write(".coveragerc", f"[run]\nomit = conftest.py\nplugins = {names}\n")
        done = suite.python(
            *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--cov=src", "-n", "2"),
            env=REFERENCE_CORE,
        )
        results.append((done.returncode, done.stderr, coverage_part(done), contexts(suite)))
    theirs, ours = results
    assert ours == theirs
    assert ours[0] == 0


@pytest.mark.skipif(
    sys.version_info < (3, 14) or coverage.version_info < (7, 15, 3),
    reason="coverage.py takes a core that has contexts, or does not say that it has none",
)
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_contexts_where_warnings_are_errors(suite: Project, workers: tuple[str, ...]) -> None:
    """docs/how-to/contexts.md: one line in the place of the slow core."""

    def contexts_with(line: str, core: dict[str, str]) -> tuple[int, str, dict[str, Any]]:
        suite.write(".coveragerc", f"[run]\nomit = conftest.py\n{line}\n")
        options = ("-p", "no:cacheprovider", "--cov=src", "--cov-context=test", *workers)
        done = suite.python("-W", "error", "-m", "pytest", "-W", "error", *options, env=core)
        return done.returncode, done.stdout + done.stderr, contexts(suite)

    status, output, _ = contexts_with("", {})
    assert status != 0
    assert "Dynamic contexts aren't supported with core=sysmon" in output
    status, _, slow = contexts_with("", {"COVERAGE_CORE": "ctrace"})
    assert status == 0
    status, output, fast = contexts_with("plugins = shmcov", {})
    assert (status, fast) == (0, slow), output


def test_append(suite: Project) -> None:
    missing = []
    for plugin in (False, True):
        run(suite, "--cov=src", "-n", "2", "-k", "fixture", plugin=plugin)
        first = suite.missing("src/lib.py")
        run(suite, "--cov=src", "-n", "2", "-k", "many", "--cov-append", plugin=plugin)
        missing.append((first, suite.missing("src/lib.py")))
    assert missing[1] == missing[0]
    first, both = missing[1]
    assert set(both) < set(first)


def test_a_worker_that_is_killed_keeps_its_lines(suite: Project) -> None:
    suite.write(
        "tests/test_kill.py",
        """
        import os, signal, lib
        def test_before():
            lib.hidden()
        def test_kill():
            lib.threaded()
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    args = ("--cov=src", "-n", "2", "--dist", "loadfile", "tests/test_kill.py", "tests/test_two.py")
    missing = {}
    for plugin in (False, True):
        done = run(suite, *args, plugin=plugin)
        assert "worker 'gw" in done.stdout, done.stdout
        missing[plugin] = suite.missing("src/lib.py")
        crashes = len(set(re.findall(r"worker '(gw\d+)' crashed", done.stdout)))
        told = f"shmcov: {crashes} workers were killed; what they ran is in .coverage\n"
        told = told if crashes > 1 else "shmcov: 1 worker was killed; what it ran is in .coverage\n"
        assert done.stderr == (told if plugin else ""), done.stderr
    assert {12, 15} <= set(missing[False]), "coverage.py loses them"
    assert not {12, 15} & set(missing[True])


def test_workers_elsewhere_send_their_data(suite: Project, tmp_path: Path) -> None:
    """pytest-cov takes a worker in another folder for one on another machine."""
    elsewhere = tmp_path / "elsewhere"
    for name, text in SUITE.items():
        Project(elsewhere).write(name, text)
    results = []
    for plugin in (False, True):
        # The worker looks for the configuration where it is.
        suite.write(".coveragerc", "")
        (elsewhere / ".coveragerc").write_text(
            "[run]\nomit = conftest.py\n" + ("plugins = shmcov\n" if plugin else "")
        )
        tx = f"popen//chdir={elsewhere}"
        args = ("--cov=src", "--cov-report=term-missing", "--dist", "load", "--tx", tx)
        done = run(suite, *args, f"--rsyncdir={suite.folder}/src", plugin=plugin)
        results.append((done.returncode, coverage_part(done)))
    assert results[1] == results[0]


def test_subprocesses_of_tests(suite: Project) -> None:
    """They are measured without `patch = subprocess`, which goes on working."""
    suite.write(
        "tests/test_sub.py",
        """
        import subprocess, sys
        def test_sub():
            code = "import sys; sys.path.insert(0, 'src'); import lib; lib.hidden()"
            subprocess.run([sys.executable, "-c", code], check=True)
        """,
    )
    done = run(suite, "--cov=src", "-n", "2", "tests/test_sub.py", plugin=True)
    assert done.returncode == 0
    assert 12 not in suite.missing("src/lib.py")


def test_inside_shmcov_run(suite: Project) -> None:
    suite.write(".coveragerc", "[run]\nomit = conftest.py\nplugins = shmcov\n")
    done = suite.shmcov(
        "run", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--cov=src",
        "--cov-report=term-missing",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^src/lib\.py +15 +0 +100%", done.stdout, re.MULTILINE), done.stdout
    assert "tests/test_one.py" not in done.stdout
    assert suite.data_files() == [".coverage"]
    assert "tests/test_one.py" in suite.report()


# -- what pytest-cov combines --

WRITES = """
    import coverage

    def noting(name, original):
        def noted(self, *args, **kwargs):
            with open("writes", "a") as file:
                print(name, file=file)
            return original(self, *args, **kwargs)

        return noted

    for name in ("update", "_hash_data"):
        original = getattr(coverage.CoverageData, name, None)
        setattr(coverage.CoverageData, name, noting(name, original))
"""
"""A plug-in of pytest that tells what goes through all rows."""


def tables(project: Project) -> dict[str, list[Any]]:
    """What is in the data file, by name and not by number."""
    queries = {
        "meta": "select key, value from meta",
        "file": "select path from file",
        "context": "select context from context",
        "tracer": "select path, tracer from tracer join file on file_id = id",
        "lines": "select path, context, numbits from line_bits "
        "join file on file_id = file.id join context on context_id = context.id",
        "arcs": "select path, context, fromno, tono from arc "
        "join file on file_id = file.id join context on context_id = context.id",
    }
    with contextlib.closing(sqlite3.connect(project.folder / ".coverage")) as db:
        return {name: sorted(db.execute(query)) for name, query in queries.items()}


@pytest.fixture
def noted(suite: Project) -> Project:
    suite.write("writes_plugin.py", WRITES)
    suite.env |= {"PYTHONPATH": str(suite.folder), "PYTEST_PLUGINS": "writes_plugin"}
    return suite


@pytest.mark.parametrize("options", [("-n", "2", "--cov-branch"), ()], ids=["branches", "lines"])
def test_rows_are_written_once(noted: Project, options: tuple[str, ...]) -> None:
    """What the session saves becomes the combined file: no row is read or written again."""
    done = run(noted, "--cov=src", "--cov-context=test", *options, plugin=True)
    assert done.returncode == 0, done.stdout
    assert not (noted.folder / "writes").exists()
    assert noted.data_files() == [".coverage"]
    kind = "1" if options else "0"
    assert tables(noted)["meta"] == [("has_arcs", kind), ("version", coverage.__version__)]


SHAPES = {
    "a file of another program": ("", "fixture", True),
    "names that are mapped": ("[paths]\nsource =\n    elsewhere\n    src\n", "fixture", True),
    "relative names": ("relative_files = true\n", "fixture", False),
    "words": ("debug = combine\ndebug_file = debug.txt\n", "fixture", True),
    "no rows": ("omit = *.py\n", "nothing", True),
}
"""The configuration, tests, and whether there is more to do than to rename a file."""


@pytest.mark.parametrize("what", SHAPES)
def test_same_combined_file(noted: Project, what: str) -> None:
    lines, tests, more = SHAPES[what]
    noted.write("elsewhere/lib.py", SUITE["src/lib.py"])
    noted.write("other.py", "import sys\nsys.path.insert(0, 'src')\nimport lib\nlib.b()\n")
    append = ("--cov-append",) if what.startswith("a file") else ()
    found = []
    for plugin in ("", "plugins = shmcov\n"):
        for name in [*noted.data_files(), "writes"]:
            (noted.folder / name).unlink(missing_ok=True)
        noted.write(".coveragerc", f"[run]\n{plugin}{lines}")
        if append:
            noted.coverage("run", "-p", "--rcfile=", "--source=src", "other.py")
        options = ("-q", "-p", "no:cacheprovider", "--cov=src", "-k", tests, *append)
        done = noted.python("-m", "pytest", *options, env=REFERENCE_CORE)
        combined = (noted.folder / "writes").exists()
        assert combined is (more or not plugin)
        found.append((done.returncode, coverage_part(done), noted.data_files(), tables(noted)))
    theirs, ours = found
    assert ours == theirs
