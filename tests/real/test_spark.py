# SPDX-License-Identifier: Apache-2.0
"""What docs/how-to/spark.md says of clusters: on Spark's local cluster, and on its standalone one
with two workers on hosts of their own.

Some minutes, and PySpark has to be installed for it, with a JVM; nothing else runs this.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from project_support import Project, second_host, wait_until

pytest.importorskip("pyspark")

sys.path.append(str(Path(__file__).parents[1] / "docs"))

from docs_support import SITE, blocks

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("java"), reason="there is no JVM"),
]


class Spark(Project):
    """A project with the files of the page."""

    def copy(self) -> None:
        for block in blocks(SITE / "how-to" / "spark.md"):
            if block.kind == "file":
                self.write(block.name, block.text)
        self.env.update(
            PYTHONPATH=str(self.folder),
            PYSPARK_PYTHON=sys.executable,
            SPARK_HOME=str(Path(pytest.importorskip("pyspark").__file__).parent),
            SPARK_LOCAL_IP="127.0.0.1",
            SPARK_NO_DAEMONIZE="1",
        )

    def deploy(self, what: str, *options: str, within: Sequence[str] = ()) -> Path:
        """Starts a master or a worker. Where it says what happens."""
        log = self.folder / f"{what}{len(self.started)}.log"
        spark = str(Path(self.env["SPARK_HOME"], "bin", "spark-class"))
        options = ("--host", "127.0.0.1", "--webui-port", "0", *options)
        popen = subprocess.Popen(
            [*within, spark, f"org.apache.spark.deploy.{what.lower()}.{what}", *options],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log.open("w"),
            start_new_session=True,
            text=True,
        )
        self.started.append(popen)
        return log

    def worker(self, master: str, *, within: Sequence[str] = ()) -> None:
        resources = ("--cores", "1", "--memory", "1g")
        folder = str(self.folder / f"work{len(self.started)}")
        options = (*resources, "--work-dir", folder, master)
        log = self.deploy("Worker", *options, within=within)
        wait_until(lambda: "registered with master" in log.read_text(), 120)

    def driver(self, master: str, *before: str) -> None:
        done = self.python(*before, "cluster.py", master, timeout=240)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["50"]
        assert "Warning: " not in done.stderr
        assert self.missing("heat.py") == []
        assert self.data_files() == [".coverage"]


@pytest.fixture
def spark(tmp_path: Path) -> Iterator[Spark]:
    made = Spark(tmp_path)
    made.copy()
    yield made
    for popen in reversed(made.started):
        os.killpg(popen.pid, signal.SIGTERM)
    for popen in made.started:
        popen.wait(60)


@pytest.mark.parametrize("before", [(), ("-m", "shmcov", "run")], ids=["alone", "shmcov run"])
def test_local_cluster(spark: Spark, before: tuple[str, ...]) -> None:
    """Executors are JVMs of their own, on one host: all of it is at home already."""
    spark.driver("local-cluster[2,1,1024]", *before)


def test_other_hosts(spark: Spark) -> None:
    """Nothing that the functions run is at home already."""
    master = f"spark://127.0.0.1:{20000 + os.getpid() % 10000}"
    log = spark.deploy("Master", "--port", master.rpartition(":")[2])
    wait_until(lambda: "I have been elected leader" in log.read_text(), 120)
    for _ in range(2):
        spark.worker(master, within=second_host())
    spark.driver(master)
