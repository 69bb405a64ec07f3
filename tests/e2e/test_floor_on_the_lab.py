"""A whole floor on a real Asterisk: every attempt ends as its number asked, whatever happens to the engine or its link.

`account` holds the record against what the telephone network was asked and what the switch remembers, verifies the
chain, and decides the whole record again byte for byte.
"""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from benchmarks.lab_floor import LabFloor, mix, one_each
from benchmarks.lab_kills import run as killed_campaign
from benchmarks.lab_truth import account
from domain.calls import Mode
from tests.integration.fault_proxy import FaultProxy

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]


@pytest.fixture
def floors(tmp_path: Path) -> Iterator[list[LabFloor]]:
    made: list[LabFloor] = []
    yield made
    for floor in made:
        floor.close()


def a_floor(floors: list[LabFloor], home: Path, rows: int, **fields: object) -> LabFloor:
    floor = LabFloor(home, mix(rows), agents=8, **fields)  # type: ignore[arg-type]
    floors.append(floor)
    floor.open()
    return floor


def test_every_attempt_ends_as_its_number_asked(floors: list[LabFloor], tmp_path: Path) -> None:
    floor = a_floor(floors, tmp_path, 120, campaign=one_each(mode=Mode.predictive))

    async def campaign() -> None:
        async with floor.staffed():
            floor.start()
            await floor.until(floor.done, 150.0)

    asyncio.run(campaign())
    found = account(floor)
    assert found.findings == []
    assert (found.attempts, found.invites, found.blind) == (120, 120, [])


def test_kills_lose_no_attempt_and_double_none(floors: list[LabFloor], tmp_path: Path) -> None:
    killed, found = killed_campaign(tmp_path, 20, seed=3, agents=8)
    assert killed >= 20
    assert found.findings == []
    assert found.readopted


def test_a_stopped_engine_loses_no_caller_and_tells_afterwards_how_they_fared(
    floors: list[LabFloor], tmp_path: Path
) -> None:
    floor = a_floor(floors, tmp_path, 120)

    async def campaign() -> None:
        async with floor.staffed():
            floor.start()
            await floor.until(lambda: floor.ended() > 20)
            os.kill(floor.pid, signal.SIGSTOP)
            await asyncio.sleep(7.0)
            os.kill(floor.pid, signal.SIGCONT)
            await floor.until(floor.done, 120.0)

    asyncio.run(campaign())
    found = account(floor)
    assert (found.findings, found.blind) == ([], [])


@pytest.mark.parametrize("fault", ["cut", "half_open", "split"])
def test_a_bad_link_is_outlived(floors: list[LabFloor], tmp_path: Path, fault: str) -> None:
    floor = a_floor(floors, tmp_path, 120)

    async def campaign() -> None:
        async with FaultProxy(floor.setup.port, floor.setup.host) as proxy, floor.staffed():
            floor.point("127.0.0.1", proxy.port)
            proxy.piece_bytes = 7 if fault == "split" else None
            floor.start()
            await floor.until(lambda: floor.ended() > 20)
            if fault == "cut":
                for _ in range(3):
                    proxy.cut()
                    await asyncio.sleep(2.0)
            elif fault == "half_open":
                proxy.half_open = True
                await asyncio.sleep(9.0)
                proxy.half_open = False
                proxy.cut()
            await floor.until(floor.done, 150.0)

    asyncio.run(campaign())
    assert account(floor).findings == []


def test_a_locked_ledger_stops_dialling_and_loses_nothing(floors: list[LabFloor], tmp_path: Path) -> None:
    floor = a_floor(floors, tmp_path, 120)

    async def campaign() -> None:
        async with floor.staffed():
            floor.start()
            await floor.until(lambda: floor.ended() > 20)
            other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            alarms: set[str] = set()
            for _ in range(100):
                status = await floor.status()
                alarms |= {kind for kind, *_ in status["board"]["alarms"]} if status else set()
                if "commit_lag" in alarms:
                    break
                await asyncio.sleep(0.1)
            before = len(floor.lab.called())
            await asyncio.sleep(2.0)
            assert len(floor.lab.called()) == before
            other.execute("ROLLBACK")
            other.close()
            assert "commit_lag" in alarms
            await floor.until(floor.done, 120.0)

    asyncio.run(campaign())
    assert account(floor).findings == []


def test_a_second_engine_is_refused_and_a_wrong_password_ends_at_once(floors: list[LabFloor], tmp_path: Path) -> None:
    floor = a_floor(floors, tmp_path, 60)

    async def campaign() -> None:
        async with floor.staffed():
            floor.start()
            await floor.until(lambda: floor.ended() > 5)
            second = floor.engine()
            await asyncio.to_thread(second.join, 30.0)
            assert second.exitcode not in (None, 0)
            floor.kill()
            secret, floor.setup.secret = floor.setup.secret, "wrong"
            stranger = floor.engine()
            await asyncio.to_thread(stranger.join, 30.0)
            assert stranger.exitcode not in (None, 0)
            assert "secret" in floor.log.lower() or "password" in floor.log.lower()
            floor.setup.secret = secret
            # The shift goes on under changed settings.
            campaign = msgspec.structs.replace(floor.setup.floor.campaigns[0], ratio=1.5, wrapup_s=30.0)
            floor.setup.floor = msgspec.structs.replace(floor.setup.floor, campaigns=(campaign,), max_lines=40)
            floor.start()
            await floor.until(floor.done, 120.0)

    asyncio.run(campaign())
    assert account(floor).findings == []


def test_a_restarted_switch_is_met_again(floors: list[LabFloor], tmp_path: Path) -> None:
    floor = a_floor(floors, tmp_path, 120)

    async def campaign() -> None:
        async with floor.staffed():
            floor.start()
            await floor.until(lambda: floor.ended() > 20)
            await asyncio.to_thread(floor.lab.restart)
            await floor.until(floor.done, 150.0)

    asyncio.run(campaign())
    attempts = floor.attempts()
    assert len(attempts) == len({one.person for one in attempts}) == 120
    assert all(one.disposition is not None for one in attempts)
    # Half of the list and more was dialled after the restart, and agents were back for those who answered.
    assert sum(one.answer_class == "connected" for one in attempts) > 20
