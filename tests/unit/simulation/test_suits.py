"""Worlds in which agents suit some debtors more than others, and those in which they do not."""

import numpy as np

from domain.instants import parse
from simulation.callees import Meeting
from simulation.chance import Chance
from simulation.population import Debtors, load, portfolio

START_US = parse("2026-11-16T10:00:00Z")
AGENTS = [f"a{number}" for number in range(40)]


def debtors(by_agent: float, seed: int = 3) -> Debtors:
    laws = load("default", {"promises": {"by_agent": by_agent}})
    found = Debtors(laws, Chance(seed), start_us=START_US)
    found.meet(portfolio(laws, 300, seed, START_US))
    return found


def words(world: Debtors, agent: str) -> list[object]:
    """Return what everybody says to an agent."""
    said = []
    for one in portfolio(world.laws, 300, 3, START_US):
        meeting = Meeting(
            phone=one.phones[0].phone, person=one.person, nth=1, who="debtor", fate=None, setup_us=0, ring_us=0
        )
        meeting.agent = agent
        said.append(world.say(meeting, START_US, one.person, ()))
    return said


def test_without_the_effect_it_is_all_the_same_who_talks() -> None:
    assert words(debtors(0.0), "a1") == words(debtors(0.0), "a2") == words(debtors(0.0), "")
    world = debtors(0.0)
    assert {world.suits.p_agrees(1, agent) for agent in AGENTS} == {world.suits.p_agrees(1, "")}


def test_with_it_agents_bring_more_of_some_and_less_of_others() -> None:
    world = debtors(0.8)
    people = [one.person for one in portfolio(world.laws, 300, 3, START_US)]
    p = np.array([[world.suits.p_agrees(person, agent) for person in people] for agent in AGENTS])
    plain = np.array([world.suits.p_agrees(person, "") for person in people])
    open_ = (plain > 0.05) & (plain < 0.95)
    p, plain = p[:, open_], plain[open_]
    odds = np.log(p / (1.0 - p)) - np.log(plain / (1.0 - plain))
    assert abs(odds.mean()) < 0.15
    # At the ends of both scales the deviation is as stated, in between less.
    assert 0.4 < odds.std() < 0.8
    assert words(debtors(0.8), "a1") != words(debtors(0.8), "a2")


def test_the_same_agents_work_whatever_the_seed() -> None:
    laws = load("default", {"promises": {"by_agent": 0.8}})
    people = portfolio(laws, 50, 3, START_US)
    found = []
    for seed in (1, 2):
        world = Debtors(laws, Chance(seed), start_us=START_US)
        world.meet(people)
        at_hand = [world.suits.hand("a1"), world.suits.hand("a2")]
        found.append(at_hand)
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]
