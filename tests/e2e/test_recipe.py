# SPDX-License-Identifier: Apache-2.0
"""The recipe that people pass around for Django's `manage.py test --parallel`.

With `shmcov` in the place of `coverage` it works as it stands, and so does what is left of it when
everything that shmcov makes needless is taken out. With `coverage` it
works with shmcov as a plug-in.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from project_support import REFERENCE_CORE, Project

LIBRARY = Path(__file__).resolve().parents[1] / "demo" / "library"

RECIPE_RC = """
[run]
parallel = True
concurrency = multiprocessing
source = src
dynamic_context = test_function
branch = {branch}

# Only spawned processes go past it: a run in one process does not.
[report]
exclude_also = if __name__ == .__main__.:
"""

RECIPE = """
mkdir -p out
export COVERAGE_FILE=$PWD/out/.coverage
export COVERAGE_PROCESS_START=$PWD/.coveragerc
coverage run --source=src src/manage.py test --parallel 2 --keepdb --no-input \\
    && coverage combine out \\
    && coverage report -m \\
    && coverage xml -o out/coverage.xml
"""

PLUGIN = "[run]\nplugins = shmcov"

# The same without what is there for the sake of several processes.
SHORT_RC = """
[run]
source = src
dynamic_context = test_function
branch = {branch}

# Only spawned processes go past it: a run in one process does not.
[report]
exclude_also = if __name__ == .__main__.:
"""

SHORT = """
coverage run src/manage.py test --parallel 2 --keepdb --no-input \\
    && coverage report -m \\
    && coverage xml -o out/coverage.xml
"""

SERIAL = SHORT.replace("--parallel 2", "--parallel 1")

MANAGE = """
import multiprocessing
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    multiprocessing.set_start_method(os.environ["START_METHOD"])
    execute_from_command_line(sys.argv)
"""

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["library"]
ROOT_URLCONF = "library.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""


@pytest.fixture
def site(project: Project) -> Project:
    pytest.importorskip("django")
    shutil.copytree(LIBRARY, project.folder / "src" / "library")
    (project.folder / "tests").mkdir()
    (project.folder / "tests" / "__init__.py").touch()
    (project.folder / "src" / "library" / "tests.py").rename(project.folder / "tests/test_site.py")
    project.write("src/manage.py", MANAGE)
    project.write("src/site_settings.py", SETTINGS)
    project.write("src/never_ran.py", "import os\n\nif os.name:\n    print(os.name)\n")
    (project.folder / "out").mkdir()
    return project


def run(site: Project, script: str, tool: str, start: str) -> subprocess.CompletedProcess[str]:
    """Run a script with `tool` wherever it says `coverage`."""
    script = re.sub(r"(^|&& )coverage ", rf"\1{tool} ", script, flags=re.MULTILINE)
    folder = str(Path(sys.executable).parent)
    return subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=site.folder,
        env={
            **site.env,
            "START_METHOD": start,
            **REFERENCE_CORE,
            "PATH": folder + os.pathsep + site.env["PATH"],
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def report(done: subprocess.CompletedProcess[str]) -> str:
    """The table that a script printed, which must have succeeded."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Ran [1-9]\d* tests", done.stderr), done.stderr
    return done.stdout[done.stdout.index("Name ") :]


def without_time(xml: Path) -> str:
    return re.sub(r' timestamp="\d+"', "", xml.read_text())


def contexts_in_order(files: dict[str, Any], spawned: bool) -> dict[str, Any]:
    """The executed lines of each file with their contexts: reports have them in any order.

    A spawned worker imports modules that a serial run imports before its tests when a test needs
    them. So what ran outside of tests is only asked for that.
    """
    return {
        name: {
            line: [""] if spawned and "" in contexts else sorted(contexts)
            for line, contexts in file_report["contexts"].items()
        }
        for name, file_report in files.items()
    }


def assert_same_contexts(site: Project, actual: Path, start: str) -> None:
    expected = contexts_in_order(site.report("serial.coverage"), start == "spawn")
    assert "tests.test_site.LendingTests.test_names" in str(expected)
    assert contexts_in_order(site.report(actual), start == "spawn") == expected


@pytest.mark.parametrize("branch", [False, True])
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_reports_what_a_serial_run_reports(site: Project, start: str, branch: bool) -> None:
    site.write(".coveragerc", SHORT_RC.format(branch=branch))
    serial = report(run(site, SERIAL, "coverage", start))
    assert "never_ran.py" in serial
    assert "100%" in serial
    serial_xml = without_time(site.folder / "out/coverage.xml")
    (site.folder / ".coverage").rename(site.folder / "serial.coverage")

    site.write(".coveragerc", RECIPE_RC.format(branch=branch))
    assert report(run(site, RECIPE, "shmcov", start)) == serial
    assert without_time(site.folder / "out/coverage.xml") == serial_xml
    assert [path.name for path in (site.folder / "out").glob(".*")] == [".coverage"]
    assert site.data_files() == []
    assert_same_contexts(site, site.folder / "out/.coverage", start)

    # As a plug-in of coverage.py: one line more, and `combine` finds one file.
    site.write(".coveragerc", RECIPE_RC.format(branch=branch).replace("[run]", PLUGIN))
    done = run(site, RECIPE, "coverage", start)
    assert report(done) == serial
    combined = re.findall("^Combined (?:1 file|data file .*)$", done.stdout + done.stderr, re.M)
    assert len(combined) == 1
    assert without_time(site.folder / "out/coverage.xml") == serial_xml
    assert site.data_files() == []
    assert_same_contexts(site, site.folder / "out/.coverage", start)

    site.write(".coveragerc", SHORT_RC.format(branch=branch))
    assert report(run(site, SHORT, "shmcov", start)) == serial
    assert without_time(site.folder / "out/coverage.xml") == serial_xml
    assert site.data_files() == [".coverage"]
    assert_same_contexts(site, site.folder / ".coverage", start)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_the_short_form_is_not_enough_for_coverage(site: Project, start: str) -> None:
    """What is taken out is what coverage.py needs: the comparison above means something."""
    site.write(".coveragerc", SHORT_RC.format(branch=False))
    serial = report(run(site, SERIAL, "coverage", start))
    done = run(site, SHORT, "coverage", start)
    # Forked processes write one file at once, which may end in an error of SQLite.
    assert done.returncode or report(done) != serial
