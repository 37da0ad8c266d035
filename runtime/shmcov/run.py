# SPDX-License-Identifier: Apache-2.0
"""`shmcov run`: the options of `coverage run`, and what becomes of them.

coverage.py's own script parses the command line and makes the Coverage object. It is never started:
it is where the configuration is. Options that help coverage.py to measure in a special situation
(--concurrency, --timid, patch) are accepted and have nothing to do here.
"""

from __future__ import annotations

import optparse
import os
import shlex
import signal

import coverage
from coverage import cmdline
from coverage.exceptions import CoverageException

from shmcov import settings
from shmcov.program import Program
from shmcov.result import Target

OWN_OPTIONS = (
    (
        "--shm-wait",
        "SECONDS",
        "How long to wait for processes that outlive the program. Default 2. [env: SHMCOV_WAIT]",
    ),
    (
        "--shm-dir",
        "DIR",
        "Folder for the segment. By default in shared memory if it has room, else on disk. "
        "Children with a replaced environment are only measured if it is not given. "
        "[env: SHMCOV_DIR]",
    ),
    (
        "--shm-size",
        "SIZE",
        "The most that the segment may hold, in bytes or with K, M or G. By default what there is "
        "room for. [env: SHMCOV_SIZE]",
    ),
)


def main_with_run(argv: list[str]) -> int:
    """coverage.py's main() with this `run` in the place of its own."""
    from shmcov.cli import exit_status

    parser = cmdline.COMMANDS["run"]
    parser.description = (
        "Run a Python program, and measure the code that it executes in all of its processes."
    )
    group = optparse.OptionGroup(parser, "shmcov's own options")
    for name, metavar, text in OWN_OPTIONS:
        group.add_option(name, action="store", metavar=metavar, help=text)
    group.add_option(
        "--shm-no-adopt",
        action="store_true",
        help="Leave out processes that have lost the environment variable SHMCOV_SEGMENT, and are "
        "otherwise found by their parent. [env: SHMCOV_NO_ADOPT]",
    )
    group.add_option(
        "--shm-no-keeper",
        action="store_true",
        help="Start no process that saves the data if this one is killed. [env: SHMCOV_NO_KEEPER]",
    )
    group.add_option(
        "--shm-other-users",
        action="store_true",
        help="Measure children that run as another user too. Whoever learns the name of the "
        "segment can then write into it: docs/segment.md, Access. [env: SHMCOV_OTHER_USERS]",
    )
    group.add_option(
        "--shm-contexts",
        action="store_true",
        help="Something in the program switches contexts: shmcov.switch_context, or pytest with "
        "--shmcov-context. Works without, but then the first switch of a process makes all tools "
        "of sys.monitoring hear of everything again. [env: SHMCOV_CONTEXTS]",
    )
    parser.add_option_group(group)
    setattr(cmdline, "CoverageScript", Script)  # noqa: B010
    return exit_status(cmdline.main(argv))


class Script(cmdline.CoverageScript):
    """coverage.py's command line, with a `run` that runs the program in another process."""

    def do_run(self, options: optparse.Values, args: list[str]) -> int:
        try:
            own = _own_options(options)
        except ValueError as error:
            cmdline.show_help(str(error))
            return cmdline.ERR
        if not args:
            if options.module:
                cmdline.show_help("No module specified for -m")
                return cmdline.ERR
            command_line = self.coverage.config.command_line
            if command_line is not None:
                args = shlex.split(command_line)
                if args and args[0] in {"-m", "--module"}:
                    options.module = True
                    args = args[1:]
        if not args:
            cmdline.show_help("Nothing to do.")
            return cmdline.ERR
        if options.append and self.coverage.config.parallel:
            cmdline.show_help("Can't append to data files in parallel mode.")
            return cmdline.ERR
        return self._supervise(Program(args, bool(options.module)), bool(options.append), own)

    def _supervise(self, program: Program, append: bool, own: dict[str, object]) -> int:
        try:
            from shmcov import plan, supervisor
        except ImportError as error:
            raise CoverageException(f"shmcov is not fully installed: {error}") from error
        _end_own_measurement()
        with plan.sys_path_of(program.args, program.as_module):
            self.coverage._init()  # plug-ins may lie beside the program
        self.coverage._post_init()
        program.check()
        target = Target.of(self.coverage, append=append)
        try:
            outcome = supervisor.run(
                self.coverage,
                program,
                target,
                supervisor.Options(**own),  # type: ignore[arg-type]
            )
        except (OSError, supervisor.CannotStart) as error:
            raise CoverageException(f"Couldn't start to measure: {error}") from error
        return outcome.finish()


def _own_options(options: optparse.Values) -> dict[str, object]:
    """shmcov's options, from the command line or else the environment, as supervisor.Options."""
    own: dict[str, object] = {}
    wait = options.shm_wait or os.environ.get("SHMCOV_WAIT")
    if wait:
        own["wait"] = settings.seconds("--shm-wait", wait)
    folder = options.shm_dir or os.environ.get("SHMCOV_DIR")
    if folder:
        own["folder"] = os.path.abspath(folder)  # noqa: PTH100
    size = options.shm_size or os.environ.get("SHMCOV_SIZE")
    if size:
        own["size"] = settings.size("--shm-size", size)
    if options.shm_no_adopt or os.environ.get("SHMCOV_NO_ADOPT"):
        own["adopt"] = False
    if options.shm_no_keeper or os.environ.get("SHMCOV_NO_KEEPER"):
        own["keeper"] = False
    if options.shm_other_users or os.environ.get("SHMCOV_OTHER_USERS"):
        own["other_users"] = True
    if options.shm_contexts or os.environ.get("SHMCOV_CONTEXTS"):
        own["contexts"] = True
    if options.save_signal:
        own["save_signal"] = getattr(signal, f"SIG{options.save_signal}")
    return own


def _end_own_measurement() -> None:
    """Stops coverage.py here: COVERAGE_PROCESS_START is meant for the program."""
    mine = getattr(coverage.process_startup, "coverage", None)
    if isinstance(mine, coverage.Coverage):
        mine._auto_save = False
        mine.stop()
