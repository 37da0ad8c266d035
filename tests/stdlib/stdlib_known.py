# SPDX-License-Identifier: Apache-2.0
"""CPython's tests that cannot pass while breakpoints measure, and why; and which are the heaviest.

A pattern is a test's name in which `*` stands for anything.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """Tests that fail for one reason; in all modes, or in those that are named."""

    reason: str
    patterns: tuple[str, ...]
    modes: tuple[str, ...] = ()

    def matches(self, file: str, mode: str, test: str) -> bool:
        if self.modes and mode not in self.modes:
            return False
        return any(fnmatch.fnmatchcase(test or file, pattern) for pattern in self.patterns)


KNOWN: tuple[Known, ...] = (
    Known(
        "looks at the instructions in memory (adaptive=True), where the breakpoints stand",
        ("test.test_dis.*.test_show_caches", "test.test_dis.*.test_super_instructions"),
    ),
    Known(
        "counts events of a trace function while sites come on again in the frame that is traced",
        ("test.test_patma.TestTracing.*", "test.test_sys_settrace.*"),
        ("switched", "switched-branches"),
    ),
    Known(
        "counts events of a trace function: a way of a branch first leads over a pad",
        (
            "test.test_patma.TestTracing.*",
            "test.test_sys_settrace.SkipLineEventsTraceTestCase"
            ".test_no_line_event_after_creating_generator",
        ),
        ("branches",),
    ),
    Known(
        "expects constants of two code objects to be the same object",
        ("test.test_compile.TestSpecifics.test_merge_constants",),
    ),
)

# Many code objects of many shapes in little time: what takes long because it waits is not here.
HEAVIEST = (
    "test_argparse",
    "test_ast",
    "test_buffer",
    "test_builtin",
    "test_code",
    "test_collections",
    "test_compile",
    "test_contextlib",
    "test_coroutines",
    "test_dataclasses",
    "test_descr",
    "test_dis",
    "test_enum",
    "test_exceptions",
    "test_fractions",
    "test_functools",
    "test_generators",
    "test_grammar",
    "test_inspect",
    "test_itertools",
    "test_marshal",
    "test_patma",
    "test_peepholer",
    "test_scope",
    "test_statistics",
    "test_sys_settrace",
    "test_traceback",
    "test_typing",
    "test_unpack_ex",
    "test_with",
)
