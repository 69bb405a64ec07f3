"""Debtors as callees: same people, same luck, published rates, promises that may be made."""

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from domain.calls import RIGHT_PARTY, Disposition
from domain.errors import Broken
from domain.instants import DAY, HOUR, MINUTE, from_datetime, parse, to_datetime
from domain.people import ContactEvent, Debt, Dossier, Phone, Stop, StopKind
from simulation.callees import Said
from simulation.chance import Chance
from simulation.population import Debtors, Paid, load
from simulation.population import portfolio as made

START_US = parse("2026-11-18T09:00:00+01:00")
FIELDS = ("nth", "who", "setup_us", "ring_us", "patience_us", "talk_us", "person_ends")


def dossier(person: int, *, days_due: int = 30, line_type: str = "mobile", zone: str = "Europe/Madrid") -> Dossier:
    due_on = (date(2026, 11, 18) - timedelta(days=days_due)).isoformat()
    return Dossier(
        person=person,
        keys=(),
        country="ES",
        address_zones=(zone,),
        debts=(
            Debt(debt=person, creditor=1, balance_minor=30_000, currency="EUR", due_on=due_on),
            Debt(debt=-person, creditor=1, balance_minor=90_000, currency="EUR", due_on=due_on, state="paid"),
        ),
        phones=(
            Phone(phone=2 * person, country="ES", line_type=line_type),
            Phone(phone=2 * person + 1, country="ES", line_type="mobile"),
        ),
    )


#: Whoever is near the phone picks up, every time.
ALWAYS: dict[str, Any] = {
    "presence": {"mobile_at_hand": 0.0},
    "answering": {
        "p_pick_up": [1.0] * 6, "spread": 0.0, "fatigue": [1.0, 1.0], "same_day": 1.0, "same_hour": 1.0,
        "p_busy": 0.0, "p_congestion": 0.0, "p_network_fail": 0.0,
    },
    "numbers": {"p_voicemail_mobile": 0.0, "p_voicemail_fixed": 0.0, "p_dead": [0.0, 0.0], "p_stranger": [0.0, 0.0]},
}  # fmt: skip
#: Whoever is spoken with promises.
PROMISING: dict[str, Any] = {
    "outcomes": dict.fromkeys(
        ("no_promise", "call_back", "dispute", "already_paid", "do_not_call"), 0.0
    ) | {"promise": 1.0, "plan": 1.0},
    "conditions": dict.fromkeys(("vulnerable", "attorney", "bankrupt", "deceased"), 0.0),
}  # fmt: skip


def portfolio(size: int) -> list[Dossier]:
    return [
        dossier(person, days_due=(20, 100, 300)[person % 3], line_type="fixed" if person % 10 < 3 else "mobile")
        for person in range(1, size + 1)
    ]


def people(dossiers: list[Dossier], seed: int = 1, **over: Any) -> Debtors:
    made = Debtors(load("default", over), Chance(seed), start_us=START_US)
    made.meet(dossiers)
    return made


def whole(population: Debtors, phone: int, at_us: int) -> tuple[object, ...]:
    meeting = population.dial(phone, at_us)
    if meeting.fate is None:
        population.answer(meeting)
        population.talk(meeting)
    return (meeting.fate, *(getattr(meeting, field) for field in FIELDS))


def test_luck_does_not_depend_on_who_else_is_called_or_when_in_order() -> None:
    dossiers = portfolio(200)
    calls = [(phone.phone, START_US + hour * HOUR) for d in dossiers for phone in d.phones for hour in (0, 3)]
    one, other = people(dossiers), people(list(reversed(dossiers)))
    first = {call: whole(one, *call) for call in calls}
    # Attempts on one number keep their order; numbers are interleaved otherwise.
    second = {call: whole(other, *call) for call in sorted(calls, key=lambda call: (call[1], -call[0]))}
    assert first == second
    stranger = people(dossiers, seed=2)
    assert first != {call: whole(stranger, *call) for call in calls}


def test_calling_again_within_the_hour_meets_the_same_absence() -> None:
    population = people(portfolio(300), **ALWAYS)
    differ = 0
    for person in range(1, 301):
        answers = [
            population.dial(2 * person, START_US + minute * MINUTE).fate is None for minute in (0, 15, 30, 59, 61, 125)
        ]
        assert len(set(answers[:4])) == 1
        differ += len(set(answers)) > 1
    assert differ > 60


