# SPDX-License-Identifier: Apache-2.0
"""Which test ran which line: the same contexts on the same lines as under ctrace."""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import Any

import coverage
import pytest
from project_support import REFERENCE_CORE, Project

LIBRARY = """
    def add(a, b):
        return a + b

    def branchy(x):
        if x:
            r = 1
        else:
            r = 2
        return r

    def one(x): return x

    def two(
        x): return x

    class C:
        value = property(lambda self: 3)

        @staticmethod
        def static(): return 1

    def gen(n):
        for i in range(n):
            yield i
        yield n

    def fails():
        raise ValueError("on purpose")

    def comprehension(n):
        return [x for x in range(n) if x % 2]

    async def pause(n):
        import asyncio
        await asyncio.sleep(0)
        async for i in agen(n):
            add(i, i)
        return n

    async def agen(n):
        for i in range(n):
            yield i
"""

UNITTESTS = """
    import asyncio
    import unittest
    import lib

    class Base(unittest.TestCase):
        def setUp(self):
            lib.one(0)
        def test_inherited(self):
            self.assertEqual(lib.add(1, 2), 3)

    class Derived(Base):
        def test_one(self):
            lib.branchy(1); lib.one(1); lib.two(2)
        def test_two(self):
            lib.branchy(0)
            self.assertEqual(list(lib.gen(3)), [0, 1, 2, 3])
        def test_unwinds(self):
            lib.fails()
        def test_expected(self):
            with self.assertRaises(ValueError):
                lib.fails()
        def test_skipped(self):
            self.skipTest("no reason")
        def test_a_loop(self):
            for i in range(2000):
                lib.branchy(i % 2)
            lib.comprehension(1000)
        def test_after_the_loop(self):
            lib.branchy(1)
            lib.comprehension(3)
        def test_nested(self):
            test_function()
            lib.C().value
        def runTest(self):
            lib.C.static()

    class Async(unittest.IsolatedAsyncioTestCase):
        async def test_async(self):
            await lib.pause(3)
        async def test_task(self):
            await asyncio.gather(lib.pause(1), lib.pause(2))

    def test_function():
        lib.add(0, 0)

    def test_generator():
        yield lib.add(1, 1)
        yield lib.one(1)

    class Plain:
        @staticmethod
        def test_static():
            lib.add(2, 2)
        @classmethod
        def test_class(cls):
            lib.one(4)

    def outer():
        def test_nested():
            lib.branchy(2)
        test_nested()

    if __name__ == "__main__":
        test_function()
        list(test_generator())
        Plain.test_static()
        Plain.test_class()
        outer()
        suite = unittest.defaultTestLoader.loadTestsFromModule(__import__("__main__"))
        suite.addTest(Derived())
        unittest.TextTestRunner(stream=open("unittest.log", "w")).run(suite)
"""

PYTESTS = """
    import pytest
    import lib

    @pytest.fixture
    def fixture():
        lib.one(3)
        yield 4
        list(lib.gen(1))

    @pytest.fixture(scope="module", autouse=True)
    def module():
        lib.add(1, 1)
        yield
        lib.one(2)

    def test_a(fixture):
        lib.add(1, fixture)

    def test_b():
        for i in range(3000):
            lib.branchy(i % 2)

    def test_c():
        lib.branchy(1)
        with pytest.raises(ValueError):
            lib.fails()

    @pytest.mark.parametrize("x", [0, 1])
    def test_d(x):
        list(lib.gen(x))
        lib.branchy(x)

    class TestInClass:
        def setup_method(self):
            self.it = iter(lib.gen(2))
        def test_e(self):
            next(self.it)
            list(self.it)
"""


def differences(expected: dict[str, Any], actual: dict[str, Any]) -> list[str]:
    found = []
    for name in sorted(expected.keys() | actual.keys()):
        if name not in expected or name not in actual:
            found.append(f"{name} is only in one report")
            continue
        theirs, ours = expected[name]["contexts"], actual[name]["contexts"]
        for line in sorted(theirs.keys() | ours.keys(), key=int):
            missed = set(theirs.get(line, ())) - set(ours.get(line, ()))
            extra = set(ours.get(line, ())) - set(theirs.get(line, ()))
            if missed or extra:
                found.append(f"{name}:{line} misses {sorted(missed)}, has {sorted(extra)} besides")
        for key in ("executed_lines", "missing_lines", "executed_branches", "missing_branches"):
            if expected[name].get(key) != actual[name].get(key):
                found.append(f"{name} {key}: {expected[name].get(key)}, {actual[name].get(key)}")
    return found


