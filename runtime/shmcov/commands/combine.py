# SPDX-License-Identifier: Apache-2.0
"""`shmcov combine`: coverage.py's command, whose work is done in C.

coverage.py's own script parses the command line and reads the configuration, and its `Coverage`
object is told to combine, as ever; only that method is another one. Where nothing compiled is
installed, the command is coverage.py's own.
"""

from __future__ import annotations

import datetime
import optparse
import os
import sys
from collections.abc import Iterable
from typing import Any

import coverage
from coverage import cmdline
from coverage import data as coverage_data
from coverage.exceptions import DataError, NoDataError
from coverage.misc import file_be_gone

from shmcov import combining, messages, terminal
from shmcov.combining import Combined, Fate

SUMS_UP = hasattr(coverage_data, "DataFileClassifier")
"""Since 7.14 coverage.py says at the end how many files it has combined; before, it named each."""


def install() -> None:
    """Gives coverage.py's `combine` our options."""
    parser = cmdline.COMMANDS["combine"]
    theirs = parser.get_option("--data-file")
    if theirs is not None and not parser.has_option("-o"):  # which other commands have, too
        at = parser.option_list.index(theirs)
        # Not remove_option(): the object is in the parsers of other commands, too.
        parser.option_list.remove(theirs)
        del parser._long_opt["--data-file"]
        parser.add_option(
            "-o", "--data-file", metavar=theirs.metavar, help=theirs.help, dest="data_file"
        )
        parser.option_list.insert(at, parser.option_list.pop())


def take_over() -> None:
    """Puts this `combine` in the place of coverage.py's own."""
    install()
    setattr(cmdline, "CoverageScript", Script)  # noqa: B010


class Script(cmdline.CoverageScript):
    """coverage.py's command line, whose object combines in another way."""

    def do_help(
        self, options: optparse.Values, args: list[str], parser: optparse.OptionParser
    ) -> bool:
        # The last that is called before the object is made.
        def make(**arguments: Any) -> Combining:
            return Combining(options, **arguments)

        setattr(cmdline, "Coverage", make)  # noqa: B010
        return super().do_help(options, args, parser)


class Combining(coverage.Coverage):
    """`options`: those of the command line."""

    def __init__(self, options: optparse.Values, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._options = options

    def combine(
        self,
        data_paths: Iterable[str] | None = None,
        strict: bool = False,
        keep: bool = False,
    ) -> None:
        self._init()
        self._init_data(suffix=None)
        self._post_init()
        data = self.get_data()
        inputs = coverage_data.combinable_files(data.base_filename(), data_paths)
        if strict and not inputs:
            raise NoDataError("No data to combine")
        argv = when = None
        if self._debug.should("process"):
            argv = str(sys.argv)
            when = datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S")
        with terminal.progress(quiet=bool(self._options.quiet)) as on_progress:
            result = combining.combine_files(
                inputs,
                data.data_filename(),
                aliases=self._make_aliases(),
                append=bool(self._options.append),
                strict=strict,
                argv=argv,
                when=when,
                on_progress=on_progress,
                on_input=self._note,
            )
        if not keep:
            self._remove([*result.combined, *result.skipped])
        if SUMS_UP:
            self._message(_summary(result))

    def _note(self, path: str, fate: Fate, why: str) -> None:
        """Says what becomes of an input, as coverage.py does."""
        name = os.path.relpath(path)
        text = {
            "combined": f"Combined data file {name}",
            "skipped": f"Skipping duplicate data {name}",
            "unusable": f"Couldn't combine data file {name}: {why}",
        }[fate]
        if fate == "unusable":
            messages.warn(self, [(why, None)])
        if not SUMS_UP:
            self._message(text)
        elif self._debug.should("combine"):
            self._debug.write(text)

    def _remove(self, paths: Iterable[str]) -> None:
        """Removes inputs whose data is in the output by now."""
        failures = []
        for path in paths:
            if self._debug.should("dataio"):
                self._debug.write(f"Deleting data file {path!r}")
            try:
                file_be_gone(path)
            except OSError as error:
                failures.append(f"{path!r}: {error.strerror}")
        if failures:
            raise DataError(f"Combined, but couldn't remove data file {'; '.join(failures)}")


def _summary(result: Combined) -> str:
    text = f"Combined {_plural(len(result.combined), 'file')}"
    if result.skipped:
        text += f", skipped {len(result.skipped)}"
    if result.unusable:
        text += f", {_plural(len(result.unusable), 'file')} errored"
    return text


def _plural(n: int, thing: str) -> str:
    return f"{n} {thing}{'' if n == 1 else 's'}"
