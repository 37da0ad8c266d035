# SPDX-License-Identifier: Apache-2.0
"""`shmcov doctor`: says what is in force, and finds what keeps processes from being measured.

SETUPS are the rows of the table in docs/doctor.md, which this file compares with it; that what
doctor says is right is found out by a run.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from coverage.data import CoverageData
from project_support import Project, mount_namespace

ROOT = Path(__file__).resolve().parents[2]


def sheet(text: str) -> dict[str, str]:
    """The text under each name."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        name = line[:16].strip() or name
        found[name] = f"{found.get(name, '')}\n{line[16:]}".strip()
    return found


def findings(project: Project, *args: str, **kwargs: Any) -> list[dict[str, Any]]:
    done = project.shmcov("doctor", "--json", *args, **kwargs)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert told["status"] == done.returncode
    return list(told["findings"])


# -- set-ups --


@dataclass
class Case:
    """How to try a set-up, and what is true of it."""

    says: str
    """What doctor says, in plain output."""
    well: bool = True
    """Whether a run measures all processes with shmcov."""
    wanted: bool = False
    """It does not, as its user wants it."""
    plugin: bool = False
    """It is `coverage run` that measures."""
    pytest: bool = False
    """It is pytest-cov that measures."""
    python: list[str] = field(default_factory=lambda: [sys.executable])
    env: dict[str, str] = field(default_factory=dict)
    before: str = ""
    """Code that makes the set-up in a process, for what cannot be installed here."""

    def command(self, module: str, *args: str) -> list[str]:
        if not self.before:
            return [*self.python, "-m", module, *args]
        main = "coverage.cmdline" if module == "coverage" else "shmcov.cli"
        start = f"import sys, {main} as m; sys.argv[0] = {module!r}; sys.exit(m.main(sys.argv[1:]))"
        return [*self.python, "-c", f"{self.before}; {start}", *args]


SETUPS: dict[str, Callable[[Project], Case]] = {}
Make = Callable[[Project], Case]

once = pytest.mark.slow
"""Of a test that no version of Python changes: with one of them it runs, like all that is slow."""


EVERYWHERE: list[str] = []
"""Set-ups that are as Python's start is. The others are tried on one version."""


def setup(name: str, *, everywhere: bool = False) -> Callable[[Make], Make]:
    EVERYWHERE.extend([name] * everywhere)

    def keep(make: Make) -> Make:
        SETUPS[name] = make
        return make

    return keep


@setup("no configuration", everywhere=True)
def _(project: Project) -> Case:
    return Case("plug-in no: only `shmcov run` measures in a segment")


@setup("`plugins = shmcov`")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nplugins = shmcov\n")
    return Case("plug-in yes: `coverage run`, pytest --cov and the API record", plugin=True)


@setup("a configuration that cannot be read")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nbranch = maybe\n")
    return Case("configuration PROBLEM: Couldn't read config file", well=False)


@setup("a wrong value in `[shmcov]`")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nplugins = shmcov\n[shmcov]\nwait = abc\n")
    text = "settings PROBLEM: [shmcov] wait takes a number of seconds, not 'abc'"
    return Case(text, well=False, plugin=True)


@setup("an unknown key in `[shmcov]`")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nplugins = shmcov\n[shmcov]\nsizee = 1\n")
    text = "settings PROBLEM: [shmcov] sizee is not an option of shmcov: did you mean size?"
    return Case(text, well=False, plugin=True)


@setup("a wrong value in a variable, without the plug-in")
def _(project: Project) -> Case:
    text = "settings PROBLEM: SHMCOV_WAIT takes a number of seconds"
    return Case(text, well=False, env={"SHMCOV_WAIT": "long"})


@setup("an unknown variable")
def _(project: Project) -> Case:
    text = "shmcov knows no environment variable SHMCOV_STRCT: did you mean SHMCOV_STRICT?"
    return Case(f"settings note: {text}", env={"SHMCOV_STRCT": "1"})


