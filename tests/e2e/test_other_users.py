# SPDX-License-Identifier: Apache-2.0
"""Children that run as another user: reported, or with --shm-other-users measured."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from project_support import Project, mount_namespace, wait_until
from shmcov import _merge, segments

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts other users' processes")

TOLD = "Not all of this run was recorded: "

OTHERS = "processes run as another user"

AS_NOBODY = """
    import os, subprocess, sys
    import _shmcov
    code = '''if 1:
        import os, sys
        sys.path += {path!r}
        import _shmcov, child_imports
        name = os.environ.pop("NAME")
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        os.environ["SHMCOV_SEGMENT"] = name
        for n in range(2):
            print(_shmcov.attach(), flush=True)
        import child
        os.kill(os.getpid(), 9) if {{kill}} else None
    '''
    path = [os.path.dirname(_shmcov.__file__), os.getcwd()]
    code = code.format(path=path).format(kill=len(sys.argv) > 2)
    env = dict(os.environ)
    env["NAME"] = env.pop("SHMCOV_SEGMENT")
    for n in range(int(sys.argv[1])):
        subprocess.run([sys.executable, "-S", "-c", code], env=env)
    print("done")
"""
"""Runs children that enter the run as another user. -S: they are not in it before."""


@pytest.fixture
def project() -> Iterator[Project]:
    """A project in a folder that other users may look into."""
    with tempfile.TemporaryDirectory(prefix="shmcov-test-") as name:
        Path(name).chmod(0o755)
        project = Project(Path(name))
        project.write("p.py", AS_NOBODY)
        project.write("child.py", "x = 1\nif x:\n    y = 2\n")
        project.write("child_imports.py", "")
        try:
            yield project
            assert segments_of(project) == []
        finally:
            project.end()


def run(project: Project, *args: str) -> subprocess.CompletedProcess[str]:
    done = project.shmcov("run", "--source=.", *args)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def segments_of(project: Project) -> list[Path]:
    """The segments of runs in the project's folder: others run tests too."""
    found = []
    for path in segments.found():
        with contextlib.suppress(segments.SegmentNotUsable), segments.opened(path) as fd:
            info = segments.read(path, fd, any_size=True).info()
            if (_merge.RULE_FOLDER, str(project.folder)) in info["rules"]:
                found.append(path)
    return found


# -- reported --


@pytest.mark.parametrize("n", [1, 5])
def test_user(project: Project, n: int) -> None:
    done = run(project, "p.py", str(n))
    assert done.stdout == "False\nFalse\n" * n + "done\n"
    assert done.stderr.count(TOLD) == 1
    assert f"{TOLD}{n} {OTHERS}" in done.stderr
    assert "--shm-other-users" in done.stderr
    assert "child.py" not in project.report() or project.lines("child.py") == []


def test_nobody_is_told_of_nothing(project: Project) -> None:
    assert run(project, "p.py", "0").stderr == ""


def test_without_a_keeper_nobody_hears(project: Project) -> None:
    """docs/ending.md. And nothing else changes."""
    done = run(project, "--shm-no-keeper", "p.py", "1")
    assert (done.stdout, done.stderr) == ("False\nFalse\ndone\n", "")


def test_the_plugin_tells(project: Project) -> None:
    project.write(".coveragerc", "[run]\nplugins = shmcov\nsource = .\n")
    done = project.python("-m", "coverage", "run", "p.py", "2")
    assert done.returncode == 0
    assert done.stderr.count(f"{TOLD}2 {OTHERS}") == 1


# -- admitted --


def check_admitted(project: Project, n: int, said: str = "") -> None:
    assert project.lines("child.py") == [1, 2, 3]
    assert said == ""


@pytest.mark.parametrize("n", [1, 5])
def test_others_are_measured(project: Project, n: int) -> None:
    done = run(project, "--shm-other-users", "p.py", str(n))
    assert done.stdout == "True\nTrue\n" * n + "done\n"
    check_admitted(project, n, done.stderr)


def test_others_that_are_killed_lose_nothing(project: Project) -> None:
    done = run(project, "--shm-other-users", "p.py", "1", "kill")
    check_admitted(project, 1, done.stderr)


@pytest.mark.parametrize("by", ["setting", "variable"])
def test_the_plugin_admits(project: Project, by: str) -> None:
    setting = "other_users = true" if by == "setting" else ""
    project.write(".coveragerc", f"[run]\nplugins = shmcov\nsource = .\n[shmcov]\n{setting}\n")
    env = {"SHMCOV_OTHER_USERS": "1"} if by == "variable" else {}
    done = project.python("-m", "coverage", "run", "p.py", "2", env=env)
    assert done.stdout == "True\nTrue\n" * 2 + "done\n"
    check_admitted(project, 2, done.stderr)


def test_a_folder_of_its_own(project: Project) -> None:
    """--shm-dir makes one that others pass through."""
    folder = project.folder / "segments"
    done = run(project, "--shm-other-users", f"--shm-dir={folder}", "p.py", "1")
    check_admitted(project, 1, done.stderr)
    assert folder.stat().st_mode & 0o777 == 0o711
    assert list(folder.iterdir()) == []


