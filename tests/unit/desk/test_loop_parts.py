"""Clocks, commits, measures and the lease, each by itself."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from dialer.clocks import Clock, RehearsedClock, WallClock
from dialer.commits import Commits, Committed
from dialer.lease import Lease
from dialer.measures import Measure
from domain.errors import BadInput, Broken, LedgerStalled
from domain.events import Reserved, Tick
from domain.instants import HOUR, SECOND
from domain.orders import Originate
from domain.records import Row
from ledger.memory import MemoryLedger


@pytest.mark.parametrize("clock", [WallClock(), RehearsedClock(5 * HOUR, speed=1000.0)])
def test_a_clock_never_goes_back_and_goes_on_from_a_later_record(clock: Clock) -> None:
    read = [clock.now_us() for _ in range(1000)]
    assert read == sorted(read)
    later = read[-1] + HOUR
    clock.not_before(later)
    assert clock.now_us() >= later
    clock.not_before(0)
    assert clock.now_us() >= later


def test_a_rehearsed_clock_starts_where_it_is_told_and_runs_at_its_speed() -> None:
    clock = RehearsedClock(5 * HOUR, speed=60.0)
    assert 5 * HOUR <= clock.now_us() < 6 * HOUR
    assert clock.real_s(30 * SECOND) == 0.5
    assert WallClock().real_s(30 * SECOND) == 30.0
    assert clock.rehearsed
    assert not WallClock().rehearsed


def test_a_measure_keeps_the_spread() -> None:
    measure = Measure()
    assert measure.spread().n == 0
    for ms in range(1, 101):
        measure.add(ms / 1000)
    spread = measure.spread()
    assert (spread.n, spread.p50_ms, spread.p99_ms, spread.max_ms) == (100, 50.0, 99.0, 100.0)


# ---- commits


class Gated:
    """A ledger whose commits wait to be let through, and may fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Semaphore(0)
        self.failures: list[Exception] = []

    def append(self, rows: Sequence[Row]) -> tuple[Reserved, ...]:
        self.gate.acquire()
        if self.failures:
            raise self.failures.pop(0)
        self.batches.append([row.seq for row in rows])
        return ()

    def numbers(self, phones: Sequence[int]) -> dict[int, str]:
        return {phone: f"+{phone}" for phone in phones}


def rows(first: int, last: int) -> list[Row]:
    return [Row(stream="f", seq=seq, at_us=1, campaign=None, record=Tick(at_us=1)) for seq in range(first, last + 1)]


def test_a_batch_is_what_arrived_while_the_last_commit_ran() -> None:
    ledger, delivered = Gated(), []

    async def scene() -> None:
        commits = Commits(ledger, delivered.append, Measure())  # type: ignore[arg-type]
        task = asyncio.create_task(commits.run())
        assert commits.lag_us() == 0
        commits.add(rows(1, 2))
        while commits._waiting:
            await asyncio.sleep(0)
        commits.add(rows(3, 3))
        commits.add(rows(4, 6))
        assert commits.pending == 6
        assert commits.lag_us() > 0
        ledger.gate.release(2)
        assert await commits.until(6)
        assert (commits.pending, commits.seq, commits.lag_us()) == (0, 6, 0)
        task.cancel()

    asyncio.run(scene())
    assert ledger.batches == [[1, 2], [3, 4, 5, 6]]
    assert [[row.seq for row in batch.rows] for batch in delivered] == ledger.batches


def test_a_stalled_commit_is_tried_again_with_the_same_rows_and_nothing_overtakes() -> None:
    ledger, delivered = Gated(), []
    ledger.failures = [LedgerStalled("locked"), LedgerStalled("locked")]

    async def scene() -> None:
        commits = Commits(ledger, delivered.append, Measure())  # type: ignore[arg-type]
        task = asyncio.create_task(commits.run())
        commits.add(rows(1, 2))
        ledger.gate.release(1)
        while not commits.trouble:
            await asyncio.sleep(0.001)
        assert commits.trouble == "locked"
        commits.add(rows(3, 3))
        ledger.gate.release(3)
        assert await commits.until(3)
        assert not commits.trouble
        task.cancel()

    asyncio.run(scene())
    assert ledger.batches == [[1, 2], [3]]


def test_rows_refused_for_good_are_nobodys_wait() -> None:
    ledger = Gated()
    ledger.failures = [Broken("another process writes this stream")]

    async def scene() -> None:
        commits = Commits(ledger, lambda batch: None, Measure())  # type: ignore[arg-type]
        task = asyncio.create_task(commits.run())
        commits.add(rows(1, 2))
        ledger.gate.release(1)
        assert not await commits.until(2)
        with pytest.raises(Broken):
            await task

    asyncio.run(scene())


def test_a_durable_batch_brings_the_digits_that_its_originates_need() -> None:
    ledger, delivered = Gated(), []
    order = Originate(
        call_id="f-1", campaign="es", phone=31, node="main", trunk="trunk", caller_id="", ring_timeout_ms=1,
        valid_until_us=1, detect=False, record=False, grace_ms=300, limit_ms=1700, abandon="hangup", language="es",
    )  # fmt: skip

    async def scene() -> list[Committed]:
        commits = Commits(ledger, delivered.append, Measure())  # type: ignore[arg-type]
        task = asyncio.create_task(commits.run())
        commits.add([Row(stream="f", seq=1, at_us=1, campaign="es", record=order), *rows(2, 2)])
        ledger.gate.release(1)
        await commits.until(2)
        task.cancel()
        return delivered

    assert [batch.numbers for batch in asyncio.run(scene())] == [{31: "+31"}]


# ---- the lease


def test_the_lease_of_a_dead_process_is_taken_over_at_once(tmp_path: Path) -> None:
    ledger, path = MemoryLedger(), tmp_path / "cadencia.lock"
    dead = Lease(ledger, "floor", path)
    dead.take()
    dead._unlock()  # as the system does when the process is gone; the lease in the ledger stands
    with pytest.raises(BadInput, match="is run by"):
        Lease(ledger, "floor", None).take()
    heir = Lease(ledger, "floor", path)
    heir.take()
    with pytest.raises(BadInput, match="is run from this folder by"):
        Lease(ledger, "floor", path).take()
    heir.release()
    Lease(ledger, "floor", None).take()


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "cadencia.lock"
    code = (
        "import os; from pathlib import Path; from dialer.lease import Lease; from ledger.memory import MemoryLedger;"
        f"Lease(MemoryLedger(), 'floor', Path({str(path)!r})).take(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3])
    assert "process" in path.read_text()
    Lease(MemoryLedger(), "floor", path).take()
