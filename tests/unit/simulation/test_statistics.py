"""Statistics of experiments: known answers, and error rates by simulation."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy import stats

from simulation.statistics import (
    Watch,
    difference,
    power,
    power_of,
    prediction,
    quotient,
    relative,
    replications,
    slope,
    student,
)


def totals(values: np.ndarray) -> np.ndarray:
    return np.column_stack([values, np.ones_like(values)])


def test_students_interval_is_that_of_the_book() -> None:
    # Student's own sleep data (1908): extra hours of sleep by the second drug over the first.
    found = student(np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]))
    assert found.value == pytest.approx(1.58)
    assert (found.low, found.high) == pytest.approx((0.7001142, 2.4598858), abs=1e-6)
    assert found.is_clear


def test_of_totals_the_jackknife_is_students_interval_of_paired_differences() -> None:
    draw = np.random.default_rng(1)
    a, b = draw.normal(100, 9, 12), draw.normal(103, 9, 12)
    found, known = difference(totals(a), totals(b)), student(b - a)
    assert (found.value, found.low, found.high) == pytest.approx((known.value, known.low, known.high))


def test_a_prediction_holds_one_more_value_as_often_as_it_says() -> None:
    values = np.random.default_rng(15).normal(50, 5, (2000, 9))
    held = [found.low <= one[8] <= found.high for one in values if (found := prediction(one[:8]))]
    assert 0.935 <= np.mean(held) <= 0.965


def test_equal_arms_differ_by_exactly_nothing() -> None:
    a = np.random.default_rng(2).uniform(1, 2, (9, 2))
    assert difference(a, a) == relative(a, a)
    assert (difference(a, a).low, difference(a, a).high) == (0.0, 0.0)


def test_a_quotient_without_a_denominator_is_no_number_and_one_replication_tells_no_spread() -> None:
    assert np.isnan(quotient(np.array([[1.0, 0.0], [2.0, 0.0]])).value)
    found = quotient(np.array([[1.0, 4.0]]))
    assert (found.value, found.low, found.high) == (0.25, -inf, inf)
    # All of the denominator in one replication: without it there is no estimate, so nothing is known of the spread.
    assert quotient(np.array([[1.0, 4.0], [0.0, 0.0]])).high == inf


def test_relative_difference_needs_a_positive_base() -> None:
    a, b = totals(np.array([100.0, 110.0, 90.0])), totals(np.array([103.0, 113.3, 92.7]))
    assert relative(a, b).value == pytest.approx(0.03)
    assert np.isnan(relative(a * [-1.0, 1.0], b).value)


def test_the_interval_of_a_quotient_covers_the_truth() -> None:
    """Poisson contacts over random agent-hours: the ratio of means is 8; 95 % of intervals hold it."""
    draw = np.random.default_rng(3)
    held = 0
    for _ in range(2000):
        hours = draw.uniform(50, 150, 20)
        found = quotient(np.column_stack([draw.poisson(8 * hours), hours]))
        held += found.low <= 8.0 <= found.high
    assert 0.935 <= held / 2000 <= 0.965


@pytest.mark.parametrize(("law", "name"), [(0, "normal"), (1, "of two skewed ones"), (2, "of heavy tails")], ids=str)
def test_looking_after_every_replication_finds_no_more_than_was_said(law: int, name: str) -> None:
    """A/A: the difference of two like arms; over 60 looks at most 5 % are ever called; Student's calls a fifth."""
    draw = np.random.default_rng(4 + law)
    n_runs, n = 1000, 60
    shape = (n_runs, n)
    z = [
        lambda: draw.normal(0, 3, shape),
        lambda: draw.lognormal(0, 1, shape) - draw.lognormal(0, 1, shape),
        lambda: draw.standard_t(3, shape),
    ][law]()
    watch, called, naive = Watch(), 0, 0
    for run in z:
        called += any(watch.says(run[:k]) in ("more", "less") for k in range(watch.least, n + 1))
    for run in z[:300]:
        naive += any(student(run[:k]).is_clear for k in range(watch.least, n + 1, 2))
    # Three deviations of the count above the 5 % that is promised.
    assert called / n_runs <= 0.05 + 3 * sqrt(0.05 * 0.95 / n_runs), name
    assert naive / 300 > 0.10


