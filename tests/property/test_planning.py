"""Plans of hours: law, limits and capacity hold whatever the people; time goes where it brings most."""

from collections.abc import Sequence
from datetime import date
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from compliance.columns import columns_of
from compliance.gate import Gate
from compliance.mask import callable_mask
from compliance.packs import SHIPPED
from dialer.engine.courtesy import rest
from domain.calls import Mode
from domain.forecasts import WEEK, at
from domain.instants import DAY, HOUR, MINUTE, midnight_us, to_datetime
from domain.people import ContactEvent, Dossier, PastContact
from domain.settings import CampaignSettings
from simulation.lists import Known, Made, by_strategy
from simulation.population import load, portfolio
from strategy.documents import Capacity, Document, Limits, Segment, Step, Strategy, Treatment, attached, strategy_of
from strategy.fields import Numbers, Scores
from strategy.planning import NO_PACE, Called, Pace, Planner, Workplace, occupancy

ZONE = "Europe/Madrid"
#: A Monday.
MONDAY_US = midnight_us(date(2027, 2, 1), ZONE)
GATE = Gate.load(SHIPPED, strict=True)


def campaign(limits: Limits, capacity: Capacity, explore: float = 0.0, parts: tuple[str, ...] = ()) -> CampaignSettings:
    document = Document(
        name="planned",
        rank_by=("value_contact", "balance"),
        plan="slots",
        explore=explore,
        limits=limits,
        day_parts={"evening": "17:00-20:00"},
        capacity=capacity,
        segments=(Segment(name="all", when="true", treatment="call"),),
        treatments={"call": Treatment(steps=(Step(channel="call", day_parts=parts),))},
    )
    return attached(CampaignSettings(name="c", mode=Mode.predictive), Strategy(document=document))


def scores(people: Sequence[Dossier], seed: int) -> Scores:
    luck = np.random.default_rng(seed)
    ids = np.array(sorted(one.person for one in people), np.int64)
    pairs = [(one.person, phone.phone) for one in sorted(people, key=lambda one: one.person) for phone in one.phones]
    person, phone = np.array([one for one, _ in pairs]), np.array([one for _, one in pairs])
    answered = luck.uniform(0.05, 0.6, (len(pairs), WEEK)).astype(np.float32)
    right = (answered * luck.uniform(0.1, 0.9, answered.shape)).astype(np.float32)
    machine = np.where(luck.random(len(pairs)) < 0.5, luck.random(len(pairs)), np.nan).astype(np.float32)

    def numbers(persons: Sequence[int]) -> Numbers:
        of = np.isin(person, np.array(persons))
        return Numbers(person[of], phone[of], answered[of], right[of], machine[of])

    return Scores(ids, {"value_contact": luck.lognormal(8, 1.5, len(ids))}, "m1", numbers)


def planned(
    people: Sequence[Dossier],
    of: CampaignSettings,
    at_us: int,
    agents: float,
    told: Scores | None,
    pace: Pace = NO_PACE,
) -> Made:
    return by_strategy(people, of, at_us, ZONE, Known(), {}, None, told, place(agents), pace)


def place(agents: float = 1.0) -> Workplace:
    return Workplace(GATE, ZONE, 9, 12, lambda _: agents)


def called(one: Dossier, *when_us: int) -> Dossier:
    lines = [PastContact(at_us=at_us, event=ContactEvent.no_answer, phone=one.phones[0].phone) for at_us in when_us]
    return replace(one, history=tuple(lines))


