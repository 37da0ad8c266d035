# SPDX-License-Identifier: Apache-2.0
"""The supervisor: starts a program that is measured, waits for it, writes the data file.

It is a process of its own, so that it lives whatever happens to the program. docs/supervisor.md
says how it treats signals, children that outlive the program, and the exit status.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import _shmcov
import coverage

from shmcov import _merge, plan, result, segments, signals, startup
from shmcov.program import Program
from shmcov.result import Target, complain

POLL = 0.05
"""Seconds between looks at processes that are no children of ours."""


CannotStart = _merge.DataError
"""Raised by run() before the program starts: there is no place for the data."""


@dataclass(frozen=True)
class Options:
    """What is shmcov's own about a run."""

    wait: float = 2.0
    adopt: bool = True
    contexts: bool = False
    folder: str | None = None
    size: int = 0
    keeper: bool = True
    strict: bool = False
    save_signal: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the program's status as waitpid() tells it, and whether all is well with
    the data."""

    status: int
    well: bool

    def finish(self) -> int:
        """Ends as the program did: the exit status, or death by the same signal."""
        code = os.waitstatus_to_exitcode(self.status)
        if code >= 0:
            return code or int(not self.well)
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        if os.getpid() != 1:
            signals.die_of(-code)
        return 128 - code


def run(cov: coverage.Coverage, program: Program, target: Target, options: Options) -> Outcome:
    """A whole run. Raises coverage.py's errors, OSError and CannotStart before it begins."""
    config = cov.config
    the_plan = plan.build(
        cov,
        branch=config.branch,
        context=config.context,
        program=program.args,
        as_module=program.as_module,
    )
    result.tell(cov, the_plan.warnings)
    target.check(has_arcs=config.branch)
    ours = signals.ours()
    # From here on whatever is to end us waits until the data is safe.
    mask = signals.block(ours | {signal.SIGCHLD})
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    flags = the_plan.flags | (0 if options.adopt else _shmcov.FLAG_NO_ADOPT)
    flags |= _shmcov.FLAG_CONTEXTS if options.contexts else 0
    path, fd = segments.create(flags, the_plan.rules, options.folder, options.size)
    supervisor = Supervisor(cov, target, options, Path(path), fd, ours)
    if options.save_signal is not None:
        # It is for us: without a handler of coverage.py's it would kill the program.
        signal.signal(options.save_signal, signal.SIG_IGN)
    try:
        supervisor.start(program, mask)
    except BaseException:
        segments.remove(Path(path))
        raise
    status = supervisor.wait()
    well = supervisor.end()
    if options.strict and not supervisor.complete:
        well = False
        if status == 0:
            complain("Strict is set: the exit status is 1 because not all was recorded.")
    return Outcome(status, well)


def environment(segment: Path) -> Mapping[str, str]:
    """The environment of the program."""
    variables = dict(os.environ)
    # coverage.py's own start-up file would measure everything a second time.
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        variables.pop(name, None)
    variables["COVERAGE_RUN"] = "true"
    variables[segments.VARIABLE] = str(segment)
    return variables


