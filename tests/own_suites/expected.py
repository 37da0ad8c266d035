# SPDX-License-Identifier: Apache-2.0
"""The tests of coverage.py and pytest-cov that cannot hold for shmcov, and why.

A pattern is a node id in which `*` stands for anything. A test that is listed and passes is an
error as well, so that the list says no more than it must; `sometimes` is for tests whose outcome
depends on timing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    """Tests that fail for one reason, since a version of coverage.py and of Python."""

    reason: str
    patterns: tuple[str, ...]
    since: tuple[int, ...] = (7, 10)
    python: tuple[int, int] = (3, 11)
    sometimes: bool = False

    def matches(self, test: str) -> bool:
        return any(
            re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), test, re.DOTALL)
            for pattern in self.patterns
        )


EXPECTED: dict[str, tuple[Expected, ...]] = {
    "coverage": (
        Expected(
            "asks which of coverage.py's own cores is in use",
            (
                "tests/test_core.py::CoverageCoreTest::test_core_default",
                "tests/test_core.py::CoverageCoreTest::test_core_request_*",
                "tests/test_process.py::CoverageCoreTest::test_core_*",
                "tests/test_debug.py::DebugTraceTest::test_debug_sys",
                "tests/test_debug.py::DebugOutputTest::*",
                "tests/test_process.py::ProcessTest::test_timid",
            ),
        ),
        Expected(
            "looks at the trace function, and there is none",
            (
                "tests/test_concurrency.py::test_coverage_stop_in_threads",
                "tests/test_oddball.py::GettraceTest::test_setting_new_trace_function",
                "tests/test_process.py::ProcessTest::test_warning_trace_function_changed",
            ),
        ),
        Expected(
            "looks at coverage.py's cache of decisions, which does not contain ours",
            ("tests/test_collector.py::CollectorTest::test_should_trace_cache",),
        ),
        Expected(
            "counts the data files of processes, and there is one for all",
            (
                "tests/test_concurrency.py::MultiprocessingTest::test_multiprocessing_simple[*",
                "tests/test_concurrency.py::MultiprocessingTest::test_multiprocessing_append[*",
                "tests/test_concurrency.py::MultiprocessingTest::test_multiprocessing_and_gevent[*",
                "tests/test_process.py::ProcessTest::test_fork",
            ),
        ),
        Expected(
            "uses two configurations and expects the child's data in the file of the one that does "
            "not measure; it is in the file of the other, and there is nothing to combine",
            (
                "tests/test_process.py::ProcessStartupTest"
                "::test_subprocess_with_pth_files_and_parallel",
            ),
        ),
        Expected(
            "wants multiprocessing to be patched, which is not needed",
            (
                "tests/test_concurrency.py::ConcurrencyTest::test_multiprocessing_needs_config_file",
                "tests/test_concurrency.py::MultiprocessingTest"
                "::test_multiprocessing_bootstrap_error_handling",
            ),
        ),
        Expected(
            "wants to see coverage.py decide about files, which the C code does",
            (
                "tests/test_debug.py::DebugTraceTest::test_debug_trace",
                "tests/test_debug.py::DebugTraceTest::test_debug_trace_pid",
            ),
        ),
        Expected(
            "expects to lose the data of a process that is killed or ends by os._exit",
            (
                "tests/test_concurrency.py::SigtermTest"
                "::test_sigterm_multiprocessing_saves_data[False]",
                "tests/test_process.py::ProcessTest::test_os_exit[False]",
            ),
        ),
        Expected(
            "looks at how coverage.py starts itself again in a forked process",
            ("tests/test_process.py::ProcessTest::test_patch_fork_after_stop",),
            since=(7, 11),
        ),
    ),
    "pytest-cov": (),
}
