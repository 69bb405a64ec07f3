"""The known truth of the next call, whatever was dialled before."""

import math

import pytest
from msgspec.structs import replace

from domain.instants import DAY, HOUR, MINUTE, midnight_us, parse, to_datetime
from simulation.chance import Chance
from simulation.population import Debtors, load, portfolio
from simulation.truths import truths

START_US = parse("2026-11-16T00:00:00Z")


def test_a_first_call_has_the_chance_that_the_truth_tells() -> None:
    laws = load("default")
    people = list(portfolio(laws, 300, 5, START_US))
    debtors = Debtors(laws, Chance(5), start_us=START_US)
    truth = debtors.truth(people, START_US)
    at_us = START_US + 17 * HOUR
    told = 0
    for row, one in enumerate(people):
        zone = next(iter(one.address_zones or [zone for phone in one.phones for zone in phone.zones]), "UTC")
        local = to_datetime(at_us, zone)
        answered, right = debtors.chance_now(one.phones[0].phone, at_us)
        assert math.isclose(answered, truth.p_answer[row, local.weekday(), local.hour], rel_tol=1e-5, abs_tol=1e-7)
        assert math.isclose(
            right[one.person], truth.p_right_party[row, local.weekday(), local.hour], rel_tol=1e-5, abs_tol=1e-7
        )
        told += answered > 0
    assert told > 200


@pytest.mark.parametrize("floor", ["Europe/Madrid", "America/Bogota", "Pacific/Auckland"])
def test_true_scores_tell_the_hours_of_the_floor_wherever_debtors_live(floor: str) -> None:
    laws = load("default")
    homes = ("America/Bogota", "Asia/Kolkata", floor)
    # On a Thursday, clocks of Auckland and Madrid unchanged until the next.
    at_us = START_US + 3 * DAY + 20 * HOUR + 20 * MINUTE
    people = [
        replace(one, address_zones=(homes[n % 3],), phones=one.phones[:1])
        for n, one in enumerate(portfolio(laws, 240, 5, START_US))
    ]
    debtors = Debtors(laws, Chance(5), start_us=START_US)
    debtors.meet(people)
    for one in people[::2]:
        for ago in (50, 26, 2):
            debtors.dial(one.phones[0].phone, at_us - ago * HOUR)
    scores = truths(debtors, people, at_us, floor)
    assert scores.numbers is not None
    told = scores.numbers([one.person for one in people])
    of = {person: row for row, person in enumerate(told.person.tolist())}
    midnight = midnight_us(to_datetime(at_us, floor).date(), floor)
    compared = 0
    for hour in range(7 * 24):
        starts_us = midnight + hour * HOUR
        local = to_datetime(starts_us, floor)
        place = 24 * local.weekday() + local.hour
        for one in people[hour % 5 :: 5]:
            chances = [debtors.chance_now(one.phones[0].phone, starts_us + n * 15 * MINUTE) for n in range(4)]
            answered = sum(p for p, _ in chances) / 4
            right = sum(by.get(one.person, 0.0) for _, by in chances) / 4
            assert math.isclose(told.p_answered[of[one.person], place], answered, rel_tol=1e-5, abs_tol=1e-7)
            assert math.isclose(told.p_right[of[one.person], place], right, rel_tol=1e-5, abs_tol=1e-7)
            compared += answered > 0
    assert compared > 5000


def test_on_days_when_all_pick_up_more_often_nobody_does_so_more_than_surely() -> None:
    laws = load("default")
    people = list(portfolio(laws, 300, 5, START_US))
    debtors = Debtors(laws, Chance(5), start_us=START_US)
    debtors.meet(people)
    at_us = START_US + 18 * HOUR
    usual = [debtors.chance_now(one.phones[0].phone, at_us)[0] for one in people]
    debtors.answer_rate = 10.0
    more = [debtors.chance_now(one.phones[0].phone, at_us)[0] for one in people]
    assert all(few <= many <= 1.0 for few, many in zip(usual, more, strict=True))
    assert sum(more) > 2 * sum(usual)


def test_machines_answer_as_often_as_is_told_where_no_person_does() -> None:
    laws = load("default")
    people = list(portfolio(laws, 3000, 7, START_US))
    debtors = Debtors(laws, Chance(7), start_us=START_US)
    debtors.meet(people)
    numbers = truths(debtors, people, START_US).numbers
    assert numbers is not None
    told = numbers([one.person for one in people])
    of = dict(zip(told.phone.tolist(), told.p_machine.tolist(), strict=True))
    said = {True: [0, 0.0], False: [0, 0.0]}
    machines = {True: 0, False: 0}
    for one in people:
        phone = one.phones[0].phone
        # One hour of each day, so that all stand for the week.
        meeting = debtors.dial(phone, START_US + (one.person % 7) * DAY + (9 + one.person % 12) * HOUR)
        if meeting.fate is None and meeting.who != "machine":
            continue
        likely = of[phone] > 0.5
        said[likely][0] += 1
        said[likely][1] += of[phone]
        machines[likely] += meeting.who == "machine"
    for likely, (n, expected) in said.items():
        assert n > 500
        assert abs(machines[likely] - expected) < 4.5 * math.sqrt(0.25 * n) * (1 if likely else 0.2)


def test_as_many_answer_as_the_chances_say_call_after_call() -> None:
    laws = load("default")
    people = list(portfolio(laws, 1500, 6, START_US))
    debtors = Debtors(laws, Chance(6), start_us=START_US)
    debtors.meet(people)
    expected = variance = 0.0
    answered = 0
    first: list[float] = []
    for nth in range(12):  # two days of six hours
        at_us = START_US + nth // 6 * DAY + (11 + nth % 6) * HOUR
        total = 0.0
        for one in people:
            p, right = debtors.chance_now(one.phones[0].phone, at_us)
            assert 0.0 <= right[one.person] <= p <= 1.0
            meeting = debtors.dial(one.phones[0].phone, at_us)
            answered += meeting.fate is None and meeting.who != "machine"
            expected += p
            variance += p * (1.0 - p)
            total += p
        first.append(total)
    # Somebody who is out is out for the hour: so are those who share a line; the variance is a little more.
    assert abs(answered - expected) < 4.5 * math.sqrt(variance)
    # The same hour a day later: six more calls have worn people out, and none of the same day.
    assert first[6] < first[0]
