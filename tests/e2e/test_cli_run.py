# SPDX-License-Identifier: Apache-2.0
"""`shmcov run` takes what `coverage run` takes, and means the same by it."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import zipfile

import pytest
from project_support import Project, normalized
from shmcov.cli import COMMANDS

PROGRAM = """
    import sys

    def sign(n):
        if n < 0:
            return -1
        return 1

    for n in range(3):
        sign(n)
    print(sys.argv)
"""


@pytest.fixture
def prog(project: Project) -> Project:
    project.write("prog.py", PROGRAM)
    return project


@pytest.mark.parametrize("options", [[], ["--branch"]], ids=["lines", "branch"])
def test_reports_what_coverage_reports(prog: Project, options: list[str]) -> None:
    done = prog.shmcov("run", *options, "--data-file=ours", "prog.py", "a", "-b")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "['prog.py', 'a', '-b']\n"
    prog.coverage("run", *options, "--data-file=theirs", "prog.py", "a", "-b")
    assert prog.report("ours") == prog.report("theirs")
    assert prog.missing("prog.py", "ours") == [5]


# -- the program runs as Python runs it --

IDENTITY = """
    import json, os, sys
    main = sys.modules["__main__"]
    print(json.dumps([
        sys.argv, sys.path, __name__, __file__, __package__, str(__spec__ and __spec__.name),
        sorted(name for name in vars(main)), str(type(__loader__)),
        sorted(name for name in sys.modules if name.startswith(("coverage", "shmcov"))),
        list(sys.flags), sys.warnoptions, sorted(sys._xoptions.items()),
    ]))
