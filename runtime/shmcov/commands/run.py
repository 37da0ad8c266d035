# SPDX-License-Identifier: Apache-2.0
"""`shmcov run` and `shmcov exec`: the options of `coverage run`, and what becomes of them.

coverage.py's own script parses the command line and makes the Coverage object. It is never started:
it is where the configuration is. Options that help coverage.py to measure in a special situation
(--concurrency, --timid, patch) are accepted and have nothing to do here.
"""

from __future__ import annotations

import optparse
import shlex
import signal

import coverage
from coverage import cmdline
from coverage.exceptions import CoverageException

from shmcov import plan, settings
from shmcov.messages import complain
from shmcov.result import Target
from shmcov.shards import urls
from shmcov.supervisor import supervisor
from shmcov.supervisor.command import CannotRun, Command
from shmcov.supervisor.program import Program


def install() -> None:
    """Puts this `run` in the place of coverage.py's own, and `exec` beside it."""
    run = cmdline.COMMANDS["run"]
    run.description = (
        "Run a Python program, and measure the code that it executes in all of its processes."
    )
    execute = cmdline.CmdOptionParser(
        "run",
        [option for option in run.option_list if option.dest != "module"],
        usage="[options] [--] <command> [arguments]",
        description=(
            "Run any command (make check, tox, a shell script), and measure each Python that it "
            "starts. shmcov has to be installed in each environment that is used, so also in those "
            "that tox, nox, hatch or uv run make."
        ),
    )
    execute.cmd = "exec"
    execute.set_defaults(command=True)
    cmdline.COMMANDS["exec"] = execute
    for parser in (run, execute):
        settings.add_to(parser)
    setattr(cmdline, "CoverageScript", Script)  # noqa: B010


class Script(cmdline.CoverageScript):
    """coverage.py's command line, with a `run` that runs the program in another process."""

    def do_run(self, options: optparse.Values, args: list[str]) -> int:
        try:
            own = settings.of_command(options, self.coverage.config)
            program = self._program(options, args)
        except ValueError as error:
            cmdline.show_help(str(error))
            return cmdline.ERR
        _end_own_measurement()
        with plan.sys_path_of(program.args, program.as_module):
            self.coverage._init()  # plug-ins may lie beside the program
        self.coverage._post_init()
        try:
            program.check()
        except CannotRun as error:
            complain(str(error))
            return error.status
        target = Target.of(self.coverage, append=bool(options.append))
        name = options.save_signal
        save_signal = getattr(signal, f"SIG{name}") if name else None
        try:
            outcome = supervisor.run(self.coverage, program, target, own, save_signal)
        except (OSError, supervisor.CannotStart) as error:
            raise CoverageException(f"Couldn't start to measure: {error}") from error
        return outcome.finish()

    def _program(self, options: optparse.Values, args: list[str]) -> Program | Command:
        """What is to run. ValueError, in coverage.py's words."""
        if urls.is_url(self.coverage.config.data_file):
            raise ValueError(
                f"A run writes its data file on this machine, not to "
                f"{self.coverage.config.data_file}: copy it there, or have 'combine' write there."
            )
        command = bool(getattr(options, "command", False))
        as_module = bool(options.module)
        if not args and not command:
            if as_module:
                raise ValueError("No module specified for -m")
            args = shlex.split(self.coverage.config.command_line or "")
            if args and args[0] in {"-m", "--module"}:
                as_module, args = True, args[1:]
        if not args:
            raise ValueError("Nothing to do.")
        if options.append and self.coverage.config.parallel:
            raise ValueError("Can't append to data files in parallel mode.")
        return Command(args) if command else Program(args, as_module)


def _end_own_measurement() -> None:
    """Stops coverage.py here: COVERAGE_PROCESS_START is meant for the program."""
    mine = getattr(coverage.process_startup, "coverage", None)
    if isinstance(mine, coverage.Coverage):
        mine._auto_save = False
        mine.stop()
