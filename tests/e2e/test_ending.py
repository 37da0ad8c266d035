# SPDX-License-Identifier: Apache-2.0
"""However a run ends, everything that ran is in the data file in the end, and no segment stays.

docs/ending.md says how. Most tests run under `shmcov run` and under `plugins = shmcov`: the same
code delivers.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project_support import TIMEOUT, Project, timed, wait_until

HOW = pytest.mark.parametrize("how", ["run", "plugin"])
AS_ROOT = pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run(["unshare", "-m", "true"]).returncode != 0,
    reason="needs mounts of its own",
)
LONG = {"SHMCOV_WAIT": "40"}
"""So long that a test fails by its time-out where somebody is waited for without need."""


class Run:
    """A project whose segments lie in a folder of their own."""

    def __init__(self, project: Project, how: str, *settings: str) -> None:
        self.project, self.how = project, how
        self.segments = project.folder.parent / "segments"  # not among the source
        plugin = "plugins = shmcov\n" if how == "plugin" else ""
        lines = "".join(f"{line}\n" for line in settings)
        project.write(".coveragerc", f"[run]\nsource = .\n{plugin}{lines}")

    def command(self, *program: str) -> list[str]:
        return ["-m", "coverage" if self.how == "plugin" else "shmcov", "run", *program]

    def env(self, more: dict[str, str] | None = None) -> dict[str, str]:
        return {"SHMCOV_DIR": str(self.segments), **(more or {})}

    def __call__(
        self, *program: str, flags: tuple[str, ...] = (), **env: str
    ) -> subprocess.CompletedProcess[str]:
        # Into files: a pipe is only at its end when the last process has ended that has it.
        out, err = self.project.folder / "out", self.project.folder / "err"
        with out.open("w") as stdout, err.open("w") as stderr:
            done = subprocess.run(
                [sys.executable, *flags, *self.command(*program)],
                cwd=self.project.folder,
                env={**self.project.env, **self.env(env)},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                timeout=TIMEOUT,
                check=False,
            )
        return subprocess.CompletedProcess(
            done.args, done.returncode, out.read_text(), err.read_text()
        )

    def start(self, *program: str, **env: str) -> subprocess.Popen[str]:
        popen = subprocess.Popen(
            [sys.executable, *self.command(*program)],
            cwd=self.project.folder,
            env={**self.project.env, **self.env(env)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.project.started.append(popen)
        return popen

    def left(self) -> list[str]:
        """The segments that are there."""
        return [path.name for path in self.segments.glob("run-*")]

    def settled(self) -> None:
        """Waits until the keeper has finished."""
        wait_until(lambda: not self.left(), 30)

    def lines(self, name: str) -> list[int]:
        wait_until(lambda: ".coverage" in self.project.data_files(), 30)
        return self.project.lines(name)


# -- the owner, whatever it does --

ENDS = {
    "exit": "pass",
    "status": "sys.exit(3)",
    "exception": "raise ValueError",
    "_exit": "os._exit(0)",
    "abort": "os.abort()",
    "SIGKILL": "os.kill(os.getpid(), 9)",
    "SIGTERM": "os.kill(os.getpid(), 15)",
    "SIGSEGV": "os.kill(os.getpid(), 11)",
    "exec": 'os.execv("/bin/true", ["true"])',
    "exec python": 'os.execve(sys.executable, ["python", "-c", "0"], {})',
    "closed descriptors": "os.closerange(3, 1000)",
    "signals ignored": "[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 3, 10, 12, 13, 15)]",
}


@HOW
@pytest.mark.parametrize("end", ENDS)
def test_an_owner_ends(project: Project, how: str, end: str) -> None:
    project.write("prog.py", f"import os, signal, sys\nx = 1\n{ENDS[end]}\n")
    run = Run(project, how)
    run("prog.py")
    assert run.lines("prog.py") == [1, 2, 3]
    run.settled()
    assert project.data_files() == [".coverage"]


@pytest.mark.parametrize("settings", [("patch = _exit",), ("sigterm = true",), ("patch = execv",)])
@pytest.mark.parametrize("end", ["_exit", "SIGTERM", "exec"])
def test_what_makes_coverage_save(project: Project, settings: tuple[str, ...], end: str) -> None:
    project.write("prog.py", f"import os, signal, sys\nx = 1\n{ENDS[end]}\n")
    run = Run(project, "plugin", *settings)
    run("prog.py")
    run.settled()
    if "patch = execv" in settings:
        project.python("-m", "coverage", "combine", "-q")
    assert project.lines("prog.py") == [1, 2, 3]


def test_a_killed_supervisor(project: Project) -> None:
    """Its program goes on, and what that runs from then on is in the data file in the end."""
    project.write(
        "prog.py",
        """
        import os, time
        print("ready", file=open("ready", "w"))
        for _ in range(6000):
            if os.path.exists("go"):
                break
            time.sleep(0.01)
        late = 1
        """,
    )
    run = Run(project, "run")
    popen = run.start("prog.py", SHMCOV_WAIT="0.1")
    project.wait_for("ready")
    popen.kill()
    popen.wait()
    assert run.lines("prog.py") == [1, 2, 3, 4, 6]
    (segment,) = run.left()
    done = project.shmcov("salvage", run.segments / segment)
    assert done.returncode == 1
    assert "still record" in done.stderr
    assert "prog.py" in done.stderr
    project.write("go", "")
    run.settled()
    assert project.lines("prog.py") == [1, 2, 3, 4, 5, 6, 7]


def test_the_second_delivery_leaves_alone_what_another_run_wrote(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import os, time
        for _ in range(6000):
            time.sleep(0.01 * (not os.path.exists('go')))
        """,
    )
    project.write("other.py", "x = 1\n")
    run = Run(project, "run")
    popen = run.start("prog.py", SHMCOV_WAIT="0.1")
    wait_until(
        lambda: (
            run.left()
            and "prog.py"
            in project.shmcov("status", "--files", run.segments / run.left()[0]).stdout
        )
    )
    popen.kill()
    popen.wait()
    assert run.lines("prog.py") == [1, 2, 3]
    assert project.shmcov("run", "other.py").returncode == 0
    before = (project.folder / ".coverage").read_bytes()
    project.write("go", "")
    # Nobody else is left, and nothing new was recorded: the segment goes, the file stays.
    run.settled()
    assert (project.folder / ".coverage").read_bytes() == before