@setup("a plug-in that is not installed")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nplugins = shmcov, no_such_plugin\n")
    text = "configuration PROBLEM: the plug-in no_such_plugin cannot be loaded: ModuleNotFoundError"
    return Case(text, well=False, plugin=True)


@setup("a plug-in that fails in `coverage_init`")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nplugins = fails, shmcov\n")
    project.write("fails.py", "def coverage_init(reg, options): raise ValueError('on purpose')\n")
    text = "configuration PROBLEM: the plug-in fails cannot be loaded: ValueError: on purpose"
    return Case(text, well=False, plugin=True)


SWITCHES = """
    import coverage
    class Plugin(coverage.CoveragePlugin):
        def dynamic_context(self, frame): return None
    def coverage_init(reg, options): reg.add_dynamic_context(Plugin())
"""


@setup("a plug-in for dynamic contexts")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nplugins = switches, shmcov\n")
    project.write("switches.py", SWITCHES)
    text = "contexts PROBLEM: plug-ins for dynamic contexts (switches.Plugin) are not supported"
    return Case(text, well=False, plugin=True)


@setup("a patch that coverage.py does not know")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nplugins = shmcov\npatch = threads\n")
    return Case("configuration PROBLEM: Unknown patch 'threads'", well=False, plugin=True)


def bare(project: Project, *, extensions: bool = True) -> tuple[Path, Path, list[str]]:
    """A virtual environment without anything in it: its site-packages, a folder beside it with
    shmcov and coverage.py, and its interpreter."""
    import _shmcov
    import coverage
    import shmcov

    here = project.folder.parent
    packages = here / "packages"
    packages.mkdir()
    compiled = Path(_shmcov.__file__).parent
    for place in {compiled, Path(shmcov.__file__).parents[1], Path(coverage.__file__).parents[1]}:
        for path in [*place.glob("*shmcov*"), *place.glob("*coverage*")]:
            if extensions or not path.name.startswith("_shmcov.c"):
                (packages / path.name).symlink_to(path)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", here / "v"], check=True)
    (site,) = here.glob("v/lib/python*/site-packages")
    return site, packages, [f"{here}/v/bin/python"]


@setup("on PYTHONPATH only, or installed with `pip install --target`", everywhere=True)
def _(project: Project) -> Case:
    _, packages, python = bare(project)
    text = (
        f"children PROBLEM: a child that was started did not attach: the start-up file {packages}"
    )
    return Case(text, well=False, python=python, env={"PYTHONPATH": str(packages)})


@setup("the same, with the line in site-packages that doctor names", everywhere=True)
def _(project: Project) -> Case:
    _, packages, python = bare(project)
    env = {**project.env, "PYTHONPATH": str(packages)}
    told = subprocess.run(
        [*python, "-m", "shmcov", "doctor"], env=env, capture_output=True, text=True
    )
    found = re.search(r"write into (\S+) the line: (import site; [^\n]*\))", told.stdout)
    assert found
    Path(found[1]).write_text(f"{found[2]}\n")
    return Case(f"start-up file {packages}", python=python)


@setup("an editable install")
def _(project: Project) -> Case:
    site, packages, python = bare(project)
    for path in packages.glob("*"):
        if path.name.startswith("_shmcov") or "coverage" in path.name:
            path.rename(site / path.name)  # only the Python files stay where they are
    (site / "_editable_shmcov.pth").write_text(f"{packages}\n")
    return Case(f"start-up file {site}", python=python)


@setup("without the compiled part")
def _(project: Project) -> Case:
    site, packages, python = bare(project, extensions=False)
    (site / "packages.pth").write_text(f"{packages}\n")
    text = "compiled part PROBLEM: of shmcov cannot be loaded, so coverage.py's own core measures"
    project.write(".coveragerc", "[run]\nplugins = shmcov\n")
    return Case(text, well=False, plugin=True, python=python)


@setup("`python -S`", everywhere=True)
def _(project: Project) -> Case:
    import shmcov

    env = {"PYTHONPATH": str(Path(shmcov.__file__).parents[1])}
    text = "children PROBLEM: a child that was started did not attach: -S keeps it from reading"
    return Case(text, well=False, python=[sys.executable, "-S"], env=env)


