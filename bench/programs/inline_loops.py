# SPDX-License-Identifier: Apache-2.0
"""A function with loops inside one line and lines that never run: LINE events never end there."""

import clock


def busy(items: list[int], odd: bool) -> int:
    if odd:
        items = items[1:]
        items.reverse()
    total = sum(item * item for item in items if item % 3)
    for item in items: total ^= item  # fmt: skip # noqa: E701
    longest = max([item % 17 for item in items])
    if total < 0:
        total = -total
        raise ValueError(total)
    return total + longest


def unit() -> int:
    items = list(range(100))
    return sum(busy(items, False) for _ in range(60))


if __name__ == "__main__":
    clock.run(unit)
