"""Processes that learn: each with its own copy of nothing (rows are mapped from files), one thread and passive OpenMP.

A process that waits at a barrier by spinning takes the processor from its neighbours: on a shared machine two threads
that spin took seven times as long as one. Results come in the order of the jobs, whatever the number of processes.
"""

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models.cluster import learning_code, opened
from models.schema import Recipe
from models.table import Encoding, Table

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
T = TypeVar("T")
#: Rows of the crew's table: a stretch, or a choice.
Rows = slice | I8


class Job(NamedTuple):
    """Learn by a recipe from some rows, and score others."""

    recipe: Recipe
    learn: Rows
    #: Nothing to score: what was learned is given back.
    score: Rows | None = None
    #: What was learned is given back besides the scores.
    keep: bool = False


#: Scores, and the text of the learner, of a job that has the one, the other, or both.
Answer = tuple[F8 | None, str | None]


class Crew:
    """Workers over one table.

    Parameters
    ----------
    workers
        Processes; 0: in this one, for tests and for callers that are processes of their own.
    cluster
        Address of a Dask scheduler whose workers learn instead: a fit each, from a copy of the table.
    """

    def __init__(self, table: Table, workers: int = 1, cluster: str = "") -> None:
        self.table = table
        self.workers = workers
        self._cluster = cluster
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._pool: Executor | None = None
        self._submit: Callable[[Job], Future[Answer]]
        #: What ends with the crew.
        self._open = ExitStack()
        self._before: set[Any] = set()

    def __enter__(self) -> "Crew":
        if self._cluster:
            client = self._open.enter_context(opened(self._cluster, learning_code))
            self.workers = max(1, sum(client.nthreads().values()))
            held = client.scatter([self.table.x, self.table.y, self.table.weight], broadcast=True)
            pool = self._pool = self._open.enter_context(client.get_executor(pure=False))
            self._submit = lambda job: pool.submit(_carry_out, job, *held, self.table.encoding)
        elif self.workers:
            self._folder = tempfile.TemporaryDirectory(prefix="cadencia-models-")
            home = Path(self._folder.name)
            for name, array in (("x", self.table.x), ("y", self.table.y), ("w", self.table.weight)):
                np.save(home / f"{name}.npy", array)
            self._before = set(multiprocessing.active_children())
            context = multiprocessing.get_context("spawn")
            processes = self._pool = ProcessPoolExecutor(
                self.workers, context, initializer=_begin, initargs=(str(home), self.table.encoding)
            )
            self._submit = lambda job: processes.submit(_in_process, job)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None and not self._cluster:
            if kind is not None:
                # Somebody asked for the end: a fit under way may take minutes and nobody waits for it any more.
                for child in set(multiprocessing.active_children()) - self._before:
                    child.terminate()
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._open.close()
        if self._folder is not None:
            self._folder.cleanup()

    def carry_out(self, jobs: Sequence[Job], done: Callable[[int], None] = lambda _: None) -> list[Answer]:
        """Return the answers in the order of the jobs.

        Parameters
        ----------
        done
            Called with how many are ready.

        Raises
        ------
        BadInput
            When a process died, most likely for want of memory; or what a recipe is refused for.
        """
        answers: list[Answer] = [(None, None)] * len(jobs)
        for count, (place, answer) in enumerate(self._any_order(jobs), 1):
            answers[place] = answer
            done(count)
        return answers

    def _any_order(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Answer]]:
        if self._pool is None:
            for place, job in enumerate(jobs):
                yield place, _carry_out(job, self.table.x, self.table.y, self.table.weight, self.table.encoding)
            return
        waiting = iter(enumerate(jobs))
        under_way: dict[Future[Answer], int] = {}
        try:
            while True:
                # A few ahead keep the processes busy; all at once would hold every choice of rows in the queue.
                while len(under_way) <= self.workers and (one := next(waiting, None)) is not None:
                    under_way[self._submit(one[1])] = one[0]
                if not under_way:
                    return
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    yield under_way.pop(future), future.result()
        except BrokenProcessPool:
            raise BadInput(_DIED) from None


def apart(work: Callable[..., T], *given: Any) -> T:
    """Return what a function of a module returns, called in a process of its own with passive OpenMP.

    Raises
    ------
    BadInput
        When the process died, most likely for want of memory; or what the function raised.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_ready) as pool:
        try:
            return pool.submit(work, *given).result()
        except BrokenProcessPool:
            raise BadInput(_DIED) from None


_DIED = (
    "models: a process that learned died, most likely for want of memory; use fewer --workers, or "
    "recipe.window_rows to learn from the latest rows alone"
)


def _carry_out(job: Job, x: F8, y: F8, w: F8, encoding: Encoding) -> Answer:
    from models.learner import fit

    fitted = fit(x[job.learn], y[job.learn], w[job.learn], encoding, job.recipe)
    if job.score is None:
        return None, fitted.dumps()
    return fitted.predict(x[job.score]), fitted.dumps() if job.keep else None


# ---- in a process of the crew

_held: dict[str, Any] = {}


def _ready() -> None:
    """Make a process ready: passive threads, deaf to Ctrl-C (the parent hears it), gone with it."""
    # Read when the OpenMP library is loaded, which is with the first fit.
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _begin(folder: str, encoding: Encoding) -> None:
    """Make a process of the crew ready: its rows are mapped."""
    _ready()
    for name in ("x", "y", "w"):
        _held[name] = np.load(Path(folder) / f"{name}.npy", mmap_mode="r")
    _held["encoding"] = encoding


def _in_process(job: Job) -> Answer:
    return _carry_out(job, _held["x"], _held["y"], _held["w"], _held["encoding"])


def _end_with(sentinel: int) -> None:
    from multiprocessing.connection import wait as wait_for

    with suppress(OSError):
        wait_for([sentinel])
    os._exit(1)
