# SPDX-License-Identifier: Apache-2.0
"""`shmcov combine` with URLs: inputs and outputs in stores that fsspec knows."""

from __future__ import annotations

import contextlib
import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import coverage
import pytest
from project_support import Project, wait_until

pytest.importorskip("fsspec")

SHARDS = 6


def make_shards(project: Project, folder: str = "shards", shards: int = SHARDS) -> Path:
    """Data files as so many machines would leave, and one that is none."""
    project.write("lib.py", "".join(f"line{number} = {number}\n" for number in range(1, 20)))
    where = project.folder / folder
    where.mkdir()
    for number in range(shards):
        data = coverage.CoverageData(str(where / f".coverage.shard-{number}"))
        data.set_context(f"test_{number}")
        data.add_lines({str(project.folder / "lib.py"): {number + 1, 10 + number}})
        data.close()
    (where / "other").write_text("not a data file")
    return where


def expected(project: Project, shards: Path) -> dict[str, Any]:
    """What coverage.py makes of them."""
    done = project.coverage("combine", "--keep", "--data-file=theirs", *sorted(shards.glob(".c*")))
    assert done.returncode == 0, done.stdout + done.stderr
    return project.report("theirs")


def names(shards: Path) -> set[str]:
    return {path.name for path in shards.iterdir()}


ALL = {"other", *(f".coverage.shard-{number}" for number in range(SHARDS))}


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What a command said, wherever: coverage.py's versions do not agree where."""
    return (done.stdout + done.stderr).strip()