@HOW
def test_a_daemon(project: Project, how: str) -> None:
    """It outlives the wait, and still nothing of it is lost."""
    project.write(
        "prog.py",
        """
        import os, time
        if os.fork():
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        for _ in range(6000):
            if os.path.exists("go"):
                break
            time.sleep(0.01)
        late = 1
        """,
    )
    run = Run(project, how, "disable_warnings = still-running")
    run("prog.py", SHMCOV_WAIT="0.2")
    assert run.lines("prog.py") == [1, 2, 3, 4, 5, 6, 7, 8, 10]
    project.write("go", "")
    run.settled()
    assert project.lines("prog.py") == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]


@HOW
def test_what_an_owner_becomes_by_exec_is_recorded_too(project: Project, how: str) -> None:
    project.write(
        "prog.py",
        """
        import os, sys
        x = 1
        os.execv(sys.executable, [sys.executable, "next.py"])
        """,
    )
    project.write("next.py", "y = 1\nprint(y)\n")
    run = Run(project, how)
    done = run("prog.py")
    assert (done.returncode, done.stdout) == (0, "1\n")
    run.settled()
    assert project.lines("prog.py") == [1, 2, 3]
    assert project.lines("next.py") == [1, 2]


def test_an_owner_that_starts_coverage_again_after_exec(project: Project) -> None:
    """Everything is there when it has ended: it delivers what it ran before, too."""
    project.write(
        "prog.py",
        """
        import os, sys
        x = 1
        os.execv(sys.executable, [sys.executable, "-m", "coverage", "run", "next.py"])
        """,
    )
    project.write("next.py", "y = 1\nprint(y)\n")
    run = Run(project, "plugin")
    done = run("prog.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert project.lines("prog.py") == [1, 2, 3]
    assert project.lines("next.py") == [1, 2]
    assert run.left() == []


def test_a_worker_that_makes_many_objects(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import coverage, multiprocessing

        def work(n):
            for i in range(10):
                cov = coverage.Coverage(data_file=f"data.{n}.{i}", config_file="rc")
                cov.start()
                import lib
                cov.stop()
                cov.save()

        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(4) as pool:
                pool.map(work, range(4), 1)
        """,
    )
    project.write("lib.py", "x = 1\n")
    project.write("rc", "[run]\nplugins = shmcov\n")
    run = Run(project, "run")
    assert project.python("prog.py", env=run.env()).returncode == 0
    assert len(list(project.folder.glob("data.*"))) == 40
    assert run.left() == []


def test_a_stopped_and_saved_object_keeps_no_segment(project: Project) -> None:
    """It makes another when it starts again, and both are in its data."""
    project.write(
        "prog.py",
        """
        import coverage, pathlib
        cov = coverage.Coverage()
        cov.start()
        import one
        cov.stop()
        cov.save()
        print(len(list(pathlib.Path("../segments").glob("run-*"))))
        cov.start()
        import two
        cov.stop()
        cov.save()
        """,
    )
    project.write("one.py", "x = 1\n")
    project.write("two.py", "x = 1\n")
    run = Run(project, "plugin")
    assert project.python("prog.py", env=run.env()).stdout == "0\n"
    assert run.left() == []
    assert (project.lines("one.py"), project.lines("two.py")) == ([1], [1])


def test_a_killed_object_that_nobody_saves_leaves_its_segment(project: Project) -> None:
    """An object of the API has no claim on the data file before it was saved."""
    project.write("old.py", "x = 1\n")
    project.write(
        "prog.py",
        """
        import coverage, os
        cov = coverage.Coverage()
        cov.start()
        import old
        os.kill(os.getpid(), 9)
        """,
    )
    run = Run(project, "plugin")
    project.python("prog.py", env=run.env())
    (segment,) = run.left()
    wait_until(lambda: not keepers(run))
    assert run.left() == [segment]
    assert project.data_files() == []
    assert project.shmcov("salvage", run.segments / segment).returncode == 0
    assert project.lines("old.py") == [1]


def keepers(run: Run) -> list[str]:
    """The keepers of a run's segments."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = process.read_bytes().split(b"\0")
        except OSError:
            continue
        if arguments[0].endswith(b"shmcov-keeper") and os.fsencode(run.segments) in arguments[1]:
            found.append(process.parent.name)
    return found


@HOW
def test_nobody_sees_the_keeper(project: Project, how: str) -> None:
    project.write(
        "prog.py",
        """
        import os, signal, subprocess, sys
        seen = []
        signal.signal(signal.SIGCHLD, lambda *args: seen.append(args))
        try:
            os.wait()
        except ChildProcessError:
            print("no child")
        print(seen)
        """,
    )
    run = Run(project, how)
    done = run("prog.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "no child\n[]\n", "")
    assert run.left() == []
    wait_until(lambda: not keepers(run))


@HOW
def test_without_a_keeper_it_is_as_before(project: Project, how: str) -> None:
    project.write("prog.py", "x = 1\n")
    run = Run(project, how)
    assert run("prog.py", SHMCOV_NO_KEEPER="1").returncode == 0
    assert project.lines("prog.py") == [1]
    assert run.left() == []


# -- who may still write --


@HOW
def test_a_child_that_was_started_last(project: Project, how: str) -> None:
    project.write("child.py", "a = 1\nprint('child', a)\n")
    project.write(
        "prog.py", 'import subprocess, sys\nsubprocess.Popen([sys.executable, "child.py"])\n'
    )
    run = Run(project, how)
    assert run("prog.py").returncode == 0
    assert project.lines("child.py") == [1, 2]


@HOW
def test_a_daemon_that_was_forked_last(project: Project, how: str) -> None:
    """At no time is there a row of a process that lives, and still it is found."""
    project.write(
        "prog.py",
        """
        import os, time
        if os.fork():
            os._exit(0)
        if os.fork():
            os._exit(0)
        time.sleep(0.3)
        late = 1
        """,
    )
    run = Run(project, how)
    for _ in range(5):
        (project.folder / ".coverage").unlink(missing_ok=True)
        run("prog.py")
        run.settled()
        assert project.lines("prog.py")[-1] == 7


LATE = """
    import os, time
    if os.fork() == 0:
        time.sleep(0.5)
        late = 1
        os._exit(0)
"""


@HOW
@pytest.mark.parametrize(
    "name",
    [
        "new\nline",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("sp ace", "back\\slash", "(deleted)", "ünïcode")
        ),
    ],
)
def test_the_folder_may_have_any_name(project: Project, how: str, name: str) -> None:
    """The kernel writes some of these otherwise in /proc/PID/maps."""
    project.write("prog.py", LATE)
    run = Run(project, how)
    run.segments = project.folder / name
    done = run("prog.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert project.lines("prog.py") == [1, 2, 3, 4, 5]
    assert run.left() == []


@HOW
def test_the_folder_may_be_reached_by_a_link(project: Project, how: str) -> None:
    project.write("prog.py", LATE)
    (project.folder / "place").mkdir(mode=0o700)
    (project.folder / "link").symlink_to("place")
    run = Run(project, how)
    run.segments = project.folder / "link"
    assert run("prog.py").returncode == 0
    assert project.lines("prog.py") == [1, 2, 3, 4, 5]
    assert run.left() == []


@HOW
def test_the_segment_may_be_renamed(project: Project, how: str) -> None:
    project.write(
        "prog.py",
        """
        import os, time
        path = os.environ["SHMCOV_SEGMENT"]
        if os.fork() == 0:
            time.sleep(0.5)
            late = 1
            os._exit(0)
        os.rename(path, path + "-away")
        """,
    )
    run = Run(project, how)
    assert run("prog.py").returncode == 0
    assert project.lines("prog.py") == [1, 2, 3, 4, 5, 6, 7]


HELPERS = {
    "stdin": (
        "sys.stdin.buffer.read()",
        "subprocess.Popen([sys.executable, 'helper.py'], stdin=subprocess.PIPE)",
    ),
    "another descriptor": (
        "os.read(int(sys.argv[1]), 1)",
        "r, w = os.pipe()\n"
        "subprocess.Popen([sys.executable, 'helper.py', str(r)], pass_fds=[r])\n"
        "os.close(r)",
    ),
}


@timed
def check_helper(project: Project, helper: str) -> None:
    body, start = HELPERS[helper]
    project.write("helper.py", f"import os, sys\nprint('x', file=open('ready', 'w'))\n{body}\n")
    project.write(
        "prog.py",
        f"import os, subprocess, sys, time\n{start}\n"
        "while not os.path.exists('ready'):\n    time.sleep(0.01)\ntime.sleep(0.2)\n",
    )
    run = Run(project, "plugin")
    done = run("prog.py", **LONG)
    assert (done.returncode, done.stderr) == (0, "")
    run.settled()
    assert project.lines("helper.py") == [1, 2, 3]


@pytest.mark.parametrize("helper", HELPERS)
def test_a_helper_that_ends_with_its_owner_is_not_waited_for(project: Project, helper: str) -> None:
    check_helper(project=project, helper=helper)


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_the_helpers_of_multiprocessing_are_not_waited_for(project: Project, start: str) -> None:
    project.write(
        "prog.py",
        f"""
        import multiprocessing, time

        def work():
            x = 1

        if __name__ == "__main__":
            context = multiprocessing.get_context({start!r})
            queue = context.Queue()
            child = context.Process(target=work)
            child.start()
            child.join()
            time.sleep(0.3)
        """,
    )
    run = Run(project, "plugin")
    done = run("prog.py", **LONG)
    assert (done.returncode, done.stderr) == (0, "")
    assert 4 in project.lines("prog.py")


def test_a_worker_that_only_has_a_pipe_is_waited_for(project: Project) -> None:
    """It holds one, but it does not sleep on it."""
    project.write("child.py", "import time\ntime.sleep(1)\nlate = 1\n")
    project.write(
        "prog.py",
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, 'child.py'], stdin=subprocess.PIPE)\n"
        "time.sleep(0.3)\n",
    )
    run = Run(project, "plugin")
    assert run("prog.py", **LONG).returncode == 0
    assert project.lines("child.py") == [1, 2, 3]


SLOW = """
    import subprocess, sys, time
    subprocess.Popen([sys.executable, "child.py"])
    while not __import__("os").path.exists("ready"):
        time.sleep(0.01)
"""
SLOW_CHILD = """
    import os, time
    print("x", file=open("ready", "w"))
    for _ in range(6000):
        if os.path.exists("go"):
            break
        time.sleep(0.01)
    late = 1
"""


@HOW
@pytest.mark.parametrize("flags", [(), ("-W", "error")])
def test_who_still_runs_is_named(project: Project, how: str, flags: tuple[str, ...]) -> None:
    project.write("prog.py", SLOW)
    project.write("child.py", SLOW_CHILD)
    run = Run(project, how)
    done = run("prog.py", flags=flags, SHMCOV_WAIT="0.3")
    assert done.returncode == 0, done.stderr
    assert "Still running after 0.3 s" in done.stderr
    assert ("[shmcov] wait" if how == "plugin" else "--shm-wait") in done.stderr
    assert "child.py" in done.stderr
    assert "(still-running)" in done.stderr
    assert project.lines("child.py") == [1, 2, 3, 4, 6]
    project.write("go", "")
    run.settled()
    assert project.lines("child.py") == [1, 2, 3, 4, 5, 6, 7]


@HOW
def test_the_warning_can_be_turned_off(project: Project, how: str) -> None:
    project.write("prog.py", SLOW)
    project.write("child.py", SLOW_CHILD)
    run = Run(project, how, "disable_warnings = still-running")
    assert run("prog.py", SHMCOV_WAIT="0.1").stderr == ""
    project.write("go", "")
    run.settled()


# -- the ground changes --


def test_who_was_named_may_end_before_the_owner_does(project: Project) -> None:
    """What it has done since the owner delivered is the keeper's to deliver."""
    project.write(
        "prog.py",
        """
        import os, time
        import coverage

        def late():
            return 1

        pid = os.fork()
        if pid == 0:
            while not os.path.exists("go on"):
                time.sleep(0.01)
            late()
            os._exit(0)
        warn = coverage.Coverage._warn

        def warn_and_wait(self, text, slug=None):
            warn(self, text, slug)
            if "(still-running)" in text:
                open("go on", "w").close()
                os.waitpid(pid, 0)

        coverage.Coverage._warn = warn_and_wait
        """,
    )
    run = Run(project, "plugin")
    done = run("prog.py", SHMCOV_WAIT="0.3")
    assert "Still running" in done.stderr
    run.settled()
    assert {5, 11, 12} <= set(project.lines("prog.py"))


def test_an_owner_that_became_another_user(project: Project) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can")
    for folder in (project.folder, *project.folder.parents):
        if folder != Path("/") and folder.stat().st_uid == 0 and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    project.folder.chmod(0o777)
    project.write("prog.py", "import os\nx = 1\nos.setgid(65534)\nos.setuid(65534)\ny = 1\n")
    run = Run(project, "plugin")
    done = run("prog.py")
    assert (done.returncode, done.stderr) == (0, "")
    run.settled()
    assert project.lines("prog.py") == [1, 2, 3, 4, 5]


# Without os.path.join and abspath coverage.py's own walk through the source finds nonsense.
MOCKS = {
    "os": [
        "getpid close fstat stat unlink remove rename replace geteuid getuid getcwd listdir",
        "open access mkdir rmdir kill read write chmod",
    ],
    "os.path": ["exists isfile isdir realpath dirname basename split splitext"],
    "time": ["time monotonic sleep perf_counter time_ns monotonic_ns"],
    "builtins": ["open"],
}


FEW_MOCKS = {"os.getpid", "os.stat", "os.path.exists", "time.monotonic", "builtins.open"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            f"{module}.{name}", marks=[pytest.mark.slow] * (f"{module}.{name}" not in FEW_MOCKS)
        )
        for module, lists in MOCKS.items()
        for name in " ".join(lists).split()
    ],
)
def test_a_mock_that_stays(project: Project, name: str) -> None:
    """What a test has replaced, and leaves so when the process ends."""
    value = ", return_value=5" if name in ("os.getpid", "time.time") else ""
    project.write(
        "prog.py",
        f"import unittest.mock\nx = 1\nunittest.mock.patch({name!r}{value}).start()\ny = 1\n",
    )
    theirs = Run(project, "run")
    reference = project.coverage("run", "prog.py", env=theirs.env())
    (project.folder / ".coverage").unlink(missing_ok=True)
    run = Run(project, "plugin")
    done = run("prog.py")
    assert done.returncode == reference.returncode, done.stderr
    run.settled()
    assert project.lines("prog.py") == [1, 2, 3, 4]


