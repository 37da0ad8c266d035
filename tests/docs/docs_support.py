# SPDX-License-Identifier: Apache-2.0
"""What the pages for users tell to type, and running it.

A page is a session in an empty folder. Its fenced blocks are taken in order:

- with a caption (`:caption: setup.cfg`), or below `<!-- file: setup.cfg -->`: a file;
- `console`: lines after `$ ` are typed, the others are what must appear. `…` stands for whatever
  there is, in a line or as a line. A status other than 0 must be shown by `echo $?`;
- `sh`: a script, which must end with status 0.

`<!-- first: COMMAND -->` above a block is run before it, and not shown. `<!-- not run: REASON -->`
leaves the block out. `<!-- needs: NAME, … -->` names programs or modules (or `root`, or
`python>=3.14`) without which the rest of the page cannot be run here; "wheel of shmcov" where the
page installs it: run_all has one. `<!-- slow -->` marks a page.

    python tests/docs/docs_support.py       what is run, and what is not and why
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(SITE.rglob("*.md"))]
TIMEOUT = 300

FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)(?P=ticks) *$",
    re.MULTILINE | re.DOTALL,
)
REMARK = re.compile(r"<!-- (file|first|not run|needs|slow)(?:: (.*?))? -->")
SHELL = ("console", "sh", "bash", "shell")
END = "end of command"


@dataclass
class Block:
    """A fenced block of a page. `kind`: "file", "needs", or the language of a shell block."""

    kind: str
    text: str
    line: int
    name: str = ""
    not_run: str = ""


def blocks(page: Path) -> list[Block]:
    return list(_blocks(page.read_text()))


def slow(page: Path) -> bool:
    return any(remark[1] == "slow" for remark in REMARK.finditer(page.read_text()))


def _blocks(text: str) -> Iterator[Block]:
    last = 0
    for fence in FENCE.finditer(text):
        remarks = {one[1]: one[2] for one in REMARK.finditer(text, last, fence.start())}
        last = fence.end()
        line = text.count("\n", 0, fence.start()) + 1
        body = textwrap.dedent(fence["body"])
        language = re.sub(r"^\{code-block\} *", "", fence["info"].strip())
        caption = re.match(r"(?::\w+:.*\n)*?:caption: (\S+)\n", body)
        body = re.sub(r"\A(?::[\w-]+:.*\n)+\n?", "", body)
        name = remarks.get("file") or (caption[1] if caption else "")
        if "first" in remarks:
            yield Block("sh", remarks["first"], line)
        if "needs" in remarks:
            yield Block("needs", "", line, remarks["needs"])
        if name:
            yield Block("file", body, line, name)
        elif language in SHELL:
            yield Block(language, body, line, not_run=remarks.get("not run") or "")


def lacks(names: str) -> list[str]:
    """Which of the programs and modules are not there."""
    return [name for name in names.split(", ") if not _there(name)]


def _there(name: str) -> bool:
    wanted, _, version = name.partition(">=")
    if wanted == "python":
        return sys.version_info >= tuple(int(part) for part in version.split("."))
    if name == "root":
        return os.geteuid() == 0
    if name == "wheel of shmcov":
        return "SHMCOV_DOCS_WHEELS" in os.environ
    beside = Path(sys.executable).with_name(name)
    return beside.exists() or bool(shutil.which(name) or importlib.util.find_spec(name))


class Failed(Exception):
    """What a page says does not come true."""


class Session:
    """A folder in which the blocks of a page are run."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.page = page
        self.folder = folder
        skip = ("COVERAGE_", "SHMCOV_", "PYTHON", "PYTEST_")
        self.env = {name: text for name, text in os.environ.items() if not name.startswith(skip)}
        self.env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), self.env["PATH"]])
        # Documented output is that of a terminal of 80 columns without colours.
        self.env |= {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb", "CI": "true"}
        self.env["PYTHONDONTWRITEBYTECODE"] = "1"

    def run(self, block: Block) -> None:
        if block.kind == "file":
            path = self.folder / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.not_run:
            pass
        elif block.kind == "console":
            self._console(block)
        else:
            done = self._bash("set -eu -o pipefail\n" + block.text)
            if done.returncode:
                raise self._failed(block, f"status {done.returncode}:\n{done.stdout}")

    def _console(self, block: Block) -> None:
        typed = commands(block.text)
        ended = f'(s=$?; echo; echo "{END} $s"; exit $s)'
        script = "".join(f"{command}\n{ended}\n" for command, _ in typed)
        done = self._bash(script)
        answers = re.split(rf"\n{END} (\d+)\n", done.stdout)
        for at, (command, expected) in enumerate(typed):
            if 2 * at + 1 >= len(answers):
                raise self._failed(block, f"$ {command}\nnever ended:\n{done.stdout}")
            answer, status = answers[2 * at], int(answers[2 * at + 1])
            told = at + 1 < len(typed) and typed[at + 1][0].startswith("echo $?")
            if status and not told:
                raise self._failed(block, f"$ {command}\nstatus {status}:\n{answer}")
            if expected.strip() and not pattern(expected).fullmatch(plain(answer) + "\n"):
                raise self._failed(
                    block, f"$ {command}\nexpected:\n{expected}\nbut there was:\n{plain(answer)}"
                )

    def _bash(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def _failed(self, block: Block, text: str) -> Failed:
        return Failed(f"{self.page.relative_to(ROOT)}:{block.line}: {text}")


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output that is shown below it."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif found and found[-1][0].endswith("\\") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line}", "")
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def plain(text: str) -> str:
    """Without what differs between terminals: spaces between columns, and empty lines."""
    lines = (re.sub(r"\s+", " ", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def pattern(expected: str) -> re.Pattern[str]:
    parts = []
    for line in plain(expected).splitlines():
        if line == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            words = [re.escape(word) for word in re.split(r" ?… ?", line)]
            parts.append(r"[^\n]*".join(words) + r"\n")
    return re.compile("".join(parts))


def main() -> None:
    ran = 0
    for page in PAGES:
        shell = [block for block in blocks(page) if block.kind in SHELL]
        ran += sum(not block.not_run for block in shell)
        for block in shell:
            if block.not_run:
                print(f"{page.relative_to(ROOT)}:{block.line}: not run: {block.not_run}")
    print(f"{ran} blocks are run")


if __name__ == "__main__":
    main()
