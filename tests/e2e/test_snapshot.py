# SPDX-License-Identifier: Apache-2.0
"""`shmcov snapshot`: a data file of a run that goes on, which does not notice."""

from __future__ import annotations

import pytest
from project_support import Project

PROGRAM = """
    import os, time
    first = 1
    with open("ready", "w") as file:
        print(os.environ["SHMCOV_SEGMENT"], file=file)
    while not os.path.exists("go"):
        time.sleep(0.01)
    after = 1
"""


@pytest.mark.parametrize("options", [[], ["--branch", "--source=."]], ids=["lines", "branches"])
def test_a_run_goes_on(project: Project, options: list[str]) -> None:
    project.write("unused.py", "x = 1\n")
    project.write("prog.py", PROGRAM)
    run = project.start("run", *options, "prog.py")
    segment = project.wait_for("ready").strip()
    done = project.shmcov("snapshot", segment, "-o", ".now")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f" so far are in {project.folder / '.now'}\n")
    assert project.missing("prog.py", ".now") == [7]
    if options:
        assert project.report(".now")["unused.py"]["missing_lines"] == [1]
    assert project.shmcov("snapshot", "-o", ".again").returncode == 0  # the only one here
    assert project.missing("prog.py", ".again") == [7]
    project.write("go", "")
    assert run.wait(30) == 0
    assert project.missing("prog.py", ".coverage") == []


def test_no_run(project: Project) -> None:
    project.write("prog.py", "x = 1\n")
    done = project.shmcov("snapshot", "/dev/shm/none", "-o", ".now")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Cannot open the segment /dev/shm/none" in done.stderr
    assert project.shmcov("snapshot").returncode == 2  # never the run's own data file by itself


def test_which_of_several(project: Project) -> None:
    for name in ("one", "two"):
        project.write(f"{name}.py", PROGRAM.replace("ready", f"ready-{name}"))
    runs = [project.start("run", f"--data-file=.{name}", f"{name}.py") for name in ("one", "two")]
    project.wait_for("ready-one")
    project.wait_for("ready-two")
    done = project.shmcov("snapshot", "-o", ".now")
    assert done.returncode == 1
    assert "Several runs are going on; name the segment of one:\n    " in done.stderr
    project.write("go", "")
    assert [run.wait(30) for run in runs] == [0, 0]


def test_where_it_cannot_be_written(project: Project) -> None:
    project.write("prog.py", PROGRAM)
    run = project.start("run", "prog.py")
    project.wait_for("ready")
    (project.folder / "full").mkdir()
    done = project.shmcov("snapshot", "-o", "full")
    assert done.returncode == 1
    assert str(project.folder / "full") in done.stderr
    project.write("go", "")
    assert run.wait(30) == 0
    assert project.missing("prog.py", ".coverage") == []
