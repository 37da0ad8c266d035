# SPDX-License-Identifier: Apache-2.0
"""Losses are reported, kind by kind, where something was lost and only there.

Each kind has a program that loses something, and one that does nearly the same and loses nothing.
"""

from __future__ import annotations

import re

import coverage
import pytest
from project_support import Project

TOLD = "Not all of this run was recorded: "


def stderr_of(project: Project, program: str, *args: str, status: int = 0) -> str:
    """The stderr of a run of a program."""
    project.write("p.py", program)
    done = project.shmcov("run", "--source=.", *args, "p.py")
    assert done.returncode == status, done.stderr
    return done.stderr


def lines_of(project: Project, name: str) -> set[int]:
    data = coverage.CoverageData(str(project.folder / ".coverage"))
    data.read()
    return set(data.lines(str(project.folder / name)) or ())


def losses(said: str) -> list[str]:
    """What is lost, in words; a line that names files is the last."""
    return re.findall(rf"{re.escape(TOLD)}(.*) \(not-recorded\); see \S+/docs/", said)


# -- space --

SMALL = "--shm-size=1"  # the smallest that is made: half a megabyte

FILES = """
    import os
    for n in range({files}):
        exec(compile("x = 1", f"{{{folder}}}/generated_{{n}}.py", "exec"))
    last = 1
"""


def test_space(project: Project) -> None:
    said = stderr_of(project, FILES.format(folder="os.getcwd()", files=5000), SMALL)
    what, *where = losses(said)
    assert "no room in the segment" in what
    for text in where:  # a file that found no room for its name has none
        assert re.search(r"^parts of \S+/(generated_\d+|p)\.py", text)
    assert lines_of(project, "p.py") == {1, 2, 3, 4}


@pytest.mark.parametrize(("folder", "files"), [("os.getcwd()", 200), ("'/elsewhere'", 5000)])
def test_space_that_is_enough(project: Project, folder: str, files: int) -> None:
    """What is known of files that are not measured may take all of it: that loses time."""
    assert stderr_of(project, FILES.format(folder=folder, files=files), SMALL) == ""
    assert lines_of(project, "p.py") == {1, 2, 3, 4}


# -- map --

CONTEXTS = """
    import resource, shmcov
    from blocks import blocks
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + {room}, resource.RLIM_INFINITY))
    for n in range(10_000):
        shmcov.switch_context(str(n))
        blocks(1)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
"""A hundred records a context: 24 MB, where 16 are mapped from the start."""

BLOCKS = "def blocks(x):\n" + ("    x\n" + "\n" * 127) * 100


@pytest.mark.parametrize("room", [8 << 20, 512 << 20])
def test_map(project: Project, room: int) -> None:
    (project.folder / "blocks.py").write_text(BLOCKS)
    said = stderr_of(project, CONTEXTS.format(room=room), "--shm-contexts", "--shm-size=256M")
    if room < 16 << 20:
        what, where = losses(said)
        assert "could not be mapped" in what
        assert where.startswith(f"parts of {project.folder}/blocks.py")
    else:
        assert said == ""


# -- limit --

LAST_LINE = (1 << 28) - 1
"""The last one that can be recorded: shm/layout.h."""

FAR = """
    def f():
        return 1
    f.__code__ = f.__code__.replace(co_firstlineno={line})
    f()
"""


@pytest.mark.parametrize("context", [False, True])
def test_limit(project: Project, context: bool) -> None:
    args = ["--shm-contexts"] if context else []
    start = "import shmcov\nshmcov.switch_context('c')\n" if context else ""
    program = start + FAR.replace("\n    ", "\n").lstrip()
    said = stderr_of(project, program.format(line=LAST_LINE), *args)
    what, where = losses(said)
    assert "too large to be recorded" in what
    assert where == f"parts of {project.folder}/p.py"
    assert stderr_of(project, program.format(line=LAST_LINE - 1), *args) == ""
    assert LAST_LINE in lines_of(project, "p.py")


# -- attach --

STARTS_LATE = """
    import subprocess, sys, _shmcov
    code = '''if 1:
        import sys
        sys.path += {path!r}
        for tool in range(6 if {taken} else 5):
            if hasattr(sys, "monitoring"):
                sys.monitoring.use_tool_id(tool, "another")
        if {taken}:
            import _thread
            del _thread.start_new_thread
        import _shmcov
        print(_shmcov.attach())
        import child
    '''
    path = [sys.modules["_shmcov"].__file__.rpartition("/")[0], "."]
    subprocess.run([sys.executable, "-S", "-c", code.format(path=path, taken={taken})], check=True)
