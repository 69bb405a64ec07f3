"""kill -9 at random moments, restart, and the record against the truth of the network; and the end by a signal.

`CADENCIA_KILLS` sets how many kills; the moments follow from `CADENCIA_KILL_SEED`.
"""

import asyncio
import multiprocessing.context
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from compliance.gate import Gate
from dialer.engine import Engine
from domain.calls import Disposition
from domain.events import FloorOpened, Queued
from domain.facts import AttemptClosed, CallClassed
from domain.orders import Originate, Reserve
from ledger.store import SqlLedger, open_ledger
from tests.integration.live.child import HABITS, main
from tests.integration.live.scene import RULES, exchange, fill, records, staffed, until
from tests.integration.live.telephone import Exchange

KILLS = int(os.environ.get("CADENCIA_KILLS", "10"))
SEED = int(os.environ.get("CADENCIA_KILL_SEED", "1"))


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.integration.live.child"])
    return context


@asynccontextmanager
async def child(context: multiprocessing.context.ForkServerContext, folder: Path) -> AsyncIterator[BaseProcess]:
    process = context.Process(target=main, args=(str(folder),))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        await asyncio.to_thread(process.join)


@pytest.mark.timeout(60 + 10 * KILLS)
async def test_kills_lose_no_attempt_and_double_none(
    processes: multiprocessing.context.ForkServerContext, tmp_path: Path
) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    fill(ledger, 40 * (KILLS + 2))
    log = tmp_path / "child.log"
    moments = random.Random(SEED)
    async with exchange(tmp_path, pace_s=0.1) as (network, _), staffed(tmp_path, 8, HABITS) as robots:
        for _ in range(KILLS):
            async with child(processes, tmp_path) as process:
                dialled = network.originated.total()
                await until(partial(more_than, network, dialled), 30)
                await asyncio.sleep(moments.uniform(0.0, 0.7))
                assert process.is_alive(), log.read_text()
                process.kill()
            assert process.exitcode == -signal.SIGKILL, log.read_text()
            if moments.random() < 0.3:
                # The network goes on without a floor.
                await asyncio.sleep(moments.uniform(0.0, 0.7))
        async with child(processes, tmp_path) as process:
            dialled = network.originated.total()
            await until(partial(more_than, network, dialled + 10), 30)
            assert process.pid is not None
            os.kill(process.pid, signal.SIGTERM)
            await until(lambda: not process.is_alive(), 60)
            assert process.exitcode == 0, log.read_text()
        assert not network.live
    assert len(records(ledger, FloorOpened)) == KILLS + 1
    assert sum(robots.recorded.values()) > 0
    compare(ledger, network)
    ledger.close()


async def test_a_stopped_process_loses_no_caller_and_tells_afterwards_how_they_fared(
    processes: multiprocessing.context.ForkServerContext, tmp_path: Path
) -> None:
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    fill(ledger, 400)
    async with (
        exchange(tmp_path, pace_s=0.3) as (network, _),
        staffed(tmp_path, 8, HABITS),
        child(processes, tmp_path) as process,
    ):
        assert process.pid is not None
        for _ in range(2):
            await until(partial(more_than, network, network.originated.total() + 5), 30)
            os.kill(process.pid, signal.SIGSTOP)
            held = set(network.live)
            await until(lambda: held <= set(network.truth))  # noqa: B023
            os.kill(process.pid, signal.SIGCONT)
        await until(partial(more_than, network, network.originated.total() + 5), 30)
        os.kill(process.pid, signal.SIGTERM)
        await until(lambda: not process.is_alive(), 60)
        assert process.exitcode == 0, (tmp_path / "child.log").read_text()
    assert records(ledger, Queued)
    compare(ledger, network)
    ledger.close()


def more_than(network: Exchange, dialled: int) -> bool:
    return network.originated.total() > dialled


def compare(ledger: SqlLedger, network: Exchange) -> None:
    """Hold the record against the network: each attempt once, closed once, in the class that it really had."""
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
