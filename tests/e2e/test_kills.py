# SPDX-License-Identifier: Apache-2.0
"""A process that is killed: what it had run up to then is in the result, and nothing else.

`worker.py` counts its steps, and ends at one of them. Each copy of it ends at another step, in a
process of its own. What it has run by then is what coverage.py has recorded when it saves at that
step, in the same run without a kill.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import coverage
import pytest
from corpus_compare import differences
from corpus_support import FileReport
from project_support import Project

WORKER = Path(__file__).with_name("kills_worker.py")
STEPS = range(1, 30)

ENDS = """
    import ctypes
    import faulthandler
    import os
    import signal
    import threading
    import time

    how, steps = os.environ["END"], None

    def begin(number):
        global steps
        steps = number

    def step():
        global steps
        steps -= 1
        if not steps:
            end()
        return True

    # A thread goes on when the line that waits for it has begun.
    joining = threading.Event()

    def join(thread):
        joining.set()
        thread.join()

    def after_join(function, argument):
        joining.wait()
        function(argument)

    def end():
        if how == "save":
            import coverage
            cov = coverage.Coverage.current()
            cov.stop()
            cov.save()
            os._exit(0)
        if how == "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "_exit":
            os._exit(3)
        if how == "segfault":
            faulthandler._sigsegv()
        if how == "abort":
            os.abort()
        with open(f"waiting-{os.getpid()}", "w"):
            pass
        time.sleep(600)
"""

MAIN = """
    import multiprocessing, os, pathlib, resource, signal, sys, time
    import ends

    def work(number):
        ends.begin(number)
        __import__(f"worker_{number}").work()
        os._exit(99)

    if __name__ == "__main__":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        count = int(sys.argv[2])
        context = multiprocessing.get_context(sys.argv[1])
        waiting = lambda: len(list(pathlib.Path().glob("waiting-*")))
        if ends.how == "terminate":
            pool = context.Pool(count)
            pool.map_async(work, range(1, count + 1), chunksize=1)
            while waiting() < count:
                time.sleep(0.02)
            pool.terminate()
            pool.join()
        else:
            processes = [
                context.Process(target=work, args=(n,)) for n in range(1, count + 1)
            ]
            for process in processes:
                process.start()
            if ends.how == "killed":
                while waiting() < count:
                    time.sleep(0.02)
                for process in processes:
                    os.kill(process.pid, signal.SIGKILL)
            for process in processes:
                process.join()
            assert 99 not in [process.exitcode for process in processes]
"""

RC = """
    [run]
    include = worker_*.py
    branch = {branch}
"""

# What coverage.py needs so that it finds the processes; then also what it has for their ends.
FOR_PROCESSES = "    parallel = true\n    concurrency = multiprocessing, thread\n"
FOR_ENDS = "    patch = _exit, subprocess, fork, execv\n    sigterm = true\n"

ENDS_OF_WORKERS = ("SIGKILL", "_exit", "segfault", "abort", "killed", "terminate")
"""The last two come from outside: `os.kill` by the parent, and `Pool.terminate`."""


@pytest.fixture
def workers(project: Project) -> Project:
    project.write("ends.py", ENDS)
    project.write("main.py", MAIN)
    for number in STEPS:
        shutil.copyfile(WORKER, project.folder / f"worker_{number}.py")
    return project


def reports(project: Project, data_file: str) -> dict[str, FileReport]:
    """The report of each worker, without the ones of which nothing is known."""
    for path in project.folder.glob("waiting-*"):
        path.unlink()
    if not (project.folder / data_file).exists() or not measured(project.folder / data_file):
        return {}
    found = project.report(data_file)
    return {name: found[name] for name in found if found[name]["executed_lines"]}


def measured(data_file: Path) -> set[str]:
    data = coverage.CoverageData(str(data_file))
    data.read()
    return data.measured_files()


def under_coverage(
    project: Project, start: str, end: str, rc: str, into: str, count: int = len(STEPS)
) -> None:
    project.write("rc", rc)
    options = ("--rcfile=rc", f"--data-file={into}")
    env = {"END": end, "COVERAGE_FILE": into}
    done = project.coverage("run", *options, "main.py", start, str(count), env=env)
    assert done.returncode == 0, done.stderr
    project.coverage("combine", *options)


def under_shmcov(project: Project, start: str, end: str, rc: str) -> dict[str, FileReport]:
    project.write("rc", rc)
    options = ("--rcfile=rc", "--data-file=.ours")
    env = {"END": end}
    done = project.shmcov("run", *options, "main.py", start, str(len(STEPS)), env=env)
    assert done.returncode == 0, done.stderr
    return reports(project, ".ours")


@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branch"])
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_what_ran_before_the_end_is_there(workers: Project, start: str, branch: bool) -> None:
    rc = RC.format(branch=branch)
    under_coverage(workers, start, "save", rc + FOR_PROCESSES, ".theirs")
    expected = reports(workers, ".theirs")
    assert len(expected) == len(STEPS)
    for end in ENDS_OF_WORKERS:
        found = under_shmcov(workers, start, end, rc)
        assert sorted(found) == sorted(expected), end
        for name in expected:
            text = differences(name, expected[name], found[name], workers.folder)
            assert not text, f"{end}: {text}"


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_coverage_loses_it(workers: Project, start: str) -> None:
    """coverage.py keeps nothing of such a process, so the test above is not about nothing."""
    rc = RC.format(branch=False) + FOR_PROCESSES
    for end in ENDS_OF_WORKERS:
        under_coverage(workers, start, end, rc, f".theirs-{end}", count=4)
        assert reports(workers, f".theirs-{end}") == {}, end
    for end in ("SIGKILL", "segfault", "abort", "killed"):
        under_coverage(workers, start, end, rc + FOR_ENDS, f".theirs-patched-{end}", count=4)
        assert reports(workers, f".theirs-patched-{end}") == {}, end


CRASHING_TESTS = """
    import faulthandler, os, signal
    import pytest
    from lib import before, crash, helped

    @pytest.fixture
    def thing():
        yield helped()
        os.write(2, b"never")

    @pytest.mark.parametrize("n", range(6))
    def test_passes(n):
        assert before(n) >= 0

    def test_crashes(thing):
        crash()
        os.write(2, b"never")
