"""Laws of the slot planner, with HiGHS as the oracle of what the best plan is worth."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

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


def best_of_left(value: NDArray, capacity: NDArray, limits: tuple[int, int, int], left: NDArray) -> float:
    """Return what the best plan is worth where a slot may be a debtor's nth alone if `left` there is n or more."""
    (n, s), (per_day, per_week, slots_per_day) = value.shape, limits
    rows, most = [], []
    for slot in range(s):
        rows.append(np.arange(n * s) % s == slot)
        most.append(float(np.floor(capacity[slot])))
    for i in range(n):
        own = np.arange(n * s) // s == i
        rows.append(own)
        most.append(per_week)
        for day in range(-(-s // slots_per_day)):
            rows.append(own & (np.arange(n * s) % s // slots_per_day == day))
            most.append(per_day)
        for slot in range(s):
            # Whoever is not there may have had as many as he likes.
            row = (own & (np.arange(n * s) % s < slot)).astype(float)
            row[i * s + slot] = s
            rows.append(row)
            most.append(s + int(left[i, slot]) - 1)
    limit = LinearConstraint(np.array(rows, float), -np.inf, np.array(most, float))
    found = milp(-value.ravel().astype(float), constraints=limit, integrality=np.ones(n * s), bounds=Bounds(0, 1))
    return float(-found.fun)


def test_hours_in_which_nobody_works_cost_the_plan_nothing():
    # What most debtors would like best is closed, and a few are worth thousands of times what others are.
    chance = np.random.default_rng(4)
    value = chance.random((400, 24), dtype=np.float32) * (chance.pareto(0.8, (400, 1)) ** 2).astype(np.float32)
    value[:, 8:] *= 3.0
    value[chance.random(400) < 0.6] = 0.0
    capacity = np.where(np.arange(24) < 8, 20, 0)
    plan = assign(value, capacity, 1, 2, 4)
    holds(plan, capacity, 1, 2, 4)
    assert plan.gap < 1e-4
    assert plan.value >= (1.0 - 1e-4) * best(value, capacity, 1, 2, 4)


@pytest.mark.parametrize("places", [1, 5, 30])
@pytest.mark.parametrize("kind", ["lognormal", "tenth", "apart", "slots"])
def test_debtors_and_hours_worth_a_thousand_times_others_are_priced_as_they_are(kind: str, places: int):
    chance = np.random.default_rng(7)
    n, s = 1200, 24
    value = chance.random((n, s), dtype=np.float32)
    few = chance.random((n, 1)) < 0.1
    if kind == "lognormal":
        value *= np.exp(2.0 * chance.standard_normal((n, 1))).astype(np.float32)
    elif kind == "slots":
        value *= np.power(10.0, np.linspace(-3, 3, s)).astype(np.float32)
    else:
        value *= np.where(few, np.float32(1000), np.float32(1))
    if kind == "apart":
        # The few have hours of their own.
        value *= few == (np.arange(s) % 6 < 2)
    capacity = np.full(s, places)
    plan = assign(value, capacity, 1, 3, 6)
    holds(plan, capacity, 1, 3, 6)
    optimum = best(value, capacity, 1, 3, 6)
    assert plan.value >= (1.0 - 1e-4) * optimum
    assert plan.bound <= (1.0 + 1e-3) * optimum
    # A price is what one more place adds, between the steps of the value before and behind it.
    for slot in (0, 5, 23):
        more, less = capacity.copy(), capacity.copy()
        more[slot] += 1
        less[slot] -= 1
        adds = best(value, more, 1, 3, 6) - optimum, optimum - best(value, less, 1, 3, 6)
        assert 0.9 * adds[0] - 1e-3 <= plan.prices[slot] <= 1.1 * adds[1] + 1e-3


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 12),
    days=st.integers(1, 3),
    slots_per_day=st.integers(1, 4),
    per_day=st.integers(1, 2),
    per_week=st.integers(1, 3),
    limited=st.booleans(),
)
def test_a_closed_slot_is_priced_at_what_its_first_place_would_add(
    seed, n, days, slots_per_day, per_day, per_week, limited
):
    chance = np.random.default_rng(seed)
    value = chance.random((n, days * slots_per_day), dtype=np.float32) - np.float32(0.1)
    left = np.sort(chance.integers(0, per_week + 1, value.shape, dtype=np.uint8), axis=1) if limited else None
    limits = (1 if limited else per_day), per_week, slots_per_day
    # Where there is room, there is room for all: what is found is the best.
    capacity = n * chance.integers(0, 2, value.shape[1])
    plan = assign(value, capacity, *limits, left=left)
    for slot in np.flatnonzero(capacity == 0):
        opened = capacity.copy()
        opened[slot] = 1
        more = assign(value, opened, *limits, left=left).value - plan.value
        assert plan.prices[slot] == pytest.approx(more, abs=1e-5)


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 6),
    days=st.integers(1, 4),
    slots_per_day=st.integers(1, 3),
    per_week=st.integers(1, 3),
    rising=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_is_left_of_a_week_binds_each_debtor(seed, n, days, slots_per_day, per_week, rising):
    chance = np.random.default_rng(seed)
    limits = 1, per_week, slots_per_day
    value = chance.random((n, days * slots_per_day), dtype=np.float32) - np.float32(0.1)
    left = chance.integers(0, per_week + 2, value.shape, dtype=np.uint8)
    if rising:
        left.sort(axis=1)
    capacity = chance.integers(0, n + 1, value.shape[1])
    plan = assign(value, capacity, *limits, left=left)
    holds(plan, capacity, *limits)
    nth = np.cumsum(plan.slots, axis=1)
    assert (nth[plan.slots] <= left[plan.slots]).all()
    assert plan.value == pytest.approx(value[plan.slots].sum(dtype=np.float64), rel=1e-6)
    optimum = best_of_left(value, capacity, limits, left)
    assert plan.value <= optimum + 1e-5
    assert plan.bound >= optimum - 1e-5 * max(1.0, optimum)
    # Where there is room for all, everybody has his own best.
    alone = assign(value, np.full(value.shape[1], n), *limits, left=left)
    assert alone.value == pytest.approx(best_of_left(value, np.full(value.shape[1], n), limits, left), abs=1e-5)


def test_of_a_thousand_of_whom_some_have_been_called_the_plan_is_near_the_bound():
    chance = np.random.default_rng(8)
    n, s = 1000, 84
    value = (chance.random((n, s)) * chance.pareto(1.5, (n, 1))).astype(np.float32)
    # Calls of the week before come free one after the other.
    free = np.sort(chance.integers(-60, 84, (n, 3)), axis=1)
    left = (free[:, :, None] <= np.arange(s)).sum(axis=1).astype(np.uint8)
    plan = assign(value, capacity := np.full(s, n / s), left=left)
    holds(plan, capacity, 1, 3, 12)
    assert (np.cumsum(plan.slots, axis=1)[plan.slots] <= left[plan.slots]).all()
    assert plan.gap < 5e-4
    # The same as nobody's being bound, where nothing is taken.
    free_of_it = assign(value, capacity, left=np.full((n, s), 3, np.uint8))
    assert np.array_equal(free_of_it.chosen, assign(value, capacity).chosen)


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
