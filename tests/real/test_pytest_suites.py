# SPDX-License-Identifier: Apache-2.0
"""`pytest -n 2` on projects that everybody has: what ctrace reports of them without xdist."""

from __future__ import annotations

import pytest
from real_support import MODES, Checkout, Explained, Suite

pytest.importorskip("xdist")

pytestmark = [pytest.mark.real, pytest.mark.slow]

PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider")

# Jinja compiles templates to code objects with file names of their own (the templates
# themselves are no Python and left out); its tests use asyncio and trio.
JINJA = Suite(
    sdist="jinja2==3.1.6",
    source=("src/jinja2", "tests"),
    serial=(*PYTEST, "-p", "no:xdist"),
    parallel={"xdist": (*PYTEST, "-n", "2")},
    needs=("markupsafe", "trio"),
    omit="tests/res/*",
    path="src",
)

# Decorators, context managers, generators, and subprocesses that page output.
CLICK = Suite(
    sdist="click==8.5.1",
    source=("src/click", "tests"),
    serial=(*PYTEST, "-p", "no:xdist"),
    parallel={"xdist": (*PYTEST, "-n", "2")},
    # Its tests ask for the version that is installed.
    needs=("click==8.5.1",),
    path="src",
    # Tests of the pager fail on 3.15, in the same way in both runs.
    statuses=(0, 1),
)

AT_EXIT = (
    "a test leaves a generator unfinished, which is closed when the interpreter ends; "
    "`coverage run` measures no more then"
)

FOREIGN_IMPORT = (
    "a test's loader on sys.meta_path serves what anybody imports meanwhile, which depends on what "
    "was imported before"
)

EXPLAINED: dict[str, dict[str, tuple[Explained, ...]]] = {
    JINJA.name: {
        "src/jinja2/environment.py": (Explained(AT_EXIT, either="1347"),),
        "tests/test_loader.py": (Explained(FOREIGN_IMPORT, either="406-410 418 421"),),
    },
    CLICK.name: {},
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("suite", [JINJA, CLICK], ids=lambda suite: suite.name)
def test_agrees_with_ctrace_in_one_process(
    suite: Suite, mode: str, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> None:
    checkout = Checkout.of(suite, pytestconfig, tmp_path_factory)
    found = checkout.compare("xdist", mode, EXPLAINED[suite.name])
    if found:
        pytest.fail(found, pytrace=False)
