# SPDX-License-Identifier: Apache-2.0
"""`pytest --shmcov-affected`, as a user runs it."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
from project_support import Project

FILES = {
    "shop/__init__.py": "",
    "shop/prices.py": """
        FACTOR = 2

        def price(n):
            return n * FACTOR

        def vip(n):
            return price(n) - 1
    """,
    "shop/cart.py": """
        from shop import prices

        def total(ns):
            return sum(prices.price(n) for n in ns)
    """,
    "shop/alone.py": """
        def alone():
            return 1
    """,
    "conftest.py": """
        import pytest

        @pytest.fixture
        def hundred():
            return 100
    """,
    "test_prices.py": """
        from shop.prices import price, vip

        def test_price():
            assert price(1) == 2

        def test_vip(hundred):
            assert vip(hundred) == 199
    """,
    "test_cart.py": """
        import pytest
        from shop.cart import total

        @pytest.fixture(scope="module")
        def made():
            return total([1, 2])

        def test_first(made):
            assert made == 6

        def test_second(made):
            assert made == 6

        @pytest.mark.parametrize("n", [1, 2])
        def test_plain(n):
            assert n
    """,
    "test_alone.py": """
        from shop.alone import alone

        def test_alone():
            assert alone() == 1
    """,
}

ALL = {
    "test_price",
    "test_vip",
    "test_first",
    "test_second",
    "test_plain[1]",
    "test_plain[2]",
    "test_alone",
}


ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "shmcov.pytest_plugin"}
"""Half of a short session is to load what other plug-ins are installed."""


def fill(project: Project) -> Project:
    for name, text in FILES.items():
        project.write(name, text)
    return project


@pytest.fixture
def shop(project: Project) -> Project:
    project.env.update(ALONE)
    return fill(project)


@pytest.fixture
def beside_others(project: Project) -> Project:
    """With all plug-ins that are installed, as a user has it."""
    return fill(project)


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of all tests. Nothing in it depends on where the project is."""
    shop = fill(Project(tmp_path_factory.mktemp("recorded")))
    shop.env.update(ALONE)
    assert ran(shop) == ALL
    return shop.folder / ".shmcov-tests"


@pytest.fixture
def recorded(shop: Project, recording: Path) -> Project:
    """After the first run."""
    shutil.copy(recording, shop.folder)
    return shop


def ran(shop: Project, *options: str, status: int = 0) -> set[str]:
    """The tests that ran, without their files."""
    done = shop.python(
        "-m", "pytest", "-rA", "--shmcov-affected", "-p", "no:cacheprovider", *options
    )
    assert done.returncode == status, done.stdout + done.stderr
    return set(re.findall(r"^(?:PASSED|FAILED|SKIPPED) \S+::(\S+)", done.stdout, re.MULTILINE))


def change(shop: Project, name: str, old: str, new: str) -> None:
    path = shop.folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_only_what_a_change_touches(beside_others: Project) -> None:
    shop = beside_others
    assert ran(shop) == ALL
    assert ran(shop) == set()
    change(shop, "shop/prices.py", "price(n) - 1", "price(n) - 2 + 1")
    assert ran(shop) == {"test_vip"}
    change(shop, "shop/cart.py", "sum(", "0 + sum(")
    assert ran(shop) == {"test_first", "test_second"}
    assert ran(shop) == set()


def test_workers(beside_others: Project) -> None:
    pytest.importorskip("xdist")
    shop = beside_others
    assert ran(shop, "-n2") == ALL
    change(shop, "shop/prices.py", "price(n) - 1", "price(n) - 2 + 1")
    assert ran(shop, "-n2") == {"test_vip"}
    assert ran(shop, "-n2") == set()


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("shop/prices.py", "FACTOR = 2", "FACTOR = 1 + 1", ALL - {"test_alone"}),
        ("shop/prices.py", "FACTOR = 2", "\n# two\nFACTOR = 2  # 2", set()),
        ("shop/__init__.py", "", "x = 1", ALL),
        ("conftest.py", "return 100", "return 50 * 2", {"test_vip"}),
        ("conftest.py", "import pytest", "import pytest, os", ALL),
        ("test_cart.py", "return total([1, 2])", "return 6", {"test_first", "test_second"}),
        ("test_prices.py", "price(1) == 2", "price(2) == 4", {"test_price"}),
        ("test_prices.py", "def test_price", "def test_cost", {"test_cost", "test_vip"}),
    ],
)
def test_changes(recorded: Project, name: str, old: str, new: str, expected: set[str]) -> None:
    shop = recorded
    change(shop, name, old, new)
    assert ran(shop) == expected


