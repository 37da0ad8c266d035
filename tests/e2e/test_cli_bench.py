# SPDX-License-Identifier: Apache-2.0
"""`shmcov bench`: what tools cost on a command of the user's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from project_support import Project
from shmcov.commands.bench import tools

PROGRAM = """
    import os, subprocess, sys

    def test_work(n):
        return sum(i for i in range(n) if i % 3)

    if len(sys.argv) < 2:
        subprocess.run([sys.executable, __file__, "child"], check=True)
        pid = os.fork()
        test_work(1000)
        if not pid:
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(pid, 0)
        print("3 passed in 0.%d s" % (os.getpid() % 100))
    else:
        test_work(1000)
"""
"""Three processes; the last line differs from run to run in a time."""

LINES = [tool for tool in tools.TOOLS[1:] if not tool.lacking()]


def bench(project: Project, *args: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    return project.shmcov("bench", "--rounds=1", *args, timeout=300, **kwargs)


def rows(text: str) -> dict[tuple[str, str], list[str]]:
    """The rows of a table in Markdown, by tool and mode."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    return {(row[0], row[1]): row[2:] for row in cells[2:] if row}


def test_each_tool(project: Project) -> None:
    """Runs the program, and is named with figures; the user's own data stays as it is."""
    project.write("prog.py", PROGRAM)
    project.write(".coverage", "mine")
    names = ",".join(tool.name for tool in LINES)
    done = bench(project, f"--tools={names}", "--markdown=table.md", "prog.py")
    assert done.returncode == 0, done.stderr
    found = rows((project.folder / "table.md").read_text())
    assert set(found) == {("bare", ""), *((tool.name, "lines") for tool in LINES)}
    processes = {tool: int(row[3]) for (tool, _), row in found.items()}
    assert processes["bare"] == processes["ctrace"] == 3
    assert processes["shmcov"] > 3  # with the supervisor
    files = {tool: row[4] for (tool, _), row in found.items()}
    assert files["bare"] == files["null"] == ""
    assert files["shmcov"] == files["plugin"] == "1"
    assert int(files["ctrace"]) == 3  # what it measures is what shmcov does
    assert found["ctrace", "lines"][-1] and not found["shmcov", "lines"][-1]
    assert project.data_files() == [".coverage"]
    assert (project.folder / ".coverage").read_text() == "mine"


def test_modes(project: Project) -> None:
    """What is asked for comes to what is configured."""
    project.write("prog.py", "print('end')\n")
    project.write(".coveragerc", "[run]\nbranch = true\nomit = other/*\n")
    done = bench(project, "--tools=null,sysmon,slipcover", "--contexts", "prog.py")
    assert done.returncode == 0, done.stderr
    modes = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("  null")}
    assert modes == {"branches", "branches,"}
    assert "  null  lines" not in done.stdout
    if sys.version_info >= (3, 12):
        assert "sysmon: records no contexts" in done.stdout


@pytest.mark.parametrize(
    "words", [["-m", "mod", "x"], ["--", "-m", "mod", "x"], ["--", "python", "-m", "mod", "x"]]
)
def test_a_module(project: Project, words: list[str]) -> None:
    project.write(
        "mod.py", "import sys\nassert sys.argv[1:] == ['x']\nassert not sys.flags.optimize\n"
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = bench(project, "--tools=null", *words, env={"PATH": path})
    assert done.returncode == 0, done.stderr


def test_a_command_on_path(project: Project) -> None:
    script = project.write("bin/checks", f"#!{sys.executable}\nprint('all is well')\n")
    script.chmod(0o755)
    path = f"{project.folder / 'bin'}:{os.environ['PATH']}"
    done = bench(project, "--tools=null", "checks", env={"PATH": path})
    assert done.returncode == 0, done.stderr
    done = bench(project, "--tools=null", "ls", env={"PATH": path})
    assert done.returncode == 2 and "is no program in Python" in done.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "there is no program to measure"),
        (["--tools=nobody", "prog.py"], "there is no nobody; there are bare, null"),
        (["-m", "pytest", "--cov=src"], "the command measures itself"),
        (["--plot=x.doc", "prog.py"], "--plot takes a name that ends in"),
        (["--", "python", "-c", "pass"], "write it into a file"),
        (["no-such-command"], "there is no file and no command no-such-command"),
    ],
)
def test_wrong_usage(project: Project, args: list[str], says: str) -> None:
    if "plot" in str(args) and not find_spec("matplotlib"):
        pytest.skip("needs matplotlib")
    project.write("prog.py", "")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = bench(project, *args, env={"PATH": path})
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


# -- what is no figure --


