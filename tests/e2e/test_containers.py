# SPDX-License-Identifier: Apache-2.0
"""What `docker stop` does, without Docker: SIGTERM to PID 1 of a pid namespace, then SIGKILL, which
takes everything in it along.

From docs/how-to/containers.md. PID 1 is the command itself, or a small init as `docker run --init`
has one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project_support import Project

MOUNT = 'mount -t tmpfs -o size=64m none /dev/shm && exec "$0" "$@"'
NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", MOUNT]
"""Its /dev/shm ends with it."""


def _can_be_had() -> bool:
    try:
        return not subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False


pytestmark = pytest.mark.skipif(not _can_be_had(), reason="no pid namespace can be had")

PROGRAM = """
    import os, signal, subprocess, sys, time
    def late():
        return 1
    if "stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "child.py"])
    while not os.path.exists("child-ready"):
        time.sleep(0.02)
    late()
    open("ready", "w").write("ready\\n")
    time.sleep(60)
"""

CHILD = """
    import time
    x = 1
    open("child-ready", "w").close()
    time.sleep(60)
"""

INIT = """
    import os, signal, subprocess, sys
    program = subprocess.Popen(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda number, _: program.send_signal(number))
    status = program.wait()
    sys.exit(status if status >= 0 else 128 - status)
"""


class Container:
    """A command as PID 1, or below an init."""

    def __init__(self, project: Project, *command: str, init: bool) -> None:
        project.write("program.py", PROGRAM)
        project.write("child.py", CHILD)
        first = [sys.executable, "-S", project.write("init.py", INIT)] if init else []
        self.unshare = subprocess.Popen(
            [*NAMESPACE, *first, sys.executable, "-m", *command],
            cwd=project.folder,
            env=project.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        project.started.append(self.unshare)
        self.project = project
        project.wait_for("ready")

    def stop(self, grace: float) -> tuple[int, str]:
        """What `docker stop` does, with the exit status and what was said."""
        pid = self.unshare.pid
        (first,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(first), signal.SIGTERM)
        try:
            said = self.unshare.communicate(timeout=grace)[1]
        except subprocess.TimeoutExpired:
            os.kill(int(first), signal.SIGKILL)
            said = self.unshare.communicate()[1]
        return self.unshare.returncode, said


@pytest.fixture(params=[False, True], ids=["pid 1", "init"])
def init(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def all_is_there(project: Project) -> bool:
    return project.missing("program.py") == [5] and project.missing("child.py") == []


def test_shmcov_run(project: Project, init: bool) -> None:
    """Nobody tells the child, which is ended with the container."""
    container = Container(project, "shmcov", "run", "--source=.", "program.py", init=init)
    status, said = container.stop(grace=30)
    assert (status, said.count("still-running)")) == (128 + signal.SIGTERM, 1)
    assert all_is_there(project)


def test_coverage_run_saves_with_sigterm(project: Project, init: bool) -> None:
    project.write(".coveragerc", "[run]\nplugins = shmcov\nsigterm = true\n")
    container = Container(project, "coverage", "run", "--source=.", "program.py", init=init)
    container.stop(grace=10 if init else 2)  # a PID 1 ignores the signal when it has saved
    assert all_is_there(project)


def test_coverage_run_alone_does_not(project: Project, init: bool) -> None:
    """PID 1 is not even told, and the keeper ends with the container."""
    project.write(".coveragerc", "[run]\nplugins = shmcov\n")
    container = Container(project, "coverage", "run", "--source=.", "program.py", init=init)
    container.stop(grace=10 if init else 0.5)
    assert project.data_files() == []


def test_the_grace_is_too_short(project: Project, init: bool) -> None:
    """The segment is in a folder that outlives the container."""
    command = ("shmcov", "run", "--shm-dir=segments", "--source=.", "program.py", "stubborn")
    Container(project, *command, init=init).stop(grace=0.3)
    assert project.data_files() == []
    segments = (project.folder / "segments").glob("**/*")
    (segment,) = (path for path in segments if path.is_file() and path.stat().st_size > 4096)
    done = project.shmcov("salvage", segment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.lines("child.py") == [1, 2, 3, 4]
    assert project.missing("program.py") == []
