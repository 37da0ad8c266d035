# SPDX-License-Identifier: Apache-2.0
"""Write down which tests each process runs, and run those of one process again.

A plug-in of pytest (`-p split`), also in workers of pytest-xdist. `of_unittest` does the same for
unittest. TESTS_WRITE names a folder, which gets a file for each process; TESTS_READ such a file.

With either, cyclic garbage is not collected, as what is then finalized would run in the context of
whatever test comes along.
"""

import gc
import os
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WRITE = os.environ.get("TESTS_WRITE")
READ = os.environ.get("TESTS_READ")
CHOSEN = {
    name: place for place, name in enumerate(Path(READ).read_text().splitlines() if READ else ())
}

if WRITE is not None or READ is not None:
    gc.disable()


def runs(name: str) -> None:
    if WRITE:
        with Path(WRITE, str(os.getpid())).open("a") as file:
            file.write(f"{name}\n")


def pytest_runtest_protocol(item: Any) -> None:
    runs(ascii(item.nodeid))


def pytest_collection_modifyitems(items: list[Any]) -> None:
    if READ:
        chosen = [item for item in items if ascii(item.nodeid) in CHOSEN]
        items[:] = sorted(chosen, key=lambda item: CHOSEN[ascii(item.nodeid)])


def of_unittest() -> None:
    """Django's tests are handed out by class, in the order in which one process runs them."""
    run, members = unittest.TestCase.run, unittest.BaseTestSuite.__iter__

    def run_told(self: Any, result: Any = None) -> Any:
        runs(self.id())
        return run(self, result)

    def chosen(self: Any) -> Iterator[Any]:
        for test in members(self):
            if not isinstance(test, unittest.TestCase) or test.id() in CHOSEN:
                yield test

    if WRITE:
        unittest.TestCase.run = run_told  # type: ignore[method-assign]
    if READ:
        unittest.BaseTestSuite.__iter__ = chosen  # type: ignore[method-assign]
