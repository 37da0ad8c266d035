# SPDX-License-Identifier: Apache-2.0
"""`shmcov combine --dask`: a tree of merges on a Dask cluster. docs/combine.md, "Dask".

    inputs     1 … 64   65 … 128   …          read where the workers are, names as they are
    level 1      part      part    …          names mapped from here on: the client says how
    level 2           part         …          until no more than 64 are left
    the last one           output             here, as `combine_files` writes any output

Dask says which worker does what and does it again if one dies. Each merge is `combine_files`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from coverage.exceptions import CoverageException, DataError, NoDataError
from coverage.files import PathAliases

from shmcov.shards import combining, storage, urls
from shmcov.shards.combining import Combined, Fate, Known, Options, Progress
from shmcov.shards.storage import Fetch

FAN = 64
"""So many data files become one in one merge, at most."""

PER_WORKER = 4
"""So many merges of the first level has a worker to do, where there are enough inputs: less is
done again if one dies, and all are busy until the end."""

RETRIES = 2


@dataclass(frozen=True)
class Part:
    """What a merge has made of its inputs."""

    result: Combined
    names: Sequence[str] = ()
    """Those of files in the inputs, in order, as they are there."""
    path: str = ""
    """Where it is, on a disk that all workers share."""
    data: bytes = b""
    """All of it, where they share none."""
    origin: str = ""
    """The first of the inputs."""
    digests: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    """Of inputs that the client does not see."""

    @property
    def empty(self) -> bool:
        return not self.result.combined

    @property
    def arcs(self) -> bool | None:
        """Does it have branches, or lines? None: it has neither."""
        return bool(self.result.arc_rows) if self.result.arc_rows + self.result.line_rows else None


class Names:
    """In the place of PathAliases: notes what it is asked for, and maps what it knows."""

    def __init__(self, known: dict[str, str] | None = None) -> None:
        self.known = known or {}
        self.asked: dict[str, None] = {}

    def map(self, path: str) -> str:
        self.asked[path] = None
        return self.known.get(path, path)


# -- on the workers --


@dataclass(frozen=True)
class Merge:
    """How to make a part."""

    output: str
    """What the output of it all is called: errors name it."""
    shared: str | None
    """The folder for parts, or None: their content is passed on."""

    def of_inputs(self, number: int, inputs: Sequence[str]) -> Part:
        with _fetching(inputs) as fetch, self._target(f"first-{number}") as target:
            copies = {one.url: path for path, one in fetch.of.items()}
            paths = [copies.get(path, path) for path in inputs]
            inputs_of = dict(zip(paths, inputs, strict=True))
            return self._make(paths, target, inputs_of, None, fetch)

    def of_parts(self, name: str, parts: Sequence[Part], names: dict[str, str] | None) -> Part:
        parts = [part for part in parts if not part.empty]
        with on_disk(parts) as paths, self._target(name) as target:
            inputs_of = {path: part.origin for path, part in zip(paths, parts, strict=True)}
            return self._make(paths, target, inputs_of, names)

    @contextlib.contextmanager
    def _target(self, name: str) -> Iterator[str]:
        if self.shared is not None:
            yield str(Path(self.shared, name))
            return
        with tempfile.TemporaryDirectory(prefix="shmcov-") as folder:
            yield str(Path(folder, name))

    def _make(
        self,
        paths: Sequence[str],
        target: str,
        inputs_of: dict[str, str],
        known: dict[str, str] | None,
        fetch: Fetch | None = None,
    ) -> Part:
        names = Names(known)
        digests: dict[str, bytes] = {}

        def note(path: str, *_: object) -> None:
            if fetch is not None and path in fetch.of:
                with Path(path).open("rb") as file:
                    digests[fetch.of[path].url] = hashlib.file_digest(file, "blake2b").digest()
                fetch.done(path)

        try:
            result = combining.combine_files(
                paths,
                target,
                aliases=cast(PathAliases, names),
                strict=False,
                on_input=note,
                ready=fetch.ready if fetch and fetch.paths else None,
            )
        except CoverageException as error:
            raise renamed(error, {**inputs_of, target: self.output}) from None
        result = dataclasses.replace(
            result,
            combined=[inputs_of[path] for path in result.combined],
            skipped=[inputs_of[path] for path in result.skipped],
            unusable=[
                (inputs_of[path], in_words(why, {path: inputs_of[path]}))
                for path, why in result.unusable
            ],
        )
        if not result.combined:
            return Part(result)
        origin = result.combined[0]
        part = Part(result, list(names.asked), target, origin=origin, digests=digests)
        if self.shared is None:
            part = dataclasses.replace(part, path="", data=Path(target).read_bytes())
        return part


def _about(part: Part) -> Part:
    """A part without its content."""
    return dataclasses.replace(part, data=b"")


@contextlib.contextmanager
def _fetching(inputs: Sequence[str]) -> Iterator[Fetch]:
    """Fetches the inputs that are in stores."""
    remotes = [storage.find(url, "")[0] for url in inputs if urls.is_url(url)]
    with (
        tempfile.TemporaryDirectory(prefix="shmcov-") as folder,
        Fetch(remotes, folder) as fetch,
    ):
        yield fetch


@contextlib.contextmanager
def on_disk(parts: Sequence[Part]) -> Iterator[list[str]]:
    """Parts as files of this machine."""
    with tempfile.TemporaryDirectory(prefix="shmcov-") as folder:
        paths = []
        for i, part in enumerate(parts):
            if part.path:
                paths.append(part.path)
            else:
                path = Path(folder, str(i))
                path.write_bytes(part.data)
                paths.append(str(path))
        yield paths


def in_words(text: str, names: dict[str, str]) -> str:
    """A text with the names that people know."""
    for path, name in names.items():
        for one in (path, os.path.realpath(path)):
            text = text.replace(one, name)
    return text


def renamed(error: CoverageException, names: dict[str, str]) -> CoverageException:
    """An error that can travel, as it has nothing but its text."""
    kind = NoDataError if isinstance(error, NoDataError) else DataError
    return kind(in_words(str(error), names))


# -- here --


@dataclass
class Tree:
    """A combine on a cluster. `client`: a distributed.Client."""

    client: Any
    output: str
    shared: str | None
    options: Options

    def combine(self, inputs: Sequence[str]) -> Combined:
        output = os.path.abspath(self.output)  # noqa: PTH100
        append, strict = self.options.get("append", False), self.options.get("strict", True)
        given = [path for path in inputs if not combining._same(path, output, append)]
        if strict and not given:
            raise NoDataError("No usable data files")
        # Those in other groups as well, as far as this machine can see them.
        known = Known()
        inputs = [path for path in given if not known.again(path)]
        merge = Merge(output, self.shared)
        futures = [
            self._submit(merge.of_inputs, number, group)
            for number, group in enumerate(self._groups(inputs))
        ]
        about = self._gather(futures, len(inputs))
        fates = self._tell(about, given)
        there = [(future, one) for future, one in zip(futures, about, strict=True) if not one.empty]
        if not there:
            if strict:
                raise NoDataError("No usable data files")
            return fates
        self._refuse_mixed(merge, [one for _, one in there])
        names: dict[str, str] | None = self._names([one for _, one in there])
        futures = [future for future, _ in there]
        level = 2
        while len(futures) > FAN:
            futures = [
                self._submit(merge.of_parts, f"{level}-{i}", futures[i : i + FAN], names)
                for i in range(0, len(futures), FAN)
            ]
            names, level = None, level + 1
        parts: list[Part] = self.client.gather(futures)
        with on_disk(parts) as paths:
            try:
                last = combining.combine_files(paths, output, **self._last(len(inputs), names))
            except CoverageException as error:
                origins = {path: part.origin for path, part in zip(paths, parts, strict=True)}
                raise renamed(error, origins) from None
        return dataclasses.replace(
            last, combined=fates.combined, skipped=fates.skipped, unusable=fates.unusable
        )

    def _submit(self, function: Callable[..., Part], *arguments: Any) -> Any:
        return self.client.submit(function, *arguments, retries=RETRIES, pure=False)

    def _groups(self, inputs: Sequence[str]) -> list[Sequence[str]]:
        workers = max(1, len(self.client.nthreads()))
        size = min(FAN, max(2, -(-len(inputs) // (PER_WORKER * workers))))
        return [inputs[i : i + size] for i in range(0, len(inputs), size)]

    def _gather(self, futures: Sequence[Any], inputs: int) -> list[Part]:
        """What is known of parts, when all are there."""
        from distributed import as_completed

        about = {}
        for future in futures:
            about[self.client.submit(_about, future, pure=False)] = future
        done = 0
        tell = self.options.get("on_progress")
        for _, part in as_completed(list(about), with_results=True):
            result = part.result
            done += len(result.combined) + len(result.skipped) + len(result.unusable)
            if tell is not None:
                tell(Progress(done, inputs, 0, 0, 0))
        parts: list[Part] = self.client.gather(list(about))
        return parts

    def _tell(self, about: Sequence[Part], given: Sequence[str]) -> Combined:
        """What has become of the inputs, said in their order."""
        fates: dict[str, tuple[Fate, str]] = {}
        for part in about:
            fates.update(dict.fromkeys(part.result.combined, ("combined", "")))
            fates.update({path: ("unusable", why) for path, why in part.result.unusable})
        digests = {path: digest for part in about for path, digest in part.digests.items()}
        seen: set[bytes] = set()
        on_input = self.options.get("on_input", combining.nobody)
        total = Combined()
        for path in given:
            fate, why = fates.pop(path, ("skipped", ""))
            if fate == "combined" and path in digests:
                fate = "skipped" if digests[path] in seen else fate
                seen.add(digests[path])
            on_input(path, fate, why)
            if fate == "unusable":
                total.unusable.append((path, why))
            else:
                (total.combined if fate == "combined" else total.skipped).append(path)
        return total

    def _refuse_mixed(self, merge: Merge, about: Sequence[Part]) -> None:
        """Has two inputs combined that cannot be: that gives the error which names them."""
        known = [part for part in about if part.arcs is not None]
        for part in known:
            if part.arcs != known[0].arcs:
                two = [known[0].origin, part.origin]
                self.client.submit(merge.of_inputs, -1, two, pure=False).result()

    def _names(self, about: Sequence[Part]) -> dict[str, str]:
        """The names of files in the output, by those in the parts. coverage.py decides: with the
        files of this machine, and, as it may make rules of the names it meets, in their order."""
        aliases = self.options.get("aliases")
        mapped: dict[str, str] = {}
        for part in about:
            for name in part.names:
                in_part = re.sub(r"[/\\]", re.escape(os.sep), name)
                if in_part not in mapped:
                    mapped[in_part] = aliases.map(name) if aliases else name
        return mapped

    def _last(self, inputs: int, names: dict[str, str] | None) -> Options:
        """How parts become the output."""
        options: Options = {**self.options, "aliases": cast(PathAliases, Names(names))}
        options.pop("on_input", None)  # it has been told of inputs, and these are parts
        if tell := options.get("on_progress"):
            # Reading the parts is soon done: what is seen is that files are written.
            options["on_progress"] = lambda now: tell(
                dataclasses.replace(now, inputs=inputs, inputs_in_all=inputs)
            )
        return options
