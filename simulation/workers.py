"""Where cells are computed: in this process, in a pool of processes, or on a Dask cluster. All give the same bytes."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import NamedTuple
from zoneinfo import reset_tzpath

import msgspec

from domain.errors import BadInput
from models.cluster import code_of, opened
from simulation.month import Arm, Plan, replicate
from simulation.store import ROOMS, Store, encode

Place = tuple[int, int, int]


#: Place, bytes, processor seconds (None: it had been kept).
Done = tuple[Place, bytes, float | None]


class Cell(NamedTuple):
    """One arm with one seed."""

    #: Replication, setting, arm.
    at: Place
    key: str
    arm: Arm
    plan: Plan
    seed: int


class Workers(msgspec.Struct, frozen=True, kw_only=True):
    """Who computes."""

    #: 0: one for each processor that this process may use.
    processes: int = 0
    #: Address of a Dask scheduler; empty: processes of this machine.
    cluster: str = ""

    def carry_out(self, cells: Iterator[Cell], store: Store) -> Generator[Done, None, None]:
        """Yield cells as they are done.

        Closing the iterator ends what is under way; what was done is in the store.
        """
        ahead = _Ahead(cells, store)
        if self.cluster:
            yield from self._on_cluster(ahead, store)
        elif (count := self.processes or _processors()) == 1:
            yield from _inline(ahead, store)
        else:
            yield from _in_pool(ahead, store, count)

    def _on_cluster(self, ahead: "_Ahead", store: Store) -> Generator[Done, None, None]:
        with opened(self.cluster, _code) as client:
            most = 2 * max(1, sum(client.nthreads().values()))
            yield from _through(client.get_executor(pure=False), ahead, store, most)


class _Ahead:
    """The cells in order, those kept told apart."""

    def __init__(self, cells: Iterator[Cell], store: Store) -> None:
        self._cells = cells
        self._store = store
        #: Found while looking for something to do.
        self.kept: list[tuple[Place, bytes, None]] = []

    def next(self) -> Cell | None:
        """Return the next cell that is to be computed."""
        for cell in self._cells:
            content = self._store.get(cell.key)
            if content is None:
                return cell
            self.kept.append((cell.at, content, None))
        return None

    def take_kept(self) -> list[tuple[Place, bytes, None]]:
        found, self.kept = self.kept, []
        return found


def _inline(ahead: _Ahead, store: Store) -> Generator[Done, None, None]:
    while True:
        cell = ahead.next()
        yield from ahead.take_kept()
        if cell is None:
            return
        content, spent_s = compute(cell.arm, cell.plan, cell.seed)
        store.put(cell.key, content)
        yield cell.at, content, spent_s


def _in_pool(ahead: _Ahead, store: Store, count: int) -> Generator[Done, None, None]:
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        yield from _through(pool, ahead, store, count + 1)
    except BrokenProcessPool:
        raise BadInput(
            "simulate: a worker process died, most likely for want of memory; what is finished is kept: "
            "run the same command again with fewer --processes"
        ) from None
    finally:
        # A month under way takes a minute and nobody waits for it any more.
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def _through(pool: Executor, ahead: _Ahead, store: Store, most: int) -> Generator[Done, None, None]:
    """Keep so many cells under way, no more: the answer may be clear before the rest is needed."""
    under_way: dict[Future[tuple[bytes, float]], Cell] = {}

    def begin() -> None:
        cell = ahead.next()
        if cell is not None:
            under_way[pool.submit(compute, cell.arm, cell.plan, cell.seed)] = cell

    for _ in range(most):
        begin()
    yield from ahead.take_kept()
    try:
        while under_way:
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                cell = under_way.pop(future)
                content, spent_s = future.result()
                store.put(cell.key, content)
                begin()
                yield from ahead.take_kept()
                yield cell.at, content, spent_s
    finally:
        for future in under_way:
            future.cancel()


def compute(arm: Arm, plan: Plan, seed: int) -> tuple[bytes, float]:
    """Return a cell's bytes and the processor seconds that they took."""
    began_s = time.process_time()
    content = encode(replicate(arm, plan, seed))
    return content, time.process_time() - began_s


def _code() -> str:
    """Return what names the code that computes a cell here."""
    return code_of(ROOMS)


def _begin() -> None:
    """Make a process of the pool ready: deaf to Ctrl-C (the parent hears it), and gone when its parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Machines differ in their time zone data; contact hours may not.
    reset_tzpath(to=[])
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    from multiprocessing.connection import wait as wait_for

    with suppress(OSError):
        wait_for([sentinel])
    os._exit(1)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
