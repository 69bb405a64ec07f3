"""What a difference between two arms is worth: paired intervals, a rule for when to stop, replications needed.

Replications are paired by seed: arm A and arm B meet the same debtors with the same luck. A metric is a quotient of
sums over replications, and the mean of a total is the quotient whose denominator is 1, so one way serves all metrics:
the jackknife over seeds. It keeps the pairing, needs no derivative for each formula, and is the Student interval of
paired differences exactly when the denominators are 1. (Efron & Stein 1981; Miller 1974.)

Whoever looks after every replication and stops when an ordinary interval leaves zero out finds a difference where
there is none far more often than he says. `Watch` is valid at every look: a confidence sequence.
"""

from collections.abc import Callable
from math import exp, inf, isnan, log, nan, sqrt

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.intervals import Interval

F8 = NDArray[np.float64]

#: Of two-sided intervals.
ALPHA = 0.05
#: Variance of the size of effects looked for, in units of a paired difference's deviation, in `Watch`.
_SPREAD = 1.0


def quantile_t(p: float, df: float) -> float:
    """Return the quantile of Student's law."""
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def student(values: F8, alpha: float = ALPHA) -> Interval:
    """Return the mean of independent values with Student's interval.

    Parameters
    ----------
    values : (n,) float64
    """
    n = values.size
    if n == 0:
        return Interval(nan, nan, nan)
    mean = float(values.mean())
    if n == 1:
        return Interval(mean, -inf, inf)
    half = quantile_t(1 - alpha / 2, n - 1) * float(values.std(ddof=1)) / sqrt(n)
    return Interval(mean, mean - half, mean + half)


def prediction(values: F8, alpha: float = ALPHA) -> Interval:
    """Return the mean of independent values, and where one more of them lies.

    Parameters
    ----------
    values : (n,) float64
        Of a normal law, as sums over many debtors are.
    """
    n = values.size
    mean = float(values.mean()) if n else nan
    if n < 2:
        return Interval(mean, -inf, inf)
    half = quantile_t(1 - alpha / 2, n - 1) * float(values.std(ddof=1)) * sqrt(1 + 1 / n)
    return Interval(mean, mean - half, mean + half)


def jackknife(sums: F8, estimate: Callable[[F8], F8], alpha: float = ALPHA) -> Interval:
    """Return an estimate made of sums over replications, with its interval.

    Parameters
    ----------
    sums : (n, k) float64
        What each replication adds to each of k sums.
    estimate : callable
        Takes (m, k) sums and returns (m,) estimates; nan where there is none.

    Returns
    -------
    Interval
        The estimate from all sums, Student's interval of the pseudo-values about it.
    """
    n = sums.shape[0]
    total = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = float(estimate(total[None, :])[0])
        if n < 2 or isnan(whole):
            return Interval(whole, *((nan, nan) if isnan(whole) else (-inf, inf)))
        without = estimate(total[None, :] - sums)
    if not np.isfinite(without).all():
        return Interval(whole, -inf, inf)
    half = quantile_t(1 - alpha / 2, n - 1) * sqrt((n - 1) / n * float(((without - without.mean()) ** 2).sum()))
    return Interval(whole, whole - half, whole + half)


def _quotient(sums: F8) -> F8:
    """Return numerator / denominator of (m, 2) sums."""
    return np.asarray(sums[:, 0] / np.where(sums[:, 1] == 0.0, nan, sums[:, 1]), dtype=np.float64)


def quotient(a: F8, alpha: float = ALPHA) -> Interval:
    """Return a metric of one arm.

    Parameters
    ----------
    a : (n, 2) float64
        Numerator and denominator, by replication.
    """
    return jackknife(a, _quotient, alpha)


def difference(a: F8, b: F8, alpha: float = ALPHA) -> Interval:
    """Return metric of B − metric of A over paired replications, both (n, 2) as `quotient` takes them."""
    return jackknife(np.hstack([a, b]), lambda sums: _quotient(sums[:, 2:]) - _quotient(sums[:, :2]), alpha)


