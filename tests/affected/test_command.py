# SPDX-License-Identifier: Apache-2.0
"""`shmcov affected`: for runners other than pytest, for shards, and for who asks why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from project_support import Project

TEST = """
    import unittest
    from shop import price, vip

    class Prices(unittest.TestCase):
        def test_price(self):
            self.assertEqual(price(1), 2)

        def test_vip(self):
            self.assertEqual(vip(1), 1)
"""


@pytest.fixture
def shop(project: Project) -> Project:
    project.write("shop.py", "def price(n):\n    return n * 2\n\n\ndef vip(n):\n    return n\n")
    project.write("test_shop.py", TEST)
    project.write(".coveragerc", "[run]\ndynamic_context = test_function\n")
    return project


def printed(shop: Project, *args: str) -> list[str]:
    done = shop.shmcov("affected", *args)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def edit(shop: Project, old: str, new: str) -> None:
    path = shop.folder / "shop.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_unittest(shop: Project) -> None:
    assert shop.shmcov("run", "-m", "unittest").returncode == 0
    assert printed(shop, "--record")[0].startswith("2 tests are recorded in ")
    assert printed(shop, "--format=unittest") == []
    edit(shop, "n * 2", "2 * n")
    assert printed(shop, "--format=unittest") == ["test_shop.Prices.test_price"]
    shop.write("test_new.py", "import unittest\n")
    assert printed(shop, "--format=django") == ["test_shop.Prices.test_price", "test_new"]
    (test,) = printed(shop)
    assert printed(shop, "--explain", test) == ["price() in shop.py has changed"]
    assert printed(shop, "--explain", "test_shop.Prices.test_vip") == [
        "nothing that it ran has changed"
    ]
    answer = json.loads(printed(shop, "--json")[0])
    assert answer == {
        "tests": {test: "price() in shop.py has changed"},
        "recorded": 2,
        "everything": "",
    }


def test_shards(shop: Project, tmp_path: Path) -> None:
    shards = [tmp_path / "price", tmp_path / "vip"]
    for shard in shards:
        command = ("-m", "pytest", "-q", "--shmcov-affected", f"--shmcov-tests={shard}")
        assert shop.python(*command, "-k", f"test_{shard.name}").returncode == 0
    said = printed(shop, "--unite", *map(str, shards))
    assert said == [f"2 tests are recorded in {shop.folder / '.shmcov-tests'}"]
    assert printed(shop) == []
    edit(shop, "return n\n", "return +n\n")
    assert printed(shop, "--format=pytest") == ["test_shop.py::Prices::test_vip"]
    assert printed(shop, "--format=unittest") == ["test_shop.Prices.test_vip"]
    done = shop.python("-m", "pytest", "-q", "--shmcov-affected")
    assert "1 passed, 1 deselected" in done.stdout


def test_everything(shop: Project) -> None:
    shop.write("data.json", "1")
    assert shop.shmcov("run", "-m", "unittest").returncode == 0
    printed(shop, "--record", "--variable=MODE")
    shop.write("data.json", "2")
    done = shop.shmcov("affected")
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == "shmcov: all tests are affected: data.json has changed\n"
    shop.write("data.json", "1")
    assert printed(shop) == []
    shop.env["MODE"] = "x"
    assert "the environment variable MODE has changed" in shop.shmcov("affected").stderr


def test_combine_unites_what_shards_recorded(shop: Project) -> None:
    for name in ("price", "vip"):
        (shop.folder / name).mkdir()
        command = ("-m", "pytest", "-q", "--shmcov-affected")
        command += (f"--shmcov-tests={name}/.shmcov-tests", "-k", f"test_{name}")
        done = shop.shmcov("run", f"--data-file={name}/.coverage", *command)
        assert done.returncode == 0, done.stdout + done.stderr
    shop.write("bad/.shmcov-tests.1", "no recording")
    shutil.copy(shop.folder / "vip" / ".coverage", shop.folder / "bad")
    done = shop.shmcov("combine", *(f"{name}/.coverage" for name in ("price", "vip", "bad")))
    assert done.returncode == 0, done.stderr
    assert "United 2 recordings" in done.stdout + done.stderr
    assert "bad/.shmcov-tests.1" in done.stderr
    assert shop.data_files() == [".coverage"]
    left = {str(path.relative_to(shop.folder)) for path in shop.folder.rglob(".shmcov-tests*")}
    assert left == {".shmcov-tests", "bad/.shmcov-tests.1"}
    assert printed(shop) == []
    edit(shop, "return n\n", "return +n\n")
    assert printed(shop) == ["test_shop.py::Prices::test_vip"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "Nothing was recorded: there is no "),
        (["--record"], "There is no data file "),
        (["--unite", "none"], "There is no none"),
    ],
)
def test_what_is_not_there(shop: Project, args: list[str], said: str) -> None:
    done = shop.shmcov("affected", *args)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"shmcov: {said}")


def test_no_contexts(shop: Project) -> None:
    shop.write(".coveragerc", "")
    assert shop.shmcov("run", "-m", "unittest").returncode == 0
    done = shop.shmcov("affected", "--record")
    assert done.returncode == 1
    assert "does not say which test ran what" in done.stderr
