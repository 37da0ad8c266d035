# SPDX-License-Identifier: Apache-2.0
"""Has auditwheel check a wheel and give it its tag.

python repair_wheel.py WHEEL PLATFORM LIBRARIES OUT

LIBRARIES is a folder with what it may put into the wheel (liburcu). Under musl the C library is
first given the name that musllinux wants, there and in these libraries: Zig calls it libc.so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BIN = Path(sys.executable).parent


def run(*command: str | Path, **more: str) -> None:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, check=True, env={**os.environ, "PATH": path, **more})


def rename_libc(wheel: Path, libraries: str, arch: str, folder: Path) -> Path:
    run(BIN / "python", "-m", "wheel", "unpack", "-d", folder, wheel)
    (tree,) = folder.iterdir()
    bundled = [one for one in Path(libraries).glob("*.so.*") if not one.is_symlink()]
    for library in (*tree.rglob("*.so"), tree / "shmcov/shmcov-keeper", *bundled):
        run("patchelf", "--replace-needed", "libc.so", f"libc.musl-{arch}.so.1", library)
    out = folder / "renamed"
    out.mkdir()
    run(BIN / "python", "-m", "wheel", "pack", "-d", out, tree)
    (renamed,) = out.iterdir()
    return renamed


def main(wheel: Path, platform: str, libraries: str, out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        raw, repaired = Path(folder) / "raw", Path(folder) / "repaired"
        raw.mkdir()
        if platform.startswith("musllinux"):
            wheel = rename_libc(wheel, libraries, platform.split("_", 3)[3], raw)
        # It takes names of other machines' platforms from nobody, but finds them out.
        run(
            *(BIN / "auditwheel", "repair", "--plat", "auto", "-w", repaired, wheel),
            LD_LIBRARY_PATH=libraries,
        )
        (made,) = repaired.iterdir()
        if platform not in made.name:
            sys.exit(f"{made.name} is not for {platform}")
        shutil.copy(made, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