class Supervisor:
    """One program and its segment, from the start of the one to the end of the other."""

    def __init__(
        self,
        cov: coverage.Coverage,
        target: Target,
        options: Options,
        segment: Path,
        fd: int,
        ours: set[int],
    ) -> None:
        self.cov = cov
        self.target = target
        self.options = options
        self.segment = segment
        self.fd = fd
        self.signals = ours if options.save_signal is None else ours | {options.save_signal}
        self.program = 0
        self.argv: list[str] = []
        self.status: int | None = None
        self.complete = True  # all that ran was recorded

    def start(self, program: Program, mask: signals.Mask) -> None:
        self.argv = list(program.args)
        self.had_no_code = program.had_no_code
        self.witness = signals.Witness()
        try:
            self.program = os.posix_spawn(
                sys.executable,
                program.command(),
                environment(self.segment),
                setsigmask=mask,
                # Python ignores these two in itself, not in what it starts.
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except BaseException:
            self.witness.end()
            raise

    # -- while the program runs --

    def wait(self) -> int:
        """Waits for the program to end; passes on what is meant for it."""
        while self.status is None:
            info = signal.sigwaitinfo(self.signals | {signal.SIGCHLD})
            if info.si_signo == signal.SIGCHLD:
                self._reap()
            elif info.si_signo == self.options.save_signal:
                self._save()
            elif not self._reached_program(info):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.program, info.si_signo)
        return self.status

    def _reached_program(self, info: signal.struct_siginfo) -> bool:
        in_group = self.witness.saw(info.si_signo)
        return in_group or info.si_code == signals.SI_KERNEL

    def _reap(self) -> None:
        # As PID 1 we are the parent of every orphan.
        which = -1 if os.getpid() == 1 else self.program
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(which, os.WNOHANG))[0]:
                if ended[0] == self.program:
                    self.status = ended[1]
                    break

    def _save(self) -> None:
        """--save-signal: writes what there is by now, and lets the run go on."""
        print("Saving coverage data...", flush=True)
        try:
            result.write(_merge.Copy(self.fd), self.cov, self.target, self.argv)
        except Exception as error:
            complain(f"The data could not be saved now: {error}")

    # -- when it has ended --

    def end(self) -> bool:
        """Writes the data file and removes the segment. False, with a message, if that failed."""
        try:
            copy = self._settled()
            self.witness.end()
            if not self.had_no_code(self.status or 0, copy):
                self._tell(copy)
                result.write(copy, self.cov, self.target, self.argv)
        except Exception as error:
            complain(
                f"The data of this run could not be written: {_in_words(error)}\n"
                f"It is kept in the segment {self.segment}\n"
                f"Write it with: shmcov salvage {self.segment}"
            )
            return False
        segments.remove(self.segment)
        return True

    def _settled(self) -> _merge.Copy:
        """A copy of the segment, made after its processes have ended or the wait is over."""
        until = time.monotonic() + self.options.wait
        copy = _merge.Copy(self.fd)
        while running := self._running(copy) or segments.starting(self.segment):
            while time.monotonic() < until and all(process.alive() for process in running):
                if self._interrupted(POLL):
                    until = 0
                if not self._running(copy):
                    break
            # One of those that ended may have started others.
            copy = _merge.Copy(self.fd)
            if time.monotonic() >= until:
                self._name(self._running(copy))
                return copy
        # Whoever ended while the copy was made has written behind its back.
        return copy if _all_said_so(copy) else _merge.Copy(self.fd)

    def _running(self, copy: _merge.Copy) -> list[segments.Process]:
        return segments.running(copy, self.segment)

    def _interrupted(self, seconds: float) -> bool:
        """Lets time pass. Somebody who sends a signal by now does not want to wait longer."""
        info = signal.sigtimedwait(self.signals | {signal.SIGCHLD}, seconds)
        if info is None:
            return False
        if info.si_signo == signal.SIGCHLD:
            self._reap()
            return False
        return info.si_signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

    def _name(self, running: list[segments.Process]) -> None:
        if not running:
            return
        complain(
            f"Still running {self.options.wait:g} s after the program ended "
            "(--shm-wait sets how long to wait):"
        )
        for process in running:
            print(f"    {process.pid}  {process.command()}", file=sys.stderr)
        print("What they do from now on is not in the data.", file=sys.stderr, flush=True)

    def _tell(self, copy: _merge.Copy) -> None:
        for text in result.losses(copy.info()):
            self.complete = False
            complain(f"Not all of this run was recorded: {text}")
        texts = result.last_warnings(copy, self.cov, self.target)
        if not copy.processes():
            self.complete = False
            complain(
                "No data was collected: the program's interpreter did not attach: "
                f"{startup.why_not()}. SHMCOV_DEBUG=1 in the environment makes it say more."
            )
            texts = [text for text in texts if text[1] != "no-data-collected"]
        result.tell(self.cov, texts)


def _all_said_so(copy: _merge.Copy) -> bool:
    return all(row["state"] == "done" for row in copy.processes())


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__
