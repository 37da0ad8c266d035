# SPDX-License-Identifier: Apache-2.0
"""coverage.py with `plugins = shmcov` in its configuration: the same data as with its own core."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest
from project_support import REFERENCE_CORE, Project, wait_until

PLUGIN = "plugins = shmcov\n"


def configure(project: Project, *lines: str, plugin: bool = True) -> None:
    text = "[run]\n" + "".join(f"{line}\n" for line in lines)
    project.write(".coveragerc", text + (PLUGIN if plugin else ""))


def measured(project: Project) -> dict[str, dict[str, Any]]:
    """What a report says of each file, but for the order of contexts."""
    return {
        name: {
            "executed": file_report["executed_lines"],
            "missing": file_report["missing_lines"],
            "branches": file_report.get("executed_branches"),
            "contexts": {line: sorted(of) for line, of in file_report["contexts"].items()},
        }
        for name, file_report in project.report().items()
    }


PROCESSES = """
    import multiprocessing
    import os
    import subprocess
    import sys
    import threading

    import lib

    if __name__ == "__main__":
        lib.work("main")
        for method in ("fork", "spawn", "forkserver"):
            context = multiprocessing.get_context(method)
            process = context.Process(target=lib.work, args=(method,))
            process.start()
            process.join()
        pid = os.fork()
        if not pid:
            lib.work("forked")
            sys.exit(0)
        os.waitpid(pid, 0)
        thread = threading.Thread(target=lib.work, args=("thread",))
        thread.start()
        thread.join()
        subprocess.run([sys.executable, "child.py", "child"], check=True)
"""

LIB = """
    def work(who):
        if who == "main":
            return 1
        if who == "fork":
            return 2
        if who == "spawn":
            return 3
        if who == "forkserver":
            return 4
        if who == "forked":
            return 5
        if who == "thread":
            return 6
        if who == "child":
            return 7
        return 8
"""

CHILD = """
    import sys
    import lib
    lib.work(sys.argv[1])
    assert "coverage" not in sys.modules or len(sys.argv) > 2
