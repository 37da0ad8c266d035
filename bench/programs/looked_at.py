# SPDX-License-Identifier: Apache-2.0
"""Two processes that switch their context so often, and run some milliseconds of lines in each.

looked_at.py SWITCHES
"""

import multiprocessing
import sys

import shmcov


def work(n: int) -> int:
    total = 0
    for i in range(n):
        if i % 3:
            total += i
        else:
            total -= 1
    return total


def worker(name: str, switches: int) -> None:
    for i in range(switches):
        shmcov.switch_context(f"test_{name}_{i}")
        work(20_000)


def main() -> None:
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=worker, args=(str(n), int(sys.argv[1]))) for n in range(2)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()


if __name__ == "__main__":
    main()
