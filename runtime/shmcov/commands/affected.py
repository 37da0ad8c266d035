# SPDX-License-Identifier: Apache-2.0
"""`shmcov affected`: the tests that a change may affect, for whatever runs them."""

from __future__ import annotations

import argparse
import json
import re
import sys
from contextlib import closing
from pathlib import Path

from coverage.exceptions import CoverageException

from shmcov.affected.choose import Chooser, Rules
from shmcov.affected.project import Revision, Tree
from shmcov.affected.record import Outcome, record
from shmcov.affected.store import NAME, Recorded, Store
from shmcov.messages import complain
from shmcov.recording import configured, test_of


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="shmcov affected",
        description="Print the recorded tests that what has changed since they ran may affect, a "
        "line each. `pytest --shmcov-affected` records, chooses and runs; this is for others.",
    )
    parser.add_argument(
        "--format",
        choices=("pytest", "unittest", "django", "lines"),
        default="lines",
        help="how to name the tests; lines: as they were recorded. For unittest and django test "
        "modules that are new or have changed are listed as a whole",
    )
    parser.add_argument(
        "--since", metavar="REVISION", help="compare with what git has, not with what tests saw"
    )
    parser.add_argument("--explain", metavar="TEST", help="say why a test has to run, or need not")
    parser.add_argument("--json", action="store_true", help="print each test with the reason")
    parser.add_argument(
        "--record",
        action="store_true",
        help="record what the data file says of tests: contexts of dynamic_context = test_function",
    )
    parser.add_argument(
        "--unite", nargs="+", metavar="FILE", help="take over what other files recorded, of shards"
    )
    parser.add_argument("--tests", metavar="FILE", default=NAME, help=f"default: {NAME}")
    parser.add_argument(
        "--ignore",
        action="append",
        metavar="PATTERN",
        help="with --record: files that are not Python and that no test reads",
    )
    parser.add_argument(
        "--variable",
        action="append",
        metavar="NAME",
        help="with --record: an environment variable on which tests depend",
    )
    parser.add_argument("--data-file", metavar="FILE", help="with --record; default: as configured")
    parser.add_argument("--rcfile", metavar="FILE", help="the configuration that names it")
    return parser


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    store = Store(Path(options.tests).absolute())
    tree = Tree(store.path.parent)
    try:
        if options.unite:
            return _unite(options.unite, store)
        if options.record:
            return _record(options, tree, store)
        if not store.exists():
            raise CoverageException(f"Nothing was recorded: there is no {store.path}")
        since = Revision(tree.root, options.since) if options.since else None
        return _choose(options, Chooser(tree, store, since=since))
    except CoverageException as error:
        complain(str(error))
        return 1


def _choose(options: argparse.Namespace, chooser: Chooser) -> int:
    if options.explain:
        if options.explain not in chooser.recorded.tests:
            raise CoverageException(f"{options.explain} was not recorded, so it runs")
        print(chooser.why(options.explain) or "nothing that it ran has changed")
        return 0
    reasons = {name: why for name in chooser.recorded.tests if (why := chooser.why(name))}
    if options.json:
        everything = chooser.everything()
        of = len(chooser.recorded.tests)
        print(json.dumps({"tests": reasons, "recorded": of, "everything": everything}))
        return 0
    names = list(reasons)
    if options.format in ("unittest", "django"):
        modules = sorted(filter(_is_of_tests, chooser.changed_on_import()))
        names = [*map(_dotted, names), *(_dotted(name) for name in modules)]
    for name in dict.fromkeys(names):
        print(name)
    if why := chooser.everything():
        print(f"shmcov: all tests are affected: {why}", file=sys.stderr)
    return 0


def _is_of_tests(file: str) -> bool:
    return bool(re.search(r"(^|/)(test[^/]*|[^/]*_test|tests/[^/]*)\.py$", file))


def _dotted(name: str) -> str:
    """A node id of pytest, or a file, as a dotted name."""
    path, _, inside = name.partition("::")
    if not path.endswith(".py"):
        return name
    module = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    return ".".join([module, *filter(None, inside.partition("[")[0].split("::"))])


def _record(options: argparse.Namespace, tree: Tree, store: Store) -> int:
    with closing(configured(options.data_file, options.rcfile)) as recording:
        tests = {test_of(name)[0]: Outcome() for name in recording.contexts.values() if name}
        if not tests:
            raise CoverageException(f"{recording.path} does not say which test ran what")
        rules = Rules(tuple(options.ignore or ()), tuple(options.variable or ()))
        record(recording, tests, tree, store, rules)
    print(f"{len(tests)} tests are recorded in {store.path}")
    return 0


def _unite(files: list[str], store: Store) -> int:
    for name in files:
        if not Path(name).exists():
            raise CoverageException(f"There is no {name}")
    for name in files:
        store.unite(Path(name))
    print(f"{len(Recorded(store).tests)} tests are recorded in {store.path}")
    return 0
