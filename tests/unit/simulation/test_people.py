"""The population keeps its promises: same people, same luck, published rates."""

from collections import Counter
from datetime import date, timedelta

import pytest

from domain.calls import RIGHT_PARTY, Disposition
from domain.instants import DAY, HOUR, MINUTE, parse, to_datetime
from domain.people import Debt, Dossier, Phone
from simulation.callees import Meeting
from simulation.chance import Chance
from simulation.people import AT_HOME_WEEKDAY, AT_HOME_WEEKEND, Behaviour, People

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


def portfolio(size: int) -> list[Dossier]:
    return [
        dossier(person, days_due=(20, 100, 300)[person % 3], line_type="fixed" if person % 10 < 3 else "mobile")
        for person in range(1, size + 1)
    ]


def people(dossiers: list[Dossier], behaviour: Behaviour | None = None, seed: int = 1) -> People:
    made = People(behaviour or Behaviour(), Chance(seed), start_us=START_US)
    made.meet(dossiers)
    return made


def whole(population: People, phone: int, at_us: int) -> tuple[object, ...]:
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
    assert first != {call: whole(people(dossiers, seed=2), *call) for call in calls}


def test_calling_again_within_the_hour_meets_the_same_absence() -> None:
    always = Behaviour(
        p_pick_up=(1.0, 1.0, 1.0), inclination=(1.0, 1.0), fatigue=1.0, mobile_at_hand=0.0,
        p_busy=0.0, p_congestion=0.0, p_network_fail=0.0, p_voicemail_mobile=0.0, p_dead_first=0.0,
    )  # fmt: skip
    population = people(portfolio(300), always)
    differ = 0
    for person in range(1, 301):
        answers = [
            population.dial(2 * person, START_US + minute * MINUTE).fate is None for minute in (0, 15, 30, 59, 61, 125)
        ]
        assert len(set(answers[:4])) == 1
        differ += len(set(answers)) > 1
    assert differ > 60


def test_people_answer_by_the_clock_of_where_they_live() -> None:
    midnight_here = Behaviour(at_home_weekday=(1.0,) + (0.0,) * 23, mobile_at_hand=0.0, p_pick_up=(1.0,) * 3)
    population = people([dossier(1), dossier(2, zone="America/Bogota")], midnight_here)
    in_madrid = parse("2026-11-18T00:30:00+01:00")
    in_bogota = parse("2026-11-18T00:30:00-05:00")
    assert population._local_hour("Europe/Madrid", in_madrid) == (0, False)
    assert population._local_hour("America/Bogota", in_bogota) == (0, False)
    assert population._local_hour("America/Bogota", in_madrid) == (18, False)
    # Around the change of the clocks, quarter hours do not lie either.
    assert population._local_hour("Europe/Madrid", parse("2026-10-25T00:59:59+00:00")) == (2, True)
    assert population._local_hour("Europe/Madrid", parse("2026-10-25T01:00:00+00:00")) == (2, True)
    assert population._local_hour("Europe/Madrid", parse("2026-10-25T02:00:00+00:00")) == (3, True)


def test_contact_and_promise_rates_are_the_published_ones() -> None:
    """7.39 % contacts per attempt, promises after 35.0 % of contacts: a working day over a mixed portfolio."""
    dossiers = portfolio(12_000)
    population = people(dossiers)
    attempts = 0
    said: Counter[Disposition] = Counter()
    for wave in range(3):
        for index, one in enumerate(dossiers):
            at_us = START_US + ((index + 5 * wave) % 12) * HOUR + wave * DAY
            meeting = population.dial(one.phones[wave % 2].phone, at_us)
            attempts += 1
            if meeting.fate is None:
                population.talk(meeting)
                said[population.say(meeting, at_us, meeting.person, ()).disposition] += 1
    contacts = sum(count for disposition, count in said.items() if disposition in RIGHT_PARTY)
    assert contacts / attempts == pytest.approx(0.0739, abs=0.007)
    promises = said[Disposition.promise] + said[Disposition.plan]
    assert promises / contacts == pytest.approx(0.350, abs=0.03)


def test_older_debts_and_repeats_are_picked_up_less() -> None:
    law = Behaviour(fatigue=0.8)

    def picked(days_due: int, nth: int) -> int:
        population = people([dossier(person, days_due=days_due) for person in range(1, 2001)], law)
        meetings: list[Meeting] = []
        for person in range(1, 2001):
            for _ in range(nth):
                meeting = population.dial(2 * person, START_US)
            meetings.append(meeting)
        return sum(meeting.fate is None and meeting.who != "machine" for meeting in meetings)

    assert picked(20, 1) > picked(100, 1) > picked(300, 1)
    assert picked(20, 4) / picked(20, 1) == pytest.approx(0.8**3, abs=0.1)


def test_promises_are_within_the_debt_and_the_future() -> None:
    promising = Behaviour(outcomes=((Disposition.promise, 1.0), (Disposition.plan, 1.0)))
    population = people(portfolio(50), promising)
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
    population = people([ours, shared], Behaviour(outcomes=((Disposition.promise, 1.0),)))
    meeting = population.dial(2, START_US)
    meeting.who = "debtor"
    assert population.say(meeting, START_US, 1, (1,)).debt == 1
    assert population.say(meeting, START_US, 2, (2,)).disposition is Disposition.third_party
    # A call about a debt that is no longer open brings no promise.
    assert population.say(meeting, START_US, 1, (-1,)).disposition is Disposition.no_promise


def test_new_debts_of_people_already_met_count() -> None:
    promising = Behaviour(outcomes=((Disposition.promise, 1.0),))
    population = people([dossier(1)], promising)
    meeting = population.dial(2, START_US)
    meeting.who = "debtor"
    assert population.say(meeting, START_US, meeting.person, ()).disposition is Disposition.promise
    population.meet([Dossier(person=1, keys=(), country="ES", phones=dossier(1).phones)])
    assert population.say(meeting, START_US, meeting.person, ()).disposition is Disposition.no_promise


def test_published_anchors_stand_in_the_curves() -> None:
    anchors = {8: 0.53, 10: 0.42, 12: 0.43, 14: 0.38, 16: 0.51, 17: 0.61, 22: 0.56}
    assert {hour: AT_HOME_WEEKDAY[hour] for hour in anchors} == anchors
    assert all(0.70 <= AT_HOME_WEEKDAY[hour] <= 0.73 for hour in (18, 19, 20, 21))
    assert AT_HOME_WEEKEND[10] == 0.55
    assert len(AT_HOME_WEEKDAY) == len(AT_HOME_WEEKEND) == 24
