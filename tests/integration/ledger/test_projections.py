"""What the records of a call leave in the tables."""

from typing import Any

import pytest
from sqlalchemy import Table, select

from domain.calls import AGENT_DISPOSITIONS, AgentState, Disposition
from domain.events import Disposed, Reserved
from domain.facts import AgentShifted, Judged
from domain.instants import HOUR, SECOND
from domain.people import ContactEvent, Debt, Dossier, PastContact, Stop, StopKind, Verdict, rung
from ledger.people import LOOK_BACK_US
from ledger.schema import (
    agent_state,
    attempt,
    call_back,
    campaign,
    denial,
    history,
    outcome,
    person_phone,
    promise,
    stop,
)
from ledger.standing import put_stops
from ledger.store import SqlLedger
from tests.integration.ledger.scribe import NOW, Scribe, person, settle

TWO_DEBTS = (
    Debt(debt=100, creditor=1, balance_minor=9_000, currency="EUR"),
    Debt(debt=101, creditor=2, balance_minor=1_000, currency="EUR"),
)


def rows_of(ledger: SqlLedger, table: Table, *columns: str) -> list[tuple[Any, ...]]:
    with ledger.reading() as connection:
        query = select(*[table.c[name] for name in columns]).order_by(*table.primary_key)
        return [tuple(row) for row in connection.execute(query)]


def reserved(ledger: SqlLedger, *debts: Debt) -> tuple[Scribe, Dossier, Reserved]:
    """Reserve a call to person 1."""
    one = person(1, debts=debts) if debts else person(1)
    settle(ledger, [one])
    scribe = Scribe()
    ledger.append(scribe.opened())
    (answer,) = ledger.append(scribe.reserve(one))
    assert isinstance(answer, Reserved)
    return scribe, one, answer


def talked(ledger: SqlLedger, disposition: Disposition, **said: Any) -> tuple[Scribe, str]:
    """Let Ana talk with person 1 and record how it ended."""
    scribe, one, answer = reserved(ledger, *TWO_DEBTS)
    call_id = answer.call_id
    ledger.append(scribe.dialled(answer, one) + scribe.ringing(call_id) + scribe.talked(call_id))
    event = Disposed(at_us=scribe.at_us + 6 * SECOND, agent="ana", call_id=call_id, disposition=disposition, **said)
    ledger.append(scribe.closed(call_id, one, disposition, said=event))
    return scribe, call_id


@pytest.mark.parametrize("batches", [1, 4])
def test_a_ring_is_a_phase_of_its_own_and_late_news_of_it_nothing(ledger: SqlLedger, batches: int) -> None:
    scribe, one, answer = reserved(ledger)
    call_id = answer.call_id
    dialled, rings, again = scribe.dialled(answer, one), scribe.ringing(call_id), scribe.ringing(call_id)
    talks, late = scribe.talked(call_id), scribe.ringing(call_id)
    for batch in [dialled + rings + again + talks + late] if batches == 1 else [dialled, rings + again, talks, late]:
        ledger.append(batch)
        if batch == rings + again:
            assert rows_of(ledger, attempt, "phase") == [("ringing",)]
    assert rows_of(ledger, attempt, "phase", "ringing_us") == [("talking", rings[0].at_us)]


def test_a_ring_that_comes_after_the_answer_is_no_ring(ledger: SqlLedger) -> None:
    scribe, one, answer = reserved(ledger)
    ledger.append(scribe.dialled(answer, one) + scribe.talked(answer.call_id))
    ledger.append(scribe.ringing(answer.call_id))
    assert rows_of(ledger, attempt, "phase", "ringing_us") == [("talking", None)]


def test_an_end_is_the_last_phase(ledger: SqlLedger) -> None:
    scribe, one, answer = reserved(ledger)
    ledger.append(scribe.dialled(answer, one) + scribe.ringing(answer.call_id))
    rows = scribe.closed(answer.call_id, one, Disposition.busy)
    for batch, phase in ((rows[:2], "wrapping"), (rows[2:], "closed")):
        ledger.append(batch)
        assert rows_of(ledger, attempt, "phase", "ended_us") == [(phase, rows[0].at_us)]


