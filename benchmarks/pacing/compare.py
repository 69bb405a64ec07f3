"""Comparison at equal abandonment, with intervals over seeds.

What a policy does with more or less abandonment is no answer to whether it paces better. Each is run at several values
of its knob, and what is compared is its occupancy where abandonment is exactly the limit.

Every figure is computed once from all days and again from days drawn with replacement (Efron 1979); the draws of two
policies are the same seeds, so that differences are paired. Row 0 of all arrays of draws is the figure itself.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from benchmarks.pacing.world import DayResult

# scipy carries no types of its own.
stats: Any = scipy_stats

F8 = NDArray[np.float64]
DRAWS: Final = 2000
LIMIT: Final = 0.03


class Estimate(NamedTuple):
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


class Days:
    """Some days of one policy in one scenario, in the order of their seeds."""

    def __init__(self, results: Sequence[DayResult]) -> None:
        self.results = tuple(results)
        self.answered, self.abandoned, self._occupancy, self._talk = np.array(
            [(day.answered, day.abandoned, day.occupancy, day.talk_utilisation) for day in results], dtype=np.float64
        ).T

    def __len__(self) -> int:
        return len(self.results)

    def first(self, n: int) -> "Days":
        """Return the first n days."""
        return Days(self.results[:n])

    @property
    def abandonment(self) -> F8:
        """Draws of abandoned over answered."""
        rows = drawn(len(self))
        return np.asarray(
            self.abandoned[rows].sum(axis=1) / np.maximum(1.0, self.answered[rows].sum(axis=1)), dtype=np.float64
        )

    @property
    def occupancy(self) -> F8:
        """Draws of mean occupancy."""
        return np.asarray(self._occupancy[drawn(len(self))].mean(axis=1), dtype=np.float64)

    @property
    def talk(self) -> F8:
        """Draws of mean talk utilisation."""
        return np.asarray(self._talk[drawn(len(self))].mean(axis=1), dtype=np.float64)

    @property
    def share_over(self) -> F8:
        """Draws of the share of days above the limit."""
        return np.asarray(self.over()[drawn(len(self))].mean(axis=1), dtype=np.float64)

    def over(self, limit: float = LIMIT) -> NDArray[np.bool_]:
        """Return of each day whether it ended above a limit."""
        return np.asarray(self.abandoned > limit * self.answered)


@lru_cache(maxsize=64)
def drawn(n: int) -> NDArray[np.int64]:
    """Return which of n seeds each draw takes, one row a draw; the first takes each once."""
    chance = np.random.default_rng(n)
    rows = np.concatenate((np.arange(n)[None, :], chance.integers(n, size=(DRAWS, n))))
    rows.setflags(write=False)
    return rows


def estimate(draws: F8, n: int) -> Estimate:
    """Return the figure and its interval, widened by Student's law for as few days as n."""
    value = float(draws[0])
    if n < 2:
        return Estimate(value, float("-inf"), float("inf"))
    error = float(np.std(draws[1:], ddof=1)) * (n / (n - 1)) ** 0.5
    within = float(stats.t.ppf(0.975, n - 1)) * error
    return Estimate(value, value - within, value + within)


def near_limit(centre: Days, around: Sequence[Days], limit: float = LIMIT) -> F8:
    """Return draws of occupancy at the limit of a policy that keeps near it by itself.

    Parameters
    ----------
    centre : Days
        At the knob that should give the limit.
    around : sequence of Days
        At two or more knobs on either side, on the same few seeds: they give the slope.
    """
    return centre.occupancy + slope(around) * (limit - centre.abandonment)


def slope(around: Sequence[Days]) -> F8:
    """Return draws of the occupancy gained for each further point of abandonment, by least squares over knobs."""
    x, y = (np.array([getattr(days, name) for days in around]) for name in ("abandonment", "occupancy"))
    x = x - x.mean(axis=0)
    spread = (x**2).sum(axis=0)
    # More abandonment never costs occupancy, and knobs that do the same say nothing.
    return np.asarray(np.maximum(0.0, (x * y).sum(axis=0) / np.where(spread > 0.0, spread, np.inf)), dtype=np.float64)


def keeps(knobs: Sequence[Days], limit: float = LIMIT) -> bool:
    """Return whether any of the knobs keeps the limit."""
    return any(days.abandonment[0] <= limit for days in knobs)


def under_limit(knobs: Sequence[Days], limit: float = LIMIT) -> F8:
    """Return draws of the most occupancy that a policy reaches at or under the limit.

    Between two knobs on either side of the limit both may be used in turn: the line between them counts. Where no knob
    keeps the limit, it is the occupancy of the most timid one.
    """
    points = sorted(((days.abandonment, days.occupancy) for days in knobs), key=lambda point: float(point[0][0]))
    reached = [occupancy for abandonment, occupancy in points if abandonment[0] <= limit] or [points[0][1]]
    for (less, occupancy_less), (more, occupancy_more) in pairwise(points):
        if less[0] <= limit < more[0]:
            apart = np.where(more > less, more - less, np.inf)
            # A draw may have both knobs on the same side: it follows the line no further than as long again.
            share = np.clip((limit - less) / apart, -1.0, 2.0)
            reached.append(occupancy_less + share * (occupancy_more - occupancy_less))
    return max(reached, key=lambda occupancy: float(occupancy[0]))


def geometric_mean(ratios: Sequence[F8]) -> F8:
    """Return draws of the geometric mean of ratios."""
    return np.asarray(np.exp(np.mean(np.log(np.array(ratios)), axis=0)), dtype=np.float64)


def upper_bound(n_over: int, n: int) -> float:
    """Return the 95 % upper bound of a share of which n_over of n were seen (Clopper and Pearson 1934, one-sided)."""
    return 1.0 if n_over >= n else float(stats.beta.ppf(0.95, n_over + 1, n - n_over))
