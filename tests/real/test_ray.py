# SPDX-License-Identifier: Apache-2.0
"""What docs/how-to/ray.md says of clusters, on two nodes of Ray, which are two hosts.

A minute, and Ray has to be installed for it; nothing else runs this.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from project_support import Project, second_host, wait_until

pytest.importorskip("ray")

sys.path.append(str(Path(__file__).parents[1] / "docs"))

from docs_support import SITE, blocks

pytestmark = [pytest.mark.real, pytest.mark.slow]

NODE = ("--node-ip-address", "127.0.0.1", "--num-cpus", "1", "--block")


@pytest.fixture
def cluster(project: Project) -> Iterator[str]:
    for block in blocks(SITE / "how-to" / "ray.md"):
        if block.kind == "file":
            project.write(block.name, block.text)
    project.env.update(
        PYTHONPATH=str(project.folder),
        RAY_USAGE_STATS_ENABLED="0",
        # Of this cluster, and of no other.
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=secrets.token_hex(32),
    )
    port = 20000 + os.getpid() % 10000
    address = f"127.0.0.1:{port}"
    started = [
        start(project, [], "--head", "--port", str(port), "--include-dashboard", "false"),
        start(
            project,
            second_host("200m"),
            "--address",
            address,
        ),
    ]
    wait_until(lambda: nodes(project, address) == 2, 120)
    yield address
    for popen in reversed(started):
        os.killpg(popen.pid, signal.SIGTERM)
    for popen in started:
        popen.wait(60)


def start(project: Project, within: list[str], *options: str) -> subprocess.Popen[bytes]:
    ray = [sys.executable, "-m", "ray.scripts.scripts", "start"]
    memory = ("--object-store-memory", "80000000")
    return subprocess.Popen(
        [*within, *ray, *options, *NODE, *memory],
        cwd=project.folder,
        env=project.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def nodes(project: Project, address: str) -> int:
    look = "import ray, sys; ray.init(sys.argv[1], log_to_driver=False); print(len(ray.nodes()))"
    done = project.python("-c", look, address)
    return int(done.stdout.strip() or 0) if done.returncode == 0 else 0


def test_two_nodes(project: Project, cluster: str) -> None:
    project.write(".coveragerc", "[run]\nsource = .\nomit = *ray.py, call.py\n")
    done = project.python("cluster.py", cluster, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2", "50", "3"]
    assert project.missing("heat.py") == []
    assert project.data_files() == [".coverage"]