def failed(done: subprocess.CompletedProcess[str]) -> str:
    """What a combine that failed said: one line, no traceback."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(said(done).splitlines()) == 1, said(done)
    return said(done)


# -- file:// --


def test_same_as_coverage(project: Project) -> None:
    shards = make_shards(project)
    wanted = expected(project, shards)
    done = project.shmcov("combine", "--keep", f"file://{shards}/")
    assert (done.returncode, said(done)) == (0, f"Combined {SHARDS} files"), done.stderr
    assert project.report() == wanted
    assert names(shards) == ALL
    assert not list(Path(project.env.get("TMPDIR", "/tmp")).glob("shmcov-combine-*/[0-9]*"))


def test_inputs_go_when_the_output_is_there(project: Project) -> None:
    shards = make_shards(project)
    wanted = expected(project, shards)
    done = project.shmcov("combine", "-o", f"file://{shards}/.coverage")
    assert done.returncode == 0, done.stdout + done.stderr
    assert names(shards) == {"other", ".coverage"}
    assert project.report(shards / ".coverage") == wanted
    assert project.data_files() == []


def test_append_and_single_files(project: Project) -> None:
    shards = make_shards(project)
    wanted = expected(project, shards)
    url = f"file://{shards}"
    out = f"file://{project.folder}/new/.coverage"
    (project.folder / "new").mkdir()
    for number in range(SHARDS):
        one = (
            f"{url}/.coverage.shard-{number}"
            if number % 2
            else shards / f".coverage.shard-{number}"
        )
        done = project.shmcov("combine", "--append", "-o", out, one)
        assert done.returncode == 0, done.stdout + done.stderr
    assert names(shards) == {"other"}
    assert project.report(project.folder / "new" / ".coverage") == wanted


def test_equal_and_unreadable_files(project: Project) -> None:
    """As beside coverage.py: the same counts, and what cannot be read stays."""
    shards = make_shards(project, shards=2)
    (shards / ".coverage.again").write_bytes((shards / ".coverage.shard-1").read_bytes())
    (shards / ".coverage.wrong").write_text("not a data file")
    done = project.shmcov("combine", f"file://{shards}")
    assert "Combined 2 files, skipped 1, 1 file errored" in said(done)
    assert f"file://{shards}/.coverage.wrong" in done.stderr
    assert names(shards) == {".coverage.wrong", "other"}


def test_lines_and_branches_are_not_mixed(project: Project) -> None:
    shards = make_shards(project, shards=2)
    data = coverage.CoverageData(str(shards / ".coverage.zz"))
    data.add_arcs({"x.py": {(1, 2)}})
    data.close()
    text = failed(project.shmcov("combine", f"file://{shards}"))
    assert f"file://{shards}/.coverage.zz" in text
    assert "shmcov-combine-" not in text
    assert len(names(shards)) == 4
    assert project.data_files() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["file://{}/nowhere"], "non-existent path 'file://{}/nowhere'"),
        (["file://{}/empty/"], "No data to combine"),
        (["nosuch://x"], "Couldn't use nosuch://x: Protocol not known"),
        (["file://{}/shards", "-o", "https://x/.coverage"], "https is for reading"),
        (["file://{}/shards", "-o", "file://{}/"], "add the name of a file"),
        (["file://{}/shards", "-o", "file:///proc/nowhere/.coverage"], "Couldn't write file:///pr"),
    ],
)
def test_what_is_wrong(project: Project, arguments: list[str], says: str) -> None:
    shards = make_shards(project)
    (project.folder / "empty").mkdir()
    here = str(project.folder)
    text = failed(project.shmcov("combine", *(one.format(here) for one in arguments)))
    assert says.format(here) in text
    assert names(shards) == ALL
    assert project.data_files() == []


def test_missing_modules(project: Project) -> None:
    """Without fsspec, and without the driver of a store."""
    make_shards(project)
    project.write("bare/fsspec.py", "raise ImportError('none here')\n")
    bare = {"PYTHONPATH": str(project.folder / "bare")}
    text = failed(project.shmcov("combine", "s3://bucket/run-7/", env=bare))
    assert "fsspec is not installed: pip install 'shmcov[remote]'" in text
    project.write("driver/s3fs.py", "raise ImportError('none here')\n")
    bare = {"PYTHONPATH": str(project.folder / "driver")}
    text = failed(project.shmcov("combine", "s3://bucket/run-7/", env=bare))
    assert "Couldn't use s3://bucket/run-7/: its driver is not installed: Install s3fs" in text


def test_a_run_writes_no_url(project: Project) -> None:
    project.write("prog.py", "print('ran')\n")
    done = project.shmcov("run", "--data-file=s3://bucket/.coverage", "prog.py")
    assert done.returncode == 1
    assert "ran" not in done.stdout
    assert "A run writes its data file on this machine, not to s3://bucket/" in said(done)
    assert sorted(path.name for path in project.folder.iterdir()) == ["prog.py"]


def test_memory(project: Project) -> None:
    """A store that is in this process alone: the command as a function."""
    make_shards(project)
    project.write(
        "drive.py",
        """
        import sys, fsspec
        from pathlib import Path
        from shmcov.cli import main
        memory = fsspec.filesystem("memory")
        for path in Path("shards").glob(".cov*"):
            memory.pipe_file(f"/run-7/{path.name}", path.read_bytes())
        assert main(["combine", "memory://run-7/", "-o", "memory://out/.coverage"]) == 0
        print(sorted(memory.find("/")))
        Path(".coverage").write_bytes(memory.cat_file("/out/.coverage"))
        """,
    )
    done = project.python("drive.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "['/out/.coverage']"
    assert project.report() == expected(project, project.folder / "shards")


def test_disk_use_is_bounded(project: Project) -> None:
    """However many there are, few copies are here at any time."""
    make_shards(project, shards=40)
    project.write(
        "drive.py",
        """
        import shmcov.shards.storage as storage
        from pathlib import Path
        from shmcov.cli import main
        most, done = 0, storage.Fetch.done
        def counting(self, path):
            global most
            most = max(most, len(list(Path(path).parents[1].glob("*/.coverage.*"))))
            done(self, path)
        storage.Fetch.done = counting
        assert main(["combine", "--keep", f"file://{Path('shards').absolute()}"]) == 0
        print(most)
        """,
    )
    done = project.python("drive.py")
    assert "Combined 40 files" in said(done)
    assert 1 <= int(done.stdout.split()[-1]) <= 5


# -- http --

with_http = pytest.mark.skipif(find_spec("aiohttp") is None, reason="aiohttp is not installed")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and breaks off or refuses what has such a name."""

    protocol_version = "HTTP/1.0"
    answers: dict[str, int] = {}  # noqa: RUF012
    cut: tuple[str, ...] = ()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if name in self.answers:
            self.send_error(self.answers[name])
        elif name in self.cut:
            data = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            super().do_GET()


