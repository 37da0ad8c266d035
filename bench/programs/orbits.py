# SPDX-License-Identifier: Apache-2.0
"""Bodies that attract each other: floats in nested loops, long functions without calls."""

import clock

Body = list[float]


def bodies() -> list[Body]:
    return [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 39.5],
        [4.84, -1.16, -0.10, 0.60, 2.81, -0.02, 0.037],
        [8.34, 4.12, -0.40, -1.01, 1.82, 0.008, 0.011],
        [12.89, -15.11, -0.22, 1.08, 0.86, -0.010, 0.0017],
        [15.37, -25.91, 0.17, 0.97, 0.59, -0.034, 0.0020],
    ]


def advance(system: list[Body], step: float) -> None:
    for i, one in enumerate(system):
        for other in system[i + 1 :]:
            dx = one[0] - other[0]
            dy = one[1] - other[1]
            dz = one[2] - other[2]
            square = dx * dx + dy * dy + dz * dz
            if square == 0.0:
                raise ZeroDivisionError("bodies met")
            pull = step / (square * square**0.5)
            ours = one[6] * pull
            theirs = other[6] * pull
            one[3] -= dx * theirs
            one[4] -= dy * theirs
            one[5] -= dz * theirs
            other[3] += dx * ours
            other[4] += dy * ours
            other[5] += dz * ours
    for body in system:
        body[0] += step * body[3]
        body[1] += step * body[4]
        body[2] += step * body[5]


def energy(system: list[Body]) -> float:
    total = 0.0
    for i, one in enumerate(system):
        total += one[6] * sum(speed * speed for speed in one[3:6]) / 2
        for other in system[i + 1 :]:
            distance = sum((a - b) ** 2 for a, b in zip(one[:3], other[:3], strict=True)) ** 0.5
            total -= one[6] * other[6] / distance
    return total


def unit() -> str:
    system = bodies()
    for _ in range(150):
        advance(system, 0.001)
    return f"{energy(system):.9f}"


if __name__ == "__main__":
    clock.run(unit)
