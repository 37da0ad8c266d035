# SPDX-License-Identifier: Apache-2.0
"""Data files in stores that fsspec knows: docs/combine.md, "Storage".

A store is where a URL leads (`s3://…`, `gs://…`, `file://…`). Inputs are fetched a few ahead of
the combining, and what has been read is removed from this machine's disk. An output is complete
before anybody can see it. Whatever fails is a `DataError` that names the URL. fsspec is imported
when the first URL is met.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverage.exceptions import DataError, NoDataError

AHEAD = 4
"""So many files are fetched while others are read."""

ATOMIC = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"}
"""Stores that show an object when all of it is there. In others it gets a name of its own first."""

READ_ONLY = {"http", "https"}

EXTRA = "pip install 'shmcov[remote]'"


def name_of(url: str) -> str:
    """The last part of its path: the name of the file, without what a query adds."""
    path = url.partition("?")[0] if _scheme(url) in READ_ONLY else url
    return posixpath.basename(path)


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()


@dataclass(frozen=True)
class Remote:
    """A data file in a store."""

    url: str
    fs: Any
    path: str
    size: int | None = None

    @property
    def name(self) -> str:
        return name_of(self.url)


# -- finding --


def find(url: str, name: str) -> list[Remote]:
    """The data file that the URL names, or those in the folder that it names: as coverage.py finds
    them, whose names begin with `name` and a dot. DataError, NoDataError."""
    fs, path = _store(url)
    with _telling(url, "read"):
        fs.invalidate_cache()
        if not url.endswith("/"):
            info = _info(fs, path, url)
            if info["type"] != "directory":
                return [Remote(url, fs, path, info.get("size"))]
        try:
            entries = fs.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            raise _nothing(url) from None
    found = (
        Remote(fs.unstrip_protocol(entry["name"]), fs, entry["name"], entry.get("size"))
        for entry in entries
        if entry["type"] == "file"
    )
    wanted = (
        one
        for one in found
        if one.name.startswith(name + ".") and not one.name.endswith("-journal")
    )
    return sorted(wanted, key=lambda one: one.url)


def folder_of(url: str) -> str:
    return url[: len(url) - len(name_of(url).rstrip("/"))]


def _info(fs: Any, path: str, url: str) -> dict[str, Any]:
    try:
        return dict(fs.info(path))
    except FileNotFoundError:
        raise _nothing(url) from None


def _nothing(url: str) -> NoDataError:
    return NoDataError(f"Couldn't combine from non-existent path '{url}'")


def _store(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    try:
        import fsspec
    except ImportError:
        raise DataError(f"Couldn't use {url}: fsspec is not installed: {EXTRA}") from None
    try:
        fs, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise DataError(
            f"Couldn't use {url}: its driver is not installed: {error} ({EXTRA} has the common "
            "part alone)"
        ) from None
    except Exception as error:
        raise DataError(f"Couldn't use {url}: {_text(error)}") from error
    return fs, path


# -- fetching --


class Fetch:
    """Copies of data files here, each from `ready` to `done`.

    `paths` is where they will be, in order. They have the names that they have in the store: a
    name may hold the hash of what is in the file."""

    def __init__(self, remotes: Sequence[Remote], folder: str) -> None:
        self._remotes = list(remotes)
        self.paths = [str(Path(folder, str(at), one.name)) for at, one in enumerate(remotes)]
        self.of = dict(zip(self.paths, self._remotes, strict=True))
        self._threads = ThreadPoolExecutor(AHEAD, thread_name_prefix="shmcov-fetch")
        self._begun: dict[str, Future[None]] = {}
        self._next = 0

    def __enter__(self) -> Fetch:
        for _ in range(AHEAD):
            self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _begin(self) -> None:
        if self._next < len(self.paths):
            path = self.paths[self._next]
            self._next += 1
            self._begun[path] = self._threads.submit(fetch, self.of[path], path)

    def ready(self, path: str) -> None:
        """Waits until it is there, and has the next one begin. Others are there anyway."""
        future = self._begun.pop(path, None)
        if future is not None:
            future.result()
            self._begin()

    def named(self, text: str) -> str:
        """A text with URLs in the place of the copies that it names."""
        for path, one in self.of.items():
            text = text.replace(path, one.url)
        return text

    def done(self, path: str) -> None:
        """Nobody opens it by its name any more."""
        if path in self.of:
            Path(path).unlink(missing_ok=True)


def fetch(remote: Remote, path: str) -> None:
    """Copies a data file to here. DataError if not all of it came."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with _telling(remote.url, "fetch"):
        remote.fs.get_file(remote.path, path)
    got = Path(path).stat().st_size
    if remote.size is not None and got != remote.size:
        raise DataError(
            f"Couldn't fetch {remote.url}: it broke off after {got} of {remote.size} bytes"
        )


