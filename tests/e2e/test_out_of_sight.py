# SPDX-License-Identifier: Apache-2.0
"""Processes that could not find the run, or the run them: reported then, and only then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from project_support import Project, mount_namespace

# -- a name that is removed --

REMOVES = """
    import os, subprocess, sys
    path = os.environ["SHMCOV_SEGMENT"]
    subprocess.run([sys.executable, "-c", "import before"], check=True)
    if {gone}:
        os.unlink(path)
    subprocess.run([sys.executable, "-c", "import after"], check=True)
"""

TOOLS = {
    "run": (["-m", "shmcov", "run", "--source=."], ""),
    "plugin": (["-m", "coverage", "run"], "[run]\nplugins = shmcov\nsource = .\n"),
}

REMOVED = "was removed before the end of the run"


def run_removing(project: Project, tool: str, *, gone: bool, config: str = "") -> str:
    command, section = TOOLS[tool]
    project.write(".coveragerc", (section or "[run]\n") + config)
    project.write("before.py", "x = 1\n")
    project.write("after.py", "x = 1\n")
    project.write("p.py", REMOVES.format(gone=gone))
    done = project.python(*command, "p.py")
    assert done.returncode == 0, done.stderr
    assert project.lines("before.py") == [1]
    assert project.lines("p.py")[-1] == 6
    return done.stderr


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("gone", [False, True])
def test_a_name_that_is_removed(project: Project, tool: str, gone: bool) -> None:
    said = run_removing(project, tool, gone=gone)
    assert project.lines("after.py") == ([] if gone else [1])
    assert said.count(REMOVED) == gone
    if gone:
        assert "(segment-removed)" in said
    else:
        assert said == ""


@pytest.mark.parametrize("tool", TOOLS)
def test_that_can_be_turned_off(project: Project, tool: str) -> None:
    said = run_removing(project, tool, gone=True, config="disable_warnings = segment-removed\n")
    assert REMOVED not in said


# -- no /proc --

WITHOUT_PROC = """
import os, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "none", "/proc"], check=True)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("proc", [False, True])
@pytest.mark.parametrize("disabled", [False, True])
def test_no_proc(project: Project, proc: bool, disabled: bool) -> None:
    project.write("p.py", "x = 1\n")
    if disabled:
        project.write(".coveragerc", "[run]\ndisable_warnings = no-proc\n")
    command = [sys.executable, "-m", "shmcov", "run", "--source=.", "p.py"]
    if not proc:
        command = [*mount_namespace(), sys.executable, "-c", WITHOUT_PROC, *command]
    done = subprocess.run(
        command,
        cwd=project.folder,
        env=project.env,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert Path("/proc/self/stat").exists()
    assert project.lines("p.py") == [1]
    if proc or disabled:
        assert done.stderr == ""
    else:
        assert done.stderr.count("(no-proc)") == 1