def test_a_promise(ledger: SqlLedger) -> None:
    scribe, call_id = talked(
        ledger,
        Disposition.plan,
        debt=100,
        amount_minor=9_000,
        currency="EUR",
        due_on="2026-12-01",
        instalments=3,
    )
    start = NOW + 2 * SECOND
    instants = "reserved_us", "originated_us", "ringing_us", "answered_us", "talking_us", "ended_us"
    assert rows_of(ledger, attempt, "call_id", "phase", "agent", "answer_class", "wait_us", "debts", *instants) == [
        (call_id, "closed", "ana", "connected", SECOND, "100,101", *(start + i * SECOND for i in range(6)))
    ]
    closed_us = scribe.at_us
    assert rows_of(ledger, outcome, "call_id", "at_us", "disposition", "event", "wrap_us") == [
        (call_id, closed_us, "plan", "right_party_contact", 6 * SECOND)
    ]
    columns = "kind", "person", "debt", "amount_minor", "currency", "due_on", "instalments", "agent", "made_us", "state"
    said_us = closed_us - SECOND
    assert rows_of(ledger, promise, *columns) == [
        ("plan", 1, 100, 9_000, "EUR", "2026-12-01", 3, "ana", said_us, "open")
    ]
    told = rows_of(ledger, history, "event", "event_us", "known_us", "channel", "attempt", "detail", "amount_minor")
    ended_us = closed_us - 6 * SECOND
    assert told == [
        ("dialed", start, start, "call", call_id, "", None),
        ("right_party_contact", ended_us, closed_us, "call", call_id, "plan", None),
        ("plan", said_us, closed_us, None, call_id, "", 9_000),
    ]
    assert rows_of(ledger, campaign, "campaign", "state") == [("autumn", "stopped"), ("spring", "running")]
    assert rows_of(ledger, stop, "kind") == []


@pytest.mark.parametrize(
    ("disposition", "stops", "status"),
    [
        (Disposition.do_not_call, [Stop(kind=StopKind.do_not_call)], "usable"),
        (Disposition.vulnerable, [Stop(kind=StopKind.vulnerable)], "usable"),
        (Disposition.attorney, [Stop(kind=StopKind.attorney)], "usable"),
        (Disposition.bankrupt, [Stop(kind=StopKind.bankrupt)], "usable"),
        (Disposition.deceased, [Stop(kind=StopKind.deceased)], "usable"),
        (Disposition.dispute, [Stop(kind=StopKind.dispute, debt=debt) for debt in (100, 101)], "usable"),
        (Disposition.already_paid, [Stop(kind=StopKind.dispute, debt=debt) for debt in (100, 101)], "usable"),
        (Disposition.wrong_party, [Stop(kind=StopKind.wrong_number, phone=10)], "wrong_party"),
        (Disposition.no_promise, [], "usable"),
    ],
)
def test_stops(ledger: SqlLedger, disposition: Disposition, stops: list[Stop], status: str) -> None:
    _, call_id = talked(ledger, disposition)
    (fresh,) = ledger.dossiers([1])
    assert list(fresh.stops) == stops
    assert [line.event for line in fresh.history] == [rung(disposition)]
    assert rows_of(ledger, person_phone, "status") == [(status,)]
    assert rows_of(ledger, stop, "why", "call_id") == [(disposition, call_id)] * len(stops)
    assert [row for row in rows_of(ledger, history, "event", "detail") if row[0] == "stop"] == [
        ("stop", one.kind) for one in stops
    ]


def test_a_call_back_is_done_by_the_next_call(ledger: SqlLedger) -> None:
    due_us = NOW + HOUR
    scribe, _ = talked(ledger, Disposition.call_back, call_back_us=due_us, own=True)
    columns = "person", "campaign", "due_us", "agent", "done_us", "done_call_id"
    assert rows_of(ledger, call_back, *columns) == [(1, "spring", due_us, "ana", None, None)]

    def call() -> str:
        (fresh,) = ledger.dossiers([1])
        (answer,) = ledger.append(scribe.reserve(fresh))
        ledger.append(scribe.closed(answer.call_id, fresh, Disposition.busy))
        return answer.call_id

    call()  # before it is due
    assert rows_of(ledger, call_back, *columns)[0][4] is None
    scribe.at_us = due_us
    done = call()
    call()
    assert rows_of(ledger, call_back, *columns)[0][4:] == (due_us + SECOND, done)


