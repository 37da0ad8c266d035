# SPDX-License-Identifier: Apache-2.0
"""The reference names what there is, and what pages claim stands where they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs_support import ROOT, SITE
from shmcov import cli, pytest_plugin, segments, settings, startup

sys.path[:0] = [str(SITE / "extensions"), str(ROOT / "bench")]

from source_texts import messages  # noqa: E402

PACKAGE = ROOT / "runtime" / "shmcov"
SOURCES = [
    path
    for folder in ("runtime", "shm", "merge")
    for path in ROOT.joinpath(folder).rglob("*")
    if path.suffix in (".py", ".c", ".h")
]
EXAMPLE = {"SHMCOV_", "SHMCOV_NO_"}


def page(name: str) -> str:
    return (SITE / "reference" / f"{name}.md").read_text()


def source() -> str:
    return "\n".join(path.read_text() for path in SOURCES)


def test_each_variable_is_named() -> None:
    used = set(re.findall(r"\bSHMCOV_[A-Z_]+\b", source()))
    described = set(re.findall(r"`(SHMCOV_[A-Z_]+)`", page("variables")))
    made_of_table = {option.variable for option in settings.OPTIONS}
    assert used - EXAMPLE - made_of_table <= described


def test_each_warning_is_explained() -> None:
    found = [one for path in PACKAGE.rglob("*.py") for one in messages(path)]
    slugs = {slug for _, slug in found if slug} | {segments.LEFT}
    assert len(slugs) > 5
    others = SITE / "messages.md"
    text = page("messages") + (others.read_text() if others.exists() else "")
    named = set(re.findall(r"`([\w-]+)`|^## ([\w-]+)$", text, re.MULTILINE))
    assert slugs - {name for pair in named for name in pair} == set()


def test_quoted_messages_are_there() -> None:
    """As far as they are the same in all cases."""
    texts = re.sub(r'"\s*\n\s*f?"', "", source())
    quoted = re.findall(r'^\*"(.+)$', page("messages"), re.MULTILINE)
    quoted = [text for line in quoted for text in re.findall(r'(?:^|\*")([^"]+)"?', line)]
    parts = [part for text in quoted for part in re.split(r"[…(){}]", text) if len(part) > 4]
    assert len(parts) > 2
    assert [part for part in parts if part.strip(" ,:*") not in texts] == []


def test_files_have_the_names_that_the_page_says() -> None:
    text = page("files")
    folder_h = (ROOT / "shm" / "folder.h").read_text()
    (prefix,) = re.findall(r'SEG_NAME_PREFIX "(.*)"', folder_h)
    (temporary,) = re.findall(
        r'MERGE_TMP_PREFIX "(.*)"', (ROOT / "merge" / "internal.h").read_text()
    )
    for name in (startup.NAME, f"/{prefix}…", f"`{temporary}*`", "shmcov-keeper"):
        assert name in text
    for folder in re.findall(r"/[\w/]+/shmcov-UID", folder_h):
        assert folder in text


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_wrong_usage_has_its_status(command: str) -> None:
    assert f"`shmcov {command}`" in page("exit-status")
    done = subprocess.run(
        [sys.executable, "-m", "shmcov", command, "--no-such-option"],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2


def test_options_of_pytest_are_named() -> None:
    text = Path(pytest_plugin.__file__).read_text()
    names = re.findall(r'"(--shmcov-\w+|shmcov_\w+)"', text)
    assert {"--shmcov-context", "shmcov_context"} < set(names)
    assert [name for name in names if f"`{name}" not in page("settings")] == []


# -- figures --

FIGURE = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.]*\d)")
VERSION = re.compile(r"3\.\d\d|7\.\d+|1\.1|3\.9")
"""Of Python, coverage.py and SlipCover."""


def rounded_from(figure: str, values: list[float]) -> bool:
    digits = len(figure.partition(".")[2])
    return any(f"{value:.{digits}f}" == figure for value in values)


WITH_FIGURES = [ROOT / "README.md", SITE / "start" / "comparison.md"]


@pytest.mark.parametrize("path", WITH_FIGURES, ids=lambda path: path.name)
def test_figures_are_those_of_the_results(path: Path) -> None:
    results = (ROOT / "bench" / "RESULTS.md").read_text()
    values = [float(text) for text in re.findall(r"\d+\.\d+|\d+(?= µs)", results)]
    figures = [one for one in FIGURE.findall(path.read_text()) if not VERSION.fullmatch(one)]
    assert len(figures) > 5
    assert [one for one in figures if not rounded_from(one, values)] == []


def test_the_picture_is_that_of_the_results() -> None:
    import picture

    assert picture.PICTURE.read_text() == picture.drawn()
