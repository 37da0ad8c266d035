# SPDX-License-Identifier: Apache-2.0
"""`shmcov status`: who is measured, and what is covered so far."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from project_support import Project, wait_until
from shmcov import segments

PROGRAM = """
    import os, time
    with open("ready", "w") as file:
        print(os.environ["SHMCOV_SEGMENT"], os.getpid(), file=file)
    while not os.path.exists("go"):
        time.sleep(0.01)
    after = 1
"""


def test_a_run(project: Project) -> None:
    project.write("prog.py", PROGRAM)
    run = project.start("run", "prog.py")
    segment, program = project.wait_for("ready").split()
    text = project.shmcov("status", segment, "--files").stdout
    assert f"supervisor {run.pid}" in text
    assert "5 lines of 1 files" in text
    (row,) = [line.split() for line in text.splitlines() if line.split()[:1] == [program]]
    assert row[1] == "running"  # it has no name
    assert row[-1] == "prog.py"
    assert str(project.folder / "prog.py") in text
    assert segment in project.shmcov("status").stdout
    project.write("go", "")
    run.communicate(timeout=30)
    assert segment not in project.shmcov("status").stdout


def the_run(project: Project, segment: str, *args: str) -> dict[str, Any]:
    done = project.shmcov("status", "--json", segment, *args)
    assert (done.returncode, done.stderr) == (0, "")
    (run,) = json.loads(done.stdout)["runs"]
    return dict(run)


def test_json(project: Project) -> None:
    project.write("prog.py", PROGRAM)
    run = project.start("run", "--data-file=.here", "prog.py")
    segment, program = project.wait_for("ready").split()
    told = the_run(project, segment, "--files")
    assert told["segment"] == segment and told["goes_on"] is True
    assert told["supervisor"] == run.pid
    assert told["command"] == "shmcov run prog.py"
    assert told["folder"] == str(project.folder)
    assert told["data_file"] == str(project.folder / ".here")
    assert told["files"] == {str(project.folder / "prog.py"): told["lines"]} and told["lines"] == 5
    assert told["new_lines"] is told["new_in"] is None
    (process,) = told["processes"]
    assert process["pid"] == int(program) and process["parent"] == run.pid
    assert process["state"] == "running" and process["alive"] is True
    assert process["python"] == ".".join(map(str, sys.version_info[:3]))
    assert the_run(project, segment)["files"] is None
    everything = json.loads(project.shmcov("status", "--json").stdout)
    assert segment in [run["segment"] for run in everything["runs"]]
    page = (Path(__file__).parents[2] / "docs/reference/status.md").read_text()
    documented = re.findall(r"^\| `(\w+)`", page, re.MULTILINE)
    assert documented == [*everything, *told, *process]


def test_what_is_over_comes_on_demand(project: Project) -> None:
    project.write("prog.py", PROGRAM)
    run = project.start("run", "--shm-no-keeper", "prog.py")
    segment, program = project.wait_for("ready").split()
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert segment in project.shmcov("status").stdout  # the program goes on
    os.kill(int(program), signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{program}/fd/0").exists())
    assert segment not in project.shmcov("status").stdout
    text = project.shmcov("status").stdout
    assert "--all shows more" in text
    name = Path(segment).name  # any other run of this user sets it aside
    everything = project.shmcov("status", "--all").stdout
    assert name in everything and "its supervisor has ended" in everything
    runs = json.loads(project.shmcov("status", "--all", "--json").stdout)["runs"]
    (run_over,) = [one for one in runs if one["segment"].endswith(name)]
    assert [one["state"] for one in run_over["processes"]] == ["gone"]
    assert run_over["goes_on"] is False


def test_processes_that_have_ended_are_counted(project: Project) -> None:
    project.write("prog.py", "import subprocess, sys\n")
    text = (project.folder / "prog.py").read_text() + "\n".join(
        ["for _ in range(3):", "    subprocess.run([sys.executable, '-c', ''])", ""]
    )
    project.write("prog.py", text + PROGRAM.replace("\n    ", "\n").lstrip())
    project.start("run", "prog.py")
    segment = project.wait_for("ready").split()[0]
    assert "and 3 that have ended" in project.shmcov("status", segment).stdout
    assert project.shmcov("status", "--all", segment).stdout.count(" ended\n") == 3


@pytest.mark.parametrize("form", ["text", "json"])
def test_watch(project: Project, form: str) -> None:
    project.write("prog.py", PROGRAM)
    run = project.start("run", "prog.py")
    segment = project.wait_for("ready").split()[0]
    options = ["--json"] if form == "json" else []
    watching = subprocess.Popen(
        [sys.executable, "-m", "shmcov", "status", segment, "--watch", "0.5", *options],
        cwd=project.folder,
        env=project.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watching.stdout is not None
        if form == "json":
            first, second = (json.loads(watching.stdout.readline())["runs"][0] for _ in range(2))
            assert first["new_lines"] is None
            assert second["new_lines"] == 0 and second["new_in"] >= 0.5
        else:
            wait_until(lambda: "lines of 1 files, 0 of them" in watching.stdout.readline())
        project.write("go", "")
        assert run.wait(30) == 0
        watching.communicate(timeout=30)
        assert watching.returncode == 0  # it ends with the run
    finally:
        watching.kill()
        watching.wait()


def test_watch_until_interrupted(project: Project) -> None:
    project.write("prog.py", PROGRAM)
    project.start("run", "prog.py")
    project.wait_for("ready")
    watching = subprocess.Popen(
        [sys.executable, "-m", "shmcov", "status", "--watch"],
        cwd=project.folder,
        env=project.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    assert watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    watching.communicate(timeout=30)
    assert watching.returncode == 0


# -- what processes are called, and what they are at --

SUITE = """
    import os, time

    def test_first():
        pass

    def test_second():
        pass

    def test_waits():
        with open(f"ready-{__name__}", "w") as file:
            print(os.environ["SHMCOV_SEGMENT"], os.getpid(), file=file)
        while not os.path.exists("go"):
            time.sleep(0.01)
