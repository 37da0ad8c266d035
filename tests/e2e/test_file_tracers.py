# SPDX-License-Identifier: Apache-2.0
"""File tracer plug-ins: the same report as under ctrace, in every process of a run."""

from __future__ import annotations

import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import coverage
import pytest
from project_support import Project, with_ctrace

PLUGINS = """
    import os
    from coverage import CoveragePlugin, FileReporter, FileTracer

    class Lines(FileReporter):
        def lines(self):
            with open(self.filename) as file:
                return {n for n, text in enumerate(file, 1) if text.strip()}

    class WithArcs(Lines):
        def arcs(self):
            return {(n, n + 1) for n in self.lines()} | {(1, 5), (4, 1), (2, -1)}

    class Generated(CoveragePlugin, FileTracer):
        '''gen/x.py was made from x.twice, two lines for each of its own.'''
        def file_tracer(self, filename):
            folder, name = os.path.split(filename)
            return Made(filename) if os.path.basename(folder) == "gen" else None
        def file_reporter(self, filename):
            return WithArcs(filename)
        def find_executable_files(self, folder):
            for path, folders, files in os.walk(folder):
                yield from (os.path.join(path, file) for file in files if file.endswith(".twice"))

    class Made(FileTracer):
        def __init__(self, filename):
            self.filename = filename
        def source_filename(self):
            folder, name = os.path.split(self.filename)
            return os.path.join(os.path.dirname(folder), name.replace(".py", ".twice"))
        def line_number_range(self, frame):
            return 2 * frame.f_lineno - 1, 2 * frame.f_lineno

    class Templates(CoveragePlugin, FileTracer):
        '''Frames of engine.py stand for lines of what their locals name.'''
        def file_tracer(self, filename):
            return self if os.path.basename(filename) == "engine.py" else None
        def file_reporter(self, filename):
            return WithArcs(filename)
        def has_dynamic_source_filename(self):
            return True
        def dynamic_source_filename(self, filename, frame):
            return frame.f_locals.get("template")
        def line_number_range(self, frame):
            return frame.f_locals.get("at", (-1, -1))

    class Same(CoveragePlugin, FileTracer):
        '''same.py was compiled from same.psrc, line by line, and can be read as Python.'''
        def file_tracer(self, filename):
            return Copied(filename) if filename.endswith("same.py") else None
        def file_reporter(self, filename):
            return "python"

    class Copied(FileTracer):
        def __init__(self, filename):
            self.filename = filename
        def source_filename(self):
            return self.filename.replace("same.py", "same.psrc")

    class Idle(CoveragePlugin):
        def file_tracer(self, filename):
            return None

    def coverage_init(reg, options):
        reg.add_file_tracer(Idle())
        for plugin in (Generated, Templates, Same):
            reg.add_file_tracer(plugin())
"""

ENGINE = """
    def render(template, lines):
        at = (-1, -1)
        for at in lines:
            part(template, at)
        return template

    def part(template, at): return at

    def pieces(template, lines):
        for at in lines:
            try:
                yield at
            except KeyError:
                at = (7, 7)
                pass

    def fails(template, at):
        if at:
            raise ValueError(at)

    class Node:
        def __init__(self, template):
            self.template = template

        def render(self, template, at):
            return [x for x in range(at[0])]
"""

TWICE = """
    def half(x):
        if x:
            return x / 2
        else:
            return 0

    def never(x):
        return x

    half(1)
"""

SAME = """
    def branches(x):
        if x: return 1
        for i in range(3):
            if i == x:
                break
        else:
            x = 2
        if x > 1:
            raise ValueError
        if x: raise KeyError
        return x

    def only_here(): return 3

    try:
        branches(7)
    except ValueError:
        pass
"""

