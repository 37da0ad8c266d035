# SPDX-License-Identifier: Apache-2.0
"""Who called: what the stack says of the Coverage object that is being made, started or saved."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType

import coverage
import coverage.control


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def starting() -> coverage.Coverage | None:
    """The Coverage object whose _init_for_start asks for a core."""
    return _running(coverage.Coverage._init_for_start)


def combines() -> coverage.Coverage | None:
    """pytest-cov's Coverage object, if its combine() called."""
    return _running(coverage.Coverage.combine) if pytest_cov() else None


def _running(method: Callable[..., object]) -> coverage.Coverage | None:
    """The Coverage object of which this method runs."""
    for frame in _frames():
        if frame.f_code is method.__code__:
            cov = frame.f_locals["self"]
            return cov if isinstance(cov, coverage.Coverage) else None
    return None


def configured(config: object) -> coverage.Coverage | None:
    """The Coverage object whose plug-ins are asked to configure it."""
    for frame in _frames():
        cov = frame.f_locals.get("self")
        if isinstance(cov, coverage.Coverage) and cov.config is config:
            return cov
    return None


def starts(cov: coverage.Coverage) -> bool:
    """Is its start() what called?"""
    code = coverage.Coverage.start.__code__
    return any(frame.f_code is code and frame.f_locals.get("self") is cov for frame in _frames())


def pytest_cov() -> str | None:
    """The name of pytest-cov's controller, if that starts the Coverage object."""
    for frame in _frames():
        if frame.f_globals.get("__name__") == "pytest_cov.engine":
            return type(frame.f_locals.get("self")).__name__
    return None


def saves(cov: coverage.Coverage) -> bool:
    """Will this object be saved at the end without the program's doing?"""
    makers = {"coverage.cmdline", "pytest_cov.engine"}
    return cov._auto_save or any(frame.f_globals.get("__name__") in makers for frame in _frames())


def in_exit_patch() -> bool:
    """Is coverage.py's `patch = _exit` about to end the process?"""
    return any(frame.f_code.co_name == "coverage_os_exit_patch" for frame in _frames())