def test_a_child_of_ours_joins_as_ever(project: Project) -> None:
    """With the variable, and without."""
    project.write(
        "q.py",
        """
        import os, subprocess, sys
        subprocess.run([sys.executable, "-c", "import child"], check=True)
        subprocess.run([sys.executable, "-c", "import other"], env={}, check=True)
        """,
    )
    project.write("other.py", "x = 1\n")
    assert run(project, "--shm-other-users", "q.py").stderr == ""
    assert project.lines("child.py") == [1, 2, 3]
    assert project.lines("other.py") == [1]


def test_a_killed_supervisor(project: Project) -> None:
    """The keeper delivers. And it does not show the name of the segment to everybody."""
    project.write(
        "q.py",
        """
        import os, signal, time
        name = os.environ["SHMCOV_SEGMENT"].rpartition("/")[2]
        shown = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline") as file:
                    shown += [pid] if name in file.read() else []
            except OSError:
                pass
        print(len(name), shown, flush=True)
        import p
        os.kill(os.getppid(), signal.SIGKILL)
        """,
    )
    done = project.shmcov("run", "--source=.", "--shm-other-users", "q.py", "1")
    assert done.returncode == -9
    assert done.stdout == "36 []\nTrue\nTrue\ndone\n"
    data = project.folder / ".coverage"
    wait_until(lambda: data.exists() and not segments_of(project))
    check_admitted(project, 1)


def test_what_is_left_over_is_private_and_is_salvaged(project: Project) -> None:
    project.write(
        "q.py",
        """
        import os, signal, p
        print(os.getpid(), file=open("pid", "w"))
        os.kill(os.getppid(), signal.SIGKILL)
        """,
    )
    done = project.shmcov("run", "--source=.", "--shm-other-users", "--shm-no-keeper", "q.py", "1")
    assert done.returncode == -9
    pid = project.wait_for("pid")
    wait_until(lambda: not Path(f"/proc/{pid}/fd/0").exists())
    done = project.shmcov("salvage", "--all")
    assert done.returncode == 0, done.stderr
    project.coverage("combine")
    check_admitted(project, 1)


@pytest.mark.parametrize("admit", [False, True])
def test_file_tracers_are_not_loaded_from_what_others_write(project: Project, admit: bool) -> None:
    project.write(
        "plug.py",
        """
        import coverage
        class Plugin(coverage.CoveragePlugin):
            pass
        def coverage_init(reg, options):
            reg.add_file_tracer(Plugin())
        """,
    )
    project.write(".coveragerc", "[run]\nplugins = plug\n")
    project.write("q.py", "x = 1\n")
    done = project.shmcov("run", *(["--shm-other-users"] if admit else []), "q.py")
    if admit:
        assert done.returncode == 1
        assert "file tracer plug-ins" in done.stdout + done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")


# -- by exec, as programs do it --

BY_EXEC = """
    import subprocess, sys
    for n in range(3):
        subprocess.run(
            [sys.executable, "-c", "import child"],
            user=65534, group=65534, extra_groups=[], check=True,
        )
"""

PASSABLE = """
import os, subprocess, sys

def mount(*args):
    subprocess.run(["mount", *args], check=True)

mount("-t", "tmpfs", "none", "/mnt")
for path in map(os.path.realpath, sys.argv[1].split(os.pathsep)):
    parts = path.split("/")[1:]
    for n in range(len(parts)):
        folder = "/" + "/".join(parts[:n])
        if os.stat(folder).st_mode & 1:
            continue
        kept = f"/mnt/{folder.replace('/', '-')}"
        os.mkdir(kept)
        mount("--rbind", folder, kept)
        mount("-t", "tmpfs", "-o", "mode=755", "none", folder)
        for name in os.listdir(kept):
            if os.path.isdir(f"{kept}/{name}") and not os.path.islink(f"{kept}/{name}"):
                os.mkdir(f"{folder}/{name}")
                mount("--rbind", f"{kept}/{name}", f"{folder}/{name}")
os.chdir(sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""
"""In a mount namespace of its own: makes the folders above passable for everybody."""


def run_passable(project: Project, *args: str) -> subprocess.CompletedProcess[str]:
    places = os.pathsep.join({sys.prefix, sys.base_prefix})
    command = [sys.executable, "-m", "shmcov", "run", "--source=.", *args]
    done = subprocess.run(
        [*mount_namespace(), sys.executable, "-c", PASSABLE, places, project.folder, *command],
        env=project.env,
        cwd=project.folder,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_exec_is_told(project: Project) -> None:
    project.write("q.py", BY_EXEC)
    done = run_passable(project, "q.py")
    assert done.stderr.count(f"{TOLD}3 {OTHERS}") == 1


def test_exec_is_measured(project: Project) -> None:
    project.write("q.py", BY_EXEC)
    check_admitted(project, 3, run_passable(project, "--shm-other-users", "q.py").stderr)