def configure(project: Project, *, branch: bool, more: str = "") -> None:
    project.write("lib.py", LIBRARY)
    project.write(".coveragerc", f"[run]\nbranch = {branch}\nsource = .\n{more}")


@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branch"])
@pytest.mark.parametrize("static", ["", "context = stat\n"], ids=["", "static"])
def test_test_functions(project: Project, branch: bool, static: str) -> None:
    configure(project, branch=branch, more=f"dynamic_context = test_function\n{static}")
    project.write("tests.py", UNITTESTS)
    ours = project.shmcov("run", "tests.py")
    assert ours.returncode == 0, ours.stderr
    actual = project.report()
    theirs = project.coverage("run", "--data-file", "theirs", "tests.py")
    assert theirs.returncode == 0, theirs.stderr
    assert not differences(project.report("theirs"), actual)
    names = {name for names in actual["lib.py"]["contexts"].values() for name in names}
    prefix = "stat|" if static else ""
    assert f"{prefix}__main__.Derived.test_after_the_loop" in names


@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branch"])
@pytest.mark.parametrize("announced", [False, True], ids=["late", "announced"])
def test_pytest_in_xdist_workers(project: Project, branch: bool, announced: bool) -> None:
    configure(project, branch=branch)
    project.write("test_it.py", PYTESTS)
    plain = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    options = ("--shm-contexts",) if announced else ()
    ours = project.shmcov(
        "run", *options, *plain, "-n", "2", "--dist", "loadfile", "--shmcov-context=test"
    )
    assert ours.returncode == 0, ours.stdout + ours.stderr
    actual = project.report()
    theirs = project.python(
        *plain,
        "--cov=.",
        "--cov-context=test",
        "--cov-report=",
        env={**REFERENCE_CORE, "COVERAGE_FILE": "theirs"},
    )
    assert theirs.returncode == 0, theirs.stdout + theirs.stderr
    assert not differences(project.report("theirs"), actual)


def test_threads_have_contexts_of_their_own(project: Project) -> None:
    configure(project, branch=True)
    project.write(
        "prog.py",
        """
        import threading
        import lib
        import shmcov

        ready, go = threading.Barrier(2), threading.Event()

        def first():
            shmcov.switch_context("first")
            ready.wait()
            for i in range(5000):
                lib.branchy(1)
            go.set()

        def second():
            shmcov.switch_context("second")
            ready.wait()
            lib.branchy(0)
            go.wait()
            lib.branchy(0)
            lib.branchy(1)
            lib.add(1, 1)

        shmcov.switch_context("main")
        threads = [threading.Thread(target=f) for f in (first, second)]
        for t in threads: t.start()
        for t in threads: t.join()
        lib.one(1)
        """,
    )
    done = project.shmcov("run", "--shm-contexts", "prog.py")
    assert done.returncode == 0, done.stderr
    contexts = project.report()["lib.py"]["contexts"]
    assert set(contexts["2"]) == {"second"}  # add
    assert set(contexts["6"]) == {"first", "second"}  # branchy, taken
    assert set(contexts["8"]) == {"second"}  # branchy, not taken
    assert set(contexts["11"]) == {"", "main"}  # one: its def, and a call on the main thread


@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branch"])
def test_what_a_test_has_other_threads_do_counts_for_it(project: Project, branch: bool) -> None:
    configure(project, branch=branch, more="dynamic_context = test_function\n")
    project.write(
        "prog.py",
        """
        import threading
        from concurrent.futures import ThreadPoolExecutor
        import lib

        pool = ThreadPoolExecutor(1)
        pool.submit(lib.one, 1).result()

        def test_starts_a_thread():
            thread = threading.Thread(target=lib.branchy, args=(0,))
            thread.start()
            thread.join()
            pool.submit(lib.add, 1, 1).result()

        def test_uses_the_pool():
            for i in range(2000):
                pool.submit(lib.branchy, i % 2).result()
            pool.submit(lib.add, 1, 1).result()

        def test_uses_it_after_many_lines():
            pool.submit(lib.branchy, 1).result()

        test_starts_a_thread()
        pool.submit(lib.C.static).result()
        test_uses_the_pool()
        test_uses_it_after_many_lines()
        pool.submit(lib.comprehension, 1).result()
        """,
    )
    ours = project.shmcov("run", "prog.py")
    assert ours.returncode == 0, ours.stderr
    actual = project.report()
    theirs = project.coverage("run", "--data-file", "theirs", "prog.py")
    assert theirs.returncode == 0, theirs.stderr
    assert not differences(project.report("theirs"), actual)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")