def test_people_answer_by_the_clock_of_where_they_live() -> None:
    midnight = {"weekday": [1.0] + [0.0] * 23, "saturday": [0.0] * 24, "sunday": [0.0] * 24, "mobile_at_hand": 0.0}
    law = ALWAYS | {"presence": midnight}
    here, there = "Europe/Madrid", "America/Bogota"
    answered = {
        (zone, text): people([dossier(1, zone=zone)], **law).dial(2, parse(text)).fate is None
        for zone in (here, there)
        for text in (
            "2026-11-18T00:30:00+01:00", "2026-11-18T00:30:00-05:00", "2026-11-18T23:59:59+01:00",
            # On the Sunday of the change of the clocks, the same hour of two days later.
            "2026-10-25T00:30:00+02:00", "2026-10-27T00:30:00+01:00",
        )
    }  # fmt: skip
    assert {key for key, met in answered.items() if met} == {
        (here, "2026-11-18T00:30:00+01:00"),
        (here, "2026-10-27T00:30:00+01:00"),
        (there, "2026-11-18T00:30:00-05:00"),
    }


def test_contact_and_promise_rates_are_the_published_ones() -> None:
    """7.39 % contacts per attempt, promises after 35.0 % of contacts: three working days over the default portfolio."""
    dossiers = list(made(load("default"), 12_000, 1, START_US))
    population = people(dossiers)
    attempts = 0
    said: Counter[Disposition] = Counter()
    for wave in range(3):
        for index, one in enumerate(dossiers):
            hour = 9 + (index + 5 * wave) % 12
            at_us = from_datetime(datetime(2026, 11, 18 + wave, hour, 20, tzinfo=ZoneInfo(one.address_zones[0])))
            meeting = population.dial(one.phones[wave % len(one.phones)].phone, at_us)
            attempts += 1
            if meeting.fate is None:
                population.talk(meeting)
                said[population.say(meeting, at_us, meeting.person, ()).disposition] += 1
    contacts = sum(count for disposition, count in said.items() if disposition in RIGHT_PARTY)
    # Four standard errors of 36,000 attempts and of their contacts.
    assert contacts / attempts == pytest.approx(0.0739, abs=0.0055)
    promises = said[Disposition.promise] + said[Disposition.plan]
    assert promises / contacts == pytest.approx(0.350, abs=0.037)


def test_older_debts_and_repeats_are_picked_up_less() -> None:
    def picked(days_due: int, *hours: int, **answering: Any) -> int:
        population = people(
            [dossier(person, days_due=days_due) for person in range(1, 2001)],
            answering={"fatigue": [1.0, 1.0], "same_day": 1.0, "same_hour": 1.0, "spread": 0.0, "p_pick_up": UPRIGHT}
            | answering,
        )
        count = 0
        for person in range(1, 2001):
            for hour in hours:
                meeting = population.dial(2 * person, START_US + hour * HOUR)
            count += meeting.fate is None and meeting.who != "machine"
        return count

    first = picked(20, 0)
    assert first > picked(100, 0) > picked(400, 0)
    # Three attempts, by how many-th each; one on each of three days at this hour; two on one day.
    assert picked(20, 0, 24, 48, fatigue=[1.0, 0.7]) / first == pytest.approx(0.7**2, abs=0.08)
    assert picked(20, 0, 24, 48, fatigue=[1.0, 0.8, 0.8, 0.8]) / first == pytest.approx(0.8, abs=0.08)
    assert picked(20, 0, 24, 48, same_hour=0.7) / first == pytest.approx(0.7**2, abs=0.08)
    assert picked(20, 0, 24, 48, same_day=0.5) / first == pytest.approx(1.0, abs=0.08)
    assert picked(20, 0, 0, same_day=0.5) / first == pytest.approx(0.5, abs=0.08)


#: Picked up often enough for a few calls to tell factors apart.
UPRIGHT = [0.6, 0.6, 0.5, 0.4, 0.3, 0.2]


def test_promises_are_within_the_debt_and_the_future() -> None:
    population = people(portfolio(50), **PROMISING)
    today = to_datetime(START_US, "Europe/Madrid").date()
    kinds = set()
    for person in range(1, 51):
        meeting = population.dial(2 * person, START_US)
        meeting.who = "debtor"
        said = population.say(meeting, START_US, meeting.person, ())
        kinds.add(said.disposition)
        assert said.debt == person  # the paid one owes nothing
        assert said.currency == "EUR"
        assert said.amount_minor is not None
        assert 0 < said.amount_minor <= 30_000
        assert said.due_on is not None
        assert today < date.fromisoformat(said.due_on) <= today + timedelta(days=30)
        assert (said.instalments is None) == (said.disposition is Disposition.promise)
    assert kinds == {Disposition.promise, Disposition.plan}


