# SPDX-License-Identifier: Apache-2.0
"""The supervisor: starts a program that is measured, waits for it, writes the data file.

It is a process of its own, which survives whatever happens to the program. docs/supervisor.md
describes signals, children that outlive the program, and the exit status.
"""

from __future__ import annotations

import contextlib
import gc
import os
import shlex
import signal
from collections.abc import Mapping
from typing import NamedTuple

import coverage

from shmcov import _merge, messages, plan, result, segments, terminal
from shmcov.delivery import Delivery, Keeper, no_proc
from shmcov.messages import complain, say
from shmcov.result import Target
from shmcov.settings import Settings
from shmcov.supervisor import signals
from shmcov.supervisor.command import Command
from shmcov.supervisor.outsiders import PAUSE, Outsiders
from shmcov.supervisor.program import Program

CannotStart = _merge.DataError
"""Raised by run() before the program starts: the data could not be written."""


class Outcome(NamedTuple):
    """How a run ended: the program's status as waitpid() returns it, and whether the data is
    written, and complete if it has to be."""

    status: int
    well: bool

    def finish(self) -> int:
        """Ends as the program did: the exit status, or death by the same signal."""
        code = os.waitstatus_to_exitcode(self.status)
        terminal.drop_unread()
        gc.freeze()  # what is left goes with the process
        if code >= 0:
            return code or int(not self.well)
        if os.getpid() != 1:
            signals.die_of(-code)
        return 128 - code


def run(
    cov: coverage.Coverage,
    program: Program | Command,
    target: Target,
    own: Settings,
    save_signal: int | None,
) -> Outcome:
    """A whole run. Raises coverage.py's errors, OSError and CannotStart before it begins."""
    config = cov.config
    the_plan = plan.build(
        cov,
        branch=config.branch,
        context=config.context,
        program=program.args,
        as_module=program.as_module,
    )
    messages.warn(cov, the_plan.warnings)
    target.check(has_arcs=config.branch)
    ours = signals.ours()
    # From here on signals that would end us wait until the data is safe.
    mask = signals.block(ours | {signal.SIGCHLD})
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    typed = f"shmcov {program.verb} {shlex.join(program.args)}"
    rules = the_plan.rules + plan.identity(typed, target.path)
    if isinstance(program, Command):
        the_plan.flags |= _merge.FLAG_COMMAND
    path, fd = segments.create(the_plan.flags, rules, own)
    awaited = ours if save_signal is None else ours | {save_signal}
    supervisor = Supervisor(cov, program, target, own, Delivery(path, fd), awaited, save_signal)
    if notice := segments.leftover_notice():
        messages.warn(cov, [(notice, segments.LEFT)])
    if save_signal is not None:
        # It is meant for us; the program has no handler for it, and would be killed.
        signal.signal(save_signal, signal.SIG_IGN)
    try:
        supervisor.start(mask)
    except BaseException:
        supervisor.delivery.remove()
        raise
    status = supervisor.wait()
    well = supervisor.end()
    if own.strict and not supervisor.complete:
        well = False
        if status == 0:
            complain("Strict is set: the exit status is 1 because something was not recorded.")
    return Outcome(status, well)


def environment(segment: str) -> Mapping[str, str]:
    """The environment of the program."""
    variables = dict(os.environ)
    # coverage.py's own start-up file would measure everything a second time.
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        variables.pop(name, None)
    variables["COVERAGE_RUN"] = "true"
    variables[segments.VARIABLE] = segments.name_of(segment)
    return variables