def test_a_clock_that_stands_still(project: Project) -> None:
    project.write("child.py", SLOW_CHILD)
    project.write(
        "prog.py",
        SLOW
        + """
    import unittest.mock
    for name in ("monotonic", "time", "perf_counter"):
        unittest.mock.patch(f"time.{name}", lambda now=getattr(time, name)(): now).start()
    """,
    )
    run = Run(project, "plugin", "disable_warnings = still-running")
    assert run("prog.py", SHMCOV_WAIT="0.2").returncode == 0
    project.write("go", "")
    run.settled()


@pytest.mark.parametrize(
    "what", ["sys.path.clear()", "sys.meta_path.clear()", "sys.modules.clear()"]
)
def test_nothing_is_imported_at_the_end(project: Project, what: str) -> None:
    project.write("prog.py", f"import sys\nx = 1\n{what}\n")
    reference = Run(project, "run")
    theirs = project.coverage("run", "prog.py", env=reference.env())
    run = Run(project, "plugin")
    done = run("prog.py")
    assert done.returncode == theirs.returncode, done.stderr
    run.settled()
    assert project.lines("prog.py") == [1, 2, 3]


@HOW
def test_a_name_that_was_removed_during_the_run(project: Project, how: str) -> None:
    project.write("prog.py", "import os\nos.unlink(os.environ['SHMCOV_SEGMENT'])\nx = 1\n")
    run = Run(project, how)
    done = run("prog.py")
    assert done.returncode == 0
    assert project.lines("prog.py") == [1, 2, 3]


