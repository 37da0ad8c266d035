# SPDX-License-Identifier: Apache-2.0
"""Workers of pytest-xdist on other hosts: the reports of pytest-cov are what they are without us.

Another host is a set of namespaces here: its own /dev/shm, process ids, host name and environment.
What xdist reaches it by is real, but for `ssh`, which is a script that starts a shell there.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from project_support import REFERENCE_CORE, Project, wait_until

pytest.importorskip("pytest_cov")
pytest.importorskip("xdist")
from execnet.script import socketserver

FILES = {
    "src/lib.py": """
        def a(x):
            if x:
                return 1
            return 2

        def killed():
            return 3

        def never():
            return 4
    """,
    "tests/test_lib.py": """
        import os, subprocess, sys
        import pytest
        from pathlib import Path
        sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
        import lib

        @pytest.mark.parametrize("x", [0, 1])
        def test_a(x):
            assert lib.a(x) == 2 - x

        def test_child():
            code = f"import sys; sys.path.insert(0, {str(Path(lib.__file__).parent)!r}); import lib"
            subprocess.run([sys.executable, "-c", code], check=True)
    """,
}

HOST = """\
#!/bin/sh
# Another host: mounts, shared memory, process ids, a name and an environment of its own.
exec env -i PATH="$PATH" HOME=/tmp LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 {core} \\
    unshare --mount --pid --fork --kill-child --uts --ipc sh -c '
        mount -t tmpfs none /dev/shm && mount -t proc proc /proc && hostname far &&
        exec "$@"' sh "$@"
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that runs a command on another host, in a folder with others that do so."""
    folder = tmp_path_factory.mktemp("host")
    core = " ".join(f"{name}={text}" for name, text in REFERENCE_CORE.items())
    python = f'#!/bin/sh\nexec "{folder}/host" "{sys.executable}" "$@"\n'
    ssh = f'#!/bin/sh\nshift $(($# - 1))\ncd /tmp\nexec "{folder}/host" sh -c "$1"\n'
    for name, text in (("host", HOST.format(core=core)), ("python", python), ("ssh", ssh)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    if subprocess.run([folder / "host", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces can be had")
    return folder


@contextlib.contextmanager
def serving(host: Path, folder: Path) -> Iterator[int]:
    """execnet's server, on the other host."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "socketserver.log"
    with log.open("w") as out, subprocess.Popen(
        [host / "python", "-u", socketserver.__file__, f"127.0.0.1:{port}"],
        stdout=out, stderr=out, cwd=folder, start_new_session=True,
    ) as server:  # fmt: skip
        try:
            wait_until(lambda: "Entering Accept" in log.read_text())
            yield port
        finally:
            # unshare ends with its child, which is the first process of its namespace.
            os.killpg(server.pid, signal.SIGKILL)


def run(project: Project, there: Path, tx: str, *options: str, plugin: bool) -> Any:
    """A session whose worker is in another checkout; the checkout is made as by hand."""
    config = "[run]\nbranch = true\nrelative_files = true\n" + "plugins = shmcov\n" * plugin
    for place in (project, Project(there)):
        for name, text in FILES.items():
            place.write(name, text)
        place.write(".coveragerc", config)
    for path in [*project.folder.glob(".coverage*"), *there.glob(".coverage*")]:
        if path.name != ".coveragerc":
            path.unlink()
    done = project.python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--dist", "load", "--tx", tx),
        *("--cov=src", "--cov-report=term-missing", "--cov-context=test", *options),
        env=REFERENCE_CORE,
    )
    report = {
        name: {line: sorted(of) for line, of in file["contexts"].items()}
        for name, file in project.report().items()
    }
    printed = re.search(r"^Name(.*\n)+?TOTAL.*", done.stdout, re.MULTILINE)
    assert printed, done.stdout + done.stderr
    return done.returncode, printed[0], report


WAYS = {
    "another checkout": "popen//chdir={there}",
    "another host": "popen//python={host}/python//chdir={there}",
    "another host, same path": "popen//python={host}/python",
    "ssh": "ssh=far//python={python}//chdir={there}",
    "socket": "socket=127.0.0.1:{port}//chdir={there}",
}


@pytest.mark.parametrize("tx", WAYS.values(), ids=WAYS)
def test_same_reports(project: Project, host: Path, tmp_path: Path, tx: str) -> None:
    project.env["PATH"] = f"{host}:{project.env['PATH']}"
    results = []
    for plugin in (False, True):
        there = tmp_path / "there"
        there.mkdir(exist_ok=True)
        with contextlib.ExitStack() as stack:
            port = stack.enter_context(serving(host, tmp_path)) if "{port}" in tx else 0
            spec = tx.format(there=there, host=host, python=sys.executable, port=port)
            results.append(run(project, there, spec, plugin=plugin))
    theirs, ours = results
    assert ours == theirs
    assert ours[0] == 0
    assert ours[2]["src/lib.py"]["3"] == ["tests/test_lib.py::test_a[1]|run"]


KILL = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
    import lib

    def test_kill():
        lib.killed()
        os.kill(os.getpid(), signal.SIGKILL)
"""


EARLY = """
    import sys
    from pathlib import Path
    sys.path.insert(0, str(Path(__file__).parent / "src"))
    import lib
"""


def test_a_worker_that_is_killed_elsewhere(project: Project, tmp_path: Path) -> None:
    """pytest-cov gets nothing of it; its keeper writes a data file there. One, with what pytest-cov
    would have: of the session that began before it was a worker there is nothing."""
    there = tmp_path / "there"
    there.mkdir()
    for place in (project, Project(there)):
        place.write("tests/test_kill.py", KILL)
        place.write("conftest.py", EARLY)
    tx = f"popen//chdir={there}"
    # Another worker would begin with removing the data files in its folder.
    status, _, _ = run(project, there, tx, "--max-worker-restart=0", plugin=True)
    assert status == 1
    wait_until(lambda: list(there.glob(".coverage.*")))
    time.sleep(2)
    (path,) = there.glob(".coverage.*")
    assert "7" in Project(there).report(path)["src/lib.py"]["contexts"]
