# SPDX-License-Identifier: Apache-2.0
"""Directives whose text is made of the code, so that it cannot differ from what runs.

    ```{shmcov-settings}    the list of settings.py
    ```{shmcov-commands}    what `shmcov help COMMAND` prints, for each command of our own
    ```{shmcov-messages}    every message in the source that begins with the program's name, or has
                            a slug
    ```{shmcov-headers} H   headers of shm/, and those that they include

And pages that lie elsewhere in the repository: PAGES.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from shmcov import cli, result, settings
from source_texts import messages
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]

PAGES = {
    "reference/results": "bench/RESULTS.md",
    "reference/changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
}
"""Pages of the site whose text lies outside docs/. What they link to is theirs, too."""

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")


def fill(app: Sphinx, name: str, source: list[str]) -> None:
    """Takes the text of a page from where it lies, and leads its links to pages of the site."""
    path = ROOT / PAGES[name] if name in PAGES else Path(app.env.doc2path(name))
    text = path.read_text() if name in PAGES else source[0]
    pages = {str(ROOT / file): page for page, file in PAGES.items()}

    def led(link: re.Match[str]) -> str:
        words, target, anchor = link[1], str((path.parent / link[2]).resolve()), link[3] or ""
        docs = str(app.srcdir) + os.sep
        if target in pages:
            return f"[{words}](/{pages[target]}.md{anchor})"
        if target.startswith(docs) and target.endswith(".md"):
            return f"[{words}](/{target.removeprefix(docs)}{anchor})"
        return f"`{os.path.relpath(target, ROOT)}`" if words.strip("`") in target else words

    source[0] = LINK.sub(led, text)


class Markdown(SphinxDirective):
    """A directive that stands for Markdown."""

    has_content = False
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(__file__)
        return self.parse_text_to_nodes(self.text(), allow_section_headings=True)

    def text(self) -> str:
        raise NotImplementedError


class Settings(Markdown):
    def text(self) -> str:
        items = []
        for option in settings.OPTIONS:
            flag = f"{option.flag} {option.metavar}" if option.metavar else option.flag
            inside = f"{option.name} = {option.metavar or str(not option.off).lower()}"
            items.append(f"`{inside}`, `{flag}`, `{option.variable}`\n: {option.help}\n")
        return "\n".join(items)


class Commands(Markdown):
    def text(self) -> str:
        names = dict.fromkeys(["run", *getattr(cli, "OTHERS", ()), *cli.COMMANDS])
        names.pop("help", None)
        return "\n\n".join(f"## shmcov {name}\n\n{block(name)}" for name in names)


def block(command: str) -> str:
    """What a command says of itself, as it is shown in 80 columns."""
    env = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "shmcov", "help", command],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return f"```text\n{done.stdout.rstrip()}\n```"


class Headers(Markdown):
    def text(self) -> str:
        folder = ROOT / "shm"
        names = []
        for name in self.arguments[0].split():
            text = (folder / name).read_text()
            names += [name, *re.findall(r'^#include "(.*)"', text, re.MULTILINE)]
        return "\n\n".join(
            f"### {name}\n\n```{{literalinclude}} /../shm/{name}\n:language: c\n:lines: 2-\n```"
            for name in dict.fromkeys(names)
        )


class Messages(Markdown):
    def text(self) -> str:
        folder = Path(cli.__file__).parent
        found = dict.fromkeys(
            one for path in sorted(folder.rglob("*.py")) for one in messages(path)
        )
        found |= dict.fromkeys((re.sub(r"{\w+}", "…", text), "") for text in result.LOST.values())
        lines = ["| text | slug |", "|---|---|"]
        for text, slug in sorted(found):
            shown = text.replace("|", "\\|").replace("\n", " ")
            lines.append(f"| {shown} | {f'`{slug}`' if slug else ''} |")
        return "\n".join(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", fill)
    app.add_directive("shmcov-settings", Settings)
    app.add_directive("shmcov-commands", Commands)
    app.add_directive("shmcov-headers", Headers)
    app.add_directive("shmcov-messages", Messages)
    return {"parallel_read_safe": True}
