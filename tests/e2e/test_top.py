# SPDX-License-Identifier: Apache-2.0
"""`shmcov top`: the screen by Textual's pilot, the command on a terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from project_support import Project

pytest.importorskip("textual")

LIBRARY = """
    def early():
        return 1

    def late():
        return 2
"""
PROGRAM = """
    import os, time, lib, shmcov
    shmcov.name_process("the one")
    shmcov.switch_context("test_it|run")
    lib.early()
    with open("ready", "w") as file:
        print(os.environ["SHMCOV_SEGMENT"], file=file)
    while not os.path.exists("go"):
        time.sleep(0.01)
    lib.late()
    with open("further", "w") as file:
        print("x", file=file)
    while not os.path.exists("end"):
        time.sleep(0.01)
"""


@pytest.fixture
def running(project: Project) -> Project:
    project.write(".coveragerc", "[run]\nsource = .\n")
    project.write("lib.py", LIBRARY)
    project.write("prog.py", PROGRAM)
    project.start("run", "--shm-contexts", "prog.py")
    return project


def drive(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    script: Callable[[Any, Any], Coroutine[Any, Any, None]],
) -> None:
    from shmcov.screen import Top

    monkeypatch.chdir(project.folder)
    path = Path(project.wait_for("ready"))

    async def run() -> None:
        app = Top(path)
        async with app.run_test(size=(80, 24)) as pilot:
            await script(app, pilot)

    asyncio.run(run())


async def until(pilot: Any, true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "it was not shown in time"
        await pilot.pause(0.05)


def cells(table: Any) -> list[list[str]]:
    return [[str(cell) for cell in table.get_row_at(n)] for n in range(table.row_count)]


def test_what_is_shown(running: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(app: Any, pilot: Any) -> None:
        files, workers = app.query_one("#files"), app.query_one("#workers")
        await until(pilot, lambda: files.row_count == 2)
        assert [row[3] for row in cells(files)] == ["prog.py", "lib.py"]  # by what is missing
        (worker,) = cells(workers)
        assert worker[:2] == ["the one", "running"] and worker[4] == "test_it"
        await pilot.press("s", "s")
        assert [row[3] for row in cells(files)] == ["lib.py", "prog.py"]  # by name
        await pilot.press("f3", *"lib")
        await until(pilot, lambda: files.row_count == 1)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 2)
        await until(pilot, lambda: "    5 !     return 2" in shown(app))
        assert "    2 +     return 1" in shown(app)
        running.write("go", "")
        await until(pilot, lambda: "    5 +     return 2" in shown(app))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: files.row_count == 2)
        running.write("end", "")
        await until(pilot, lambda: "The run is over" in text_of(app.query_one("#run")))
        assert files.row_count == 2  # it stays to be looked at
        await pilot.press("q")

    drive(running, monkeypatch, script)
    assert running.started[0].wait(30) == 0
    assert running.missing("lib.py") == []


def test_workers_are_there_before_the_source_is_counted(
    running: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shmcov.live import Watch

    counts, count = threading.Event(), Watch.counted

    def late(*args: Any) -> Any:
        assert counts.wait(20)
        return count(*args)

    async def script(app: Any, pilot: Any) -> None:
        await until(pilot, lambda: app.query_one("#workers").row_count == 1)
        assert "Counting statements" in text_of(app.query_one("#run"))
        counts.set()
        await until(pilot, lambda: app.query_one("#files").row_count == 2)
        assert "% of" in text_of(app.query_one("#run"))
        running.write("go", "")
        running.write("end", "")
        await pilot.press("q")

    monkeypatch.setattr(Watch, "counted", late)
    drive(running, monkeypatch, script)


def text_of(widget: Any) -> str:
    return str(widget.render())


def shown(app: Any) -> str:
    return text_of(app.screen.query_one("#source"))


def test_on_a_terminal(running: Project) -> None:
    segment = running.wait_for("ready")
    ours, theirs = pty.openpty()
    top = subprocess.Popen(
        [sys.executable, "-m", "shmcov", "top", segment],
        cwd=running.folder,
        env={**running.env, "COLUMNS": "80", "LINES": "24", "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = b""
    while b"lib.py" not in text:
        text += os.read(ours, 4096)
    os.write(ours, b"q")
    while True:
        try:
            if not os.read(ours, 4096):
                break
        except OSError:
            break
    assert top.wait(30) == 0
    os.close(ours)
    assert running.started[0].poll() is None  # the run goes on
    running.write("go", "")
    running.write("end", "")
    assert running.started[0].wait(30) == 0


def test_without_textual(project: Project) -> None:
    project.write("without/textual/__init__.py", "raise ImportError('no', name='textual')\n")
    done = project.shmcov("top", env={"PYTHONPATH": "without"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("pip install 'shmcov[live]'\n")


def test_no_run(project: Project) -> None:
    done = project.shmcov("top", "/dev/shm/none")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Cannot open the segment /dev/shm/none" in done.stderr
