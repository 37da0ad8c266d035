# SPDX-License-Identifier: Apache-2.0
"""Measures a program under each tool: first a warm-up, in which everything is looked at that costs
time to look at, then rounds."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shmcov.commands.bench import figures, rounds, tools
from shmcov.commands.bench.configuration import Configuration, Mode
from shmcov.commands.bench.program import Program
from shmcov.commands.bench.running import Run, run
from shmcov.commands.bench.tools import BARE, Tool

END = 20
"""Lines at the end of a tool's output among which the program's last one has to be."""

SHOWN = 8
"""Lines of the output of a run that went wrong."""


@dataclass(frozen=True)
class Variant:
    tool: Tool
    mode: Mode

    def __str__(self) -> str:
        return self.tool.name if self.tool is BARE else f"{self.tool.name}, {self.mode}"


@dataclass(frozen=True)
class Sample:
    """One run of a command, and of what makes one data file of its result."""

    cpu: float
    wall: float
    combine_cpu: float
    combine_wall: float
    written: int | None


@dataclass
class Seen:
    """What the warm-up of a variant has shown."""

    memory: int = 0
    processes: int = 0
    files: int = 0
    start_cpu: float = 0.0
    """Milliseconds, of `python -c pass` as a child of a measured program."""
    start_wall: float = 0.0


@dataclass
class Results:
    """All that was measured, also if it was interrupted."""

    program: Program
    samples: dict[Variant, list[Sample]] = field(default_factory=dict)
    seen: dict[Variant, Seen] = field(default_factory=dict)
    failed: dict[Variant, str] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    """What is not measured here, and why."""
    remarks: list[str] = field(default_factory=list)
    interrupted: bool = False

    def complete(self) -> dict[Variant, list[Sample]]:
        """Of those rounds in which everything was measured."""
        there = {variant: list(all_) for variant, all_ in self.samples.items() if all_}
        least = min(map(len, there.values()), default=0)
        return {variant: all_[:least] for variant, all_ in there.items()}


@dataclass(frozen=True)
class Goal:
    """When it is enough."""

    seconds: float
    precision: float
    rounds: int | None

    def reached(self, samples: dict[Variant, list[Sample]], since: float) -> bool:
        number = min(map(len, samples.values()), default=0)
        if self.rounds is not None:
            return number >= self.rounds
        if not number:
            return False
        bare = [one.cpu for one in samples[Variant(BARE, Mode())]]
        if all(
            figures.narrow(figures.ratio([one.cpu for one in all_], bare), self.precision)
            for variant, all_ in samples.items()
            if variant.tool is not BARE
        ):
            return True
        took = time.monotonic() - since
        return took + took / number > self.seconds  # another round would be too long


class CommandFailed(Exception):
    """The command fails without any tool, so there is nothing to compare with."""


class Session:
    """The runs of one program."""

    def __init__(
        self,
        program: Program,
        configuration: Configuration,
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self.program = program
        self.configuration = configuration
        self.folder = folder
        self.say = say
        self.results = Results(program)
        self.ends: list[list[str]] = []
        """The last lines of what the bare program printed, of each run."""

    def measure(self, chosen: Sequence[Tool], modes: Sequence[Mode], goal: Goal) -> Results:
        variants = [Variant(BARE, Mode())]
        for tool in chosen:
            if lacking := tool.lacking():
                self.results.without.append(f"{tool.name}: {lacking}")
            for mode in modes if tool is not BARE and not lacking else ():
                if reason := tool.cannot(mode):
                    self.results.without.append(f"{tool.name}: {reason}")
                else:
                    variants.append(Variant(tool, mode))
        try:
            ready = [variant for variant in variants if self._warm_up(variant)]
            since = time.monotonic()

            def more(samples: dict[Variant, list[Sample]]) -> bool:
                return len(samples) > 1 and not goal.reached(samples, since)

            rounds.interleave(ready, self._sample, more, self.results.samples)
        except KeyboardInterrupt:
            self.results.interrupted = True
        return self.results

    # -- one variant --

    def _warm_up(self, variant: Variant) -> bool:
        """Runs it once, with what would disturb a measurement; False: it is not to be measured."""
        self.say(f"warm-up: {variant}")
        place = self._place(variant)
        place.mkdir(exist_ok=True)
        seen = Seen()
        counted = place / "processes"
        if variant.tool is BARE:
            self._run(variant, place)  # compiles modules, and fills the caches of tools
        done = self._run(variant, place, count=counted, look_at_memory=True)
        if not self._agrees(variant, done, place):
            return False
        seen.memory = done.memory
        seen.processes = counted.stat().st_size if counted.exists() else 0
        seen.files = len(self._data(place))
        seen.start_cpu, seen.start_wall = self._starts(variant, place)
        self.results.seen[variant] = seen
        return True

    def _sample(self, variant: Variant) -> Sample:
        number = len(self.results.samples[variant]) + 1
        self.say(f"round {number}: {variant}")
        place = self._place(variant)
        done = self._run(variant, place)
        if not self._agrees(variant, done, place):
            del self.results.seen[variant]
            raise rounds.Dropped
        combined = self._combine(variant, place)
        return Sample(
            done.cpu + combined.cpu if combined else done.cpu,
            done.wall + combined.wall if combined else done.wall,
            combined.cpu if combined else 0.0,
            combined.wall if combined else 0.0,
            done.written,
        )

    def _place(self, variant: Variant) -> Path:
        return self.folder / re.sub(r"\W+", "-", str(variant))

    def _command(self, variant: Variant, place: Path, args: Sequence[str]) -> list[str]:
        options = variant.tool.options(self.configuration, variant.mode, place)
        return [*self.program.python, *options, *args]

    def _environment(self, variant: Variant, place: Path) -> dict[str, str]:
        more = variant.tool.environment(self.configuration, variant.mode, place)
        return {**tools.cleaned(os.environ), **more}

    def _run(
        self,
        variant: Variant,
        place: Path,
        *,
        count: Path | None = None,
        look_at_memory: bool = False,
    ) -> Run:
        data = tools.data_file(place).parent
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        variant.tool.prepare(self.configuration, variant.mode, place)
        env = self._environment(variant, place)
        if count:
            env[tools.COUNT] = str(count)
        return run(
            self._command(variant, place, self.program.args),
            tools.injected(env),
            Path.cwd(),
            place / "out",
            place / "err",
            look_at_memory=look_at_memory,
        )

    def _data(self, place: Path) -> list[Path]:
        return [path for path in tools.data_file(place).parent.rglob("*") if path.is_file()]

    def _combine(self, variant: Variant, place: Path) -> Run | None:
        if not variant.tool.combines:
            return None
        env = self._environment(variant, place)
        folder = tools.data_file(place).parent
        done = run(tools.combine(place), env, folder, place / "combine")
        if done.status:
            text = (place / "combine").read_text(errors="replace").strip()
            self.results.failed[variant] = f"coverage combine failed: {text}"
            del self.results.seen[variant]
            raise rounds.Dropped
        return done

    def _starts(self, variant: Variant, place: Path) -> tuple[float, float]:
        """Milliseconds that a started process takes: the least, as all that disturbs adds."""
        script, out = Path(__file__).with_name("start.py"), place / "starts"
        out.unlink(missing_ok=True)
        env = tools.injected(self._environment(variant, place))
        command = self._command(variant, place, [str(script), str(out)])
        run(command, env, place, place / "log")
        if not out.exists():
            return 0.0, 0.0
        cpu, wall = zip(*json.loads(out.read_text()), strict=True)
        return min(cpu), min(wall)

    # -- does the program do the same? --

    def _agrees(self, variant: Variant, done: Run, place: Path) -> bool:
        texts = [(place / name).read_text(errors="replace") for name in ("out", "err")]
        out, err = map(_lines, texts)
        if variant.tool is BARE:
            if done.status or done.left:
                raise CommandFailed(f"{_failure(done)}:\n{_end(texts)}")
            self.ends.append([lines[-1] for lines in (out, err) if lines])
            if data := self._data(place):
                raise CommandFailed(
                    f"it measures itself, and wrote {data[0].name}. Turn that off, as --no-cov "
                    "does for pytest-cov"
                )
            return True
        if done.status or done.left:
            text = _failure(done)
        elif not self._same_end(out, err):
            text = "the end of its output is another one"
        else:
            return True
        self.results.failed[variant] = f"{text}:\n{_end(texts)}"
        return False

    def _same_end(self, out: Sequence[str], err: Sequence[str]) -> bool:
        """Is the end of what a tool's run printed the end of what one of the bare runs did?"""
        tail = {*out[-END:], *err[-END:]}
        return any(tail.issuperset(end) for end in self.ends)


def _lines(text: str) -> list[str]:
    """The lines of an output, without what differs from run to run: times."""
    text = re.sub(r"\d+\.\d+|\d+(?=(:\d\d)+\b)|\d+ ?(?=m?s\b)", "#", text)
    return [line.strip("= \t") for line in text.splitlines() if line.strip("= \t")]


def _end(texts: Sequence[str]) -> str:
    """What is shown of an output."""
    lines = [line.rstrip() for text in texts for line in text.splitlines() if line.strip()]
    return "\n".join(f"    {line}" for line in lines[-SHOWN:])


def _failure(done: Run) -> str:
    if done.left:
        return f"it left {done.left} processes behind, which did not end and were killed"
    if done.status < 0:
        return f"it died of {signal.Signals(-done.status).name}"
    return f"it ended with status {done.status}"