def test_a_new_parameter_and_a_new_file(recorded: Project) -> None:
    shop = recorded
    change(shop, "test_cart.py", '"n", [1, 2]', '"n", [1, 2, 3]')
    file = {"test_first", "test_second", "test_plain[1]", "test_plain[2]", "test_plain[3]"}
    assert ran(shop) == file
    shop.write("test_new.py", "def test_new(): pass\n")
    assert ran(shop) == {"test_new"}
    shop.write("sub/conftest.py", "")
    shop.write("sub/test_below.py", "def test_below(): pass\n")
    assert ran(shop) == {"test_below"}


def test_what_failed_runs_again(recorded: Project) -> None:
    shop = recorded
    change(shop, "shop/alone.py", "return 1", "return 2")
    assert ran(shop, status=1) == {"test_alone"}
    assert ran(shop, status=1) == {"test_alone"}
    change(shop, "shop/alone.py", "return 2", "return 1")
    assert ran(shop) == {"test_alone"}
    assert ran(shop) == set()


def test_a_part_of_the_tests_leaves_the_others_as_they_were(recorded: Project) -> None:
    shop = recorded
    change(shop, "shop/prices.py", "n * FACTOR", "FACTOR * n")
    assert ran(shop, "-k", "price and not vip", "test_prices.py") == {"test_price"}
    assert ran(shop) == {"test_vip", "test_first", "test_second"}


def test_other_files_and_surroundings(shop: Project) -> None:
    shop.write("data.json", "{}")
    shop.write("pytest.ini", "[pytest]\nshmcov_affected_variables = MODE\n")
    assert ran(shop) == ALL
    shop.write("notes.md", "new")
    assert ran(shop) == set()
    shop.write("data.json", "[]")
    done = shop.python("-m", "pytest", "-q", "--shmcov-affected")
    assert "shmcov: no test is left out: data.json has changed\n" in done.stdout
    shop.env["MODE"] = "slow"
    done = shop.python("-m", "pytest", "-q", "--shmcov-affected")
    assert "no test is left out: the environment variable MODE has changed\n" in done.stdout
    change(shop, "pytest.ini", "MODE", "MODE\nshmcov_affected_ignore = *.json")
    assert ran(shop) == ALL
    shop.write("data.json", "{}")
    assert ran(shop) == set()


def test_what_runs_outside_of_tests(shop: Project) -> None:
    """A function that a module calls while it is imported changes what the module is."""
    change(shop, "shop/prices.py", "FACTOR = 2", "def two(): return 2\n\nFACTOR = two()")
    assert ran(shop) == ALL
    change(shop, "shop/prices.py", "return 2", "return 1 + 1")
    assert ran(shop) == ALL - {"test_alone"}


SINGLE = """
    class Lexer:
        made = None

        @classmethod
        def the_one(cls):
            if cls.made is None:
                cls.made = cls()
                cls.made.initialize()
            return cls.made

        def initialize(self):
            self.words = {"a", "b"}

        def other(self):
            return 1

    def is_word(text):
        return text in Lexer.the_one().words
"""
USERS = """
    from shop.lexer import Lexer, is_word

    def test_a():
        assert is_word("a")

    def test_b():
        assert is_word("b")

    def test_c():
        assert not is_word("c")

    def test_other():
        lexer = Lexer()
        lexer.initialize()
        assert lexer.other()
"""


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["one", "xdist"])
def test_what_the_first_test_makes_for_all(shop: Project, options: list[str]) -> None:
    if options:
        pytest.importorskip("xdist")
        shop.env["PYTEST_PLUGINS"] += ",xdist.plugin"
    shop.write("shop/lexer.py", SINGLE)
    shop.write("test_lexer.py", USERS)
    ran(shop, *options)
    change(shop, "shop/lexer.py", '{"a", "b"}', '{"b", "a"}')
    assert ran(shop, *options) == {"test_a", "test_b", "test_c", "test_other"}
    change(shop, "shop/lexer.py", "return 1", "return 2")
    assert ran(shop, *options) == {"test_other"}