"""


@pytest.mark.parametrize("by", ["run", "pytest-cov"])
def test_workers_of_xdist(project: Project, by: str) -> None:
    project.write("test_a.py", SUITE)
    project.write("test_b.py", SUITE)
    arguments = ["-q", "-n2", "--dist=loadfile", "-p", "no:cacheprovider"]
    if by == "run":
        run = project.start("run", "-m", "pytest", *arguments, "--shmcov-context=test")
    else:
        project.write(".coveragerc", "[run]\nplugins = shmcov\n")
        run = subprocess.Popen(
            [sys.executable, "-m", "pytest", *arguments, "--cov=.", "--cov-context=test"],
            cwd=project.folder,
            env=project.env,
            stdout=subprocess.DEVNULL,
        )
    try:
        segment = project.wait_for("ready-test_a").split()[0]
        project.wait_for("ready-test_b")
        told = the_run(project, segment)["processes"]
        workers = {one["name"]: one for one in told if one["name"]}
        assert sorted(workers) == ["gw0", "gw1"]
        assert {one["phase"] for one in workers.values()} == {"run"}
        tests = sorted(one["test"] for one in workers.values())
        assert tests == ["test_a.py::test_waits", "test_b.py::test_waits"]
        assert [one["tests"] for one in workers.values()] == [2, 2]
        assert all(0 <= one["seconds"] < 60 for one in workers.values())
        text = project.shmcov("status", segment).stdout
        assert re.search(r"^  \d+ +gw1 +running +2 +\d+ s +test_[ab].py::test_waits$", text, re.M)
    finally:
        project.write("go", "")
        run.communicate(timeout=60)
    assert run.returncode == 0


WITH_POOL = """
    import multiprocessing, os, sys, time

    def work(n):
        with open(f"ready-{n}", "w") as file:
            print(os.environ["SHMCOV_SEGMENT"], os.getpid(), file=file)
        while not os.path.exists("go"):
            time.sleep(0.01)

    def nested(n):
        child = multiprocessing.Process(target=work, args=(n,), name="inner")
        child.start()
        child.join()

    if __name__ == "__main__":
        multiprocessing.set_start_method(sys.argv[1])
        made = [multiprocessing.Process(target=work, args=(1,)),
                multiprocessing.Process(target=nested, args=(2,), name="outer")]
        for one in made:
            one.start()
        for one in made:
            one.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_multiprocessing(project: Project, method: str) -> None:
    project.write("prog.py", WITH_POOL)
    run = project.start("run", "prog.py", method)
    segment = project.wait_for("ready-1").split()[0]
    inner = int(project.wait_for("ready-2").split()[1])
    told = the_run(project, segment)["processes"]
    names = {one["name"]: one["pid"] for one in told if one["name"]}
    assert sorted(names) == ["Process-1", "inner", "outer"]
    assert names["inner"] == inner
    project.write("go", "")
    assert run.wait(30) == 0


