# SPDX-License-Identifier: Apache-2.0
"""The values of shmcov's own settings, from the command line, a configuration or the environment.

ValueError says which setting it is and what it takes.
"""

from __future__ import annotations

import math
import re


def seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} takes a number of seconds, not {text!r}")
    return value


def size(name: str, text: str) -> int:
    """A number of bytes."""
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if not match:
        raise ValueError(f"{name} takes a number of bytes such as 64M, not {text!r}")
    return int(match[1]) << 10 * " KMGT".index(match[2].upper() or " ")


def yes(name: str, text: str) -> bool:
    """A choice, in the words of configuration files."""
    value = {"true": True, "yes": True, "on": True, "1": True}
    value |= {"false": False, "no": False, "off": False, "0": False}
    try:
        return value[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{name} takes true or false, not {text!r}") from None
