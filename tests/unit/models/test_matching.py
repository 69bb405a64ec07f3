"""Who suits whom: found where it is so, claimed as far as later conversations bear it out, and nowhere else."""

import numpy as np
import pytest

from domain.errors import BadInput
from models.matching import F8, Talks, fit, learn

GROUPS = 6


def talks(n: int, agents: int, deviation: float, seed: int) -> tuple[Talks, F8]:
    """Return conversations in a month, and what agents add in groups beside their own and the groups' rates."""
    random = np.random.default_rng(seed)
    at_us = np.sort(random.integers(0, 30 * 86_400_000_000, n))
    agent, hour = random.integers(0, agents, n), 9 + random.integers(0, 11, n)
    days, owed = np.floor(random.lognormal(4.5, 1.0, n)), np.floor(random.lognormal(10.0, 1.0, n))
    currency = random.integers(0, 2, n)
    owed = np.where(currency == 1, 4000.0 * owed, owed)
    band = np.searchsorted(np.quantile(days, (1 / 3, 2 / 3)), days, side="right")
    much = owed >= np.array([np.median(owed[currency == code]) for code in (0, 1)])[currency]
    group = 2 * band + much
    adds = deviation * random.standard_normal((agents, GROUPS))
    adds -= adds.mean(axis=0)
    adds -= adds.mean(axis=1, keepdims=True)
    own, of_group = 0.05 * random.standard_normal(agents), np.array([-0.08, 0.0, 0.02, 0.05, -0.03, 0.04])
    p = np.clip(0.35 + own[agent] + of_group[group] + 0.01 * (hour - 14) + adds[agent, group], 0.02, 0.98)
    y = (random.random(n) < p).astype(float)
    names = tuple(f"a{number}" for number in range(agents))
    person = random.integers(0, n // 3, n)
    return Talks(names, ("EUR", "COP"), agent, person, at_us, at_us + 1, hour, days, owed, currency, y), adds


def test_what_agents_add_is_found_and_told_to_the_engine_by_its_groups() -> None:
    given, truth = talks(20_000, 10, 0.08, 3)
    found = learn(given)
    assert found.deviation == pytest.approx(truth.std(), abs=0.02)
    assert found.slope == pytest.approx(1.0, abs=0.15)
    table = found.matching
    assert table is not None
    assert table.groups == GROUPS == len(found.groups)
    told = np.array([table.gains[name] for name in given.agents])
    assert np.corrcoef(told.ravel(), truth.ravel())[0, 1] > 0.9
    assert table.much_minor["COP"] > 1000 * table.much_minor["EUR"]
    assert sum(count for _, count, _ in found.groups) == found.conversations == 20_000
    # What the best of those free really adds lies where it is said to.
    share = np.array([count for _, count, _ in found.groups]) / 20_000
    pairs = [(i, j) for i in range(10) for j in range(10) if i != j]
    best = np.array([[truth[i if told[i, g] >= told[j, g] else j, g] for g in range(GROUPS)] for i, j in pairs])
    gain = float((best.mean(axis=0) - truth.mean(axis=0)) @ share)
    assert found.gains[2].low < gain < found.gains[2].high
    assert found.gains[2].value < found.gains[3].value < found.gains[5].value


def test_where_nobody_suits_anybody_nothing_is_claimed() -> None:
    found = [learn(talks(3000, 10, 0.0, seed)[0]) for seed in range(60)]
    # One in a hundred may take luck for a signal.
    assert sum(one.slope > 0.0 for one in found) <= 2
    # So they may of cells, one in twenty.
    assert sum(one.p_cells < 0.05 for one in found) <= 8
    assert all((one.matching is None) == (one.slope == 0.0) and bool(one.gains) == (one.slope > 0.0) for one in found)


def test_few_conversations_are_drawn_to_nothing() -> None:
    given, truth = talks(4000, 10, 0.08, 8)
    group = np.random.default_rng(0).integers(0, GROUPS, 4000)
    plain = fit(given, group, GROUPS)
    # Groups that have nothing to do with the outcome.
    assert np.abs(plain.adds).max() < 0.05
    given, truth = talks(1500, 10, 0.08, 8)
    found = learn(given)
    raw = np.abs(truth).max()
    assert found.matching is None or max(max(map(abs, of)) for of in found.matching.gains.values()) < 1.5 * raw


def test_agents_and_groups_that_differ_by_themselves_are_not_taken_for_a_match() -> None:
    """An agent who is good with everybody, and a group that pays anyhow, add nothing."""
    given, _ = talks(20_000, 10, 0.0, 5)
    good = np.where(given.agent < 3, 0.3, 0.0) + np.where(given.days > 90, 0.2, 0.0)
    y = (np.random.default_rng(1).random(20_000) < 0.2 + good).astype(float)
    found = learn(given._replace(y=y))
    assert found.slope == 0.0
    assert found.deviation < 0.02


def test_equal_conversations_give_the_same_table() -> None:
    given, _ = talks(10_000, 5, 0.1, 2)
    one, other = learn(given).matching, learn(given).matching
    assert one is not None
    assert one == other
    assert one.version


def test_too_few_conversations_are_refused_in_words() -> None:
    with pytest.raises(BadInput, match=r"499 conversations of 5 agents .* 500 of two agents at least are wanted"):
        learn(talks(499, 5, 0.1, 1)[0])
    with pytest.raises(BadInput, match="1 agents"):
        learn(talks(900, 1, 0.1, 1)[0])