@setup("`python -I`")
def _(project: Project) -> Case:
    return Case("children attach (two interpreters", python=[sys.executable, "-I"])


@setup("COVERAGE_PROCESS_START and a sitecustomize")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nplugins = shmcov\nparallel = True\n")
    project.write("sitecustomize.py", "import coverage\ncoverage.process_startup()\n")
    env = {"PYTHONPATH": str(project.folder), "COVERAGE_PROCESS_START": ".coveragerc"}
    text = f"a start-up file that starts coverage.py ({project.folder}/sitecustomize.py:2)"
    return Case(text, plugin=True, env=env)


@setup("coverage_enable_subprocess")
def _(project: Project) -> Case:
    site, packages, python = bare(project)
    for path in packages.glob("*"):
        path.rename(site / path.name)
    line = "import sys; exec('import coverage\\n# always\\ncoverage.process_startup()')\n"
    (site / "coverage_enable_subprocess.pth").write_text(line)
    text = f"a start-up file that starts coverage.py ({site}/coverage_enable_subprocess.pth:1)"
    return Case(text, python=python, env={"COVERAGE_PROCESS_START": ".coveragerc"})


@setup("`parallel`, `concurrency` and `coverage combine`")
def _(project: Project) -> Case:
    rc = "plugins = shmcov\nparallel = True\nconcurrency = multiprocessing"
    project.write(".coveragerc", f"[run]\n{rc}\n")
    project.write("tox.ini", "[testenv]\ncommands = coverage combine\n")
    text = (
        "stays [run] parallel = True, and `coverage combine` (.coveragerc:3) either way: it stays"
    )
    return Case(text, plugin=True)


@setup("the same under pytest-cov")
def _(project: Project) -> Case:
    pytest.importorskip("pytest_cov")
    project.write(".coveragerc", "[run]\nplugins = shmcov\nparallel = True\n[paths]\na = b\n")
    return Case("(.coveragerc:3) either way: it stays, for [paths]", pytest=True)


@setup("coverage.py before 7.10.3")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nplugins = shmcov\n")
    before = (
        "import coverage; from coverage.config import CoverageConfig as c; init = c.__init__;"
        "coverage.version_info = (7, 9, 2, 'final', 0); coverage.__version__ = '7.9.2';"
        "c.__init__ = lambda self: init(self)"
    )
    return Case(
        "coverage.py PROBLEM: coverage.py 7.9.2 is too old: shmcov needs 7.10.3 or newer",
        well=False,
        plugin=True,
        before=before,
    )


@setup("a coverage.py that is newer than shmcov knows")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nplugins = shmcov\n")
    before = (
        "import coverage.collector as c; pause = c.Collector.pause; del c.Collector.pause;"
        "c.Collector.__getattr__ = lambda self, name: pause.__get__(self)"
    )
    text = "coverage.py PROBLEM: the plug-in does not know this version"
    return Case(text, well=False, plugin=True, before=before)


@setup("no room in /dev/shm")
def _(project: Project) -> Case:
    small = 'mount -t tmpfs -o size=64k small /dev/shm; exec "$0" "$@"'
    python = [*mount_namespace(), "sh", "-c", small, sys.executable]
    return Case("segments are made in /tmp", python=python)


@setup("a folder for segments that cannot be made")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\nplugins = shmcov\n[shmcov]\ndir = /proc/nowhere\n")
    return Case("segments PROBLEM: cannot be made:", well=False, plugin=True)


@setup("SHMCOV_NO_ADOPT")
def _(project: Project) -> Case:
    text = "children note: attach, but not with an empty environment: adopt is off"
    return Case(text, well=False, wanted=True, env={"SHMCOV_NO_ADOPT": "1"})


@setup("SHMCOV_DIR")
def _(project: Project) -> Case:
    text = "children note: attach, but not with an empty environment: they do not look"
    return Case(text, well=False, wanted=True, env={"SHMCOV_DIR": "segments"})


