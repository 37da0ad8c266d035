# SPDX-License-Identifier: Apache-2.0
"""Deal tests out to the workers of pytest-xdist: the first to gw0, the second to gw1, and so on.

A plug-in of pytest (`-p dealt`). By itself xdist hands them to whoever is done first. A test that
is the first of its process to need something (a lazy import, a cache) runs lines that it does not
run where another one came first, so no two runs have the same lines in the same tests.

Cyclic garbage is not collected, as what is then finalized would run in the context of whatever test
comes along. With DEALT_RECORDED, which names a folder, each worker that shmcov records leaves a
file.
"""

import gc
import os
import sys
from pathlib import Path
from typing import Any

from xdist.scheduler import LoadScheduling

gc.disable()


class Dealing(LoadScheduling):  # type: ignore[misc]
    def _dealt(self) -> None:
        for place, node in enumerate(self.nodes):
            for index in range(place, len(self.collection), len(self.nodes)):
                self.pending.remove(index)
                self.node2pending[node].append(index)
            node.send_runtest_some(self.node2pending[node])
            node.shutdown()

    def schedule(self) -> None:
        """Hand out everything at once; later calls come when a worker is done with a test."""
        if self.collection is None:
            assert self.collection_is_completed and self._check_nodes_have_same_collection()
            self.collection = next(iter(self.node2collection.values()))
            self.pending[:] = range(len(self.collection))
            self._dealt()


def pytest_xdist_make_scheduler(config: Any, log: Any) -> LoadScheduling:
    return Dealing(config, log)


def pytest_runtest_protocol() -> None:
    folder = os.environ.pop("DEALT_RECORDED", None)
    extension: Any = sys.modules.get("_shmcov")
    if folder and extension and extension.recording():
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        Path(folder, worker).write_text(f"{worker} records")
