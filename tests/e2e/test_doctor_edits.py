# SPDX-License-Identifier: Apache-2.0
"""How doctor changes a configuration file: what was asked for, and not a byte else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from coverage.config import CoverageConfig
from shmcov.commands.doctor.edits import ConfigFile, Refused

PLUGIN = {"plugins": ["shmcov"]}
RECIPE = {"plugins": ["shmcov"], "parallel": None, "concurrency": None, "patch": ["_exit"]}

CASES: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "a new file": (".coveragerc", "", PLUGIN, "[run]\nplugins = shmcov\n"),
    "a new table": (
        "pyproject.toml",
        '[project]\nname = "x"\n',
        PLUGIN,
        '[project]\nname = "x"\n\n[tool.coverage.run]\nplugins = ["shmcov"]\n',
    ),
    "a shared file": (
        "setup.cfg",
        "[metadata]\nname = x\n\n[coverage:report]\nshow_missing = 1",
        PLUGIN,
        "[metadata]\nname = x\n\n[coverage:report]\nshow_missing = 1\n\n"
        "[coverage:run]\nplugins = shmcov\n",
    ),
    "the recipe": (
        ".coveragerc",
        """# ours
[run]
; it runs in many
parallel = True
concurrency = multiprocessing, thread
patch = subprocess, _exit
source = src

# parallel = no
[paths2]
parallel = True
""",
        RECIPE,
        """# ours
[run]
plugins = shmcov
; it runs in many
patch = _exit
source = src

# parallel = no
[paths2]
parallel = True
""",
    ),
    "the recipe, over lines": (
        "tox.ini",
        """[tox]
parallel = True
[coverage:run]
  Parallel : yes
  patch =
      subprocess
      # for a reason
      _exit
  concurrency =
      multiprocessing
      thread

  omit = parallel
[testenv]
commands = coverage combine
""",
        RECIPE,
        """[tox]
parallel = True
[coverage:run]
  plugins = shmcov
  patch =
      # for a reason
      _exit

  omit = parallel
[testenv]
commands = coverage combine
""",
    ),
    "the recipe in TOML": (
        "pyproject.toml",
        """[tool.other]
parallel = true

[tool.coverage.run]  # measured
branch = true  # both ways
parallel = true
concurrency = ["multiprocessing", "thread"]
patch = [
    "subprocess",  # workers
    "_exit",  # they "subprocess" so
]

[tool.coverage.report]
exclude_also = ["[x]", "parallel = true"]
""",
        RECIPE,
        """[tool.other]
parallel = true

[tool.coverage.run]  # measured
plugins = ["shmcov"]
branch = true  # both ways
patch = [
    "_exit",  # they "subprocess" so
]

[tool.coverage.report]
exclude_also = ["[x]", "parallel = true"]
""",
    ),
    "one more plug-in": (
        ".coveragerc",
        "[run]\nplugins = a\nbranch = 1\n",
        {"plugins": ["a", "shmcov"]},
        "[run]\nplugins = a, shmcov\nbranch = 1\n",
    ),
    "one more plug-in on a line": (
        ".coveragerc",
        "[run]\nplugins =\n    a\n    b\n\n[report]\n",
        {"plugins": ["a", "b", "shmcov"]},
        "[run]\nplugins =\n    a\n    b\n    shmcov\n\n[report]\n",
    ),
    "one more plug-in in an array": (
        ".coveragerc.toml",
        "[run]\nplugins = [ 'a', ] # [all]\n",
        {"plugins": ["a", "shmcov"]},
        "[run]\nplugins = [ 'a', \"shmcov\"] # [all]\n",
    ),
    "one more plug-in in an array over lines": (
        "pyproject.toml",
        '[tool.coverage.run]\nplugins = [\n  "a",\n  "b" # last\n]\n',
        {"plugins": ["a", "b", "shmcov"]},
        '[tool.coverage.run]\nplugins = [\n  "a",\n  "b", # last\n  "shmcov",\n]\n',
    ),
    "one more plug-in in an array that ends on another line": (
        "pyproject.toml",
        '[tool.coverage.run]\nplugins = ["a"  # first\n]\n',
        {"plugins": ["a", "shmcov"]},
        '[tool.coverage.run]\nplugins = ["a", "shmcov"  # first\n]\n',
    ),
    "a value": (
        ".coveragerc",
        "[run]\nparallel = no\n",
        {"parallel": "true"},
        "[run]\nparallel = true\n",
    ),
    "a value in TOML": (
        "pyproject.toml",
        "[tool.coverage.run]\nbranch = true\n",
        {"parallel": "true"},
        "[tool.coverage.run]\nparallel = true\nbranch = true\n",
    ),
    "lines as on Windows": (
        ".coveragerc",
        "\ufeff[run]\r\nparallel = True\r\npatch =\r\n  fork\r\n  _exit\r\nplugins =\r\n  a",
        {"plugins": ["a", "shmcov"], "parallel": None, "patch": ["_exit"]},
        "\ufeff[run]\r\npatch =\r\n  _exit\r\nplugins =\r\n  a\r\n  shmcov",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_edit(tmp_path: Path, case: str) -> None:
    name, before, changes, after = CASES[case]
    path = tmp_path / name
    if before:
        path.write_bytes(before.encode())
    file = ConfigFile(path)
    assert file.changed(changes) == after
    path.write_bytes(after.encode())
    assert ConfigFile(path).changed(changes) == after
    config = CoverageConfig()
    assert config.from_file(str(path), print, path.name.startswith(".coverage"))
    for option, value in changes.items():
        if value is not None:
            found = getattr(config, option)
            assert (found if isinstance(value, list) else str(found).lower()) == value


REFUSED = {
    "pyproject.toml": [
        ("[tool.coverage]\nrun = {parallel = true}\n", {"parallel": None}),
        ("[tool.coverage]\nrun.parallel = true\n", {"parallel": None}),
        ("[tool.coverage.run]\nplugins = 'a'\n", {"plugins": ["a", "shmcov"]}),
        ('[tool.coverage.run]\ncore = """a"[ """\nbranch = true\n', {"core": None}),
        ('x = """\n[tool.coverage.run]\nparallel = 1\n"""\n', {"parallel": "true"}),
    ],
    ".coveragerc": [
        ("[run]\npatch = ${PATCHES}, subprocess\n", {"patch": ["_exit"]}),
        ("[DEFAULT]\nparallel = 1\n[run]\nbranch = 1\n", {"parallel": None}),
    ],
}


@pytest.mark.parametrize(
    ("name", "text", "changes"),
    [(name, *case) for name, cases in REFUSED.items() for case in cases],
)
def test_what_is_not_certain_is_refused(
    tmp_path: Path, name: str, text: str, changes: dict[str, Any]
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(Refused):
        ConfigFile(path).changed(changes)