@setup("inside a measured process")
def _(project: Project) -> Case:
    project.write(".coveragerc", "[run]\ndisable_warnings = no-data-collected\n")
    outer = ["-m", "shmcov", "run", "--data-file=outer"]
    return Case("this process is measured, in /", python=[sys.executable, *outer])


PROGRAM = """
    import subprocess, sys
    print("ran")
    subprocess.run([sys.executable, "named.py"], check=True)
    subprocess.run([sys.executable, "alone.py"], env={}, check=True)
"""


def measures(project: Project, case: Case) -> bool:
    """Does a run measure the program and both children, without coverage.py's own core?"""
    project.write("p.py", PROGRAM)
    for name in ("named.py", "alone.py"):
        project.write(name, "x = 1\n")
    project.write("test_p.py", "def test(): import p\n")
    if case.pytest:
        command = case.command("pytest", "-q", "--cov=.", "-n2", "test_p.py")
    else:
        tool = "coverage" if case.plugin else "shmcov"
        command = case.command(tool, "run", "--source=.", "p.py")
    done = in_setup(project, case, command)
    data = {name for path in project.folder.glob(".coverage*") for name in measured(path)}
    own = "its own core" not in done.stderr
    return done.returncode == 0 and own and data >= {"p.py", "named.py", "alone.py"}


def measured(path: Path) -> Iterator[str]:
    if path.name != ".coveragerc":
        data = CoverageData(str(path))
        data.read()
        yield from (Path(name).name for name in data.measured_files() if data.lines(name))


def in_setup(project: Project, case: Case, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**project.env, **case.env},
        cwd=project.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def row(name: str, case: Case, project: Project) -> str:
    """A row of the table in docs/doctor.md."""
    said = re.sub(rf"{project.folder.parent}\S*/", "…/", case.says).replace("|", "\\|")
    what = "not all, as was asked for" if case.wanted else "yes" if case.well else "no"
    return f"| {name} | {said} … | {0 if case.well or case.wanted else 1} | {what} |"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in EVERYWHERE else pytest.mark.slow, id=name)
        for name in SETUPS
    ],
)
def test_a_setup(project: Project, name: str) -> None:
    """What doctor says of it, and that this is so."""
    case = SETUPS[name](project)
    done = in_setup(project, case, case.command("shmcov", "doctor"))
    assert case.says in re.sub(r"\s+", " ", done.stdout), done.stdout + done.stderr
    assert done.stderr == ""
    assert done.returncode == (0 if case.well or case.wanted else 1), done.stdout
    assert row(name, case, project) in table()
    assert measures(project, case) is case.well


def test_no_other_setup_is_in_the_table() -> None:
    assert [line.split(" | ")[0].removeprefix("| ") for line in table()] == [*SETUPS]


def table() -> list[str]:
    text = (ROOT / "docs" / "doctor.md").read_text()
    return [line for line in text.splitlines() if re.fullmatch(r"\| .* \| [01] \| .* \|", line)]


# -- one by one --