PROGRAM = """
    import multiprocessing, os, sys, threading

    sys.path.append("gen")

    def test_rendered(one=1):
        from engine import render
        render("pages/one.page", [(1, 1), (3, 5), (-1, -1)])
        render("pages/left_out.page", [(1, 1)])
        render(None, [(1, 1)])
        render(os.path.abspath("pages/absolute.page"), [(2, 3), (5, 4)])
        render("gen/../pages/dots.page", [(6, 7)])

    def test_in_pieces():
        import engine
        two = engine.pieces("pages/two.page", [(1, 1), (4, 4), (6, 6)])
        one = engine.pieces("pages/one.page", [(2, 2), (7, 7)])
        for _ in two:
            next(one)
            two.throw(KeyError) if next(two) == (4, 4) else None
        one.close()
        try:
            engine.fails("pages/two.page", (8, 8))
        except ValueError:
            pass
        engine.Node("pages/one.page").render("pages/never/three.page", (2, 2))

    def in_threads():
        import engine
        threads = [
            threading.Thread(target=engine.render, args=(f"pages/{n}.page", [(n, n)] * 50))
            for n in (1, 2, 3)
        ]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]

    def test_generated():
        import twice
        twice.half(0)

    def test_as_python():
        import same
        same.branches(0)
        same.only_here()

    JOBS = (test_rendered, test_in_pieces, in_threads, test_generated, test_as_python)

    def job(number):
        JOBS[number]()

    def main(how):
        if how == "serial":
            for number in range(len(JOBS)):
                job(number)
        else:
            context = multiprocessing.get_context(how)
            for number in range(len(JOBS)):
                process = context.Process(target=job, args=(number,))
                process.start()
                process.join()
                assert process.exitcode == 0

    if __name__ == "__main__":
        main(sys.argv[1])
"""

PAGE_NAMES = ("one", "two", "absolute", "dots", "1", "2", "3")

PAGES = {
    **{f"pages/{name}.page": "line\n" * 8 for name in (*PAGE_NAMES, "left_out")},
    "pages/never/three.page": "\nline\n\nline\n",
    "never.twice": "line\n" * 3,
    "left/out.twice": "line\n" * 3,
}

RC = """
    [run]
    plugins = tracers
    source = .
    disable_warnings = already-imported
    omit =
        left/*
        */left_out.page
    {more}
    [report]
    omit = program.py
"""


def twice(text: str) -> str:
    return "".join(f"{line}\n\n" for line in text.splitlines())


@pytest.fixture
def pages(project: Project) -> Project:
    project.write("tracers.py", PLUGINS)
    project.write("engine.py", ENGINE)
    project.write("program.py", PROGRAM)
    project.write("gen/twice.py", TWICE)
    (project.folder / "twice.twice").write_text(
        twice((project.folder / "gen/twice.py").read_text())
    )
    project.write("same.py", SAME)
    project.write("same.psrc", SAME)
    for name, text in PAGES.items():
        (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / name).write_text(text)
    return project


def tracers(project: Project, data_file: str | Path = ".coverage") -> dict[str, str]:
    """Whose files the files of a data file are, Python's included."""
    sql = "select path, tracer from file left join tracer on id = file_id"
    with closing(sqlite3.connect(project.folder / data_file)) as db:
        return {
            str(Path(path).relative_to(project.folder)): tracer or ""
            for path, tracer in db.execute(sql)
        }


def reported(project: Project, data_file: str | Path = ".coverage") -> Any:
    """The JSON report; its contexts are in no order, and a spawned process has another main."""

    def in_order(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: in_order(value) for key, value in part.items()}
        if isinstance(part, list):
            named = [
                text.replace("__mp_main__", "__main__") for text in part if isinstance(text, str)
            ]
            return sorted(named) or part
        return part

    return in_order(project.report(data_file))


def ran(done: Any, stderr: str = "") -> None:
    assert (done.returncode, done.stderr) == (0, stderr), done.stdout


@with_ctrace
@pytest.mark.parametrize("how", ["serial", "fork", "spawn", "forkserver"])
@pytest.mark.parametrize("more", ["", "branch = true", "dynamic_context = test_function"])
def test_reports_what_ctrace_reports(pages: Project, more: str, how: str) -> None:
    pages.write(".coveragerc", RC.format(more=more))
    ran(pages.coverage("run", "--data-file=theirs", "program.py", "serial"))
    ran(pages.shmcov("run", "program.py", how))
    expected = reported(pages, "theirs")
    assert expected["pages/one.page"]["executed_lines"] == [1, 2, 3, 4, 5]
    assert expected["pages/two.page"]["executed_lines"] == [1, 4, 6, 7, 8]
    for name in PAGE_NAMES:
        assert expected[f"pages/{name}.page"]["executed_lines"], name
    assert expected["twice.twice"]["missing_lines"], "something is left for never()"
    assert expected["never.twice"]["executed_lines"] == []
    assert "pages/left_out.page" not in expected
    if "test_function" in more:
        assert "__main__.test_in_pieces" in str(expected)
    assert reported(pages) == expected
    assert tracers(pages) == tracers(pages, "theirs")
    assert tracers(pages)["pages/one.page"] == "tracers.Templates"
    assert pages.data_files() == [".coverage"]

    # As a plug-in of coverage.py beside the others.
    rc = RC.format(more=more).replace("plugins =", "plugins = shmcov,")
    pages.write(".coveragerc", rc)
    ran(pages.coverage("run", "--data-file=inside", "program.py", how))
    assert reported(pages, "inside") == expected
    assert tracers(pages, "inside") == tracers(pages, "theirs")


