# SPDX-License-Identifier: Apache-2.0
"""Breakpoints on 3.11: every way that code comes to run, beside coverage.py's C tracer; and which
tracer is chosen."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
from project_support import Project, with_ctrace

pytestmark = [
    pytest.mark.skipif(sys.version_info >= (3, 12), reason="3.12 has sys.monitoring"),
    with_ctrace,
]

BREAKPOINTS = {"SHMCOV_TRACER": "breakpoints"}

LIBRARY = """
    def sign(n):
        if n < 0:
            return -1
        return 1

    class Thing:
        size = [n for n in range(3)]

        def grow(self, by=1):
            yield from (n + by for n in self.size)

    def outer():
        def inner():
            return lambda: 3
        return inner
"""

USE = """
print(sign(1), list(Thing().grow()), outer()()())
"""

# Each is a program beside library.py.
WAYS = {
    "import": "from library import *" + USE,
    "star_main": LIBRARY + textwrap.indent(USE, "    "),
    "exec": """
        code = compile(open("library.py").read(), "library.py", "exec")
        space = {"__name__": "space"}
        exec(code, space)
        print(space["sign"](-1))
        exec(code, space)
    """,
    "exec_keyword": """
        code = compile(open("library.py").read(), "library.py", "exec")
        space, places = {"__name__": "space"}, {}
        exec(code, space, places)
        print(places["sign"](-1))

        def with_closure():
            seen = 0
            def add():
                nonlocal seen
                seen += 1
            exec(add.__code__, closure=add.__closure__)
            return seen

        print(with_closure())
    """,
    "exec_here": """
        def run():
            exec(compile("x = 1\\ny = 2\\n", "library.py", "exec"))
            return eval(compile("3 +\\\\\\n4", "library.py", "eval"))

        print(run())
    """,
    "eval": """
        def value():
            return eval(compile("[n\\n for n in\\n range(3)]", "library.py", "eval"))

        print(value())
    """,
    "runpy": """
        import runpy
        runpy.run_path("library.py")
        print(runpy.run_module("library")["sign"](3))
    """,
    "zipimport": """
        import sys, zipfile
        with zipfile.ZipFile("lib.zip", "w") as archive:
            archive.write("library.py", "zipped.py")
        sys.path.insert(0, "lib.zip")
        import zipped
        print(zipped.sign(-3))
    """,
    "replaced": """
        import types
        def small(n):
            return n + 1

        def other(n):
            if n:
                return n + 2
            return 5

        small.__code__ = other.__code__.replace(co_name="renamed")
        print(small(3))
        print(types.FunctionType(other.__code__, globals())(0))
        print(types.FunctionType(code=other.__code__, globals=globals(), name="third")(0))
    """,
    "marshal": """
        import marshal, types
        from library import sign
        code = marshal.loads(marshal.dumps(sign.__code__))
        print(types.FunctionType(code, {})(-1))
        whole = compile(open("library.py").read(), "library.py", "exec")
        exec(marshal.loads(marshal.dumps(whole)), {"__name__": "space"})
    """,
    "coroutine": """
        import types

        @types.coroutine
        def pause():
            got = yield 1
            return got

        async def wait():
            return await pause()

        running = wait()
        print(running.send(None))
        try:
            running.send(5)
        except StopIteration as stop:
            print(stop.value)
    """,
    "fork": """
        import os
        from library import sign

        if os.fork():
            os.wait()
            print(sign(1))
        else:
            print(sign(-1))
            os._exit(0)
    """,
    "thread": """
        import threading
        from library import *

        def work():
            print(sign(-1), list(Thing().grow()))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """,
    "spawn": """
        import multiprocessing

        def work(n):
            from library import sign
            return sign(n)

        if __name__ == "__main__":
            for method in ("spawn", "forkserver", "fork"):
                context = multiprocessing.get_context(method)
                with context.Pool(1) as pool:
                    print(pool.map(work, [-1, 1]))
                    pool.close()
                    pool.join()
    """,
    "interactive": """
        import code
        console = code.InteractiveConsole()
        console.runcode(compile("import library\\nlibrary.sign(3)\\n", "library2.py", "exec"))
    """,
    "dataclass": """
        import dataclasses, collections

        @dataclasses.dataclass
        class Point:
            x: int
            y: int = 3

            def sum(self):
                return self.x + self.y

        print(Point(1).sum(), collections.namedtuple("N", "a b")(1, 2))
    """,
    "recursion": """
        import sys
        sys.setrecursionlimit(150)

        def deep(n):
            return deep(n + 1)

        try:
            deep(0)
        except RecursionError:
            print("deep enough")
    """,
    "failing": """
        def broken():
            raise KeyError(1)

        try:
            exec(compile("a = 1\\nb = a / 0\\nc = 3\\n", "library.py", "exec"), {})
        except ZeroDivisionError:
            print("divided")
        broken()
    """,
}


def lines_of_all(project: Project, data_file: str) -> dict[str, list[int]]:
    report = project.report(data_file)
    return {name: file["executed_lines"] for name, file in report.items() if file["executed_lines"]}


def both(project: Project, *arguments: str, way: str = "") -> None:
    """Runs a program with both tools, and compares what it says and what ran."""
    if way in ("fork", "spawn"):  # where coverage.py loses what children ran
        run, environment = project.shmcov, {"SHMCOV_TRACER": "trace"}
    else:
        run, environment = project.coverage, {}
    reference = run("run", "--data-file=expected", "--source=.", *arguments, env=environment)
    measured = project.shmcov("run", "--data-file=found", "--source=.", *arguments, env=BREAKPOINTS)
    assert measured.stdout == reference.stdout
    assert measured.returncode == reference.returncode
    assert measured.stderr == reference.stderr
    assert lines_of_all(project, "found") == lines_of_all(project, "expected")


@pytest.mark.parametrize("way", WAYS)
def test_code_comes_to_run(project: Project, way: str) -> None:
    project.write("library.py", LIBRARY)
    project.write("library2.py", "import library\nlibrary.sign(3)\n")
    project.write("program.py", WAYS[way])
    both(project, "program.py", way=way)


def test_a_package_by_name(project: Project) -> None:
    project.write("library.py", LIBRARY)
    project.write("package/__init__.py", "from library import sign\n")
    project.write("package/__main__.py", "from package import sign\nprint(sign(-1))\n")
    both(project, "-m", "package")


def test_a_folder_and_a_folder_in_a_zip_file(project: Project) -> None:
    project.write("folder/__main__.py", "def f():\n    return 1\nprint(f())\n")
    both(project, "folder")


def test_bytecode_that_is_cached(project: Project) -> None:
    project.env.pop("PYTHONDONTWRITEBYTECODE")
    project.write("library.py", LIBRARY)
    project.write("program.py", WAYS["import"])
    both(project, "program.py")
    both(project, "program.py")


def test_functions_of_before_the_start(project: Project) -> None:
    """A Coverage object that begins in the middle: functions, suspended frames, running frames."""
    project.write("library.py", LIBRARY)
    project.write(
        "program.py",
        """
        import coverage, gc
        import library

        def before(n):
            if n:
                return 1
            return 2

        def numbers():
            yield 1
            def made_later():
                return 5
            yield made_later()

        def frozen():
            return 3

        gc.freeze()
        suspended = numbers()
        next(suspended)
        bound = library.Thing().grow
        cov = coverage.Coverage(data_file="DATA")
        cov.start()
        before(1)
        frozen()

        def after():
            return 7

        after()
        next(suspended)
        list(bound())
        library.outer()()()
        cov.stop()
        before(0)
        cov.save()
        """,
    )
    text = (project.folder / "program.py").read_text()
    found = {}
    for data, plugins in (("expected", ""), ("found", "shmcov")):
        settings = f"[run]\nsource = .\nplugins = {plugins}\n"
        project.write(".coveragerc", settings)
        project.write(f"{data}.py", text.replace("DATA", data))
        done = project.python(f"{data}.py", env=BREAKPOINTS | {"COVERAGE_CORE": "ctrace"})
        assert (done.returncode, done.stderr) == (0, "")
        lines = lines_of_all(project, data)
        lines["program"] = lines.pop(f"{data}.py")
        found[data] = lines
    # Frames that ran already keep their code: their own lines are not seen.
    assert found["found"]["library.py"] == found["expected"]["library.py"]
    assert set(found["found"]["program"]) <= set(found["expected"]["program"])
    assert {5, 6, 12, 16, 28} <= set(found["found"]["program"])


def test_an_environment_that_is_replaced(project: Project) -> None:
    project.write("child.py", LIBRARY + textwrap.indent(USE, "    "))
    project.write(
        "program.py",
        """
        import subprocess, sys
        subprocess.run([sys.executable, "child.py"], env={}, check=True)
        """,
    )
    done = project.shmcov("run", "--source=.", "program.py", env=BREAKPOINTS)
    assert done.returncode == 0, done.stderr
    assert len(project.lines("child.py")) > 5


def test_a_subinterpreter(project: Project) -> None:
    project.write("library.py", LIBRARY)
    project.write(
        "program.py",
        """
        import _xxsubinterpreters as interpreters
        for n in range(2):
            other = interpreters.create()
            interpreters.run_string(other, "import sys; sys.path.insert(0, '.')")
            interpreters.run_string(other, "import library; library.sign(-1)")
            interpreters.destroy(other)
        exec(compile("import library; library.sign(1)", "<here>", "exec"))
        """,
    )
    done = project.shmcov("run", "--source=.", "program.py", env=BREAKPOINTS)
    assert (done.returncode, done.stderr) == (0, "")
    assert {2, 3, 4} <= set(project.lines("library.py"))


def test_asserts_that_pytest_rewrites(project: Project) -> None:
    project.write("library.py", LIBRARY)
    project.write(
        "test_it.py",
        """
        from library import sign

        def test_sign():
            assert sign(-1) == -1
            assert sign(1) == 1
        """,
    )
    done = project.shmcov("run", "--source=.", "-m", "pytest", "-q", "test_it.py", env=BREAKPOINTS)
    assert done.returncode == 0, done.stdout
    assert project.lines("test_it.py") == [1, 3, 4, 5]


# -- which tracer --


def chosen(project: Project, *options: str, **kwargs: str) -> str:
    project.write(
        "program.py",
        "import _shmcov, sys\nprint(_shmcov.tracer()[0])\n",
    )
    done = project.shmcov("run", "--source=.", *options, "program.py", env=kwargs)
    assert done.returncode == 0, done.stderr
    return f"{done.stdout.strip()} {done.stderr.strip()}"


def test_the_trace_function_is_the_default(project: Project) -> None:
    assert chosen(project) == "PyEval_SetTrace "
    assert chosen(project, SHMCOV_TRACER="trace") == "PyEval_SetTrace "


def test_breakpoints_where_they_are_asked_for(project: Project) -> None:
    assert chosen(project, **BREAKPOINTS) == "breakpoints "


def test_what_is_asked_for_and_is_not_to_be_had_is_told_once(project: Project) -> None:
    project.write("plain.rc", "[run]\ndynamic_context = test_function\n")
    said = chosen(project, "--rcfile=plain.rc", **BREAKPOINTS)
    assert said.startswith("PyEval_SetTrace shmcov: The trace function measured: dynamic_context")
    assert said.count("trace-function) ") + said.count("(trace-function)") == 1
    said = chosen(project, SHMCOV_TRACER="nonsense")
    assert "SHMCOV_TRACER takes trace or breakpoints" in said


def test_the_doctor_says_which_and_why(project: Project) -> None:
    project.write("program.py", "print(1)\n")
    for environment, said in (
        ({}, "tracer PyEval_SetTrace (the default"),
        (BREAKPOINTS, "tracer breakpoints (SHMCOV_TRACER=breakpoints)"),
    ):
        done = project.shmcov("doctor", env=environment)
        assert said in done.stdout, done.stdout + done.stderr


def test_nothing_of_it_is_left_after_the_start(project: Project) -> None:
    """exec, eval and function are the objects they were, and say the same of themselves."""
    program = """
        import builtins, inspect, types
        print(exec, eval, exec is builtins.exec, exec.__name__, exec.__doc__[:20])
        print(inspect.signature(exec), inspect.signature(eval), exec.__self__.__name__)
        print(hash(exec) == hash(builtins.exec), exec == builtins.exec)
        print(types.FunctionType.__code__, types.FunctionType.__new__)
        for call in ("exec()", "eval()", "exec(1)", "exec(compile('1', 'x', 'eval'), {}, {}, 3)",
                     "types.FunctionType()", "types.FunctionType(1, 2)",
                     "types.FunctionType(code=3)"):
            try:
                eval(call)
            except TypeError as error:
                print(call, error)
        def f(): pass
        try:
            f.__code__ = 3
        except TypeError as error:
            print(error)
        try:
            del f.__code__
        except TypeError as error:
            print(error)
    """
    program = textwrap.dedent(program)
    project.write("program.py", program)
    bare = project.python("program.py")
    done = project.shmcov("run", "--source=.", "program.py", env=BREAKPOINTS)
    strip = str.maketrans("", "", "0123456789abcdef")
    assert done.stdout.translate(strip) == bare.stdout.translate(strip)
    assert done.stderr == bare.stderr


def test_it_writes_nothing_into_the_folder(project: Project) -> None:
    project.write("program.py", "print(1)\n")
    project.shmcov("run", "--source=.", "program.py", env=BREAKPOINTS)
    assert {path.name for path in Path(project.folder).iterdir()} == {"program.py", ".coverage"}
