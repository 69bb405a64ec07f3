"""Figures of scores: against other implementations, against repetition, against known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from models import metrics
from models.metrics import Resampled, Scored, bootstrap


def drawn(n: int, seed: int = 1, ties: bool = False) -> tuple[metrics.F8, metrics.F8]:
    random = np.random.default_rng(seed)
    p = random.beta(2, 6, n)
    if ties:
        p = np.round(p, 1)
    return (random.random(n) < p).astype(float), p


@pytest.mark.parametrize("ties", [False, True])
def test_figures_are_those_of_scikit_learn(ties: bool) -> None:
    y, p = drawn(3000, ties=ties)
    w = np.random.default_rng(2).integers(0, 4, 3000).astype(float)
    found = Scored(y, p).figures(w)
    assert found["auc"] == pytest.approx(roc_auc_score(y, p, sample_weight=w))
    assert found["log_loss"] == pytest.approx(log_loss(y, np.clip(p, 1e-15, 1 - 1e-15), sample_weight=w))
    assert found["brier"] == pytest.approx(brier_score_loss(y, p, sample_weight=w))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20), st.integers(0, 3)), min_size=30, max_size=80))
def test_a_weight_is_a_repetition(rows: list[tuple[int, int, int]]) -> None:
    y, p, w = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    p = (p + 0.5) / 22.0
    times = w.astype(int)
    if times.sum() < 10:
        return
    weighted = Scored(y, p).figures(w)
    repeated = Scored(np.repeat(y, times), np.repeat(p, times)).figures(np.ones(times.sum()))
    for name in ("auc", "log_loss", "brier", "lift_10"):
        assert weighted[name] == pytest.approx(repeated[name], nan_ok=True), name


def test_lift_of_a_perfect_score_is_the_most_there_is() -> None:
    y = np.repeat([1.0, 0.0], [100, 900])
    assert Scored(y, y * 0.5 + 0.2).figures(np.ones(1000))["lift_10"] == pytest.approx(10.0)
    assert Scored(y, np.full(1000, 0.3)).figures(np.ones(1000))["lift_10"] == pytest.approx(1.0)


def test_true_probabilities_show_no_more_calibration_error_than_chance() -> None:
    y, p = drawn(20_000)
    chance = metrics.ece_by_chance(p, np.ones(len(p)))
    assert metrics.ece(y, p) < 2.0 * chance
    assert metrics.ece(y, np.clip(p + 0.05, 0, 1)) == pytest.approx(0.05, abs=2 * chance)
    bins = metrics.reliability(y, p, np.ones(len(p)))
    assert [one.rows for one in bins] == [2000] * 10
    assert sum(abs(one.rate - one.mean_score) for one in bins) / 10 == pytest.approx(metrics.ece(y, p))


def test_intervals_hold_the_truth_and_draw_groups_whole() -> None:
    random = np.random.default_rng(3)
    held, narrow = 0, 0
    for seed in range(60):
        level = random.normal(0.0, 1.0, 150)
        group = np.repeat(np.arange(150), 8)
        values = np.repeat(level, 8) + random.normal(0.0, 0.2, 1200)

        def mean(w: metrics.F8, values: metrics.F8 = values) -> float:
            return float((w * values).sum() / w.sum())

        found = bootstrap(mean, group, np.ones(1200), draws=200, seed=seed)
        rows = bootstrap(mean, np.arange(1200), np.ones(1200), draws=200, seed=seed)
        held += found.low <= 0.0 <= found.high
        narrow += rows.low <= 0.0 <= rows.high
    # Drawing rows would claim to know far more than 150 debtors tell.
    assert held >= 52
    assert narrow <= 48


def test_pairs_share_their_draws() -> None:
    y, p = drawn(2000)
    drawn_together = Resampled(
        {"one": Scored(y, p), "same": Scored(y, p), "worse": Scored(y, p[::-1])}, np.arange(2000), np.ones(2000), 100
    )
    same = drawn_together.difference("one", "same", "log_loss")
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    assert drawn_together.difference("worse", "one", "log_loss").is_above
    assert drawn_together.difference("worse", "one", "auc").is_below


def test_uplift_curves_of_a_known_world() -> None:
    """Of 200,000, a call moves the half that score above a half by .2, and nobody else."""
    random = np.random.default_rng(4)
    n = 200_000
    score, p_treated = random.random(n), np.where(random.random(n) < 0.5, 0.3, 0.7)
    treated = (random.random(n) < p_treated).astype(float)
    y = (random.random(n) < 0.1 + 0.2 * treated * (score > 0.5)).astype(float)
    w = np.ones(n)
    shares, gains = metrics.uplift_curve(y, treated, score, p_treated, w)
    assert gains[-1] == pytest.approx(0.1, abs=0.01)
    assert np.interp(0.5, shares, gains) == pytest.approx(0.1, abs=0.01)
    # Between the curve (up to .1 at the half, flat after) and the straight line lies .025.
    assert metrics.qini(y, treated, score, p_treated, w) == pytest.approx(0.025, abs=0.005)
    assert metrics.auuc(y, treated, score, p_treated, w) == pytest.approx(0.075, abs=0.007)
    assert metrics.qini(y, treated, random.random(n), p_treated, w) == pytest.approx(0.0, abs=0.005)
    assert metrics.qini(y, treated, -score, p_treated, w) == pytest.approx(-0.025, abs=0.005)
    assert metrics.qini(y, treated, np.zeros(n), p_treated, w) == pytest.approx(0.0, abs=1e-12)
