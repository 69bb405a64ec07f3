"""A portfolio on the real lab: every number gets what it asked for, once, and the record decides again to itself."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.lab_floor import LabFloor, mix, wrong
from benchmarks.lab_truth import account
from dialer.robots import Robots
from domain.calls import AnswerClass

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
