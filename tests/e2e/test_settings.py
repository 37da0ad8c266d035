# SPDX-License-Identifier: Apache-2.0
"""shmcov's own settings, from wherever they are set; and `strict`, which decides exit statuses."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest
import shmcov
from project_support import Project

LOSES = """
    import os, sys
    for n in range(5000):
        exec(compile("x = 1", f"{os.getcwd()}/generated_{n}.py", "exec"))
    print("ran")
"""
"""Loses something in the smallest segment that can be had."""

TOLD = "Not all of this run was recorded"


def config(
    project: Project, section: str, *, plugin: bool = False, name: str = ".coveragerc"
) -> None:
    toml = name.endswith("toml")
    run, own = ("tool.coverage.run", "tool.coverage.shmcov") if toml else ("run", "shmcov")
    lines = [f"[{run}]"]
    lines += ['omit = ["generated_*"]'] if toml and not plugin else []
    if plugin:
        lines.append('plugins = ["shmcov"]' if toml else "plugins = shmcov")
    (project.folder / name).write_text("\n".join([*lines, f"[{own}]", section, ""]))


# -- where they come from --


@pytest.mark.parametrize("name", [".coveragerc", "pyproject.toml"])
@pytest.mark.parametrize("plugin", [False, True])
def test_the_section_is_read(project: Project, name: str, plugin: bool) -> None:
    quoted = '"segments"' if name.endswith("toml") else "segments"
    config(project, f"dir = {quoted}", plugin=plugin, name=name)
    project.write("p.py", "import os\nprint(os.environ['SHMCOV_SEGMENT'])\n")
    folder = str(project.folder)
    runs = [project.shmcov("run", "p.py")]
    if plugin:
        runs.append(project.coverage("run", "p.py", env={"COVERAGE_CORE": ""}))
    for done in runs:
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{folder}/segments/run-")
    # environment over configuration, command line over environment
    done = project.shmcov("run", "p.py", env={"SHMCOV_DIR": "other"})
    assert done.stdout.startswith(f"{folder}/other/run-")
    done = project.shmcov("run", "--shm-dir=third", "p.py", env={"SHMCOV_DIR": "other"})
    assert done.stdout.startswith(f"{folder}/third/run-")


WRONG = {
    "wait = abc": "[shmcov] wait takes a number of seconds, not 'abc'",
    "size = much": "[shmcov] size takes a number of bytes such as 64M, not 'much'",
    "adopt = perhaps": "[shmcov] adopt takes true or false, not 'perhaps'",
    "strict = 2": "[shmcov] strict takes true or false, not '2'",
    "sizee = 1": "[shmcov] sizee is not an option of shmcov: did you mean size?",
    "colour = red": "[shmcov] colour is not an option of shmcov; there are wait, dir, size",
}


@pytest.mark.parametrize("section", WRONG)
def test_what_is_wrong_is_told_alike(project: Project, section: str) -> None:
    """By the run, by the plug-in, which leaves measuring to coverage.py, and by doctor."""
    project.write("p.py", "print('ran')\n")
    config(project, section)
    done = project.shmcov("run", "p.py")
    assert done.returncode == 1
    assert WRONG[section] in done.stderr
    assert done.stdout.count("ran") == 0
    done = project.shmcov("doctor")
    assert done.returncode == 1
    assert f"PROBLEM: {WRONG[section]}" in done.stdout
    config(project, section, plugin=True)
    done = project.coverage("run", "p.py", env={"COVERAGE_CORE": ""})
    assert f"shmcov doesn't measure: {WRONG[section]}" in done.stderr
    assert done.stdout.splitlines()[0] == "ran"
    assert done.returncode == (1 if "strict" in section else 0)


@pytest.mark.parametrize("value", ['"x"', "[1]"])
def test_a_section_that_is_none(project: Project, value: str) -> None:
    """Only TOML can say it."""
    run = 'run = {plugins = ["shmcov"]}'
    project.write("pyproject.toml", f"[tool.coverage]\nshmcov = {value}\n{run}\n")
    project.write("p.py", "print('ran')\n")
    wrong = f"[shmcov] takes a table of settings, not {value}".replace('"', "'")
    done = project.shmcov("run", "p.py")
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, wrong)
    done = project.coverage("run", "p.py", env={"COVERAGE_CORE": ""})
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert f"doesn't measure: {wrong}. coverage.py measures" in done.stderr
    done = project.shmcov("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert f"PROBLEM: {wrong}" in done.stdout


def test_a_date_does_not_cost_the_children(project: Project) -> None:
    section = "[tool.coverage.shmcov]\nwait = 2020-01-01\n"
    project.write("pyproject.toml", f"[tool.coverage.run]\nplugins = ['shmcov']\n{section}")
    project.write("p.py", "import subprocess, sys\nsubprocess.run([sys.executable, 'q.py'])\n")
    project.write("q.py", "x = 1\n")
    done = project.coverage("run", "p.py")
    assert done.returncode == 0
    assert "not '2020-01-01'. coverage.py measures" in done.stderr
    assert project.lines("q.py") == [1]


def test_what_is_wrong_with_a_variable(project: Project) -> None:
    project.write("p.py", "")
    for run in (project.shmcov("run", "p.py", env={"SHMCOV_NO_ADOPT": "x"}),):
        assert run.returncode == 1
        assert "SHMCOV_NO_ADOPT takes true or false, not 'x'" in run.stderr
    done = project.shmcov("doctor", env={"SHMCOV_WAIT": "x"})
    assert done.returncode == 1
    assert "PROBLEM: SHMCOV_WAIT takes a number of seconds" in done.stdout


def test_each_setting_is_documented() -> None:
    """In docs/supervisor.md, with its option, its variable and its key, and nothing else is."""
    from shmcov.settings import OPTIONS

    page = Path(__file__).resolve().parents[2] / "docs" / "supervisor.md"
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `--shm-")]
    expected = []
    for option in OPTIONS:
        flag = f"{option.flag} {option.metavar}" if option.metavar else option.flag
        key = option.name if option.metavar else f"{option.name} = {str(not option.off).lower()}"
        expected.append(f"| `{flag}` | `{option.variable}` | `{key}` | ")
    assert [row[: len(start)] for row, start in zip(rows, expected, strict=True)] == expected


ALONE = """
    import subprocess, sys
    subprocess.run([sys.executable, "child.py"], env={}, check=True)
