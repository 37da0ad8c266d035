# SPDX-License-Identifier: Apache-2.0
"""In which order things are measured, and when it is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Dropped(Exception):
    """A variant that cannot be measured; the others go on."""


def interleave(
    variants: Sequence[T],
    measure: Callable[[T], R],
    more: Callable[[dict[T, list[R]]], bool],
    results: dict[T, list[R]] | None = None,
) -> dict[T, list[R]]:
    """Measures each variant once in each round, as long as `more` says; each round begins with
    another one. What is measured goes into `results` at once, for who is interrupted."""
    found: dict[T, list[R]] = {} if results is None else results
    found.update({variant: [] for variant in variants})
    number = 0
    while found and more(found):
        left = list(found)
        shift = number % len(left)
        for variant in [*left[shift:], *left[:shift]]:
            try:
                found[variant].append(measure(variant))
            except Dropped:
                del found[variant]
        number += 1
    return found