# -- what is left out --


@with_ctrace
@pytest.mark.parametrize(
    "rules",
    [
        "include = pages/t*.page",
        "include = */pages/*",
        "include = gen/*",
        "include = *.psrc",
        "omit = pages/one.page",
        "omit = *.twice",
        "omit = *",
        "source = pages",
        "source_dirs = pages/never",
        "source_pkgs = engine",
        "source_pkgs = twice, same",
        "",
    ],
)
def test_the_rules_are_for_the_sources(pages: Project, rules: str) -> None:
    """Not for the Python files that stand for them."""
    text = f"[run]\nplugins = tracers\n{rules}\ndisable_warnings = already-imported\n"
    pages.write(".coveragerc", text)
    theirs = pages.coverage("run", "--data-file=theirs", "program.py", "serial")
    ours = pages.shmcov("run", "program.py", "fork")
    assert (ours.returncode, theirs.returncode) == (0, 0), ours.stderr + theirs.stderr
    assert ("No data was collected" in ours.stderr) == ("No data was collected" in theirs.stderr)
    found = tracers(pages, "theirs")
    assert tracers(pages) == found
    if set(found) - {"program.py"}:
        expected = reported(pages, "theirs")
        actual = reported(pages)
        for files in (expected, actual):
            files.pop("program.py", None)
        assert actual == expected


@with_ctrace
def test_command_line_rules(pages: Project) -> None:
    pages.write(".coveragerc", "[run]\nplugins = tracers\n")
    rules = ("--include=pages/*,gen/*", "--omit=*/two.page", "--branch")
    ran(pages.coverage("run", "--data-file=theirs", *rules, "program.py", "serial"))
    ran(pages.shmcov("run", *rules, "program.py", "spawn"))
    assert "pages/one.page" in tracers(pages)
    assert tracers(pages) == tracers(pages, "theirs")
    assert reported(pages) == reported(pages, "theirs")


@with_ctrace
def test_relative_files(pages: Project) -> None:
    pages.write(".coveragerc", RC.format(more="relative_files = true"))
    ran(pages.coverage("run", "--data-file=theirs", "program.py", "serial"))
    ran(pages.shmcov("run", "program.py", "fork"))
    with closing(sqlite3.connect(pages.folder / ".coverage")) as db:
        ours = dict(db.execute("select path, tracer from file left join tracer on id = file_id"))
    assert ours["twice.twice"] == "tracers.Generated"
    # coverage.py keeps this name as the plug-in gives it: gen/../pages/dots.page
    actual, expected = reported(pages), reported(pages, "theirs")
    assert actual.pop("pages/dots.page") == expected.pop("gen/../pages/dots.page")
    assert actual == expected


# -- every process --


ELSEWHERE = """
    import os, subprocess, sys

    code = (
        "import sys; sys.path[:0] = [{0!r}, {0!r} + '/gen']\\n"
        "from engine import render\\n"
        "render({0!r} + '/pages/one.page', [(4, 5)])\\n"
        "render('two.page', [(3, 3)])\\n"
        "import twice\\n"
    ).format(os.getcwd())
    env = {} if "bare" in sys.argv else os.environ
    subprocess.run([sys.executable, "-c", code], cwd="pages", env=env, check=True)
    if "exec" in sys.argv:
        os.chdir("pages")
        os.execve(sys.executable, [sys.executable, "-c", code], env)
"""


