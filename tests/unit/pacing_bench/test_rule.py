"""The kernels of the reference against enumeration and closed forms."""

from itertools import product
from math import comb, exp

import numpy as np
import pytest

from benchmarks.pacing.rule import (
    BUSY_STEP_S,
    N_BUSY,
    N_QUANTILES,
    N_RING,
    RING_STEP_S,
    answer_quantiles,
    at_age,
    calls_to_place,
    freed_tables,
    normal_at_most,
    row_middle_s,
    row_of,
    still_live,
)

RING = np.arange(N_RING) * RING_STEP_S
LIVE = np.clip(1.0 - RING / 20.0, 0.0, 1.0)
REST = np.clip(1.0 - RING / 30.0, 0.0, 1.0)
BUSY = np.arange(N_BUSY) * BUSY_STEP_S
TALK, WRAP = np.exp(-BUSY / 80.0), np.exp(-BUSY / 15.0)
QUANTILES = answer_quantiles(LIVE)
TABLES = freed_tables(TALK, WRAP, QUANTILES + 2.0)


def placed(
    spare: int,
    talking: list[float],
    wrapping: list[float],
    ringing: list[float],
    theta: float,
    p: float = 0.3,
    left_s: float = 1e9,
    most: int = 400,
) -> int:
    ages = np.array(ringing)
    dials, _, _ = calls_to_place(
        spare,
        np.array(talking),
        np.array(wrapping),
        ages,
        np.full(ages.size, p),
        np.empty(0),
        np.empty(0),
        p,
        LIVE,
        REST,
        QUANTILES,
        *TABLES,
        1.0,
        left_s,
        theta,
        0.0,
        most,
    )
    return int(dials)


def risk_by_enumeration(
    spare: int, talking: list[float], wrapping: list[float], ringing: list[float], more: int
) -> float:
    total = 0.0
    for j in range(N_QUANTILES):
        freed = [TABLES[0][row_of(age), j] for age in talking] + [TABLES[1][row_of(age), j] for age in wrapping]
        answers = []
        for age in ringing:
            now, then = at_age(LIVE, age, RING_STEP_S), at_age(LIVE, age + QUANTILES[j], RING_STEP_S)
            answers.append(0.3 * (now - then) / (0.3 * now + 0.7 * at_age(REST, age, RING_STEP_S)))
        answers += [0.3 * (1.0 - at_age(LIVE, QUANTILES[j], RING_STEP_S))] * more
        for fate in product((0, 1), repeat=len(freed) + len(answers)):
            left = spare + sum(fate[: len(freed)]) - sum(fate[len(freed) :])
            if left <= 0:
                chances = zip(fate, freed + answers, strict=True)
                total += np.prod([p if happens else 1.0 - p for happens, p in chances])
    return total / N_QUANTILES


@pytest.mark.parametrize("spare", [-1, 0, 1, 2])
@pytest.mark.parametrize("theta", [0.02, 0.1, 0.4])
def test_places_calls_while_the_enumerated_risk_is_under_the_threshold(spare: int, theta: float) -> None:
    talking, wrapping, ringing = [3.0, 41.0, 130.0], [7.0], [1.0, 12.5]
    more = 0
    while risk_by_enumeration(spare, talking, wrapping, ringing, more) <= theta:
        more += 1
    assert placed(spare, talking, wrapping, ringing, theta) == more


def test_normal_law_is_near_the_convolution_in_the_tail() -> None:
    n, p = 60, 0.2
    spread = n * p * (1 - p)
    for x in (3, 5, 8, 12):
        exact = sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(x + 1))
        assert normal_at_most(x, n * p, spread, spread * (1 - 2 * p)) == pytest.approx(exact, abs=0.002)


def test_many_terms_and_few_agree_where_the_way_of_summing_changes() -> None:
    # 88 terms are convolved, 92 are not: the answer moves by little.
    few = placed(1, [20.0] * 30, [], [5.0] * 58, 0.03)
    many = placed(1, [20.0] * 32, [], [5.0] * 60, 0.03)
    assert abs(few - many) <= 1


def test_more_agents_more_calls_and_more_ringing_fewer() -> None:
    by_spare = [placed(spare, [10.0] * 6, [], [4.0] * 3, 0.05) for spare in range(-2, 8)]
    by_ringing = [placed(4, [10.0] * 6, [], [4.0] * ringing, 0.05) for ringing in range(12)]
    assert by_spare == sorted(by_spare)
    assert by_spare[0] < by_spare[-1]
    assert by_ringing == sorted(by_ringing, reverse=True)


def test_nothing_is_placed_whose_answer_comes_after_the_end_nor_above_the_lines() -> None:
    assert placed(5, [], [], [], 0.03, left_s=0.0) == 0
    assert placed(5, [], [], [], 0.03, most=2) == 2


def test_freed_within_the_horizon_is_the_sum_of_two_exponential_times() -> None:
    horizon_s = QUANTILES + 2.0
    both = 1.0 - (80.0 * np.exp(-horizon_s / 80.0) - 15.0 * np.exp(-horizon_s / 15.0)) / 65.0
    np.testing.assert_allclose(TABLES[0][row_of(100.0)], both, atol=2e-3)
    np.testing.assert_allclose(TABLES[1][row_of(20.0)], 1.0 - np.exp(-horizon_s / 15.0), atol=2e-3)


def test_rows_hold_the_ages_they_stand_for() -> None:
    assert all(row_of(row_middle_s(row)) == row for row in range(100))
    assert row_of(1e6) == 99


def test_quantiles_cut_the_answers_in_equal_shares() -> None:
    np.testing.assert_allclose(QUANTILES, 20.0 * (np.arange(8) + 0.5) / 8, atol=1e-9)


def test_a_call_that_rings_longer_is_likelier_to_be_one_of_the_slow_kind() -> None:
    one = np.array([0.25])
    assert still_live(np.array([0.0]), one, LIVE, REST) == pytest.approx(0.25)
    assert still_live(np.array([10.0]), one, LIVE, REST) == pytest.approx(0.125 / (0.125 + 0.75 * 2 / 3))
    assert still_live(np.array([19.0] * 3), np.full(3, 0.25), np.exp(-RING), REST) < 3 * exp(-15)
