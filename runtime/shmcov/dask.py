# SPDX-License-Identifier: Apache-2.0
"""Dask: a cluster's workers, measured (`measure`), or at work on many data files (`combine`).
docs/how-to/dask.md, docs/hosts.md, docs/combine.md.

Needs the extra `shmcov[dask]`. What runs on workers and nannies imports `hosts` and nothing of
coverage.py.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from distributed import Client, LocalCluster, NannyPlugin, WorkerPlugin

from shmcov.cluster import hosts

if TYPE_CHECKING:
    from distributed import Nanny, Scheduler, Worker

    from shmcov.shards.combining import Combined, Options

__all__ = ["MeasureNannies", "MeasureWorkers", "combine", "measure"]


TRACED_WITHIN = 2.0
"""So many seconds to wait for threads that are busy."""

NAMED = 5
"""So many modules are named."""

STARTS_WITHIN = 30.0
"""So many seconds may a worker take to start."""


CONNECTS_WITHIN = 30
"""So many seconds may it take to reach a scheduler."""


class MeasureWorkers(WorkerPlugin):  # type: ignore[misc]
    """Measures the process of each worker, those that come later too."""

    name = "shmcov"

    def __init__(self, run: hosts.Run) -> None:
        self.run = run
        self.began = False
        self.imported: list[str] = []

    async def setup(self, worker: Worker) -> None:
        # In a thread, as the first process of a host has a segment to make.
        await asyncio.to_thread(hosts.segment, self.run)
        if hosts.attach(self.run):
            self.began = True
            self.imported = hosts.imported_before()
            await asyncio.to_thread(_reach_threads, worker, sys.gettrace())
        else:
            self.began = os.environ.get(hosts.RUN) == self.run.id
        # A nanny outlives its workers, and is not measured.
        worker.log_event(self.run.id, _event(self.run, worker.nanny or worker.address))

    def teardown(self, worker: Worker) -> None:
        if self.began:
            hosts.detach(self.run)


def _reach_threads(worker: Worker, tracer: Any) -> None:
    """3.11: has the threads that wait for tasks traced as well. New threads are anyway."""
    if type(tracer).__module__ != "_shmcov":
        return
    for executor in worker.executors.values():
        threads = list(getattr(executor, "_threads", ()))
        # So that each thread comes here once; one that is busy comes later.
        barrier = threading.Barrier(len(threads) or 1)
        done = [executor.submit(_trace_here, tracer, barrier) for _ in threads]
        concurrent.futures.wait(done, TRACED_WITHIN)


def _trace_here(tracer: Any, barrier: threading.Barrier) -> None:
    sys.settrace(tracer)
    with contextlib.suppress(threading.BrokenBarrierError):
        barrier.wait(TRACED_WITHIN)


class MeasureNannies(NannyPlugin):  # type: ignore[misc]
    """Has each worker that a nanny starts attach while its interpreter starts."""

    name = "shmcov"

    def __init__(self, run: hosts.Run) -> None:
        self.run = run

    async def setup(self, nanny: Nanny) -> None:
        name = await asyncio.to_thread(hosts.segment, self.run)
        if os.environ.get(hosts.VARIABLE) != name:
            nanny.pre_spawn_env[hosts.VARIABLE] = name
            nanny.pre_spawn_env[hosts.RUN] = self.run.id

    async def teardown(self, nanny: Nanny) -> None:
        for variable in (hosts.VARIABLE, hosts.RUN):
            text = nanny.pre_spawn_env.pop(variable, None)
            # Nannies put them into their own environment.
            if text is not None and os.environ.get(variable) == text:
                del os.environ[variable]
        if nanny.status.name in ("closing", "closing_gracefully"):
            # Nobody may come to this host again: its rows go home now.
            event = _event(self.run, nanny.address)
            rows = await asyncio.to_thread(hosts.collect, self.run)
            event["rows"] = rows and dataclasses.astuple(rows)
            await nanny.scheduler.log_event(topic=self.run.id, msg=event)
        else:
            await _worker_is_there(nanny)


def _event(run: hosts.Run, contact: str) -> dict[str, Any]:
    """What tells the client of a host; "rows" is in it if the contact is about to go."""
    return {
        "host": hosts.machine(),
        "contact": contact,
        "home": hosts.is_home(run),
    }


async def _worker_is_there(nanny: Nanny) -> None:
    """Waits for a worker that is starting, and so is measured: it has to hear of the end."""
    process = nanny.process
    if process is not None and process.status.name == "starting":
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.running.wait(), STARTS_WITHIN)


@contextlib.contextmanager
def measure(
    client: Client,
    *,
    restart: bool = False,
    config_file: str | bool = True,
    append: bool = False,
) -> Iterator[None]:
    """Measures what the workers of a cluster run while the block is executed.

    Each host of the cluster records in one segment of its own; at the end the rows come home
    through Dask. If the calling process is measured (`shmcov run`, or coverage.py), they end in its
    data file. If not, the data file that the configuration `config_file` names is written at the
    end of the block, or is added to with `append`.

    Workers are measured from the beginning of the block on, those that come later from their start.
    What a running worker has imported before is not imported again, so the lines that run at import
    are missing, and a warning names such modules. `restart` restarts the workers first, and with
    that loses the futures of the cluster.

    Raises `hosts.HostError` if a worker cannot be measured, and coverage.py's exceptions.
    """
    if client.asynchronous:
        raise TypeError("shmcov.dask.measure() needs a client that is not asynchronous")
    from shmcov import messages
    from shmcov.cluster import home

    with home.here("shmcov.dask.measure()", config_file, append=append) as the_home:
        cluster = _Cluster(client, the_home.run)
        cluster.refuse_second()
        try:
            cluster.begin(restart=restart)
            if text := cluster.imported_before():
                messages.warn(the_home.cov, [(text, "already-imported")])
            yield
        finally:
            cluster.stop()
            the_home.take(cluster.rows())
            cluster.discard()
            the_home.warnings += [(text, "not-recorded") for text in cluster.lost()]


class _Cluster:
    """A run on a cluster, as the client sees it."""

    def __init__(self, client: Client, run: hosts.Run) -> None:
        self.client = client
        self.run = run
        self._contacts: dict[str, set[str]] = {}
        """Hosts with rows of their own, and whom to ask there."""
        self._rows: dict[str, hosts.Rows] = {}

    def refuse_second(self) -> None:
        """A process records into one segment, so a cluster is measured once at a time."""
        if self.client.run_on_scheduler(_is_measured):
            raise hosts.HostError(
                "This cluster is being measured already. If whoever did that is gone, end it with "
                "client.unregister_worker_plugin('shmcov') and "
                "client.unregister_worker_plugin('shmcov', nanny=True)"
            )

    def begin(self, *, restart: bool) -> None:
        self.client.register_plugin(MeasureNannies(self.run))
        if restart:
            self.client.restart()
        self.client.register_plugin(MeasureWorkers(self.run))

    def imported_before(self) -> str:
        """What lacks the lines that run at import, in words."""
        found = self.client.run(_imported_before)
        modules = sorted({name for names in found.values() for name in names})
        more = f" and {len(modules) - NAMED} more" if len(modules) > NAMED else ""
        if not modules:
            return ""
        return (
            f"Workers had imported {', '.join(modules[:NAMED])}{more} before they were measured, "
            "so lines that run at import are missing: measure(client, restart=True) restarts "
            "workers first"
        )

    def stop(self) -> None:
        """Measures no more."""
        # Nannies first: a worker that is restarted then is not measured.
        with contextlib.suppress(ValueError):
            self.client.unregister_worker_plugin("shmcov", nanny=True)
        self._read_events()
        # Dask tells only nannies that have a worker.
        nannies = sorted(set().union(*self._contacts.values()))
        self.client.run(_remove_from_nanny, workers=nannies, on_error="return")
        with contextlib.suppress(ValueError):
            self.client.unregister_worker_plugin("shmcov")
        self._read_events()

    def _read_events(self) -> None:
        gone: set[str] = set()
        home = self._contacts.setdefault("", set())
        for _, event in self.client.get_events(self.run.id):
            host, contact = event["host"], event["contact"]
            if "rows" in event:
                gone.add(contact)
                if event["rows"]:
                    self._rows[host] = hosts.Rows(*event["rows"])
            (home if event["home"] else self._contacts.setdefault(host, set())).add(contact)
        for contacts in self._contacts.values():
            contacts -= gone

    def rows(self) -> list[hosts.Rows]:
        """The rows of all hosts but this one."""
        for host in self._contacts.keys() - {""}:
            one = self._ask(host, hosts.collect)
            if one is not None:
                self._rows[host] = one
        return list(self._rows.values())

    def discard(self) -> None:
        for host in self._rows:
            self._ask(host, hosts.discard)

    def lost(self) -> list[str]:
        return [
            f"The host {host.split()[0]} is gone, and what its workers ran is lost"
            for host in sorted(self._contacts.keys() - self._rows.keys() - {""})
        ]

    def _ask(self, host: str, function: Callable[[hosts.Run], Any]) -> Any:
        """What a function returns on a host. None: nobody is there any more."""
        alive = self.client.run_on_scheduler(_contacts)
        for contact in sorted(self._contacts[host], key=lambda one: one not in alive):
            # A nanny answers as a worker does, also while it has none.
            answer = self.client.run(
                _in_thread, function, self.run, workers=[contact], on_error="return"
            )[contact]
            if isinstance(answer, hosts.HostError):
                raise answer
            if not isinstance(answer, Exception):
                return answer
        return None


async def _remove_from_nanny(dask_worker: Nanny | Worker) -> None:
    if hasattr(dask_worker, "pre_spawn_env") and "shmcov" in dask_worker.plugins:
        await dask_worker.plugin_remove("shmcov")


def _imported_before(dask_worker: Worker) -> list[str]:
    plugin = dask_worker.plugins.get("shmcov")
    return plugin.imported if isinstance(plugin, MeasureWorkers) else []


async def _in_thread(function: Callable[[hosts.Run], Any], run: hosts.Run) -> Any:
    return await asyncio.to_thread(function, run)


def _is_measured(dask_scheduler: Scheduler) -> bool:
    return "shmcov" in dask_scheduler.worker_plugins


def _contacts(dask_scheduler: Scheduler) -> set[str]:
    return {one.nanny or address for address, one in dask_scheduler.workers.items()}


# -- combine --


def combine(
    inputs: Sequence[str],
    output: str,
    *,
    scheduler: str | Client | None = None,
    shared: str | None = None,
    **options: Unpack[Options],
) -> Combined:
    """Combines data files into one, as `shmcov combine` does, with the workers of a cluster.

    `scheduler` is the address of its scheduler, or a client. Without it, Dask starts a cluster of
    processes on this machine. `inputs` are read by the workers: paths that they see, or URLs. The
    last merge is done here, where `output` is, and where `aliases` look for files. `options` are
    those of `shmcov.shards.combining.combine_files`: `append=True` keeps what `output` has, and
    `aliases`, a `PathAliases` of coverage.py's, maps the names of files.

    What is made in between goes through Dask, or, if all workers and this process can write to the
    folder `shared`, through that. A cluster that is started here has such a folder by itself.

    If a worker dies, Dask has another one do its work again. Raises coverage.py's exceptions; then
    `output` is as it was. Inputs are never removed.
    """
    from shmcov.cluster.tree import Tree
    from shmcov.shards.urls import is_url

    with contextlib.ExitStack() as stack:
        if scheduler is None:
            place = os.path.dirname(os.path.abspath(output))  # noqa: PTH100, PTH120
            shared = stack.enter_context(
                tempfile.TemporaryDirectory(prefix=".shmcov-parts-", dir=shared or place)
            )
            cluster = LocalCluster(
                threads_per_worker=1,
                n_workers=os.cpu_count(),
                memory_limit=0,
                dashboard_address="127.0.0.1:0",  # None is a port that may be taken
                silence_logs=logging.CRITICAL,
            )
            client = stack.enter_context(Client(stack.enter_context(cluster)))
        elif isinstance(scheduler, Client):
            client = scheduler
        else:
            client = stack.enter_context(Client(scheduler, timeout=CONNECTS_WITHIN))
        inputs = [path if is_url(path) else os.path.abspath(path) for path in inputs]  # noqa: PTH100
        return Tree(client, output, shared, options).combine(inputs)
