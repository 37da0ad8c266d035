# SPDX-License-Identifier: Apache-2.0
"""No process makes a file but the segment, the one result, and its temporary file in the merge.

strace writes down whatever makes a file, a folder, a link, a socket or a nameless file, in all
processes, also what is gone again at the end. What the program makes without shmcov is no concern.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from project_support import Project

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")

MAKES = re.compile(
    r"^(?:open(?:at)?\(.*(?:O_CREAT|O_TMPFILE)|creat\(|mkdir(?:at)?\(|mknod(?:at)?\(|memfd_create\("
    r'|(?:sym)?link(?:at)?\(|rename(?:at2?)?\(|bind\(.*sun_path=")'
)
SUCCEEDED = re.compile(r"= \d+[^=]*$")
NAME = re.compile(r'"([^"]*)"')
CALLS = "trace=%file,memfd_create,bind"

CHILD = """
    import os, signal, sys

    def work(end=None):
        total = sum(n for n in range(5) if n)
        if end == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if end == "exit":
            os._exit(0)

    if __name__ == "__main__":
        work(*sys.argv[1:])
"""

PROCESSES = """
    import multiprocessing as mp
    import os, subprocess, sys
    import child

    if __name__ == "__main__":
        for method in ("fork", "spawn", "forkserver"):
            for end in (None, "kill", "exit"):
                process = mp.get_context(method).Process(target=child.work, args=(end,))
                process.start()
                process.join()
        with mp.get_context("fork").Pool(2) as pool:
            pool.map(child.work, [None] * 4)
        for env in (None, {}):
            subprocess.run([sys.executable, "child.py"], env=env, check=True)
            subprocess.run([sys.executable, "child.py", "kill"], env=env)
        if not os.fork():
            os.execv(sys.executable, [sys.executable, "child.py", "exit"])
        os.wait()
"""

TESTS = """
    import os, subprocess, sys
    import child
    import pytest

    @pytest.mark.parametrize("n", range(8))
    def test_works(n):
        child.work()

    def test_starts_something():
        subprocess.run([sys.executable, "child.py"], check=True)

    def test_crashes():
        child.work("kill")
"""

PROGRAMS = {
    "processes": (["main.py"], 0),
    "xdist": (["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2"], 1),
}


def made_by(project: Project, trace: Path, command: list[str], status: int) -> Counter[str]:
    """The names of what a command makes, without their random parts."""
    trace.mkdir()
    done = subprocess.run(
        ["strace", "-ff", "-qq", "-s", "400", "-e", CALLS, "-o", trace / "of", *command],
        cwd=project.folder,
        env=project.env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "PTRACE" in done.stderr or "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr}")
    assert done.returncode == status, done.stdout + done.stderr
    traces = list(trace.iterdir())
    assert len(traces) > 3
    found: Counter[str] = Counter()
    for path in traces:
        for line in path.read_text(errors="replace").splitlines():
            if MAKES.match(line) and SUCCEEDED.search(line):
                found[without_chance(project, NAME.findall(line)[-1])] += 1
    return found


def without_chance(project: Project, name: str) -> str:
    if not name.startswith("/"):
        name = f"{project.folder}/{name}"
    name = name.replace(str(project.folder), "PROJECT")
    name = re.sub(r"/\.shmcov-[^/]+\.tmp$", "/RESULT", name)
    name = re.sub(rf"^.*/shmcov-{os.getuid()}/(new|run)-[^/]+$", r"SEGMENT-\1", name)
    name = re.sub(r"(sem\.|pymp-|listener-|sock-)[\w-]+", r"\1*", name)
    name = re.sub(rf"^{re.escape(tempfile.gettempdir())}/\w{{8,12}}(?=$|/)", "TEMPORARY", name)
    return re.sub(r"\d+", "N", name)


def expected(project: Project, made: Counter[str], bare: Counter[str]) -> None:
    more = made - bare
    for name in list(more):
        # The folder of segments, if there was none; pytest's own temporary folders, which the
        # two runs number and clean up differently.
        if name.endswith("/shmcov-N") or "/pytest-of-" in name:
            del more[name]
    # The segment, and the result, are both made under one name and renamed to another.
    assert more == dict.fromkeys(
        ("SEGMENT-new", "SEGMENT-run", "PROJECT/RESULT", "PROJECT/.coverage"), 1
    )
    assert project.data_files() == [".coverage"]


@pytest.fixture
def traced(project: Project) -> Project:
    project.write("child.py", CHILD)
    project.write("main.py", PROCESSES)
    project.write("test_it.py", TESTS)
    return project


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("branch", [[], ["--branch"]], ids=["lines", "branch"])
def test_nothing_else_is_made(
    traced: Project, tmp_path: Path, name: str, branch: list[str]
) -> None:
    program, status = PROGRAMS[name]
    if name == "xdist":
        pytest.importorskip("xdist")
    bare = made_by(traced, tmp_path / "bare", [sys.executable, *program], status)
    command = [sys.executable, "-m", "shmcov", "run", "--source=.", *branch, *program]
    expected(traced, made_by(traced, tmp_path / "shmcov", command, status), bare)
    assert {3, 4, 5, 6, 7} <= set(traced.lines("child.py"))


@pytest.mark.slow
def test_coverage_makes_a_file_in_each_process(traced: Project, tmp_path: Path) -> None:
    """What is looked for is seen: coverage.py's files are."""
    program, status = PROGRAMS["processes"]
    traced.write(
        "rc", "[run]\npatch = subprocess\nconcurrency = multiprocessing\nparallel = true\n"
    )
    command = [sys.executable, "-m", "coverage", "run", "--rcfile=rc", *program]
    made = made_by(traced, tmp_path / "coverage", command, status)
    assert sum(n for name, n in made.items() if name.startswith("PROJECT/.coverage.")) > 5