# -- writing --


def check_writable(url: str) -> None:
    """DataError if nothing can be written there, as far as can be known before."""
    if _scheme(url) in READ_ONLY:
        raise DataError(f"Couldn't write {url}: {_scheme(url)} is for reading: name another output")
    _store(url)


def check_removable(remotes: Iterable[Remote]) -> None:
    """DataError if one of them cannot be removed, as combining does without --keep."""
    for one in remotes:
        if _scheme(one.url) in READ_ONLY:
            raise DataError(f"Couldn't remove {one.url} after combining: keep it with --keep")


def load(url: str, path: str) -> None:
    """Fetches what an output has, if there is one."""
    fs, there = _store(url)
    with _telling(url, "read"):
        fs.invalidate_cache()
        if not fs.exists(there):
            return
        size = fs.info(there).get("size")
    fetch(Remote(url, fs, there, size), path)


def put(path: str, url: str) -> None:
    """Puts a file into a store. Until it is complete, what was there stays."""
    fs, there = _store(url)
    with _telling(url, "write"):
        if _scheme(url) in ATOMIC:
            fs.put_file(path, there)
            return
        # A name that `combine` does not take for a data file.
        folder = posixpath.dirname(there)
        new = posixpath.join(folder, f".shmcov-{secrets.token_hex(8)}.tmp")
        try:
            if folder:
                fs.makedirs(folder, exist_ok=True)
            fs.put_file(path, new)
            fs.mv(new, there)
        except BaseException:
            with contextlib.suppress(Exception):
                fs.rm_file(new)
            raise


def remove(remotes: Sequence[Remote]) -> None:
    """Removes data files from their stores. DataError, after all of them were tried."""
    stores: dict[int, list[Remote]] = {}
    for one in remotes:
        stores.setdefault(id(one.fs), []).append(one)
    failures = []
    for these in stores.values():
        try:
            these[0].fs.rm([one.path for one in these])
        except Exception as error:
            failures.append(f"{these[0].url}{_more(these)}: {_text(error)}")
    if failures:
        raise DataError(f"Combined, but couldn't remove {'; '.join(failures)}")


def _more(these: Sequence[Remote]) -> str:
    return f" and {len(these) - 1} more" if len(these) > 1 else ""


def write_local(url: str, folder: str) -> str:
    """Where an output is written before it is put into its store."""
    name = name_of(url)
    if not name:
        raise DataError(f"Couldn't write {url}: it names a folder; add the name of a file")
    return str(Path(folder, "output", name))


# -- what went wrong --


@contextlib.contextmanager
def _telling(url: str, what: str) -> Iterator[None]:
    """Makes what a driver raises a DataError: drivers raise whatever their libraries do."""
    try:
        yield
    except (DataError, NoDataError):
        raise
    except Exception as error:
        raise DataError(f"Couldn't {what} {url}: {_text(error)}") from error


def _text(error: BaseException) -> str:
    """In words, with what to do where that is plain."""
    text = " ".join(str(error).split()) or type(error).__name__
    name = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return f"there is no such file, folder or bucket ({text})"
    if isinstance(error, PermissionError) or re.search(r"\b40[13]\b", text):
        return f"access was refused ({text}): check the credentials that the environment gives"
    if "Credential" in name or "Token" in name or "Credential" in text:
        return f"there are no usable credentials ({text}): set those of this store"
    if isinstance(error, OSError | ValueError | NotImplementedError):
        return text
    return f"{name}: {text}"
