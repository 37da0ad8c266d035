# SPDX-License-Identifier: Apache-2.0
"""pytest-cov with two workers: the plug-in of coverage.py against coverage.py's own core."""

import json
import statistics
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import (
    CACHE,
    LINES,
    MODES,
    Cost,
    Failed,
    Row,
    Settings,
    environment,
    execute,
    interleave,
    ratio,
    say,
)

TITLE = "`pytest --cov -n 2`"
CLICK = "click==8.5.1"
TEXT = (
    f"The tests of {CLICK}, but those of its pager, with two workers of pytest-xdist, the whole "
    "command, against the same without `--cov`: CPU time of all processes, and wall time. "
    "*coverage* is coverage.py with the core that it takes by itself, *shmcov* the same with "
    "`plugins = shmcov`. *A worker* is what `Coverage()`, `start()`, `stop()` and `save()` cost in "
    "a worker, CPU time, with coverage.py imported before; most of it is coverage.py's in either "
    "case."
)
BARE, COVERAGE, SHMCOV = "bare", "coverage", "shmcov"
CPU, WALL, WORKER = "CPU time", "wall time", "a worker"
CONTEXTS = ", contexts"


def bar(python: tuple[int, int], mode: str, program: str) -> float | None:
    if program == WORKER:
        return 5.0
    if python < (3, 12):
        return None
    return 1.10 if CONTEXTS in program else 1.05


def rows(settings: Settings) -> Iterator[Row]:
    """`--only`: worker, lines, branches, "lines, contexts", "branches, contexts". Each is done in
    four minutes."""
    if settings.wants("worker"):
        yield from worker(settings)
    for contexts in (False, True):
        for mode in MODES:
            if settings.wants(named(mode, contexts)):
                yield from click(settings, mode, contexts)


def named(mode: str, contexts: bool) -> str:
    return mode + CONTEXTS * contexts


# -- a published suite --


def click(settings: Settings, mode: str, contexts: bool) -> Iterator[Row]:
    place = unpacked()
    run(place, settings.folder, BARE, mode, contexts)
    costs = interleave(
        settings.rounds,
        (BARE, COVERAGE, SHMCOV),
        lambda tool: run(place, settings.folder, tool, mode, contexts),
    )
    bare = costs.pop(BARE)
    more = CONTEXTS * contexts
    for tool, runs in costs.items():
        cpu, detail = ratio([r.cpu for r in runs], [b.cpu for b in bare])
        wall, wall_detail = ratio([r.wall for r in runs], [b.wall for b in bare])
        say(f"  {mode}{more} {tool}: CPU {cpu:.3f}, wall {wall:.3f} (bare {bare[0].cpu:.1f} s)")
        yield Row(CPU + more, mode, tool, cpu, detail=detail)
        yield Row(WALL + more, mode, tool, wall, detail=wall_detail)


def unpacked() -> Path:
    """The folder of the sdist. The package is installed beside it, which its tests need."""
    place = CACHE / CLICK.replace("==", "-")
    if not (place / "installed").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "-q"]
        for command in (
            ["download", "--no-deps", "--no-binary=:all:", f"--dest={CACHE}", CLICK],
            ["install", "--no-deps", "--target", str(CACHE / "tmp" / "installed"), CLICK],
        ):
            done = subprocess.run([*pip, *command], capture_output=True, text=True)
            if done.returncode:
                raise Failed(done.stdout + done.stderr)
        with tarfile.open(CACHE / f"{place.name}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
        (CACHE / "tmp" / "installed").rename(place / "installed")
    return place


def run(
    place: Path,
    folder: Path,
    tool: str,
    mode: str,
    contexts: bool,
    *,
    path: Path | None = None,
    more: Mapping[str, str] = {},
) -> Cost:
    rcfile = folder / f"rc.{tool}"
    # Click's tests take warnings for errors; coverage.py has one for contexts with its fast core.
    plugin = "plugins = shmcov\n" if tool == SHMCOV else "disable_warnings = no-sysmon-context\n"
    rcfile.write_text(f"[run]\n{plugin}")
    options = []
    if tool != BARE:
        options = ["--cov=src/click", f"--cov-config={rcfile}", "--cov-report="]
        options += ["--cov-branch"] if mode != LINES else []
        options += ["--cov-context=test"] if contexts else []
    paths = [place / "src", place / "installed", *([path] if path else [])]
    env = {
        **more,
        "PYTHONPATH": ":".join(map(str, paths)),
        "COVERAGE_FILE": str(folder / "data"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2"]
    # Pagers differ between systems, and some have none.
    chosen = ["-k", "not pager", "tests"]
    return execute([*command, *options, *chosen], environment(env), place, folder / "log")


# -- what is fixed --


def worker(settings: Settings) -> Iterator[Row]:
    rounds = 4 * settings.rounds
    costs = interleave(
        rounds,
        [(tool, mode) for mode in MODES for tool in (COVERAGE, SHMCOV)],
        lambda v: in_a_worker(settings.folder, *v),
    )
    for (tool, mode), values in costs.items():
        value = statistics.median(values)
        say(f"  worker {mode} {tool}: {value:.2f} ms")
        yield Row(WORKER, mode, tool, value, "ms")


# Under this name, and with this command for the child, it is what pytest-cov and pytest-xdist do.
PARENT = """
import subprocess, sys
code = '''
import coverage
cov = coverage.Coverage(branch={branch})
cov.start()
'''
names = {{"__name__": "pytest_cov.engine"}}
exec(code, names)
gateway = [sys.executable, "-u", "-c", "import sys;exec(eval(sys.stdin.readline()))"]
with open("child.py") as file:
    text = repr(file.read()) + "\\n"
subprocess.run(gateway, input=text, text=True, check=True)
names["cov"].stop()
"""

CHILD = """
import json, time
import coverage, coverage.control, coverage.sqldata
before = time.process_time()
cov = coverage.Coverage(branch={branch}, data_suffix=True)
cov.start()
cov.stop()
cov.save()
with open("took", "w") as file:
    json.dump((time.process_time() - before) * 1000, file)
"""


def in_a_worker(folder: Path, tool: str, mode: str) -> float:
    """CPU milliseconds. The child measures the same as its parent, as a worker does."""
    place = folder / f"worker-{tool}-{mode}"
    place.mkdir(exist_ok=True)
    plugin = "plugins = shmcov\n" if tool == SHMCOV else ""
    (place / ".coveragerc").write_text(f"[run]\n{plugin}")
    for name, text in (("parent.py", PARENT), ("child.py", CHILD)):
        (place / name).write_text(text.format(branch=mode != LINES))
    execute([sys.executable, "parent.py"], environment(), place, folder / "log")
    return float(json.loads((place / "took").read_text()))