@pytest.mark.parametrize(("who", "said"), [("machine", "machine"), ("wrong_party", "wrong_party")])
def test_who_answers_decides_what_the_agent_records(who: str, said: str) -> None:
    population = people([dossier(1)])
    meeting = population.dial(2, START_US)
    meeting.who = who
    assert population.say(meeting, START_US, meeting.person, ()).disposition == said


def test_whoever_shares_the_number_is_not_the_debtor_asked_for() -> None:
    ours, theirs = dossier(1), dossier(2)
    shared = Dossier(person=2, keys=(), country="ES", debts=theirs.debts, phones=ours.phones)
    population = people([ours, shared], **PROMISING)
    answered = set()
    for _ in range(20):
        meeting = population.dial(2, START_US)
        answered.add(meeting.person)
        meeting.who = "debtor"
        asked_for, other = meeting.person, 3 - meeting.person
        assert population.say(meeting, START_US, asked_for, (asked_for,)).debt == asked_for
        assert population.say(meeting, START_US, other, (other,)).disposition is Disposition.third_party
        # A call about a debt that is no longer open brings no promise.
        assert population.say(meeting, START_US, asked_for, (-asked_for,)).disposition is Disposition.no_promise
    assert answered == {1, 2}


def test_new_debts_of_people_already_met_count() -> None:
    population = people([dossier(1)], **PROMISING)
    meeting = population.dial(2, START_US)
    meeting.who = "debtor"
    assert population.say(meeting, START_US, meeting.person, ()).disposition in (Disposition.promise, Disposition.plan)
    population.meet([Dossier(person=1, keys=(), country="ES", phones=dossier(1).phones)])
    assert population.say(meeting, START_US, meeting.person, ()).disposition is Disposition.no_promise


def test_published_anchors_stand_in_the_curves() -> None:
    presence = load("default").presence
    anchors = {8: 0.53, 10: 0.42, 12: 0.43, 14: 0.38, 16: 0.51, 17: 0.61, 22: 0.56}
    assert {hour: presence.weekday[hour] for hour in anchors} == anchors
    assert all(0.70 <= presence.weekday[hour] <= 0.73 for hour in (18, 19, 20, 21))
    assert presence.saturday[10] == presence.sunday[10] == 0.55


def spoken_with(population: Debtors, person: int, at_us: int = START_US) -> Said:
    meeting = population.dial(2 * person, at_us)
    meeting.who, meeting.person = "debtor", person
    return population.say(meeting, at_us, person, ())


def outcome(word: str) -> dict[str, Any]:
    return {"outcomes": dict.fromkeys(load("default").outcomes, 0.0) | {word: 1.0}} | {
        "conditions": PROMISING["conditions"]
    }


@pytest.mark.parametrize("word", ["do_not_call", "dispute"])
def test_who_disputes_or_wants_no_calls_says_so_again(word: str) -> None:
    law = outcome(word)
    law["outcomes"]["promise"] = 1.0
    population = people(portfolio(60), **law)
    again = {person: [spoken_with(population, person).disposition for _ in range(8)] for person in range(1, 61)}
    first = [said.index(word) for said in again.values() if word in said]  # type: ignore[arg-type]
    assert len(first) > 50
    assert max(first) > 1
    for said in again.values():
        if word in said:
            assert set(said[said.index(word) :]) == {word}  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["vulnerable", "attorney", "bankrupt"])
def test_conditions_are_told_whenever_a_debtor_is_reached(word: str) -> None:
    population = people([dossier(1)], conditions={word: 1.0} | dict.fromkeys(CONDITIONS - {word}, 0.0))
    assert {spoken_with(population, 1).disposition for _ in range(5)} == {word}


@pytest.mark.parametrize("word", ["vulnerable", "attorney", "bankrupt"])
def test_conditions_on_record_are_true(word: str) -> None:
    population = people([replace(dossier(person), stops=(Stop(kind=StopKind(word)),)) for person in range(1, 101)])
    assert {spoken_with(population, person).disposition for person in range(1, 101)} == {word}
    paid = [deed for deed in population.pass_time(START_US, START_US + 200 * DAY) if isinstance(deed, Paid)]
    assert bool(paid) is (word != "bankrupt")


#: The words that end all calling.
CONDITIONS = frozenset(load("default").conditions)


