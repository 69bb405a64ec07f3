"""What the reports and `why` get to read."""

from datetime import timedelta

from domain.calls import Disposition
from domain.events import DayCount, Disposed
from domain.facts import Judged, PacingDecided
from domain.instants import HOUR, MINUTE, SECOND, to_datetime
from domain.people import Dossier, Verdict
from ledger import queries
from ledger.schema import attempt
from ledger.store import SqlLedger
from tests.integration.ledger.scribe import NOW, Scribe, person, settle

PEOPLE = [person(1), person(2), person(3)]


def call(ledger: SqlLedger, scribe: Scribe, one: Dossier, disposition: Disposition, **said: object) -> str:
    (answer,) = ledger.append(scribe.reserve(one))
    call_id = answer.call_id
    event = None
    if said:
        ledger.append(scribe.talked(call_id))
        event = Disposed(
            at_us=scribe.at_us + 6 * SECOND,
            agent="ana",
            call_id=call_id,
            disposition=disposition,
            **said,  # type: ignore[arg-type]
        )
    ledger.append(scribe.closed(call_id, one, disposition, said=event))
    return call_id


def shift(ledger: SqlLedger) -> list[str]:
    """Run a small shift: a promise, a call-back an hour later, an unknown end and one that is still running."""
    settle(ledger, PEOPLE)
    scribe = Scribe()
    ledger.append(scribe.opened())
    paid = {"debt": 100, "amount_minor": 500, "currency": "EUR", "due_on": "2026-12-01"}
    calls = [call(ledger, scribe, PEOPLE[0], Disposition.promise, **paid)]
    scribe.at_us += HOUR
    calls.append(call(ledger, scribe, PEOPLE[1], Disposition.call_back, call_back_us=NOW + 20 * HOUR))
    calls.append(call(ledger, scribe, PEOPLE[2], Disposition.unknown))
    (fresh,) = ledger.dossiers([3])
    (answer,) = ledger.append(scribe.reserve(fresh))
    calls.append(answer.call_id)
    return calls


def test_one_account(ledger: SqlLedger) -> None:
    calls = shift(ledger)
    with ledger.reading() as connection:
        (account,) = queries.accounts(connection, "100")
        assert (account.creditor, account.debt, account.person, account.state) == ("creditor 1", 100, 1, "open")
        assert queries.accounts(connection, "100", "another") == []
        assert queries.accounts(connection, "999") == []
        (found,) = queries.attempts(connection, attempt.c.person == 1)
    assert (found.call_id, found.debts, found.disposition, found.agent) == (calls[0], (100,), "promise", "ana")
    assert found.verdict.rules == "r1"


def test_denials(ledger: SqlLedger) -> None:
    scribe = Scribe()
    denied = Verdict(allowed=False, rule="ES.hours", next_allowed_at_us=NOW + HOUR, rules="r1")
    for number in (1, 2, 1):
        ledger.append(scribe.rows(Judged(campaign="spring", person=number, phone=10, verdict=denied)))
    with ledger.reading() as connection:
        found = queries.denials(connection, 1)
        assert [(one.seq, one.phone, one.verdict) for one in found] == [(1, 10, denied), (3, 10, denied)]
        assert [one.seq for one in queries.denials(connection, 1, until_us=NOW + 2 * SECOND)] == [1]


def test_pacing_around_an_instant(ledger: SqlLedger) -> None:
    scribe = Scribe()
    ledger.append(scribe.opened())
    for number in range(50):
        decision = PacingDecided(
            campaign=("spring", "autumn")[number % 2],
            dials=number,
            reason="budget",
            free=1,
            expected_free=1.5,
            expected_answers=0.5,
            budget_left=0.1,
            ringing=2,
            waiting=0,
        )
        ledger.append(scribe.rows(decision, campaign=decision.campaign))
    with ledger.reading() as connection:
        around = NOW + 20 * SECOND  # row 2 + n, at n + 2 seconds
        found = queries.pacing_around(connection, "floor", around, within_us=2 * SECOND)
        assert [one.decision.dials for one in found] == [16, 17, 18, 19, 20]
        found = queries.pacing_around(connection, "floor", around, campaign="autumn", within_us=2 * SECOND)
        assert [one.decision.dials for one in found] == [17, 19]
        assert queries.pacing_around(connection, "floor", NOW + HOUR, within_us=MINUTE) == []
        # In force is the campaign's last decision until then, however long ago.
        for campaign, at_us, dials in (("spring", around, 18), ("autumn", around, 17), ("spring", NOW + HOUR, 48)):
            in_force = queries.pacing_at(connection, "floor", campaign, at_us)
            assert in_force is not None
            assert in_force.decision.dials == dials
        assert queries.pacing_at(connection, "floor", "spring", NOW + SECOND) is None
        assert queries.pacing_around(connection, "nowhere", around, within_us=MINUTE) == []
        assert [queries.seq_at(connection, "floor", NOW + i * SECOND) for i in (-5, 1, 2, 51, 52)] == [1, 1, 3, 52, 53]


def test_answered_calls_by_the_days_of_a_zone(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    scribe = Scribe()
    ledger.append(scribe.opened())
    no_promise, machine = Disposition.no_promise, Disposition.machine
    # An hour before midnight in Madrid, an hour after it, and the day after that.
    for hour, one, disposition in (
        (22, PEOPLE[0], no_promise),
        (23, PEOPLE[1], no_promise),
        (24, PEOPLE[0], machine),
        (47, PEOPLE[2], no_promise),
    ):
        scribe.at_us = NOW // (24 * HOUR) * 24 * HOUR + hour * HOUR
        (fresh,) = ledger.dossiers([one.person])
        call(ledger, scribe, fresh, disposition, debt=None)
    (first, until) = (to_datetime(NOW, "Europe/Madrid").date() + timedelta(days=days) for days in (0, 2))
    assert ledger.day_counts("spring", first, until, "Europe/Madrid") == [
        DayCount(day=first.isoformat(), connected=1),
        # What an agent heard as a machine is no person.
        DayCount(day=(first + timedelta(days=1)).isoformat(), connected=1),
    ]
    assert ledger.day_counts("autumn", first, until, "Europe/Madrid") == []


def test_history_as_it_was_known(ledger: SqlLedger) -> None:
    calls = shift(ledger)
    whole = list(ledger.history())
    assert [one.known_us for one in whole] == sorted(one.known_us for one in whole)
    assert [(one.event, one.attempt) for one in ledger.history(persons=[1])] == [
        ("dialed", calls[0]),
        ("right_party_contact", calls[0]),
        ("promise", calls[0]),
    ]
    (dialled, contact, promised) = ledger.history(persons=[1])
    assert (promised.amount_minor, promised.currency, promised.channel) == (500, "EUR", None)
    assert contact.event_us < promised.event_us < contact.known_us
    # The future deleted: what was not known yet is not there, though it had happened.
    assert list(ledger.history(known_until_us=contact.known_us)) == [dialled]
    assert list(ledger.history(persons=[1], event_from_us=promised.event_us)) == [promised]
    assert list(ledger.history(persons=[1], event_until_us=promised.event_us, known_from_us=contact.known_us)) == [
        contact
    ]