def test_all_is_well(project: Project) -> None:
    done = project.shmcov("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    found = sheet(done.stdout)
    assert found["interpreter"].splitlines()[0] == sys.executable
    assert found["children"].startswith("attach (")
    assert found["this process"] == "is not measured"
    assert found["configuration"].startswith("none")
    assert found["plug-in"].startswith("no:")
    assert found["not needed"] == "nothing of what is configured"
    assert "PROBLEM" not in done.stdout


RECIPE = """
    # the recipe
    [coverage:run]
    concurrency = multiprocessing, thread
    parallel = True
    patch = subprocess, _exit
    sigterm = True
    timid = True
    core = ctrace
    source = .
"""


@once
def test_what_is_not_needed(project: Project) -> None:
    """Each with its place, and what to do for each way in."""
    project.write("setup.cfg", RECIPE)
    env = {"COVERAGE_PROCESS_START": "setup.cfg", "COVERAGE_FILE": "/tmp/.coverage"}
    done = project.shmcov("doctor", env=env)
    assert done.returncode == 0
    found = sheet(done.stdout)
    assert found["configuration"].endswith("setup.cfg")
    assert "`coverage run` and pytest --cov do need what follows" in found["plug-in"]
    for line, text in enumerate(("concurrency = multiprocessing", "parallel = True", "patch =")):
        assert f"[run] {text}" in found["not needed"]
        assert f"(setup.cfg:{line + 3})" in found["not needed"]
    for text in ("timid", "core = ctrace"):
        assert f"[run] {text}" in found["not needed"]
    for text in ("sigterm = True", "patch = _exit"):
        assert f"[run] {text}" in found["stays"]
        assert f"[run] {text}" not in found["not needed"]
    kinds = ("not-needed", "stays")
    told = {one["text"]: one for one in findings(project, env=env) if one["kind"] in kinds}
    for way in ("run", "plugin"):
        assert "stays" in told["[run] sigterm = True"][way]
    exits = told["[run] patch = _exit"]
    assert exits["run"] != exits["plugin"]
    assert "stays" in exits["plugin"]
    assert told["[run] core = ctrace"]["changes"] == {"core": None}
    for name, value in env.items():
        assert f"the environment variable {name} ({value})" in told


@once
def test_green_threads(project: Project) -> None:
    """With the plug-in coverage.py looks for their module; under `shmcov run` nobody does."""
    rc = "[run]\nconcurrency = multiprocessing, gevent\n"
    path = project.write(".coveragerc", rc)
    path.write_text(rc)
    done = project.shmcov("doctor")
    assert done.returncode == 0
    assert "[run] concurrency = gevent" in sheet(done.stdout)["stays"]
    assert "+concurrency = gevent\n" in done.stdout
    path.write_text(f"{rc}plugins = shmcov\n")
    done = project.shmcov("doctor")
    project.write("p.py", "x = 1\n")
    run = project.coverage("run", "p.py", env={"COVERAGE_CORE": ""})
    assert done.returncode == run.returncode
    assert ("refuses [run] concurrency = gevent" in done.stdout) is bool(run.returncode)


@once
def test_a_data_file_alone_is_no_recipe(project: Project) -> None:
    done = project.shmcov("doctor", env={"COVERAGE_FILE": "/tmp/.coverage"})
    assert sheet(done.stdout)["not needed"].startswith("nothing")


@once
@pytest.mark.parametrize("rc", ["concurrency = multiprocessing", "patch = subprocess"])
def test_parallel_that_is_implied(project: Project, rc: str) -> None:
    """It goes with what implies it, unless files of several runs are combined."""
    project.write(".coveragerc", f"[run]\nplugins = shmcov\n{rc}\n")
    done = project.shmcov("doctor")
    assert f"parallel = True, which {rc} implies, and `coverage combine`" in done.stdout
    assert "do need what follows" not in done.stdout
    assert "+parallel" not in done.stdout
    for name, line in (
        ("Makefile", "\tcoverage combine"),
        (".github/workflows/test.yml", "      - run: python -m coverage combine"),
        ("noxfile.py", '    s.run("coverage", "combine", "shards")'),
    ):
        path = project.write(name, f"# coverage combine\n{line}\n")
        done = project.shmcov("doctor")
        assert f"it stays, for {name}:2" in done.stdout
        assert f"`coverage combine`  ({name}:2)" in done.stdout
        assert f"-{rc}\n" in done.stdout
        assert "+parallel = true\n" in done.stdout
        path.unlink()


@once
def test_parallel_stays_for_shards(project: Project) -> None:
    for text in ("[paths]\nsource =\n  src\n", ""):
        project.write(".coveragerc", f"[run]\nplugins = shmcov\nparallel = True\n{text}")
        done = project.shmcov("doctor", "--fix", "--yes")
        assert done.returncode == 0
        assert ("parallel" in (project.folder / ".coveragerc").read_text()) is bool(text)


@once
def test_command_lines_are_named(project: Project) -> None:
    start = "COVERAGE_PROCESS_START={toxinidir}/.coveragerc"
    project.write("tox.ini", f"[testenv]\nsetenv =\n  {start}\n")
    for name, *lines in (
        ("ci.sh", "coverage run --branch -p x.py", "coverage run x.py -p 80", "coverage report"),
        ("noxfile.py", 's.run("coverage", "run", "--concurrency=multiprocessing", "x.py")'),
        ("justfile", "coverage run --concurrency gevent x.py"),
        ("Makefile", "\t# coverage run -p x.py", "\tcoverage run -m pytest -p no:cacheprovider"),
    ):
        project.write(name, "\n".join(lines))
    told = {(one["file"], one["line"]) for one in findings(project) if one["file"]}
    assert told == {("tox.ini", 3), ("ci.sh", 1), ("noxfile.py", 1)}


def test_children_that_cannot_be_started(project: Project) -> None:
    project.write("elsewhere", "#!/bin/sh\necho no such interpreter >&2\nexit 3\n").chmod(0o755)
    done = project.python(
        "-c",
        "import sys; from shmcov import cli; sys.executable = './elsewhere';"
        "sys.exit(cli.main(['doctor']))",
    )
    assert done.returncode == 1
    found = sheet(done.stdout)["children"]
    assert found == "PROBLEM: could not be started: no such interpreter"


def test_children_that_do_not_attach(project: Project) -> None:
    project.write("elsewhere", "#!/bin/sh\nexit 0\n").chmod(0o755)
    done = project.python(
        "-c",
        "import sys; from shmcov import cli; sys.executable = './elsewhere';"
        "sys.exit(cli.main(['doctor']))",
    )
    assert done.returncode == 1
    assert "did not attach" in sheet(done.stdout)["children"]


# -- what keeps it from being so --


@once
def test_a_plugin_that_is_not_there(project: Project) -> None:
    project.write(".coveragerc", "[run]\nplugins = shmcov, no_such_plugin\n")
    done = project.shmcov("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    found = sheet(done.stdout)
    assert "ModuleNotFoundError: No module named 'no_such_plugin'" in found["configuration"]
    assert found["plug-in"].startswith("yes")  # the rest is shown all the same


REFUSED = {
    "plugins = plug": "ValueError: on purpose",
    "plugins = ends": "SystemExit: 3",
    "omit = ***x": "File pattern can't include",
    "concurrency = green": "Unknown concurrency choices: green",
    "data_file": "Couldn't read config file",
    "nonsense": "",
}


@once
@pytest.mark.parametrize("line", REFUSED)
def test_what_coverage_refuses_is_a_problem(project: Project, line: str) -> None:
    project.write("plug.py", "def coverage_init(reg, options): raise ValueError('on purpose')\n")
    project.write("ends.py", "import sys\nsys.exit(3)\n")
    project.write("p.py", "x = 1\n")
    project.write(".coveragerc", f"[run]\n{line}\n")
    env = {"PYTHONPATH": str(project.folder)}
    theirs = project.coverage("run", "p.py", env=env)
    done = project.shmcov("doctor", env=env)
    assert done.stderr == ""
    assert done.returncode == (1 if theirs.returncode else 0)
    if theirs.returncode:
        found = sheet(done.stdout)
        assert found["configuration"].startswith("PROBLEM: ")
        assert REFUSED[line] in found["configuration"]
        assert found["children"].startswith("attach")  # the rest is shown all the same


def test_run_says_the_same_of_a_start_up_file_that_is_not_read(project: Project) -> None:
    """It is on sys.path, but in no folder of site-packages."""
    case = SETUPS["on PYTHONPATH only, or installed with `pip install --target`"](project)
    project.write("p.py", "print(1)\n")
    run = in_setup(project, case, case.command("shmcov", "run", "p.py"))
    assert (run.returncode, run.stdout) == (0, "1\n")
    assert case.says.rpartition("did not attach: ")[2] in run.stderr
    assert "import site; site.addsitedir(" in run.stderr


@pytest.mark.parametrize(
    ("name", "section", "read"),
    [
        (".coveragerc", "shmcov", True),
        (".coveragerc", "coverage:shmcov", True),
        ("setup.cfg", "coverage:shmcov", True),
        ("setup.cfg", "shmcov", False),
        ("pyproject.toml", "tool.coverage.shmcov", True),
        ("pyproject.toml", "tool.shmcov", False),
        (".coveragerc.toml", "shmcov", True),
    ],
)
def test_a_section_that_is_not_read(project: Project, name: str, section: str, read: bool) -> None:
    run = {"setup.cfg": "coverage:run", "pyproject.toml": "tool.coverage.run"}.get(name, "run")
    project.write(name, f"[{run}]\nbranch = true\n[{section}]\nwait = 5\n")
    done = project.shmcov("doctor")
    assert ("wait = 5.0" in done.stdout) is read
    assert (f"has a section [{section}], which is not read" in done.stdout) is not read


def test_a_plugin_beside_the_program(project: Project) -> None:
    """It is found there whether doctor is started as a script or as a module."""
    project.write("mine.py", "def coverage_init(reg, options): pass\n")
    project.write(".coveragerc", "[run]\nplugins = mine\n")
    script = [str(Path(sys.executable).with_name("shmcov")), "doctor"]
    for command in (script, [sys.executable, "-m", "shmcov", "doctor"]):
        done = in_setup(project, Case(""), command)
        assert done.returncode == 0, done.stdout


@once
def test_run_says_the_same_of_an_old_coverage(project: Project) -> None:
    case = SETUPS["coverage.py before 7.10.3"](project)
    project.write("p.py", "print(1)\n")
    run = in_setup(project, case, case.command("shmcov", "run", "p.py"))
    assert run.returncode == 1
    assert case.says.removeprefix("coverage.py PROBLEM: ") in run.stdout + run.stderr
    assert "Traceback" not in run.stderr


@once
def test_a_segment_that_is_gone(project: Project) -> None:
    done = project.shmcov("doctor", env={"SHMCOV_SEGMENT": "/dev/shm/gone"})
    assert done.returncode == 0
    assert "SHMCOV_SEGMENT names a segment that is of no use: /dev/shm/gone" in done.stdout


def test_all_variables_are_known() -> None:
    """Those that the code reads."""
    from shmcov import settings

    known = settings.variables()
    names = re.compile(r"\"(SHMCOV_[A-Z_]+)\"")
    for path in [*ROOT.glob("runtime/**/*.py"), *ROOT.glob("[rs]*/**/*.c")]:
        assert {*names.findall(path.read_text())} <= known, path
    assert len(known) > 10


# -- JSON --


@once
def test_json_has_the_fields_that_are_documented(project: Project) -> None:
    project.write(".coveragerc", RECIPE.replace("coverage:run", "run"))
    done = project.shmcov("doctor", "--json")
    told = json.loads(done.stdout)
    text = (ROOT / "docs" / "doctor.md").read_text().partition("## JSON")[2].partition("\n## ")[0]
    fields = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    one = told["findings"][0]
    assert fields == [*told, *one]
    assert {type(one["line"]) for one in told["findings"]} == {int}
    kinds = {one["kind"] for one in told["findings"]}
    assert kinds == {"fact", "note", "not-needed", "stays"}
    assert told["diff"].startswith("--- .coveragerc\n+++ .coveragerc\n@@ ")


# -- --fix --


def fixed(project: Project) -> str:
    return (project.folder / ".coveragerc").read_text()


@once
def test_a_fix_and_what_it_leaves(project: Project) -> None:
    path = project.write(".coveragerc", RECIPE.replace("coverage:run", "run"))
    before = path.read_text()
    path.chmod(0o640)
    project.write(".coveragerc.orig", "mine\n")
    done = project.shmcov("doctor", "--fix", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    after = "# the recipe\n[run]\nplugins = shmcov\npatch = _exit\nsigterm = True\nsource = .\n"
    assert fixed(project) == after
    assert path.stat().st_mode & 0o777 == 0o640
    assert (project.folder / ".coveragerc.orig").read_text() == "mine\n"
    assert (project.folder / ".coveragerc.orig1").read_text() == before
    assert len([*project.folder.iterdir()]) == 3
    again = project.shmcov("doctor", "--fix", "--yes")
    assert (again.returncode, fixed(project)) == (0, after)
    assert "There is nothing to change." in again.stdout
    # One run, one data file, and all that ran is in it.
    project.write("p.py", PROGRAM)
    for name in ("named.py", "alone.py"):
        project.write(name, "x = 1\n")
    run = project.coverage("run", "p.py", env={"COVERAGE_CORE": ""})
    assert (run.returncode, run.stderr) == (0, "")
    assert {*measured(project.folder / ".coverage")} == {"p.py", "named.py", "alone.py"}


@once
def test_the_diff_is_one(project: Project) -> None:
    git = shutil.which("git")
    if not git:
        pytest.skip("no git")
    for name, before, after in (
        (
            "pyproject.toml",
            '[tool.coverage.run]\nparallel = true\npatch = ["fork"]',
            '[tool.coverage.run]\nplugins = ["shmcov"]',
        ),
        (".coveragerc", "", "[run]\nplugins = shmcov\n"),
    ):
        path = project.write(name, before)
        diff = json.loads(project.shmcov("doctor", "--json").stdout)["diff"]
        apply = [git, "apply", "-p0", "-"]
        subprocess.run(apply, cwd=project.folder, input=diff, text=True, check=True)
        assert path.read_text() == after


@once
def test_nobody_to_ask(project: Project) -> None:
    project.write(".coveragerc", "[run]\nparallel = True\n")
    for extra in ([], ["--json"]):
        done = project.shmcov("doctor", "--fix", *extra, stdin=subprocess.DEVNULL)
        assert done.returncode == 1
        assert "--fix changed nothing, as there is nobody to ask" in done.stderr
        assert fixed(project) == "[run]\nparallel = True\n"
    assert project.shmcov("doctor", "--yes").returncode == 2


@once
@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_it_asks(project: Project, answer: str) -> None:
    project.write(".coveragerc", "[run]\nbranch = True\n")
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = project.shmcov("doctor", "--fix", stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0
    assert done.stdout.index("+plugins = shmcov") < done.stdout.index("Write .coveragerc? [y/N]")
    assert ("plugins" in fixed(project)) is (answer == "y")


@once
def test_a_fix_that_cannot_be_made(project: Project) -> None:
    project.write("pyproject.toml", "[tool.coverage]\nrun = {parallel = true}\n")
    done = project.shmcov("doctor", "--fix", "--yes")
    assert done.returncode == 1
    assert "has to be changed by hand" in done.stdout
    assert "plugins = shmcov; take out parallel" in done.stdout


@once
def test_a_folder_in_the_place_of_the_configuration(project: Project) -> None:
    """coverage.py passes over it."""
    (project.folder / ".coveragerc").mkdir()
    done = project.shmcov("doctor", "--fix", "--yes")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count(".coveragerc cannot be read: [Errno 21]") == 2
    assert "None" not in done.stdout.replace("dir = None", "")


@once
def test_a_configuration_that_is_not_utf_8(project: Project) -> None:
    path = project.folder / "pyproject.toml"
    path.write_bytes("[tool.coverage.run]\nomit = ['é']\n".encode("latin1"))
    done = project.shmcov("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert f"PROBLEM: {path}: UnicodeDecodeError: " in done.stdout


@once
def test_no_change_where_there_is_a_problem(project: Project) -> None:
    """coverage.py's own core measures there, and needs what it has."""
    project.write("switches.py", SWITCHES)
    rc = project.write(".coveragerc", "[run]\nplugins = shmcov, switches\nparallel = True\n")
    before = rc.read_text()
    done = project.shmcov("doctor", "--fix", "--yes", env={"PYTHONPATH": str(project.folder)})
    assert done.returncode == 1
    assert "No change is offered" in done.stdout
    assert fixed(project) == before
