# SPDX-License-Identifier: Apache-2.0
"""Files that the documentation mentions exist: whoever moves a file updates its mentions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from shmcov import messages

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "bench" / "README.md"]
NAME = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:c|h|py))(?::|`)")
LINK = re.compile(r"\]\(([^)#:]+)[)#]")
ADDRESS = "github.com/shmcov/shmcov"
OURS = re.compile(
    rf"https://(?:{ADDRESS}/blob|raw.githubusercontent.com/shmcov/shmcov)/main/([^\s)#]+)"
)
EXAMPLES = re.compile(r"x\.py|.*NAME.*|Include/.*|sitecustomize\.py|pyconfig\.h")
"""Names that a page makes up, and CPython's. Files of how-tos are in their own blocks."""
OF_OTHERS = {"own-suites.md"}
"""Pages about other projects' files."""


def test_each_warning_has_its_section() -> None:
    """The links that warnings end with lead there, and the first words are those of the table."""
    page = (ROOT / "docs/messages.md").read_text()
    sections = dict(re.findall(r"^## (\S+)\n\n((?:.+\n)+)", page, re.MULTILINE))
    assert list(sections) == sorted(messages.WARNINGS)
    for slug, sentence in messages.WARNINGS.items():
        assert " ".join(sections[slug].split()).startswith(sentence.rstrip("."))
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
    assert messages.PAGE.startswith(urls.get("Documentation", "docs/"))


def test_each_warning_is_given_somewhere() -> None:
    used: set[str] = set()
    for path in ROOT.glob("runtime/shmcov/**/*.py"):
        if path.name != "messages.py":
            used |= set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', path.read_text()))
    assert set(messages.WARNINGS) - used == set()


@pytest.fixture(scope="module")
def files() -> set[str]:
    """Each file of the project, under all the ends of its path."""
    found = set()
    for folder in ("bench", "merge", "runtime", "shm", "tests"):
        for path in ROOT.joinpath(folder).rglob("*"):
            parts = path.relative_to(ROOT).parts
            found |= {"/".join(parts[at:]) for at in range(len(parts))}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_are_there(page: Path, files: set[str]) -> None:
    """By name, by the end of its path, or by the whole path."""
    text = page.read_text()
    made = set(re.findall(r":caption: (\S+)", text))
    names = {name for name in NAME.findall(text) if not EXAMPLES.fullmatch(name)} - made
    assert names - files == set() or page.name in OF_OTHERS


def test_readme_leads_to_the_repository() -> None:
    """Also from the package index, which shows README without the files around it."""
    text = (ROOT / "README.md").read_text()
    assert LINK.findall(text) == []
    paths = OURS.findall(text)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
    used = set(re.findall(r"\]\[([^\]]+)\]|\[([^\]]+)\](?![\[:(])", text))
    defined = re.findall(r"^\[([^\]]+)\]:", text, re.MULTILINE)
    assert {name for pair in used for name in pair} >= set(defined)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
