# SPDX-License-Identifier: Apache-2.0
"""The statistics and the plan of `shmcov bench`, on made-up numbers."""

from __future__ import annotations

import random
import statistics

import pytest
from shmcov.commands.bench import figures, rounds


@pytest.mark.parametrize(
    ("n", "low", "high", "confidence"),
    [
        # The ranks and levels of the tables of the sign test.
        (1, 1, 1, 0.0),
        (2, 1, 2, 0.5),
        (3, 1, 3, 0.75),
        (5, 1, 5, 0.9375),
        (6, 1, 6, 0.96875),
        (8, 1, 8, 0.9921875),
        (9, 2, 8, 0.9609375),
        (20, 6, 15, 0.958610534667),
        (100, 40, 61, 0.964799799782),
    ],
)
def test_interval_of_the_median(n: int, low: int, high: int, confidence: float) -> None:
    values = [float(i + 1) for i in range(n)]
    random.Random(n).shuffle(values)
    found = figures.interval(values)
    assert (found.low, found.high) == (low, high)
    assert found.middle == statistics.median(values)
    assert found.confidence == pytest.approx(confidence)


def test_it_holds_the_true_median_as_often_as_it_says() -> None:
    """Of a distribution that is far from normal: mostly 1, and now and then a disturbed run."""
    source = random.Random(7)
    held = 0
    for _ in range(2000):
        values = [source.gauss(1, 0.01) + (source.random() < 0.2) * 3 for _ in range(9)]
        found = figures.interval(values)
        held += found.low <= 1.0034 <= found.high  # 4/5 of the normal part are below the median
    assert 0.95 < held / 2000 < 0.985


def test_ratio_pairs_what_was_measured_together() -> None:
    bare = [1.0, 2.0, 4.0, 1.0, 2.0, 4.0]
    found = figures.ratio([2.0, 4.0, 8.0, 2.0, 4.0, 8.0, 99.0], bare)
    assert (found.low, found.middle, found.high) == (2, 2, 2)
    assert figures.narrow(found, 0.01)
    assert not figures.narrow(figures.ratio([2.0], [1.0]), 0.01)
    assert not figures.narrow(figures.interval([1, 1, 1, 1.1, 1.2, 1.3]), 0.01)


def test_each_round_begins_with_another_one() -> None:
    order: list[str] = []

    def measure(variant: str) -> int:
        order.append(variant)
        if variant == "b" and order.count("b") == 2:
            raise rounds.Dropped
        return len(order)

    found = rounds.interleave(["a", "b", "c"], measure, lambda all_: len(all_["a"]) < 3)
    assert "".join(order) == "abcbcaac"
    assert set(found) == {"a", "c"} and len(found["c"]) == 3


def test_what_was_measured_is_kept_when_it_is_interrupted() -> None:
    found: dict[str, list[int]] = {}

    def measure(variant: str) -> int:
        if found["b"]:
            raise KeyboardInterrupt
        return 1

    with pytest.raises(KeyboardInterrupt):
        rounds.interleave(["a", "b"], measure, lambda _: True, found)
    assert found == {"a": [1], "b": [1]}
