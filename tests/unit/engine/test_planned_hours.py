"""Leads that a list plans for an hour of the day: not dialled before it, and a new list moves or frees them."""

from dialer.engine.evolve import PLANNED_HOUR
from dialer.engine.snapshot import thaw
from domain import events
from domain.calls import Cause, Disposition
from domain.instants import HOUR, SECOND
from domain.settings import CallTreatment, Retry
from tests.unit.engine.floor import START_US
from tests.unit.engine.test_strategy import Listed

TWO_HOURS_S = 2 * 3600


def test_a_lead_waits_for_its_hour_and_no_longer():
    floor = Listed(CallTreatment())
    floor.load("p-1", 1, from_us=START_US + 2 * HOUR)
    floor.agent("1001")
    assert floor.dial() == []
    assert (floor.lead(1).place, floor.lead(1).why) == ("parked", PLANNED_HOUR)
    assert thaw(floor.engine.snapshot()).campaigns["c"].leads[1].at_us == START_US + 2 * HOUR
    assert floor.dial(TWO_HOURS_S - 2) == []
    assert len(floor.dial(2)) == 1


def test_a_new_list_moves_the_hour_and_frees_whom_it_plans_for_none():
    floor = Listed(CallTreatment())
    floor.load("p-1", 1, 2, from_us=START_US + 2 * HOUR)
    floor.load("p-2", 1, 2, from_us=START_US + HOUR)
    floor.agent("1001")
    assert floor.dial() == []
    (call,) = floor.dial(3600)
    assert call.phone == 10
    floor.hear(events.Ended, call_id=call.call_id, cause=Cause.no_answer)
    floor.load("p-3", 2)
    (call,) = floor.dial()
    assert call.phone == 20


def test_whoever_waits_in_the_list_is_parked_for_a_later_hour():
    floor = Listed(CallTreatment())
    floor.load("p-1", 1)
    floor.load("p-2", 1, from_us=START_US + HOUR)
    floor.agent("1001")
    assert floor.dial() == []
    assert len(floor.dial(3600)) == 1


def test_a_rest_that_lasts_longer_than_the_hour_stays():
    floor = Listed(CallTreatment(retry={"no_answer": Retry(after_min=180)}))
    floor.load("p-1", 1)
    floor.agent("1001")
    floor.dial()
    floor.end()
    floor.load("p-2", 1, from_us=START_US + HOUR)
    assert floor.dial(3600 + 60) == []
    assert len(floor.dial(TWO_HOURS_S)) == 1


def test_a_call_back_is_made_at_its_time_whatever_the_hour():
    floor = Listed(CallTreatment())
    floor.load("p-1", 1)
    floor.agent("1001")
    (call,) = floor.dial()
    floor.talk(call.call_id, "1001")
    floor.hear(events.Ended, call_id=call.call_id, cause=Cause.normal)
    said = {"disposition": Disposition.call_back, "call_back_us": floor.at_us + 1800 * SECOND, "own": False}
    floor.hear(events.Disposed, agent="1001", call_id=call.call_id, **said)
    floor.load("p-2", 1, from_us=START_US + 5 * HOUR)
    assert len(floor.dial(1801)) == 1


def test_what_the_day_has_taught_moves_who_waits_and_nobody_else():
    floor = Listed(CallTreatment(retry={"no_answer": Retry(after_min=30)}))
    floor.load("p-1", 1, 2, 3, from_us=START_US + 2 * HOUR)
    floor.load("p-2", 1, 2, 3)
    floor.agent("1001")
    floor.dial()
    floor.end()
    (call,) = floor.dial(1)
    assert call.phone == 20
    floor.talk(call.call_id, "1001")
    floor.hear(events.Ended, call_id=call.call_id, cause=Cause.normal)
    floor.hear(events.Disposed, agent="1001", call_id=call.call_id, disposition=Disposition.do_not_call)
    tried, closed = floor.lead(1), floor.lead(2)
    assert (tried.place, closed.place) == ("parked", "closed")
    rest_us = tried.at_us
    by = events.DayLearned(hour=10, answers=(0.5,), strength=10.0, kept=0.5, waiting=3, moved=3)
    floor.load("p-3", 1, 2, 3, 4, from_us=START_US + HOUR, learned=by)
    # Who was called, or is done with, stays as he is; who was on no list comes on none.
    assert (tried.at_us, tried.plan, closed.place) == (rest_us, "p-2", "closed")
    assert 4 not in floor.engine.state.campaigns["c"].leads
    moved = floor.lead(3)
    assert (moved.place, moved.why, moved.at_us, moved.plan) == ("parked", PLANNED_HOUR, START_US + HOUR, "p-3")