class Supervisor:
    """One program and its segment, from the program's start to the segment's end."""

    pid = 0  # of the program
    outsiders: Outsiders | None = None
    status: int | None = None
    complete = True  # all that ran was recorded

    def __init__(
        self,
        cov: coverage.Coverage,
        program: Program | Command,
        target: Target,
        own: Settings,
        delivery: Delivery,
        awaited: set[int],
        save_signal: int | None,
    ) -> None:
        """`awaited`: signals."""
        self.cov = cov
        self.program = program
        self.target = target
        self.own = own
        self.delivery = delivery
        self.awaited = awaited
        self.save_signal = save_signal

    def start(self, mask: signals.Mask) -> None:
        if self.own.keeper:
            self.delivery.keeper = Keeper.of(
                self.delivery.path, self.own.wait, self.target.salvage_options(self.cov)
            )
        # All that was imported stays. It need not be looked at again, nor copied for a fork.
        gc.freeze()
        gc.enable()
        self.witness = signals.Witness()
        try:
            self.pid = self.program.spawn(
                environment(self.delivery.path),
                setsigmask=mask,
                # Python ignores these two itself, but not in what it starts.
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except BaseException:
            self.witness.end()
            raise
        if isinstance(self.program, Command):
            self.outsiders = Outsiders(self.pid)

    # -- while the program runs --

    def wait(self) -> int:
        """Waits for the program to end; forwards signals that are meant for it."""
        while self.status is None:
            info = self._next_signal()
            if info.si_signo == signal.SIGCHLD:
                self._reap()
            elif info.si_signo == self.save_signal:
                self._save()
            elif not self._reached_program(info):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, info.si_signo)
        return self.status

    def _next_signal(self) -> signal.struct_siginfo:
        awaited = self.awaited | {signal.SIGCHLD}
        if self.outsiders is None:
            return signal.sigwaitinfo(awaited)
        pause = PAUSE
        while (info := signal.sigtimedwait(awaited, pause)) is None:
            pause = self.outsiders.look()
        return info

    def _reached_program(self, info: signal.struct_siginfo) -> bool:
        in_group = self.witness.saw(info.si_signo)
        return in_group or info.si_code == signals.SI_KERNEL

    def _reap(self) -> None:
        # As PID 1 we are the parent of every orphan.
        which = -1 if os.getpid() == 1 else self.pid
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(which, os.WNOHANG))[0]:
                if ended[0] == self.pid:
                    self.status = ended[1]
                    break

    def _save(self) -> None:
        """--save-signal: delivers what there is by now, and lets the run go on."""
        say("Saving coverage data...")
        try:
            self.delivery.deliver(self._write)
        except Exception as error:
            complain(f"The data could not be saved now: {error}")

    # -- when it has ended --

    def end(self) -> bool:
        """Writes the data file. False, with a message, if that failed: then the segment stays."""
        return self.delivery.end(self._last, self.own.wait, pause=self._interrupted)

    def _last(self, running: list[segments.Process]) -> list[segments.Process]:
        self.witness.end()
        self.delivery.deliver(self._report_and_write)
        self._warn_of(running)
        return running

    def _write(self, copy: _merge.Copy) -> str:
        result.write(copy, self.cov, self.target, self.program.args)
        return self.target.path

    def _report_and_write(self, copy: _merge.Copy) -> str:
        if not self.program.had_no_code(self.status or 0, copy):
            self._report(copy)
            if copy.processes():  # else nothing was measured: an old data file stays as it is
                self._write(copy)
            if text := result.killed(copy, self.target.path):
                complain(text)
        return self.target.path

    def _interrupted(self, seconds: float) -> bool:
        """Lets time pass. True: a signal came, so nobody wants to wait any longer."""
        info = signal.sigtimedwait(self.awaited | {signal.SIGCHLD}, seconds)
        if info is None:
            return False
        if info.si_signo == signal.SIGCHLD:
            self._reap()
            return False
        return info.si_signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

    def _warn_of(self, running: list[segments.Process]) -> None:
        """Warns of processes that are still running, and of such as could not be seen."""
        unseen = self.delivery.name_gone()
        if unseen:
            self.complete = False
        running_on = self.delivery.still_running(running, self.own.wait, "--shm-wait")
        messages.warn(self.cov, [*unseen, *no_proc(), *running_on])

    def _report(self, copy: _merge.Copy) -> None:
        for text in result.losses(copy.info()):
            self.complete = False
            messages.tell(self.cov, f"Not all of this run was recorded: {text}", "not-recorded")
        for text in copy.notes():
            messages.tell(self.cov, f"The trace function measured: {text}.", "trace-function")
        texts = result.last_warnings(copy, self.cov, self.target)
        if not copy.processes():
            self.complete = False
            why = self.program.nobody_attached()
            messages.tell(self.cov, f"No data was collected: {why}.", "nobody-attached")
            texts = [text for text in texts if text[1] != "no-data-collected"]
        if self.outsiders and (who := self.outsiders.described(copy)):
            self.complete = False
            texts.append((who, "not-attached"))
        messages.warn(self.cov, texts)