def test_a_command_that_fails(project: Project) -> None:
    project.write("prog.py", "print('it is so'), exit(3)\n")
    done = bench(project, "--tools=null", "prog.py")
    assert done.returncode == 1
    assert "alone, without any tool, it ended with status 3:\n    it is so" in done.stderr
    assert done.stdout == ""


def test_a_command_that_fails_under_a_tool(project: Project) -> None:
    project.write(
        "prog.py",
        "import sys\ntraced = sys.gettrace() is not None\n"
        "print('traced' if traced else 'free')\nexit(7 if traced else 0)\n",
    )
    done = bench(project, "--tools=ctrace,shmcov", "prog.py")
    assert "No figure for ctrace, lines: it ended with status 7:\n    traced" in done.stdout
    assert "  ctrace" not in done.stdout
    assert done.returncode == 0 or sys.version_info < (3, 12)  # another tool was measured


def test_another_end_of_the_output(project: Project) -> None:
    project.write(
        "prog.py", "import sys\nprint(('5' if sys.gettrace() else '6') + ' passed in 1.5s')\n"
    )
    done = bench(project, "--tools=ctrace", "prog.py")
    assert "No figure for ctrace, lines: the end of its output is another one" in done.stdout
    assert done.returncode == 1


def test_a_command_that_measures_itself(project: Project) -> None:
    project.write(
        "prog.py", "import coverage\nc = coverage.Coverage()\nc.start()\nc.stop()\nc.save()\n"
    )
    done = bench(project, "--tools=null", "prog.py")
    assert done.returncode == 1 and "it measures itself" in done.stderr


def test_a_command_that_leaves_processes(project: Project) -> None:
    """A daemon that ends in time is waited for."""
    project.write(
        "prog.py",
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(0.3)'])\n",
    )
    done = bench(project, "--tools=null", "--markdown=table.md", "prog.py")
    assert done.returncode == 0, done.stderr
    assert rows((project.folder / "table.md").read_text())["bare", ""][3] == "2"


def test_interrupted(project: Project) -> None:
    """Ctrl-C reaches all of the terminal's processes; what there is until then is shown."""
    project.write("prog.py", "import time\ntime.sleep(0.1)\n")
    run = project.start("bench", "--tools=null", "--rounds=1000", "prog.py")
    assert run.stderr and run.stdout
    for line in run.stderr:
        if "round 3" in line:
            break
    os.killpg(run.pid, signal.SIGINT)
    out = run.communicate(timeout=30)[0]
    assert run.returncode == -signal.SIGINT
    assert "  null" in out and "Interrupted" in out
    assert "2 rounds" in out or "3 rounds" in out


# -- what it needs and what it writes --


def test_without_peers(project: Project) -> None:
    """Neither SlipCover nor what the extra has."""
    for name in ("slipcover", "pyperf", "matplotlib", "rich"):
        project.write(f"without/{name}.py", "raise ImportError(name=__name__)\n")
    project.write(
        "without/sitecustomize.py",
        "import importlib.util as u\nfind = u.find_spec\n"
        "gone = ('slipcover', 'pyperf')\n"
        "u.find_spec = lambda name, *more: None if name in gone else find(name, *more)\n",
    )
    project.write("prog.py", "print('end')\n")
    env = {"PYTHONPATH": str(project.folder / "without")}
    done = bench(project, "--tools=null,slipcover", "prog.py", env=env)
    assert done.returncode == 0, done.stderr
    assert "slipcover: slipcover is not installed" in done.stdout
    done = bench(project, "--json=x.json", "prog.py", env=env)
    assert done.returncode == 1
    assert done.stderr == ("shmcov: pyperf is not installed; pip install 'shmcov[bench]' has it\n")


def test_the_sitecustomize_of_the_user_is_run(project: Project) -> None:
    project.write("own/sitecustomize.py", "import builtins\nbuiltins.MINE = 1\n")
    project.write("prog.py", "import sys\nprint(MINE)\nassert 'inject' not in str(sys.path)\n")
    env = {"PYTHONPATH": str(project.folder / "own")}
    done = bench(project, "--tools=null", "prog.py", env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_that_it_writes(project: Project) -> None:
    pytest.importorskip("pyperf")
    pytest.importorskip("matplotlib")
    project.write("prog.py", "print('end')\n")
    done = bench(project, "--tools=null", "--json=one.json", "--plot=plot.svg", "prog.py")
    assert done.returncode == 0, done.stderr
    assert (project.folder / "plot.svg").read_text().startswith("<?xml")
    shown = project.python("-m", "pyperf", "show", "one.json")
    assert shown.returncode == 0 and "null, lines: wall time" in shown.stdout
    compared = project.python("-m", "pyperf", "compare_to", "one.json", "one.json")
    assert compared.returncode == 0, compared.stderr
    suite = json.loads((project.folder / "one.json").read_text())
    assert suite["metadata"]["command"] == "python prog.py"
