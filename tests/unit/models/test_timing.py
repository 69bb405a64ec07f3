"""Of hours no more is claimed than unseen calls bear out."""

import numpy as np
import pytest

from models import timing
from models.metrics import F8, I8


def calls(n: int, true_slope: float, seed: int) -> tuple[F8, F8, F8, I8]:
    """Return mean, what the hour adds, what came, and whose calls they are; hours deserve a slope of their own."""
    random = np.random.default_rng(seed)
    group = random.integers(0, n // 4, n)
    mean = random.normal(-2.5, 0.5, n // 4)[group]
    adds = random.normal(0.0, 0.4, n)
    z = 0.1 + 0.9 * mean + true_slope * adds
    return mean, adds, (random.random(n) < 1.0 / (1.0 + np.exp(-z))).astype(float), group


@pytest.mark.parametrize("slope", [0.5, 0.8, 1.6])
def test_hours_get_the_slope_that_they_deserve(slope: float) -> None:
    """But for what they were not said to be."""
    found = timing.borne_out(*calls(60_000, slope, seed=3))
    assert abs(found.measured - slope) < 3.0 * found.error
    assert found.slope == pytest.approx(min(1.0, found.measured), abs=0.01)
    assert found.error < 0.06


def test_calls_count_by_their_weight() -> None:
    mean, adds, y, group = calls(8000, 1.0, seed=5)
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    found = timing.borne_out(mean, adds, y, group, weight)
    of = np.repeat(np.arange(len(y)), weight.astype(int))
    again = timing.borne_out(mean[of], adds[of], y[of], group[of])
    assert found.measured == pytest.approx(again.measured, rel=1e-6)
    assert found.error == pytest.approx(again.error, rel=1e-6)


def test_where_hours_tell_nothing_nothing_is_claimed() -> None:
    found = [timing.borne_out(*calls(3000, 0.0, seed)) for seed in range(60)]
    # One in a hundred may take luck for a signal.
    assert sum(one.slope > 0.0 for one in found) <= 3
    assert np.mean([one.measured / one.error for one in found]) == pytest.approx(0.0, abs=0.4)
    # Errors say how far from 0 it gets.
    assert np.std([one.measured / one.error for one in found]) == pytest.approx(1.0, abs=0.3)


def test_calls_of_one_debtor_err_together() -> None:
    """Said twice it is no surer."""
    mean, adds, y, group = calls(8000, 1.0, seed=5)
    once = timing.borne_out(mean, adds, y, group)
    twice = timing.borne_out(*(np.concatenate((one, one)) for one in (mean, adds, y)), np.concatenate((group, group)))  # type: ignore[arg-type]
    assert twice.error == pytest.approx(once.error, rel=1e-6)
    assert twice.measured == pytest.approx(once.measured, rel=1e-6)


def test_a_model_without_hours_claims_none() -> None:
    mean, adds, y, group = calls(4000, 0.0, seed=2)
    assert timing.borne_out(mean, np.zeros_like(adds), y, group).slope == 0.0


def test_claims_shrink_with_the_slope_and_means_stay() -> None:
    raw = np.random.default_rng(1).normal(-2.5, 0.4, (500, 84)).astype(np.float32)

    def claimed(slope: float) -> float:
        held = timing.Timing(slope=slope, measured=slope, error=0.1)(raw)
        np.testing.assert_allclose(held.mean(axis=1), raw.mean(axis=1), atol=1e-5)
        return timing.uplift(1.0 / (1.0 + np.exp(-held)))

    assert claimed(0.0) == pytest.approx(0.0, abs=1e-5)
    assert 0.0 < claimed(0.5) < claimed(1.0)
    np.testing.assert_allclose(timing.Timing(slope=1.0, measured=1.0, error=0.1)(raw), raw, atol=1e-6)
