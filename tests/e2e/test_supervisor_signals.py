# SPDX-License-Identifier: Apache-2.0
"""Signals, exit statuses and job control: the supervisor must be no other than the program is."""

from __future__ import annotations

import os
import pty
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project_support import Project, timed, wait_until

# Counts the signals that arrive, and ends when there is nothing more to come.
COUNTER = """
    import os, signal, sys, time

    got = []
    for name in sys.argv[1:]:
        signal.signal(getattr(signal, name), lambda n, f: got.append(signal.Signals(n).name))
    with open("ready", "w") as file:
        print(os.getpid(), file=file)
    deadline = time.monotonic() + 20
    while not got and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    print(*got)
    sys.exit(5)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGQUIT", "SIGWINCH"])
def test_a_signal_to_the_supervisor_is_forwarded_once(project: Project, name: str) -> None:
    project.write("prog.py", COUNTER)
    run = project.start("run", "prog.py", name)
    project.wait_for("ready")
    os.kill(run.pid, getattr(signal, name))
    out, err = run.communicate(timeout=30)
    assert (out, err, run.returncode) == (f"{name}\n", "", 5)
    assert 12 in project.lines("prog.py")


# Counts what the kernel delivers, before Python makes one of two that come together.
DELIVERIES = """
    import os, signal, time

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    names = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1")
    for name in names:
        signal.signal(getattr(signal, name), lambda n, f: None)
    with open("ready", "w") as file:
        print("ready", file=file)
    while not os.path.exists("go"):
        time.sleep(0.01)
    os.write(writer, bytes(1))
    got = os.read(reader, 1000)
    print("deliveries:", len(got) - 1)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"])
@timed
def test_a_signal_to_the_group_reaches_the_program_once(project: Project, name: str) -> None:
    project.write("prog.py", DELIVERIES)
    run = project.start("run", "prog.py")
    project.wait_for("ready")
    for _ in range(5):
        os.killpg(run.pid, getattr(signal, name))
        time.sleep(0.1)
    project.write("go", "")
    assert run.communicate(timeout=30) == ("deliveries: 5\n", "")
    assert run.returncode == 0


@timed
def test_group_and_alone_in_turn(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import os, signal, time
        got = []
        signal.signal(signal.SIGTERM, lambda n, f: got.append(n))
        signal.signal(signal.SIGUSR2, lambda n, f: got.append(n))
        open("ready", "w").write("ready\\n")
        while signal.SIGUSR2 not in got:
            time.sleep(0.01)
        time.sleep(0.3)
        print(got.count(signal.SIGTERM))
        """,
    )
    run = project.start("run", "prog.py")
    project.wait_for("ready")
    for kill in (os.killpg, os.kill, os.kill, os.killpg, os.kill):
        kill(run.pid, signal.SIGTERM)
        time.sleep(0.2)
    os.kill(run.pid, signal.SIGUSR2)
    assert run.communicate(timeout=30) == ("5\n", "")


def test_a_program_that_signals_its_own_group(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import os, signal, time
        got = []
        signal.signal(signal.SIGTERM, lambda n, f: got.append(n))
        os.killpg(0, signal.SIGTERM)
        time.sleep(0.3)
        print(len(got))
        """,
    )
    run = project.start("run", "prog.py")
    assert run.communicate(timeout=30) == ("1\n", "")
    assert run.returncode == 0
    assert 6 in project.lines("prog.py")


def test_ignored_signals_stay_ignored(project: Project) -> None:
    """As under nohup."""
    project.write(
        "prog.py",
        """
        import signal, time
        print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, flush=True)
        time.sleep(0.5)
        print("end")
        """,
    )
    run = project.start(
        "run", "prog.py", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "True\n"
    os.kill(run.pid, signal.SIGHUP)
    assert run.communicate(timeout=30) == ("end\n", "")
    assert run.returncode == 0


# -- a terminal --


class Terminal:
    """A command in a session of its own, on a terminal of its own."""

    def __init__(self, project: Project, *args: str) -> None:
        self.output = ""
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(project.folder)
            os.execve(sys.executable, [sys.executable, *args], project.env)

    def press(self, key: bytes) -> None:
        os.write(self.fd, key)

    def status(self) -> int:
        """Reads until the end; the exit status as subprocess returns it."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    data = os.read(self.fd, 4096)
                except OSError:
                    break
                if not data:
                    break
                self.output += data.decode()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_ctrl_c_reaches_the_program_once(project: Project) -> None:
    project.write("prog.py", DELIVERIES)
    terminal = Terminal(project, "-m", "shmcov", "run", "prog.py")
    project.wait_for("ready")
    for _ in range(5):
        terminal.press(b"\x03")
        time.sleep(0.1)
    project.write("go", "")
    assert terminal.status() == 0
    assert "deliveries: 5" in terminal.output
    assert 14 in project.lines("prog.py")


def test_ctrl_c_ends_both_and_keeps_the_data(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import time
        open("ready", "w").write("ready\\n")
        time.sleep(30)
        """,
    )
    terminal = Terminal(project, "-m", "shmcov", "run", "prog.py")
    project.wait_for("ready")
    time.sleep(0.1)
    terminal.press(b"\x03")
    assert terminal.status() == -signal.SIGINT
    assert terminal.output.count("KeyboardInterrupt") == 1
    assert project.lines("prog.py") == [1, 2, 3]


