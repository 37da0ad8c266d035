#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The steps of a release, each of which refuses where the one before is not done.

    .ci/release.py prepare 0.2.0    set the version, date the changelog entry: to be committed
    .ci/release.py check            is this commit a release? Builds and tries what is published
    .ci/release.py tag              check, then make the tag; `git push origin v0.2.0` publishes it

`check --fast` leaves out what takes long: the wheels, the documentation, and .ci/run.
"""

from __future__ import annotations

import argparse
import datetime
import re
import subprocess
import sys
from pathlib import Path

VERSION_FILE = Path("runtime/shmcov/__init__.py")
CHANGELOG = Path("CHANGELOG.md")
VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
UNRELEASED = "## [Unreleased]\n"
ENTRY = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", re.MULTILINE)

LONG = [
    ("everything that must hold", ["bash", ".ci/run"]),
    ("the wheels, built, tried and checked", [".ci/wheels"]),
    ("the documentation", ["make", "docs"]),
]


class Refused(Exception):
    """What is not as it has to be, and what to do."""


def git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def current_version() -> str:
    found = VERSION.search(VERSION_FILE.read_text())
    if not found:
        raise Refused(f'{VERSION_FILE} has no line __version__ = "…"')
    return found[1]


def clean() -> None:
    if changed := git("status", "--porcelain"):
        raise Refused(f"There are changes that are not committed:\n{changed}")


def prepare(version: str) -> None:
    clean()
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise Refused(f"{version} is not a version like 1.2.3")
    changelog = CHANGELOG.read_text()
    head, found, rest = changelog.partition(UNRELEASED)
    if not found or not re.search(r"^- ", rest.partition("\n## ")[0], re.MULTILINE):
        raise Refused(f"{CHANGELOG} says nothing below {UNRELEASED.strip()}: what is new?")
    rest = re.sub(r"\A\nTo be [^\n]*\n", "", rest)
    today = datetime.datetime.now(datetime.UTC).date()
    CHANGELOG.write_text(f"{head}{UNRELEASED}\n## [{version}] - {today}\n{rest}")
    text = VERSION_FILE.read_text()
    VERSION_FILE.write_text(VERSION.sub(f'__version__ = "{version}"', text))
    print(f"{VERSION_FILE} and {CHANGELOG} are those of {version}: review them, and commit.")


def has_target(name: str) -> bool:
    return re.search(rf"^{name}:", Path("Makefile").read_text(), re.MULTILINE) is not None


def check(*, fast: bool) -> str:
    clean()
    version = current_version()
    entry = ENTRY.search(CHANGELOG.read_text())
    if entry is None or entry[1] != version:
        newest = entry[1] if entry else "nothing"
        raise Refused(
            f"The version is {version}, but the newest entry of {CHANGELOG} with a date is of "
            f"{newest}: `.ci/release.py prepare VERSION` sets both"
        )
    if git("tag", "--list", f"v{version}"):
        raise Refused(f"The tag v{version} exists: a release that was published is never changed")
    for what, command in [] if fast else LONG:
        if command[0] == "make" and not has_target(command[1]):
            continue
        print(f"release: {what}: {' '.join(command)}", flush=True)
        if subprocess.run(command).returncode:
            raise Refused(f"`{' '.join(command)}` failed")
    clean()
    print(f"This commit is {version}.")
    return version


def tag(*, fast: bool) -> None:
    version = check(fast=fast)
    git("tag", "--annotate", f"v{version}", "--message", f"shmcov {version}")
    print(f"Publish it with: git push origin v{version}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("prepare").add_argument("version")
    for name in ("check", "tag"):
        steps.add_parser(name).add_argument("--fast", action="store_true")
    options = parser.parse_args()
    try:
        if options.step == "prepare":
            prepare(options.version)
        elif options.step == "check":
            check(fast=options.fast)
        else:
            tag(fast=options.fast)
    except Refused as refusal:
        print(f"release: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