@pytest.mark.parametrize("how", ["", "bare", "exec", "bare exec"])
def test_children_elsewhere(pages: Project, how: str) -> None:
    """Another folder, other variables: the configuration comes from the segment."""
    pages.write(
        "config/rc", RC.format(more="branch = true").replace("left/*", "left/*\n        gen/*")
    )
    pages.write("elsewhere.py", ELSEWHERE)
    ran(pages.shmcov("run", "--rcfile=config/rc", "elsewhere.py", *how.split()))
    (pages.folder / ".coveragerc").write_text((pages.folder / "config/rc").read_text())
    assert pages.lines("pages/one.page") == [4, 5]
    assert pages.lines("pages/two.page") == [3]
    assert pages.lines("twice.twice") == [1, 3, 5, 13, 19]
    assert tracers(pages)["pages/one.page"] == "tracers.Templates"


@with_ctrace
def test_plugin_beside_the_program(pages: Project) -> None:
    """The program's folder is not on sys.path when start-up files run."""
    for name in ("program.py", "tracers.py", "engine.py", "same.py"):
        (pages.folder / "bin").mkdir(exist_ok=True)
        (pages.folder / name).rename(pages.folder / "bin" / name)
    (pages.folder / "same.psrc").rename(pages.folder / "bin/same.psrc")
    pages.write(".coveragerc", RC.format(more=""))
    ran(pages.coverage("run", "--data-file=theirs", "bin/program.py", "serial"))
    ran(pages.shmcov("run", "bin/program.py", "spawn"))
    pages.env["PYTHONPATH"] = str(pages.folder / "bin")
    assert tracers(pages) == tracers(pages, "theirs")
    assert reported(pages) == reported(pages, "theirs")


def test_a_killed_process_keeps_its_lines(pages: Project) -> None:
    pages.write(".coveragerc", RC.format(more=""))
    pages.write(
        "killed.py",
        """
        import os, signal
        from engine import render
        if os.fork() == 0:
            render("pages/one.page", [(2, 3)])
            os.kill(os.getpid(), signal.SIGKILL)
        os.wait()
        """,
    )
    ran(pages.shmcov("run", "killed.py"))
    assert pages.lines("pages/one.page") == [2, 3]


def test_processes_without_plugins_import_nothing(project: Project) -> None:
    project.write("p.py", "import sys; print('shmcov' in sys.modules, 'coverage' in sys.modules)")
    done = project.shmcov("run", "p.py")
    assert done.stdout == "False False\n"


@pytest.mark.parametrize("kind", ["subinterpreter", "thread"])
def test_other_interpreters_and_threads(pages: Project, kind: str) -> None:
    run = {
        "thread": "import _thread, time; _thread.start_new_thread(job, ()); time.sleep(1)",
        "subinterpreter": "import _interpreters as i; n = i.create(); i.run_string(n, code); "
        "i.destroy(n); job()",
    }[kind]
    if kind == "subinterpreter" and sys.version_info < (3, 13):
        pytest.skip("there is no module _interpreters")
    pages.write(".coveragerc", RC.format(more=""))
    pages.write(
        "program.py",
        f"""
        code = "import sys; sys.path[:0] = ['.']; import engine; engine.part('x', 1)"
        def job():
            from engine import render
            render("pages/one.page", [(2, 3)])
        {run}
        """,
    )
    ran(pages.shmcov("run", "program.py"))
    assert pages.lines("pages/one.page") == [2, 3]


# -- several runs --


@with_ctrace
def test_append(pages: Project) -> None:
    pages.write(".coveragerc", RC.format(more="branch = true"))
    for name, lines in [("one", "[(1, 1)]"), ("two", "[(2, 2)]"), ("one", "[(3, 3)]")]:
        pages.write("p.py", f"import engine; engine.render('pages/{name}.page', {lines})")
        ran(pages.coverage("run", "-a", "--data-file=theirs", "p.py"))
        ran(pages.shmcov("run", "-a", "p.py"))
        ran(pages.shmcov("run", "-a", "--data-file=theirs", "p.py"))
    assert reported(pages) == reported(pages, "theirs")
    assert tracers(pages) == tracers(pages, "theirs")


