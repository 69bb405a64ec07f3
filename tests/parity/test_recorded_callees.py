"""A recorded stretch fed back as callees: the simulated floor meets the same, to the byte where nothing was changed."""

from typing import Any

import pytest
from msgspec.structs import replace

from domain.calls import AnswerClass, Cause, Disposition, Mode
from domain.events import Connected
from domain.facts import AttemptClosed, CallClassed
from domain.orders import Originate, Reserve
from domain.records import Row
from simulation.callees import Callees
from simulation.chance import Chance
from simulation.exchange import WorldSettings
from simulation.recorded import Recorded, calls_of
from simulation.run import SimulatedFloor
from tests.integration.simulated import image, rows_of, simulated

SENT_US = 5_000 + 1_000
MESSAGE_US = WorldSettings().message_us


def again(rows: list[Row], **changed: Any) -> tuple[SimulatedFloor, list[Row], Recorded]:
    """Simulate a recorded stretch with its own callees."""
    found: list[Recorded] = []

    def meets(others: Callees, chance: Chance) -> Callees:
        found.append(Recorded(calls_of(rows), others, chance, sent_us=SENT_US, message_us=MESSAGE_US))
        return found[0]

    floor, ledger = simulated(meets=meets, **changed)
    floor.go()
    return floor, rows_of(ledger), found[0]


@pytest.mark.parametrize("mode", [Mode.predictive, Mode.progressive])
def test_a_record_fed_back_gives_its_own_rows_byte_for_byte(mode: Mode) -> None:
    floor, ledger = simulated(mode=mode)
    floor.go()
    recorded = rows_of(ledger)
    assert len(calls_of(recorded)) > 100
    _, rows, callees = again(recorded, mode=mode)
    assert image(rows) == image(recorded)
    # Calls that are under way when the record ends are its only gaps.
    told = callees.told
    assert told.dialled == len(calls_of(recorded))
    assert (told.beyond, told.words_drawn) == (0, 0)
    assert told.unclear + told.talks_drawn <= 40


def fates(rows: list[Row]) -> dict[tuple[int, int], tuple[Any, ...]]:
    """Return what each attempt on a number met, by number and how many-th, where it is the callee's doing."""
    counts: dict[int, int] = {}
    found = {}
    for call in calls_of(rows):
        nth = counts[call.phone] = counts.get(call.phone, 0) + 1
        if call.disposition is None:
            continue
        ring_us = (call.answered_us or call.ended_us or 0) - (call.ringing_us or call.dialled_us)
        end = None if call.answered_us is not None else (call.disposition, call.q850, call.sip)
        found[call.phone, nth] = (end, ring_us if call.ringing_us else None)
    return found


def test_other_luck_meets_the_same_calls_as_far_as_the_record_goes() -> None:
    floor, ledger = simulated(mode=Mode.predictive)
    floor.go()
    recorded = rows_of(ledger)
    # Another seed: other robots, and other people behind those on record.
    _, rows, callees = again(recorded, mode=Mode.predictive, seed=99)
    before, after = fates(recorded), fates(rows)
    both = before.keys() & after.keys()
    assert len(both) > 0.6 * len(before)
    assert {key: after[key] for key in both} == {key: before[key] for key in both}
    share = callees.told.share
    assert share is not None
    assert 0.8 < share <= 1.0


def test_words_talks_and_detection_are_those_of_the_record() -> None:
    floor, ledger = simulated(mode=Mode.progressive, seed=3)
    floor.go()
    recorded = rows_of(ledger)
    _, rows, _ = again(recorded, mode=Mode.progressive, seed=4)
    counts: dict[int, int] = {}
    firsts = {call.phone: call for call in calls_of(recorded) if counts.setdefault(call.phone, 0) == 0}
    seen = 0
    for call in calls_of(rows):
        then = firsts.pop(call.phone, None)
        if then is None or then.disposition is None or call.disposition is None:
            continue
        if then.detected and call.detected:
            assert (call.detected, call.detected_us - call.answered_us) == (  # type: ignore[operator]
                then.detected, then.detected_us - then.answered_us,  # type: ignore[operator]
            )  # fmt: skip
        if then.said is not None and call.said is not None and then.ended_us and call.ended_us:
            seen += 1
            assert replace(call.said, at_us=0, agent="", call_id="", call_back_us=None) == replace(
                then.said, at_us=0, agent="", call_id="", call_back_us=None
            )
            talk, before = call.ended_us - (call.talking_us or 0), then.ended_us - (then.talking_us or 0)
            assert abs(talk - before) <= 2_000
    assert seen > 15


def test_what_a_record_cannot_tell_is_asked_of_the_others_and_counted() -> None:
    # A half-hour in which some are left waiting.
    floor, ledger = simulated(mode=Mode.predictive, seed=2)
    floor.go()
    recorded = rows_of(ledger)
    abandoned = {
        row.record.call_id
        for row in recorded
        if isinstance(row.record, CallClassed) and row.record.answer_class is AnswerClass.abandoned
    }
    assert abandoned
    # Twice the agents: some who were left waiting meet one, and the list is worked further.
    _, rows, callees = again(recorded, mode=Mode.progressive, agents=12, seed=2)
    phones = {
        row.record.phone for row in recorded if isinstance(row.record, Reserve) and row.record.call_id in abandoned
    }
    now = {row.record.call_id: row.record.phone for row in rows if isinstance(row.record, Reserve)}
    met = {now[row.record.call_id] for row in rows if isinstance(row.record, Connected)}
    assert phones & met
    assert callees.told.beyond > 20
    assert callees.told.talks_drawn >= len(phones & met)
    assert callees.told.words_drawn > 0
    assert callees.told.who_drawn >= len(phones & met)


def test_calls_that_never_left_or_ended_in_the_dark_are_told_apart() -> None:
    floor, ledger = simulated(mode=Mode.progressive)
    floor.go()
    recorded = rows_of(ledger)
    calls = calls_of(recorded)
    originated = [row for row in recorded if isinstance(row.record, Originate)]
    closed = {row.record.call_id: row.record for row in recorded if isinstance(row.record, AttemptClosed)}
    not_sent = [one.call_id for one in closed.values() if one.disposition is Disposition.not_sent]
    assert len(calls) == len(originated) - len({row.record.call_id for row in originated} & set(not_sent))  # type: ignore[union-attr]
    # A record that stops in the middle of a ring does not tell how it ended.
    cut = calls_of(recorded[: len(recorded) // 2])
    assert any(not call.clear for call in cut)
    assert all(call.cause is not Cause.switch_fail for call in calls)
