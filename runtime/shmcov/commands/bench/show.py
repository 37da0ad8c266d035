# SPDX-License-Identifier: Apache-2.0
"""What came of it, as a table for a terminal and as Markdown, with what it does not show."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from itertools import pairwise

from shmcov import segments, terminal
from shmcov.commands.bench import figures
from shmcov.commands.bench.configuration import Mode
from shmcov.commands.bench.figures import Interval
from shmcov.commands.bench.session import Results, Sample, Variant
from shmcov.commands.bench.tools import BARE, NULL

HEAD = (
    *("tool", "records", "CPU time", "wall time", "memory"),
    *("processes", "files", "written", "a start", "combine"),
)
TELLING = 0.02
"""An interval as wide to each side says too little to tell tools apart."""


def table(results: Results) -> None:
    """Prints it."""
    if rows := list(_rows(results)):
        terminal.table(HEAD, rows)
    for line in remarks(results):
        print(line)


def markdown(results: Results) -> str:
    lines = [f"| {' | '.join(HEAD)} |", f"|---|---|{'---:|' * (len(HEAD) - 2)}"]
    lines += [f"| {' | '.join(row)} |" for row in _rows(results)]
    return "\n".join([*lines, "", *(f"- {line}" for line in remarks(results))]) + "\n"


def ratios(results: Results, what: str) -> dict[Variant, Interval]:
    """Of `cpu` or `wall` to bare."""
    complete = results.complete()
    bare = complete.get(Variant(BARE, Mode()), [])
    return {
        variant: figures.ratio(_values(samples, what), _values(bare, what))
        for variant, samples in complete.items()
        if variant.tool is not BARE
    }


def _values(samples: Sequence[Sample], what: str) -> list[float]:
    return [getattr(one, what) for one in samples]


def _rows(results: Results) -> Iterator[list[str]]:
    complete = results.complete()
    if not complete:
        return
    bare = Variant(BARE, Mode())
    cpu, wall = ratios(results, "cpu"), ratios(results, "wall")
    base = results.seen[bare]
    written = _written(complete[bare])
    for variant, samples in complete.items():
        seen = results.seen[variant]
        row = [variant.tool.name, "" if variant == bare else str(variant.mode)]
        if variant == bare:
            row += [f"{_median(samples, 'cpu'):.2f} s", f"{_median(samples, 'wall'):.2f} s"]
        else:
            row += [_ratio(cpu[variant]), _ratio(wall[variant])]
        row += [_size(seen.memory), str(seen.processes or ""), str(seen.files or "")]
        if variant == bare:
            row += ["", f"{base.start_cpu:.0f} ms", ""]
        else:
            more = _written(samples) - written
            took = seen.start_cpu - base.start_cpu
            row += ["+" * (more > 0) + _size(max(0, more)), f"{took:+.1f} ms"]
            row.append(f"{_median(samples, 'combine_cpu'):.2f} s" * variant.tool.combines)
        yield row


def _median(samples: Sequence[Sample], what: str) -> float:
    return statistics.median(_values(samples, what))


def _written(samples: Sequence[Sample]) -> int:
    return int(statistics.median(one.written or 0 for one in samples))


def _size(number: int) -> str:
    return segments.in_words(number) if number else ""


def _ratio(one: Interval) -> str:
    if not one.confidence:
        return f"{one.middle:.3f}"
    return f"{one.middle:.3f} ({one.low:.3f}–{one.high:.3f})"  # noqa: RUF001


# -- what has to be said with it --


def remarks(results: Results) -> Iterator[str]:
    number = min(map(len, results.complete().values()), default=0)
    if number:
        yield from _of_rounds(results, number)
        yield from _not_told_apart(results)
    said: set[str] = set()
    for variant, text in results.failed.items():
        # What a tool cannot run in one mode, it cannot run in the next.
        first = f"{variant.tool.name}: {text.partition(chr(10))[0]}"
        yield f"No figure for {variant}: " + (text.partition(":\n")[0] if first in said else text)
        said.add(first)
    if results.without:
        yield f"Not measured here: {'; '.join(dict.fromkeys(results.without))}."
    yield from results.remarks
    if results.interrupted:
        yield "Interrupted: this is what there was until then."


def _of_rounds(results: Results, number: int) -> Iterator[str]:
    one = next(iter(ratios(results, "cpu").values()), None)
    if one is None:
        yield "No tool was measured."
        return
    if number == 1:
        yield "1 round, which says little: it takes 6 for intervals (--rounds, --time)."
        return
    text = f"{number} rounds; an interval holds the median with {one.confidence:.0%} confidence"
    if one.confidence < figures.CONFIDENCE:
        text += (
            f", and the {figures.CONFIDENCE:.0%} that are usual take 6 rounds (--rounds, --time)"
        )
    yield text + "."


def _not_told_apart(results: Results) -> Iterator[str]:
    """Neighbours in the order of their figures whose ratio may well be 1."""
    complete = results.complete()
    found = ratios(results, "cpu")
    by_mode: dict[Mode, list[Variant]] = {}
    for variant in sorted(found, key=lambda one: found[one].middle):
        if variant.tool is not NULL:
            by_mode.setdefault(variant.mode, []).append(variant)
    equal: list[str] = []
    noisy: list[str] = []
    for mode, variants in by_mode.items():
        for one, other in pairwise(variants):
            ratio = figures.ratio(_values(complete[other], "cpu"), _values(complete[one], "cpu"))
            if ratio.low <= 1 <= ratio.high:
                names = f"{one.tool.name} and {other.tool.name} ({mode})"
                to = noisy if ratio.half_width > TELLING else equal
                to.append(f"{names}, whose ratio is {ratio.low:.3f} to {ratio.high:.3f}")
    if noisy:
        yield f"The machine is too noisy to tell apart {'; '.join(noisy)}. Measure longer (--time)."
    if equal:
        yield f"Not told apart: {'; '.join(equal)}."
