# SPDX-License-Identifier: Apache-2.0
"""What one build of the extensions takes beside another, in instructions that callgrind counts.

    python bench/compilers.py PYTHON PYTHON...

Each PYTHON is of the same version and has one of the builds, such as that of `pip install .` and a
wheel of `.ci/wheels`. The table has millions of instructions for a start and a merge, and the ratio
to the first.
"""

from __future__ import annotations

import json
import subprocess
import sys

import callgrind
from cases import events
from harness import PROGRAMS, SHMCOV, folder

COUNTED = {
    "start": "M, `python -c pass` in a measured run: all of it",
    "attach": "k, of these in `_shmcov` and what it calls",
    "link": "k, of these in `ld.so` itself",
    "event": "one LINE event in a dynamic context, in `_shmcov` and what it calls",
    "merge": "M, the end of a run of 700 contexts, in `_merge` and what it calls",
}


def counted() -> dict[str, float]:
    """Of the build in this interpreter."""
    with folder() as work:
        run = ["-m", "shmcov", "run", f"--data-file={work / 'data'}"]
        start, _ = callgrind.run([*run, "--source=nowhere"], [sys.executable, "-c", "pass"], work)
        link = callgrind.read(work / "callgrind.out", "/ld-linux")
        few, many = (
            events.count(SHMCOV, contexts, work)[1] for contexts in (events.FEW, events.MANY)
        )
        (work / "rc").write_text("[run]\ndynamic_context = test_function\n")
        program = [str(PROGRAMS / "line_events.py"), str(events.MANY)]
        whole = [sys.executable, *run, f"--rcfile={work / 'rc'}", f"--source={PROGRAMS}", *program]
        merge, _ = callgrind.run([], whole, work, extension="/_merge.")
        return {
            "start": start.total / 1e6,
            "attach": start.ours / 1e3,
            "link": link.inside / 1e3,
            "event": (many - few) / ((events.MANY - events.FEW) * events.LONG),
            "merge": merge.ours / 1e6,
        }


def main() -> None:
    if sys.argv[1:] == ["--count"]:
        print(json.dumps(counted()))
        return
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    builds = [
        json.loads(
            subprocess.run([python, __file__, "--count"], check=True, stdout=subprocess.PIPE).stdout
        )
        for python in sys.argv[1:]
    ]
    print("| | " + " | ".join(f"{python}" for python in sys.argv[1:]) + " |")
    print("|---" * len(sys.argv) + "|")
    for name, what in COUNTED.items():
        first = builds[0][name]
        cells = [f"{build[name]:.2f} ({build[name] / first:.2f})" for build in builds]
        print(f"| {name}: {what} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
