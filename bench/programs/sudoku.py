# SPDX-License-Identifier: Apache-2.0
"""Backtracking over sets: recursion, comprehensions and generator expressions on one line."""

import clock

PUZZLE = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
DIGITS = set("123456789")


def peers(place: int) -> set[int]:
    row, column = divmod(place, 9)
    top, left = row // 3 * 3, column // 3 * 3
    same_row = {row * 9 + i for i in range(9)}
    same_column = {i * 9 + column for i in range(9)}
    same_box = {(top + i) * 9 + left + j for i in range(3) for j in range(3)}
    return (same_row | same_column | same_box) - {place}


PEERS = [peers(place) for place in range(81)]


def candidates(grid: list[str], place: int) -> list[str]:
    return sorted(DIGITS - {grid[peer] for peer in PEERS[place]})


def solve(grid: list[str]) -> bool:
    empty = [place for place in range(81) if grid[place] == "."]
    if not empty:
        return True
    place = min(empty, key=lambda p: len(candidates(grid, p)))
    for digit in candidates(grid, place):
        grid[place] = digit
        if solve(grid):
            return True
        grid[place] = "."
    return False


def valid(grid: list[str]) -> bool:
    if any(cell not in DIGITS for cell in grid):
        raise ValueError("not filled in")
    return all(grid[place] != grid[peer] for place in range(81) for peer in PEERS[place])


def unit() -> str:
    grid = list(PUZZLE)
    if not solve(grid) or not valid(grid):
        raise ValueError("no solution")
    return "".join(grid[:9])


if __name__ == "__main__":
    clock.run(unit)
