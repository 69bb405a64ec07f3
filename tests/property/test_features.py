"""What is learned later never reaches a row, and training sees what serving saw."""

from datetime import date, timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from domain.instants import DAY, HOUR, MINUTE, parse
from models.features import Features, ask, features, own_hours
from models.history import ENDS, History, history_of
from tests.histories import Line, line, tables

START_US = parse("2026-10-20T00:00:00Z")  # clocks change within
SPAN = 20 * 24 * 60
PEOPLE = {1: ["Europe/Madrid"], 2: ["America/New_York"], 3: []}
NUMBERS = [(1, 10, "mobile"), (1, 11, "fixed"), (2, 20, "fixed_or_mobile"), (3, 30, "unknown")]
DEBTS = [(100, 1, "EUR", "2026-09-01"), (101, 1, "EUR", None), (200, 2, "USD", "2026-10-25"), (300, 3, "EUR", None)]

RUNGS = ("dialed", "no_answer", "busy", "amd_machine", "abandoned", "answered", "wrong_party", "third_party",
         "right_party_contact", "not_in_service", "network_fail", "not_dialled")  # fmt: skip
minutes = st.integers(0, SPAN)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    person = draw(st.sampled_from([1, 2, 3]))
    at_us = START_US + draw(minutes) * MINUTE
    told: dict[str, Any] = {"known": at_us + draw(st.sampled_from([0, 0, MINUTE, 3 * HOUR, 4 * DAY]))}
    what = draw(st.sampled_from(["call", "call", "call", "message", "payment", "balance", "promise", "other"]))
    debt = draw(st.sampled_from([debt for debt, owner, *_ in DEBTS if owner == person]))
    phone = draw(st.sampled_from([phone for owner, phone, _ in NUMBERS if owner == person] + [99]))
    amount = draw(st.integers(1, 50_000))
    if what == "call":
        told |= {
            "phone": phone,
            "channel": "call",
            "campaign": draw(st.sampled_from(["c", None])),
            "detail": draw(st.sampled_from(["", *ENDS, "vulnerable"])),
            "inbound": draw(st.booleans()),
        }
        return line(at_us, draw(st.sampled_from(RUNGS)), person, **told)
    if what == "message":
        return line(at_us, "message_sent", person, channel="sms", **told)
    if what == "payment":
        return line(at_us, "payment", person, debts=[debt], amount_minor=amount, **told)
    if what == "balance":
        event = draw(st.sampled_from(["assigned", "balance", "reopened", "withdrawn"]))
        return line(at_us, event, person, debts=[debt], amount_minor=amount, **told)
    if what == "promise":
        due_on = date(2026, 10, 20) + timedelta(days=draw(st.integers(0, 25)))
        event = draw(st.sampled_from(["promise", "plan"]))
        return line(at_us, event, person, debts=[debt], amount_minor=amount, due_on=due_on, **told)
    event = draw(st.sampled_from(["call_back", "stop", "consent", "stop_lifted"]))
    detail = draw(st.sampled_from(["dispute", "wrong_number", "paid", ""]))
    return line(at_us, event, person, detail=detail, phone=phone, **told)


def history(told: list[Line]) -> History:
    return history_of(**tables(told, numbers=NUMBERS, zones=PEOPLE, debts=DEBTS))


def same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


@given(st.lists(lines(), max_size=40), st.lists(lines(), max_size=15), minutes)
def test_what_is_known_later_changes_no_row(told: list[Line], others: list[Line], minute: int) -> None:
    as_of_us = START_US + minute * MINUTE
    whole = features(history(told), as_of_us)
    past = [one for one in told if one["known_at"] < as_of_us]
    future = [one | {"known_at": max(one["known_at"], as_of_us)} for one in others]
    for changed in (past, past + future):
        found = history(changed)
        assert same(features(found, as_of_us).values, whole.values)
        assert same(own_hours(found, as_of_us), own_hours(history(told), as_of_us))


@given(st.lists(lines(), max_size=40), st.lists(st.tuples(st.sampled_from(NUMBERS), minutes), min_size=1, max_size=8))
def test_training_sees_what_serving_saw(told: list[Line], rows: list[tuple[tuple[int, int, str], int]]) -> None:
    found = history(told)
    person, phone = (np.array([number[of] for number, _ in rows], np.int64) for of in (0, 1))
    as_of_us = np.array([START_US + minute * MINUTE for _, minute in rows], np.int64)
    trained = features(found, ask(found, person=person, phone=phone, as_of_us=as_of_us))
    assert trained.person.tolist() == person.tolist()
    assert trained.phone.tolist() == phone.tolist()
    for nth, at_us in enumerate(as_of_us.tolist()):
        served: Features = features(found, at_us)
        (row,) = np.flatnonzero((served.person == person[nth]) & (served.phone == phone[nth]))
        assert same(served.values[row], trained.values[nth])
        # The hours' own record, at the hour of this row.
        hours = own_hours(found, at_us)[row]
        cell = int(trained.column("hour")[nth]) + (24 if trained.column("weekday")[nth] >= 5 else 0)
        assert hours[cell].tolist() == [trained.column("hour_tries")[nth], trained.column("hour_lift")[nth]]