def test_the_dead_do_not_answer_and_their_household_may_tell() -> None:
    law = ALWAYS | {"conditions": {"deceased": 1.0} | dict.fromkeys(CONDITIONS - {"deceased"}, 0.0)}
    population = people(portfolio(200), **law)
    said = []
    for person in range(1, 201):
        meeting = population.dial(2 * person, START_US)
        if meeting.fate is None:
            assert meeting.who == "third_party"
            said.append(population.say(meeting, START_US, person, ()).disposition)
    assert set(said) == {Disposition.deceased, Disposition.third_party}
    assert said.count(Disposition.deceased) / len(said) == pytest.approx(
        load("default").numbers.p_told_deceased, abs=4 * 0.5 / len(said) ** 0.5
    )
    assert not [deed for deed in population.pass_time(START_US, START_US + 90 * DAY) if isinstance(deed, Paid)]


def test_who_has_paid_says_so_until_the_ledger_knows() -> None:
    population = people([dossier(1)], payment={"self_cure_per_day": [1e9] * 6, "p_full": 1.0}, **PROMISING)
    (paid,) = [deed for deed in population.pass_time(START_US, START_US + 2 * DAY) if isinstance(deed, Paid)]
    assert (paid.debt, paid.amount_minor, paid.currency) == (1, 30_000, "EUR")
    told = spoken_with(population, 1, START_US + 2 * DAY)
    assert (told.disposition, told.debt) == (Disposition.already_paid, 1)
    assert not population.pass_time(START_US + 2 * DAY, START_US + 30 * DAY)


def test_debts_are_what_the_ledger_says_or_less() -> None:
    law = {"payment": {"self_cure_per_day": [1e9] * 6, "p_full": 1.0}}
    population = people([dossier(1), dossier(2), dossier(3)], **law)
    less = Debt(debt=1, creditor=1, balance_minor=700, currency="EUR", due_on="2026-10-19")
    new = Debt(debt=77, creditor=1, balance_minor=40, currency="EUR", due_on="2026-10-19")
    more = Debt(debt=2, creditor=1, balance_minor=999_999, currency="EUR", due_on="2026-10-19")
    population.meet(
        [
            Dossier(person=1, keys=(), country="ES", debts=(less, new)),
            Dossier(person=2, keys=(), country="ES", debts=(more,)),
            Dossier(person=3, keys=(), country="ES"),
        ]
    )
    deeds = population.pass_time(START_US, START_US + 3 * DAY)
    assert {(deed.debt, deed.amount_minor) for deed in deeds if isinstance(deed, Paid)} == {
        (1, 700),
        (77, 40),
        (2, 30_000),
    }
    # A debt on record as paid is owed no more, whoever paid it.
    other = people([dossier(1)], **law)
    other.meet([Dossier(person=1, keys=(), country="ES", debts=(replace(less, state="paid"),))])
    assert not other.pass_time(START_US, START_US + 3 * DAY)


def test_numbers_that_come_later_can_be_called() -> None:
    population = people([dossier(1)])
    with pytest.raises(Broken, match="phone 500 is dialled and belongs to nobody"):
        population.dial(500, START_US)
    population.meet([replace(dossier(1), phones=(*dossier(1).phones, Phone(phone=500, country="ES")))])
    assert population.dial(500, START_US).person == 1


def test_time_passes_once_and_in_order() -> None:
    population = people([dossier(1)])
    population.pass_time(START_US, START_US + DAY)
    for span in ((START_US, START_US + DAY), (START_US + 2 * DAY, START_US + 3 * DAY), (START_US + DAY, START_US)):
        with pytest.raises(Broken, match="go on from there"):
            population.pass_time(*span)
    assert people([]).pass_time(START_US, START_US + DAY) == []


@pytest.mark.parametrize("channel", sorted(load("default").channels))
def test_messages_bring_payments_and_those_that_arrive_nowhere_do_not(channel: str) -> None:
    law = {"channels": {channel: {"works": 1.0, "p_seen": 1.0}}, "contact": {"half_life_days": 1000.0, "most": 3.0}}
    law["responses"] = {kind: {"effect": 1.5} for kind in ("persuadable",)}

    def payers(how: ContactEvent | None) -> int:
        population = people(portfolio(1_500), **law)
        for person in range(1, 1_501):
            if how is not None:
                population.reached(person, channel, START_US, how)
        return len({deed.person for deed in population.pass_time(START_US, START_US + 60 * DAY)})

    assert payers(ContactEvent.message_delivered) > 1.15 * payers(None)
    assert payers(ContactEvent.not_in_service) == payers(None)


def test_messages_to_nobody_or_through_nothing_are_refused() -> None:
    population = people([dossier(1)])
    for person, channel in ((2, "sms"), (1, "pigeon")):
        with pytest.raises(Broken, match=f"person {person} is reached by {channel}"):
            population.reached(person, channel, START_US, ContactEvent.message_delivered)