"""


@pytest.mark.parametrize(
    "args",
    [["who.py", "x"], ["-m", "pkg.who", "x"], ["-m", "pkg"], ["pkg"], ["who.zip", "x"]],
    ids=lambda args: " ".join(args),
)
def test_the_program_is_as_python_runs_it(project: Project, args: list[str]) -> None:
    project.write("who.py", IDENTITY)
    project.write("pkg/__init__.py", "")
    project.write("pkg/who.py", IDENTITY)
    main = project.write("pkg/__main__.py", IDENTITY)
    with zipfile.ZipFile(project.folder / "who.zip", "w") as file:
        file.write(main, "__main__.py")
    done = project.shmcov("run", *args)
    assert done.stdout == project.python(*args).stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    "options",
    [
        ["-O"],
        ["-OO", "-B"],
        ["-W", "error", "-W", "ignore::UserWarning"],
        ["-X", "dev"],
        ["-X", "utf8=0", "-Xno_debug_ranges"],
        ["-P"],
        ["-E", "-s", "-u", "-b"],
        ["-I"],
        ["-q", "-Xint_max_str_digits=1000"],
    ],
    ids=" ".join,
)
def test_the_interpreters_options_are_passed_on(project: Project, options: list[str]) -> None:
    project.write("who.py", IDENTITY)
    done = project.python(*options, "-m", "shmcov", "run", "who.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == project.python(*options, "who.py").stdout


def test_options_glued_to_m_are_passed_on(project: Project) -> None:
    project.write("who.py", IDENTITY)
    done = project.python("-Om", "shmcov", "run", "who.py")
    assert done.stdout == project.python("-O", "who.py").stdout


def test_standard_streams_are_the_programs(project: Project) -> None:
    project.write("echo.py", "import sys\nsys.stdout.write(sys.stdin.read().upper())\n")
    done = project.shmcov("run", "echo.py", input="hello")
    assert (done.stdout, done.stderr) == ("HELLO", "")


def test_a_program_whose_name_begins_with_a_dash(project: Project) -> None:
    project.write("-dash.py", "print(1)\n")
    done = project.shmcov("run", "--", "-dash.py")
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert project.lines("-dash.py") == [1]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("import sys; sys.exit(255)", 255),
        ("raise SystemExit('words')", 1),
        ("1/0", 1),
        ("import os; os._exit(7)", 7),
        ("def", 1),
    ],
)
def test_the_exit_status_is_the_programs(project: Project, text: str, status: int) -> None:
    project.write("prog.py", text)
    done = project.shmcov("run", "prog.py")
    assert done.returncode == status
    bare = project.python("prog.py")
    assert done.stdout == bare.stdout
    assert bare.stderr in done.stderr


# -- options and configuration --


@pytest.mark.parametrize(
    "options",
    [
        ["--timid"],
        ["--concurrency=thread"],
        ["--concurrency=multiprocessing,thread"],
        ["-L"],
        ["--pylib", "--include=prog.py"],
        ["--save-signal=USR1"],
        ["--context=nightly"],
        ["--omit=nothing"],
        ["--source=."],
        ["--rcfile=prog.rc"],
        ["--shm-wait=0", "--shm-no-adopt", "--shm-size=8M"],
    ],
    ids=" ".join,
)
def test_options_of_coverage_are_accepted(prog: Project, options: list[str]) -> None:
    prog.write("prog.rc", "[run]\n")
    done = prog.shmcov("run", *options, "prog.py")
    assert (done.returncode, done.stderr) == (0, "")
    if any("multiprocessing" in option for option in options):
        prog.coverage("combine")
    assert prog.missing("prog.py") == [5]


def test_debug_writes_what_coverage_writes(prog: Project) -> None:
    done = prog.shmcov("run", "--debug=config", "prog.py")
    assert done.returncode == 0
    assert "-- config ---" in done.stderr


def test_settings_that_others_need_are_accepted(prog: Project) -> None:
    prog.write(
        ".coveragerc",
        """
        [run]
        patch = subprocess, _exit, execv, fork
        concurrency = multiprocessing
        sigterm = true
        core = sysmon
        """,
    )
    done = prog.shmcov("run", "prog.py")
    assert (done.returncode, done.stderr) == (0, "")


def test_command_line_from_the_configuration(prog: Project) -> None:
    prog.write(".coveragerc", "[run]\ncommand_line = -m prog 'a b'\n")
    done = prog.shmcov("run")
    assert "'a b'" in done.stdout
    assert prog.missing("prog.py") == [5]


def test_context_is_recorded(prog: Project) -> None:
    prog.write(".coveragerc", "[run]\ncontext = configured\n")
    prog.shmcov("run", "prog.py")
    assert prog.report()["prog.py"]["contexts"]["1"] == ["configured"]
    prog.shmcov("run", "--context=given", "prog.py")
    assert prog.report()["prog.py"]["contexts"]["1"] == ["given"]


def test_what_names_the_data_file(prog: Project) -> None:
    """Default, then file, then environment, then command line."""
    prog.shmcov("run", "prog.py")
    assert prog.data_files() == [".coverage"]
    prog.write("rc", "[run]\ndata_file = .coverage_rc\n")
    env = {"COVERAGE_RCFILE": str(prog.folder / "rc")}
    prog.shmcov("run", "prog.py", env=env)
    assert prog.data_files() == [".coverage", ".coverage_rc"]
    env["COVERAGE_FILE"] = ".coverage_env"
    prog.shmcov("run", "prog.py", env=env)
    assert prog.data_files() == [".coverage", ".coverage_env", ".coverage_rc"]
    prog.shmcov("run", "--data-file=sub/.coverage_cli", "prog.py", env=env)
    assert prog.missing("prog.py", "sub/.coverage_cli") == [5]


def test_append(prog: Project) -> None:
    prog.write("other.py", "import prog\nprog.sign(-1)\n")
    prog.shmcov("run", "prog.py")
    prog.shmcov("run", "-a", "other.py")
    assert prog.missing("prog.py") == []
    prog.shmcov("run", "other.py")
    assert list(prog.report()) == ["other.py", "prog.py"]
    prog.shmcov("run", "prog.py")
    assert list(prog.report()) == ["prog.py"]


def test_parallel_has_a_name_that_combine_finds(prog: Project) -> None:
    prog.shmcov("run", "-p", "prog.py")
    prog.shmcov("run", "-p", "--context=x", "prog.py")
    names = prog.data_files()
    assert len(names) == 2
    assert all(re.fullmatch(r"\.coverage\.[^.]+\.pid\d+\.X\w+x?", name) for name in names)
    assert prog.shmcov("combine").returncode == 0
    assert prog.data_files() == [".coverage"]
    assert prog.missing("prog.py") == [5]


@pytest.mark.parametrize(
    "rc",
    [
        "parallel = true",
        "concurrency = multiprocessing",
        "patch = subprocess",
    ],
)
def test_what_implies_parallel(prog: Project, rc: str) -> None:
    prog.write(".coveragerc", f"[run]\n{rc}\n")
    prog.shmcov("run", "prog.py")
    assert [name.count(".") >= 3 for name in prog.data_files()] == [True]


def test_files_that_never_ran(project: Project) -> None:
    project.write("pkg/__init__.py", "")
    project.write("pkg/used.py", "x = 1\n")
    project.write("pkg/unused.py", "x = 1\n")
    project.write("prog.py", "import pkg.used\n")
    done = project.shmcov("run", "--source=pkg", "prog.py")
    assert done.stderr == ""
    report = project.report()
    assert sorted(report) == ["pkg/__init__.py", "pkg/unused.py", "pkg/used.py"]
    assert report["pkg/unused.py"]["missing_lines"] == [1]


def test_relative_files(project: Project) -> None:
    project.write("pkg/a.py", "x = 1\n")
    project.write("pkg/b.py", "x = 1\n")
    project.write("prog.py", "import pkg.a\n")
    project.write(".coveragerc", "[run]\nrelative_files = true\nsource = .\n")
    project.shmcov("run", "prog.py")
    with sqlite3.connect(project.folder / ".coverage") as db:
        paths = [path for (path,) in db.execute("select path from file order by path")]
    # pkg is no package, so the walk for files that never ran does not look into it.
    assert paths == ["pkg/a.py", "prog.py"]


def test_meta_is_as_coverage_writes_it(prog: Project) -> None:
    def meta(name: str) -> dict[str, str]:
        with sqlite3.connect(prog.folder / name) as db:
            return dict(db.execute("select key, value from meta"))

    prog.shmcov("run", "--data-file=.coverage_1", "prog.py")
    prog.coverage("run", "--data-file=.coverage_2", "prog.py")
    assert meta(".coverage_1") == meta(".coverage_2")
    prog.shmcov("run", "-p", "prog.py", "x")
    (name,) = [name for name in prog.data_files() if ".pid" in name]
    assert meta(name)["sys_argv"] == "['prog.py', 'x']"
    assert set(meta(name)) == {"version", "has_arcs", "sys_argv", "when"}


# -- warnings --


def test_warnings_are_coverages(prog: Project) -> None:
    args = ["run", "--source=nowhere_at_all", "prog.py"]
    pattern = re.compile(r"CoverageWarning: (.*)")
    theirs = pattern.findall(prog.coverage(*args).stderr)
    assert len(theirs) == 2
    assert pattern.findall(prog.shmcov(*args).stderr) == theirs


def test_disabled_warnings_are_not_told(prog: Project) -> None:
    prog.write(".coveragerc", "[run]\ndisable_warnings = module-not-imported, no-data-collected\n")
    assert prog.shmcov("run", "--source=nowhere_at_all", "prog.py").stderr == ""


def test_warnings_as_errors_cost_no_data(prog: Project) -> None:
    done = prog.python("-W", "error", "-m", "shmcov", "run", "--source=.,nowhere_at_all", "prog.py")
    assert done.returncode == 0
    assert "module-not-imported" in done.stderr
    assert prog.missing("prog.py") == [5]


@pytest.mark.parametrize(
    "options", [[], ["--append"], ["--append", "--source=nowhere_at_all"], ["-p"]], ids=" ".join
)
def test_no_data_does_to_the_old_file_what_coverage_does(prog: Project, options: list[str]) -> None:
    measured = []
    for tool in (prog.coverage, prog.shmcov):
        tool("run", "prog.py")
        done = tool("run", "--omit=*", *options, "prog.py")
        with sqlite3.connect(prog.folder / ".coverage") as db:
            files = list(db.execute("select path from file"))
        measured.append((files, "no-data-collected" in done.stderr, len(prog.data_files())))
        for name in prog.data_files():
            (prog.folder / name).unlink()
    assert measured[0] == measured[1]


def test_where_nobody_attached_the_old_file_stays(prog: Project) -> None:
    prog.shmcov("run", "prog.py")
    site_packages = next(path for path in sys.path if path.endswith("site-packages"))
    env = {"PYTHONPATH": site_packages}
    done = prog.python("-S", "-m", "shmcov", "run", "--source=.", "prog.py", env=env)
    assert "No data was collected" in done.stderr
    assert prog.missing("prog.py") == [5]


# -- errors are reported as coverage.py reports them --


@pytest.mark.parametrize(
    "args",
    [
        ["run", "nope.py"],
        ["run", "-m", "nope"],
        ["run", "folder"],
        ["run"],
        ["run", "-m"],
        ["run", "--no-such-option", "prog.py"],
        ["run", "--save-signal=KILL", "prog.py"],
        ["run", "--rcfile=nope.rc", "prog.py"],
        ["run", "--rcfile=broken.rc", "prog.py"],
        ["run", "--rcfile=wrong.rc", "prog.py"],
        ["run", "--concurrency=nope", "prog.py"],
        ["run", "-a", "-p", "prog.py"],
        ["run", "--include=***x", "prog.py"],
        ["no_such_command"],
        ["report", "--data-file=nope"],
    ],
    ids=" ".join,
)
def test_errors_are_coverages(prog: Project, args: list[str]) -> None:
    prog.write("broken.rc", "[run\nbranch = yes\n")
    prog.write("wrong.rc", "[run]\nbranch = maybe\n")
    (prog.folder / "folder").mkdir()
    ours, theirs = prog.shmcov(*args), prog.coverage(*args)
    assert ours.returncode == theirs.returncode == 1
    assert normalized(ours.stdout) == normalized(theirs.stdout)
    assert normalized(ours.stderr) == normalized(theirs.stderr)
    assert prog.data_files() == []


@pytest.mark.parametrize(
    "args",
    [["--shm-wait=soon"], ["--shm-wait=-1"], ["--shm-size=much"]],
    ids=" ".join,
)
def test_own_options_are_checked(prog: Project, args: list[str]) -> None:
    done = prog.shmcov("run", *args, "prog.py")
    assert done.returncode == 1
    assert args[0].partition("=")[0] in done.stderr
    assert done.stdout.count("\n") == 1  # where the documentation is


def refused(prog: Project, *args: str) -> str:
    """The message of a run that is refused."""
    done = prog.shmcov("run", *args, "prog.py")
    assert done.returncode == 1
    assert "['prog.py']" not in done.stdout
    assert len(done.stdout.splitlines()) == 1, done.stdout
    assert done.stderr == ""
    return done.stdout


def test_a_data_folder_that_cannot_be_written(prog: Project) -> None:
    message = refused(prog, "--data-file=/proc/nowhere/.coverage")
    assert "/proc/nowhere" in message


def test_a_data_file_that_is_a_folder(prog: Project) -> None:
    (prog.folder / ".coverage").mkdir()
    assert ".coverage" in refused(prog)


def test_appending_to_data_of_the_other_kind(prog: Project) -> None:
    prog.shmcov("run", "prog.py")
    before = (prog.folder / ".coverage").read_bytes()
    assert "branch" in refused(prog, "-a", "--branch")
    assert (prog.folder / ".coverage").read_bytes() == before


def test_appending_to_something_else(prog: Project) -> None:
    prog.write(".coverage", "This is no data file of coverage.py.\n" * 100)
    assert ".coverage" in refused(prog, "-a")
    assert prog.shmcov("run", "prog.py").returncode == 0
    assert prog.missing("prog.py") == [5]


def test_appending_to_another_schema(prog: Project) -> None:
    prog.shmcov("run", "prog.py")
    with sqlite3.connect(prog.folder / ".coverage") as db:
        db.execute("update coverage_schema set version = 99")
    assert "schema" in refused(prog, "-a")


def test_a_folder_for_the_segment_that_cannot_be_made(prog: Project) -> None:
    message = refused(prog, "--shm-dir=/proc/nowhere")
    assert "Couldn't start to measure" in message
    assert "/proc/nowhere" in message


def test_an_interpreter_without_the_start_up_file(prog: Project) -> None:
    """-S: site-packages, and with it the start-up file, is not there."""
    site_packages = next(path for path in sys.path if path.endswith("site-packages"))
    done = prog.python("-S", "-m", "shmcov", "run", "prog.py", env={"PYTHONPATH": site_packages})
    assert done.returncode == 0
    assert done.stdout == "['prog.py']\n"
    assert "-S" in done.stderr
    assert done.stderr.count("No data was collected") == 1


# -- coverage.py beside it --


def test_start_up_of_coverage_measures_nothing_twice(prog: Project) -> None:
    prog.write("rc", "[run]\nparallel = true\n")
    prog.write(
        "outer.py",
        """
        import subprocess, sys
        subprocess.run([sys.executable, "prog.py"], check=True)
        print("coverage" in sys.modules)
        """,
    )
    env = {"COVERAGE_PROCESS_START": str(prog.folder / "rc")}
    done = prog.shmcov("run", "--rcfile=rc", "outer.py", env=env)
    assert done.stdout == "['prog.py']\nFalse\n"
    assert len(prog.data_files()) == 1


def test_the_variables_and_steps_of_a_parallel_recipe(prog: Project) -> None:
    """COVERAGE_FILE and COVERAGE_PROCESS_START exported, `combine DIR`, reports."""
    prog.write(
        "src/.coveragerc",
        """
        [run]
        parallel = true
        concurrency = multiprocessing
        source = src
        """,
    )
    prog.write("src/used.py", "def f():\n    return 1\n")
    prog.write("src/unused.py", "x = 1\n")
    prog.write(
        "src/main.py",
        """
        import multiprocessing, used
        if __name__ == "__main__":
            process = multiprocessing.get_context("spawn").Process(target=used.f)
            process.start()
            process.join()
        """,
    )
    folder = prog.folder / "out"
    folder.mkdir()
    env = {
        "COVERAGE_FILE": str(folder / ".coverage"),
        "COVERAGE_PROCESS_START": str(prog.folder / "src/.coveragerc"),
    }
    rcfile = "--rcfile=src/.coveragerc"
    done = prog.shmcov("run", rcfile, "--source=src", "src/main.py", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(list(folder.iterdir())) == 1
    assert prog.shmcov("combine", rcfile, folder, env=env).returncode == 0
    assert [path.name for path in folder.iterdir()] == [".coverage"]
    assert prog.shmcov("report", rcfile, "-m", env=env).returncode == 0
    xml = folder / "coverage.xml"
    assert prog.shmcov("xml", rcfile, "-o", xml, env=env).returncode == 0
    assert prog.missing("src/used.py", folder / ".coverage") == []
    assert prog.missing("src/unused.py", folder / ".coverage") == [1]
    assert prog.data_files() == []


def test_reports_are_handed_over(prog: Project) -> None:
    prog.shmcov("run", "prog.py")
    assert prog.shmcov("report", "-m").stdout == prog.coverage("report", "-m").stdout
    assert prog.shmcov("json").returncode == 0
    assert json.loads((prog.folder / "coverage.json").read_text())["totals"]["missing_lines"] == 1
    for command in ("html", "xml", "lcov", "annotate"):
        assert prog.shmcov(command).returncode == 0
    assert prog.shmcov("report", "--fail-under=100").returncode == 2
    assert prog.shmcov("erase").returncode == 0
    assert prog.data_files() == []


def test_help(project: Project) -> None:
    for args in ([], ["help"], ["--help"]):
        assert "salvage" in project.shmcov(*args).stdout
    for args in (["help", "run"], ["run", "--help"]):
        text = project.shmcov(*args).stdout
        assert "--shm-wait" in text
        assert "--parallel-mode" in text
    overview = project.shmcov("help").stdout
    theirs = re.findall(r"^    (\w+ +\S.*)$", project.coverage("help").stdout, re.MULTILINE)
    assert len(theirs) > 10
    for line in theirs:
        if not line.startswith("help "):
            assert f"\n    {line}\n" in overview
    for command in COMMANDS:
        assert f"usage: shmcov {command}" in project.shmcov("help", command).stdout
        assert f"\n    {command} " in overview
    assert "shmcov, version" in project.shmcov("--version").stdout
    both = project.shmcov("help", "doctor", "report").stdout
    assert "usage: shmcov doctor" in both and "report [options] [modules]" in both


def test_a_new_command_of_coverage_is_in_the_overview(project: Project) -> None:
    code = """
        from coverage import cmdline
        cmdline.COMMANDS["brandnew"] = cmdline.CmdOptionParser(
            "brandnew", [], description="Do what nobody did. And more."
        )
        import shmcov.cli
        shmcov.cli.main(["help"])
    """
    project.write("new.py", code)
    assert "    brandnew    Do what nobody did.\n" in project.python("new.py").stdout


@pytest.mark.parametrize(
    "args",
    [
        ["status", "gone"],
        ["salvage", "gone"],
        ["run", "--data-file=folder", "prog.py"],
        ["run", "--shm-dir=prog.py", "prog.py"],
        ["run", "gone"],
        ["exec", "./gone"],
    ],
    ids=" ".join,
)
def test_a_name_in_an_error_is_a_whole_path(prog: Project, args: list[str]) -> None:
    (prog.folder / "folder").mkdir()
    done = prog.shmcov(*args)
    name = args[1].rpartition("=")[2].removeprefix("./")
    assert done.returncode != 0
    assert str(prog.folder / name) in done.stdout + done.stderr


# -- whoever reads has gone --


@pytest.mark.parametrize(
    "args", [["report"], ["help"], ["status"], ["run", "--help"], ["salvage"]], ids=" ".join
)
def test_a_closed_pipe_ends_it_quietly(prog: Project, args: list[str]) -> None:
    prog.shmcov("run", "prog.py")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "shmcov", *args],
        cwd=prog.folder,
        env=prog.env,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_closed_pipes_cost_a_run_nothing(prog: Project) -> None:
    """The program prints nothing, the supervisor has warnings and complaints to write."""
    prog.write("prog.py", "import os\nos.system('sleep 0.1')\n")
    reader, writer = os.pipe()
    os.close(reader)
    for options in ([], ["-W", "error"]):
        done = subprocess.run(
            [sys.executable, *options, "-m", "shmcov", "run", "--source=.,nowhere", "prog.py"],
            cwd=prog.folder,
            env=prog.env,
            stdout=writer,
            stderr=writer,
            check=False,
        )
        assert done.returncode == 0
        assert prog.lines("prog.py") == [1, 2]
        (prog.folder / ".coverage").unlink()
    os.close(writer)


def test_ctrl_c_in_a_report_is_no_traceback(prog: Project) -> None:
    prog.shmcov("run", "prog.py")
    prog.write("slow.py", "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    prog.write(".coveragerc", "[run]\nplugins = slow\n")
    done = prog.shmcov("report", env={"PYTHONPATH": "."})
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_importing_the_package_is_cheap(project: Project) -> None:
    done = project.python("-c", "import sys, shmcov; print('coverage' in sys.modules)")
    assert done.stdout == "False\n"
