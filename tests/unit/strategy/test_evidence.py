"""Differences with a stated error, looks, alarms and sizes, against known truths and textbook values."""

import numpy as np
import pytest

from domain.errors import BadInput
from strategy.evidence import (
    boundaries,
    bounds_of,
    brownian,
    contrast,
    drawn_anew,
    guard,
    looks,
    mismatch,
    reading,
    schedule,
    size,
    spent,
    visible,
)

FOUR = np.array([0.25, 0.5, 0.75, 1.0])


def test_boundaries_are_those_of_the_textbook():
    # Lan & DeMets with O'Brien-Fleming spending, four equal looks, two-sided 5 %.
    assert boundaries(brownian(FOUR), FOUR, 0.05) == pytest.approx([4.333, 2.963, 2.359, 2.014], abs=0.03)
    assert float(spent(np.array([1.0]), 0.05)[0]) == pytest.approx(0.05)


def test_early_boundaries_do_not_change_when_later_looks_come():
    whole = boundaries(brownian(FOUR), FOUR, 0.05)
    assert boundaries(brownian(FOUR[:2]), FOUR[:2], 0.05) == pytest.approx(whole[:2], abs=1e-9)


def test_looks_that_tell_the_same_twice_cost_less():
    same, apart = (boundaries(one, FOUR, 0.05)[-1] for one in (np.ones((4, 4)), np.eye(4)))
    assert 1.9 < same < apart


@pytest.mark.parametrize("lasting", [False, True])
def test_looks_at_nothing_find_something_as_often_as_said(lasting: bool):
    chance, found, n = np.random.default_rng(5), 0, 200
    for _ in range(300):
        weeks = chance.normal(size=(4, n))
        money = np.cumsum(weeks + (3.0 * chance.normal(size=n) if lasting else 0.0), axis=0)
        treated = chance.random(n) < 0.4
        seen = looks([contrast(one, treated) for one in money], FOUR, 0.05)
        found += any(look.difference.is_clear for look in seen)
    # 5 % of 300 is 15; four deviations more is broken.
    assert 3 <= found <= 30


def test_a_small_arm_of_skewed_money_calls_no_more_often_than_said():
    chance, one, called = np.random.default_rng(11), np.array([1.0]), np.zeros(2)
    for _ in range(400):
        money, treated = chance.lognormal(0.0, 2.0, 200), chance.random(200) < 0.2
        found = contrast(money, treated)
        called += reading(found).is_clear, looks([found], one, 0.05)[0].difference.is_clear
    # 5 % of 400 is 20; Student's interval calls twice as often and more.
    assert called[0] >= 40
    assert 8 <= called[1] <= 33


def test_intervals_by_lots_hold_the_truth_and_lean_to_where_money_is_skewed():
    chance, inside, lean = np.random.default_rng(12), 0, []
    for _ in range(200):
        treated = chance.random(300) < 0.2
        (look,) = looks([contrast(chance.lognormal(0.0, 1.5, 300) + 2.0 * treated, treated)], np.array([1.0]), 0.05)
        inside += look.difference.low <= 2.0 <= look.difference.high
        lean.append(-look.critical[0] / look.critical[1])
    assert inside >= 0.9 * 200
    # A small arm that misses its few large payments looks worse than it is, surely.
    assert np.mean(lean) > 1.1


def test_lots_of_an_early_look_stay_when_more_units_come():
    chance, n = np.random.default_rng(13), 500
    money, treated, late = chance.lognormal(size=n), chance.random(n) < 0.3, chance.random(n) < 0.4
    early = contrast(money[~late], treated[~late]).among(~late)
    both = drawn_anew([early, contrast(2.0 * money, treated)])
    assert drawn_anew([early])[:, 0] == pytest.approx(both[:, 0], abs=1e-4)
    alone = drawn_anew([contrast(money[~late], treated[~late])])
    assert alone[:, 0] == pytest.approx(both[:, 0], abs=1e-4)
    assert both.std(axis=0) == pytest.approx([1.0, 1.0], abs=0.1)


def test_bounds_of_the_normal_law_are_those_of_the_textbook():
    weeks = np.cumsum(np.random.default_rng(14).normal(size=(1 << 16, 4)), axis=1) / np.sqrt(np.arange(1, 5))
    found = bounds_of(weeks, FOUR, 0.05)
    assert found[1:, 1] == pytest.approx([2.963, 2.359, 2.014], abs=0.06)
    assert -found[1:, 0] == pytest.approx(found[1:, 1], abs=0.12)
    # No path may cross at the first look: as far as the farthest, and as the normal law.
    assert found[0, 1] == pytest.approx(max(4.333, weeks[:, 0].max()), abs=0.001)
    crossed = ((weeks < found[:, 0]) | (weeks > found[:, 1])).any(axis=1)
    assert 0.048 <= crossed.mean() <= 0.05