def test_what_is_said_last_before_the_end_counts(ledger: SqlLedger) -> None:
    one = person(1)
    settle(ledger, [one])
    scribe = Scribe()
    (answer,) = ledger.append(scribe.reserve(one))
    call_id = answer.call_id

    def said(amount_minor: int) -> Disposed:
        return Disposed(
            at_us=scribe.at_us + SECOND,
            agent="ana",
            call_id=call_id,
            disposition=Disposition.promise,
            debt=100,
            amount_minor=amount_minor,
            currency="EUR",
            due_on="2026-12-01",
        )

    ledger.append(scribe.talked(call_id) + scribe.rows(said(1)))
    ledger.append(scribe.rows(said(2)))
    assert rows_of(ledger, promise, "amount_minor") == []
    ledger.append(scribe.closed(call_id, one, Disposition.promise) + scribe.rows(said(3)))
    ledger.append(scribe.rows(said(4)))
    assert rows_of(ledger, promise, "amount_minor") == [(2,)]
    assert '"amount_minor":2' in rows_of(ledger, attempt, "recorded")[0][0]


@pytest.mark.parametrize("disposition", sorted(set(Disposition) - set(AGENT_DISPOSITIONS) - {Disposition.stale}))
def test_every_end_of_its_own(ledger: SqlLedger, disposition: Disposition) -> None:
    one = person(1)
    settle(ledger, [one])
    scribe = Scribe()
    (answer,) = ledger.append(scribe.reserve(one))
    ledger.append(scribe.closed(answer.call_id, one, disposition))
    assert rows_of(ledger, outcome, "disposition", "event") == [(disposition, rung(disposition))]
    (fresh,) = ledger.dossiers([1])
    expected = rung(disposition)
    assert [(line.at_us, line.event, line.attempt) for line in fresh.history] == (
        [] if expected is None else [(NOW + SECOND, expected, answer.call_id)]
    )
    assert [one.kind for one in fresh.stops] == (
        [StopKind.not_in_service] if disposition is Disposition.not_in_service else []
    )


def test_denials(ledger: SqlLedger) -> None:
    scribe = Scribe()
    denied = Verdict(allowed=False, rule="ES.hours", next_allowed_at_us=NOW + HOUR, local_time="22:00", rules="r1")
    ledger.append(
        scribe.rows(
            Judged(campaign="spring", person=1, phone=10, verdict=denied),
            Judged(campaign="spring", person=2, phone=20, verdict=Verdict(allowed=True)),
        )
    )
    assert rows_of(ledger, denial, "seq", "person", "phone", "rule", "next_allowed_at_us", "local_time") == [
        (1, 1, 10, "ES.hours", NOW + HOUR, "22:00")
    ]


def test_agents_states(ledger: SqlLedger) -> None:
    scribe = Scribe()
    ledger.append(scribe.rows(AgentShifted(agent="ana", state=AgentState.paused, reason="break")))
    ledger.append(scribe.rows(AgentShifted(agent="ana", state=AgentState.talking, call_id="floor-9")))
    assert rows_of(ledger, agent_state, "seq", "at_us", "agent", "state", "reason", "call_id") == [
        (1, NOW + SECOND, "ana", "paused", "break", None),
        (2, NOW + 2 * SECOND, "ana", "talking", "", "floor-9"),
    ]


def test_a_standing_stop_lasts_as_long_as_the_longest(ledger: SqlLedger) -> None:
    settle(ledger, [person(1)])

    def put(until_us: int | None, debt: int | None = None) -> tuple[Stop, ...]:
        with ledger.writing() as connection:
            put_stops(
                connection,
                [
                    {
                        "person": 1,
                        "kind": StopKind.breathing_space,
                        "debt": debt,
                        "phone": None,
                        "event_us": NOW,
                        "known_us": NOW,
                        "until_us": until_us,
                        "source": "import",
                    }
                ],
            )
        return ledger.dossiers([1])[0].stops

    def until(until_us: int | None, debt: int | None = None) -> Stop:
        return Stop(kind=StopKind.breathing_space, debt=debt, until_us=until_us)

    assert put(NOW + 2) == (until(NOW + 2),)
    assert put(NOW + 1) == (until(NOW + 2),)
    assert put(NOW + 3) == (until(NOW + 3),)
    assert put(NOW, debt=100) == (until(NOW + 3), until(NOW, debt=100))
    assert put(None) == (until(None), until(NOW, debt=100))
    assert put(NOW + 9) == (until(None), until(NOW, debt=100))


def test_the_dossier_looks_back_a_month(ledger: SqlLedger) -> None:
    old, recent = (
        PastContact(at_us=at_us, event=ContactEvent.no_answer, phone=10, creditor=1, debts=(100,))
        for at_us in (NOW - LOOK_BACK_US - 1, NOW - LOOK_BACK_US)
    )
    one = person(1, history=(old, recent))
    settle(ledger, [one])
    assert ledger.dossiers([1]) == [one]
    assert ledger.dossiers([1], NOW)[0].history == (recent,)