@given(st.integers(0, 10_000), st.integers(0, 20), st.sampled_from([0.5, 3.0, 40.0]), st.booleans())
@settings(max_examples=6, deadline=None)
def test_law_limits_and_capacity(seed: int, hour: int, agents: float, told: bool) -> None:
    at_us = MONDAY_US + 3 * DAY + hour * HOUR + 20 * 60_000_000
    people = list(portfolio(load("bank_early"), 120, seed, MONDAY_US))
    # Some were called today, some three times within the week.
    people = [
        called(one, at_us - HOUR) if n % 5 == 0 else called(one, *(at_us - k * DAY for k in (3, 2, 1))) if n % 5 == 1
        else one
        for n, one in enumerate(people)
    ]  # fmt: skip
    of = campaign(Limits(calls_per_day=1, calls_per_week=3), Capacity())
    made = planned(people, of, at_us, agents, scores(people, seed) if told else None)
    plan = made.plans["champion"]
    columns, hours = columns_of(people), place().hours_us(at_us)[:12]
    todays = [lead for lead in made.leads if 0 < lead.from_us <= hours[-1]]
    assert len(todays) == plan.today
    count = np.array([len(one.phones) for one in people])
    may = np.zeros((len(people), len(hours)), bool)
    for number in range(int(count.max())):
        may |= callable_mask(
            GATE, columns, hours, phones=np.where(number < count, number, -1).astype(np.int32), actor="third_party",
            purpose="collection", live_agent_guaranteed=True,
        ) & (number < count)[:, None]  # fmt: skip
    row = {one.person: n for n, one in enumerate(people)}
    for lead in todays:
        one = people[row[lead.person]]
        assert at_us < lead.from_us + HOUR
        assert may[row[one.person], hours.tolist().index(lead.from_us)]
        dialled = [line.at_us for line in one.history]
        local = to_datetime(lead.from_us, one.address_zones[0]).date()
        assert not any(to_datetime(when, one.address_zones[0]).date() == local for when in dialled)
        assert sum(when > lead.from_us - 7 * DAY for when in dialled) < 3
    # A place more or less is an attempt, and an attempt is never more than a conversation.
    for slot in plan.slots:
        seconds = slot.agents * 3600 * float(occupancy(np.array(slot.agents)))
        assert slot.used * seconds <= 1.3 * seconds + 170
    assert plan.value >= 0.0
    # Nobody is lost: who is for no hour of today stands behind all who are.
    assert len(made.leads) == sum(bool(one.phones) for one in people)
    of_today = [lead in todays for lead in made.leads]
    assert of_today == sorted(of_today, reverse=True)
    # Who waits, waits for an hour that law lets him be called in.
    for lead in made.leads:
        if lead.from_us > hours[-1]:
            one = people[row[lead.person]]
            phones = [np.array([number], np.int32) for number in range(len(one.phones))]
            assert any(
                callable_mask(
                    GATE, columns_of([one]), np.array([lead.from_us]), phones=phone, actor="third_party",
                    purpose="collection", live_agent_guaranteed=True,
                )[0, 0]
                for phone in phones
            )  # fmt: skip


@given(
    st.integers(0, 10_000),
    st.integers(0, 20),
    st.sampled_from([(1, 3), (1, 2), (2, None), (1, None), (None, 1)]),
)
@settings(max_examples=8, deadline=None)
def test_planned_calls_leave_each_other_room(seed: int, hour: int, limits: tuple[int | None, int | None]) -> None:
    """What is planned for the week, made call after call, is refused by no cap of the law and by no limit."""
    chance = Random(seed)
    at_us = MONDAY_US + 3 * DAY + hour * HOUR + 20 * MINUTE
    people = [
        moved(chance, called(one, *sorted(at_us - chance.randrange(1, 10 * 24) * HOUR for _ in range(n % 5))))
        for n, one in enumerate(portfolio(load("bank_early"), 150, seed, MONDAY_US))
    ]
    of = campaign(Limits(calls_per_day=limits[0], calls_per_week=limits[1]), Capacity())
    strategy = strategy_of(of)
    assert strategy is not None
    treatment = of.treatment("champion.call.1")
    n = len(people)
    as_called = Called(np.zeros(n, np.int64), np.ones(n), np.zeros(n, bool), [treatment] * n)
    planner = Planner(place(40.0), of, strategy.document, as_called, at_us, scores(people, seed), NO_PACE)
    planner.add(0, people)
    hours, chosen = place().hours_us(at_us).tolist(), planner.solve().chosen
    assert ((chosen >= 0).sum(axis=1) > 1).sum() > 20 or limits[1] == 1
    for one, slots in zip(people, chosen.tolist(), strict=True):
        now = one
        for slot in slots:
            if slot < 0:
                continue
            start_us = max(hours[slot], at_us)
            verdicts = [
                GATE.judge(
                    now, at_us=start_us, phone=phone, debts=(), actor="third_party", purpose="collection",
                    live_agent_guaranteed=True,
                )
                for phone in now.phones
            ]  # fmt: skip
            may = [verdict for verdict in verdicts if verdict.allowed]
            assert may, (verdicts, slots, one)
            assert any(rest(treatment, now, verdict, start_us) is None for verdict in may), (slots, one)
            line = PastContact(
                at_us=start_us + chance.randrange(40) * MINUTE, event=ContactEvent.no_answer, attempt="s-1",
                debts=tuple(debt.debt for debt in now.debts),
            )  # fmt: skip
            now = replace(now, history=(*now.history, line))


