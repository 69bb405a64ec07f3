"""The slot planner on plans small enough to see through, and what it refuses."""

import re

import numpy as np
import pytest

from domain.errors import BadInput
from strategy.slots import assign


def values(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32)


def test_the_dearest_debtors_get_the_only_places():
    plan = assign(values((5.0,), (9.0,), (7.0,)), np.array([2]), slots_per_day=1)
    assert plan.slots[:, 0].tolist() == [False, True, True]
    assert plan.value == 16.0
    # One more place would hold the third; it is worth between him and the second.
    assert 5.0 <= plan.prices[0] <= 7.0


def test_whoever_has_another_hour_makes_room():
    # Greedy gives the first debtor his best hour, and leaves the second without any.
    plan = assign(values((10.0, 9.0), (8.0, 0.0)), np.array([1, 1]), slots_per_day=2)
    assert plan.slots.tolist() == [[False, True], [True, False]]
    assert plan.value == 17.0


def test_a_chain_of_moves_makes_room():
    plan = assign(values((10.0, 9.0, 0.0), (0.0, 8.0, 7.0), (6.0, 0.0, 0.0)), np.ones(3), slots_per_day=3)
    assert plan.value == 9.0 + 7.0 + 6.0


def test_the_limits_of_a_day_and_of_the_week_hold():
    plan = assign(np.ones((1, 12), np.float32), np.full(12, 9), per_day=2, per_week=5, slots_per_day=4)
    by_day = plan.slots.reshape(3, 4).sum(axis=1)
    assert by_day.max() == 2
    assert by_day.sum() == 5


def test_nothing_is_planned_where_it_is_worth_nothing_or_not_allowed():
    plan = assign(
        values((-1.0, 0.0, 3.0), (4.0, 5.0, 6.0)), np.full(3, 9), 3, 3, 3, np.array([[1, 1, 0], [1, 0, 1]]) > 0
    )
    assert plan.slots.tolist() == [[False, False, False], [True, False, True]]


def test_part_of_a_place_is_none():
    assert assign(values((1.0,), (2.0,)), np.array([1.9]), slots_per_day=1).value == 2.0


@pytest.mark.parametrize("plenty", [1e15, 1e18, 1e300])
def test_places_beyond_any_number_are_as_good_as_enough(plenty: float):
    assert assign(values((1.0, 3.0), (2.0, 5.0)), np.full(2, plenty), slots_per_day=2).value == 8.0


def test_prices_to_begin_at_change_no_plan():
    value, places = values((1.0, 3.0), (2.0, 5.0), (4.0, 1.0)), np.ones(2)
    plan = assign(value, places, slots_per_day=2)
    for begin in (plan.prices, np.zeros(2), np.full(2, 100.0)):
        again = assign(value, places, slots_per_day=2, begin=begin)
        assert (again.value, again.gap) == (plan.value, pytest.approx(plan.gap, abs=1e-4))


def test_a_closed_slot_tells_what_it_would_bring():
    plan = assign(values((4.0,), (6.0,)), np.array([0]), slots_per_day=1)
    assert not plan.slots.any()
    assert plan.prices[0] == pytest.approx(6.0, rel=0.05)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_nobody_and_no_slots_make_an_empty_plan(shape: tuple[int, int]):
    plan = assign(np.empty(shape, np.float32), np.ones(shape[1]))
    assert plan.slots.shape == shape
    assert plan.value == plan.gap == 0.0


def test_what_may_not_be_planned_may_be_worth_anything():
    value = values((np.nan, 2.0), (3.0, -np.inf))
    plan = assign(value, np.ones(2), slots_per_day=2, mask=[[False, True], [True, False]])
    assert (plan.value, plan.slots.tolist()) == (5.0, [[False, True], [True, False]])


def test_the_inputs_are_left_as_they_are():
    value, mask = np.ones((3, 2), np.float32), np.array([[1, 0]] * 3) > 0
    before = value.copy()
    assign(value, np.ones(2), mask=mask)
    assert np.array_equal(value, before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"value": np.ones(3, np.float32)}, "value: expected debtors by slots, found 1"),
        ({"value": values((1.0, np.nan), (1.0, 1.0))}, "value: row 0, slot 1 is nan"),
        ({"capacity": np.ones(3)}, "capacity: expected 2 slots as in value, found shape"),
        ({"capacity": np.array([1.0, -2.0])}, "capacity: slot 1 has -2.0"),
        ({"capacity": np.array([np.inf, 1.0])}, "capacity: slot 0 has inf"),
        ({"per_day": 0}, "per_day: expected a whole number, 1 or more, found 0"),
        ({"per_week": -1}, "per_week: expected a whole number, 1 or more, found -1"),
        ({"slots_per_day": 0}, "slots_per_day: expected a whole number, 1 or more, found 0"),
        ({"mask": np.ones((3, 2), bool)}, "mask: expected the shape of value"),
        ({"left": np.ones((2, 2))}, "left: expected the shape of value, (2, 2), as uint8; found (2, 2), float64"),
        ({"mask": np.ones((2, 2))}, "mask: expected the shape of value, (2, 2), as bool; found (2, 2), float64"),
        ({"per_week": 2.5}, "per_week: expected a whole number, 1 or more, found 2.5"),
        ({"per_week": None}, "per_week: expected a whole number, 1 or more, found None"),
        ({"begin": np.ones(3)}, "begin: expected 2 prices, each a number, 0 or more; found shape (3,)"),
        ({"begin": np.array([1.0, np.nan])}, "begin: expected 2 prices, each a number, 0 or more; found [1.0, nan]"),
        ({"left": np.ones((2, 2), np.uint8), "per_day": 2}, "left: is kept with one slot a day alone; per_day was 2"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict, words: str):
    given = {"value": values((1.0, 2.0), (3.0, 4.0)), "capacity": np.ones(2)} | change
    with pytest.raises(BadInput, match=re.escape(words)):
        assign(**given)


def test_a_slot_may_be_taken_early_or_late_and_not_both():
    # One call alone until the third slot; then another.
    left = np.array([[1, 1, 2, 0]], np.uint8)
    for value, slots in (((5.0, 6.0, 1.0, 9.0), [1, 2]), ((0.0, 6.0, 7.0, 9.0), [1, 2]), ((5.0, 6.0, 0.0, 9.0), [1])):
        plan = assign(values(value), np.ones(4), per_week=2, slots_per_day=1, left=left)
        assert np.flatnonzero(plan.slots[0]).tolist() == slots
