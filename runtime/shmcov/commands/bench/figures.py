# SPDX-License-Identifier: Apache-2.0
"""The statistics: how much longer something takes than something else that ran in turn with it.

Each round gives one ratio, so a machine that slows down slows both sides of it. Shown are the
median of the ratios, and an interval of two of them that holds the true median with the confidence
that is asked for, whatever the distribution: one run that was disturbed moves neither far.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """`low` to `high` holds the true median with this confidence; less than CONFIDENCE where there
    are too few values for more."""

    middle: float
    low: float
    high: float
    confidence: float

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def interval(values: Sequence[float]) -> Interval:
    """The median, and the closest pair of order statistics around it that has CONFIDENCE.

    The true median is below the k-th smallest of n values if fewer than k of n tosses are heads.
    """
    ordered = sorted(values)
    n = len(ordered)
    k, missed = 1, 2 * 0.5**n
    while k < n // 2:
        more = missed + 2 * math.comb(n, k) * 0.5**n
        if more > 1 - CONFIDENCE:
            break
        k, missed = k + 1, more
    confidence = max(0.0, 1 - missed)
    return Interval(statistics.median(ordered), ordered[k - 1], ordered[n - k], confidence)


def ratio(values: Sequence[float], others: Sequence[float]) -> Interval:
    """Of what was measured in the same rounds; a round that is not complete is left out."""
    return interval([one / other for one, other in zip(values, others, strict=False)])


def narrow(one: Interval, precision: float) -> bool:
    """Is it known to within this share of itself?"""
    return one.confidence >= CONFIDENCE and one.half_width <= precision * one.middle
