# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - programs, in as few lines as they can be read in
"""What a program can see of the breakpoints in it: it says the same of itself bare and measured.

What differs for a reason is a test of its own at the end, so that the list is complete
(docs/breakpoints.md, "What a program can see").
"""

from __future__ import annotations

import re
import textwrap

import pytest
from project_support import Project, with_ctrace

pytestmark = with_ctrace

BREAKPOINTS = {"SHMCOV_TRACER": "breakpoints"}

# Lines that ran and lines that did not, loops, handlers, suspended frames, code within code.
PROGRAM = """
    import sys, types

    def plain(n):
        if n < 0:
            return -1
        total = 0
        for i in range(n):
            if i == 2:
                continue
            total += i
        return total

    def handled(n):
        try:
            return 1 // n
        except ZeroDivisionError as error:
            return None
        finally:
            n = 3

    def numbers(n):
        for i in range(n):
            got = yield i
            if got:
                yield [
                    k
                    for k in range(i)
                ]

    def outer():
        seen = 0
        def inner(by=1):
            nonlocal seen
            seen += by
            return seen
        class Local:
            size = 3
            def grow(self):
                return self.size
        return inner, Local, lambda: (
            seen
        )

    def long(n):
        if n:
    LONG
        return n

    suspended = numbers(3)
    next(suspended)
    inner, Local, last = outer()
    # long() is laid out anew, with other offsets.
    used = [plain, handled, numbers, outer, inner, Local.grow, last]
    some = lambda: [plain(4), handled(0), handled(1), inner(), Local().grow(), last(), long(1)]
    def once(events):
        #With branches, a line may have a second event when a way of a branch is first taken.
        return [e for n, e in enumerate(events) if not BRANCH or not n or events[n - 1] != e or e[1] != "line"]
""".replace("    LONG\n", "".join(f"            x{n} = n, {n}\n" for n in range(120)))

