"""What learners find of an effect that is known, and that they claim none where there is none."""

import numpy as np
import pytest

from domain.errors import BadInput
from models import uplift
from models.metrics import qini


def trial(n: int, effect: float, seed: int = 1, p_treated: float = 0.5) -> tuple[uplift.Rows, np.ndarray]:
    """Return rows in which contact moves those with x0 > 0 by `effect`, and x1 tells who pays anyway; the truth."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 4))
    x[random.random(n) < 0.1, 2] = np.nan
    treated = (random.random(n) < p_treated).astype(np.float64)
    true = effect * (x[:, 0] > 0.0)
    p = 0.05 + 0.15 / (1.0 + np.exp(-2.0 * x[:, 1]))
    y = (random.random(n) < p + treated * true).astype(np.float64)
    return uplift.Rows(x=x, treated=treated, p_treated=np.full(n, p_treated), y=y, group=np.arange(n)), true


@pytest.mark.parametrize("learner", uplift.LEARNERS)
def test_finds_whom_a_contact_moves(learner: uplift.Learner) -> None:
    rows, _ = trial(12_000, 0.2)
    unseen, true = trial(4_000, 0.2, seed=2)
    told = uplift.learn(rows, learner).predict(unseen.x)
    borne_out = uplift.shown(
        uplift.unseen_effects(rows, learner), uplift.robust(rows, *uplift.nuisance(rows, uplift.two_arms)), rows.group
    )
    assert borne_out.kind == "effect"
    assert borne_out(told)[true > 0].mean() == pytest.approx(0.2, abs=0.04)
    assert abs(borne_out(told)[true == 0].mean()) < 0.04
    order = np.argsort(-told)
    assert true[order[:2000]].mean() > 0.9 * np.sort(true)[::-1][:2000].mean()


@pytest.mark.parametrize("learner", uplift.LEARNERS)
def test_the_same_rows_give_the_same_bytes(learner: uplift.Learner) -> None:
    rows, _ = trial(2_000, 0.2)
    assert uplift.learn(rows, learner, rounds=20) == uplift.learn(rows, learner, rounds=20)


def test_a_lot_that_was_not_even_is_allowed_for() -> None:
    rows, _ = trial(12_000, 0.2, p_treated=0.2)
    unseen, true = trial(4_000, 0.2, seed=2)
    told = uplift.learn(rows, "dr").predict(unseen.x)
    assert told[true > 0].mean() == pytest.approx(0.2, abs=0.05)
    m1, m0 = uplift.nuisance(rows, uplift.two_arms)
    assert uplift.robust(rows, m1, m0).mean() == pytest.approx(0.1, abs=0.03)


def test_an_effect_that_differs_is_shown() -> None:
    rows, _ = trial(8_000, 0.2)
    told = uplift.unseen_effects(rows, "s")
    found = uplift.shown(told, uplift.robust(rows, *uplift.nuisance(rows, uplift.two_arms)), rows.group)
    assert found.kind == "effect"
    assert found(told).mean() == pytest.approx(found.mean.value)
    assert found.mean.low < 0.1 < found.mean.high


def test_one_effect_for_all_is_shown_as_the_mean() -> None:
    random = np.random.default_rng(3)
    found = uplift.shown(random.normal(size=5_000), 0.1 + random.normal(size=5_000), np.arange(5_000))
    assert found.kind == "mean"
    assert found(np.array([-9.0, 9.0])).tolist() == [found.shift, found.shift]


@pytest.mark.parametrize("seed", range(4))
def test_no_effect_is_shown_where_contact_does_nothing(seed: int) -> None:
    rows, _ = trial(4_000, 0.0, seed=seed)
    told = uplift.unseen_effects(rows, "s", rounds=50)
    found = uplift.shown(told, uplift.robust(rows, *uplift.nuisance(rows, uplift.two_arms)), rows.group)
    # Too few to say that it does nothing, either: what is not known is no number.
    assert found.kind == "unknown"
    assert found.mean.high > uplift.LITTLE
    assert np.isnan(found(told)).all()


def test_many_bear_out_that_a_contact_does_next_to_nothing() -> None:
    random = np.random.default_rng(8)
    told, effects, group = random.normal(size=40_000), 0.4 * random.normal(size=40_000), np.arange(40_000)
    found = uplift.shown(told, effects, group)
    assert found.kind == "none"
    assert found.mean.high <= uplift.LITTLE
    assert not found(told).any()
    few = uplift.shown(told[:4_000], effects[:4_000], group[:4_000])
    assert few.kind == "unknown"
    # As good as nothing, and as bad as something: neither is a gain.
    assert uplift.shown(told, effects - 0.1, group).kind == "none"


def test_false_alarms_are_as_rare_as_stated() -> None:
    """Effects that are noise, told by noise: the slope or the mean is believed about twice in a hundred times."""
    random = np.random.default_rng(5)
    wrong = sum(
        uplift.shown(random.normal(size=400), random.normal(size=400), np.arange(400)).kind in ("effect", "mean")
        for _ in range(1_000)
    )
    assert 5 <= wrong <= 40


def test_rows_of_one_debtor_count_as_one() -> None:
    random = np.random.default_rng(6)
    effects, told = 0.12 + random.normal(size=500), random.normal(size=500)
    many = uplift.shown(np.repeat(told, 20), np.repeat(effects, 20), np.repeat(np.arange(500), 20))
    once = uplift.shown(told, effects, np.arange(500))
    assert many.p_mean == pytest.approx(once.p_mean)
    assert many.p_slope == pytest.approx(once.p_slope)


def test_who_is_judged_was_not_learned_from() -> None:
    group = np.repeat(np.arange(50), 3)
    folds = uplift.fold_rows(group)
    assert np.sum(folds, axis=0).tolist() == [1] * 150
    for fold in folds:
        assert not set(group[fold]) & set(group[~fold])


def test_the_better_ranking_wins_and_the_simpler_where_none_does() -> None:
    rows, true = trial(6_000, 0.3)
    noise = np.random.default_rng(7).normal(size=len(rows))
    expected = np.full(len(rows), rows.y.mean())
    judged = uplift.compare({"s": noise, "x": true, "dr": true + 1e-9}, rows, expected)
    assert judged[-1].learner == "s"
    assert judged[-1].behind.low > 0.0
    assert uplift.choose(judged) == "x"
    # Taking the expected outcome away leaves the curve as it is on the average.
    plain = qini(rows.y, rows.treated, true, rows.p_treated, np.ones(len(rows)))
    assert judged[0].qini.value == pytest.approx(plain, abs=0.01)


def test_value_is_effect_by_amount_less_cost() -> None:
    found = uplift.value(np.array([0.1, 0.0]), np.array([0.5, 0.5]), np.array([1000.0, 1000.0]), 2.0)
    assert found.tolist() == [48.0, -2.0]


def test_arms_too_small_are_refused() -> None:
    rows, _ = trial(600, 0.2)
    with pytest.raises(BadInput, match=r"rows were (contacted|left alone) by lot, .* at least 500 rows"):
        uplift.learn(rows, "s")
