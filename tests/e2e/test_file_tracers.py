# SPDX-License-Identifier: Apache-2.0
"""File tracer plug-ins: the same report as under ctrace, in every process of a run."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from project_support import Project

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
    (project.folder / "twice.twice").write_text(twice((project.folder / "gen/twice.py").read_text()))
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
            str(Path(path).relative_to(project.folder)): tracer or "" for path, tracer in db.execute(sql)
        }


def reported(project: Project, data_file: str | Path = ".coverage") -> Any:
    """The JSON report; its contexts are in no order, and a spawned process has another main."""

    def in_order(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: in_order(value) for key, value in part.items()}
        if isinstance(part, list):
            named = [text.replace("__mp_main__", "__main__") for text in part if isinstance(text, str)]
            return sorted(named) or part
        return part

    return in_order(project.report(data_file))


def ran(done: Any, stderr: str = "") -> None:
    assert (done.returncode, done.stderr) == (0, stderr), done.stdout


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
