# SPDX-License-Identifier: Apache-2.0
"""Running shmcov and coverage.py as a user does, in a folder of a test: the fixture `project`."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

TIMEOUT = 60.0

REFERENCE_CORE = {"COVERAGE_CORE": "ctrace" if find_spec("coverage.tracer") else "pytrace"}
"""What shmcov is compared with; a free-threaded Python has no compiled tracer of coverage.py."""

with_ctrace = pytest.mark.skipif(
    REFERENCE_CORE["COVERAGE_CORE"] != "ctrace", reason="only ctrace has file tracers"
)


def clean_environment() -> dict[str, str]:
    """The environment without what would change a run."""
    skip = ("COVERAGE_", "SHMCOV_", "PYTHON", "PYTEST_")
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(skip) or name == "PYTHONMALLOC"
    }
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1"}


class Project:
    """A folder with a program in it, and the tools that run there."""

    executable = sys.executable

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = clean_environment()
        self.started: list[subprocess.Popen[str]] = []

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        return path

    # -- running --

    def python(self, *args: str | Path, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        """Runs the interpreter. `env` adds to the environment."""
        env = {**self.env, **kwargs.pop("env", {})}
        return subprocess.run(
            [self.executable, *map(str, args)],
            **{"cwd": self.folder, "timeout": TIMEOUT, **kwargs},
            env=env,
            text=True,
            capture_output=True,
            check=False,
        )

    def shmcov(self, *args: str | Path, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "shmcov", *args, **kwargs)

    def coverage(self, *args: str | Path, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        env = {**REFERENCE_CORE, **kwargs.pop("env", {})}
        return self.python("-m", "coverage", *args, env=env, **kwargs)

    def start(self, *args: str | Path, **kwargs: Any) -> subprocess.Popen[str]:
        """Starts `shmcov ARGS` and leaves it running; it is ended with the test."""
        env = {**self.env, **kwargs.pop("env", {})}
        popen = subprocess.Popen(
            [sys.executable, "-m", "shmcov", *map(str, args)],
            **{
                "cwd": self.folder,
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "start_new_session": True,
                **kwargs,
            },
            env=env,
            text=True,
        )
        self.started.append(popen)
        return popen

    def end(self) -> None:
        for popen in self.started:
            if popen.poll() is None:
                try:
                    os.killpg(popen.pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    popen.kill()
                popen.wait()
        self._discard_segments()

    def _discard_segments(self) -> None:
        """Segments of runs that the test killed, or that failed with it."""
        import _shmcov
        from shmcov import segments

        pids = {popen.pid for popen in self.started}
        for path in segments.found() if pids else []:
            with (
                contextlib.suppress(OSError, segments.SegmentNotUsable),
                segments.opened(path) as fd,
            ):
                pid = segments.read(path, fd, any_size=True).info()["supervisor"][0]
                if pid in pids:
                    _shmcov.remove(path)

    # -- what came of it --

    def report(self, data_file: str | Path = ".coverage") -> dict[str, Any]:
        """`coverage json` of a data file, by file."""
        out = self.folder / "report.json"
        done = self.python(
            "-m", "coverage", "json", "-q", "--data-file", data_file, "-o", out, "--show-contexts"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        files = json.loads(out.read_text())["files"]
        out.unlink()
        return dict(files)

    def lines(self, name: str, data_file: str | Path = ".coverage") -> list[int]:
        """The executed lines of one file."""
        return list(self.report(data_file)[name]["executed_lines"])

    def missing(self, name: str, data_file: str | Path = ".coverage") -> list[int]:
        return list(self.report(data_file)[name]["missing_lines"])

    def data_files(self) -> list[str]:
        names = {path.name for path in self.folder.glob(".coverage*")}
        return sorted(names - {".coveragerc"})

    def wait_for(self, name: str, seconds: float = 20) -> str:
        """The text of a file that a program writes when it has come so far."""
        path = self.folder / name
        wait_until(lambda: path.exists() and path.read_text().endswith("\n"), seconds)
        return path.read_text().strip()


def timed(test: Callable[..., None]) -> Callable[..., None]:
    """A test of what happens in fractions of a second: a busy machine gets three tries."""

    @functools.wraps(test)
    def run(project: Project, **kwargs: Any) -> None:
        for left in (2, 1, 0):
            folder = project.folder / f"try{left}"
            folder.mkdir()
            again = Project(folder)
            try:
                test(project=again, **kwargs)
                return
            except (AssertionError, KeyError):
                if not left:
                    raise
            finally:
                again.end()

    return run


def mount_namespace() -> list[str]:
    """What begins a mount namespace from which nothing gets out."""
    # In a root that is no mount point nothing can be made private: it has to be so already.
    shared = "shared:" in Path("/proc/self/mountinfo").read_text()
    for propagation in ("private", *([] if shared else ["unchanged"])):
        command = ["unshare", "--mount", "--propagation", propagation]
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
        if done.returncode == 0:
            return command
    pytest.skip("no mount namespace can be had")


def second_host(shared_memory: str = "64m") -> list[str]:
    """What begins a host of its own: it has the kernel in common with this one, and the disk, but
    neither shared memory nor processes."""
    mount = f"mount -t tmpfs -o size={shared_memory} tmpfs /dev/shm; mount -t proc proc /proc"
    namespaces = [*mount_namespace(), "--pid", "--fork", "--kill-child"]
    return [*namespaces, "sh", "-ec", f'{mount}; exec "$@"', "sh"]


def wait_until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def normalized(text: str) -> str:
    """Output in which the names of the tools do not differ."""
    return re.sub(r"\b(shmcov|coverage)(?= help)", "TOOL", text)
