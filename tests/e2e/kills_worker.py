# SPDX-License-Identifier: Apache-2.0
"""What a worker of test_kills.py runs: at one of the calls of step() its process ends."""

import contextlib
import threading

from ends import after_join, join, step


def count():
    for number in range(3):
        if step():
            yield number
        else:
            yield -number


def risky(fails):
    step()
    if fails:
        step()
        raise ValueError(fails)
    return step()


@contextlib.contextmanager
def held():
    step()
    try:
        yield step()
    finally:
        step()


class Thing:
    step()
    one_line = lambda self: step()  # noqa: E731

    def __enter__(self):
        step()
        return self

    def __exit__(self, *error):
        step()
        return True


def match(value):
    match value:
        case 1 if step():
            step()
        case [first, *_] if first:
            step()
        case _:
            step()


def work():
    step()
    total = sum(n for n in count())
    for fails in (False, True):
        try:
            risky(fails)
        except ValueError:
            step()
        else:
            step()
        finally:
            step()
    with held():
        step()
    with Thing() as thing:
        thing.one_line()
        raise RuntimeError
    while total < 6:
        total += 1
        if total % 2:
            continue
        step()
    thread = threading.Thread(target=after_join, args=(match, [1, 2]))
    thread.start()
    join(thread)
    match(1)
    [step() for _ in range(3) if _]
    step() if total else None
    step()