def test_what_was_known_before_narrows_and_does_not_bias():
    chance = np.random.default_rng(6)
    n, values = 600, []
    for _ in range(200):
        before, treated = chance.normal(size=n), chance.random(n) < 0.5
        outcome = 2.0 * before + chance.normal(size=n) + 0.3 * treated
        plain, adjusted = contrast(outcome, treated), contrast(outcome, treated, before[:, None])
        assert adjusted.error < 0.6 * plain.error
        assert adjusted.explained == pytest.approx(0.8, abs=0.1)
        interval = reading(adjusted)
        values.append((adjusted.value, interval.low <= 0.3 <= interval.high))
    told = np.array(values)
    assert told[:, 0].mean() == pytest.approx(0.3, abs=0.02)
    assert told[:, 1].mean() >= 0.9


def test_columns_that_say_nothing_are_left_out():
    chance = np.random.default_rng(7)
    outcome, treated = chance.normal(size=60), np.arange(60) % 2 == 0
    constant = np.ones((60, 3))
    assert contrast(outcome, treated, constant).value == contrast(outcome, treated).value


def test_the_relative_difference_is_of_the_first_arm():
    outcome = np.concatenate([np.full(50, 10.0), np.full(50, 12.0)]) + np.tile([-1.0, 1.0], 50)
    (look,) = looks([contrast(outcome, np.arange(100) >= 50)], np.array([1.0]), 0.05)
    assert look.relative is not None
    assert look.relative.value == pytest.approx(0.2)
    assert look.relative.is_clear
    assert look.difference.low < 2.0 < look.difference.high


def test_an_arm_of_seven_has_no_spread():
    with pytest.raises(BadInput, match="an arm has 7 units"):
        contrast(np.zeros(100), np.arange(100) < 7)


def test_uneven_lots_are_told():
    shares = np.array([0.5, 0.45, 0.05])
    assert mismatch(np.array([505.0, 446.0, 49.0]), shares) > 0.5
    assert mismatch(np.array([560.0, 391.0, 49.0]), shares) < 0.001
    assert mismatch(np.array([500.0, 450.0, 1.0]), np.array([0.5, 0.5, 0.0])) == 0.0
    assert mismatch(np.array([9.0, 0.0]), np.array([1.0, 0.0])) == 1.0


@pytest.mark.parametrize(
    ("events", "state"), [(0.0, "holds"), (35.0, "over"), (70.0, "alarm")]
)  # of 1,000, and 30 may be
def test_guardrails_tell_chance_from_trouble(events: float, state: str):
    assert guard("stops", "mine", 30.0, events, 1000.0, 1000.0, counted=False).state == state
    assert guard("calls_per_week", "mine", 30.0, events, 1.0, 1.0, counted=True).state == state


def test_sizes_and_what_is_visible_agree():
    found = size(100.0, 5.0, (0.5, 0.5), FOUR, power=0.8, alpha=0.05)
    assert found.units == pytest.approx((2.014 + 0.8416) ** 2 * 4 * 100**2 / 25, rel=0.02)
    assert visible(100.0, found.units, (0.5, 0.5), FOUR, power=0.8, alpha=0.05) == pytest.approx(5.0, rel=0.01)


def test_as_many_units_as_planned_see_the_difference_as_often_as_planned():
    planned = size(1.0, 0.2, (0.5, 0.5), FOUR, power=0.8, alpha=0.05)
    chance, n = np.random.default_rng(8), planned.units
    seen = 0
    for _ in range(300):
        treated = chance.random(n) < 0.5
        # The difference grows with the weeks, as money does; the whole is the one planned for.
        path = np.cumsum(chance.normal(scale=0.5, size=(4, n)) + 0.05 * treated, axis=0)
        seen += any(look.difference.is_clear for look in looks([contrast(one, treated) for one in path], FOUR, 0.05))
    assert 0.73 * 300 <= seen <= 0.88 * 300


def test_looks_are_weeks_and_the_end():
    assert schedule(28) == [7, 14, 21, 28]
    assert schedule(30) == [7, 14, 21, 30]
    assert schedule(12) == [7, 12]
    assert schedule(5) == [5]
