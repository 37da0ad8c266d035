# SPDX-License-Identifier: Apache-2.0
"""`shmcov doctor`: says what is in force, and finds what keeps processes from being measured."""

from __future__ import annotations

import sys

from project_support import Project


def sheet(text: str) -> dict[str, str]:
    """The text under each name."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        name = line[:16].strip() or name
        found[name] = f"{found.get(name, '')}\n{line[16:]}".strip()
    return found


def test_all_is_well(project: Project) -> None:
    done = project.shmcov("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    found = sheet(done.stdout)
    assert found["interpreter"].splitlines()[0] == sys.executable
    assert found["children"].startswith("attach (")
    assert found["this process"] == "is not measured"
    assert found["configuration"].startswith("none")
    assert found["plug-in"].startswith("no:")
    assert found["not needed"] == "nothing of what is configured"
    assert "PROBLEM" not in done.stdout


def test_what_is_not_needed(project: Project) -> None:
    project.write(
        "setup.cfg",
        """
        [coverage:run]
        plugins = shmcov
        concurrency = multiprocessing, gevent
        patch = subprocess, _exit
        """,
    )
    done = project.shmcov("doctor", env={"COVERAGE_PROCESS_START": "setup.cfg"})
    found = sheet(done.stdout)
    assert found["configuration"].endswith("setup.cfg")
    assert found["plug-in"].startswith("yes")
    for text in (
        "concurrency = multiprocessing, gevent",
        "patch = subprocess",
        "patch = _exit (but for `coverage run`)",
        "environment variable COVERAGE_PROCESS_START",
    ):
        assert text in found["not needed"]


def test_no_segment(project: Project) -> None:
    done = project.shmcov("doctor", env={"SHMCOV_DIR": "/proc/nowhere"})
    assert done.returncode == 1
    assert sheet(done.stdout)["segments"].startswith("PROBLEM: cannot be made:")


def test_children_that_cannot_be_started(project: Project) -> None:
    project.write("elsewhere", "#!/bin/sh\necho no such interpreter >&2\nexit 3\n").chmod(0o755)
    done = project.python(
        "-c",
        "import sys; from shmcov import cli; sys.executable = './elsewhere';"
        "sys.exit(cli.main(['doctor']))",
    )
    assert done.returncode == 1
    found = sheet(done.stdout)["children"]
    assert found == "PROBLEM: could not be started: no such interpreter"


def test_children_that_do_not_attach(project: Project) -> None:
    project.write("elsewhere", "#!/bin/sh\nexit 0\n").chmod(0o755)
    done = project.python(
        "-c",
        "import sys; from shmcov import cli; sys.executable = './elsewhere';"
        "sys.exit(cli.main(['doctor']))",
    )
    assert done.returncode == 1
    assert "did not attach" in sheet(done.stdout)["children"]


def test_inside_a_run(project: Project) -> None:
    project.write("main.py", "import sys\nfrom shmcov import cli\nsys.exit(cli.main(['doctor']))\n")
    done = project.shmcov("run", "main.py")
    assert done.returncode == 0
    assert sheet(done.stdout)["this process"].startswith("is measured, in /")


def test_a_configuration_that_cannot_be_read(project: Project) -> None:
    project.write(".coveragerc", "[run]\nbranch = maybe\n")
    done = project.shmcov("doctor")
    assert done.returncode == 1
    assert sheet(done.stdout)["configuration"].startswith("PROBLEM: Couldn't read config file")
