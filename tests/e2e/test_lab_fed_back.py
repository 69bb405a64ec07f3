"""A campaign on the real lab, fed back as a world: each call comes out in the simulator as it did on Asterisk."""

import asyncio
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from benchmarks.lab_floor import HABITS, LabFloor, mix
from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.calls import AnswerClass, Disposition
from domain.instants import to_datetime
from simulation.callees import Callees
from simulation.chance import Chance
from simulation.day import read_day
from simulation.recorded import Call, Recorded, calls_of
from simulation.replayed import Replayed
from simulation.run import RunSettings

pytestmark = pytest.mark.lab

ROWS = 80
#: Stated tolerances: a ring and a conversation on Asterisk against the same in the simulator. What is between them is
#: the way of a word from the switch to the engine, and how long commits took.
RING_US = 150_000
TALK_US = 100_000


def nth_calls(calls: list[Call]) -> dict[tuple[int, int], Call]:
    counts: Counter[int] = Counter()
    found = {}
    for call in calls:
        counts[call.phone] += 1
        found[call.phone, counts[call.phone]] = call
    return found


def test_the_labs_record_fed_back_gives_its_calls_again(tmp_path: Path) -> None:
    floor = LabFloor(tmp_path, mix(ROWS), agents=8)
    try:
        floor.open()
        asyncio.run(work(floor))
        floor.kill()
        settings = floor.setup.floor
        gate = Gate.load(SHIPPED)
        on = to_datetime(floor.state.at_us, settings.zone).date().isoformat()
        day = read_day(floor.ledger, settings.stream, on, settings.zone)
    finally:
        floor.close()
    assert len(day.calls) == ROWS

    callees: list[Recorded] = []

    sent_us = day.commit_us + day.world.order_us

    def meets(others: Callees, chance: Chance) -> Callees:
        callees.append(Recorded(day.calls, others, chance, sent_us=sent_us, message_us=day.world.message_us))
        return callees[0]

    simulated = Replayed(day, RunSettings(start_us=0), {gate.version: gate}.get, keep=True, meets=meets)
    simulated.day()
    before, after = nth_calls(list(day.calls)), nth_calls(calls_of(simulated.tape.rows))
    told = callees[0].told
    assert (told.beyond, told.unclear) == (0, 0)
    # The list was called to its end in both worlds.
    assert before.keys() == after.keys()

    classes: Counter[tuple[AnswerClass | None, AnswerClass | None]] = Counter()
    for key, then in before.items():
        now = after[key]
        where = f"{key}: {then} became {now}"
        classes[then.answer_class, now.answer_class] += 1
        assert abs(ring_us(now) - ring_us(then)) <= RING_US, where
        if then.answered_us is None:
            assert (now.answer_class, now.disposition, now.cause) == (None, then.disposition, then.cause), where
            assert (now.q850 or 0, now.sip or 0) == (then.q850 or 0, then.sip or 0), where
        elif then.answer_class is now.answer_class is AnswerClass.connected:
            assert now.disposition is then.disposition, where
            assert abs(talk_us(now) - talk_us(then)) <= TALK_US, where
    answered = sum(n for (then, _), n in classes.items() if then is not None)
    same = sum(n for (then, now), n in classes.items() if then is not None and then is now)
    # Who finds an agent hangs on milliseconds where agents are short; nothing else may differ.
    assert same >= 0.9 * answered, classes
    found = {AnswerClass.connected, AnswerClass.abandoned}
    assert all(then is now or {then, now} <= found for then, now in classes), classes
    assert classes[AnswerClass.connected, AnswerClass.connected] > 10
    assert Disposition.promise in {call.disposition for call in after.values()}


def ring_us(call: Call) -> int:
    return (call.answered_us or call.ended_us or 0) - (call.ringing_us or call.dialled_us)


def talk_us(call: Call) -> int:
    assert call.ended_us is not None
    assert call.talking_us is not None
    return call.ended_us - call.talking_us


async def work(floor: LabFloor) -> None:
    async with floor.staffed(msgspec.structs.replace(HABITS, p_break=0.0)):
        floor.start()
        await floor.until(floor.done, 120)
        # A floor that dials a little later there still comes to the end of its list.
        await asyncio.sleep(5.0)
