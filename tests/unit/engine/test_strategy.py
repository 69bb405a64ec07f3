"""Leads that a strategy listed: its hours, limits, numbers and retries; a new list takes the place of the old one."""

from typing import Any

import pytest
from msgspec.structs import replace

from dialer.engine import Engine
from domain import events
from domain.calls import Cause, Disposition
from domain.facts import LeadClosed, LeadScheduled
from domain.instants import DAY, HOUR, MINUTE, SECOND, iso
from domain.orders import Reserve
from domain.people import Choice, Lead, Verdict
from domain.settings import CallTreatment, CampaignSettings, Retry
from tests.unit.engine.floor import START_US, Floor, of, person

#: Of the floor's start, in the zone of the scripted gate.
LOCAL = START_US % DAY


def choice(place: int = 1, key: str = "champion.call.1") -> Choice:
    return Choice(
        strategy="s@1", segment="all", treatment=key, arm="champion", p_arm=0.8, p_call=0.78, place=place, of=3,
        by="balance", value=5.0, score_version="m1",
    )  # fmt: skip


class Listed(Floor):
    """A floor whose only campaign has a strategy, and a gate that tells the local time: UTC."""

    def __init__(self, treatment: CallTreatment, people: int = 3, n_phones: int = 1, **campaign: Any) -> None:
        settings = CampaignSettings(name="c", treatments={"champion.call.1": treatment}, document="{}", **campaign)
        super().__init__(settings, people=0)
        self.people = [person(number, n_phones) for number in range(1, people + 1)]
        for one in self.people:
            self.gate.verdicts[one.person] = lambda at_us: Verdict(
                allowed=True, valid_until_us=at_us + HOUR, local_time=iso(at_us)[:19] + "+00:00"
            )

    def load(self, plan: str, *persons: int, learned: events.DayLearned | None = None, **of_lead: Any) -> list[object]:
        leads = tuple(
            Lead(person=one, rank=n, debts=(one * 100,), choice=choice(n + 1), **of_lead)
            for n, one in enumerate(persons)
        )
        return self.hear(
            events.LeadsLoaded,
            campaign="c",
            plan=plan,
            chunk=0,
            sha256="",
            replaces=learned is None,
            learned=learned,
            leads=leads,
            people=tuple(self.people[one - 1] for one in persons if one <= len(self.people)),
        )

    def lead(self, one: int) -> Any:
        return self.engine.state.campaigns["c"].leads[one]

    def end(self, cause: Cause = Cause.no_answer) -> list[object]:
        (call_id,) = self.engine.state.calls
        return self.hear(events.Ended, call_id=call_id, cause=cause)

    def reserved(self, seconds: float = 0.5) -> list[Reserve]:
        return of(self.tick(seconds), Reserve)


def test_the_attempt_tells_the_choice_and_shows_the_strategys_number():
    floor = Listed(CallTreatment(caller_ids=("+34910000009",)), caller_ids={"*": ("+34910000001",)})
    floor.load("p-1", 2, 1)
    floor.agent("1001")
    (order,) = floor.reserved()
    assert (order.person, order.choice, order.caller_id) == (2, choice(1), "+34910000009")


def test_hours_of_the_debtors_day():
    minute = LOCAL // MINUTE
    treatment = CallTreatment(hours=((minute + 10, minute + 20), (minute + 100, minute + 110)))
    floor = Listed(treatment)
    floor.load("p-1", 1)
    floor.agent("1001")
    (put_off,) = of(floor.tick(), LeadScheduled)
    assert put_off.why == "day_part"
    assert put_off.at_us == START_US - START_US % MINUTE + 10 * MINUTE
    assert floor.dial((put_off.at_us - floor.at_us) / SECOND) != []
    floor.end()
    # Two hours later the day's parts are over; the first one of the next day comes next.
    (again,) = of(floor.tick(120 * 60), LeadScheduled)
    assert again.why == "day_part"
    assert again.at_us == put_off.at_us + DAY


@pytest.mark.parametrize(
    ("treatment", "why"),
    [(CallTreatment(calls_per_day=2), "calls_per_day"), (CallTreatment(calls_per_week=2), "calls_per_week")],
)
def test_limits_of_a_day_and_a_week(treatment: CallTreatment, why: str):
    floor = Listed(replace(treatment, retry={"no_answer": Retry(after_min=1)}))
    floor.load("p-1", 1)
    floor.agent("1001")
    first_us = 0
    for _ in range(2):
        (call,) = floor.dial(61)
        first_us = first_us or floor.at_us
        floor.end()
    (rest,) = of(floor.tick(61), LeadScheduled)
    assert rest.why == why
    ends_us = floor.at_us - floor.at_us % DAY + DAY if why == "calls_per_day" else first_us + 7 * DAY
    assert rest.at_us == ends_us
    assert floor.dial((ends_us - floor.at_us) / SECOND) != []
    assert call.campaign == "c"


