"""Plans for contacts and for promises kept: conversations count by the objective, and what ranks orders the rest."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.instants import HOUR, to_datetime
from domain.people import Dossier
from domain.settings import CampaignSettings
from simulation.lists import Made
from simulation.population import load, portfolio
from strategy.documents import Capacity, Document, Limits, Segment, Step, Strategy, Treatment, attached, strategy_of
from strategy.fields import Scores
from strategy.worths import worths
from tests.property.test_planning import MONDAY_US, ZONE, campaign, planned, scores
from tests.property.test_replanning import NOW_US, again, learnt

AT_US = MONDAY_US + 9 * HOUR


def for_objective(objective: str, **more: object) -> CampaignSettings:
    """A campaign whose plan counts by an objective."""
    plain = campaign(Limits(), Capacity())
    strategy = strategy_of(plain)
    assert strategy is not None
    document = replace(strategy.document, objective=objective, **more)
    return attached(replace(plain, document="", treatments={}), Strategy(document=document))


def people(n: int = 300, seed: int = 5) -> list[Dossier]:
    return [one for one in portfolio(load("bank_early"), n, seed, MONDAY_US) if one.phones]


def with_promises(told: Scores, everybody: Sequence[Dossier], seed: int = 1) -> Scores:
    luck = np.random.default_rng(seed)
    p_right = luck.uniform(0.05, 0.5, len(told.person))
    return told._replace(
        values=told.values | {"p_right": p_right, "p_promise": p_right * luck.uniform(0.0, 1.0, len(told.person))}
    )


def right(made: Made, told: Scores) -> dict[int, float]:
    """Return the chance that the call of each of today's debtors reaches him, by person."""
    assert told.numbers is not None
    of = told.numbers([lead.person for lead in made.leads])
    best: dict[int, np.ndarray] = {}
    for person, p_right in zip(of.person.tolist(), of.p_right, strict=True):
        best[person] = np.maximum(best.get(person, p_right), p_right)
    found = {}
    for lead in made.leads:
        local = to_datetime(lead.from_us, ZONE)
        if lead.from_us and local.date() == to_datetime(AT_US, ZONE).date():
            found[lead.person] = float(best[lead.person][24 * local.weekday() + local.hour])
    return found


def test_a_plan_for_contacts_reaches_more_people_and_one_for_money_brings_more_money() -> None:
    everybody = people()
    told = scores(everybody, 5)
    money = planned(everybody, for_objective("net_recovery"), AT_US, 0.1, told)
    contacts = planned(everybody, for_objective("right_party_contacts"), AT_US, 0.1, told)
    worth = dict(zip(told.person.tolist(), told.values["value_contact"].tolist(), strict=True))
    reached = [right(made, told) for made in (money, contacts)]
    assert sum(reached[1].values()) > 1.1 * sum(reached[0].values())
    brought = [sum(p * worth[person] for person, p in one.items()) for one in reached]
    assert brought[0] > 1.3 * brought[1]
    plan = contacts.plans["champion"]
    assert (plan.unit, plan.money, plan.valued_by) == ("contacts", False, {"right_party_contacts": 1.0})
    assert money.plans["champion"].unit == "money"
    # Of the week's contacts, today's are those that the list expects.
    assert sum(one.value for one in plan.slots[:12]) == pytest.approx(sum(reached[1].values()), rel=0.01)


def test_without_scores_what_ranks_orders_a_plan_for_contacts() -> None:
    everybody = people(150)
    made = planned(everybody, for_objective("right_party_contacts"), AT_US, 50.0, None)
    balances = [lead.choice.value for lead in made.leads if lead.choice is not None and lead.from_us]
    assert len(balances) > 50
    assert balances == sorted(balances, reverse=True)
    assert {lead.choice.by for lead in made.leads if lead.choice is not None} == {"balance"}


