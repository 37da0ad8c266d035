# SPDX-License-Identifier: Apache-2.0
"""Running affected tests alone: what is missed, how many run, and what that costs."""

from collections.abc import Iterator

from affected import BARE, PROJECTS, Checkout, Mutations, Tool, followed, histories, summary, tools
from harness import Failed, Row, Settings, execute, interleave, ratio, say
from shmcov.commands.bench.rounds import Dropped

TITLE = "Affected tests"
TEXT = (
    "Random changes of one line (`python bench/affected.py mutations`): a *miss* is a change that "
    "makes a test fail in a run of all tests, and that test is not among the selected ones. Then "
    "the last commits of a repository (`python bench/affected.py history`), recorded once and "
    "followed one by one: a miss is a test that ends differently than at the commit before and was "
    "not selected. *recording* and *nothing changed* are times of the clock with two workers of "
    "pytest-xdist, relative to the same run without any of the tools."
)


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    if "miss" in program:
        return 0
    return 1.25 if "recording" in program else None


def rows(settings: Settings) -> Iterator[Row]:
    if settings.wants("mutations"):
        yield from mutations()
    if settings.wants("history"):
        yield from history()
    if settings.wants("times"):
        yield from times(settings)


def mutations() -> Iterator[Row]:
    for name, (version, _) in PROJECTS.items():
        for tool, one in summary(name).items():
            what = f"{name} {version}"
            detail = dict(one)
            yield Row(f"{what}: misses", "", tool, one["missed"], f"of {one['mutations']}", detail)
            yield Row(f"{what}: tests selected, mean", "", tool, 100 * one["mean"], "%")
            yield Row(f"{what}: tests selected, median", "", tool, 100 * one["median"], "%")


def history() -> Iterator[Row]:
    for name, commits in histories().items():
        for tool, one in followed(commits).items():
            what = f"{name}, commit by commit"
            detail = dict(one)
            yield Row(f"{what}: misses", "", tool, one["missed"], f"of {one['differing']}", detail)
            yield Row(f"{what}: tests selected, mean", "", tool, 100 * one["mean"], "%")
            yield Row(f"{what}: tests selected, median", "", tool, 100 * one["median"], "%")


RECORDING, IDLE = "recording", "nothing changed"


def times(settings: Settings) -> Iterator[Row]:
    """Of a checkout of its own: mutations may go on beside this."""
    variants = [(BARE, RECORDING), *((t, kind) for t in tools() for kind in (RECORDING, IDLE))]
    for name, (version, _) in PROJECTS.items():
        project = Mutations(name, 1)
        project.unpack()
        checkout = project.copy(settings.folder / name)
        passing = [f"--deselect={test}" for test, ok in checkout.all().passed.items() if not ok]
        for tool in tools():
            checkout.pytest(tool, *passing)

        def measure(
            variant: tuple[Tool, str],
            checkout: Checkout = checkout,
            passing: list[str] = passing,
        ) -> float:
            tool, kind = variant
            if kind == RECORDING:
                checkout.forget(tool)
            command = checkout.command(tool, "-n", "2", *passing)
            try:
                cost = execute(command, checkout.env, checkout.root, settings.folder / "log")
            except Failed as error:
                say(f"  {checkout.root}: {tool.name} fails with two workers: {error}")
                raise Dropped from error
            return cost.wall

        found = interleave(settings.rounds, variants, measure)
        for tool, kind in variants[1:]:
            if (tool, kind) in found:
                value, detail = ratio(found[tool, kind], found[BARE, RECORDING])
                say(f"  {name} {version}: {kind}, {tool.name}: {value:.2f}")
                yield Row(f"{name} {version}: {kind}", "", tool.name, value, "x", detail)