"""


@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branches"])
def test_all_processes(project: Project, branch: bool) -> None:
    project.write("main.py", PROCESSES)
    project.write("lib.py", LIB)
    bare = project.python("-c", "import sys; print('coverage' in sys.modules)")
    # Before 7.12 coverage.py's own start-up file imports it everywhere.
    project.write("child.py", CHILD if bare.stdout == "False\n" else CHILD.replace("> 2", "> 0"))
    configure(project, f"branch = {branch}")
    done = project.coverage("run", "main.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert project.data_files() == [".coverage"]
    ours = measured(project)

    project.write("child.py", CHILD.replace("> 2", "> 0"))
    configure(
        project,
        f"branch = {branch}",
        "concurrency = multiprocessing, thread",
        "patch = subprocess",
        plugin=False,
    )
    assert project.coverage("run", "main.py").returncode == 0
    assert project.coverage("combine").returncode == 0
    theirs = measured(project)
    if branch:
        # coverage.py starts in a spawned process when that has imported the main module.
        arcs = {*map(tuple, theirs["main.py"]["branches"]), (9, -1)}
        theirs["main.py"]["branches"] = sorted(map(list, arcs))
    theirs = {name: theirs[name] for name in theirs if "sitecustomize" not in name}
    assert ours == theirs


LIFE = """
    import json
    import sys

    import coverage
    import lib

    out = []

    def show(cov, what):
        data = cov.get_data()
        seen = {}
        for path in sorted(data.measured_files()):
            name = path.rpartition("/")[2]
            contexts = data.contexts_by_lineno(path)
            seen[name] = {line: sorted(of) for line, of in sorted(contexts.items())}
        out.append([what, seen])

    def start_and_stop():
        cov = coverage.Coverage()
        cov.start(); lib.a(); cov.stop()
        show(cov, "stopped")
        lib.b()
        show(cov, "stopped, and more ran")
        cov.start(); lib.c(); cov.stop()
        show(cov, "again")
        cov.save()
        other = coverage.Coverage()
        other.load()
        show(other, "loaded")

    def while_running():
        cov = coverage.Coverage()
        cov.start()
        lib.a()
        show(cov, "running")
        lib.b()
        show(cov, "still running")
        cov.stop()

    def erase():
        cov = coverage.Coverage()
        cov.start(); lib.a(); cov.stop(); cov.save()
        cov.erase()
        show(cov, "erased")
        cov.start(); lib.b(); cov.stop()
        show(cov, "after erase")

    def erase_while_running():
        cov = coverage.Coverage()
        cov.start()
        lib.a()
        cov.erase()
        cov.stop()

    def one_after_the_other():
        for n in range(3):
            cov = coverage.Coverage(data_file=f"data{n}")
            cov.start(); lib.a(); lib.many(n); cov.stop()
            show(cov, n)
            cov.save()

    def nested():
        outer = coverage.Coverage(data_file="outer")
        inner = coverage.Coverage(data_file="inner")
        outer.start(); lib.a()
        inner.start(); lib.b(); lib.c(); inner.stop()
        lib.c()
        outer.stop()
        show(outer, "outer")
        show(inner, "inner")

    def contexts():
        cov = coverage.Coverage(context="static")
        cov.start()
        lib.a()
        first = cov.switch_context("one")
        lib.a(); lib.b()
        cov.switch_context("two")
        lib.a(); lib.many(3)
        cov.switch_context("")
        lib.c()
        cov.stop()
        show(cov, "contexts")

    def contexts_and_a_pause():
        cov = coverage.Coverage()
        cov.start()
        cov.switch_context("one"); lib.a(); cov.stop()
        lib.b()
        cov.start(); lib.c(); cov.stop()
        show(cov, "paused")

    def in_memory():
        cov = coverage.Coverage(data_file=None)
        cov.start(); lib.a(); cov.stop()
        show(cov, "memory")
        cov.start(); lib.b(); cov.stop()
        show(cov, "memory again")
        # A FileNotFoundError in coverage.py itself, where the name has a suffix: not tried.

    def suffix():
        import glob
        cov = coverage.Coverage(data_suffix=True)
        cov.start(); lib.a(); cov.stop(); cov.save()
        out.append(len(glob.glob(".coverage.*")))
        cov.start(); lib.b(); cov.stop(); cov.save()
        out.append(len(glob.glob(".coverage.*")))
        other = coverage.Coverage()
        other.combine()
        other.save()
        show(other, "combined")
        out.append(glob.glob(".coverage*.*.*"))

    def auto_data():
        cov = coverage.Coverage(auto_data=True)
        cov.start(); lib.a(); cov.stop(); cov.save()
        cov = coverage.Coverage(auto_data=True)
        cov.start(); lib.b(); cov.stop()
        show(cov, "appended")

    def current():
        cov = coverage.Coverage()
        out.append(coverage.Coverage.current() is cov)
        with cov.collect():
            out.append(coverage.Coverage.current() is cov)
            lib.a()
        out.append(coverage.Coverage.current() is cov)
        show(cov, "collected")

    def threads():
        import threading
        cov = coverage.Coverage()
        cov.start()
        cov.switch_context("both")
        thread = threading.Thread(target=lib.b)
        thread.start(); thread.join()
        lib.a()
        cov.stop()
        show(cov, "threads")

    def nothing():
        cov = coverage.Coverage()
        cov.start(); cov.stop()
        show(cov, "nothing")

    def reports():
        cov = coverage.Coverage()
        cov.start(); lib.a(); cov.stop()
        out.append(cov.report(file=sys.stderr))
        out.append(cov.analysis2("lib.py")[1:])

    globals()[sys.argv[1]]()
    print(json.dumps(out, sort_keys=True))
"""

LIFE_LIB = """
    def a():
        return 1

    def b():
        return 2

    def c():
        return 3

    def many(n):
        for i in range(n):
            if i:
                a()
        return n
