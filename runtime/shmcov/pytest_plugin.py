# SPDX-License-Identifier: Apache-2.0
"""A dynamic context for each test and phase, with pytest-cov's names; and `strict`.

Switched on by `--shmcov-context=test` or the setting `shmcov_context = test`. Each process switches
its own context, so the workers of pytest-xdist need no settings of their own. A test has three
contexts: `NODEID|setup`, `NODEID|run` and `NODEID|teardown`. In a session that is not measured
nothing happens; a value other than `test` and `none` is a usage error.

With `strict`, a session under pytest-cov whose data is not complete ends with status 1 where it
would have ended with 0, and the summary says what is missing.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

import shmcov


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "With 'test', shmcov records which lines each test runs: contexts 'NODEID|PHASE'."
    group = parser.getgroup("shmcov")
    group.addoption("--shmcov-context", choices=("test", "none"), default=None, help=text)
    parser.addini("shmcov_context", text, default="none")
    group.addoption(
        "--shmcov-affected",
        nargs="?",
        const="now",
        default=None,
        metavar="REVISION",
        help="Run the tests that what changed since they ran last, or since a git revision, may "
        "affect. Records what tests run, so the first time all run.",
    )
    group.addoption(
        "--shmcov-tests",
        metavar="FILE",
        default=None,
        help="What --shmcov-affected keeps. Default: .shmcov-tests in the root folder.",
    )
    parser.addini(
        "shmcov_affected_ignore",
        "Patterns of files, not Python, that no test reads (--shmcov-affected).",
        type="args",
        default=[],
    )
    parser.addini(
        "shmcov_affected_variables",
        "Environment variables on which tests depend (--shmcov-affected).",
        type="args",
        default=[],
    )


_started: Any = None
"""The Coverage object of --shmcov-affected."""


@pytest.hookimpl(trylast=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    global _started
    if early_config.known_args_namespace.shmcov_affected is not None:
        from shmcov import pytest_affected

        _started = pytest_affected.start()


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", None)
    if worker is not None:  # of pytest-xdist; the environment has the name in children, too
        shmcov.name_process(worker["workerid"])
    chosen = config.getoption("--shmcov-context") or config.getini("shmcov_context")
    if config.getoption("--shmcov-affected") is not None:
        from shmcov.pytest_affected import Affected

        config.pluginmanager.register(Affected(config, _started), "shmcov-affected")
        chosen = "test"
    if chosen == "test":
        config.pluginmanager.register(Contexts(), "shmcov-contexts")
    elif chosen != "none":
        raise pytest.UsageError(f"shmcov_context is 'test' or 'none', not {chosen!r}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """`strict`, under pytest-cov, which has saved its data by now."""
    if _not_all() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for text in _not_all():
        terminalreporter.write_line(f"ERROR: {text} (strict is set)", red=True, bold=True)


def _not_all() -> list[str]:
    """What `strict` complains of. Its module is imported if our coverage.py plug-in is in use."""
    strict = sys.modules.get("shmcov.backend.strict")
    return [] if strict is None else strict.not_all


class Contexts:
    """Switches before the hooks of other plug-ins run."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        shmcov.switch_context(f"{item.nodeid}|setup")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        shmcov.switch_context(f"{item.nodeid}|run")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        shmcov.switch_context(f"{item.nodeid}|teardown")
