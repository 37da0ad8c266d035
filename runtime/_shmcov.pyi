# SPDX-License-Identifier: Apache-2.0
"""What runs inside measured processes; the supervisor calls create()."""

from collections.abc import Sequence

FLAG_BRANCH: int
FLAG_TEST_FUNCTION: int
FLAG_CONTEXTS: int
FLAG_NO_ADOPT: int
TRACER: str

def attach() -> bool: ...
def attached() -> str | None: ...
def switch_context(name: str, /) -> bool: ...
def create(
    flags: int, rules: Sequence[tuple[int, str]], folder: str | None = None, size: int = 0, /
) -> tuple[str, int]: ...
