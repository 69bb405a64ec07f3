"""Off-policy value against known truth: a log drawn from a known world, and what it must refuse to say."""

from typing import Any

import numpy as np
import pytest

from domain.errors import BadInput
from strategy.offpolicy import expected, worth

ACTIONS = 3


def log(seed: int, debtors: int = 800, each: int = 3, explored: float = 0.3) -> tuple[dict[str, Any], float]:
    """Return a log of decisions about debtors who differ, and the new strategy's true value on these very debtors."""
    chance = np.random.default_rng(seed)
    debtor = np.repeat(np.arange(debtors), each)
    n = len(debtor)
    kind = chance.random(debtors)[debtor]
    # What each action brings on average: the second pays for some, the third for others.
    mean = np.stack([np.full(n, 1.0), 3.0 * kind, 3.0 * (1.0 - kind)], axis=1)
    logged = np.full((n, ACTIONS), explored / ACTIONS)
    logged[:, 1] += 1.0 - explored
    action = (chance.random(n)[:, None] > logged.cumsum(axis=1)).sum(axis=1)
    reward = mean[np.arange(n), action] * chance.exponential(size=n) * chance.exponential(size=debtors)[debtor]
    new = np.full((n, ACTIONS), 0.05)
    new[np.arange(n), np.where(kind > 0.5, 1, 2)] += 0.85
    given = {"reward": reward, "action": action, "logged": logged, "new": new, "debtor": debtor}
    return given, 0.05 * (1.0 + 1.5 + 1.5) + 0.85 * 3.0 * 0.75


@pytest.mark.parametrize("kind", ["ips", "snips", "dr"])
def test_intervals_cover_the_truth(kind: str):
    inside = 0
    for seed in range(400):
        given, truth = log(seed)
        # A poor model: it knows no debtor.
        predicted = np.tile([1.0, 1.3, 1.3], (len(given["reward"]), 1))
        found = getattr(worth(**given, predicted=predicted), kind)
        inside += found.low <= truth <= found.high
    # 95 %, less what 400 draws leave open.
    assert inside >= 0.93 * 400


def test_a_good_model_narrows_what_the_log_says():
    given, _ = log(1)
    kind = np.random.default_rng(1).random(800)[given["debtor"]]
    found = worth(**given, predicted=np.stack([np.ones_like(kind), 3 * kind, 3 * (1 - kind)], axis=1))
    assert found.dr is not None
    assert found.ips is not None
    assert found.dr.high - found.dr.low < 0.9 * (found.ips.high - found.ips.low)


def test_the_strategy_that_ran_is_worth_what_it_had():
    given, _ = log(2)
    found = worth(**given | {"new": given["logged"]})
    assert found.ips == found.snips == found.had
    assert found.ess == pytest.approx(found.n)
    assert found.support == pytest.approx(1.0)


def test_what_was_never_tried_is_not_guessed():
    given, _ = log(3, explored=0.0)
    found = worth(**given)
    assert "was never tried in its place" in found.refused
    assert found.ips is found.snips is found.dr is None


def test_too_few_decisions_that_count_are_no_estimate():
    given, _ = log(4, debtors=120, explored=0.05)
    found = worth(**given, most_weight=1e9)
    assert found.support == pytest.approx(1.0)
    assert found.ess < 200
    assert "200 are needed" in found.refused


def test_cut_weights_are_told():
    given, _ = log(5, explored=0.03)
    found = worth(**given, most_weight=5.0)
    assert found.cut > 0.0
    assert found.most_weight > 5.0


def test_intervals_are_by_debtor():
    given, _ = log(6, each=4)
    apart = worth(**given | {"debtor": np.arange(len(given["reward"]))})
    together = worth(**given)
    assert together.had.high - together.had.low > 1.2 * (apart.had.high - apart.had.low)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reward": np.empty(0)}, "reward: no decisions"),
        ({"action": np.zeros(3, int)}, "action: expected one for each of 2400 decisions"),
        ({"new": np.full((2400, 2), 0.5)}, "new: expected 2400 decisions by 3 actions"),
        ({"new": np.full((2400, 3), 0.5)}, "new: the chances of decision 0 are"),
        ({"action": np.full(2400, 7)}, "action: decision 0 took 7; there are 3 actions"),
        ({"logged": np.tile([0.5, 0.0, 0.5], (2400, 1))}, "which had no chance"),
        ({"reward": np.full(2400, np.nan)}, "reward: decision 0 has"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], words: str):
    given, _ = log(0)
    with pytest.raises(BadInput, match=words):
        worth(**given | change)


def test_expectations_have_not_seen_their_debtor_and_still_know_something():
    given, _ = log(9)
    kind = np.random.default_rng(9).random(800)[given["debtor"]]
    fold = given["debtor"] % 4
    found = expected(given["reward"], given["action"], kind[:, None], fold, ACTIONS)
    assert found.shape == given["logged"].shape
    for action, mean in ((1, 3 * kind), (2, 3 * (1 - kind))):
        assert np.corrcoef(found[:, action], mean)[0, 1] > 0.95
    changed = given["reward"] + 100.0 * (fold == 2)
    again = expected(changed, given["action"], kind[:, None], fold, ACTIONS)
    assert again[fold == 2] == pytest.approx(found[fold == 2])
    assert not np.allclose(again[fold != 2], found[fold != 2])


def test_a_cross_fitted_model_narrows_and_covers():
    inside, narrower = 0, 0
    for seed in range(100):
        given, truth = log(seed)
        kind = np.random.default_rng(seed).random(800)[given["debtor"]]
        predicted = expected(given["reward"], given["action"], kind[:, None], given["debtor"] % 4, ACTIONS)
        found = worth(**given, predicted=predicted)
        assert found.dr is not None
        assert found.ips is not None
        inside += found.dr.low <= truth <= found.dr.high
        narrower += found.dr.high - found.dr.low < found.ips.high - found.ips.low
    assert inside >= 88
    assert narrower >= 95
