# SPDX-License-Identifier: Apache-2.0
"""What is generated from the tables of options: completion in shells, and the man page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import coverage
import pytest
from project_support import Project
from shmcov.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]

ASK = """
source completion
IFS=$'\\1' read -ra COMP_WORDS
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
[[ ${COMP_WORDS[COMP_CWORD]} == _ ]] && COMP_WORDS[COMP_CWORD]=
_shmcov
echo "${COMPREPLY[@]}"
"""


@pytest.fixture
def shell(project: Project) -> Project:
    project.write("completion", project.shmcov("completion", "bash").stdout)
    project.write("ask", ASK)
    return project


def completed(shell: Project, *words: str) -> list[str]:
    """What bash proposes for the last of the words that stand behind `shmcov`. `_`: an empty one"""
    done = subprocess.run(
        ["bash", "ask"],
        input="\1".join(("shmcov", *words)) + "\n",
        cwd=shell.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash(shell: Project) -> None:
    assert {*COMMANDS, "run", "exec", "report", "--version"} <= set(completed(shell, "_"))
    assert completed(shell, "sa") == ["salvage"]
    assert completed(shell, "run", "--shm-w") == ["--shm-wait"]
    assert completed(shell, "exec", "--branch", "--app") == ["--append"]
    assert "--module" not in completed(shell, "exec", "--")
    assert completed(shell, "status", "--f") == ["--files"]
    assert completed(shell, "run", "--save-signal", "_") == ["USR1", "USR2"]
    assert completed(shell, "run", "--save-signal", "=") == ["USR1", "USR2"]
    assert completed(shell, "run", "--save-signal", "=", "USR2") == ["USR2"]
    assert completed(shell, "help", "sal") == ["salvage"]
    assert completed(shell, "completion", "z") == ["zsh"]
    # Files, which bash itself completes where nothing is proposed.
    assert completed(shell, "run", "_") == []
    assert completed(shell, "run", "--data-file", "-") == []
    # The program's own options.
    assert completed(shell, "run", "--source", "x", "--br") == ["--branch"]
    assert completed(shell, "run", "--source", "=", "x", "--br") == ["--branch"]
    assert completed(shell, "run", "prog.py", "--br") == []
    assert completed(shell, "exec", "--", "--br") == []


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_syntax(project: Project, name: str) -> None:
    text = project.shmcov("completion", name).stdout
    assert "shm-wait" in text and "salvage" in text
    if not shutil.which(name):
        pytest.skip(f"needs {name}")
    project.write("completion", text)
    subprocess.run([name, "-n", "completion"], cwd=project.folder, check=True)


def test_man_page_is_up_to_date(project: Project) -> None:
    """`python docs/man.py > docs/shmcov.1` makes it."""
    page = (ROOT / "docs/shmcov.1").read_text()
    made_with = re.search(r"with coverage.py (\S+)\.$", page, re.MULTILINE)
    assert made_with
    if made_with[1] != coverage.__version__:
        pytest.skip(f"was made with coverage.py {made_with[1]}, whose options may be others")
    assert project.python(ROOT / "docs/man.py").stdout == page


@pytest.mark.skipif(not shutil.which("groff"), reason="needs groff")
def test_man_page_has_no_errors() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", ROOT / "docs/shmcov.1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