def test_a_name_of_its_own(project: Project) -> None:
    project.write(
        "named.py",
        """
        import os, shmcov, sys
        assert shmcov.name_process("first")
        assert shmcov.name_process("second \\u2713")
        if os.fork() == 0:
            shmcov.switch_context("in the child")
            import prog
            os._exit(0)
        os.wait()
        """,
    )
    project.write("prog.py", PROGRAM)
    run = project.start("run", "named.py")
    segment, child = project.wait_for("ready").split()
    first, second = the_run(project, segment)["processes"]
    assert (first["name"], first["test"], first["tests"]) == ("second ✓", "", 0)
    assert (second["name"], second["test"], second["tests"]) == ("", "in the child", 0)
    assert second["pid"] == int(child) and second["seconds"] < 60
    project.write("go", "")
    assert run.wait(30) == 0
    assert (
        project.python("-c", "import shmcov; assert not shmcov.name_process('x')").returncode == 0
    )
    for name in ("b'bytes'", "'\\ud800'"):
        done = project.python("-c", f"import shmcov; shmcov.name_process({name})")
        assert done.returncode == 1 and "Error" in done.stderr


# -- the end of a process --


def test_of_a_child_that_ran_no_test_nothing_is_said(project: Project) -> None:
    project.write(
        "forks.py",
        """
        import multiprocessing
        def work():
            pass
        if __name__ == "__main__":
            child = multiprocessing.get_context("fork").Process(target=work, name="well")
            child.start()
            child.join()
            import prog
        """,
    )
    project.write("prog.py", PROGRAM)
    run = project.start("run", "forks.py")
    segment = project.wait_for("ready").split()[0]
    told = [(one["name"], one["state"]) for one in the_run(project, segment)["processes"]]
    assert told == [("", "running"), ("well", "gone")]
    project.write("go", "")
    # It ran no test: how it ended is the program's business.
    assert run.communicate(timeout=30) == ("", "")


def test_a_run_says_what_ended_in_a_test(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import os, shmcov, signal
        for end in (signal.SIGKILL, signal.SIGTERM, 0, None):
            if os.fork() == 0:
                shmcov.switch_context(f"test {end}")
                if end:
                    os.kill(os.getpid(), end)
                if end is None:
                    shmcov.switch_context("")
                os._exit(0)
            os.wait()
        """,
    )
    done = project.shmcov("run", "--shm-contexts", "--data-file=.here", "prog.py")
    assert done.stderr == (
        "shmcov: 3 processes ended in the middle of a test; what they ran is in .here\n"
    )
    assert 6 in project.lines("prog.py", ".here")


def test_what_comes_while_the_segment_is_read_is_no_damage(project: Project) -> None:
    project.write(
        "prog.py",
        """
        import os, shmcov
        def work(n):
            return n + 1
        with open("ready", "w") as file:
            print(os.environ["SHMCOV_SEGMENT"], file=file)
        number = 0
        while not os.path.exists("go") and number < 1_000_000:
            for number in range(number, number + 1000):
                shmcov.switch_context(f"test {number}")
                work(number)
        """,
    )
    run = project.start("run", "--shm-contexts", "prog.py")
    segment = project.wait_for("ready").strip()
    with segments.opened(segment) as fd:
        damaged = [segments.read(segment, fd).info()["damaged"] for _ in range(20)]
    project.write("go", "")
    assert run.communicate(timeout=60)[1] == ""
    assert damaged == [0] * 20


# -- per cent --


@pytest.mark.parametrize("options", [[], ["--branch"]], ids=["lines", "branches"])
def test_percent_is_that_of_a_report(project: Project, options: list[str]) -> None:
    project.write(".coveragerc", "[run]\nsource = .\n[report]\nexclude_also = never\n")
    project.write("unused.py", "x = (\n    1,\n    2,\n)\ny = 1\n")
    begin = """
    def f(a,
          b):
        return a
    if __name__ == 'never':
        f(1, 2)
"""
    project.write("prog.py", begin + PROGRAM.lstrip("\n"))
    run = project.start("run", *options, "prog.py")
    segment = project.wait_for("ready").split()[0]
    told = the_run(project, segment, "--percent", "--files")
    assert project.shmcov("snapshot", segment, "-o", ".now").returncode == 0
    report = project.report(".now")
    summaries = {name: report[name]["summary"] for name in ("prog.py", "unused.py")}
    expected = {
        str(project.folder / name): [one["covered_lines"], one["num_statements"]]
        for name, one in summaries.items()
    }
    assert told["counted"] == expected
    assert told["covered"] == sum(pair[0] for pair in expected.values())
    assert told["statements"] == sum(pair[1] for pair in expected.values())
    assert told["percent"] == round(100 * told["covered"] / told["statements"], 2)
    text = project.shmcov("status", segment, "--percent", "--files").stdout
    assert f"{told['percent']:.0f} % of {told['statements']} statements of 2 files" in text
    assert re.search(r"^  2 +2 +0 +.*/unused.py$", text, re.M)
    project.write("go", "")
    assert run.wait(30) == 0
