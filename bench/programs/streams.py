# SPDX-License-Identifier: Apache-2.0
"""Generators that feed each other, yield from, comprehensions of every sort, lambdas."""

from collections.abc import Callable, Iterable, Iterator

import clock


def numbers(limit: int) -> Iterator[int]:
    value = 1
    for _ in range(limit):
        value = value * 75 % 65537
        yield value


def pairs(source: Iterable[int]) -> Iterator[tuple[int, int]]:
    before = None
    for item in source:
        if before is not None:
            yield before, item
        before = item


def chunks(source: Iterable[int], size: int) -> Iterator[list[int]]:
    chunk: list[int] = []
    for item in source:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class Tree:
    def __init__(self, value: int) -> None:
        self.value = value
        self.left: Tree | None = None
        self.right: Tree | None = None

    def insert(self, value: int) -> None:
        if value < self.value:
            if self.left is None:
                self.left = Tree(value)
            else:
                self.left.insert(value)
        elif self.right is None:
            self.right = Tree(value)
        else:
            self.right.insert(value)

    def __iter__(self) -> Iterator[int]:
        if self.left is not None:
            yield from self.left
        yield self.value
        if self.right is not None:
            yield from self.right


def pipeline(source: Iterable[int], steps: list[Callable[[int], int]]) -> Iterator[int]:
    for item in source:
        for step in steps:
            item = step(item)
        yield item


def unit() -> int:
    tree = Tree(30000)
    for value in numbers(120):
        tree.insert(value)
    in_order = list(tree)
    rising = sum(1 for a, b in pairs(in_order) if a < b)
    steps = [lambda n: n * 3 + 1, lambda n: n ^ (n >> 3), lambda n: n % 10007]
    table = {n: [d for d in range(2, 12) if n % d == 0] for n in pipeline(numbers(80), steps)}
    kinds = {len(divisors) for divisors in table.values()}
    grid = [[i * j % 7 for j in range(12)] for i in range(12)]
    columns = [sum(row[i] for row in grid) for i in range(12)]
    blocks = [max(chunk) - min(chunk) for chunk in chunks(numbers(200), 16)]
    return rising + len(kinds) + sum(columns) + sum(blocks)


if __name__ == "__main__":
    clock.run(unit)
