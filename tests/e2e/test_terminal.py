# SPDX-License-Identifier: Apache-2.0
"""Tables: plain where nobody looks, and made by rich on a terminal that has it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from project_support import Project


@pytest.fixture
def running(project: Project) -> Iterator[Project]:
    project.write("[b]prog.py", "import time\nopen('ready', 'w').write('x\\n')\ntime.sleep(30)\n")
    run = project.start("run", "--shm-no-keeper", "--shm-dir=segments", "[b]prog.py")
    project.wait_for("ready")
    yield project
    os.killpg(run.pid, signal.SIGTERM)
    run.communicate(timeout=30)


def on_terminal(project: Project, *args: str, **env: str) -> str:
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "shmcov", *args],
        cwd=project.folder,
        env={**project.env, "COLUMNS": "150", "TERM": "xterm", **env},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:
            break
        if not data:
            break
        text += data
    os.close(ours)
    assert done.wait() == 0, text
    return text.decode()


def test_with_and_without_rich(running: Project) -> None:
    pytest.importorskip("rich")
    (segment,) = (running.folder / "segments").glob("run-*")
    status = ("status", "--files", str(segment))
    rich = on_terminal(running, *status)
    assert "[b]prog.py" in rich and "─" in rich
    assert "\x1b[" in rich
    running.write("without/rich/__init__.py", "raise ImportError\n")
    plain = on_terminal(running, *status, PYTHONPATH="without")
    assert "[b]prog.py" in plain and "\x1b[" not in plain and "─" not in plain
    piped = running.shmcov(*status).stdout
    assert "[b]prog.py" in piped and "\x1b[" not in piped and "─" not in piped