def test_in_other_processes(shop: Project) -> None:
    shop.write(
        "test_child.py",
        """
        import multiprocessing, subprocess, sys
        from shop.alone import alone

        def test_spawned():
            code = "from shop import cart; cart.total([1])"
            subprocess.run([sys.executable, "-c", code], check=True)

        def test_forked():
            child = multiprocessing.get_context("fork").Process(target=alone)
            child.start()
            child.join()
        """,
    )
    assert ran(shop) == ALL | {"test_spawned", "test_forked"}
    change(shop, "shop/cart.py", "sum(", "0 + sum(")
    assert ran(shop) == {"test_first", "test_second", "test_spawned"}
    change(shop, "shop/alone.py", "return 1", "return 2 - 1")
    assert ran(shop) == {"test_alone", "test_forked"}


def test_beside_pytest_cov(beside_others: Project) -> None:
    pytest.importorskip("pytest_cov")
    shop = beside_others
    shop.write(".coveragerc", "[run]\nplugins = shmcov\nbranch = true\nsource = .\n")
    assert ran(shop, "--cov") == ALL
    assert shop.missing("shop/prices.py") == []
    change(shop, "shop/prices.py", "price(n) - 1", "price(n) - 2 + 1")
    assert ran(shop, "--cov") == {"test_vip"}
    shop.write(".coveragerc", "[run]\nsource = .\n")
    done = shop.python("-m", "pytest", "-q", "--cov", "--shmcov-affected", env={"X": "1"})
    assert done.returncode != 0
    assert "`plugins = shmcov` in the section [run]" in done.stdout + done.stderr


def test_under_shmcov_run(shop: Project) -> None:
    def run() -> str:
        done = shop.shmcov("run", "-m", "pytest", "-q", "--shmcov-affected")
        assert done.returncode == 0
        return done.stdout

    assert "7 passed" in run()
    change(shop, "shop/prices.py", "price(n) - 1", "price(n) - 2 + 1")
    assert "1 passed, 6 deselected" in run()


def test_since_a_revision(shop: Project) -> None:
    def git(*args: str) -> None:
        who = ["-c", "user.email=a@example.org", "-c", "user.name=a"]
        subprocess.run(["git", *who, *args], cwd=shop.folder, check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "x")
    assert ran(shop) == ALL
    change(shop, "shop/prices.py", "price(n) - 1", "price(n) - 2 + 1")
    assert ran(shop) == {"test_vip"}
    assert ran(shop) == set()
    assert ran(shop, "--shmcov-affected=HEAD") == {"test_vip"}  # and again
    assert ran(shop, "--shmcov-affected=HEAD") == {"test_vip"}
    done = shop.python("-m", "pytest", "--shmcov-affected=nothing")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "nothing is no revision that git knows in" in done.stderr + done.stdout


def test_a_recording_that_cannot_be_used(shop: Project) -> None:
    store = shop.folder / ".shmcov-tests"
    store.write_text("no database, and long enough that it cannot be taken for an empty one" * 20)
    done = shop.python("-m", "pytest", "-q", "--shmcov-affected")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"Couldn't use {store}: " in done.stderr + done.stdout
    store.unlink()
    with sqlite3.connect(store) as db:
        db.execute("pragma user_version = 1000")
    db.close()
    done = shop.python("-m", "pytest", "-q", "--shmcov-affected")
    assert "was recorded by another version of shmcov: remove it" in done.stderr + done.stdout


def test_another_place(shop: Project, tmp_path: Path) -> None:
    place = tmp_path / "kept"
    assert ran(shop, f"--shmcov-tests={place}") == ALL
    assert ran(shop, f"--shmcov-tests={place}") == set()
    assert not (shop.folder / ".shmcov-tests").exists()
