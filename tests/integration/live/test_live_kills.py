"""kill -9 at random moments, restart, and the record against the truth of the network; and the end by a signal.

`CADENCIA_KILLS` sets how many kills; the moments follow from `CADENCIA_KILL_SEED`.
"""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from compliance.gate import Gate
from dialer.engine import Engine
from domain.calls import Disposition
from domain.events import FloorOpened
from domain.facts import AttemptClosed, CallClassed
from domain.orders import Originate, Reserve
from ledger.store import open_ledger
from tests.integration.live.child import HABITS
from tests.integration.live.scene import RULES, exchange, fill, records, staffed, until
from tests.integration.live.telephone import Exchange

ROOT = Path(__file__).parents[3]
KILLS = int(os.environ.get("CADENCIA_KILLS", "5"))
SEED = int(os.environ.get("CADENCIA_KILL_SEED", "1"))


@asynccontextmanager
async def child(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with (folder / "child.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.live.child", str(folder), cwd=ROOT, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.timeout(60 + 10 * KILLS)
async def test_kills_lose_no_attempt_and_double_none(tmp_path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    fill(ledger, 60 * (KILLS + 2))
    moments = random.Random(SEED)
    async with exchange(tmp_path, pace_s=0.1) as (network, _), staffed(tmp_path, 8, HABITS) as robots:
        for _ in range(KILLS):
            async with child(tmp_path) as process:
                dialled = network.originated.total()
                await until(lambda: network.originated.total() > dialled or process.returncode is not None, 30)  # noqa: B023
                await asyncio.sleep(moments.uniform(0.0, 1.0))
                process.kill()
                assert await process.wait() == -signal.SIGKILL, (tmp_path / "child.log").read_text()
            if moments.random() < 0.3:
                # The network goes on without a floor.
                await asyncio.sleep(moments.uniform(0.0, 1.0))
        async with child(tmp_path) as process:
            dialled = network.originated.total()
            await until(lambda: network.originated.total() > dialled + 10, 30)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 60) == 0, (tmp_path / "child.log").read_text()
        assert not network.live
    assert len(records(ledger, FloorOpened)) == KILLS + 1
    assert sum(robots.recorded.values()) > 0
    compare(ledger, network)
    ledger.close()


def compare(ledger: object, network: Exchange) -> None:
    """Hold the record against the network: each attempt once, closed once, in the class that it really had."""
    from ledger.store import SqlLedger

    assert isinstance(ledger, SqlLedger)
    assert not [found for found in ledger.verify() if found.broken]
    engine = Engine(Gate.load(RULES))
    for row in ledger.read("floor"):
        engine.fold(row)
    assert not engine.state.calls
    ordered = [order.call_id for order in records(ledger, Originate)]
    assert len(set(ordered)) == len(ordered)
    assert set(network.originated.values()) <= {1}
    assert set(network.originated) <= set(ordered)
    closed = {fact.call_id: fact for fact in records(ledger, AttemptClosed)}
    assert len(records(ledger, AttemptClosed)) == len(closed)
    assert {order.call_id for order in records(ledger, Reserve)} == set(closed)
    classes = {fact.call_id: fact.answer_class for fact in records(ledger, CallClassed)}
    for call_id, truth in network.truth.items():
        found = closed[call_id]
        assert found.event is not None, f"{call_id} was dialled and counts against no cap"
        if truth in ("connected", "abandoned"):
            assert classes[call_id] == truth, call_id
        else:
            assert found.disposition in (truth, Disposition.unknown), call_id
    for call_id in set(closed) - set(network.originated):
        assert closed[call_id].disposition in (Disposition.not_sent, Disposition.stale, Disposition.unknown), call_id
    # The rules allow one conversation with a person in this time; whoever was connected is not called again.
    talked = Counter(fact.person for fact in closed.values() if classes.get(fact.call_id) == "connected")
    assert set(talked.values()) == {1}
