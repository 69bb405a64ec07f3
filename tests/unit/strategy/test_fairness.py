"""Who is called more than others: the group that is called most, told from chance by debtors."""

import numpy as np
import pytest

from strategy.evidence import Guard
from strategy.fairness import LEAST_DEBTORS, OTHERS, UNKNOWN, intensity

N = 1_200
CHANCE = np.random.default_rng(7)
WORDS = np.array(["es", "es", "en", "ca"])[np.arange(N) % 4]
WEEKS = CHANCE.uniform(1.0, 3.0, N)
#: Some are called much more than others whoever they are.
EASY = CHANCE.gamma(1.0, 1.0, N)


def told(words: np.ndarray, times: float, most: float = 1.25) -> Guard:
    """Return how it stands where those who speak Catalan are called so many times as often."""
    calls = CHANCE.poisson(2.0 * EASY * WEEKS * np.where(WORDS == "ca", times, 1.0)).astype(np.float64)
    found = intensity("language", words, "mine", most, calls, WEEKS)
    assert found is not None
    return found


@pytest.mark.parametrize(("times", "state"), [(1.0, "holds"), (2.5, "alarm")])
def test_a_group_that_is_called_more_is_named(times: float, state: str) -> None:
    found = told(WORDS, times)
    assert (found.state, found.arm, found.most) == (state, "mine", 1.25)
    assert found.at_least < found.value
    if state == "alarm":
        assert found.metric == "calls by language, ca"
        # A quarter are called 2.5 times as often: 2.5 over a mean of 1.375.
        assert found.value == pytest.approx(2.5 / 1.375, rel=0.15)


def test_the_figure_is_calls_by_week_over_those_of_all() -> None:
    words = np.repeat(["a", "b"], LEAST_DEBTORS)
    calls, weeks = np.repeat([6.0, 2.0], LEAST_DEBTORS), np.repeat([2.0, 2.0], LEAST_DEBTORS)
    found = intensity("region", words, "x", 1.2, calls, weeks)
    assert found is not None
    assert (found.metric, found.value) == ("calls by region, a", pytest.approx(1.5))
    # Nothing varies within a group, so nothing is left to chance but how many of each there are.
    assert found.state == "alarm"


def test_chance_alone_hardly_ever_raises_an_alarm() -> None:
    alarms = sum(told(WORDS, 1.0, most=1.01).state == "alarm" for _ in range(300))
    assert alarms <= 12


def test_small_groups_are_put_together_and_unknown_words_are_a_group() -> None:
    few = np.where(np.arange(N) < LEAST_DEBTORS - 1, "fr", np.where(np.arange(N) < 2 * LEAST_DEBTORS - 2, "de", ""))
    calls = np.where(few == "", 1.0, 9.0)
    found = intensity("language", few, "x", 1.5, calls, np.ones(N))
    assert found is not None
    assert found.metric == f"calls by language, {OTHERS}"
    calls = np.where(few == "", 9.0, 0.0)
    found = intensity("language", few, "x", 1.5, calls, np.ones(N))
    assert found is not None
    assert found.metric == f"calls by language, {UNKNOWN}"


def test_one_group_or_no_call_is_nothing_to_compare() -> None:
    assert intensity("language", np.full(N, "es"), "x", 1.5, np.ones(N), np.ones(N)) is None
    few = np.where(np.arange(N) < LEAST_DEBTORS - 1, "fr", "es")
    assert intensity("language", few, "x", 1.5, np.ones(N), np.ones(N)) is None
    assert intensity("language", WORDS, "x", 1.5, np.zeros(N), np.ones(N)) is None
