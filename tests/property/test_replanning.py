"""The rest of a day planned anew: a bad hour is left, law and limits hold, and nobody moves without a reason."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from compliance.columns import columns_of
from compliance.mask import callable_mask
from domain.instants import HOUR
from domain.people import Dossier, Lead
from domain.settings import CampaignSettings
from simulation.population import load, portfolio
from strategy.documents import Capacity, Limits, Strategy, attached, strategy_of
from strategy.fields import Scores
from strategy.learning import Habit, Hour
from strategy.planning import NO_PACE
from strategy.replanning import Beliefs, Learnt, Replanned, _moved, _rising, beliefs, learns, replan
from tests.property.test_planning import GATE, MONDAY_US, ZONE, campaign, place, planned, scores

#: Eleven o'clock.
NOW_US = MONDAY_US + 11 * HOUR
HABIT = Habit(strength=10.0, kept=0.6)
FIXED = campaign(Limits(calls_per_day=1, calls_per_week=3), Capacity())


def learning(settings: CampaignSettings) -> CampaignSettings:
    """Return a campaign whose strategy plans the rest of a day anew."""
    strategy = strategy_of(settings)
    assert strategy is not None
    of = replace(strategy, document=replace(strategy.document, replan=True))
    return attached(replace(settings, document="", treatments={}), of)


PLAIN = learning(FIXED)


def learnt(forecast: float, answered: int, staff: float = 1.0) -> Learnt:
    return Learnt("2027-02-01", HABIT, [Hour(11, forecast, answered)], staff)


def again(
    leads: Sequence[Lead],
    people: Sequence[Dossier],
    told: Scores | None,
    of: Learnt,
    agents: float,
    settings: CampaignSettings = PLAIN,
) -> Replanned:
    by_id = {one.person: one for one in people}
    theirs = [by_id[lead.person] for lead in leads]
    return replan(place(agents), settings, leads, theirs, NOW_US, told, NO_PACE, of, beliefs(of, NOW_US, ZONE))


@pytest.fixture(scope="module")
def people() -> list[Dossier]:
    return list(portfolio(load("bank_early"), 150, 3, MONDAY_US))


@pytest.mark.parametrize("agents", [0.5, 30.0])
def test_who_is_planned_for_an_hour_that_answers_badly_leaves_it(people: list[Dossier], agents: float) -> None:
    told = scores(people, 1)
    leads = planned(people, PLAIN, NOW_US, agents, told).leads
    now = {one.person for one in leads if one.from_us == NOW_US}
    # As a floor has them: whose hour has begun may be called now.
    leads = [replace(one, from_us=one.from_us if one.from_us > NOW_US else 0) for one in leads]
    same = again(leads, people, told, learnt(40.0, 40), agents)
    bad = again(leads, people, told, learnt(40.0, 8), agents)
    good = again(leads, people, told, learnt(40.0, 80), agents)
    assert len(same.leads) <= 0.1 * len(leads)
    left, left_a_good_one = (
        sum(one.person in now and one.from_us > NOW_US for one in found.leads) for found in (bad, good)
    )
    assert len(bad.leads) > 0.1 * len(leads)
    if agents > 1.0:
        # For few agents a good hour, whose calls take more of their time, holds fewer too.
        assert left >= 0.25 * len(now)
        assert left_a_good_one == 0
    assert bad.by.answers[0] < 0.5 < bad.by.answers[1] < 1.0 < good.by.answers[0]
    assert (bad.by.hour, bad.by.waiting, bad.by.moved) == (11, len(leads), len(bad.leads))
    assert bad.scores == told.version


@given(st.integers(0, 1000), st.integers(0, 80), st.sampled_from([0.5, 3.0, 40.0]), st.booleans())
@settings(max_examples=6, deadline=None)
def test_nobody_moves_to_an_hour_that_law_forbids(seed: int, answered: int, agents: float, scored: bool) -> None:
    people = list(portfolio(load("bank_early"), 100, seed, MONDAY_US))
    told = scores(people, seed) if scored else None
    made = planned(people, PLAIN, NOW_US, agents, told)
    leads = [replace(one, from_us=one.from_us if one.from_us > NOW_US else 0) for one in made.leads]
    found = again(leads, people, told, learnt(40.0, answered), agents)
    before = {one.person: one for one in leads}
    for one in found.leads:
        was = before[one.person]
        # The decision stands.
        assert (one.choice, one.debts, one.owner) == (was.choice, was.debts, was.owner)
    moved = [one for one in found.leads if one.from_us]
    by_id = {one.person: one for one in people}
    theirs = [by_id[one.person] for one in moved]
    hours = np.array(sorted({one.from_us for one in moved}), np.int64)
    if not len(hours):
        return
    may = np.zeros((len(theirs), len(hours)), bool)
    count = np.array([len(one.phones) for one in theirs])
    for number in range(int(count.max())):
        may |= callable_mask(
            GATE, columns_of(theirs), hours, phones=np.where(number < count, number, -1).astype(np.int32),
            actor="third_party", purpose="collection", live_agent_guaranteed=True,
        ) & (number < count)[:, None]  # fmt: skip
    for row, one in enumerate(moved):
        assert one.from_us > NOW_US
        assert may[row, hours.tolist().index(one.from_us)]


def test_fewer_agents_than_planned_have_fewer_debtors_today(people: list[Dossier]) -> None:
    told = scores(people, 1)
    leads = planned(people, PLAIN, NOW_US, 4.0, told).leads
    leads = [replace(one, from_us=one.from_us if one.from_us > NOW_US else 0) for one in leads]
    whole, half = (again(leads, people, told, learnt(40.0, 40, staff), 4.0) for staff in (1.0, 0.3))
    assert len(half.leads) > len(whole.leads)


@pytest.mark.parametrize("scored", [False, True])
def test_where_nobody_waits_nobody_moves(people: list[Dossier], scored: bool) -> None:
    found = again([], people, scores(people, 1) if scored else None, learnt(40.0, 8), 4.0)
    assert (found.leads, found.scores, found.by.waiting, found.by.moved) == ([], None, 0, 0)


def test_a_plan_stands_unless_its_document_says_otherwise() -> None:
    assert learns(PLAIN)
    assert not learns(FIXED)
    assert not learns(learning(attached(replace(FIXED, document="", treatments={}), unplanned())))
    assert not learns(CampaignSettings(name="c"))


def unplanned() -> Strategy:
    strategy = strategy_of(FIXED)
    assert strategy is not None
    return replace(strategy, document=replace(strategy.document, plan=""))


def test_a_plan_stands_until_its_hour_is_answered_otherwise_than_it_goes_by() -> None:
    def believed(answered: int) -> Beliefs:
        return beliefs(learnt(40.0, answered), NOW_US, ZONE)

    assert believed(40).stands(None)
    assert not believed(20).stands(None)
    assert not believed(80).stands(None)
    assert believed(21).stands(believed(20))
    assert not believed(40).stands(believed(20))
    assert not believed(20).stands(believed(20)._replace(day="2027-01-29"))


@given(st.lists(st.integers(0, 50), max_size=40))
def test_as_few_as_have_to_move(ranks: list[int]) -> None:
    kept = [rank for rank, stays in zip(ranks, _rising(ranks), strict=True) if stays]
    assert all(a < b for a, b in pairwise(kept))
    longest: list[int] = []
    for place_, rank in enumerate(ranks):
        longest.append(1 + max((longest[k] for k in range(place_) if ranks[k] < rank), default=0))
    assert len(kept) == max(longest, default=0)
    leads = [Lead(person=n, rank=rank, debts=()) for n, rank in enumerate(ranks)]
    to = _moved(leads, [0] * len(leads))
    after = [lead.rank if rank is None else rank for lead, rank in zip(leads, to, strict=True)]
    assert after == sorted(after)
