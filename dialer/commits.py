"""Makes the record durable, in order, in a thread of its own: the loop never waits for the database.

Rule 1: a batch is what arrived while the last commit ran. Nobody waits for a tick; a slow disk makes larger batches.
Rule 2: a failed commit is tried again with the same rows. Nothing is dropped and nothing overtakes.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import msgspec
import structlog

from dialer.measures import Measure
from domain.errors import LedgerStalled
from domain.events import Reserved, Stale
from domain.orders import Originate
from domain.protocols import Journal
from domain.records import Row

_RETRY_FIRST_S = 0.05
_RETRY_MOST_S = 1.0

log = structlog.get_logger()


class Numbers(Journal, Protocol):
    """A journal that also knows the digits behind phone ids."""

    def numbers(self, phones: Sequence[int]) -> dict[int, str]: ...


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """A durable batch."""

    rows: list[Row]
    answers: tuple[Reserved | Stale, ...]
    #: E.164 of the phones that the batch's Originates name.
    numbers: dict[int, str]


class Commits:
    """The commit thread.

    Parameters
    ----------
    deliver : callable
        Called on the loop's thread with every durable batch, in order.
    measure : Measure
        Takes the time of each commit.
    """

    def __init__(self, ledger: Numbers, deliver: Callable[[Committed], None], measure: Measure) -> None:
        self._ledger = ledger
        self._deliver = deliver
        self._measure = measure
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="commit")
        self._waiting: list[Row] = []
        self._waiting_since_s = 0.0
        self._in_flight_since_s = 0.0
        self._arrived = asyncio.Event()
        self._durable = asyncio.Condition()
        #: Last durable row.
        self.seq = 0
        #: Rows not yet durable.
        self.pending = 0
        self._refused = False
        #: Why the last commit failed; empty when it did not.
        self.trouble = ""

    def add(self, rows: list[Row]) -> None:
        """Take rows to be made durable."""
        if not self._waiting:
            self._waiting_since_s = time.monotonic()
            self._arrived.set()
        self._waiting += rows
        self.pending += len(rows)

    def lag_us(self) -> int:
        """Return the real age of the oldest row not yet durable, in microseconds.

        Real time also where the floor's clock runs faster: a disk does not speed up with a rehearsal.
        """
        since_s = self._in_flight_since_s or (self._waiting_since_s if self._waiting else 0.0)
        return int((time.monotonic() - since_s) * 1e6) if since_s else 0

    async def until(self, seq: int) -> bool:
        """Wait until a row is durable; False when it never will be, because the ledger refused for good."""
        async with self._durable:
            await self._durable.wait_for(lambda: self.seq >= seq or self._refused)
        return self.seq >= seq

    async def run(self) -> None:
        """Commit until cancelled.

        Any error but `LedgerStalled` is the ledger refusing the rows for good, e.g. because somebody else writes this
        stream; it is the floor's end.
        """
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                rows, self._waiting = self._waiting, []
                self._in_flight_since_s = self._waiting_since_s
                answers, numbers = await self._insist(rows)
                self._in_flight_since_s = 0.0
                self.seq = rows[-1].seq
                self.pending -= len(rows)
                self._deliver(Committed(rows=rows, answers=answers, numbers=numbers))
                await self._notify()
        except Exception:
            self._refused = True
            await self._notify()
            raise
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _notify(self) -> None:
        async with self._durable:
            self._durable.notify_all()

    async def _insist(self, rows: list[Row]) -> tuple[tuple[Reserved | Stale, ...], dict[int, str]]:
        """Commit a batch, again and again while the ledger stalls."""
        retry_s = _RETRY_FIRST_S
        while True:
            started_s = time.monotonic()
            try:
                done = await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, rows)
            except LedgerStalled as error:
                if not self.trouble:
                    log.error("commit_failed", rows=len(rows), error=str(error))
                self.trouble = str(error)
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, _RETRY_MOST_S)
                continue
            self._measure.add(time.monotonic() - started_s)
            if self.trouble:
                log.info("commit_recovered", rows=len(rows))
                self.trouble = ""
            return done

    def _commit(self, rows: list[Row]) -> tuple[tuple[Reserved | Stale, ...], dict[int, str]]:
        # Digits first: a lookup that fails must not come after a commit that would then be tried twice.
        phones = [row.record.phone for row in rows if isinstance(row.record, Originate)]
        numbers = self._ledger.numbers(phones) if phones else {}
        return self._ledger.append(rows), numbers
