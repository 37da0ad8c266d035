# SPDX-License-Identifier: Apache-2.0
"""`shmcov doctor`: says what is in force, and finds what keeps processes from being measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from project_support import Project


def sheet(text: str) -> dict[str, str]:
    """The report as a dict, from name to text."""
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


# -- what keeps it from being so --


def test_a_plugin_that_is_not_there(project: Project) -> None:
    project.write(".coveragerc", "[run]\nplugins = shmcov, no_such_plugin\n")
    done = project.shmcov("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert "PROBLEM: ModuleNotFoundError" in sheet(done.stdout)["configuration"]
    assert "no_such_plugin" in sheet(done.stdout)["configuration"]


REFUSED = {
    "plugins = plug": "ValueError: on purpose",
    "plugins = ends": "SystemExit: 3",
    "omit = ***x": "File pattern can't include",
    "concurrency = green": "Unknown concurrency choices: green",
    "data_file": "Couldn't read config file",
    "nonsense": "",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_coverage_refuses_is_a_problem(project: Project, line: str) -> None:
    project.write("plug.py", "def coverage_init(reg, options): raise ValueError('on purpose')\n")
    project.write("ends.py", "import sys\nsys.exit(3)\n")
    project.write("p.py", "x = 1\n")
    project.write(".coveragerc", f"[run]\n{line}\n")
    env = {"PYTHONPATH": str(project.folder)}
    theirs = project.coverage("run", "p.py", env=env)
    done = project.shmcov("doctor", env=env)
    assert done.stderr == ""
    assert done.returncode == (1 if theirs.returncode else 0)
    if theirs.returncode:
        found = sheet(done.stdout)
        assert found["configuration"].startswith("PROBLEM: ")
        assert REFUSED[line] in found["configuration"]
        assert found["children"].startswith("attach")  # the rest is shown all the same


@pytest.mark.parametrize("rc", ["parallel = True", "concurrency = multiprocessing"])
def test_combine_is_not_needed(project: Project, rc: str) -> None:
    project.write(".coveragerc", f"[run]\n{rc}\nsource = src\n")
    found = sheet(project.shmcov("doctor").stdout)["not needed"].splitlines()
    assert "`shmcov run`" in found[0]
    assert "need it" in found[0]
    assert any("`coverage combine`" in line for line in found)
    project.write(".coveragerc", f"[run]\n{rc}\nplugins = shmcov\n")
    found = sheet(project.shmcov("doctor").stdout)["not needed"].splitlines()
    assert "need it" not in found[0]
    assert any("`coverage combine`" in line for line in found)


def elsewhere(project: Project) -> tuple[str, dict[str, str]]:
    """An interpreter that has shmcov only on PYTHONPATH."""
    import coverage
    import shmcov

    packages = Path(shmcov.__file__).parents[1]
    (project.folder / "packages").mkdir()
    for place in {packages, Path(coverage.__file__).parents[1]}:
        for path in [*place.glob("*shmcov*"), *place.glob("*coverage*")]:
            (project.folder / "packages" / path.name).symlink_to(path)
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", project.folder / "v"], check=True
    )
    return f"{project.folder}/v/bin/python", {
        **project.env,
        "PYTHONPATH": f"{project.folder}/packages",
    }


def test_a_start_up_file_that_is_not_read(project: Project) -> None:
    """It is on sys.path, but in no folder of site-packages. Run and doctor say the same."""
    python, env = elsewhere(project)
    project.write("p.py", "print(1)\n")

    def says(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, "-m", "shmcov", *args],
            env=env,
            cwd=project.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    why = f"the start-up file {project.folder}/packages/_shmcov.pth lies on sys.path, but"
    run, doctor = says("run", "p.py"), says("doctor")
    assert (run.returncode, run.stdout) == (0, "1\n")
    assert why in run.stderr
    assert doctor.returncode == 1
    assert why in sheet(doctor.stdout)["children"]
