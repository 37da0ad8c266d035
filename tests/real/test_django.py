# SPDX-License-Identifier: Apache-2.0
"""Django's own tests, in two processes under shmcov: what ctrace reports of them in one process."""

from __future__ import annotations

import sys

import pytest
from real_support import HERE, MODES, Checkout, Explained, Suite

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.xdist_group("django")]

APPS = ("queries", "forms_tests", "template_tests", "utils_tests", "model_forms", "aggregation")
VERSION = "6.1.3" if sys.version_info >= (3, 12) else "5.2.19"
STARTS = ("fork", "spawn")


def command(start: str, processes: int) -> tuple[str, ...]:
    run_tests = ("runtests.py", "--parallel", str(processes), *APPS)
    return (str(HERE / "start_by.py"), start, *run_tests)


SUITE = Suite(
    sdist=f"django=={VERSION}",
    source=("django", *(f"tests/{app}" for app in APPS)),
    serial=command("fork", 1),
    parallel={start: command(start, 2) for start in STARTS},
    # Without tblib the result of a test that fails cannot come back from a worker.
    needs=("tblib==3.2.2",),
    cwd="tests",
    # test_permissions_error fails for root, who may read everything.
    statuses=(0, 1),
)

WORKERS = "only a parallel run hands tests to workers, collects their results, and plays them back"
CLONES = "each worker has a copy of the database: it is made, connected to, and removed"
AT_EXIT = (
    "connections are collected when the interpreter ends, where `coverage run` measures no more"
)
ROOT = "test_permissions_error fails for root: a worker has a failure to send"
POLLING = "the parent looks for results ten times a second, and may find none"
ORDER = "depends on which tests ran in this process before"
SET_ORDER = "the loop is over a set of paths, whose order depends on where the project lies"
SPAWNED = "a spawned worker sets Django up again, and runs its checks with redirected output"

EXPLAINED_IN: dict[str, dict[str, tuple[Explained, ...]]] = {
    "6.1.3": {
        "django/apps/registry.py": (Explained(SPAWNED, "70", starts=("spawn",)),),
        "django/core/management/base.py": (Explained(SPAWNED, "457 459", starts=("spawn",)),),
        "django/db/backends/base/client.py": (Explained(AT_EXIT, either="17"),),
        "django/db/backends/base/creation.py": (
            Explained(AT_EXIT, either="35"),
            Explained(CLONES, "268-272 274-284 319", branches=((339, -308),)),
        ),
        "django/db/backends/base/features.py": (Explained(AT_EXIT, either="461"),),
        "django/db/backends/base/introspection.py": (Explained(AT_EXIT, either="32"),),
        "django/db/backends/base/operations.py": (Explained(AT_EXIT, either="69"),),
        "django/db/backends/base/validation.py": (Explained(AT_EXIT, either="8"),),
        "django/db/backends/sqlite3/creation.py": (
            Explained(CLONES, "55-58 62-63 75-77 104 131-136"),
            Explained(CLONES, "64 138-139", starts=("fork",)),
            Explained(CLONES, "65-66 105-107 112 140-158", starts=("spawn",)),
        ),
        "django/db/utils.py": (Explained(AT_EXIT, either="68"),),
        "django/template/autoreload.py": (Explained(SET_ORDER, either_branches=((59, 58),)),),
        "django/test/runner.py": (
            Explained(WORKERS, "161 172-184 199 207 232-233 292-293 296-297 300-301"),
            Explained(WORKERS, "324 330 333-334 337-338 345 347-349 364 377-379 383-388"),
            Explained(WORKERS, "439-448 456-459 464-465 471 478-479 494-497 531-539 556-581"),
            Explained(WORKERS, "591-602 605-607 609-611 620-622 625 628 1007-1015 1273-1275"),
            Explained(WORKERS, branches=((1006, 1022),)),
            Explained(SPAWNED, "449-450 452-454 461-462 469 472 629-632", starts=("spawn",)),
            Explained(POLLING, either="585-588"),
            Explained(ROOT, either="317-319"),
        ),
        "django/test/testcases.py": (Explained(WORKERS, "320-323 331"),),
        "django/test/utils.py": (
            Explained(CLONES, "228-230 388-389", branches=((227, 212), (387, 394))),
        ),
        "django/utils/translation/trans_real.py": (Explained(ORDER, either="425 427"),),
    },
    "5.2.19": {
        "django/apps/registry.py": (Explained(SPAWNED, "70", starts=("spawn",)),),
        "django/db/backends/base/creation.py": (
            Explained(CLONES, "243-247 249-259 294", branches=((314, -283),)),
        ),
        "django/db/backends/sqlite3/creation.py": (
            Explained(CLONES, "55-58 62-63 75-77 104 131-136"),
            Explained(CLONES, "64 138-139", starts=("fork",)),
            Explained(CLONES, "65-66 105-107 112 140-159", starts=("spawn",)),
        ),
        "django/template/autoreload.py": (Explained(SET_ORDER, either_branches=((59, 58),)),),
        "django/test/runner.py": (
            Explained(WORKERS, "143 154-166 181 189 214-215 274-275 278-279"),
            Explained(WORKERS, "306 312 315-316 319-320 327 329-331 346 359-361 365-370"),
            Explained(WORKERS, "420-426 434-437 442 452-455 489-497 514-536"),
            Explained(WORKERS, "543-554 557-559 561-563 572-574 577 580 960-968 1227-1229"),
            Explained(WORKERS, branches=((959, 975),)),
            Explained(SPAWNED, "427-428 430-432 439-440 581-584", starts=("spawn",)),
            Explained(POLLING, either="540-542"),
            Explained(ROOT, either="299-301"),
        ),
        "django/test/testcases.py": (Explained(WORKERS, "327-330 338"),),
        "django/test/utils.py": (
            Explained(CLONES, "213-215 373-374", branches=((212, 196), (372, 379))),
        ),
        "django/utils/translation/trans_real.py": (Explained(ORDER, either="421 423"),),
    },
}
EXPLAINED = EXPLAINED_IN.get(VERSION, {})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("start", STARTS)
def test_agrees_with_ctrace_in_one_process(
    start: str, mode: str, pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> None:
    checkout = Checkout.of(SUITE, pytestconfig, tmp_path_factory)
    found = checkout.compare(start, mode, EXPLAINED)
    if found:
        pytest.fail(found, pytrace=False)