"""


@pytest.mark.parametrize("taken", [False, True])
def test_attach(project: Project, taken: bool) -> None:
    """Whatever the tracer needs is in somebody else's hands, or all but one."""
    project.write("child.py", "x = 1\n")
    said = stderr_of(project, STARTS_LATE.replace("{taken})", f"{taken})"))
    if taken:
        assert len(losses(said)) == 1
        assert "1 processes could not start to measure" in said
    else:
        assert said == ""
        assert project.lines("child.py") == [1]


# -- tracer, plugin: file tracers --

PLUGIN = """
    import os, sys
    import coverage
    {start}
    class Plugin(coverage.CoveragePlugin, coverage.FileTracer):
        def file_tracer(self, filename):
            if filename.endswith("asked.py"):
                {asked}
        def source_filename(self):
            return os.path.abspath("asked.source")
        def line_number_range(self, frame):
            return 7, 7 + (sys.path[0] is None)
        def file_reporter(self, filename):
            return "python"
    def coverage_init(reg, options):
        reg.add_file_tracer(Plugin())
"""


def with_plugin(project: Project, *, start: str = "", asked: str = "return None") -> None:
    project.write("plug.py", PLUGIN.format(start=start, asked=asked))
    project.write(".coveragerc", "[run]\nplugins = plug\n")
    project.write("asked.py", "x = 1\n")


def test_tracer(project: Project) -> None:
    """The plug-in does not come to say whether the file is its own."""
    with_plugin(project, asked="raise SystemExit")
    said = stderr_of(project, "import asked\n")
    assert len(losses(said)) == 1
    assert "1 functions could not be traced" in said
    assert project.lines("asked.py") == [1]


def test_tracer_that_is_asked_again(project: Project) -> None:
    """^C is the program's, and no reason not to ask."""
    with_plugin(
        project,
        asked="if os.environ.pop('ONCE', 0): raise KeyboardInterrupt\n                return self",
    )
    program = """
        import os
        os.environ["ONCE"] = "1"
        try:
            import asked
            for n in range(1000): pass
        except KeyboardInterrupt:
            print("^C")
        import asked
    """
    project.write("p.py", program)
    done = project.shmcov("run", "p.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "^C\n", "")
    assert lines_of(project, "asked.source") == {7}


LATE = """
    class Late:
        def __init__(self, then):
            self.then = then
        def __del__(self):
            self.left = None
            self.then()
    def claimed():
        pass
"""


def test_nobody_is_asked_while_the_interpreter_shuts_down(project: Project) -> None:
    """Code that runs for the first time when modules are torn down: objects of modules that the
    plug-in imports, before anything is measured, go last."""
    with_plugin(
        project,
        start="import asked, builtins, late\n    builtins.keep = late.Late(asked.function)",
        asked="return self",
    )
    project.write("asked.py", "def function():\n    return 1\n")
    project.write("late.py", LATE)
    assert stderr_of(project, "print('done')\n") == ""
    assert {5, 6} <= lines_of(project, "late.py")


def test_nobody_is_called_while_the_interpreter_shuts_down(project: Project) -> None:
    """A plug-in's code that the plug-in was asked about before."""
    with_plugin(project, start="import builtins, late", asked="return self")
    project.write("asked.py", "def function():\n    return 1\n")
    project.write("late.py", LATE)
    program = """
        import builtins, late
        from asked import function
        function()
        builtins.keep = late.Late(function)
    """
    assert stderr_of(project, program) == ""
    assert lines_of(project, "asked.source") == {7}


@pytest.mark.parametrize("broken", [False, True])
def test_plugin(project: Project, broken: bool) -> None:
    with_plugin(project, start="os.environ.get('BROKEN') and 1 / 0")
    program = f"""
        import os, subprocess, sys
        env = dict(os.environ, BROKEN={"1" if broken else ""!r})
        subprocess.run([sys.executable, "-c", "import asked"], env=env, check=True)
    """
    said = stderr_of(project, program)
    if broken:
        assert len(losses(said)) == 1
        assert "1 processes ran without file tracer plug-ins" in said
    else:
        assert said == ""
    assert project.lines("asked.py") == [1]


# -- all --


@pytest.mark.parametrize("name", ["space", "map", "limit", "tracer", "attach", "plugin"])
def test_every_kind_is_tested_here(name: str) -> None:
    """shm/layout.h, enum seg_lost."""
    from shmcov import result

    assert name in result.LOST
    assert f"test_{name}" in globals()
    assert len(result.LOST) == 6 + 1, "user: test_other_users.py"
