# SPDX-License-Identifier: Apache-2.0
"""Children: however they start and however they end, what they ran is in the one data file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project_support import Project, timed, wait_until

CHILD = """
    def work():
        total = 0
        for n in range(10):
            total += n
        return total

    if __name__ == "__main__":
        work()
"""

WORKED = [1, 2, 3, 4, 5]

STARTS = {
    "subprocess": 'subprocess.run([sys.executable, "child.py"], check=True)',
    "another folder": 'subprocess.run([sys.executable, os.path.abspath("child.py")], cwd="/")',
    "closed descriptors": 'subprocess.run([sys.executable, "child.py"], close_fds=True)',
    "-I": 'subprocess.run([sys.executable, "-I", "child.py"], check=True)',
    "-E -s": 'subprocess.run([sys.executable, "-E", "-s", "child.py"], check=True)',
    "empty environment": 'subprocess.run([sys.executable, "child.py"], env={}, check=True)',
    "empty environment, in a shell": (
        'subprocess.run(["/bin/sh", "-c", sys.executable + " child.py; true"], env={}, check=True)'
    ),
    "allow-list": (
        'subprocess.run([sys.executable, "child.py"], env={"PATH": os.environ["PATH"]}, check=True)'
    ),
    "execv": 'os.execv(sys.executable, [sys.executable, "child.py"])',
    "execve, empty environment": 'os.execve(sys.executable, [sys.executable, "child.py"], {})',
    "posix_spawn": (
        'os.waitpid(os.posix_spawn(sys.executable, [sys.executable, "child.py"], os.environ), 0)'
    ),
    "system": 'os.system(sys.executable + " child.py")',
    "fork": "if not os.fork():\n    child.work()\n    os._exit(0)\nos.wait()",
    "process, fork": 'p = mp.get_context("fork").Process(target=child.work)\np.start()\np.join()',
    "process, spawn": 'p = mp.get_context("spawn").Process(target=child.work)\np.start()\np.join()',
    "process, forkserver": (
        'p = mp.get_context("forkserver").Process(target=child.work)\np.start()\np.join()'
    ),
    "executor": (
        "with concurrent.futures.ProcessPoolExecutor(2) as pool:\n"
        "    pool.submit(child.work).result()"
    ),
    "thread": "t = threading.Thread(target=child.work)\nt.start()\nt.join()",
    "low-level thread": "_thread.start_new_thread(child.work, ())\ntime.sleep(0.3)",
}

MAIN = """\
import _thread, concurrent.futures, os, subprocess, sys, threading, time
import multiprocessing as mp
import child
if __name__ == "__main__":
"""


@pytest.mark.parametrize("start", STARTS)
def test_however_a_child_starts(project: Project, start: str) -> None:
    project.write("child.py", CHILD)
    body = "\n".join("    " + line for line in STARTS[start].splitlines())
    project.write("prog.py", MAIN + body + "\n")
    done = project.shmcov("run", "prog.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert set(project.lines("child.py")) >= set(WORKED)
    assert project.data_files() == [".coverage"]


def test_a_daemon_thread(project: Project) -> None:
    project.write("child.py", CHILD)
    project.write(
        "prog.py",
        """
        import threading, time, child
        def forever():
            while True:
                child.work()
        threading.Thread(target=forever, daemon=True).start()
        time.sleep(0.3)
        """,
    )
    done = project.shmcov("run", "prog.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(project.lines("child.py")) >= set(WORKED)


def test_adoption_can_be_turned_off(project: Project) -> None:
    project.write("child.py", CHILD)
    start = STARTS["empty environment"]
    project.write("prog.py", MAIN + f"    {start}\n")
    project.shmcov("run", "--shm-no-adopt", "prog.py")
    assert project.lines("child.py") == [1, 7]


def test_a_child_measures_and_imports_nothing_else(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import subprocess, sys
        code = "import sys; print(sorted(sys.modules))"
        print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
        """,
    )
    bare = set(re.findall(r"'([^']+)'", project.python("prog.py").stdout))
    ours = set(re.findall(r"'([^']+)'", project.shmcov("run", "prog.py").stdout))
    assert "_shmcov" in ours
    # Where another run goes on, the bare process has it too.
    assert ours - bare <= {"_shmcov"}


# -- however a child ends --

