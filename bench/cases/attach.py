# SPDX-License-Identifier: Apache-2.0
"""What starting a process costs: with shmcov's start-up file, measured, with coverage.py's.

Each kind has an environment of its own with nothing else in it, so that no start-up file of another
tool takes time.
"""

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import callgrind
from harness import PROGRAMS, VERSION, Failed, Row, Settings, environment, execute, say

TITLE = "Starting a process"
TEXT = (
    "How much longer `python -c pass` takes than bare Python, milliseconds. Not measured: shmcov "
    "is installed, and no run of this user is alive, or another one is. *An empty .pth*, with a "
    "comment in it, is what Python itself takes for any start-up file."
)
MEASURED = "in a measured run"
ALONE = "not measured, no run alive"
BESIDE = "not measured, another run alive"
KINDS = ("bare", "an empty .pth", "shmcov", "ctrace")
COMPILES = ("_PyParser_ASTFromString", "_PyAST_Compile")
"""The functions of CPython that make code of a line of a start-up file."""
START = "`python -c pass` takes"


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    return 2.0 if "measured" in program and "time" in program else None


def rows(settings: Settings) -> Iterator[Row]:
    venvs = {kind: make_venv(settings.folder / kind.split()[0], kind) for kind in KINDS}
    (settings.folder / "rc").write_text("[run]\nparallel = true\nsource = elsewhere\n")
    job = {
        "rounds": settings.rounds,
        "kinds": list(venvs.items()),
        "rcfile": str(settings.folder / "rc"),
        "folder": f"/dev/shm/shmcov-{os.geteuid()}",
    }
    driver = str(PROGRAMS.parent / "starts.py")
    for measured in (True, False) if settings.wants("time") else ():
        out = settings.folder / "starts.json"
        under = run_options(settings) if measured else []
        command = [sys.executable, *under, driver, json.dumps(job), str(out)]
        execute(command, environment(), settings.folder, settings.folder / "log")
        yield from told(json.loads(out.read_text()), measured)
    if settings.wants("instructions") and shutil.which("valgrind"):
        yield from counted(venvs, settings)


def counted(venvs: dict[str, str], settings: Settings) -> Iterator[Row]:
    """The same in instructions, which do not depend on what else the machine does."""
    bare, empty = (count([], venvs[kind], settings.folder) for kind in KINDS[:2])
    measured = count(run_options(settings), venvs["shmcov"], settings.folder)
    not_measured = count([], venvs["shmcov"], settings.folder)
    compiling = sum(not_measured.whole[name] - empty.whole[name] for name in COMPILES)
    for label, tool, more in (
        ("not measured, instructions", "shmcov", not_measured.total - bare.total),
        ("not measured, instructions", "an empty .pth", empty.total - bare.total),
        ("of it compiling the start-up line, instructions", "shmcov", compiling),
        (f"{MEASURED}, instructions", "shmcov", measured.total - bare.total),
    ):
        say(f"  {label} {tool}: {more / 1e3:+.0f} thousand of {bare.total / 1e6:.1f} million")
        yield Row(label, "", tool, more / 1e3, "k", {"bare": bare.total})


def run_options(settings: Settings) -> list[str]:
    data = settings.folder / "data"
    return ["-m", "shmcov", "run", f"--data-file={data}", "--source=nowhere"]


def count(under: list[str], python: str, folder: Path) -> callgrind.Counts:
    return callgrind.run(under, [python, "-c", "pass"], folder)[0]


def told(samples: dict[str, list[dict[str, float]]], measured: bool) -> Iterator[Row]:
    bare = samples["bare"]
    base = statistics.median(one["wall"] for one in bare)
    if measured:
        yield Row(START, "", "bare", base, "ms")
        groups = {MEASURED: range(len(bare))}
    else:
        beside = [i for i in range(len(bare)) if samples["shmcov"][i]["run_alive"]]
        groups = {ALONE: sorted(set(range(len(bare))) - set(beside)), BESIDE: beside}  # type: ignore[dict-item]
    for label, chosen in groups.items():
        if len(chosen) < 5:
            continue
        for tool in KINDS[1:]:
            if tool != "shmcov" and not measured:
                continue
            wall, cpu = (
                statistics.median(samples[tool][i][key] - bare[i][key] for i in chosen)
                for key in ("wall", "cpu")
            )
            say(f"  {label} {tool}: {wall:+.2f} ms, CPU {cpu:+.2f} ms (bare {base:.1f})")
            yield Row(f"{label}, CPU time", "", tool, cpu, "ms", {"starts": len(chosen)})
            yield Row(f"{label}, wall time", "", tool, wall, "ms", {"starts": len(chosen)})


def make_venv(path: Path, kind: str) -> str:
    """An environment without pip, with what one tool installs."""
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", path], capture_output=True, text=True
    )
    if made.returncode:
        raise Failed(made.stdout + made.stderr)
    site = path / "lib" / f"python{VERSION[0]}.{VERSION[1]}{sys.abiflags}" / "site-packages"
    ours = Path(sysconfig.get_path("purelib"))
    if kind == "an empty .pth":
        # A file of no bytes would not even be decoded.
        (site / "empty.pth").write_text("# nothing\n")
    if kind == "shmcov":
        extension = importlib.util.find_spec("_shmcov")
        assert extension and extension.origin, "shmcov is not installed here"
        shutil.copy(extension.origin, site)
        start = [file for file in ours.glob("*shmcov*.pth") if "attach" in file.read_text()]
        shutil.copy(start[0], site)
    if kind == "ctrace":
        shutil.copytree(ours / "coverage", site / "coverage")
        for file in ours.glob("a1_coverage.pth"):
            shutil.copy(file, site)
    subprocess.run([sys.executable, "-m", "compileall", "-q", site], check=True)
    return str(path / "bin" / "python")
