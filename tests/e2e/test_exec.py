# SPDX-License-Identifier: Apache-2.0
"""`shmcov exec`: the command is any program, and each Python below it is measured."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from project_support import Project

PROGRAM = """
    import sys

    def sign(n):
        if n < 0:
            return -1
        return 1

    print(sign(int(sys.argv[1])))
"""


@pytest.fixture
def prog(project: Project) -> Project:
    """prog.py, and `python` in the PATH is this interpreter."""
    project.write("prog.py", PROGRAM)
    project.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return project


def script(project: Project, name: str, text: str) -> str:
    project.write(name, text).chmod(0o755)
    return f"./{name}"


# -- whatever the command is --


def test_a_shell_script_that_starts_three_at_once(prog: Project) -> None:
    run = script(
        prog,
        "run",
        """
        #!/bin/sh
        for n in 1 2 -3; do python prog.py $n & done
        wait
        """,
    )
    done = prog.shmcov("exec", "--", run)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.split()) == ["-1", "1", "1"]
    assert prog.missing("prog.py") == []
    assert prog.data_files() == [".coverage"]


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_make(prog: Project) -> None:
    prog.write(
        "Makefile", "all: plus minus\nplus:\n\tpython prog.py 1\nminus:\n\tpython prog.py -1\n"
    )
    done = prog.shmcov("exec", "make", "-s", "-j2")  # without --, too
    assert (done.returncode, done.stderr) == (0, "")
    assert prog.missing("prog.py") == []


@pytest.mark.skipif(not shutil.which("perl"), reason="needs perl")
def test_a_runner_whose_workers_get_an_environment_of_their_own(prog: Project) -> None:
    """Adopted through the supervisor: between it and the workers nobody is Python."""
    code = f"%ENV = (); for (1, -1) {{ system '{sys.executable}', 'prog.py', $_ }}"
    done = prog.shmcov("exec", "--", "perl", "-e", code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n-1\n", "")
    assert prog.missing("prog.py") == []


def test_adoption_can_be_turned_off(prog: Project) -> None:
    done = prog.shmcov("exec", "--shm-no-adopt", "env", "-i", sys.executable, "prog.py", "1")
    assert done.returncode == 0
    assert "No data was collected" in done.stderr


def test_a_script_without_a_first_line(prog: Project) -> None:
    run = script(prog, "run", 'python prog.py "$1"\n')
    done = prog.shmcov("exec", run, "-5")
    assert (done.returncode, done.stdout, done.stderr) == (0, "-1\n", "")


def test_standard_streams_are_the_commands(prog: Project) -> None:
    done = prog.shmcov("exec", "tr", "a-z", "A-Z", input="hello")
    assert done.stdout == "HELLO"


def test_the_exit_status_is_the_commands(prog: Project) -> None:
    done = prog.shmcov("exec", "--", "sh", "-c", "python prog.py 1; exit 7")
    assert done.returncode == 7
    assert prog.missing("prog.py") == [5]


# -- there is no such command --


@pytest.mark.parametrize(
    ("command", "status", "message"),
    [
        ("no_such_command", 127, "no_such_command: command not found"),
        ("./no_such_command", 127, "FOLDER/no_such_command: No such file or directory"),
        ("./prog.py", 126, "FOLDER/prog.py: Permission denied"),
        ("./sub", 126, "FOLDER/sub: Is a directory"),
        ("denied", 126, "FOLDER/sub/denied: Permission denied"),
    ],
)
def test_a_command_that_cannot_be_run(
    prog: Project, command: str, status: int, message: str
) -> None:
    prog.write("sub/denied", "")
    prog.write(".coverage", "old")
    prog.env["PATH"] += f"{os.pathsep}{prog.folder / 'sub'}"
    done = prog.shmcov("exec", command)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr == f"shmcov: {message.replace('FOLDER', str(prog.folder))}\n"
    in_bash = subprocess.run(
        ["bash", "-c", command], cwd=prog.folder, env=prog.env, capture_output=True, check=False
    )
    assert in_bash.returncode == status
    assert (prog.folder / ".coverage").read_text() == "old"


def test_nothing_to_do(prog: Project) -> None:
    prog.write(".coveragerc", "[run]\ncommand_line = prog.py 1\n")  # it is for `run`
    done = prog.shmcov("exec")
    assert done.returncode == 1
    assert "Nothing to do." in done.stderr


# -- signals --


def test_a_signal_to_the_supervisor_reaches_the_command(prog: Project) -> None:
    end = "python prog.py -1; kill $!; exit 5"
    code = f"trap '{end}' TERM; python prog.py 1; sleep 20 & echo > ready; wait"
    run = prog.start("exec", "--", "sh", "-c", code)
    prog.wait_for("ready")
    os.kill(run.pid, signal.SIGTERM)
    out, err = run.communicate(timeout=30)
    assert (out, err, run.returncode) == ("1\n-1\n", "", 5)
    assert prog.missing("prog.py") == []


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGSEGV"])
def test_dies_of_the_commands_signal(prog: Project, name: str) -> None:
    code = f"python prog.py 1; kill -{name[3:]} $$; sleep 20"
    done = prog.shmcov("exec", "--", "sh", "-c", code)
    assert done.returncode == -getattr(signal, name)
    assert prog.missing("prog.py") == [5]


def test_ctrl_c_ends_all_and_keeps_the_data(prog: Project) -> None:
    prog.write("prog.py", "import time\nopen('ready', 'w').write('x\\n')\ntime.sleep(20)\n")
    run = prog.start("exec", "sh", "-c", "python prog.py; exit 3")
    prog.wait_for("ready")
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=30)
    assert run.returncode == -signal.SIGINT
    assert prog.lines("prog.py") == [1, 2, 3]


# -- options and configuration are those of `run` --


def test_options_and_configuration(prog: Project) -> None:
    prog.write(".coveragerc", "[run]\nbranch = true\ncontext = nightly\nsource = .\n")
    prog.write("unused.py", "x = 1\n")
    run = ("exec", "--data-file=sub/.data")
    assert prog.shmcov(*run, "python", "prog.py", "1").stderr == ""
    assert prog.shmcov(*run, "--append", "python", "prog.py", "-1").stderr == ""
    report = prog.report("sub/.data")
    assert report["prog.py"]["missing_lines"] == report["prog.py"]["missing_branches"] == []
    assert report["prog.py"]["contexts"]["1"] == ["nightly"]
    assert report["unused.py"]["executed_lines"] == []


def test_parallel(prog: Project) -> None:
    for n in ("1", "-1"):
        assert prog.shmcov("exec", "-p", "python", "prog.py", n).stderr == ""
    assert len(prog.data_files()) == 2
    with sqlite3.connect(prog.folder / prog.data_files()[0]) as db:
        rows = db.execute("select value from meta where key = 'sys_argv'")
        assert re.fullmatch(r"\['python', 'prog.py', '-?1'\]", next(rows)[0])
    assert prog.shmcov("combine").returncode == 0
    assert prog.missing("prog.py") == []


def test_contexts(prog: Project) -> None:
    prog.write("test_it.py", "from prog import sign\ndef test_one():\n    sign(1)\ntest_one()\n")
    prog.write("prog.py", "def sign(n):\n    return n\n")
    prog.write(".coveragerc", "[run]\ndynamic_context = test_function\n")
    assert prog.shmcov("exec", "sh", "-c", "python test_it.py; :").stderr == ""
    assert prog.report()["prog.py"]["contexts"]["2"] == ["__main__.test_one"]


# -- who is not measured --


def foreign(folder: Path) -> Path:
    """An environment in which shmcov is not installed."""
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin/python"


def test_interpreters_that_cannot_attach_are_named(prog: Project) -> None:
    python = foreign(prog.folder / "other")
    prog.write("slow.py", "import time\ntime.sleep(1)\n")
    prog.write("pip.py", "import slow\n")  # fills an environment, as far as can be seen
    code = f"{python} slow.py & python -S slow.py & python prog.py 1 & {python} -m pip x & wait"
    done = prog.shmcov("exec", "--", "sh", "-c", code)
    assert done.returncode == 0
    assert "2 of those that were seen" in done.stderr
    assert f"{python} slow.py\n" in done.stderr
    assert "python -S slow.py\n" in done.stderr
    assert "prog.py" not in done.stderr
    assert "(not-attached)" in done.stderr
    assert prog.missing("prog.py") == [5]
    strict = prog.shmcov("exec", "--shm-strict", "--", "sh", "-c", code)
    assert strict.returncode == 1
    prog.write(".coveragerc", "[run]\ndisable_warnings = not-attached\n")
    assert prog.shmcov("exec", "--", "sh", "-c", code).stderr == ""


def test_those_that_take_part_are_not_named(prog: Project) -> None:
    """Forked, without a variable, in a run of their own."""
    prog.write(
        "prog.py",
        """
        import os, subprocess, sys, time
        if not os.fork():
            time.sleep(0.5)
            os._exit(0)
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)"], env={})
        os.wait()
        """,
    )
    done = prog.shmcov(
        "exec", "sh", "-c", "python -m shmcov run --data-file=inner prog.py & python prog.py & wait"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_nobody_attached(prog: Project) -> None:
    prog.write(".coverage", "old")
    done = prog.shmcov("exec", "true")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("shmcov: No data was collected: no Python that 'true' started")
    assert (prog.folder / ".coverage").read_text() == "old"
    assert prog.shmcov("exec", "--shm-strict", "true").returncode == 1


def test_status_shows_it(prog: Project) -> None:
    prog.write("prog.py", "import time\nopen('ready', 'w').write('x\\n')\ntime.sleep(20)\n")
    run = prog.start("exec", "sh", "-c", "python prog.py; :")
    prog.wait_for("ready")
    listed = prog.shmcov("salvage").stdout
    assert "shmcov exec sh -c 'python prog.py; :'" in listed
    os.killpg(run.pid, signal.SIGTERM)
    run.communicate(timeout=30)


def test_help(prog: Project) -> None:
    for args in (["help", "exec"], ["exec", "--help"]):
        text = prog.shmcov(*args).stdout
        assert "exec [options] [--] <command>" in text
        assert "--shm-wait" in text and "--append" in text
        assert "--module" not in text
        assert "tox" in text


def test_a_job_of_a_shell(prog: Project) -> None:
    """An interactive shell takes the terminal, and gives it back."""
    pid, fd = pty.fork()
    if not pid:
        os.chdir(prog.folder)
        args = [sys.executable, "-m", "shmcov", "exec", "bash", "--norc", "-i"]
        os.execve(sys.executable, args, prog.env)
    os.write(fd, b"python prog.py -1\nexit 4\n")
    output = b""
    while True:
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        output += data
    os.close(fd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4, output
    assert prog.missing("prog.py") == [6]