ENDS = {
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)",
    "segmentation fault": "ctypes.string_at(0)",
    "abort": "os.abort()",
    "os._exit": "os._exit(0)",
    "exec of another program": 'os.execv("/bin/true", ["true"])',
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("method", ["fork", "spawn", "subprocess"])
def test_however_a_child_ends(project: Project, method: str, end: str) -> None:
    project.write(
        "worker.py",
        f"""
        import ctypes, os, signal

        def work():
            done = 1
            {ENDS[end]}

        if __name__ == "__main__":
            work()
        """,
    )
    if method == "subprocess":
        start = "subprocess.run([sys.executable, 'worker.py'])"
    else:
        start = f"p = mp.get_context({method!r}).Process(target=worker.work); p.start(); p.join()"
    project.write(
        "prog.py",
        f"""
        import subprocess, sys
        import multiprocessing as mp
        import worker
        if __name__ == "__main__":
            {start}
        """,
    )
    assert project.shmcov("run", "prog.py").returncode == 0
    assert {4, 5} <= set(project.lines("worker.py"))

    # The same by coverage.py, with what it has for children, but for its patch of os._exit.
    project.write(
        "rc", "[run]\npatch = subprocess\nparallel = true\nconcurrency = multiprocessing\n"
    )
    project.coverage("run", "--rcfile=rc", "--data-file=.theirs", "prog.py")
    project.coverage("combine", "--rcfile=rc", "--data-file=.theirs")
    assert not {4, 5} & set(project.lines("worker.py", ".theirs"))


