# SPDX-License-Identifier: Apache-2.0
"""Whether the compiled parts of shmcov can be used here. Nothing that this imports is compiled."""

from __future__ import annotations

import importlib.util
import sys


def lacking() -> str | None:
    """What keeps them from being used. None: nothing does."""
    try:
        import _shmcov  # noqa: F401

        import shmcov._merge  # noqa: F401
    except ImportError as error:
        return why(error)
    return None


def why(error: ImportError) -> str:
    """What is to be said of a failed import of one of them."""
    if importlib.util.find_spec("_shmcov") is not None:
        return str(error)
    import platform

    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"nothing compiled is installed (this is {python} on {sys.platform}, {platform.machine()}; "
        "compiled wheels are for CPython on Linux, x86_64 and aarch64)"
    )
