# SPDX-License-Identifier: Apache-2.0
"""File names that no file can have: PATH_MAX bytes and more."""

from __future__ import annotations

import pytest
from coverage import CoverageData
from project_support import Project

LONG = """
    import os

    def value(n):
        return compile(f"a = {n}\\nif a:\\n    b = 1\\n", names[n], "exec")

    part = "/" + "d" * 200
    names = [
        "/" + "n" * 4094,
        "/" + "n" * 4095,
        "/" + "n" * 4096,
        "/" + "n" * 20_000,
        part * 20 + "/file.py",
        part * 21 + "/file.py",
        os.getcwd() + part * 30 + "/../.." + part * 30 + "/file.py",
        os.getcwd() + "/link" + part * 30 + "/file.py",
        "relative" + part * 30 + "/file.py",
        "link" + part * 100 + "/file.py",
    ]
    for n in range(len(names)):
        exec(value(n), {"__name__": "long", "__file__": names[n]})
        exec(value(n), {"__name__": "long" * 4096, "__file__": "f" * 9000})
"""


def test_long_names(project: Project) -> None:
    """coverage.py records them, links and dots resolved as far as the kernel goes."""
    project.write("main.py", LONG)
    (project.folder / "link").symlink_to("linked" + "/x" * 100)
    project.write(".coveragerc", "[run]\nomit = */omitted/*\n")
    done = project.shmcov("run", "--data-file", "ours", "main.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert project.coverage("run", "--data-file", "theirs", "main.py").returncode == 0
    lines = []
    for name in ("ours", "theirs"):
        data = CoverageData(str(project.folder / name))
        data.read()
        lines.append({file: sorted(data.lines(file) or ()) for file in data.measured_files()})
    assert max(map(len, lines[1])) > 20_000
    assert lines[0] == lines[1]


@pytest.mark.parametrize("omit", [False, True])
def test_a_name_beyond_the_segment(project: Project, omit: bool) -> None:
    """What has no room is reported, unless it is not measured anyway."""
    code = 'exec(compile("a = 1", "/omitted/" + "n" * 5_000_000, "exec"), {})'
    project.write("main.py", code)
    project.write(".coveragerc", f"[run]\nomit = */{'omitted' if omit else 'other'}/*\n")
    done = project.shmcov("run", "main.py")
    assert (done.returncode, done.stdout) == (0, "")
    assert ("1 lines, files or contexts have" in done.stderr) != omit, done.stderr
    assert bool(done.stderr) != omit
    assert project.lines("main.py") == [1]