def relative(a: F8, b: F8, alpha: float = ALPHA) -> Interval:
    """Return metric of B ÷ metric of A − 1 over paired replications; nan unless A's is positive."""

    def ratio(sums: F8) -> F8:
        first = _quotient(sums[:, :2])
        return np.asarray(_quotient(sums[:, 2:]) / np.where(first > 0.0, first, nan) - 1.0, dtype=np.float64)

    return jackknife(np.hstack([a, b]), ratio, alpha)


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """When is the answer clear? An interval for the mean of paired differences that holds at every look at once.

    Notes
    -----
    For differences z₁, z₂, … of a normal law with unknown spread σ, let the size of the effect μ/σ be N(0, g) under the
    alternative. The likelihood ratio of what is left of the data when its scale is ignored,

        Eₙ = (1 + ng)^(−1/2) · ((ν + t²) / (ν + t² / (1 + ng)))^(n/2),   ν = n − 1, t Student's statistic,

    is a martingale of mean 1 when μ = 0, whatever σ is; by Ville's inequality it ever reaches 1/α with probability α at
    most. Those μ at which it has not are the interval. (Lai 1976; Pérez-Ortiz et al. 2022; Wang & Ramdas 2023.)
    The error holds at any number of looks and when replications are added later, which fixed looks do not allow; the
    price is an interval 1.5 to 1.7 times as wide as Student's of the same replications.
    """

    #: Chance ever to call a difference that is none, over all looks and all comparisons.
    alpha: float = ALPHA
    #: Comparisons with the first arm: each gets its share of `alpha`.
    comparisons: int = 1
    #: No look before so many replications: a handful has no law to speak of.
    least: int = 6
    #: A difference smaller than this, either way, is none that matters; in the differences' unit.
    negligible: float = 0.0

    def interval(self, differences: F8) -> Interval:
        """Return the interval after these differences.

        Parameters
        ----------
        differences : (n,) float64
            B − A by seed, in the order in which they are looked at.
        """
        n = differences.size
        if n == 0:
            return Interval(nan, nan, nan)
        mean = float(differences.mean())
        if n < 2:
            return Interval(mean, -inf, inf)
        spread = 1.0 + n * _SPREAD
        bound = exp((0.5 * log(spread) - log(self.alpha / self.comparisons)) * 2.0 / n)
        if bound >= spread:
            return Interval(mean, -inf, inf)
        t = sqrt((n - 1) * (bound - 1.0) * spread / (spread - bound))
        half = t * float(differences.std(ddof=1)) / sqrt(n)
        return Interval(mean, mean - half, mean + half)

    def says(self, differences: F8) -> str:
        """Return `more`, `less`, `same` (none that matters), or `open`."""
        if differences.size < self.least:
            return "open"
        if not differences.any():
            return "same"
        found = self.interval(differences)
        if -self.negligible < found.low and found.high < self.negligible:
            return "same"
        if found.low > 0.0:
            return "more"
        return "less" if found.high < 0.0 else "open"


def power(n: int, effect: float, deviation: float, alpha: float = ALPHA) -> float:
    """Return the chance that Student's two-sided test of n differences sees an effect.

    Parameters
    ----------
    effect, deviation : float
        Mean and deviation of one difference, in one unit.
    """
    from scipy.special import nctdtr

    if n < 2:
        return 0.0
    if deviation == 0.0:
        return 1.0 if effect else alpha
    shift, bound = abs(effect) / deviation * sqrt(n), quantile_t(1 - alpha / 2, n - 1)
    # Far out the noncentral law overflows; there the effect is seen.
    return 1.0 if shift > 30.0 else float(1.0 - nctdtr(n - 1, shift, bound) + nctdtr(n - 1, shift, -bound))


def replications(effect: float, deviation: float, *, wanted: float = 0.8, alpha: float = ALPHA) -> int:
    """Return how many replications see an effect with a wanted chance; 2 at least.

    Raises
    ------
    ValueError
        When the effect is zero, which nobody can see.
    """
    if effect == 0.0:
        raise ValueError("effect must not be zero")
    low, high = 1, 2
    while power(high, effect, deviation, alpha) < wanted:
        low, high = high, 2 * high
        if high > 1 << 30:
            return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, effect, deviation, alpha) >= wanted else (middle, high)
    return high


class Power(msgspec.Struct, frozen=True, kw_only=True):
    """Replications that see one effect on the primary metric, from the spread measured."""

    #: Share of A's mean.
    effect: float
    wanted: float
    #: Deviation of one difference: the same luck for both arms, and luck of their own.
    keyed_deviation: float
    independent_deviation: float
    keyed: int
    independent: int

    @property
    def saving(self) -> float:
        """Return how many times fewer replications the same luck needs."""
        return self.independent / self.keyed


def power_of(a: F8, b: F8, *, effect: float = 0.02, wanted: float = 0.8) -> Power | None:
    """Return the replications needed to see a share of A's mean; None where there is no spread or no positive mean.

    Parameters
    ----------
    a, b : (n,) float64
        The primary metric by seed.
    """
    mean = float(a.mean()) if a.size else 0.0
    if a.size < 3 or mean <= 0.0:
        return None
    keyed = float((b - a).std(ddof=1))
    independent = sqrt(float(a.var(ddof=1)) + float(b.var(ddof=1)))
    if independent == 0.0:
        return None
    return Power(
        effect=effect,
        wanted=wanted,
        keyed_deviation=keyed,
        independent_deviation=independent,
        keyed=replications(effect * mean, keyed, wanted=wanted),
        independent=replications(effect * mean, independent, wanted=wanted),
    )


def slope(x: F8, y: F8, alpha: float = ALPHA) -> Interval:
    """Return the mean over replications of the least-squares slope of y on x, with Student's interval.

    Parameters
    ----------
    x : (m,) float64
        E.g. agents.
    y : (n, m) float64
        E.g. net recovery by replication.
    """
    centred = x - x.mean()
    return student(y @ centred / float(centred @ centred), alpha)
