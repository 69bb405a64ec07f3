"""Laws of the slot planner, with HiGHS as the oracle of what the best plan is worth."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog

from strategy.slots import SlotPlan, assign


def best(value: NDArray[np.float32], capacity: NDArray, per_day: int, per_week: int, slots_per_day: int) -> float:
    """Return what the best plan is worth: limits of days nest in those of weeks, no slot is shared by halves."""
    n, s = value.shape
    days = s // slots_per_day
    cell = np.arange(n * s)
    row, slot = cell // s, cell % s
    held = np.concatenate([slot, s + row * days + slot // slots_per_day, s + n * days + row])
    rows = sp.csr_matrix((np.ones(3 * n * s), (held, np.tile(cell, 3))), shape=(s + n * days + n, n * s))
    most = np.concatenate([np.floor(capacity), np.full(n * days, per_day), np.full(n, per_week)])
    return -linprog(-value.ravel().astype(float), A_ub=rows, b_ub=most, bounds=(0, 1), method="highs").fun


def holds(plan: SlotPlan, capacity: NDArray, per_day: int, per_week: int, slots_per_day: int) -> None:
    slots = plan.slots
    assert (slots.sum(axis=0) <= capacity).all()
    assert (slots.sum(axis=1) <= per_week).all()
    assert (slots.reshape(len(slots), -1, slots_per_day).sum(axis=2) <= per_day).all()


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 40),
    days=st.integers(1, 4),
    slots_per_day=st.integers(1, 4),
    per_day=st.integers(1, 2),
    per_week=st.integers(1, 3),
    ties=st.booleans(),
    allowed=st.sampled_from((1.0, 0.7, 0.0)),
)
def test_a_plan_keeps_every_limit_and_is_worth_no_more_than_the_best(
    seed, n, days, slots_per_day, per_day, per_week, ties, allowed
):
    chance = np.random.default_rng(seed)
    limits = per_day, per_week, slots_per_day
    value = chance.random((n, days * slots_per_day), dtype=np.float32) - np.float32(0.2)
    if ties:
        value = np.round(value, 1)
    capacity = chance.integers(0, max(2, n // 2), days * slots_per_day)
    mask = chance.random(value.shape) < allowed
    plan = assign(value, capacity, *limits, mask)
    holds(plan, capacity, *limits)
    assert not (plan.slots & ~mask).any()
    assert value[plan.slots].min(initial=1.0) > 0.0
    assert plan.value == pytest.approx(value[plan.slots].sum(dtype=np.float64))
    optimum = best(np.where(mask, value, 0.0), capacity, *limits)
    assert plan.value <= optimum + 1e-5
    assert plan.bound >= optimum - 1e-5 * max(1.0, optimum)
    again = assign(value, capacity, *limits, mask)
    assert np.array_equal(again.chosen, plan.chosen)
    assert np.array_equal(again.prices, plan.prices)


@pytest.mark.parametrize("kind", ["even", "scarce evenings", "heavy tails"])
def test_a_week_of_a_thousand_debtors_is_within_a_two_thousandth_of_the_best(kind: str):
    chance = np.random.default_rng(7)
    n, s = 1000, 84
    value = chance.random((n, s), dtype=np.float32)
    capacity = np.full(s, 3 * n / s / 2)
    if kind == "scarce evenings":
        evening = np.arange(s) % 12 >= 9
        value *= np.where(evening, 1.8, 1.0) * chance.lognormal(size=(n, 1))
        capacity = np.where(evening, 0.15, 0.6) * 3 * n / s
    elif kind == "heavy tails":
        value *= chance.pareto(1.5, (n, 1))
    plan = assign(value.astype(np.float32), capacity)
    holds(plan, capacity, 1, 3, 12)
    optimum = best(value.astype(np.float32), capacity, 1, 3, 12)
    assert plan.value >= optimum * (1 - 5e-4)
    assert optimum <= plan.bound <= optimum * (1 + 5e-4)


def test_where_there_is_room_for_all_everybody_gets_his_best():
    value = np.random.default_rng(3).random((200, 24), dtype=np.float32)
    plan = assign(value, np.full(24, 200), per_day=1, per_week=2, slots_per_day=12)
    assert plan.value == pytest.approx(value.reshape(200, 2, 12).max(axis=2).sum(dtype=np.float64))
    assert plan.gap < 1e-6
    assert (plan.prices < 1e-6).all()
