# SPDX-License-Identifier: Apache-2.0
"""shmcov.dask: clusters of real processes, also on two hosts, which are namespaces here."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import project_support
import pytest
from project_support import Project, mount_namespace, wait_until

pytest.importorskip("distributed")

pytestmark = pytest.mark.slow

WORK = """
    import os
    import signal

    import more


    def even(x):
        if x % 2:
            return "odd"
        return more.named(x)


    def killed(x, marker):
        if not os.path.exists(marker):
            open(marker, "w").close()
            last_words()
            os.kill(os.getpid(), signal.SIGKILL)
        return more.again(x)


    def last_words():
        return 1


    def never():
        return 0
"""
MORE = """
    NAMES = {n: "even" for n in range(0, 10, 2)}


    def named(x):
        return NAMES.get(x) or "large"


    def again(x):
        try:
            return 10 // x
        except ZeroDivisionError:
            return None
"""
SERIAL = """
    import os
    import signal

    import work

    os.kill = lambda pid, signo: None
    for x in range(12):
        work.even(x)
    for x in range(3):
        work.killed(x, "serial.marker")
"""
CLUSTER = """
    import sys
    import time
    import warnings

    import shmcov.dask
    from distributed import Client

    if __name__ == "__main__":
        with Client(scheduler_file="scheduler") as client:
            client.wait_for_workers({workers}, timeout=60)
            with shmcov.dask.measure(client{options}):
                import work

                {body}
"""
SUITE = """
client.gather(client.map(work.even, range(12)))
client.gather(client.map(work.killed, range(3), ["marker"] * 3))
"""


def program(body: str = SUITE, *, workers: int = 2, options: str = "") -> str:
    body = textwrap.indent(body.strip(), 12 * " ").strip()
    return textwrap.dedent(CLUSTER).format(body=body, workers=workers, options=options)


RC = """
    [run]
    source = .
    branch = {branch}
    omit = cluster.py, serial.py, local.py
    context = {context}
    plugins = {plugins}
"""

FILE = ("--scheduler-file", "scheduler")


class Dask(Project):
    """A project with a scheduler, which workers join."""

    def scheduler(self) -> None:
        self.write("work.py", WORK)
        self.write("more.py", MORE)
        self.write("serial.py", SERIAL)
        self.write("cluster.py", program())
        self.configure()
        self.env["PYTHONPATH"] = str(self.folder)
        self.env["DASK_DISTRIBUTED__LOGGING__DISTRIBUTED"] = "critical"
        self.dask("scheduler", *FILE, "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        wait_until((self.folder / "scheduler").exists, 60)

    def configure(self, branch: bool = True, context: str = "", plugins: str = "") -> None:
        self.write(".coveragerc", RC.format(branch=branch, context=context, plugins=plugins))

    def dask(self, verb: str, *options: str, within: Sequence[str] = ()) -> subprocess.Popen[str]:
        popen = subprocess.Popen(
            [*within, sys.executable, "-m", f"distributed.cli.dask_{verb}", *options],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{verb}{len(self.started)}.log").open("w"),
            start_new_session=True,
            text=True,
        )
        self.started.append(popen)
        return popen

    def worker(self, *options: str, second_host: bool = False) -> subprocess.Popen[str]:
        within = project_support.second_host() if second_host else []
        options = (*FILE, "--nthreads", "1", "--no-dashboard", "--memory-limit", "0", *options)
        return self.dask("worker", *options, within=within)

    def expected(self) -> dict[str, Any]:
        done = self.coverage("run", "--data-file=serial.data", "serial.py")
        assert done.returncode == 0, done.stderr
        return self.report("serial.data")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Dask]:
    project = Dask(tmp_path)
    project.scheduler()
    yield project
    project.end()


def ran(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("second_host", [False, True], ids=["one host", "two hosts"])
def test_the_report_is_that_of_a_serial_run(cluster: Dask, second_host: bool) -> None:
    cluster.worker()
    cluster.worker(second_host=second_host)
    ran(cluster.python("cluster.py"))
    assert cluster.report() == cluster.expected()
    assert cluster.data_files() == [".coverage"]


def test_a_nanny_is_asked_whose_worker_is_dead_at_the_end(cluster: Dask) -> None:
    cluster.worker(second_host=True)
    body = """
future = client.submit(work.killed, 1, "marker")
while client.nthreads():
    time.sleep(0.01)
"""
    cluster.write("cluster.py", program(body, workers=1))
    ran(cluster.python("cluster.py"))
    assert not {14, 15, 16, 17, 22} & {*cluster.missing("work.py")}


def test_contexts_and_lines_from_other_hosts(cluster: Dask) -> None:
    cluster.configure(branch=False, context="whole")
    cluster.worker(second_host=True)
    body = """
import shmcov

for x in (1, 2):
    client.run(shmcov.switch_context, f"test_{x}")
    client.submit(work.even, x).result()