@contextlib.contextmanager
def serving(folder: Path, **how: Any) -> Iterator[str]:
    handler = type("H", (Handler,), how)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@with_http
def test_http(project: Project) -> None:
    shards = make_shards(project)
    wanted = expected(project, shards)
    with serving(project.folder) as url:
        text = failed(project.shmcov("combine", f"{url}/shards/"))
        assert "keep it with --keep" in text
        done = project.shmcov("combine", "--keep", f"{url}/shards/")
    assert (done.returncode, said(done)) == (0, f"Combined {SHARDS} files"), done.stderr
    assert project.report() == wanted


@with_http
@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"cut": (".coverage.shard-3",)}, "Couldn't fetch"),
        ({"answers": {".coverage.shard-3": 403}}, "access was refused"),
        ({"answers": {".coverage.shard-3": 404}}, "there is no such file"),
        ({"answers": {".coverage.shard-3": 500}}, "500"),
    ],
    ids=["cut", "403", "404", "500"],
)
def test_http_fails(project: Project, how: dict[str, Any], says: str) -> None:
    make_shards(project)
    old = project.write(".coverage", "the old one")
    with serving(project.folder, **how) as url:
        text = failed(project.shmcov("combine", "--keep", f"{url}/shards/"))
    assert says in text
    assert f"{url}/shards/.coverage.shard-3" in text
    assert old.read_text() == "the old one"


# -- S3: moto's server --

with_s3 = pytest.mark.skipif(
    find_spec("moto") is None or find_spec("s3fs") is None, reason="moto, s3fs are not installed"
)


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """The environment of a client of an S3 on this machine, with a bucket."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    env = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: _listens(port), 60)
            yield env
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def in_bucket(project: Project, s3: dict[str, str], script: str) -> str:
    """Runs lines of Python with `fs`, the store."""
    done = project.python("-c", f"import s3fs; fs = s3fs.S3FileSystem()\n{script}", env=s3)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@with_s3
def test_s3(project: Project, s3: dict[str, str]) -> None:
    shards = make_shards(project)
    wanted = expected(project, shards)
    in_bucket(project, s3, "fs.mkdir('bucket'); fs.put('shards', 'bucket/run-7', recursive=True)")
    done = project.shmcov("combine", "--keep", "s3://bucket/run-7/", "-o", ".coverage", env=s3)
    assert (done.returncode, said(done)) == (0, f"Combined {SHARDS} files"), done.stderr
    assert project.report() == wanted
    done = project.shmcov("combine", "-o", "s3://bucket/run-7/.coverage", env=s3)
    assert done.returncode == 0, done.stdout + done.stderr
    found = in_bucket(project, s3, "print(sorted(fs.find('bucket')))")
    assert found == "['bucket/run-7/.coverage', 'bucket/run-7/other']"
    in_bucket(project, s3, "fs.get('bucket/run-7/.coverage', 'from-s3')")
    assert project.report("from-s3") == wanted


@with_s3
def test_s3_fails(project: Project, s3: dict[str, str]) -> None:
    make_shards(project, shards=2)
    text = failed(project.shmcov("combine", "s3://nowhere/run-7/", env=s3))
    assert "non-existent path 's3://nowhere/run-7/'" in text
    text = failed(project.shmcov("combine", "shards", "-o", "s3://nowhere/.coverage", env=s3))
    assert "Couldn't write s3://nowhere/.coverage: there is no such file, folder or bucket" in text
    assert names(project.folder / "shards") >= {".coverage.shard-0", ".coverage.shard-1"}
    none = {**s3, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": str(project.folder)}
    none["AWS_EC2_METADATA_DISABLED"] = "true"
    text = failed(project.shmcov("combine", "s3://bucket/run-7/", env=none))
    assert "there are no usable credentials" in text
    gone = {**s3, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    text = failed(project.shmcov("combine", "s3://bucket/run-7/", env=gone))
    assert "http://127.0.0.1:9" in text
