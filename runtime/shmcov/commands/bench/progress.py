# SPDX-License-Identifier: Apache-2.0
"""What is said while it runs, on stderr: a line that changes on a terminal, else one a round."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Gives what is called with the next step."""
    if sys.stderr is None:
        yield lambda step: None
    elif not sys.stderr.isatty():
        yield _lines()
    else:
        try:
            from rich.console import Console
        except ImportError:
            yield _over
            _over("")
        else:
            # Once a second: what draws takes time from what is measured.
            with Console(stderr=True).status("", refresh_per_second=1) as status:
                yield status.update


def _lines() -> Callable[[str], None]:
    said = set()

    def say(step: str) -> None:
        what = step.partition(":")[0]  # "round 3"
        if what not in said:
            said.add(what)
            print(f"shmcov bench: {what}", file=sys.stderr, flush=True)

    return say


def _over(step: str) -> None:
    print(f"\r{step[:78]:78}\r", end="", file=sys.stderr, flush=True)