def test_with_more_comparisons_each_is_stricter() -> None:
    z = np.random.default_rng(8).normal(1, 2, 20)
    one, four = Watch().interval(z), Watch(comparisons=4).interval(z)
    assert four.low < one.low < one.value < one.high < four.high


def test_a_real_difference_is_called_soon_and_the_right_way() -> None:
    draw = np.random.default_rng(9)
    watch = Watch()
    lengths = []
    for _ in range(200):
        z = draw.normal(-1.0, 1.0, 80)
        said = [watch.says(z[:k]) for k in range(81)]
        first = next(k for k, word in enumerate(said) if word != "open")
        assert said[first] == "less"
        lengths.append(first)
    assert np.mean(lengths) < 20


def test_same_is_said_of_no_difference_and_of_one_that_does_not_matter() -> None:
    assert Watch().says(np.zeros(6)) == "same"
    assert Watch().says(np.zeros(5)) == "open"
    z = np.random.default_rng(10).normal(0.0, 0.1, 40)
    assert Watch().says(z) == "open"
    assert Watch(negligible=1.0).says(z) == "same"
    # Certain and worth nothing: a rounding that is the same each time.
    assert Watch().says(np.full(6, 1e-6)) == "more"
    assert Watch(negligible=1.0).says(np.full(6, 1e-6)) == "same"


def test_the_interval_is_the_set_where_the_martingale_is_low() -> None:
    """The closed form against the likelihood ratio written out."""
    z, watch = np.random.default_rng(11).normal(0.4, 1.0, 15), Watch()
    found = watch.interval(z)

    def ratio(mu: float) -> float:
        x = z - mu
        n, q = x.size, float((x**2).sum())
        return float((1 + n) ** -0.5 * (q / (q - n**2 * x.mean() ** 2 / (1 + n))) ** (n / 2))

    assert ratio(found.low) == pytest.approx(20.0)
    assert ratio(found.high) == pytest.approx(20.0)
    assert ratio(found.value) < 20.0


def test_power_is_that_of_the_tables() -> None:
    # Cohen (1988): a paired test, d = 0.5, two-sided 5 %, 80 % power: 34 pairs.
    assert replications(0.5, 1.0) == 34
    assert power(34, 0.5, 1.0) == pytest.approx(0.8077, abs=5e-4)
    draw = np.random.default_rng(12)
    seen = sum(stats.ttest_1samp(draw.normal(0.5, 1.0, 34), 0.0).pvalue < 0.05 for _ in range(2000))
    assert seen / 2000 == pytest.approx(0.8077, abs=0.03)


def test_power_holds_at_the_ends() -> None:
    assert replications(1.0, 0.0) == 2
    assert power(1, 1.0, 1.0) == 0.0
    assert power(1000, 1.0, 0.1) == 1.0
    with pytest.raises(ValueError, match="zero"):
        replications(0.0, 1.0)


def test_the_same_luck_saves_replications_as_its_correlation_says() -> None:
    draw = np.random.default_rng(13)
    common = draw.normal(0, 10, 4000)
    a, b = 100 + common + draw.normal(0, 1, 4000), 102 + common + draw.normal(0, 1, 4000)
    found = power_of(a, b, effect=0.001)
    assert found is not None
    # Variances of a difference: 2 with the same luck, 202 without.
    assert found.saving == pytest.approx(101, rel=0.12)
    assert power_of(a - 200, b) is None
    assert power_of(np.full(5, 3.0), np.full(5, 3.0)) is None


def test_slope_is_that_of_each_replication_averaged() -> None:
    x = np.array([10.0, 20.0, 30.0])
    y = np.array([[1.0, 3.0, 5.0], [2.0, 3.0, 4.0]])
    assert slope(x, y).value == pytest.approx(0.15)