client.run(shmcov.switch_context, "")
"""
    cluster.write("cluster.py", program(body, workers=1))
    ran(cluster.python("cluster.py"))
    found = cluster.report()["work.py"]["contexts"]
    contexts = {line: sorted(names) for line, names in found.items()}
    assert contexts["8"] == ["whole|test_1", "whole|test_2"]
    assert contexts["9"] == ["whole|test_1"]
    assert contexts["10"] == ["whole|test_2"]


@pytest.mark.parametrize("how", ["shmcov", "plugin", "coverage"])
def test_the_rows_end_in_the_data_of_a_client_that_is_measured(cluster: Dask, how: str) -> None:
    cluster.worker()
    cluster.worker(second_host=True)
    cluster.configure(plugins="shmcov" if how == "plugin" else "")
    rc = cluster.folder / ".coveragerc"
    rc.write_text(rc.read_text().replace("omit = cluster.py,", "omit ="))
    run = cluster.shmcov if how == "shmcov" else cluster.coverage
    done = run("run", "cluster.py")
    ran(done)
    assert "Warning" not in done.stderr
    report, expected = cluster.report(), cluster.expected()
    assert report["cluster.py"]["missing_lines"] == []
    for name in ("work.py", "more.py"):
        assert report[name] == expected[name]
    assert cluster.data_files() == [".coverage"]


def test_threads_that_have_worked_before_are_measured(cluster: Dask) -> None:
    cluster.worker("--nthreads", "3")
    text = program("client.gather(client.map(work.even, range(12)))", workers=1)
    before = "with shmcov.dask.measure"
    early = "client.gather(client.map(time.sleep, [0.2] * 6, pure=False))\n        "
    cluster.write("cluster.py", text.replace(before, early + before))
    ran(cluster.python("cluster.py"))
    assert not {1, 2, 7, 8, 9, 10} & {*cluster.missing("work.py")}


def test_what_a_worker_imported_before_is_named_and_a_restart_measures_it(cluster: Dask) -> None:
    cluster.worker()
    text = program("client.gather(client.map(work.even, range(12)))", workers=1)
    before = "with shmcov.dask.measure"
    early = "import work\n        client.submit(work.even, 1).result()\n        "
    cluster.write("cluster.py", text.replace(before, early + before))
    done = cluster.python("cluster.py")
    ran(done)
    assert "Workers had imported more, work before" in done.stderr
    assert {1, 2, 7} < {*cluster.missing("work.py")}
    cluster.write("cluster.py", text.replace("(client)", "(client, restart=True)"))
    done = cluster.python("cluster.py")
    ran(done)
    assert "imported" not in done.stderr
    assert not {1, 2, 7, 8, 9, 10} & {*cluster.missing("work.py")}


def test_a_host_that_leaves_sends_its_rows_and_one_that_comes_is_measured(cluster: Dask) -> None:
    cluster.worker(second_host=True)
    body = """
import pathlib

client.gather(client.map(work.even, range(0, 10, 2)))
old = list(client.scheduler_info()["workers"])
pathlib.Path("more").write_text("\\n")
while len(client.scheduler_info()["workers"]) < 2:
    time.sleep(0.05)
client.retire_workers(old)
while len(client.scheduler_info()["workers"]) > 1:
    time.sleep(0.05)
client.gather(client.map(work.even, range(1, 12, 2)))
"""
    cluster.write("cluster.py", program(body, workers=1))
    popen = subprocess.Popen(
        [sys.executable, "cluster.py"], cwd=cluster.folder, env=cluster.env, text=True
    )
    cluster.started.append(popen)
    cluster.wait_for("more", 60)
    cluster.worker("--no-nanny", second_host=True)
    assert popen.wait(60) == 0
    missing = cluster.missing("work.py")
    assert not {1, 2, 7, 8, 9, 10} & {*missing}


def test_what_cannot_be_measured_is_refused(cluster: Dask) -> None:
    cluster.worker()
    body = """
with shmcov.dask.measure(client):
    pass
"""
    cluster.write("cluster.py", program(body, workers=1))
    done = cluster.python("cluster.py")
    assert done.returncode == 1
    assert "This cluster is being measured already" in done.stderr


def test_a_package_that_lies_elsewhere_on_other_hosts(cluster: Dask) -> None:
    """`source_pkgs` finds it there, and `[paths]` brings its names home."""
    for place in ("here", "there"):
        cluster.write(f"{place}/pack/__init__.py", "")
        cluster.write(f"{place}/pack/ran.py", "def run():\n    return 1\n")
        cluster.write(f"{place}/pack/not_run.py", "1\n")
    rc = "[run]\nsource_pkgs = pack\n[paths]\npack =\n    here/pack\n    */there/pack\n"
    cluster.write(".coveragerc", rc)
    cluster.write("work.py", "def work():\n    import pack.ran\n\n    return pack.ran.run()\n")
    python_path = cluster.env["PYTHONPATH"]
    cluster.env["PYTHONPATH"] += f":{cluster.folder}/there"
    cluster.worker(second_host=True)
    # What lies where other hosts have it, as if this were another machine.
    hide = f"mount -t tmpfs tmpfs {cluster.folder}/there"
    cluster.env["PYTHONPATH"] = f"{python_path}:{cluster.folder}/here"
    cluster.write("cluster.py", program("assert client.submit(work.work).result() == 1", workers=1))
    command = [*mount_namespace(), "sh", "-ec", f'{hide}; exec "$@"', "sh", sys.executable]
    done = subprocess.run(
        [*command, "cluster.py"],
        cwd=cluster.folder,
        env=cluster.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    ran(done)
    assert "Warning" not in done.stderr
    found = {name: file["missing_lines"] for name, file in cluster.report().items()}
    assert found == {
        "here/pack/__init__.py": [],
        "here/pack/ran.py": [],
        "here/pack/not_run.py": [1],
    }