def test_other_tools_keep_what_they_disabled(project: Project) -> None:
    configure(project, branch=False)
    project.write(
        "prog.py",
        """
        import sys
        import lib
        import shmcov

        monitoring = sys.monitoring
        monitoring.use_tool_id(2, "other")
        seen = []

        def on_line(code, line):
            if code is lib.branchy.__code__:
                seen.append(line)
            return monitoring.DISABLE

        monitoring.register_callback(2, monitoring.events.LINE, on_line)
        monitoring.set_local_events(2, lib.branchy.__code__, monitoring.events.LINE)
        for n in range(5):
            shmcov.switch_context(f"number {n}")
            for _ in range(1000):
                lib.branchy(1)
        print(len(seen), len(set(seen)))
        """,
    )
    done = project.shmcov("run", "--shm-contexts", "prog.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "3"]
    assert set(project.report()["lib.py"]["contexts"]["6"]) == {f"number {n}" for n in range(5)}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")
@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branch"])
def test_a_debugger_that_comes_and_goes(project: Project, branch: bool) -> None:
    configure(project, branch=branch)
    project.write(
        "prog.py",
        """
        import sys
        import lib
        import shmcov

        seen = []

        def trace(frame, event, arg):
            if event == "line" and frame.f_code is lib.branchy.__code__:
                seen.append(frame.f_lineno)
            return trace

        for n in range(12):
            shmcov.switch_context(f"number {n}")
            sys.settrace(trace if n % 3 == 1 else None)
            for _ in range(3):
                lib.branchy(n % 2)
            sys.settrace(None)
            lib.comprehension(2)
        print(len(seen), len(set(seen)))
        """,
    )
    done = project.shmcov("run", "--shm-contexts", "prog.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["36", "4"]
    contexts = project.report()["lib.py"]["contexts"]
    assert set(contexts["5"]) == {f"number {n}" for n in range(12)}
    assert set(contexts["6"]) == {f"number {n}" for n in range(1, 12, 2)}
    assert set(contexts["8"]) == {f"number {n}" for n in range(0, 12, 2)}
    assert set(contexts["31"]) == {f"number {n}" for n in range(12)}


POLYMORPHIC = """
    import operator

    class A:
        __slots__ = ("value",)
        def __init__(self, value):
            self.value = value
        def __len__(self):
            return 3
        def __iter__(self):
            yield self.value
            yield self.value

    class B(A):
        __slots__ = ("__dict__",)
        @property
        def double(self):
            return self.value * 2

    def helper(x): return x

    def values(n):
        return [
            range(n), [n] * 5, (n, n), {n: 1}, A(n), B(float(n)), "text" * n,
            (helper(i) for i in range(n)),
        ]

    def work(n):
        total = 0
        for value in values(n):
            for item in value:
                if isinstance(item, str):
                    total += 1
                elif item > 2:
                    total += item
                else:
                    total -= 1
            total += \\
                len(value) if hasattr(value, "__len__") else 7
        things = [A(n), B(n), B(2.5)]
        for thing in things:
            helper(thing).value += n
            total += getattr(thing, "double", 0)
            (total, last) = (
                total + thing.value,
                thing,
            )
        pairs = [(x, y) for x in range(n % 4) for y in "ab"]
        while pairs:
            pairs.pop()
            try:
                total += operator.truediv(n, len(pairs))
            except ZeroDivisionError:
                total += 1
        return total
"""


@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branch"])
def test_specialised_code_is_told_and_goes_on_being_right(project: Project, branch: bool) -> None:
    """Restoring a site puts an opcode over one that the interpreter had specialised."""
    configure(project, branch=branch)
    project.write("poly.py", POLYMORPHIC)
    project.write(
        "prog.py",
        """
        import gc
        import poly
        try:
            from shmcov import switch_context
        except ImportError:
            switch_context = print

        for n in range(1, 400):
            switch_context(f"c{n % 5}" if n % 7 else "")
            for _ in range(1 + 40 * (n % 40 == 0)):
                result = poly.work(n % 9 + 1)
            if n % 50 == 0:
                poly.helper = lambda x: x
                poly.__dict__[f"new_{n}"] = 1
                gc.collect()
            print(n, result)
        """,
    )
    bare = project.python("prog.py")
    done = project.shmcov("run", "--shm-contexts", "prog.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == bare.stdout
    report = project.report()["poly.py"]
    assert not report["missing_lines"]
    first = (project.folder / "poly.py").read_text().splitlines().index("def work(n):") + 2
    found = {line: set(names) for line, names in report["contexts"].items() if int(line) >= first}
    assert len(found) > 20
    everywhere = {"", *(f"c{n}" for n in range(5))}
    assert all(names == everywhere for names in found.values()), found


def test_a_kill_leaves_the_contexts_of_what_ran(project: Project) -> None:
    configure(project, branch=False, more="dynamic_context = test_function\n")
    project.write(
        "prog.py",
        """
        import os, signal
        import lib

        def test_1(): lib.add(1, 1)
        def test_2(): lib.one(2)
        def test_3():
            lib.branchy(0)
            os.kill(os.getpid(), signal.SIGKILL)

        test_1(); test_2(); test_3()
        """,
    )
    done = project.shmcov("run", "prog.py")
    assert done.returncode == -9
    contexts = project.report()["lib.py"]["contexts"]
    assert contexts["2"] == ["__main__.test_1"]
    assert set(contexts["11"]) == {"", "__main__.test_2"}
    assert contexts["8"] == ["__main__.test_3"]


def test_reports_select_by_context(project: Project) -> None:
    configure(project, branch=False, more="dynamic_context = test_function\n")
    project.write("prog.py", "import lib\ndef test_x(): lib.add(1, 1)\ntest_x()\n")
    assert project.shmcov("run", "prog.py").returncode == 0
    only = project.shmcov("report", "--contexts=.*test_x", "--format=markdown")
    assert only.returncode == 0 and "lib.py" in only.stdout
    html = project.shmcov("html", "--show-contexts", "-q", "-d", "html")
    assert html.returncode == 0, html.stderr
    assert any("test_x" in page.read_text() for page in (project.folder / "html").glob("lib*"))


def test_switching_where_nobody_measures(project: Project) -> None:
    done = project.python("-c", "import shmcov; print(shmcov.switch_context('x'))")
    assert done.stdout == "False\n", done.stderr


SWALLOWERS = """
    def join(n, piece):
        text = ""
        for _ in range(n):
            text = (
                text
                + piece
            )
        return text

    def join_lines(n, piece):
        text = ""
        for _ in range(n):
            text \\
                += \\
                piece
        return text

    def the(items):
        return items

    def append(n):
        found = []
        for i in range(n):
            the(
                found
            ).append(i)
            (found
                .append
                (
                    i
            ))
        return len(found)

    def choose(n, piece):
        text = ""
        while n:
            n -= 1
            text = (
                text
                + (piece
                    if n % 2 else
                    "b")
            ) if n else (
                text
                + "c"
            )
        return text

    def both(n):
        found = []; text = ""
        for i in range(n):
            text = (
                text
                +
                "x"
            ); the(
                found
            ).append(text)
        return len(text) + len(found)
"""


@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branch"])
@pytest.mark.parametrize("sites", ["1", "0"], ids=["sites", "plain"])
def test_instructions_that_do_the_work_of_the_next_one(
    project: Project, branch: bool, sites: str
) -> None:
    """BINARY_OP and CALL are specialised to forms that skip what is behind them."""
    project.write("swallowers.py", SWALLOWERS)
    project.write(
        "prog.py",
        """
        import swallowers as lib

        def test_many(n=100):
            assert len(lib.join(n, "ab")) == 2 * n
            assert len(lib.join_lines(n, "ab")) == 2 * n
            assert lib.append(n) == 2 * n
            assert len(lib.choose(n, "a")) == n
            assert lib.both(n) == 2 * n

        def test_again(): test_many()
        def test_once(): test_many(1)
        def test_twice(): test_many(2)
        def test_none(): test_many(0)
        def test_last(): test_many(3)

        for n in range(3):
            test_many()
            test_again()
            test_once()
            lib.join(30, "ab")
            test_twice()
            test_none()
            test_last()
        """,
    )
    configure(project, branch=branch, more="dynamic_context = test_function\n")
    ours = project.shmcov("run", "prog.py", env={"SHMCOV_SITES": sites})
    assert ours.returncode == 0, ours.stderr
    actual = project.report()
    theirs = project.coverage("run", "--data-file", "theirs", "prog.py")
    assert theirs.returncode == 0, theirs.stderr
    assert not differences(project.report("theirs"), actual)


EACH_BRANCH = """
    def none(x):
        if x is None:
            x = 1
        while x is not None:
            x = None
        return x

    def truth(x, y):
        if x and not y:
            x = y
        if x or not y:
            return 1
        return 2

    def loop(n):
        for i in range(n):
            if i:
                continue
            n = 0
        else:
            n += 1
        return n

    async def waits(n):
        async for i in counts(n):
            n = i
        return n

    async def counts(n):
        for i in range(n):
            yield i
"""


@pytest.mark.parametrize("sites", ["1", "0"], ids=["sites", "plain"])
def test_each_kind_of_branch_is_told_in_every_context(project: Project, sites: str) -> None:
    """What is disabled in one context and not restored for the next is lost in that."""
    project.write("branches.py", EACH_BRANCH)
    project.write(
        "prog.py",
        """
        import asyncio
        from branches import loop, none, truth, waits

        def test_one(): none(None); truth(1, 0); loop(3); asyncio.run(waits(2))
        def test_two(): none(1); truth(0, 1); loop(0); asyncio.run(waits(0))
        def test_three(): none(None); none(2); truth(1, 1); loop(1); asyncio.run(waits(1))

        for _ in range(2):
            test_one()
            test_two()
            test_three()
        """,
    )
    configure(project, branch=True, more="dynamic_context = test_function\n")
    ours = project.shmcov("run", "--data-file=ours", "prog.py", env={"SHMCOV_SITES": sites})
    assert ours.returncode == 0, ours.stderr
    theirs = project.coverage("run", "--data-file=theirs", "prog.py")
    assert theirs.returncode == 0, theirs.stderr
    report = project.report("theirs")["branches.py"]
    possible = {(a, b) for a, b in report["executed_branches"] + report["missing_branches"]}
    expected = branches_by_context(project, "theirs", "branches.py", possible)
    assert branches_by_context(project, "ours", "branches.py", possible) == expected
    assert len(expected) > 3


def branches_by_context(
    project: Project, data_file: str, name: str, possible: set[tuple[int, int]]
) -> dict[str, set[tuple[int, int]]]:
    data = coverage.CoverageData(basename=str(project.folder / data_file))
    data.read()
    found = {}
    for context in data.measured_contexts():
        data.set_query_context(context)
        taken = set(data.arcs(str(project.folder / name)) or ())
        found[context] = taken & possible
    return found


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring came with 3.12")
@pytest.mark.parametrize("sites", ["1", "0"], ids=["sites", "plain"])
def test_what_holds(project: Project, sites: str) -> None:
    """CPython's structures are used where they can be; the environment turns that off."""
    configure(project, branch=True)
    project.write("prog.py", "import _shmcov\nprint(_shmcov.usable())\n")
    done = project.shmcov("run", "--shm-contexts", "prog.py", env={"SHMCOV_SITES": sites})
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    expected = (sites == "1", sites == "1" and not free_threaded)
    assert done.stdout.strip() == str(expected), done.stderr


MANY_CODES = """
    import gc
    import sys
    import weakref

    import shmcov

    SOURCE = '''
    def f(x):
        if x:
            return [y for y in range(x)]
        return 2

    def g(x):
        for y in range(x):
            yield y

    f(1)
    list(g(2))
    '''

    def resident():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def make():
        code = compile(SOURCE, __file__, "exec")
        exec(code, {})
        return weakref.ref(code)

    def make_and_drop(n):
        for _ in range(n):
            make()
        gc.collect()

    def test_many(n):
        first = [make() for _ in range(100)]
        make_and_drop(n)
        begin = resident()
        make_and_drop(n)
        print(sum(ref() is not None for ref in first), resident() - begin)

    mode, rounds = sys.argv[1], int(sys.argv[2])
    if mode == "switched":
        shmcov.switch_context("one")
    test_many(rounds)
    if mode == "switched":
        shmcov.switch_context("two")
        test_many(rounds)
"""


@pytest.mark.parametrize("branch", [False, True], ids=["lines", "branch"])
@pytest.mark.parametrize("mode", ["none", "test_function", "switched"])
@pytest.mark.parametrize(
    "sites", ["1", pytest.param("0", marks=pytest.mark.slow)], ids=["sites", "plain"]
)
def test_no_code_is_kept(project: Project, branch: bool, mode: str, sites: str) -> None:
    """A program that makes code and drops it does not grow, and its weak references die."""
    more = "dynamic_context = test_function\n" if mode == "test_function" else ""
    configure(project, branch=branch, more=more)
    project.write("prog.py", MANY_CODES)
    options = ("--shm-contexts",) if mode == "switched" else ()
    done = project.shmcov(
        "run", *options, "prog.py", mode, "5000", env={"SHMCOV_SITES": sites}, timeout=120
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        alive, grown = map(int, line.split())
        assert alive == 0
        # KiB, for three code objects in each of 5,000 rounds. CPython takes memory by the MiB, and
        # AddressSanitizer keeps what was freed.
        assert grown < 1024 + 120 or "asan" in os.environ.get("LD_PRELOAD", ""), done.stdout
