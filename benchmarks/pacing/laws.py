"""Laws of a duration: how long a call rings, a conversation or a wrap-up lasts.

A law is asked for quantiles (the world draws from tables of them), for its survival and for its density.
"""

from functools import lru_cache
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize as scipy_optimize
from scipy import stats as scipy_stats

F8 = NDArray[np.float64]

# scipy carries no types of its own.
optimize: Any = scipy_optimize
stats: Any = scipy_stats

#: Quantiles are kept on an even grid of -log(1 - u), on which they are nearly straight in the tail.
QUANTILES_PER_UNIT = 256
QUANTILES_END = 37.0


class Law(msgspec.Struct, frozen=True, kw_only=True):
    """A duration of given mean and spread."""

    #: `lognormal_under`: a shift, then a lognormal law cut at `end_s`; mean and cv are those of the whole.
    family: Literal["exponential", "gamma", "lognormal", "lomax", "uniform", "lognormal_under", "half_normal"]
    mean_s: float
    #: Standard deviation over mean. Of a Lomax law, which may have none, the shape is given instead.
    cv: float = 1.0
    shape: float = 0.0
    shift_s: float = 0.0
    end_s: float = 0.0

    def scaled(self, factor: float) -> "Law":
        """Return the law of the duration times a factor."""
        return msgspec.structs.replace(
            self,
            mean_s=self.mean_s * factor,
            shift_s=self.shift_s * factor,
            end_s=self.end_s * factor,
        )

    def survival(self, elapsed_s: ArrayLike) -> F8:
        """Return P(longer than elapsed_s)."""
        return np.asarray(_frozen(self).sf(np.asarray(elapsed_s, dtype=np.float64)), dtype=np.float64)

    def pdf(self, elapsed_s: ArrayLike) -> F8:
        """Return the density at elapsed_s; a constant duration has none."""
        return np.asarray(_frozen(self).pdf(np.asarray(elapsed_s, dtype=np.float64)), dtype=np.float64)

    def quantile(self, survival: ArrayLike) -> F8:
        """Return the duration that is exceeded with the given chance, in (0, 1]."""
        return np.asarray(_frozen(self).isf(np.asarray(survival, dtype=np.float64)), dtype=np.float64)

    def quantiles(self) -> F8:
        """Return the quantiles of u = 1 - exp(-i / QUANTILES_PER_UNIT), i = 0, 1, ... as the world draws them."""
        return _quantiles(self)


class _LognormalUnder:
    """A shift, then a lognormal duration, given that the whole stays under an end."""

    def __init__(self, law: Law) -> None:
        self.shift_s, self.end_s = law.shift_s, law.end_s
        mean, spread = law.mean_s - law.shift_s, law.cv * law.mean_s
        sigma_start = float(np.sqrt(np.log1p((spread / mean) ** 2)))

        def misfit(guess: F8) -> F8:
            x, density = self._grid(float(guess[0]), float(np.exp(guess[1])))
            at_mean = float(np.sum(x * density))
            return np.array([at_mean - mean, np.sqrt(np.sum((x - at_mean) ** 2 * density)) - spread])

        solved = optimize.root(misfit, np.array([np.log(mean) - sigma_start**2 / 2, np.log(sigma_start)]))
        if not solved.success:
            raise ValueError(f"no lognormal law under {law.end_s} s has mean {law.mean_s} s and cv {law.cv}")
        self.whole = stats.lognorm(float(np.exp(solved.x[1])), scale=float(np.exp(solved.x[0])))
        self.kept = float(self.whole.cdf(self.end_s - self.shift_s))

    def _grid(self, mu: float, sigma: float) -> tuple[F8, F8]:
        step = (self.end_s - self.shift_s) / 4000
        x: F8 = (np.arange(4000, dtype=np.float64) + 0.5) * step
        density = np.asarray(stats.lognorm.pdf(x, sigma, scale=np.exp(mu)), dtype=np.float64)
        return x, density / density.sum()

    def sf(self, x: F8) -> F8:
        inside = np.clip(x - self.shift_s, 0.0, self.end_s - self.shift_s)
        return np.asarray(1.0 - self.whole.cdf(inside) / self.kept, dtype=np.float64)

    def pdf(self, x: F8) -> F8:
        return np.where(x < self.end_s, self.whole.pdf(x - self.shift_s) / self.kept, 0.0)

    def isf(self, q: F8) -> F8:
        return np.asarray(self.shift_s + self.whole.ppf((1.0 - q) * self.kept), dtype=np.float64)


@lru_cache(maxsize=256)
def _frozen(law: Law) -> Any:
    mean, cv = law.mean_s, law.cv
    match law.family:
        case "lognormal_under":
            return _LognormalUnder(law)
        case "exponential":
            return stats.expon(scale=mean)
        case "gamma":
            return stats.gamma(cv**-2, scale=mean * cv**2)
        case "lognormal":
            return stats.lognorm(np.sqrt(np.log1p(cv**2)), scale=mean / np.sqrt(1.0 + cv**2))
        case "lomax":
            return stats.lomax(law.shape, scale=mean * (law.shape - 1.0))
        case "half_normal":
            return stats.halfnorm(scale=mean * np.sqrt(np.pi / 2.0))
        case "uniform":
            half = cv * mean * np.sqrt(3.0)
            return stats.uniform(mean - half, 2.0 * half)


@lru_cache(maxsize=256)
def _quantiles(law: Law) -> F8:
    depth = np.arange(int(QUANTILES_PER_UNIT * QUANTILES_END) + 1) / QUANTILES_PER_UNIT
    table = law.quantile(np.exp(-depth))
    table.setflags(write=False)
    return table
