"""A portfolio on the real lab: every number gets what it asked for, once, and the record decides again to itself."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.lab_floor import LabFloor, mix, one_each, wrong
from benchmarks.lab_truth import account
from dialer.asterisk.lab_numbers import Behaviour, Outcome
from dialer.robots import Robots
from domain.calls import AnswerClass, Disposition

pytestmark = pytest.mark.lab

ROWS = 150


def test_every_attempt_of_a_campaign_ends_as_its_number_asked(tmp_path: Path) -> None:
    floor = LabFloor(tmp_path, mix(ROWS), agents=10)
    try:
        floor.open()
        robots = asyncio.run(work(floor))
        attempts = floor.attempts()
        assert wrong(attempts) == []
        assert len({one.person for one in attempts}) == len(attempts) == ROWS
        assert Counter(floor.lab.called()) == Counter(one.number for one in attempts)
        classes = Counter(one.answer_class for one in attempts)
        assert classes[AnswerClass.connected] == robots.recorded.total()
        assert not robots.refused
        # The chain verifies, replay gives the same bytes, and the switch remembers what the record says.
        found = account(floor)
        assert found.findings == []
        assert found.blind == []
        assert not any(agent.call_id for agent in floor.state.agents.values())
    finally:
        floor.close()


async def work(floor: LabFloor) -> Robots:
    async with floor.staffed() as robots:
        floor.start()
        await floor.until(floor.done, 120)
    return robots


@pytest.mark.parametrize("version", [22, 16])
def test_an_agent_with_nothing_but_a_phone_works_a_campaign(tmp_path: Path, version: int) -> None:
    """By the feature code alone: off-hook and ready, calls, and each wrap-up ends by its limit."""
    behaviours = [Behaviour(outcome=Outcome.leaves, ring_s=0.2, talk_s=0.5)] * 3
    floor = LabFloor(
        tmp_path, behaviours, agents=1, campaign=one_each(mode="progressive", wrapup_s=1.0), version=version
    )
    try:
        floor.open()
        floor.start()
        asyncio.run(by_phone(floor))
        attempts = floor.attempts()
        assert [one.answer_class for one in attempts] == [AnswerClass.connected] * 3
        assert {one.disposition for one in attempts} == {Disposition.unrecorded}
    finally:
        floor.close()


async def by_phone(floor: LabFloor) -> None:
    async def standing() -> list[str]:
        status = await floor.status()
        return [agent["reason"] or agent["state"] for agent in status["board"]["agents"]] if status else []

    async def comes(word: str) -> None:
        async with asyncio.timeout(30):
            while await standing() != [word]:
                await asyncio.sleep(0.05)

    await floor.until(floor.socket.exists)
    floor.lab.dial_in("1001")
    await comes("signed_in")
    assert not floor.lab.called()
    floor.lab.dial_in("1001", "*9")
    await comes("break")
    floor.lab.dial_in("1001", "*8")
    await floor.until(floor.done, 60)
    await comes("ready")