def test_many_ctrl_c_lose_nothing(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import time
        open("ready", "w").write("ready\\n")
        time.sleep(30)
        """,
    )
    terminal = Terminal(project, "-m", "shmcov", "run", "prog.py")
    project.wait_for("ready")
    time.sleep(0.1)
    for _ in range(100):
        terminal.press(b"\x03")
        time.sleep(0.005)
        if not Path(f"/proc/{terminal.pid}/stat").exists():
            break
    assert terminal.status() == -signal.SIGINT
    assert project.lines("prog.py") == [1, 2, 3]


def test_stop_and_continue_are_the_shells(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import os, time
        open("ready", "w").write(f"{os.getpid()}\\n")
        while not os.path.exists("go"):
            time.sleep(0.01)
        print("end")
        """,
    )
    # A group that is not orphaned, as a shell's job is.
    run = project.start("run", "prog.py", start_new_session=False, process_group=0)
    program = int(project.wait_for("ready"))

    def state(pid: int) -> str:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    os.killpg(run.pid, signal.SIGTSTP)
    wait_until(lambda: state(run.pid) == state(program) == "T")
    os.killpg(run.pid, signal.SIGCONT)
    wait_until(lambda: state(run.pid) != "T" != state(program))
    project.write("go", "")
    assert run.communicate(timeout=30) == ("end\n", "")
    assert run.returncode == 0


# -- how it ends --


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGABRT", "SIGTERM", "SIGINT", "SIGUSR1"])
def test_dies_of_the_programs_signal(project: Project, name: str) -> None:
    project.write("prog.py", f"import os, signal\nos.kill(os.getpid(), signal.{name})\n")

    def limits() -> None:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))

    done = project.shmcov("run", "prog.py", preexec_fn=limits)
    assert done.returncode == -getattr(signal, name)
    assert project.lines("prog.py") == [1, 2]
    # The program may have left one, its supervisor may not.
    cores = [path for path in project.folder.iterdir() if path.name.startswith("core")]
    assert len(cores) <= 1


def test_what_was_printed_before_the_signal_is_there(project: Project) -> None:
    project.write("prog.py", "import os\nprint('out', flush=True)\nos.kill(os.getpid(), 9)\n")
    done = project.shmcov("run", "--source=nowhere_at_all", "prog.py")
    assert done.stdout == "out\n"
    assert "module-not-imported" in done.stderr


def test_the_save_signal_saves_and_the_run_goes_on(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import os, time
        open("ready", "w").write("ready\\n")
        while not os.path.exists("go"):
            time.sleep(0.01)
        after = 1
        """,
    )
    run = project.start("run", "--save-signal=USR1", "prog.py")
    project.wait_for("ready")
    os.kill(run.pid, signal.SIGUSR1)
    wait_until(lambda: (project.folder / ".coverage").exists())
    assert 5 not in project.lines("prog.py")
    project.write("go", "")
    assert run.communicate(timeout=30) == ("Saving coverage data...\n", "")
    assert run.returncode == 0
    assert 5 in project.lines("prog.py")


# -- PID 1 --

UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def can_unshare() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode == 0


needs_unshare = pytest.mark.skipif(not can_unshare(), reason="no new pid namespace can be made")


@needs_unshare
@pytest.mark.parametrize(("text", "status"), [("os._exit(3)", 3), ("os.kill(os.getpid(), 9)", 137)])
def test_as_pid_1_the_status_is_a_number(project: Project, text: str, status: int) -> None:
    project.write("prog.py", f"import os\nassert os.getppid() == 1\n{text}\n")
    done = subprocess.run(
        [*UNSHARE, sys.executable, "-m", "shmcov", "run", "prog.py"],
        cwd=project.folder,
        env=project.env,
        timeout=60,
        check=False,
    )
    assert done.returncode == status
    assert project.lines("prog.py") == [1, 2, 3]


@needs_unshare
def test_as_pid_1_it_reaps_orphans_and_forwards(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import os, signal, sys, time
        from pathlib import Path
        signal.signal(signal.SIGTERM, lambda n, f: print("SIGTERM"))
        if not os.fork():
            if not os.fork():
                time.sleep(0.2)
                os._exit(0)
            os._exit(0)
        os.wait()
        os.kill(1, signal.SIGTERM)
        time.sleep(1)
        stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat")]
        print("zombies:", sum(" Z " in text for text in stats))
        """,
    )
    done = subprocess.run(
        [*UNSHARE, sys.executable, "-m", "shmcov", "run", "prog.py"],
        cwd=project.folder,
        env=project.env,
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("SIGTERM\nzombies: 0\n", "")
