# SPDX-License-Identifier: Apache-2.0
"""`shmcov combine`: coverage.py's command, whose work is done in C.

coverage.py's own script parses the command line and reads the configuration, and its `Coverage`
object is told to combine, as ever; only that method is another one. Where nothing compiled is
installed, the command is coverage.py's own.
"""

from __future__ import annotations

import datetime
import functools
import optparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import coverage
from coverage import cmdline
from coverage import data as coverage_data
from coverage.exceptions import CoverageException, NoDataError

from shmcov import messages, terminal
from shmcov.affected.store import NAME, Store, beside
from shmcov.shards import combining, removal, storage, urls
from shmcov.shards.combining import Combined, Fate
from shmcov.shards.storage import Fetch, Remote

SUMS_UP = hasattr(coverage_data, "DataFileClassifier")
"""Since 7.14 coverage.py says at the end how many files it has combined; before, it named each."""


def install() -> None:
    """Gives coverage.py's `combine` our options."""
    parser = cmdline.COMMANDS["combine"]
    parser.enable_interspersed_args()  # options may follow the inputs
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

    if not parser.has_option("--dask"):
        parser.add_option(
            "--dask",
            action="callback",
            callback=_take_scheduler,
            dest="dask",
            help="Let workers of Dask do the work: those of the scheduler whose address follows "
            "(tcp://HOST:PORT), else of a cluster that is started on this machine.",
        )


SCHEDULER = re.compile(r"(tcp|tls|ucxx?|wss?|inproc)://|[\w.-]+:\d+$")


def _take_scheduler(
    option: optparse.Option, name: str, value: object, parser: optparse.OptionParser
) -> None:
    """--dask [SCHEDULER]: what follows may be an input."""
    rest: Any = parser.rargs
    address = rest.pop(0) if rest and SCHEDULER.match(rest[0]) else ""
    setattr(parser.values, "dask", address)  # noqa: B010


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
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._output = ""
        """The URL of the output, if it goes into a store. Then the data file is a local one."""
        if urls.is_url(self.config.data_file):
            self._output = self.config.data_file
            storage.check_writable(self._output)
            self.config.data_file = storage.write_local(self._output, self._folder())

    def _folder(self) -> str:
        """For what comes from stores or goes there. Goes with this object at the latest."""
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="shmcov-combine-")
        return self._scratch.name

    def load(self) -> None:
        if self._output:
            storage.load(self._output, self.config.data_file)
        super().load()

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
        ended = [] if self._output else removal.end(data.data_filename())
        inputs, remotes = self._find(data.base_filename(), list(data_paths or ()))
        if ended:
            self._message(f"Removed {_plural(len(ended), 'file')} that had been combined before")
            if not inputs and not remotes:
                return
        if strict and not inputs and not remotes:
            raise NoDataError("No data to combine")
        if not keep:
            storage.check_removable(remotes)
        of = {one.url: one for one in remotes}
        if self._options.dask is not None:  # its workers fetch them
            inputs, remotes = [*inputs, *of], []
        with Fetch(remotes, self._folder() if remotes else "") as fetch:
            try:
                result = self._combine(inputs, fetch, data.data_filename(), strict=strict)
            except CoverageException as error:
                error.args = (fetch.named(str(error)), *error.args[1:])
                raise
        if self._output and result.combined:
            storage.put(data.data_filename(), self._output)
        done = [*result.combined, *result.skipped]
        of.update(fetch.of)
        local = [path for path in done if path not in of]
        united = [] if self._output else self._unite_recordings(data.data_filename(), local)
        if not keep:
            for recording in united:
                recording.unlink(missing_ok=True)
            removal.remove(data.data_filename(), local, self._note_removal)
            storage.remove([of[path] for path in done if path in of])
        if SUMS_UP:
            self._message(_summary(result))
        if united:
            self._message(f"United {_plural(len(united), 'recording')} of what tests ran")

    def _find(self, base: str, paths: list[str]) -> tuple[list[str], list[Remote]]:
        """The inputs here and in stores, as coverage.py finds them: without `paths`, those beside
        the output."""
        if self._output and not paths:
            paths = [storage.folder_of(self._output)]
        local = [path for path in paths if not urls.is_url(path)]
        remotes = [
            one
            for path in paths
            if urls.is_url(path)
            for one in storage.find(path, Path(base).name)
            if one.url != self._output
        ]
        if paths and not local:
            return [], remotes
        return coverage_data.combinable_files(base, local or None), remotes

    def _combine(self, inputs: list[str], fetch: Fetch, output: str, *, strict: bool) -> Combined:
        argv = when = None
        if self._debug.should("process"):
            argv = str(sys.argv)
            when = datetime.datetime.now().strftime("%Y-%m-%d %H:%M:%S")

        def note(path: str, fate: Fate, why: str) -> None:
            name = fetch.of[path].url if path in fetch.of else path
            self._note(name if urls.is_url(name) else os.path.relpath(name), fate, fetch.named(why))
            fetch.done(path)

        with terminal.progress(quiet=bool(self._options.quiet)) as on_progress:
            return self._merge(fetch)(
                [*inputs, *fetch.paths],
                output,
                aliases=self._make_aliases(),
                append=bool(self._options.append),
                strict=strict,
                argv=argv,
                when=when,
                on_progress=on_progress,
                on_input=note,
            )

    def _merge(self, fetch: Fetch) -> Callable[..., Combined]:
        """What does the work."""
        scheduler: str | None = self._options.dask
        if scheduler is None:
            ready = fetch.ready if fetch.paths else None
            return functools.partial(combining.combine_files, ready=ready)
        try:
            from shmcov import dask
        except ImportError as error:
            raise CoverageException(
                f"--dask needs Dask ({error}): pip install 'shmcov[dask]'"
            ) from error
        return functools.partial(dask.combine, scheduler=scheduler or None)

    def _unite_recordings(self, output: str, inputs: list[str]) -> list[Path]:
        """Takes over what shards recorded of their tests, if it lies beside their data. Whatever is
        wrong with it does not keep the data from being combined."""
        store = Store(Path(output).with_name(NAME))
        united = []
        for path in beside(inputs, store.path):
            try:
                store.unite(path)
                united.append(path)
            except CoverageException as error:
                messages.warn(self, [(str(error), None)])
        return united

    def _note(self, name: str, fate: Fate, why: str) -> None:
        """Says what becomes of an input, as coverage.py does."""
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

    def _note_removal(self, path: str) -> None:
        if self._debug.should("dataio"):
            self._debug.write(f"Deleting data file {path!r}")


def _summary(result: Combined) -> str:
    text = f"Combined {_plural(len(result.combined), 'file')}"
    if result.skipped:
        text += f", skipped {len(result.skipped)}"
    if result.unusable:
        text += f", {_plural(len(result.unusable), 'file')} errored"
    return text


def _plural(n: int, thing: str) -> str:
    return f"{n} {thing}{'' if n == 1 else 's'}"
