# SPDX-License-Identifier: Apache-2.0
"""Django's own test suite, from the sdist of the installed version."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from harness import CACHE, Cost, Failed, Tool, core, environment, execute, options

APPS = ["queries", "forms_tests", "utils_tests", "model_forms", "aggregation", "template_tests"]


def unpacked() -> Path:
    """The folder of the sdist, which pip fetches once."""
    name = f"django-{metadata.version('django')}"
    place = CACHE / name
    if not place.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        sdist = CACHE / f"{name}.tar.gz"
        if not sdist.exists():
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
            where = ["--no-binary=django", f"--dest={CACHE}", name.replace("-", "==")]
            fetched = subprocess.run([*pip, *where], capture_output=True, text=True)
            if not sdist.exists():
                raise Failed(fetched.stdout + fetched.stderr)
        with tarfile.open(sdist) as archive:
            archive.extractall(CACHE / "tmp", filter="data")
        # Fails for root, who may read every file, and its failure cannot be pickled for the parent.
        tests = CACHE / "tmp" / name / "tests" / "template_tests" / "test_loaders.py"
        tests.write_text(tests.read_text().replace("def test_permissions_error", "def left_out"))
        # Would let coverage.py measure the workers of bare Python, where it is installed.
        runner = CACHE / "tmp" / name / "tests" / "runtests.py"
        text = runner.read_text()
        runner.write_text(text.replace('os.environ["COVERAGE_PROCESS_START"]', "unused"))
        (CACHE / "tmp" / name).rename(place)
    return place


def rcfile(folder: Path, *, contexts: bool) -> Path:
    """One configuration for all tools, as a project would have it."""
    path = folder / f"rc{int(contexts)}"
    text = f"[run]\nsource = {unpacked() / 'django'}\n"
    text += "dynamic_context = test_function\n" if contexts else "parallel = True\n"
    text += "" if contexts else "concurrency = multiprocessing\n"
    path.write_text(text)
    return path


def configured(
    tool: Tool, mode: str, folder: Path, *, contexts: bool
) -> tuple[list[str], dict[str, str]]:
    """What stands between Python and Django's runner, and variables."""
    place = unpacked()
    words = options(tool, mode, str(place / "django"), folder, rcfile(folder, contexts=contexts))
    if tool.module == "coverage" and not contexts:
        # In a configuration that asks for it, coverage.py names the files itself.
        words = [word for word in words if not word.startswith("--data-file")]
    more = {"PYTHONPATH": str(place), **core(tool)}
    if not contexts:
        more["COVERAGE_FILE"] = str(folder / f"data.{tool.name}")
    return words, more


def command(workers: int, apps: Sequence[str]) -> list[str]:
    return ["runtests.py", f"--parallel={workers}", *apps]


def run_tests(tool: Tool, mode: str, folder: Path, workers: int, *, contexts: bool) -> Cost:
    place = unpacked()
    words, more = configured(tool, mode, folder, contexts=contexts)
    program = [sys.executable, *words, *command(workers, APPS)]
    try:
        cost = execute(program, environment(more), place / "tests", folder / "log")
        if not re.search(r"^Ran \d{4} tests", (folder / "log").read_text(), re.MULTILINE):
            raise Failed((folder / "log").read_text()[-3000:])
        return cost
    finally:
        for file in folder.glob("data.*"):
            file.unlink()
