"""Start-up is recovery: the last snapshot, then every row after it. And the snapshots that keep that quick."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import structlog

from dialer.commits import Commits
from dialer.engine import Engine, Gate
from dialer.engine.snapshot import pack
from dialer.lookups import Lookups
from dialer.measures import Measure
from domain.calls import Phase
from domain.errors import Broken
from domain.records import Row

#: Rows after which a snapshot is due, taken while nobody is about to wait for us; at the second figure in any case.
DUE_ROWS = 50_000
OVERDUE_ROWS = 200_000
#: How often a quiet moment is looked for.
_LOOK_EVERY_S = 0.2
#: Somebody may be about to wait for an answer from us.
_PRESSING = frozenset({Phase.ringing, Phase.detecting, Phase.waiting, Phase.connecting})

log = structlog.get_logger()


class Snapshot(Protocol):
    """A stored state."""

    @property
    def state(self) -> bytes: ...


class Records(Protocol):
    """The record as recovery reads and shortens it."""

    def read(self, stream: str, after_seq: int = 0) -> Iterator[Row]: ...
    def save_snapshot(self, stream: str, seq: int, at_us: int, state: bytes) -> None: ...
    def last_snapshot(self, stream: str) -> Snapshot | None: ...


def recover(records: Records, stream: str, gate: Gate) -> Engine:
    """Return the engine as the record left it; nothing is decided again.

    Raises
    ------
    Broken
        When the record cannot be folded.
    """
    started_s = time.monotonic()
    gc.disable()
    try:
        engine = Engine(gate)
        found = records.last_snapshot(stream)
        if found is not None:
            try:
                engine = Engine.restore(found.state, gate)
            except Broken as error:
                log.warning("snapshot_unreadable", why=str(error))
        from_seq = engine.seq
        for row in records.read(stream, from_seq):
            engine.fold(row)
    finally:
        gc.enable()
        settle()
    took_s = round(time.monotonic() - started_s, 3)
    log.info("recovered", stream=stream, snapshot=from_seq, rows=engine.seq - from_seq, took_s=took_s)
    return engine


def settle() -> None:
    """Take what is in memory now out of the garbage collector's rounds: it stays as long as the floor runs.

    A round over the people and leads of a list of 100,000 takes most of a second, in which no caller gets an agent.
    """
    gc.freeze()


class Snapshots:
    """Takes a snapshot now and then, at a moment when its stall does least harm.

    Parameters
    ----------
    save : callable
        Stores a snapshot: stream, seq, instant, state.
    measure : Measure
        Takes the loop's stall for each.
    """

    def __init__(
        self,
        engine: Engine,
        commits: Commits,
        save: Callable[[str, int, int, bytes], None],
        lookups: Lookups,
        measure: Measure,
    ) -> None:
        self._engine = engine
        self._commits = commits
        self._save = save
        self._lookups = lookups
        self._measure = measure
        self._last_seq = engine.seq

    async def keep(self) -> None:
        """Take them for ever."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._due():
                await self.take()

    def _due(self) -> bool:
        n_rows = self._engine.seq - self._last_seq
        return n_rows >= OVERDUE_ROWS or (
            n_rows >= DUE_ROWS and not any(call.phase in _PRESSING for call in self._engine.state.calls.values())
        )

    async def take(self) -> None:
        """Take one now; it is stored once the rows that made it are durable, so that it never runs ahead of them."""
        started_s = time.perf_counter()
        image, now = self._engine.image(), self._engine.state
        stream, seq, at_us = now.settings.stream, now.seq, now.at_us
        self._measure.add(time.perf_counter() - started_s)
        self._last_seq = seq
        if await self._commits.until(seq):
            await self._lookups.insist("snapshot", lambda: self._save(stream, seq, at_us, pack(image)))