def test_a_plan_for_promises_counts_what_a_conversation_brings_in_kept_ones() -> None:
    everybody = people()
    told = with_promises(scores(everybody, 5), everybody)
    made = planned(everybody, for_objective("promises_kept"), AT_US, 0.5, told)
    plan = made.plans["champion"]
    assert (plan.unit, plan.money, plan.valued_by) == ("promises kept", False, {"kept_per_contact": 1.0})
    brings = dict(zip(told.person.tolist(), (told.values["p_promise"] / told.values["p_right"]).tolist(), strict=True))
    for lead in made.leads:
        assert lead.choice is not None
        # Nobody has promised yet: half of what is promised is thought to be kept.
        assert (lead.choice.by, lead.choice.value) == ("kept_per_contact", pytest.approx(0.5 * brings[lead.person]))
    contacts = planned(everybody, for_objective("right_party_contacts"), AT_US, 0.5, told)
    kept = [sum(0.5 * p * brings[person] for person, p in right(one, told).items()) for one in (made, contacts)]
    assert kept[0] > 1.1 * kept[1]
    # Of whom no model tells it, conversations count one alike: contacts.
    plain = planned(everybody, for_objective("promises_kept"), AT_US, 0.5, scores(everybody, 5))
    same = planned(everybody, for_objective("right_party_contacts"), AT_US, 0.5, scores(everybody, 5))
    assert plain.plans["champion"].unit == "contacts"
    assert [(one.person, one.from_us) for one in plain.leads] == [(one.person, one.from_us) for one in same.leads]


def test_what_an_attempt_costs_is_weighed_against_money_alone() -> None:
    everybody, dear = people(100), Capacity(cost_per_attempt=1e9)
    told = scores(everybody, 5)
    assert (
        not planned(everybody, for_objective("net_recovery", capacity=dear), AT_US, 5.0, told).plans["champion"].planned
    )
    counted = planned(everybody, for_objective("right_party_contacts", capacity=dear), AT_US, 5.0, told)
    free = planned(everybody, for_objective("right_party_contacts"), AT_US, 5.0, told)
    assert counted.plans == free.plans
    assert counted.plans["champion"].planned > 50


@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(-1e6, 1e6)), max_size=40),
    st.sampled_from(["right_party_contacts", "promises_kept"]),
)
@settings(max_examples=60)
def test_conversations_that_count_alike_differ_by_a_hundredth_at_most_and_in_the_order_of_what_ranks(
    ranked: list[tuple[int, float]], objective: str
) -> None:
    document = Document(
        name="x",
        objective=objective,  # type: ignore[arg-type]
        plan="slots",
        rank_by=("value_contact", "balance"),
        segments=(Segment(name="all", when="true", treatment="call"),),
        treatments={"call": Treatment(steps=(Step(channel="call"),))},
    )
    # In a plan for promises the first place is what models tell of them, and here they tell nothing.
    first = int(objective == "promises_kept")
    tier = np.array([first + one for one, _ in ranked], np.int64)
    value = np.array([one for _, one in ranked])
    found, told = worths(tier, value, np.zeros(len(ranked), bool), document)
    assert told == {"right_party_contacts": 1.0}
    assert np.abs(found - 1.0).max(initial=0.0) <= 0.005
    order = np.lexsort((-value, tier))
    assert (np.diff(found[order]) < 0.0).all()
    assert found.mean() == pytest.approx(1.0) if ranked else not len(found)


@pytest.mark.parametrize("objective", ["right_party_contacts", "promises_kept"])
def test_the_rest_of_a_day_is_planned_for_the_same_objective(objective: str) -> None:
    everybody = people(150, 3)
    told = with_promises(scores(everybody, 1), everybody)
    of = for_objective(objective, replan=True)
    leads = planned(everybody, of, NOW_US, 0.5, told).leads
    # As a floor has them: whose hour has begun may be called now.
    leads = [replace(one, from_us=one.from_us if one.from_us > NOW_US else 0) for one in leads]
    found = again(leads, everybody, told, learnt(40.0, 40), 0.5, of)
    # As forecast, so that whoever counts otherwise than in the morning would have to move.
    assert len(found.leads) <= 0.1 * len(leads)
    otherwise = again(leads, everybody, told, learnt(40.0, 40), 0.5, for_objective("net_recovery", replan=True))
    assert len(otherwise.leads) > 3 * len(found.leads)