def test_what_the_debtor_asked_for_is_no_courtesy_to_refuse():
    minute = LOCAL // MINUTE
    floor = Listed(CallTreatment(calls_per_day=1, hours=((minute, minute + 30),)))
    floor.load("p-1", 1)
    floor.agent("1001")
    (call,) = floor.dial()
    floor.talk(call.call_id, "1001")
    floor.hear(events.Ended, call_id=call.call_id, cause=Cause.normal)
    at_us = floor.at_us + 3600 * SECOND
    said = {"disposition": Disposition.call_back, "call_back_us": at_us, "own": False}
    floor.hear(events.Disposed, agent="1001", call_id=call.call_id, **said)
    # Not even a list without him takes it away.
    floor.load("p-2", 2)
    assert floor.dial(3601) != []


def test_retry_and_attempts_are_the_treatments():
    treatment = CallTreatment(retry={"no_answer": Retry(after_min=7)}, max_calls=2)
    floor = Listed(treatment, max_attempts=9)
    floor.load("p-1", 1)
    floor.agent("1001")
    floor.dial()
    (scheduled,) = of(floor.end(), LeadScheduled)
    assert scheduled.at_us == floor.at_us + 7 * MINUTE
    floor.dial(7 * 60)
    (closed,) = of(floor.end(), LeadClosed)
    assert closed.why == "max_attempts"
    floor.load("p-2", 1)
    assert floor.dial() == []


def test_numbers_in_the_strategys_order():
    floor = Listed(CallTreatment(retry={"no_answer": Retry(after_min=1, next_number=True)}), n_phones=3)
    floor.load("p-1", 1, numbers=(12, 10))
    floor.agent("1001")
    phones = []
    for _ in range(4):
        (call,) = floor.dial(61)
        phones.append(call.phone)
        floor.end()
    # The one that the list did not name comes last.
    assert phones == [12, 10, 11, 12]
    floor.load("p-2", 1, numbers=(10, 11, 12))
    (call,) = floor.dial(61)
    assert call.phone == 10


def test_a_new_list_takes_the_place_of_the_old_one():
    floor = Listed(CallTreatment(retry={"no_answer": Retry(after_min=60)}))
    floor.load("p-1", 1, 2, 3)
    floor.agent("1001")
    (call,) = floor.dial()
    assert floor.engine.state.calls[call.call_id].person == 1
    floor.end()
    resting_us = floor.lead(1).at_us
    floor.load("p-2", 3, 1)
    assert [floor.lead(one).place for one in (1, 2, 3)] == ["parked", "closed", "ready"]
    assert (floor.lead(2).why, floor.lead(1).at_us, floor.lead(1).rank) == ("off_list", resting_us, 1)
    (call,) = floor.dial()
    assert floor.engine.state.calls[call.call_id].person == 3
    floor.end()
    # Back on a later list, also after a promise that closed it; the rest of who has one stays.
    floor.load("p-3", 2, 1)
    assert [floor.lead(one).place for one in (1, 2, 3)] == ["parked", "ready", "closed"]
    floor.load("p-4", 3)
    floor.load("p-5", 3, 1)
    assert [floor.lead(one).place for one in (1, 2, 3)] == ["parked", "closed", "parked"]
    assert floor.lead(1).at_us == resting_us
    assert floor.lead(1).choice == choice(2)


def test_a_list_by_order_takes_back_whom_a_strategy_left_out():
    floor = Listed(CallTreatment(calls_per_day=1))
    floor.load("p-1", 1, 2, numbers=(10,))
    floor.load("p-2", 2)
    assert floor.lead(1).place == "closed"
    plain = tuple(Lead(person=one, rank=one, debts=(one * 100,)) for one in (1, 2))
    floor.hear(events.LeadsLoaded, campaign="c", plan="p-3", chunk=0, sha256="", leads=plain)
    assert [floor.lead(one).place for one in (1, 2)] == ["ready", "ready"]
    assert [(floor.lead(one).choice, floor.lead(one).numbers) for one in (1, 2)] == [(None, ())] * 2


def test_a_lead_that_a_rule_closed_stays_closed():
    floor = Listed(CallTreatment())
    floor.gate.verdicts[1] = Verdict(allowed=False, rule="ES.stop")
    floor.load("p-1", 1)
    floor.agent("1001")
    assert [one.why for one in of(floor.tick(), LeadClosed)] == ["ES.stop"]
    floor.load("p-2", 1)
    assert floor.lead(1).place == "closed"


def test_a_recovered_engine_holds_the_same_list():
    floor = Listed(CallTreatment(calls_per_day=1), n_phones=2)
    floor.load("p-1", 1, 2, numbers=(11, 10))
    floor.agent("1001")
    floor.dial()
    floor.end()
    floor.load("p-2", 2)
    again = Engine(floor.gate)
    for row in floor.rows:
        again.fold(row)
    assert again.snapshot() == floor.engine.snapshot()
    assert Engine.restore(floor.engine.snapshot(), floor.gate).snapshot() == floor.engine.snapshot()