LOOKS = {
    "attributes": """
        for f in used:
            code = f.__code__
            for name in sorted(dir(code)):
                if name.startswith(("co_", "_varname")) and name not in ("co_stacksize", "co_lines", "co_positions",
                        "co_filename", "_varname_from_oparg"):
                    value = getattr(code, name)
                    if name == "co_consts":
                        value = [v.co_name if isinstance(v, types.CodeType) else v for v in value]
                    print(f.__name__, name, value)
            print(list(code.co_lines()), list(code.co_positions()))
    """,
    "dis": """
        import dis, io
        for f in used:
            text = io.StringIO()
            dis.dis(f, file=text)
            print([line for line in text.getvalue().splitlines() if "code object" not in line])
            print([line for line in dis.code_info(f).splitlines() if not line.startswith("Stack size")])
            print(list(dis.findlinestarts(f.__code__)), dis.stack_effect(1))
    """,
    "inspect": """
        import inspect
        for f in used:
            print(inspect.getsource(f), inspect.signature(f), inspect.getsourcelines(f)[1])
            print(inspect.getfullargspec(f))
        print(inspect.getclosurevars(inner), inspect.getgeneratorstate(suspended), inspect.getgeneratorlocals(suspended))
    """,
    "tracebacks": """
        import traceback
        def fail(n):
            if n:
                fail(n - 1)
            value = [
                1,
                n / 0,
            ]
        for _ in range(3):
            try:
                fail(2)
            except ZeroDivisionError as error:
                trace = error.__traceback__
                print(traceback.format_exc())
                while trace:
                    inside = trace.tb_frame.f_code.co_name != "<module>" # which is long
                    print(trace.tb_lineno, trace.tb_frame.f_lineno, inside and (trace.tb_lasti, trace.tb_frame.f_lasti))
                    trace = trace.tb_next
        def deep(generator):
            yield from generator
        try:
            list(deep(n / 0 for n in range(3)))
        except ZeroDivisionError:
            print(traceback.format_exc())
    """,
    "last_instruction": """
        def here():
            frame = sys._getframe(1)
            return frame.f_lasti, frame.f_lineno
        def calls(n):
            if n:
                print(here())
            print(here(), [here() for _ in range(3)],
                  here())
            return here()
        for _ in range(20):
            print(calls(_ % 2))
        g = numbers(5)
        for _ in range(7):
            print(g.gi_frame and (g.gi_frame.f_lasti, g.gi_frame.f_lineno), next(g, None), g.gi_frame and g.gi_frame.f_lasti)
    """,
    "equality": """
        import copy
        for f in used:
            code = f.__code__
            same = [code.replace(), code.replace(co_name=code.co_name), copy.copy(code), copy.deepcopy(code)]
            print([code == other for other in same], [other == code for other in same])
            print([hash(code) == hash(other) for other in same], code != same[0], code == 1, code.__eq__(same[0]))
            print(code == code.replace(co_name="other"), len({code, *same}), code in {same[0]: 1})
            print({code: 1}[same[0]], [g.__name__ for g in used if g.__code__ == code])
        print(compile("def plain(): pass", "x", "exec") == compile("def plain(): pass", "x", "exec"))
        one = compile("def f():\\n  return 1\\nf()\\n", PATH, "exec")
        two = compile("def f():\\n  return 1\\nf()\\n", PATH, "exec")
        space = {}
        exec(one, space)
        print(one == two, hash(one) == hash(two), one.co_consts[0] == two.co_consts[0], space["f"].__code__ == two.co_consts[0])
    """,
    "marshal": """
        import marshal, pickle, hashlib
        for f in used:
            code = f.__code__
            loaded = marshal.loads(marshal.dumps(code))
            print(loaded == code, loaded.co_code == code.co_code, loaded.co_consts == code.co_consts)
            print(pickle.loads(pickle.dumps(f)) is f if f in (plain, handled, numbers) else None)
            run = types.FunctionType(loaded, globals(), closure=f.__closure__)
            print(run.__code__ == code)
        print(types.FunctionType(marshal.loads(marshal.dumps(plain.__code__)), {"range": range})(5))
    """,
    "rebuilt": """
        code = plain.__code__
        again = types.CodeType(code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_nlocals,
            code.co_stacksize, code.co_flags, code.co_code, code.co_consts, code.co_names, code.co_varnames,
            code.co_filename, code.co_name, code.co_qualname, code.co_firstlineno, code.co_linetable,
            code.co_exceptiontable, code.co_freevars, code.co_cellvars)
        print(again == code, types.FunctionType(again, globals())(6))
        plain.__code__ = again
        print(plain(3), plain.__code__ == code, plain.__code__.co_code == again.co_code)
    """,
    "trace_function": """
        def trace(frame, event, arg):
            if frame.f_code.co_name in ("plain", "handled", "numbers", "grow", "<listcomp>", "<lambda>"):
                events.append((frame.f_code.co_name, event, frame.f_lineno, arg if event == "return" else None))
                return trace
        for _ in range(3):
            events = []
            sys.settrace(trace)
            plain(4), handled(0), list(numbers(3)), some()
            sys.settrace(None)
            print(once(events))
    """,
    "trace_function_from_the_start": """
        def trace(frame, event, arg):
            events.append((frame.f_code.co_name, event, frame.f_lineno))
            return trace
        events = []
        sys.settrace(trace)
        def fresh(n):
            for i in range(n):
                if i:
                    try:
                        raise KeyError
                    except KeyError:
                        pass
                else:
                    with open("program.py") as file:
                        break
            while n:
                n -= 1
            match n:
                case 1:
                    return 3
                case 0:
                    return [k
                            for k in range(2)]
        fresh(3), fresh(1), fresh(0)
        sys.settrace(None)
        print(once([e for e in events if e[0] in ("fresh", "<listcomp>")]))
    """,
    "jumps_of_a_debugger": """
        def jump(frame, event, arg):
            if event == "line" and frame.f_code.co_name == "jumped" and frame.f_lineno == first + 2 and not done:
                done.append(1)
                frame.f_lineno = first + 4
            return jump
        def jumped():
            a = 1
            a = 2
            a = 3
            a += 4
            return a
        first = jumped.__code__.co_firstlineno
        for _ in range(3):
            done = []
            sys.settrace(jump)
            got = jumped()
            sys.settrace(None)
            print(got)
    """,
    "profile_function": """
        events = []
        def profile(frame, event, arg):
            events.append((frame.f_code.co_name, event, frame.f_lineno, getattr(arg, "__name__", None) if "c_" in event else None))
        for _ in range(2):
            sys.setprofile(profile)
            some(), plain(4), list(numbers(3))
            sys.setprofile(None)
        print(events)
    """,
    "cprofile": """
        import cProfile, pstats, io
        profile = cProfile.Profile()
        profile.enable()
        for _ in range(3):
            some()
        profile.disable()
        print(sorted((key[1:], row[:2]) for key, row in pstats.Stats(profile).stats.items()))
    """,
    "debugger": """
        import pdb, io
        commands = io.StringIO("b plain\\nc\\nn\\nn\\np n\\ns\\nw\\nc\\nc\\n")
        said = io.StringIO()
        debugger = pdb.Pdb(stdin=commands, stdout=said, nosigint=True, readrc=False)
        debugger.use_rawinput = False
        debugger.runcall(lambda: [plain(3), handled(1)])
        print(said.getvalue())
    """,
    "collector": """
        import gc, weakref
        def make():
            def passing():
                if 1:
                    return 2
                return 3
            passing()
            return weakref.ref(passing), weakref.ref(passing.__code__)
        pair = make()
        gc.collect()
        print([one() for one in pair])
        print([type(x).__name__ for x in gc.get_referents(plain)], gc.is_tracked(plain.__code__))
        for f in used:
            code = f.__code__
            assert len(code.co_consts) == len(list(iter(code.co_consts))) == code.co_consts.__len__()
            print([type(x).__name__ for x in code.co_consts + (1,)], sys.getsizeof(code.co_consts))
    """,
    "threads": """
        import threading
        def work(n, results):
            for _ in range(50):
                results.append((plain(n), handled(n), [x for x in numbers(n)], outer()[0]()))
        results = [[] for _ in range(4)]
        threads = [threading.Thread(target=work, args=(n, results[n])) for n in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print([len(r) for r in results], results[3][0], all(r == r[:1] * 50 for r in results))
    """,
    "signals": """
        import signal
        caught = []
        signal.signal(signal.SIGALRM, lambda number, frame: caught.append(frame.f_lasti % 2))
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for n in range(300):
            def often(n):
                total = 0
                for i in range(n):
                    if i % 2:
                        total += i
                    else:
                        total -= 1
                return total
            assert often(40) == 380, n
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(set(caught) <= {0})
    """,
}


def said(project: Project, look: str, **kwargs: str) -> tuple[str, str]:
    branch = kwargs.pop("branch")
    # Before anything ran, after some ran, after all of it did.
    body = textwrap.dedent(LOOKS[look]).replace("PATH", "__file__")
    text = (
        textwrap.dedent(PROGRAM).replace("BRANCH", repr(branch))
        + body
        + "some()\n"
        + body
        + "some()\n" * 20
        + body
    )
    project.write("program.py", text)
    if not kwargs:
        done = project.python("program.py")
    else:
        options = ["--branch"] if branch else []
        done = project.shmcov("run", "--source=.", *options, "program.py", env=kwargs)
    assert done.returncode == 0, done.stderr
    return re.sub(r"0x[0-9a-f]+", "0x", done.stdout), done.stderr


@pytest.mark.parametrize("branch", ["", "1"], ids=["lines", "branches"])
@pytest.mark.parametrize("look", LOOKS)
def test_it_looks_the_same(project: Project, look: str, branch: str) -> None:
    if branch and look == "debugger":
        pytest.skip("it stops at a line a second time: once() in the program says why")
    assert said(project, look, branch=branch, **BREAKPOINTS) == said(project, look, branch=branch)
