# SPDX-License-Identifier: Apache-2.0
"""The promises of docs/security.md that no test of a layer shows by itself."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from project_support import Project
from reliability_support import can_unshare

NOBODY = 65534

root_alone = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@root_alone
def test_nobody_else_can_read_a_segment(project: Project) -> None:
    """Whatever the umask."""
    project.write(
        "prog.py",
        """
        import os, sys
        path = os.environ["SHMCOV_SEGMENT"]
        folder = os.path.dirname(path)
        print(oct(os.stat(path).st_mode & 0o7777), oct(os.stat(folder).st_mode & 0o7777))
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            refused = 0
            for open_it in (lambda: os.listdir(folder), lambda: os.open(path, os.O_RDONLY)):
                try:
                    open_it()
                except PermissionError:
                    refused += 1
            os._exit(refused)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
    )
    umask = os.umask(0)
    try:
        done = project.shmcov("run", "prog.py")
    finally:
        os.umask(umask)
    assert done.stdout.split() == ["0o600", "0o700", "2"], done.stdout + done.stderr


@root_alone
@pytest.mark.skipif(not can_unshare("-m"), reason="needs the right to unshare -m")
def test_a_folder_that_somebody_else_made_is_passed_over(project: Project) -> None:
    """Everybody may write in /dev/shm and /tmp, and so make the folder first."""
    if sys.executable.startswith(("/tmp/", "/var/tmp/")):
        pytest.skip("the interpreter lies where the test mounts something else")
    project.write("prog.py", 'import os\nprint(os.environ["SHMCOV_SEGMENT"])\n')
    project.write(
        "squat.sh",
        f"""
        set -e
        for place in /dev/shm /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $place; done
        mkdir -m 700 /dev/shm/shmcov-0
        touch /dev/shm/shmcov-0/run-0123456789abcdef0123456789abcdef
        chown -R {NOBODY} /dev/shm/shmcov-0
        ln -s /var/tmp /tmp/shmcov-0
        cd "$1"
        shift
        "$@"
        ls -A /dev/shm/shmcov-0 /tmp
        """,
    )
    # The folder of the test lies in /tmp, which the mount hides.
    kept = Path(f"/reliability-{os.getpid()}")
    kept.mkdir(mode=0o700)
    try:
        for name in ("prog.py", "squat.sh"):
            (kept / name).write_text((project.folder / name).read_text())
        done = project.python(
            "-c",
            "import os, sys; os.execvp('unshare', sys.argv[1:])",
            *("unshare", "-m", "sh", "squat.sh", kept),
            *(sys.executable, "-m", "shmcov", "run", "prog.py"),
            cwd=kept,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("/var/tmp/shmcov-0/run-"), done.stdout
        listing = done.stdout.splitlines()[1:]
        assert listing.count("run-0123456789abcdef0123456789abcdef") == 1, "and nothing beside it"
        assert (kept / ".coverage").exists()
    finally:
        for path in kept.iterdir():
            path.unlink()
        kept.rmdir()


@pytest.mark.parametrize("kind", ["nothing", "fifo", "device", "link", "folder", "garbage", "open"])
def test_what_the_variable_names_is_not_believed(project: Project, kind: str) -> None:
    """A process that cannot attach runs on in silence, and does not touch what it was given."""
    path = project.folder / "given"
    match kind:
        case "fifo":
            os.mkfifo(path, 0o600)
        case "device":
            path = Path("/dev/zero")
        case "link":
            project.write("target", "x" * 5000)
            path.symlink_to(project.folder / "target")
        case "folder":
            path.mkdir()
        case "garbage" | "open":
            path.write_bytes(os.urandom(300_000))
            path.chmod(0o600 if kind == "garbage" else 0o666)
    before = path.read_bytes() if stat.S_ISREG(mode_of(path)) else b""
    done = project.python("-c", "print('ran')", env={"SHMCOV_SEGMENT": str(path)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "ran\n", "")
    assert before == (path.read_bytes() if stat.S_ISREG(mode_of(path)) else b"")
    assert path.exists() == (kind != "nothing")


def mode_of(path: Path) -> int:
    return path.lstat().st_mode if path.is_symlink() or path.exists() else 0