"""

STORIES = [
    line.removeprefix("    def ").partition("(")[0]
    for line in LIFE.splitlines()
    if line.startswith("    def ") and "show" not in line
]


@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branches"])
@pytest.mark.parametrize("story", STORIES)
def test_life_of_a_coverage_object(project: Project, story: str, branch: bool) -> None:
    results = []
    for plugin in (False, True):
        folder = Project(project.folder / f"plugin-{plugin}")
        folder.folder.mkdir()
        folder.write("life.py", LIFE)
        folder.write("lib.py", LIFE_LIB)
        configure(folder, f"branch = {branch}", "source = .", "omit = life.py", plugin=plugin)
        done = folder.python("-W", "error::ResourceWarning", "life.py", story, env=REFERENCE_CORE)
        text = done.stderr.replace(str(folder.folder), "FOLDER")
        results.append((done.returncode, done.stdout.replace(str(folder.folder), "FOLDER"), text))
    theirs, ours = results
    assert ours == theirs
    assert ours[0] == 0


def test_only_objects_that_name_the_plugin(project: Project) -> None:
    project.write("lib.py", LIFE_LIB)
    configure(project)
    project.write(
        "two.py",
        """
        import coverage, lib
        ours = coverage.Coverage(data_file="ours")
        theirs = coverage.Coverage(data_file="theirs", config_file=False)
        ours.start(); lib.a()
        theirs.start(); lib.b(); theirs.stop()
        lib.c()
        ours.stop()
        print([type(cov._collector).__module__ for cov in (ours, theirs)])
        for cov in (ours, theirs):
            data = cov.get_data()
            print(sorted(data.lines(next(p for p in data.measured_files() if "lib" in p))))
        """,
    )
    done = project.python("two.py", env=REFERENCE_CORE)
    modules, ours, theirs = done.stdout.splitlines()
    assert modules == "['shmcov.backend.collector', 'coverage.collector']"
    assert (ours, theirs) == ("[2, 8]", "[5]"), done.stderr


def test_a_child_never_touches_its_parents_file(project: Project) -> None:
    project.write("lib.py", LIFE_LIB)
    configure(project)
    project.write(
        "forks.py",
        """
        import coverage, glob, lib, os
        cov = coverage.Coverage(data_suffix=True)
        cov.start()
        lib.a()
        cov.get_data()
        pid = os.fork()
        if not pid:
            lib.b()
            cov.stop()
            cov.save()
            os._exit(0)
        os.waitpid(pid, 0)
        lib.c()
        cov.stop()
        cov.save()
        print(len(glob.glob(".coverage.*")))
        """,
    )
    done = project.python("forks.py")
    assert done.stdout == "1\n", done.stderr
    assert project.coverage("combine").returncode == 0
    assert project.lines("lib.py") == [2, 5, 8]


def test_an_object_in_a_child(project: Project) -> None:
    """A fork that makes a Coverage object of its own: the data is where the parent's is."""
    project.write("lib.py", LIFE_LIB)
    configure(project, "parallel = True")
    project.write(
        "forks.py",
        """
        import coverage, lib, os
        cov = coverage.Coverage()
        cov.start()
        lib.a()
        pid = os.fork()
        if not pid:
            inner = coverage.Coverage()
            inner.start()
            lib.b()
            inner.stop()
            inner.save()
            os._exit(0)
        os.waitpid(pid, 0)
        cov.stop()
        cov.save()
        """,
    )
    done = project.python("forks.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(project.data_files()) == 1
    assert project.coverage("combine").returncode == 0
    assert project.lines("lib.py") == [2, 5]


def test_an_object_in_a_child_that_measures_something_else(project: Project) -> None:
    project.write("lib.py", LIFE_LIB)
    configure(project)
    project.write(
        "child.py",
        """
        import coverage, lib
        lib.c()
        cov = coverage.Coverage(data_file="other", branch=True)
        cov.start()
        lib.b()
        cov.stop()
        cov.save()
        lib.many(2)
        """,
    )
    project.write(
        "main.py",
        """
        import lib, subprocess, sys
        lib.a()
        subprocess.run([sys.executable, "child.py"], check=True)
        """,
    )
    done = project.coverage("run", "main.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert project.lines("lib.py", "other") == [5]
    # Its own data is besides that of the run, in which the object's is missing.
    assert {2, 8, 11} <= set(project.lines("lib.py"))
    assert 5 not in project.lines("lib.py")


def test_process_start_and_coverage_run(project: Project) -> None:
    """Two started objects that name the plug-in, and the first one never saves."""
    project.write("main.py", "print('ran')\n")
    configure(project)
    rc = {"COVERAGE_PROCESS_START": str(project.folder / ".coveragerc")}
    done = project.coverage("run", "main.py", env=rc)
    assert (done.stdout, done.stderr) == ("ran\n", "")
    assert project.lines("main.py") == [1]
    assert project.data_files() == [".coverage"]


def test_process_start_alone(project: Project) -> None:
    project.write("main.py", "import os, sys, lib\nlib.a()\nif os.fork(): os.wait()\nlib.b()\n")
    project.write("lib.py", LIFE_LIB)
    configure(project)
    rc = {"COVERAGE_PROCESS_START": str(project.folder / ".coveragerc")}
    assert project.python("main.py", env=rc).returncode == 0
    assert project.data_files() == [".coverage"]
    assert project.lines("lib.py") == [1, 2, 4, 5, 7, 10]


@pytest.mark.parametrize("how", ["_exit", "execv", "sigterm"])
def test_settings_for_odd_ends(project: Project, how: str) -> None:
    """`patch` and `sigterm` go on working for the process that saves."""
    project.write("lib.py", LIFE_LIB)
    project.write("after.py", "import lib\nlib.c()\n")
    endings = {
        "_exit": "os._exit(3)",
        "execv": "os.execve(sys.executable, [sys.executable, 'after.py'], dict(os.environ))",
        "sigterm": "os.kill(os.getpid(), 15)",
    }
    project.write("main.py", f"import os, sys, lib\nlib.a()\n{endings[how]}\n")
    configure(
        project, "parallel = True", "sigterm = True" if how == "sigterm" else f"patch = {how}"
    )
    done = project.coverage("run", "main.py")
    assert done.returncode == {"_exit": 3, "execv": 0, "sigterm": -signal.SIGTERM}[how]
    assert project.coverage("combine").returncode == 0
    assert 2 in project.lines("lib.py")
    assert (8 in project.lines("lib.py")) == (how == "execv")


def test_an_owner_that_is_killed_leaves_its_segment(project: Project) -> None:
    """Where there is no keeper."""
    project.write("main.py", "import os\nos.kill(os.getpid(), 9)\n")
    configure(project)
    with (project.folder / ".coveragerc").open("a") as file:
        file.write("[shmcov]\nkeeper = no\n")
    env = {**project.env, "SHMCOV_DIR": str(project.folder / "segments")}
    done = project.coverage("run", "main.py", env=env)
    assert done.returncode == -signal.SIGKILL
    (segment,) = (project.folder / "segments").glob("run-*")
    assert project.shmcov("salvage", segment).returncode == 0
    assert project.lines("main.py") == [1, 2]


def test_a_child_that_outlives_the_save(project: Project) -> None:
    """multiprocessing waits for its children when coverage.py has saved already."""
    project.write(
        "main.py",
        """
        import multiprocessing, time
        def work():
            time.sleep(0.5)
            return "done"
        if __name__ == "__main__":
            multiprocessing.get_context("fork").Process(target=work).start()
        """,
    )
    for settings in ((), ("parallel = True",)):
        configure(project, *settings)
        (project.folder / ".coverage").unlink(missing_ok=True)
        done = project.coverage("run", "main.py")
        assert (done.returncode, done.stderr) == (0, "")
        assert len(project.data_files()) == 1
        if settings:
            assert project.coverage("combine").returncode == 0
        assert project.missing("main.py") == []


def test_coverage_py_that_it_does_not_know(project: Project) -> None:
    project.write(
        "main.py",
        "import subprocess, sys\nsubprocess.run([sys.executable, 'child.py'], check=True)\n",
    )
    project.write("child.py", "x = 1\n")
    configure(project)
    project.write(
        "run.py",
        """
        import sys, coverage.collector, coverage.cmdline
        coverage.collector.Collector.has_begun = coverage.collector.Collector._start_tracer
        del coverage.collector.Collector._start_tracer
        coverage.collector.Collector.__getattr__ = lambda self, name: (
            self.has_begun if name == "_start_tracer" else object.__getattribute__(self, name))
        sys.exit(coverage.cmdline.main(["run", "main.py"]))
        """,
    )
    done = project.python("run.py", env=REFERENCE_CORE)
    assert done.returncode == 0
    assert "shmcov doesn't measure: it doesn't know coverage.py" in done.stderr
    assert "_start_tracer" in done.stderr
    assert done.stderr.count("\n") == 1
    assert project.data_files() == [".coverage"]
    assert project.lines("main.py") == [1, 2]
    assert project.lines("child.py") == [1]


@pytest.mark.parametrize(
    ("variable", "text", "says"),
    [
        ("SHMCOV_SIZE", "little", "takes a number of bytes"),
        ("SHMCOV_DIR", "/proc/nowhere", "No such file"),
    ],
)
def test_no_segment_can_be_made(project: Project, variable: str, text: str, says: str) -> None:
    """Then coverage.py measures all processes, with the lines for it or without them."""
    project.write("main.py", PROCESSES)
    project.write("lib.py", LIB)
    project.write("child.py", CHILD.replace("> 2", "> 0"))
    for lines in ((), ("concurrency = multiprocessing, thread", "patch = subprocess")):
        configure(project, *lines)
        done = project.coverage("run", "main.py", env={variable: text})
        assert done.returncode == 0
        assert "shmcov doesn't measure" in done.stderr
        assert says in done.stderr
        assert done.stderr.count("\n") == 1
        if lines:
            assert project.coverage("combine").returncode == 0
        assert project.data_files() == [".coverage"]
        assert len(project.missing("lib.py")) == 1


def test_a_plugin_for_contexts_is_left_to_coverage_py(project: Project) -> None:
    project.write(
        "switcher.py",
        """
        import coverage
        class Switcher(coverage.CoveragePlugin):
            def dynamic_context(self, frame):
                return frame.f_code.co_name if frame.f_code.co_name == "work" else None
        def coverage_init(reg, options):
            reg.add_dynamic_context(Switcher())
        """,
    )
    project.write("main.py", "def work():\n    return 1\nwork()\n")
    project.write(".coveragerc", "[run]\nplugins =\n    switcher\n    shmcov\n")
    done = project.coverage("run", "main.py", env={"PYTHONPATH": str(project.folder)})
    assert "plug-ins for dynamic contexts (switcher.Switcher) are not supported" in done.stderr
    assert measured(project)["main.py"]["contexts"]["2"] == ["work"]


def test_inside_shmcov_run(project: Project) -> None:
    """The object of the program delivers what it saw, and the run has everything."""
    project.write("lib.py", LIFE_LIB)
    configure(project, "source = .")
    project.write(
        "main.py",
        """
        import coverage, lib, sys
        lib.a()
        cov = coverage.Coverage()
        cov.start()
        lib.b()
        cov.stop()
        cov.save()
        data = cov.get_data()
        print(sorted(data.lines(next(p for p in data.measured_files() if "lib" in p))))
        lib.c()
        """,
    )
    done = project.shmcov("run", "main.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[1, 2, 4, 5, 7, 10]\n"
    assert project.lines("lib.py") == [1, 2, 4, 5, 7, 8, 10]
    assert project.data_files() == [".coverage"]


def test_append(project: Project) -> None:
    project.write(
        "main.py", "import sys\nif len(sys.argv) > 1:\n    print(1)\nelse:\n    print(2)\n"
    )
    configure(project)
    project.coverage("run", "main.py")
    assert project.missing("main.py") == [3]
    project.coverage("run", "-a", "main.py", "x")
    assert project.missing("main.py") == []
    project.coverage("run", "main.py", "x")
    assert project.missing("main.py") == [5]


def test_commands_that_only_report_make_no_segment(project: Project) -> None:
    project.write("main.py", "print(1)\n")
    configure(project)
    project.coverage("run", "main.py")
    broken = {"SHMCOV_SIZE": "little"}
    for command in (["report"], ["json"], ["xml"], ["debug", "sys"], ["combine", "--keep"]):
        done = project.coverage(*command, env=broken)
        assert "shmcov doesn't measure" not in done.stdout + done.stderr


def test_no_segment_is_left(project: Project) -> None:
    project.write("main.py", "print(1)\n")
    configure(project)
    folder = project.folder / "segments"
    project.coverage("run", "main.py", env={"SHMCOV_DIR": str(folder)})
    assert folder.exists()
    assert list(folder.iterdir()) == []


def test_many_objects_keep_few_segments(project: Project) -> None:
    project.write("lib.py", LIFE_LIB)
    configure(project)
    project.write(
        "many.py",
        """
        import coverage, lib, os
        lines = []
        for n in range(40):
            cov = coverage.Coverage(data_file=None)
            cov.start(); lib.a(); cov.stop()
            data = cov.get_data()
            lines += [sorted(data.lines(path)) for path in data.measured_files() if "lib" in path]
        print(len(os.listdir("segments")), lines == [[2]] * 40)
        """,
    )
    done = project.python("many.py", env={"SHMCOV_DIR": str(project.folder / "segments")})
    count, right = done.stdout.split()
    assert right == "True", done.stderr
    assert int(count) < 12
    assert list((project.folder / "segments").iterdir()) == []


def test_a_segment_that_somebody_removed(project: Project) -> None:
    project.write(
        "main.py",
        "import os, _shmcov\nos.unlink(_shmcov.attached())\nprint('ran')\n",
    )
    configure(project)
    done = project.coverage("run", "main.py")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "(segment-removed)" in done.stderr
    assert project.lines("main.py") == [1, 2, 3]


def test_save_signal(project: Project) -> None:
    project.write(
        "main.py",
        """
        import lib, pathlib, time
        lib.a()
        pathlib.Path("ready").write_text("yes\\n")
        while not pathlib.Path("go").exists():
            time.sleep(0.02)
        lib.b()
        """,
    )
    project.write("lib.py", LIFE_LIB)
    configure(project)
    popen = subprocess.Popen(
        [sys.executable, "-m", "coverage", "run", "--save-signal=USR1", "main.py"],
        cwd=project.folder,
        env={**project.env, **REFERENCE_CORE},
        stdout=subprocess.PIPE,
    )
    project.wait_for("ready")
    popen.send_signal(signal.SIGUSR1)
    wait_until(lambda: (project.folder / ".coverage").exists())
    wait_until(lambda: 2 in project.lines("lib.py"))
    assert 5 not in project.lines("lib.py")
    project.write("go", "")
    popen.communicate()
    assert 5 in project.lines("lib.py")


# -- programs that combine the files of their children themselves --

COMBINES = """
    import multiprocessing, os, sys
    import coverage

    SHAPE = sys.argv[1]

    def work(n):
        mine = coverage.Coverage(data_suffix=True if SHAPE != "named" else f"child{n}")
        mine.start()
        import unit
        unit.f(n)
        mine.stop()
        mine.save()
        mine.save()

    def main():
        cov = coverage.Coverage(data_suffix=True if SHAPE == "all" else None)
        cov.start()
        fork = multiprocessing.get_context("fork")
        children = [fork.Process(target=work, args=(n,)) for n in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        cov.stop()
        cov.save()
        total = coverage.Coverage() if SHAPE == "all" else cov
        total.combine(strict=True)
        total.save()
        print(sorted(total.get_data().lines(os.path.abspath("unit.py"))))

    main()
"""

UNIT = """
    def f(n):
        if n == 2:
            return n
        return 0
"""


@pytest.mark.parametrize("branch", ["false", "true"])
@pytest.mark.parametrize("shape", ["all", "children", "named"])
def test_a_program_that_combines(project: Project, shape: str, branch: str) -> None:
    """nose2's plug-in does so: only the children have a suffix, and there must be a file."""
    project.write("runner.py", COMBINES)
    project.write("unit.py", UNIT)
    found = []
    for plugins in ("", "shmcov"):
        project.write(".coveragerc", f"[run]\nsource = .\nbranch = {branch}\nplugins = {plugins}\n")
        core = {} if plugins else REFERENCE_CORE
        done = project.python("runner.py", shape, env=core)
        assert done.returncode == 0, done.stderr
        found.append((done.stdout, project.report()["unit.py"], project.data_files()))
        for name in project.data_files():
            (project.folder / name).unlink()
    assert found[0] == found[1]
    assert found[0][0] == "[1, 2, 3, 4]\n"