#: Caps by the week, by debt and by household; days that are not the floor's.
HOMES = [
    ("US", "MA", "America/New_York"),
    ("US", "WA", "America/Los_Angeles"),
    ("US", "DC", "America/New_York"),
    ("US", "HI", "Pacific/Honolulu"),
    ("CL", "RM", "America/Santiago"),
    ("GB", "ENG", "Europe/London"),
]


def moved(chance: Random, one: Dossier) -> Dossier:
    if chance.random() < 0.4:
        return one
    country, region, zone = chance.choice(HOMES)
    phones = tuple(replace(phone, country=country, zones=(zone,)) for phone in one.phones)
    return replace(one, country=country, region=region, city=None, address_zones=(zone,), phones=phones)


def test_a_call_of_six_days_ago_frees_its_place_tomorrow() -> None:
    at_us = MONDAY_US + 9 * HOUR
    made = [one for one in portfolio(load("bank_early"), 600, 3, MONDAY_US) if one.country == "ES"]
    people = [called(one, at_us - 6 * DAY - 2 * HOUR) for one in made]
    # Law closes the weekend.
    for limit, days in ((1, {1, 2, 3, 4}), (2, {0, 1, 2, 3, 4})):
        plan = planned(people, campaign(Limits(calls_per_week=limit), Capacity()), at_us, 40.0, scores(people, 3))
        found = plan.plans["champion"]
        used = {(one.hour_us - MONDAY_US) // DAY for one in found.slots if one.debtors}
        assert used == days
        assert sum(one.debtors for one in found.slots) > 0.9 * limit * found.planned
    # Whoever had two of two four days ago has nothing until the fourth day.
    twice = [called(one, at_us - 4 * DAY, at_us - 4 * DAY + HOUR) for one in made]
    plan = planned(twice, campaign(Limits(calls_per_week=2), Capacity()), at_us, 40.0, scores(people, 3))
    assert {(one.hour_us - MONDAY_US) // DAY for one in plan.plans["champion"].slots if one.debtors} == {3, 4}


def test_the_hours_in_which_somebody_answers_are_used() -> None:
    people = list(portfolio(load("bank_early"), 300, 5, MONDAY_US))
    told = scores(people, 5)
    assert told.numbers is not None
    everybody = told.numbers([one.person for one in people])
    hour = np.arange(WEEK) % 24
    # Everybody is out until 18 h.
    right = np.where(hour < 18, np.float32(0.01), np.float32(0.4)) * np.ones((len(everybody.phone), 1), np.float32)
    answered = np.where(hour < 18, np.float32(0.1), np.float32(0.5)) * np.ones((len(everybody.phone), 1), np.float32)
    evening = told._replace(numbers=lambda _: everybody._replace(p_right=right, p_answered=answered))
    made = planned(people, campaign(Limits(), Capacity()), MONDAY_US + 9 * HOUR, 0.5, evening)
    today = {to_datetime(one.hour_us, ZONE).hour: one for one in made.plans["champion"].slots[:12]}
    taken = {hour: one.used for hour, one in today.items()}
    worth = {hour: one.agent_hour for hour, one in today.items()}
    assert min(taken[18], taken[19]) > 0.8
    assert min(worth[18], worth[19]) > 2 * max(worth[hour] for hour in range(9, 18))
    first = next(lead for lead in made.leads if to_datetime(lead.from_us, ZONE).hour == 18)
    assert (at(first.reach[0][1], 10), at(first.reach[0][1], 18)) == pytest.approx((0.1, 0.5), abs=1e-4)
    assert made.scores == "m1"


def test_numbers_stand_by_who_answers_in_the_hour() -> None:
    people = [one for one in portfolio(load("bank_early"), 300, 5, MONDAY_US) if len(one.phones) == 2]
    told = scores(people, 9)
    assert told.numbers is not None
    made = planned(people, campaign(Limits(), Capacity()), MONDAY_US + 9 * HOUR, 50.0, told)
    of = told.numbers([one.person for one in people])
    chance = dict(zip(of.phone.tolist(), of.p_right, strict=True))
    todays = [lead for lead in made.leads if lead.from_us]
    assert len(todays) > 20
    for lead in todays:
        hour = to_datetime(lead.from_us, ZONE).hour
        assert chance[lead.numbers[0]][hour] >= chance[lead.numbers[1]][hour]


def test_parts_of_the_debtors_day_and_stated_agents() -> None:
    people = list(portfolio(load("bank_early"), 150, 3, MONDAY_US))
    capacity = Capacity(agents={"18": 2.0, "11": 2.0}, days=("mon", "wed"))
    made = planned(people, campaign(Limits(), capacity, parts=("evening",)), MONDAY_US + 9 * HOUR, 99.0, None)
    worked = [to_datetime(one.hour_us, ZONE) for one in made.plans["champion"].slots if one.debtors]
    assert {(one.weekday(), one.hour) for one in worked} == {(0, 18), (2, 18)}


def test_who_is_called_by_lot_is_planned_for_too() -> None:
    people = list(portfolio(load("bank_early"), 400, 3, MONDAY_US))
    base = campaign(Limits(), Capacity(), explore=0.5)
    document = Document(
        name="planned", rank_by=("value_contact",), plan="slots", explore=0.5,
        segments=(Segment(name="poor", when="value_contact <= 2000", treatment="wait"),
                  Segment(name="all", when="true", treatment="call")),
        treatments={"call": Treatment(steps=(Step(channel="call"),)),
                    "wait": Treatment(steps=(Step(channel="none"),), explore=True)},
    )  # fmt: skip
    of = attached(replace(base, treatments={}, document=""), Strategy(document=document))
    told = scores(people, 3)
    nothing = told._replace(values={"value_contact": np.where(np.arange(len(people)) % 2, 5000.0, 0.0)})
    made = planned(people, of, MONDAY_US + 9 * HOUR, 5.0, nothing)
    by_lot = [lead for lead in made.leads if lead.choice is not None and lead.choice.segment == "poor"]
    assert len(by_lot) > 30
    assert sum(bool(lead.from_us) for lead in by_lot) > 0.05 * len(by_lot)


def test_the_floor_is_known_by_its_recent_days() -> None:
    people = list(portfolio(load("bank_early"), 2000, 3, MONDAY_US))
    slow = Pace(attempts=5000, connected=2000, right_party=1500, handling_s=2000 * 600.0)
    quick = slow._replace(handling_s=2000 * 300.0)
    took = [
        planned(people, campaign(Limits(calls_per_week=1), Capacity()), MONDAY_US + 9 * HOUR, 1.0, None, one).plans
        for one in (slow, quick)
    ]
    assert 1.5 * took[0]["champion"].planned < took[1]["champion"].planned


@pytest.mark.parametrize("detected", [False, True])
def test_machines_take_their_time_of_agents_who_hear_them(detected: bool) -> None:
    people = list(portfolio(load("bank_early"), 400, 3, MONDAY_US))
    told = scores(people, 3)
    pace = Pace(attempts=9000, connected=3000, right_party=600, handling_s=200e3, machines=2000, machines_s=20e3)
    assert pace.handling_per_person_s == pytest.approx(180.0, rel=0.02)
    assert pace.handling_per_machine_s == pytest.approx(10.0, rel=0.02)
    of = campaign(Limits(calls_per_week=1), Capacity())
    if detected:
        of = replace(of, detect_machines=True, clock_starts="greeting_end")

    def seconds(machine: float) -> float:
        assert told.numbers is not None

        def numbers(ids: Sequence[int]) -> Numbers:
            found = told.numbers(ids)  # type: ignore[misc]
            return found._replace(p_machine=np.full(len(found.phone), machine, np.float32))

        made = planned(people, of, MONDAY_US + 9 * HOUR, 40.0, told._replace(numbers=numbers), pace)
        return sum(one.used * one.agents for one in made.plans["champion"].slots)

    never, always = seconds(0.0), seconds(1.0)
    # A person takes 180 s with a third of the calls, a machine 10 s with the rest.
    assert always / never == pytest.approx(1.0 if detected else 1.0 + 10.0 / 180.0 * 0.63 / 0.37, rel=0.05)


def test_who_has_his_calls_of_the_week_planned_waits_for_them() -> None:
    # Law has no limit by the week there.
    people = [one for one in portfolio(load("bank_early"), 600, 3, MONDAY_US) if one.country == "ES"]
    at_us = MONDAY_US + 9 * HOUR
    tonight_us = place().hours_us(at_us)[11]

    def later(limits: Limits, agents: float) -> tuple[int, int]:
        made = planned(people, campaign(limits, Capacity()), at_us, agents, scores(people, 3))
        waits = sum(one.from_us > tonight_us for one in made.leads)
        return waits, made.plans["champion"].planned - made.plans["champion"].today

    waits, others = later(Limits(calls_per_week=1), 40.0)
    assert waits == others > 30
    # Where calls are not limited, or agents are too few for all that may be made, idle agents may call anybody.
    assert later(Limits(), 40.0)[0] == 0
    waits, others = later(Limits(calls_per_week=3), 0.05)
    assert waits < others
