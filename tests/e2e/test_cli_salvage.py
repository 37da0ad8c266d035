# SPDX-License-Identifier: Apache-2.0
"""`shmcov salvage`: segments of runs that are not over, or ended badly."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from project_support import Project, wait_until

PROGRAM = """
    import os, time
    with open("ready", "w") as file:
        print(os.environ["SHMCOV_SEGMENT"], os.getpid(), file=file)
    while not os.path.exists("go"):
        time.sleep(0.01)
    after = 1
"""


class Left:
    """A run whose supervisor was killed, and then its program."""

    def __init__(self, project: Project, *options: str) -> None:
        project.write("prog.py", PROGRAM)
        self.run = project.start("run", "--shm-no-keeper", *options, "prog.py")
        segment, program = project.wait_for("ready").split()
        self.path, self.program = Path(segment), int(program)
        self.run.kill()
        self.run.wait()
        os.kill(self.program, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{self.program}/fd/0").exists())

    @property
    def segment(self) -> Path:
        """Its path now: any other run of this user sets it aside."""
        aside = Path(f"{self.path.parent}.left", self.path.name)
        return aside if aside.exists() else self.path


@pytest.fixture
def left(project: Project) -> Left:
    made = Left(project)
    assert made.segment.exists()
    assert project.data_files() == []
    return made


def test_salvage_writes_what_was_left(project: Project, left: Left) -> None:
    listed = project.shmcov("salvage").stdout
    (line,) = [line for line in listed.splitlines() if left.path.name in line]
    assert "left over" in line
    assert "1 files" in line
    done = project.shmcov("salvage", left.segment, "-o", ".saved")
    assert (done.returncode, done.stderr) == (0, "")
    assert not left.segment.exists()
    assert project.data_files() == []
    assert project.missing("prog.py", ".saved") == [6]
    assert str(left.segment) not in project.shmcov("salvage").stdout


def test_salvage_takes_the_name_from_the_configuration(project: Project, left: Left) -> None:
    project.write(".coveragerc", "[run]\ndata_file = .configured\n")
    assert project.shmcov("salvage", left.segment).returncode == 0
    assert project.missing("prog.py", ".configured") == [6]


def test_salvage_keeps_branches_and_what_never_ran(project: Project) -> None:
    project.write("unused.py", "x = 1\n")
    project.write("pkg/__init__.py", "")
    left = Left(project, "--branch", "--source=.")
    done = project.shmcov("salvage", left.segment)
    assert (done.returncode, done.stderr) == (0, "")
    report = project.report()
    assert report["prog.py"]["missing_branches"] == [[4, 6]]
    assert report["unused.py"]["missing_lines"] == [1]


def test_salvage_appends(project: Project, left: Left) -> None:
    project.write("go", "")
    project.shmcov("run", "prog.py")
    assert project.missing("prog.py") == [5]
    done = project.shmcov("salvage", "-a", left.segment)
    assert (done.returncode, done.stderr) == (0, "")
    assert project.missing("prog.py") == []


def test_discard(project: Project, left: Left) -> None:
    done = project.shmcov("salvage", "--discard", left.segment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not left.segment.exists()
    assert project.data_files() == []


def test_discard_takes_what_nothing_else_can_read(project: Project, left: Left) -> None:
    left.segment.write_bytes(b"short")
    assert project.shmcov("salvage", "--discard", left.segment).returncode == 0
    assert not left.segment.exists()


def test_what_cannot_be_written_stays(project: Project, left: Left) -> None:
    done = project.shmcov("salvage", left.segment, "-o", "/proc/nowhere/.coverage")
    assert done.returncode == 1
    assert "/proc/nowhere" in done.stderr
    assert left.segment.exists()
    project.shmcov("salvage", "--discard", left.segment)


def test_a_run_that_goes_on_is_not_salvaged(project: Project) -> None:
    project.write("prog.py", PROGRAM)
    run = project.start("run", "prog.py")
    segment = project.wait_for("ready").split()[0]
    for options in ([], ["--discard"]):
        done = project.shmcov("salvage", segment, *options)
        assert done.returncode == 1
        assert "going on" in done.stderr
    project.write("go", "")
    assert run.communicate(timeout=30) == ("", "")
    assert project.missing("prog.py") == []


def test_a_merge_that_fails_keeps_the_segment(project: Project) -> None:
    project.write("prog.py", PROGRAM)
    (project.folder / "data").mkdir()
    run = project.start("run", "--data-file=data/.coverage", "prog.py")
    segment = project.wait_for("ready").split()[0]
    shutil.rmtree(project.folder / "data")
    project.write("go", "")
    out, err = run.communicate(timeout=30)
    assert (out, run.returncode) == ("", 1)
    aside = segment.replace(f"{os.sep}run-", f".left{os.sep}run-")
    assert f"shmcov salvage {aside}" in err
    assert "data/.coverage" in err
    assert project.shmcov("salvage", segment).returncode == 0
    assert project.missing("prog.py") == []


# -- what is no segment of ours --


def salvage_refused(project: Project, path: Path | str) -> str:
    done = project.shmcov("salvage", path, "-o", ".saved")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert Path(path).name in done.stderr
    assert not (project.folder / ".saved").exists()
    status = project.shmcov("status", path)
    assert status.returncode == 1
    assert Path(path).name in status.stderr
    return done.stderr


def test_files_that_are_no_segments(project: Project, left: Left) -> None:
    assert "No such file" in salvage_refused(project, "nowhere")
    (project.folder / "folder").mkdir(mode=0o700)
    assert "not a regular file" in salvage_refused(project, "folder")
    for content in (b"", b"short", b"\0" * 100_000, b"text" * 10_000):
        path = project.folder / "garbage"
        path.write_bytes(content)
        path.chmod(0o600)
        salvage_refused(project, path)
    link = project.folder / "link"
    link.symlink_to(left.segment)
    salvage_refused(project, link)
    left.segment.chmod(0o640)
    assert "others" in salvage_refused(project, left.segment)
    left.segment.chmod(0o600)
    second = left.segment.with_name("second")
    os.link(left.segment, second)
    assert "several names" in salvage_refused(project, left.segment)
    second.unlink()
    if os.geteuid() == 0:
        os.chown(left.segment, 12345, -1)
        assert "12345" in salvage_refused(project, left.segment)
        os.chown(left.segment, 0, -1)
    project.shmcov("salvage", "--discard", left.segment)


@pytest.mark.parametrize(
    ("offset", "what"),
    [(0, "Not a"), (8, "another version"), (12, "Not a"), (16, "another version"), (24, "size")],
)
def test_a_segment_of_another_kind(project: Project, left: Left, offset: int, what: str) -> None:
    with left.segment.open("r+b") as file:
        file.seek(offset)
        file.write(b"\x77\x77\x77")
    try:
        assert what in salvage_refused(project, left.segment)
    finally:
        project.shmcov("salvage", "--discard", left.segment)


def test_what_another_version_left_is_passed_over(project: Project, left: Left) -> None:
    with left.segment.open("r+b") as file:
        file.seek(8)  # the number of the layout's version
        file.write(b"\x77")
    long_ago = time.time() - 7200
    os.utime(left.segment, (long_ago, long_ago))  # only then nobody may be at work with it
    for command in ("salvage --all", "status --all", "status --all --json"):
        done = project.shmcov(*command.split())
        lines = done.stderr.splitlines()
        (line,) = mine = [line for line in lines if left.path.name in line]
        # What other tests leave there meanwhile may be unreadable.
        assert done.returncode == 0 or lines != mine
        assert "another version" in line and "salvage --discard" in line
    assert left.segment.exists() and project.data_files() == []
    assert project.shmcov("salvage", "--discard", left.segment).returncode == 0
    assert not left.segment.exists()


def test_a_segment_that_was_cut(project: Project, left: Left) -> None:
    os.truncate(left.segment, 1 << 20)
    assert "size" in salvage_refused(project, left.segment)
    # What validates can be had all the same.
    done = project.shmcov("salvage", "--force", left.segment)
    assert done.returncode == 0
    assert project.missing("prog.py") == [6]


def test_salvage_needs_to_know_which(project: Project) -> None:
    for options in (["--discard"], ["-o", "x"]):
        done = project.shmcov("salvage", *options)
        assert done.returncode == 1
        assert "Which segment" in done.stderr
