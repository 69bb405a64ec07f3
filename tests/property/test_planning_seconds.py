"""Seconds priced and places counted come near the linear program in seconds, and use no more than there are."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import coo_matrix, vstack

from strategy.seconds import in_seconds

N, DAYS, PER_DAY, PER_WEEK = 400, 3, 5, 2
S = DAYS * PER_DAY


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("hours_of_work", [2.0, 8.0])
def test_near_the_programin_seconds(seed: int, hours_of_work: float) -> None:
    luck = np.random.default_rng(seed)
    evening = np.tile(np.linspace(0.5, 1.5, PER_DAY), DAYS)
    answered = np.clip(luck.beta(2, 6, (N, 1)) * evening * luck.uniform(0.7, 1.3, (N, S)), 0.01, 0.95)
    worth = luck.lognormal(7, 1.2, (N, 1))
    value = (worth * answered * luck.beta(6, 3, (N, 1))).astype(np.float32)
    work = (answered * 170.0).astype(np.float32)
    seconds = np.full(S, hours_of_work * 3600.0 / S * 3.0)
    chosen, per_second, _ = in_seconds(value, work, seconds, PER_WEEK, PER_DAY)
    row, place = np.nonzero(chosen >= 0)
    slot = chosen[row, place].astype(int)
    taken = np.bincount(slot, work[row, slot], S)
    cells = np.arange(N * S)
    of_slot = coo_matrix((work.ravel().astype(float), (cells % S, cells)))
    of_day = coo_matrix((np.ones(N * S), (cells // S * DAYS + cells % S // PER_DAY, cells)))
    of_week = coo_matrix((np.ones(N * S), (cells // S, cells)))
    best = linprog(
        -value.ravel().astype(float),
        vstack([of_slot, of_day, of_week]),
        np.concatenate([seconds, np.ones(N * DAYS), np.full(N, PER_WEEK)]),
        bounds=(0, 1),
        method="highs",
    )
    # Of the time that it took, whatever it was meant to take.
    assert (taken <= 1.15 * seconds + 170.0).all()
    assert taken.sum() <= 1.03 * seconds.sum()
    share = float(value[row, slot].sum()) / -best.fun
    assert share > 0.96
    shadow = -best.ineqlin.marginals[:S]
    assert per_second.mean() == pytest.approx(shadow.mean(), rel=0.25, abs=0.02 * shadow.max())
