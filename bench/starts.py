# SPDX-License-Identifier: Apache-2.0
"""Starts processes in turn and times them: the part of cases/attach.py that runs measured.

Arguments: what to do, as JSON, and the file to write the times to.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def start(python: str, env: dict[str, str]) -> dict[str, float]:
    begin = time.perf_counter()
    pid = os.posix_spawn(python, [python, "-c", "pass"], env)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    assert status == 0, status
    return {"wall": wall * 1e3, "cpu": (usage.ru_utime + usage.ru_stime) * 1e3}


def main(job: dict[str, Any], out: str) -> None:
    samples: dict[str, list[dict[str, float]]] = {kind: [] for kind, _ in job["kinds"]}
    for number in range(job["rounds"] + 2):
        for kind, python in job["kinds"]:
            env = dict(os.environ)
            if kind == "ctrace":
                # Set for no other kind, which would join its run.
                env.pop("SHMCOV_SEGMENT", None)
                env.update(COVERAGE_PROCESS_START=job["rcfile"], COVERAGE_CORE="ctrace")
            alive = Path(job["folder"]).exists()
            sample = start(python, env)
            sample["run_alive"] = alive or Path(job["folder"]).exists()
            # The first ones fill caches.
            if number >= 2:
                samples[kind].append(sample)
    Path(out).write_text(json.dumps(samples))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2])
