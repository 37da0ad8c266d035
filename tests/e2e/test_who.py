# SPDX-License-Identifier: Apache-2.0
"""`shmcov who`: which tests ran a line, and which lines a test ran."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from project_support import Project

SHOP = """
    def price(amount, vip=False):
        if vip:
            return (
                amount -
                amount // 10
            )
        return amount

    def unused():
        return 1
"""

TESTS = """
    import pytest
    import shop

    def helper():
        return [shop.price(n) for n in range(3)]

    @pytest.fixture
    def made():
        return shop.price(2)

    def test_plain():
        assert shop.price(3) == 3

    def test_vip():
        assert shop.price(100, vip=True) == 90
        assert helper()
        assert helper()

    def test_made(made):
        assert made
"""


@pytest.fixture(params=[[], ["--branch"]], ids=["lines", "branches"])
def recorded(project: Project, request: pytest.FixtureRequest) -> Project:
    project.write("shop.py", SHOP)
    project.write("test_shop.py", TESTS)
    command = ("run", *request.param, "-m", "pytest", "-q", "--shmcov-context=test")
    assert project.shmcov(*command).returncode == 0
    return project


def asked(project: Project, *args: str) -> dict[str, Any]:
    done = project.shmcov("who", "--json", *args)
    assert (done.returncode, done.stderr) == (0, "")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def ran(project: Project, what: str) -> list[str]:
    return [test["test"].partition("::")[2] for test in asked(project, what)["tests"]]


def test_who_ran_a_line(recorded: Project) -> None:
    # Those that run least come first.
    assert ran(recorded, "shop.py:7") == ["test_plain", "test_made", "test_vip"]
    assert ran(recorded, "shop.py:3") == ["test_vip"]
    assert ran(recorded, "shop.py:3-7") == ["test_plain", "test_made", "test_vip"]
    assert ran(recorded, "shop.py") == ["test_plain", "test_made", "test_vip"]
    (vip,) = asked(recorded, "shop.py:3")["tests"]
    assert vip["phases"] == ["run"]
    made = {test["test"]: test for test in asked(recorded, "shop.py:7")["tests"]}
    assert made["test_shop.py::test_made"]["phases"] == ["setup"]
    assert made["test_shop.py::test_made"]["lines"] == [7]


@pytest.mark.parametrize("line", [3, 4, 5, 6])
def test_each_line_of_a_statement_stands_for_it(recorded: Project, line: int) -> None:
    assert ran(recorded, f"shop.py:{line}") == ["test_vip"]


def test_it_counts_as_the_reports_do(recorded: Project) -> None:
    recorded.coverage("json", "-q", "--show-contexts", "-o", "all.json")
    files = json.loads((recorded.folder / "all.json").read_text())["files"]
    test = "test_shop.py::test_vip"
    expected = {
        str(recorded.folder / name): [
            int(line) for line, names in file["contexts"].items() if f"{test}|run" in names
        ]
        for name, file in files.items()
    }
    answer = asked(recorded, "--files", "test_vip")
    found = {file["file"]: file["lines"] for file in answer["files"]}
    assert found == {name: sorted(lines) for name, lines in expected.items() if lines}
    (vip,) = asked(recorded, "shop.py:3")["tests"]
    assert vip["all_lines"] == sum(len(file["lines"]) for file in answer["files"])


def test_tables(recorded: Project) -> None:
    shown = recorded.shmcov("who", "shop.py:7", "--limit=1")
    assert shown.stdout.split()[:5] == ["IN", "ALL", "LINES", "PHASES", "TEST"]
    assert "test_shop.py::test_plain" in shown.stdout
    assert "and 2 more: --limit 0 shows all" in shown.stdout
    assert "more" not in recorded.shmcov("who", "shop.py:7", "--limit=0").stdout
    files = recorded.shmcov("who", "--files", "test_plain").stdout
    assert "test_shop.py::test_plain" in files
    assert "2, 7" in files


def test_nobody(recorded: Project) -> None:
    done = recorded.shmcov("who", "shop.py:10")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "shmcov: No test ran shop.py:10.\n"
    done = recorded.shmcov("who", "shop.py:10", "--json")
    assert (done.returncode, json.loads(done.stdout)["found"]) == (2, 0)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["nothing.py"], "knows no file nothing.py."),
        (["--files", "nothing"], "knows no test nothing."),
        (
            ["--files", "test_"],
            "test_ may be one of 3; say more of its name:\n    test_shop.py::te",
        ),
        (["shop.py:0"], "shop.py:0: lines count from 1"),
        (["shop.py:7-3"], "shop.py:7-3: lines count from 1"),
        (["shop.py:99999999999"], "lines count from 1"),
        (["shop.py:1", "--data-file=none"], "There is no data file"),
        (["shop.py:1", "--data-file=shop.py"], "shop.py"),
    ],
)
def test_what_cannot_be_answered(recorded: Project, args: list[str], said: str) -> None:
    done = recorded.shmcov("who", *args)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("shmcov: ")
    assert said in done.stderr


def test_without_contexts(project: Project) -> None:
    project.write("shop.py", SHOP)
    assert project.shmcov("run", "shop.py").returncode == 0
    done = project.shmcov("who", "shop.py:1")
    assert done.returncode == 1
    assert "does not say which test ran what. Record contexts" in done.stderr


def test_part_of_a_path_from_another_folder(recorded: Project, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    data = recorded.folder / ".coverage"
    answer = recorded.shmcov("who", "shop.py:3", "--json", f"--data-file={data}", cwd=other)
    assert json.loads(answer.stdout)["file"] == str(recorded.folder / "shop.py")


def test_the_index_goes_with_the_data_file(recorded: Project) -> None:
    before = asked(recorded, "shop.py:3")
    index = recorded.folder / ".shmcov-index..coverage.json"
    assert index.exists()
    kept = index.read_text()
    index.write_text(kept.replace(f": {before['tests'][0]['all_lines']}", ": 1000", 1))
    assert asked(recorded, "shop.py:3") != before  # it is used
    with sqlite3.connect(recorded.folder / ".coverage") as db:
        db.execute("delete from file where path like '%test_shop.py'")
        db.execute("delete from line_bits where file_id not in (select id from file)")
        db.execute("delete from arc where file_id not in (select id from file)")
    db.close()
    after = asked(recorded, "shop.py:3")
    assert after["tests"][0]["all_lines"] < before["tests"][0]["all_lines"]
    index.write_text("no json")
    assert asked(recorded, "shop.py:3") == after


def test_the_index_holds_what_was_asked_for(recorded: Project) -> None:
    index = recorded.folder / ".shmcov-index..coverage.json"
    few = asked(recorded, "shop.py:3")
    known = set(json.loads(index.read_text())["lines"])
    whole = asked(recorded, "shop.py")
    assert known < set(json.loads(index.read_text())["lines"])
    index.unlink()
    assert asked(recorded, "shop.py") == whole
    assert asked(recorded, "shop.py:3") == few


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(recorded: Project) -> None:
    recorded.folder.chmod(0o555)
    try:
        assert ran(recorded, "shop.py:3") == ["test_vip"]
    finally:
        recorded.folder.chmod(0o755)


def test_data_of_coverage_itself(project: Project) -> None:
    project.write("shop.py", SHOP)
    project.write("test_shop.py", TESTS.replace("import pytest", "").replace("@pytest", "#"))
    project.write(".coveragerc", "[run]\nbranch = true\ndynamic_context = test_function\n")
    project.write("go.py", "import test_shop\ntest_shop.test_vip()\ntest_shop.test_plain()\n")
    assert project.coverage("run", "go.py").returncode == 0
    answer = asked(project, "shop.py:7")
    assert [test["test"] for test in answer["tests"]] == [
        "test_shop.test_plain",
        "test_shop.test_vip",
    ]
