"""A ledger that is slow, locked, full: no caller waits for it, nothing new is dialled, nothing is lost."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from dialer.engine import Engine
from dialer.engine.snapshot import freeze
from dialer.live import Floor
from dialer.robots import Habits
from domain.events import Queued, Reserved, Stale
from domain.facts import AlarmRaised, AttemptClosed
from domain.orders import Connect, Originate
from domain.records import Row
from ledger.database import Database
from ledger.migrate import migrate
from ledger.store import SqlLedger, open_ledger
from tests.integration.live.scene import exchange, fill, floor, records, running, settings, staffed, until
from tests.integration.live.telephone import Exchange, Line

HABITS = Habits(wrapup_s=(0.01, 0.05), p_break=0.0)


class Slow(SqlLedger):
    """A ledger whose commits take their time."""

    delay_s = 0.0

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        time.sleep(self.delay_s)
        return super().append(rows)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    database = Database(f"sqlite:///{tmp_path}/ledger.db", patience_s=0.3)
    migrate(database)
    with closing(Slow(database)) as opened:
        yield opened


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    with closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db", patience_s=0.3)) as opened:
        yield opened


def assert_nothing_lost(ledger: SqlLedger, one: Floor, network: Exchange) -> None:
    """The record holds every row, folds to the state that the floor had, and knows every call of the network."""
    assert not [found for found in ledger.verify() if found.broken]
    state = one._engine.state
    engine = Engine(one._engine.gate)
    for row in ledger.read("floor"):
        engine.fold(row)
    assert freeze(engine.state) == freeze(state)
    assert set(network.originated.values()) <= {1}
    assert set(network.originated) <= {order.call_id for order in records(ledger, Originate)}
    closed = [fact.call_id for fact in records(ledger, AttemptClosed)]
    assert len(set(closed)) == len(closed)
    assert set(network.truth) <= set(closed) | set(state.calls)


async def test_with_commits_of_half_a_second_every_caller_meets_an_agent_at_once(slow: Slow, tmp_path: Path) -> None:
    fill(slow, 60)
    async with exchange(tmp_path) as (network, path), staffed(tmp_path, 6, HABITS):
        one = floor(slow, Line(path), tmp_path)
        async with running(one):
            await until(lambda: "connected" in network.truth.values())
            slow.delay_s = 0.5
            await until(lambda: list(network.truth.values()).count("connected") >= 12)
            slow.delay_s = 0.0
    # The exchange gives a caller to its queue after 300 ms: nobody waited for a commit.
    assert not records(slow, Queued)
    assert len(records(slow, Connect)) >= 12
    assert "abandoned" not in network.truth.values()
    assert_nothing_lost(slow, one, network)


async def test_an_originate_whose_commit_comes_late_does_not_leave(slow: Slow, tmp_path: Path) -> None:
    fill(slow, 20)
    async with exchange(tmp_path) as (network, path), staffed(tmp_path, 3, HABITS):
        one = floor(slow, Line(path), tmp_path, settings=settings(commit_patience_s=0.2))
        async with running(one):
            await until(lambda: "connected" in network.truth.values())
            slow.delay_s = 0.3
            await until(lambda: [fact for fact in records(slow, AttemptClosed) if fact.disposition == "not_sent"])
            slow.delay_s = 0.0
    not_sent = {fact.call_id for fact in records(slow, AttemptClosed) if fact.disposition == "not_sent"}
    assert not not_sent & set(network.originated)
    assert_nothing_lost(slow, one, network)


async def test_a_locked_ledger_stops_the_dialling_and_loses_nothing(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 400)
    async with exchange(tmp_path, pace_s=0.3) as (network, path), staffed(tmp_path, 6, HABITS):
        one = floor(ledger, Line(path), tmp_path)
        async with running(one):
            await until(lambda: len(network.truth) > 10)
            with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await stalled(one, network)
                other.execute("ROLLBACK")
            await recovered(one, network)
    assert [fact.kind for fact in records(ledger, AlarmRaised)].count("commit_lag") >= 1
    assert_nothing_lost(ledger, one, network)


async def test_a_full_disk_stops_the_dialling_and_loses_nothing(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 400)
    pages = 1 << 30

    @event.listens_for(ledger._database.engine, "checkout")
    def limit(driver: Any, *_: Any) -> None:
        driver.execute(f"PRAGMA max_page_count = {pages}")

    async with exchange(tmp_path, pace_s=0.3) as (network, path), staffed(tmp_path, 6, HABITS):
        one = floor(ledger, Line(path), tmp_path)
        async with running(one):
            await until(lambda: len(network.truth) > 10)
            pages = 1  # SQLite takes the size of the file instead: not a page more
            await stalled(one, network)
            pages = 1 << 30
            await recovered(one, network)
    assert [fact.kind for fact in records(ledger, AlarmRaised)].count("commit_lag") >= 1
    assert_nothing_lost(ledger, one, network)


async def stalled(one: Floor, network: Exchange) -> None:
    """Watch a floor whose ledger is away: it says so, calls go on, nothing new is dialled."""
    await until(lambda: {"commit_lag", "ledger_commit"} <= {kind for kind, _, _ in one.board().alarms})
    dialled, held = set(network.originated), set(network.live)
    await until(lambda: held <= set(network.truth))
    assert set(network.originated) == dialled


async def recovered(one: Floor, network: Exchange) -> None:
    """Watch it come back by itself."""
    dialled = network.originated.total()
    await until(lambda: network.originated.total() > dialled + 5)
    await until(lambda: not {"commit_lag", "ledger_commit"} & {kind for kind, _, _ in one.board().alarms})


async def test_a_lookup_that_stalls_stops_nothing(slow: Slow, tmp_path: Path) -> None:
    """News and screens may wait; calls do not."""
    fill(slow, 40)
    go_on = threading.Event()

    def changes(after: int, *_: Any) -> tuple[int, list[int]]:
        go_on.wait()
        return after, []

    slow.changes = changes  # type: ignore[assignment, method-assign]
    async with (
        exchange(tmp_path) as (network, path),
        staffed(tmp_path, 4, HABITS),
        running(floor(slow, Line(path), tmp_path)),
    ):
        await until(lambda: list(network.truth.values()).count("connected") >= 10)
        go_on.set()
