# SPDX-License-Identifier: Apache-2.0
"""Permutations by flipping prefixes: lists, slices and nested while loops."""

import clock


def permutations(n: int) -> tuple[int, int]:
    order = list(range(n))
    counters = [0] * n
    checksum = most = 0
    even = True
    level = 0
    while level < n:
        if level == 0:
            flips = count_flips(order)
            if flips > most:
                most = flips
            checksum += flips if even else -flips
            level = 1
        elif counters[level] < level:
            other = counters[level] if level % 2 else 0
            order[other], order[level] = order[level], order[other]
            counters[level] += 1
            even = not even
            level = 0
        else:
            counters[level] = 0
            level += 1
    return checksum, most


def count_flips(order: list[int]) -> int:
    first = order[0]
    if not first:
        return 0
    flips = 0
    row = order[:]
    while first:
        row[: first + 1] = row[first::-1]
        flips += 1
        first = row[0]
    return flips


def unit() -> tuple[int, int]:
    return permutations(7)


if __name__ == "__main__":
    clock.run(unit)