@with_ctrace
def test_append_of_another_tracer(pages: Project) -> None:
    pages.write(".coveragerc", RC.format(more=""))
    pages.write("p.py", "import engine; engine.render('pages/one.page', [(1, 1)])")
    ran(pages.shmcov("run", "p.py"))
    with closing(sqlite3.connect(pages.folder / ".coverage")) as db:
        db.execute("update tracer set tracer = 'other.Plugin'")
        db.commit()
    theirs = pages.coverage("run", "-a", "p.py")
    words = re.search(r"Conflicting file tracer name for '\S+one\.page'", theirs.stdout)
    assert words, theirs.stdout + theirs.stderr
    done = pages.shmcov("run", "-a", "p.py")
    assert done.returncode == 1
    assert words[0] in done.stderr
    assert "erase it, or run without --append" in done.stderr
    segment = re.search(r"shmcov salvage (\S+)", done.stderr)
    assert segment
    ran(pages.shmcov("salvage", segment[1], "-o", "saved"))
    assert pages.lines("pages/one.page", "saved") == [1]


# -- plug-ins that fail --


FAILING = """
    from coverage import CoveragePlugin, FileReporter, FileTracer

    class Reporter(FileReporter):
        def lines(self):
            return set(range(1, 9))
        def source(self):
            return "line\\n" * 8

    class Plugin(CoveragePlugin, FileTracer):
        def file_tracer(self, filename):
            if filename.endswith("engine.py"):
                self.check("file_tracer")
                return self
        def file_reporter(self, filename):
            return Reporter(filename)
        def has_dynamic_source_filename(self):
            return DYNAMIC
        def source_filename(self):
            return self.check("source_filename") or "pages/one.page"
        def dynamic_source_filename(self, filename, frame):
            if frame.f_code.co_name == "part":
                template = frame.f_locals["template"]
                return self.check("dynamic_source_filename", template) or template
        def line_number_range(self, frame):
            if frame.f_code.co_name != "part":
                return (-1, -1)
            at = frame.f_locals["at"]
            return self.check("line_number_range", frame.f_locals["template"]) or at
        def check(self, name, template="pages/two.page"):
            if name == WHERE and template == "pages/two.page":
                HOW

    def coverage_init(reg, options):
        reg.add_file_tracer(Plugin())
"""

FAILING_PROGRAM = """
    from engine import part

    def after():
        return "measured all the same"

    part("pages/one.page", (1, 2))
    part("pages/two.page", (1, 2))
    part("pages/three.page", (1, 2))
    print(after())
"""

WAYS = {
    "raises": "raise ValueError('on purpose')",
    "number": "return 17.25",
    "triple": "return (1, 2, 3)",
    "strings": "return ('1', '2')",
    "list": "return [1, 2]",
    "huge": "return (1 << 70, 1 << 71)",
}


def recorded(project: Project, name: str = ".coverage") -> dict[str, list[int]]:
    data = coverage.CoverageData(str(project.folder / name))
    data.read()
    return {
        str(Path(path).relative_to(project.folder)): sorted(data.lines(path) or ())
        for path in data.measured_files()
    }


def warned(stderr: str) -> list[str]:
    return re.findall(r"CoverageWarning: (Disabling plug-in .*)", stderr)


@with_ctrace
@pytest.mark.parametrize("how", list(WAYS))
@pytest.mark.parametrize(
    "where", ["file_tracer", "source_filename", "dynamic_source_filename", "line_number_range"]
)
def test_a_failing_plugin_is_disabled(project: Project, where: str, how: str) -> None:
    text = FAILING.replace("WHERE", repr(where)).replace("HOW", WAYS[how])
    dynamic = where not in ("source_filename", "file_tracer")
    project.write("failing.py", text.replace("DYNAMIC", str(dynamic)))
    project.write("engine.py", "def part(template, at): return at\n")
    project.write("program.py", FAILING_PROGRAM)
    project.write(".coveragerc", "[run]\nplugins = failing\n")
    theirs = project.coverage("run", "--data-file=theirs", "program.py")
    ours = project.shmcov("run", "program.py")
    assert ours.stdout == "measured all the same\n"
    assert ours.returncode == 0
    expected, actual = recorded(project, "theirs"), recorded(project)
    if how != "raises" and where in ("file_tracer", "dynamic_source_filename"):
        # What coverage.py does not check there ends in its own traceback, or in the program's.
        assert actual["program.py"] == [1, 3, 4, 6, 7, 8, 9]
        return
    assert warned(ours.stderr) == warned(theirs.stderr)
    assert len(warned(ours.stderr)) == 1
    reasons = [
        re.findall(r"^\w+Error: .*", text, re.MULTILINE) for text in (ours.stderr, theirs.stderr)
    ]
    assert reasons[0] == reasons[1] != []
    assert actual["program.py"] == expected["program.py"]
    if dynamic:
        assert actual["pages/one.page"] == [1, 2]
        assert "pages/three.page" not in actual