"""


@pytest.mark.parametrize(
    ("section", "env", "args", "adopts"),
    [
        ("", {}, [], True),
        ("adopt = false", {}, [], False),
        ("adopt = false", {"SHMCOV_NO_ADOPT": "0"}, [], True),
        ("", {"SHMCOV_NO_ADOPT": "1"}, [], False),
        ("", {}, ["--shm-no-adopt"], False),
        ("adopt = true", {"SHMCOV_NO_ADOPT": "0"}, ["--shm-no-adopt"], False),
    ],
)
def test_a_choice(
    project: Project, section: str, env: dict[str, str], args: list[str], adopts: bool
) -> None:
    project.write("p.py", ALONE)
    project.write("child.py", "x = 1\n")
    config(project, section)
    assert project.shmcov("run", "--source=.", *args, "p.py", env=env).returncode == 0
    assert (project.lines("child.py") == [1]) is adopts


def test_the_plugin_has_the_choices_too(project: Project) -> None:
    project.write("p.py", ALONE)
    project.write("child.py", "x = 1\n")
    config(project, "adopt = false", plugin=True)
    done = project.coverage("run", "--source=.", "p.py", env={"COVERAGE_CORE": ""})
    assert (done.returncode, done.stderr) == (0, "")
    assert project.lines("child.py") == []


# -- strict --


@pytest.mark.parametrize("how", ["option", "variable", "section", "off", "none"])
def test_strict_run(project: Project, how: str) -> None:
    project.write("p.py", LOSES)
    config(project, "strict = true" if how in ("section", "off") else "")
    args = ["--shm-strict"] if how == "option" else []
    env = {"variable": {"SHMCOV_STRICT": "1"}, "off": {"SHMCOV_STRICT": "0"}}.get(how, {})
    done = project.shmcov("run", "--shm-size=1", *args, "p.py", env=env)
    assert TOLD in done.stderr
    assert done.stdout == "ran\n"
    assert done.returncode == (0 if how in ("off", "none") else 1)
    assert ("Strict is set" in done.stderr) is (done.returncode == 1)
    assert project.data_files() == [".coverage"]


def test_strict_where_nothing_is_lost(project: Project) -> None:
    project.write("p.py", "x = 1\n")
    done = project.shmcov("run", "--shm-strict", "p.py")
    assert (done.returncode, done.stderr) == (0, "")


def test_strict_where_nobody_attached(project: Project) -> None:
    project.write("p.py", "print('ran')\n")
    where = {"PYTHONPATH": str(Path(shmcov.__file__).parents[1])}
    for strict, status in (([], 0), (["--shm-strict"], 1)):
        done = project.python("-S", "-m", "shmcov", "run", *strict, "p.py", env=where)
        assert done.returncode == status
        assert done.stdout == "ran\n"
        assert "did not attach" in done.stderr


ENDS = {
    "pass": 1,
    "sys.exit()": 1,
    "sys.exit(0)": 1,
    "sys.exit(3)": 3,
    "sys.exit('no')": 1,
    "raise ValueError('own')": 1,
}


@pytest.mark.parametrize("end", ENDS)
def test_the_programs_own_failure_wins(project: Project, end: str) -> None:
    project.write("p.py", f"{LOSES}    {end}\n")
    config(project, "strict = true\nsize = 1", plugin=True)
    runs = project.shmcov("run", "p.py"), project.coverage("run", "p.py", env={"COVERAGE_CORE": ""})
    for done in runs:
        assert done.returncode == ENDS[end]
        assert TOLD in done.stderr
        assert ("ValueError: own" in done.stderr) is ("own" in end)
        assert project.data_files() == [".coverage"]


def test_the_plugin_in_strict_saves_first(project: Project) -> None:
    project.write("p.py", LOSES)
    config(project, "strict = true\nsize = 1", plugin=True)
    done = project.coverage("run", "p.py", env={"COVERAGE_CORE": ""})
    assert done.returncode == 1
    assert "(strict is set)" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    done = project.coverage("report", "--include=p.py")
    assert "p.py" in done.stdout


def test_a_plugin_that_steps_aside(project: Project) -> None:
    project.write("p.py", "print('ran')\n")
    config(project, "strict = true", plugin=True)
    wrong = {"COVERAGE_CORE": "", "SHMCOV_DIR": "/proc/nowhere"}
    done = project.coverage("run", "p.py", env=wrong)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "ran")
    assert "shmcov doesn't measure" in done.stderr
    assert project.lines("p.py") == [1]
    assert project.coverage("run", "p.py", env={**wrong, "SHMCOV_STRICT": "no"}).returncode == 0


PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--cov=."]

CASES = {
    # what the tests do, the settings, the exit status
    "loses": (LOSES, "strict = true\nsize = 1", 1),
    "loses, not strict": (LOSES, "size = 1", 0),
    "all is well": ("    pass\n", "strict = true", 0),
    "steps aside": ("    pass\n", "strict = true\ndir = /proc/nowhere", 1),
    "steps aside, not strict": ("    pass\n", "dir = /proc/nowhere", 0),
}


@pytest.mark.parametrize(("case", "workers"), [*itertools.product(CASES, ["0", "2"])])
def test_pytest_cov(project: Project, case: str, workers: str) -> None:
    pytest.importorskip("pytest_cov")
    body, section, status = CASES[case]
    project.write("test_it.py", "def test():\n" + body.replace("\n    ", "\n        ").lstrip("\n"))
    config(project, section, plugin=True)
    done = run_pytest(project, workers)
    assert done.returncode == status, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert ("(strict is set)" in done.stdout) is bool(status)
    assert "TOTAL" in done.stdout


def run_pytest(project: Project, workers: str) -> subprocess.CompletedProcess[str]:
    return project.python(*PYTEST, "-n", workers, "--cov-report=term", "test_it.py")
