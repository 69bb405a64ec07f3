"""What hours tell of a day: found where hours go their own way, and nowhere else."""

from math import exp, inf, sqrt

import numpy as np
import pytest

from domain.instants import HOUR, parse
from strategy.learning import STRETCH_US, Count, Habit, Hour, days_of, habit, learned

HOURS = range(9, 20)


def days(spread: float, kept: float, forecast: float, seed: int, n: int = 20) -> list[list[Hour]]:
    """Return days whose factors' logarithms are an autoregression of first order."""
    luck = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        z, day = luck.standard_normal(), []
        for hour in HOURS:
            answers = int(luck.poisson(forecast * exp(spread * z - spread**2 / 2)))
            day.append(Hour(hour, forecast, answers))
            z = kept * z + sqrt(1 - kept**2) * luck.standard_normal()
        found.append(day)
    return found


def test_where_forecasts_and_luck_explain_the_days_hardly_anything_is_learned() -> None:
    found = [habit(days(0.0, 0.0, forecast, seed)) for forecast in (10.0, 100.0) for seed in range(40)]
    assert sum(one.learns for one in found) <= 3
    assert habit([]) == Habit()
    assert not habit(days(0.5, 0.8, 100.0, 1, n=1)).learns


@pytest.mark.parametrize(("spread", "kept"), [(0.3, 0.7), (0.5, 0.3), (0.3, 0.0)])
def test_spread_and_persistence_are_found(spread: float, kept: float) -> None:
    found = [habit(days(spread, kept, 80.0, seed)) for seed in range(10)]
    assert all(one.learns for one in found)
    assert np.mean([one.strength**-0.5 for one in found]) == pytest.approx(spread, rel=0.2)
    assert np.mean([one.kept for one in found]) == pytest.approx(kept, abs=0.15)


def test_an_hour_of_the_day_that_always_differs_is_no_news() -> None:
    luck = np.random.default_rng(2)
    often = {hour: 1.6 if hour >= 17 else 0.8 for hour in HOURS}
    found = habit([[Hour(hour, 60.0, int(luck.poisson(60.0 * often[hour]))) for hour in HOURS] for _ in range(20)])
    assert not found.learns
    assert found.usual[18] / found.usual[10] == pytest.approx(2.0, rel=0.15)


def test_a_bad_hour_says_less_and_less_of_later_ones() -> None:
    known = Habit(strength=10.0, kept=0.6)
    of = learned(known, [Hour(9, 50.0, 50), Hour(10, 50.0, 20)], range(9, 14), now=10)
    means = [one.mean for one in of]
    assert means[0] == pytest.approx(1.0)
    # 30 answers fewer, against 10 that weigh as forecast.
    assert 0.45 < means[1] < 0.6
    assert [(1 - mean) / (1 - means[1]) for mean in means[1:]] == pytest.approx([1.0, 0.6, 0.36, 0.216])
    spreads = [one.deviation for one in of[1:]]
    assert spreads == sorted(spreads)
    assert spreads[-1] < 10.0**-0.5
    nothing = learned(Habit(), [Hour(9, 50.0, 20)], range(9, 14), now=9)
    assert [one.mean for one in nothing] == [1.0] * 5


def test_hours_of_nothing_go_by() -> None:
    known = Habit(strength=10.0, kept=0.6)
    (at_once,) = learned(known, [Hour(10, 50.0, 20)], [10], now=10)
    (later,) = learned(known, [Hour(10, 50.0, 20)], [13], now=13)
    assert 1 - later.mean == pytest.approx(0.6**3 * (1 - at_once.mean))


def test_calls_are_told_by_the_hours_of_the_floors_day() -> None:
    # Half past five hours east: an hour of the floor begins in the middle of one of UTC.
    begin_us = parse("2027-02-01T09:00:00+05:30")
    counts = [
        Count(begin_us + HOUR, 2.0, 3),
        Count(begin_us, 2.5, 1),
        Count(begin_us + 3 * STRETCH_US, 0.75, 1),
        Count(begin_us + 24 * HOUR, 1.0, 0),
    ]
    assert days_of(counts, "Asia/Kolkata") == {
        "2027-02-01": [Hour(9, 3.25, 2), Hour(10, 2.0, 3)],
        "2027-02-02": [Hour(9, 1.0, 0)],
    }
    assert days_of([], "UTC") == {}
    assert Habit().strength == inf