def test_pool_terminate(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import multiprocessing, time

        def work(n):
            result = n + 1
            open(f"did-{n}", "w").close()
            time.sleep(60)

        if __name__ == "__main__":
            import os
            pool = multiprocessing.get_context("fork").Pool(2)
            pool.map_async(work, range(2))
            while not (os.path.exists("did-0") and os.path.exists("did-1")):
                time.sleep(0.01)
            pool.terminate()
            pool.join()
        """,
    )
    assert project.shmcov("run", "prog.py").returncode == 0
    assert {4, 5, 6} <= set(project.lines("prog.py"))
    for path in project.folder.glob("did-*"):
        path.unlink()
    project.write("rc", "[run]\nparallel = true\nconcurrency = multiprocessing\n")
    project.coverage("run", "--rcfile=rc", "--data-file=.theirs", "prog.py")
    project.coverage("combine", "--rcfile=rc", "--data-file=.theirs")
    assert not {4, 5, 6} & set(project.lines("prog.py", ".theirs"))


# -- children that outlive the program --

OUTLIVING = """
    import subprocess, sys
    subprocess.Popen([sys.executable, "late.py"], start_new_session=True,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    import time
    time.sleep(0.3)
"""


def test_a_child_that_ends_soon_is_waited_for(project: Project) -> None:
    project.write("prog.py", OUTLIVING)
    project.write("late.py", "import time\ntime.sleep(1)\nx = 1\n")
    done = project.shmcov("run", "prog.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert project.lines("late.py") == [1, 2, 3]


@timed
def test_children_of_children_are_waited_for(project: Project) -> None:
    project.write("prog.py", OUTLIVING)
    project.write(
        "late.py",
        """
        import subprocess, sys, time
        time.sleep(0.5)
        subprocess.Popen([sys.executable, "later.py"])
        """,
    )
    project.write("later.py", "import time\ntime.sleep(0.5)\nx = 1\n")
    done = project.shmcov("run", "--shm-wait=10", "prog.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert project.lines("later.py") == [1, 2, 3]


@timed
def test_a_child_that_has_only_just_been_started_is_waited_for(project: Project) -> None:
    project.write("prog.py", OUTLIVING.replace("time.sleep(0.3)", ""))
    project.write("late.py", "import time\ntime.sleep(0.3)\nx = 1\n")
    done = project.shmcov("run", "prog.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert project.lines("late.py") == [1, 2, 3]


def test_a_child_that_stays_is_named(project: Project) -> None:
    project.write("prog.py", OUTLIVING)
    project.write(
        "late.py",
        """
        import os, time
        with open("pid", "w") as file:
            print(os.getpid(), file=file)
        time.sleep(60)
        """,
    )
    began = time.monotonic()
    done = project.shmcov("run", "--shm-wait=0.5", "prog.py")
    took = time.monotonic() - began
    pid = int(project.wait_for("pid"))
    try:
        assert done.returncode == 0
        assert "Still running" in done.stderr
        assert f"{pid}  {Path(sys.executable).name} late.py" in done.stderr
        assert took < 10
        assert project.lines("late.py") == [1, 2, 3, 4]
        assert Path(f"/proc/{pid}").exists()
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_signal_cuts_the_wait_short(project: Project) -> None:
    project.write("prog.py", OUTLIVING)
    project.write(
        "late.py",
        """
        import os, time
        with open("pid", "w") as file:
            print(os.getpid(), file=file)
        time.sleep(60)
        """,
    )
    run = project.start("run", "--shm-wait=60", "prog.py")
    pid = int(project.wait_for("pid"))
    time.sleep(1)
    began = time.monotonic()
    os.kill(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=30)
    os.kill(pid, signal.SIGKILL)
    assert time.monotonic() - began < 10
    assert "Still running" in err
    assert project.lines("late.py") == [1, 2, 3, 4]


def test_a_child_that_became_another_program_is_not_waited_for(project: Project) -> None:
    project.write("prog.py", OUTLIVING)
    project.write("late.py", 'import os\nos.execv("/bin/sleep", ["sleep", "20"])\n')
    began = time.monotonic()
    done = project.shmcov("run", "--shm-wait=15", "prog.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 10
    assert project.lines("late.py") == [1, 2]


# -- what is made --


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_no_file_is_made_but_the_segment_and_the_result(project: Project) -> None:
    project.write("child.py", CHILD)
    starts = [STARTS[name] for name in ("subprocess", "process, fork", "process, spawn", "fork")]
    body = "\n".join("    " + line for text in starts for line in text.splitlines())
    project.write("prog.py", MAIN + body + "\n")
    trace = project.folder.parent / "trace"
    strace = ["strace", "-f", "-qq", "-e", "trace=%file", "-s", "300", "-o", trace]
    subprocess.run(
        [*strace, sys.executable, "-m", "shmcov", "run", "prog.py"],
        cwd=project.folder,
        env=project.env,
        check=True,
        timeout=120,
    )
    makes = re.compile(r"O_CREAT|\b(?:creat|mkdir|mkdirat|mknod|mknodat|(?:sym)?link(?:at)?)\(")
    made = [
        line
        for line in trace.read_text(errors="replace").splitlines()
        if makes.search(line) and "= -1" not in line and "unlink" not in line
    ]
    segments = [line for line in made if re.search(r'"/(dev/shm|tmp)/shmcov-\d+(/|")', line)]
    temporary = [line for line in made if "/.shmcov-" in line]
    others = [line for line in made if line not in segments and line not in temporary]
    assert len(segments) in (1, 2), made  # the file, and its folder if there was none
    assert len(temporary) == 1, made
    # What multiprocessing itself makes: semaphores and the like.
    assert [line for line in others if "sem." not in line and "/dev/null" not in line] == []
    assert project.data_files() == [".coverage"]


def test_the_program_finds_no_descriptor_open(project: Project) -> None:
    project.write("prog.py", "import os\nprint(sorted(os.listdir('/proc/self/fd')))\n")
    assert project.shmcov("run", "prog.py").stdout == project.python("prog.py").stdout


def test_the_supervisor_is_no_subreaper(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import os, time
        parent = os.getppid()
        if not os.fork():
            if not os.fork():
                time.sleep(0.5)
                with open("parent", "w") as file:
                    print(os.getppid() != parent, file=file)
                os._exit(0)
            os._exit(0)
        os.wait()
        """,
    )
    project.shmcov("run", "prog.py")
    assert project.wait_for("parent") == "True"


def test_a_run_inside_a_run(project: Project) -> None:
    """Each has its own data file; the inner program is the inner run's."""
    project.write("child.py", CHILD)
    project.write(
        "prog.py",
        """
        import subprocess, sys
        command = [sys.executable, "-m", "shmcov", "run", "--data-file=.inner", "child.py"]
        subprocess.run(command, check=True)
        """,
    )
    done = project.shmcov("run", "prog.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(project.lines("child.py", ".inner")) >= set(WORKED)
    assert list(project.report()) == ["prog.py"]


def test_two_runs_at_once(project: Project) -> None:
    for name in ("a", "b"):
        project.write(f"{name}.py", f"import time, {name}_only\ntime.sleep(0.5)\n")
        project.write(f"{name}_only.py", "x = 1\n")
    runs = [project.start("run", f"--data-file=.{name}", f"{name}.py") for name in "ab"]
    for run in runs:
        assert run.communicate(timeout=60) == ("", "")
        assert run.returncode == 0
    for name in ("a", "b"):
        assert sorted(project.report(f".{name}")) == [f"{name}.py", f"{name}_only.py"]


def test_the_segment_goes_with_the_run(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import os
        with open("segment", "w") as file:
            print(os.environ["SHMCOV_SEGMENT"], file=file)
        """,
    )
    project.shmcov("run", "prog.py")
    segment = Path(project.wait_for("segment"))
    wait_until(lambda: not segment.exists())
    (project.folder / "segment").unlink()
    folder = project.folder / "segments"
    project.shmcov("run", f"--shm-dir={folder}", "prog.py")
    assert Path(project.wait_for("segment")).parent == folder
    assert list(folder.iterdir()) == []