# -- what cannot be saved --

FULL = """
set -e
mount -t tmpfs tmpfs /dev/shm
mkdir full
mount -t tmpfs -o size=200k tmpfs full
cp prog.py old.py .coveragerc full
cd full
"${@:1:4}" old.py
md5sum .coverage
dd if=/dev/zero of=fill bs=1k count=300 2>/dev/null || true
"$@" || true
md5sum .coverage
find /dev/shm -name 'run-*'
rm fill
"$0" -m shmcov salvage --all
"$0" -m coverage combine -q
"$0" -m coverage report
find /dev/shm -name 'run-*'
"""


@AS_ROOT
@HOW
def test_a_disk_that_is_full(project: Project, how: str) -> None:
    project.write("prog.py", "x = 1\n")
    project.write("old.py", "x = 1\n")
    run = Run(project, how)
    script = project.write("full.sh", FULL)
    done = subprocess.run(
        [
            *["unshare", "-m", "bash", "-c"],
            script.read_text(),
            *2 * [sys.executable],
            *run.command("prog.py"),
        ],
        cwd=project.folder,
        env=project.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    kept = [line for line in done.stdout.splitlines() if line.startswith("/dev/shm")]
    assert len(kept) == 1, "one before it was salvaged, none after that"
    before, after = (line for line in done.stdout.splitlines() if line.endswith(".coverage"))
    assert before == after, "the old data is there"
    assert f"shmcov salvage {kept[0]}" in done.stderr
    assert "prog.py" in done.stdout


def test_old_data_is_not_replaced_by_nothing(project: Project) -> None:
    """A process that is killed before anything of it was measured."""
    project.write("old.py", "x = 1\n")
    project.write("prog.py", "import os\nos.kill(os.getpid(), 9)\n")
    run = Run(project, "plugin", "omit = prog.py")
    assert run("old.py").returncode == 0
    before = (project.folder / ".coverage").read_bytes()
    run("prog.py")
    run.settled()
    assert (project.folder / ".coverage").read_bytes() == before


# -- leftovers --


def leave_over(project: Project, name: str = "prog.py") -> Path:
    """Leaves over a segment that nobody delivers."""
    project.write(
        name,
        """
        import os, signal
        print(os.environ["SHMCOV_SEGMENT"], os.getpid(), file=open("segment", "w"))
        os.kill(os.getppid(), signal.SIGKILL)
        """,
    )
    (project.folder / "segment").unlink(missing_ok=True)
    project.shmcov("run", "--shm-no-keeper", name)
    path, pid = project.wait_for("segment").split()
    wait_until(lambda: not Path(f"/proc/{pid}/fd/0").exists())
    segment = Path(path)
    assert segment.exists() or set_aside(segment).exists(), "another run may have swept it already"
    return segment


def set_aside(segment: Path) -> Path:
    return Path(f"{segment.parent}.left", segment.name)


def test_what_is_left_over_is_out_of_the_way_and_named(project: Project) -> None:
    segment = leave_over(project)
    project.write("other.py", "x = 1\n")
    done = project.shmcov("run", "other.py")
    assert done.returncode == 0
    aside = set_aside(segment)
    assert not segment.exists()
    assert aside.exists()
    (line,) = [line for line in done.stderr.splitlines() if str(aside) in line]
    assert "old" in line
    assert "shmcov run prog.py" in line
    assert str(project.folder) in line
    assert "salvage" in done.stderr
    # The name from before is still understood.
    assert project.shmcov("salvage", segment).returncode == 0
    assert project.lines("prog.py") == [1, 2, 3]
    assert not aside.exists()


def test_the_plugin_names_what_is_left_over(project: Project) -> None:
    segment = leave_over(project)
    project.write("other.py", "x = 1\n")
    Run(project, "plugin")
    done = project.coverage("run", "other.py")
    assert str(set_aside(segment)) in done.stderr
    assert "(segments-left)" in done.stderr
    Run(project, "plugin", "disable_warnings = segments-left")
    assert project.coverage("run", "other.py").stderr == ""
    assert project.shmcov("salvage", "--discard", set_aside(segment)).returncode == 0


def test_salvage_all(project: Project) -> None:
    first = leave_over(project)
    second = leave_over(project, "again.py")
    done = project.shmcov("salvage", "--all")
    assert done.returncode == 0, done.stderr
    assert not any(path.exists() for one in (first, second) for path in (one, set_aside(one)))
    assert project.coverage("combine", "-q").returncode == 0
    assert (project.lines("prog.py"), project.lines("again.py")) == ([1, 2, 3], [1, 2, 3])


def test_salvage_all_writes_only_where_the_run_was(project: Project) -> None:
    segment = leave_over(project)
    other = project.folder / "other"
    other.mkdir()
    done = project.shmcov("salvage", "--all", cwd=other)
    assert str(set_aside(segment)) in done.stdout
    assert list(other.iterdir()) == []
    assert project.shmcov("salvage", "--all").returncode == 0


def test_a_live_run_is_not_swept(project: Project) -> None:
    project.write("prog.py", SLOW_CHILD)
    popen = project.start("run", "prog.py")
    project.wait_for("ready")
    project.write("other.py", "x = 1\n")
    done = project.shmcov("run", "--data-file=.other", "other.py")
    assert (done.returncode, done.stderr) == (0, "")
    project.write("go", "")
    assert popen.wait(30) == 0
    assert project.lines("prog.py") == [1, 2, 3, 4, 5, 6, 7]


def test_what_is_dead_costs_a_start_nothing(project: Project) -> None:
    """A process that starts looks only into the folder of live segments."""
    segment = leave_over(project)
    project.write("other.py", "x = 1\n")
    project.shmcov("run", "other.py")
    assert segment not in segment.parent.glob("*")
    assert project.shmcov("salvage", "--discard", set_aside(segment)).returncode == 0


def test_signals_do_not_end_the_keeper(project: Project) -> None:
    """Nor does the end of the terminal's session or of the process group."""
    project.write("prog.py", "import os\nos.killpg(0, 9)\n")
    run = Run(project, "plugin")
    popen = run.start("prog.py")
    assert popen.wait(30) == -signal.SIGKILL
    assert run.lines("prog.py") == [1, 2]
    run.settled()