def test_disabling_with_warnings_as_errors(project: Project) -> None:
    text = FAILING.replace("WHERE", "'line_number_range'").replace("HOW", WAYS["raises"])
    project.write("failing.py", text.replace("DYNAMIC", "True"))
    project.write("engine.py", "def part(template, at): return at\n")
    project.write("program.py", FAILING_PROGRAM)
    project.write(".coveragerc", "[run]\nplugins = failing\n")
    done = project.shmcov("run", "program.py", env={"PYTHONWARNINGS": "error"})
    assert done.stdout == "measured all the same\n"
    assert done.returncode == 0
    assert "Disabling plug-in" in done.stderr


def test_plugins_that_cannot_be_loaded_in_a_child(pages: Project) -> None:
    """Nothing is printed there, and it is measured without them; the end of the run reports it."""
    pages.write(".coveragerc", RC.format(more=""))
    pages.write("tracers.py", PLUGINS + "    import os\n    os.environ.get('BROKEN') and 1 / 0\n")
    pages.write(
        "p.py",
        """
        import os, subprocess, sys
        from engine import render
        render("pages/one.page", [(1, 1)])
        code = "import never_seen; from engine import render; render('pages/one.page', [(2, 2)])"
        for debug in ({}, {"SHMCOV_DEBUG": "1"}):
            done = subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "BROKEN": "1", **debug}, capture_output=True, text=True,
            )
            print(done.returncode, repr(done.stdout + done.stderr))
        """,
    )
    pages.write("never_seen.py", "x = 1\n")
    done = pages.shmcov("run", "p.py")
    first, second = done.stdout.splitlines()
    assert first == "0 ''"
    assert re.search(r"runs without file tracers: .*ZeroDivisionError.*division by zero", second)
    assert "2 processes ran without file tracer plug-ins" in done.stderr
    assert pages.lines("pages/one.page") == [1]
    assert pages.lines("never_seen.py") == [1]


@pytest.mark.parametrize("call", ["dynamic_source_filename", "line_number_range"])
def test_ctrl_c_in_a_plugin_is_the_programs(pages: Project, call: str) -> None:
    pages.write(".coveragerc", RC.format(more=""))
    more = f"""
    def interrupted(self, *args):
        if os.environ.pop("INTERRUPT", None):
            os.kill(os.getpid(), 2)
            for _ in range(1000):
                pass
        return saved(self, *args)
    saved = Templates.{call}
    Templates.{call} = interrupted
    """
    pages.write("tracers.py", PLUGINS + more)
    pages.write(
        "p.py",
        """
        import os
        from engine import render
        os.environ["INTERRUPT"] = "1"
        try:
            render("pages/one.page", [(1, 1)])
        except KeyboardInterrupt:
            print("caught")
        render("pages/one.page", [(2, 2)])
        """,
    )
    done = pages.shmcov("run", "p.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "caught\n", "")
    assert 2 in pages.lines("pages/one.page")


# -- in a process of one's own --


def test_switch(pages: Project) -> None:
    """With the methods of a Coverage that is in this process."""
    pages.write(".coveragerc", "[run]\nsource = .\n")
    pages.write(
        "p.py",
        """
        import coverage
        from coverage.inorout import InOrOut
        from shmcov import file_tracers

        cov = coverage.Coverage(config_file=False, source=["."])
        cov.config.plugins = ["tracers"]
        cov._init()
        cov._inorout = InOrOut(
            config=cov.config, warn=cov._warn, debug=None, include_namespace_packages=False
        )
        cov._inorout.plugins = cov._plugins
        tracers = file_tracers.FileTracers(
            cov._should_trace, cov._check_include_omit_etc, cov._warn
        )
        file_tracers.switch(tracers)
        from engine import render
        render("pages/one.page", [(1, 1)])
        file_tracers.switch(None)
        render("pages/one.page", [(2, 2)])
        import same
        same.only_here()
        """,
    )
    ran(pages.shmcov("run", "p.py"))
    (pages.folder / ".coveragerc").write_text("[run]\nplugins = tracers\n")
    assert tracers(pages)["pages/one.page"] == "tracers.Templates"
    assert pages.lines("pages/one.page") == [1]
    assert pages.lines("same.py")
    assert tracers(pages)["same.py"] == ""