"""

CRASHING_LIB = """
    import faulthandler, os, signal

    def before(n):
        if n > 2:
            return n
        return -n * 0

    def helped():
        return 1

    def crash():
        total = 0
        for n in range(3):
            total += n
        {end}
        return total
"""


@pytest.mark.parametrize(
    "end",
    ["os.kill(os.getpid(), signal.SIGKILL)", "faulthandler._sigsegv()", "os._exit(1)"],
)
def test_a_worker_of_xdist_that_crashes(project: Project, end: str) -> None:
    """The tests that the worker ran, and the one in which it crashed, are in the result."""
    pytest.importorskip("xdist")
    project.write("test_it.py", CRASHING_TESTS)
    project.write("lib.py", CRASHING_LIB.format(end=end))
    program = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "1", "--max-worker-restart=0")
    done = project.shmcov("run", "--include=lib.py,test_it.py", *program)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "crashed" in done.stdout
    text = (project.folder / "lib.py").read_text().splitlines()
    never = text.index("    return total") + 1
    assert project.missing("lib.py") == [never]
    tests = (project.folder / "test_it.py").read_text().splitlines()
    assert [tests[n - 1].strip() for n in project.missing("test_it.py")] == [
        'os.write(2, b"never")'
    ] * 2

    # The same with pytest-cov, which collects what each worker sends when it ends well.
    pytest.importorskip("pytest_cov")
    done = project.python(*program, "--cov=.", "--cov-report=", env={"COVERAGE_FILE": ".theirs"})
    assert done.returncode == 1, done.stdout + done.stderr
    theirs = project.report(".theirs") if (project.folder / ".theirs").exists() else {}
    assert never - 1 not in theirs.get("lib.py", {}).get("executed_lines", ())


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_killed_at_any_moment(project: Project, start: str) -> None:
    """No place between two instructions loses a line: whatever a worker has reported is there."""
    count = 3000
    lines = "\n".join(f"    tell({number})" for number in range(2, count + 2))
    (project.folder / "long.py").write_text(f"def work(tell):\n{lines}\n")
    project.write(
        "main.py",
        """
        import multiprocessing, os, random, signal, sys, time
        def work(number, out):
            import long
            long.work(lambda line: os.write(out, line.to_bytes(4, "little")))
            time.sleep(60)
        def work_into(number):
            work(number, os.open(f"told-{number}", os.O_WRONLY | os.O_CREAT, 0o600))
        if __name__ == "__main__":
            context = multiprocessing.get_context(sys.argv[1])
            rounds = random.Random(int(sys.argv[2]))
            process = context.Process(target=work_into, args=(sys.argv[2],))
            process.start()
            while not (os.path.exists(name := f"told-{sys.argv[2]}") and os.path.getsize(name)):
                pass
            time.sleep(rounds.random() * 0.01)
            process.kill()
            process.join()
        """,
    )
    for number in range(5):
        done = project.shmcov("run", "--include=long.py", "main.py", start, str(number))
        assert done.returncode == 0, done.stderr
        told = (project.folder / f"told-{number}").read_bytes()
        last = int.from_bytes(told[-4:], "little")
        ran = project.lines("long.py")
        # The line after the last one that it reported may have begun.
        assert ran == list(range(1, max(ran) + 1))
        assert max(ran) in (last, last + 1)
