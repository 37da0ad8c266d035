# SPDX-License-Identifier: Apache-2.0
"""Signals that reach the supervisor: were they sent to it only, or to its whole process group?

What is sent to the group has reached the program too, and must not reach it twice. The kernel marks
signals from the terminal, but does not say whether kill() named a process or the group. So there is
a witness in the group: a process that blocks all signals and does nothing. What is pending there
was sent to the group; kill() marks all members before it returns, so nothing depends on when the
witness runs.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Collection
from pathlib import Path

FORWARDED = frozenset(
    {
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGALRM,
        signal.SIGVTALRM,
        signal.SIGPROF,
        signal.SIGIO,
        signal.SIGPWR,
        signal.SIGURG,
        signal.SIGWINCH,
        *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
    }
)
"""Signals that are meant for the program. Those that stop and continue are not: the shell sends
them to the whole group."""

SI_KERNEL = 0x80

Mask = Collection[int]


class Witness:
    """The process in our process group whose pending signals show what the group was sent."""

    def __init__(self) -> None:
        life, self._life = os.pipe()
        self._answers, answers = os.pipe()
        self._seen: set[int] = set()
        self.pid = os.fork()
        if not self.pid:
            try:
                _stand(life, answers)
            finally:
                os._exit(0)
        os.close(life)
        os.close(answers)

    def end(self) -> None:
        os.close(self._life)
        os.close(self._answers)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def saw(self, signo: int) -> bool:
        """Was this signal, which we have just taken, sent to the whole group?"""
        if self._look(signo):
            return True
        # kill() may be on its way from us to the witness.
        time.sleep(0.005)
        return self._look(signo)

    def _look(self, signo: int) -> bool:
        if signo not in self._seen and signo in self._pending():
            self._seen |= self._take()
            self._seen.add(signo)
        if signo in self._seen:
            self._seen.remove(signo)
            return True
        return False

    def _pending(self) -> set[int]:
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return set()
        mask = int(status.partition("ShdPnd:")[2].split()[0], 16)
        return {n for n in range(1, 65) if mask >> (n - 1) & 1}

    def _take(self) -> set[int]:
        """Has the witness take its pending signals, so that they are seen once."""
        taken: set[int] = set()
        with contextlib.suppress(OSError):
            os.write(self._life, b"?")
            while select.select([self._answers], [], [], 1)[0]:
                answer = os.read(self._answers, 256)
                taken.update(answer)
                if not answer or 0 in answer:
                    break
        return taken - {0}


def _stand(life: int, answers: int) -> None:
    """What the witness runs. It ends with the supervisor, whose end of the pipe closes then."""
    everything = signal.valid_signals()
    signal.pthread_sigmask(signal.SIG_SETMASK, everything)
    os.dup2(life, 0)
    os.dup2(answers, 1)
    for path in list(Path("/proc/self/fd").iterdir()):
        if int(path.name) > 1:
            with contextlib.suppress(OSError):
                os.close(int(path.name))
    while os.read(0, 1):
        taken = []
        while info := signal.sigtimedwait(everything, 0):
            taken.append(info.si_signo)
        os.write(1, bytes([*taken, 0]))


def ours() -> set[int]:
    """The signals to take for the program: all but those that this process ignores."""
    return {n for n in FORWARDED if signal.getsignal(n) != signal.SIG_IGN}


def block(signals: Mask) -> Mask:
    """Keeps signals pending until they are waited for. Returns the previous mask."""
    return signal.pthread_sigmask(signal.SIG_BLOCK, signals)


def die_of(signo: int) -> None:
    """Ends this process by a signal, without a core dump. Returns if it cannot (PID 1)."""
    import resource

    # If core dumps are piped to a program, the kernel ignores a limit of 0, but not of 1.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    if signo not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(signo, signal.SIG_DFL)
    os.kill(os.getpid(), signo)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signo})
