# SPDX-License-Identifier: Apache-2.0
"""Makes coverage.py's InOrOut cheaper: it asks for the paths of all installation schemes three
times, and sysconfig takes a million instructions for each answer."""

from __future__ import annotations

import contextlib
import sysconfig
from collections.abc import Iterator
from typing import Any

import coverage.inorout


class _Once:
    """The module sysconfig, which looks up the paths of a scheme once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], dict[str, str]] = {}

    def get_paths(self, *scheme: Any) -> dict[str, str]:
        if scheme not in self._known:
            self._known[scheme] = sysconfig.get_paths(*scheme)
        return self._known[scheme]

    def __getattr__(self, name: str) -> Any:
        return getattr(sysconfig, name)


@contextlib.contextmanager
def looked_up_once() -> Iterator[None]:
    """For an InOrOut that is made meanwhile."""
    module: Any = coverage.inorout
    if getattr(module, "sysconfig", None) is not sysconfig:
        yield  # another coverage.py, or another module that somebody has put there
        return
    module.sysconfig = _Once()
    try:
        yield
    finally:
        module.sysconfig = sysconfig
