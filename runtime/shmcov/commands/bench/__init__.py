# SPDX-License-Identifier: Apache-2.0
"""`shmcov bench`: what a tracer costs, on a command of the user's.

program.py is what the user wants to run, configuration.py what of it is measured, tools.py what it
can run under. running.py runs one command, rounds.py all of them in turn, session.py a benchmark.
figures.py makes statistics of the times, show.py tables, files.py a file and a plot. bench/ of the
repository stands on the same parts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from coverage.exceptions import CoverageException

from shmcov.commands.bench import files, show, tools
from shmcov.commands.bench.configuration import Configuration
from shmcov.commands.bench.program import NotPython, parse
from shmcov.commands.bench.progress import progress
from shmcov.commands.bench.session import CommandFailed, Goal, Results, Session
from shmcov.messages import complain

MEASURES_ITSELF = "--cov"
PLOTS = (".svg", ".png", ".pdf")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov bench",
        description="Run a command under each tool that measures coverage, in turn with the "
        "command alone, and show what each costs. The configuration of coverage.py decides what is "
        "measured; data files go to a temporary folder. The command is a script, -m and a module, "
        "or `python` with either.",
    )
    names = ", ".join(tool.name for tool in tools.TOOLS[1:])
    parser.add_argument("--branch", action="store_true", help="Measure with branches, too.")
    parser.add_argument(
        "--contexts", action="store_true", help="Measure with a context for each test, too."
    )
    parser.add_argument(
        "--source", metavar="SRC1,SRC2", help="What to measure, as for `coverage run`."
    )
    parser.add_argument(
        "--rcfile", help="The configuration file. Default: as coverage.py finds it."
    )
    parser.add_argument(
        "--tools",
        metavar="NAMES",
        help=f"Which tools, with commas between: {names}. Default: all that are installed, without "
        "pytrace.",
    )
    parser.add_argument(
        "--time",
        type=float,
        default=10.0,
        metavar="MINUTES",
        help="Begin no round that would end later. Default: 10.",
    )
    parser.add_argument(
        "--precision",
        type=float,
        default=1.0,
        metavar="PERCENT",
        help="Stop when each ratio of CPU times is known to within so much. Default: 1.",
    )
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="Measure so many rounds, whatever comes out."
    )
    parser.add_argument("--json", metavar="FILE", help="Write a file that pyperf reads.")
    parser.add_argument("--markdown", metavar="FILE", help="Write the table as Markdown.")
    parser.add_argument("--plot", metavar="FILE", help="Draw the ratios, as .svg, .png or .pdf.")
    parser.add_argument(
        "-m", dest="module", action="store_true", help="The command is a module, as for python -m."
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="command")
    return parser


def main(argv: list[str]) -> int:
    arguments = parser()
    options = arguments.parse_args(argv)
    words = options.command[1:] if options.command[:1] == ["--"] else options.command
    try:
        program = parse(["-m", *words] if options.module else words)
        chosen = _chosen(options.tools)
    except (NotPython, ValueError) as error:
        arguments.error(str(error))
    for module, path in (("pyperf", options.json), ("matplotlib", options.plot)):
        if path and (text := files.lacking(module)):
            complain(text)
            return 1
    if options.plot and Path(options.plot).suffix not in PLOTS:
        arguments.error(f"--plot takes a name that ends in {', '.join(PLOTS)}, not {options.plot}")
    if options.rounds is not None and options.rounds < 1:
        arguments.error("--rounds takes a number of at least 1")
    if any(word.partition("=")[0] == MEASURES_ITSELF for word in program.args):
        arguments.error("the command measures itself: leave --cov out of it")
    goal = Goal(options.time * 60, options.precision / 100, options.rounds)
    source = options.source.split(",") if options.source else []
    folder = Path(tempfile.mkdtemp(prefix="shmcov-bench-"))
    try:
        configuration = Configuration(options.rcfile, source)
        modes = configuration.modes(branches=options.branch, contexts=options.contexts)
        with progress() as say:
            session = Session(program, configuration, folder, say)
            results = session.measure(chosen, modes, goal)
    except CommandFailed as error:
        complain(f"`{program}` cannot be compared: alone, without any tool, {error}")
        return 1
    except CoverageException as error:
        complain(str(error))
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _report(results, options)


def _report(results: Results, options: argparse.Namespace) -> int:
    show.table(results)
    sys.stdout.flush()
    if any(results.complete().values()):
        if options.json:
            files.write_json(results, Path(options.json))
        if options.markdown:
            Path(options.markdown).write_text(show.markdown(results))
        if options.plot:
            files.write_plot(results, Path(options.plot))
    if results.interrupted:
        raise KeyboardInterrupt
    return int(len(results.complete()) < 2)


def _chosen(names: str | None) -> list[tools.Tool]:
    if names is None:
        return [tool for tool in tools.TOOLS if tool not in tools.ON_REQUEST]
    unknown = [name for name in names.split(",") if name not in tools.BY_NAME]
    if unknown:
        known = ", ".join(tools.BY_NAME)
        raise ValueError(f"--tools: there is no {', '.join(unknown)}; there are {known}")
    return [tools.BY_NAME[name] for name in names.split(",")]
