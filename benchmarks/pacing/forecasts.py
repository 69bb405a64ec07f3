"""Per-lead forecasts of an answer: leads of unequal chances, and what a model of a given AUC says of each.

A lead's true chance of a live answer is logistic(mu + sigma Z). The model sees X, of correlation rho with Z, and a
calibrated model shows E[chance | X]. Distortions bend what is shown.
"""

from functools import lru_cache
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import optimize as scipy_optimize
from scipy.special import expit

F8 = NDArray[np.float64]

# scipy carries no types of its own.
optimize: Any = scipy_optimize

Distortion = Literal["calibrated", "times_1.5", "monotone", "drifting", "fading", "useless"]

#: Grid of the standard normal law.
NORMAL_GRID: F8 = np.linspace(-6.0, 6.0, 601)
_WEIGHTS: F8 = np.exp(-0.5 * NORMAL_GRID**2) / np.sum(np.exp(-0.5 * NORMAL_GRID**2))


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What the models know of each lead."""

    #: AUC that the leads' true chances have, and that of what is shown.
    auc_true: float = 0.85
    auc_shown: float = 0.85
    #: `times_1.5`: one and a half times too high. `monotone`: bent, in the right order. `drifting`: too high, then too
    #: low, then too high in the course of the day. `fading`: right in the morning, knows nothing in the evening.
    #: `useless`: as confident as a good one, and knows nothing.
    distortion: Distortion = "calibrated"


@lru_cache(maxsize=64)
def spread(p_mean: float, auc: float) -> float:
    """Return sigma of the logit-normal law of chances of a given mean whose own AUC is given."""

    def misfit(sigma: float) -> float:
        return area(expit(centre(p_mean, sigma) + sigma * NORMAL_GRID)) - auc

    return float(optimize.brentq(misfit, 0.05, 8.0, xtol=1e-6))


@lru_cache(maxsize=4096)
def centre(p_mean: float, sigma: float) -> float:
    """Return mu such that logistic(mu + sigma Z) has mean p_mean."""

    def misfit(mu: float) -> float:
        return float(np.sum(_WEIGHTS * expit(mu + sigma * NORMAL_GRID))) - p_mean

    return float(optimize.brentq(misfit, -60.0, 60.0, xtol=1e-9))


def area(chance: F8) -> float:
    """Return the AUC of calibrated chances, increasing on NORMAL_GRID."""
    live, rest = _WEIGHTS * chance, _WEIGHTS * (1.0 - chance)
    below = np.cumsum(rest) - 0.5 * rest
    return float(np.sum(live * below) / (live.sum() * rest.sum()))


def expected(mu: float, sigma: float, rho: float) -> F8:
    """Return E[logistic(mu + sigma Z) | X = x] on NORMAL_GRID."""
    inner = rho * NORMAL_GRID[:, None] + np.sqrt(1.0 - rho**2) * NORMAL_GRID[None, :]
    return np.asarray(expit(mu + sigma * inner) @ _WEIGHTS, dtype=np.float64)


@lru_cache(maxsize=64)
def insight(p_mean: float, auc_true: float, auc_shown: float) -> float:
    """Return rho such that a calibrated forecast has AUC `auc_shown` among leads whose chances have `auc_true`."""
    if auc_shown >= auc_true:
        return 1.0
    sigma = spread(p_mean, auc_true)
    mu = centre(p_mean, sigma)
    return float(optimize.brentq(lambda rho: area(expected(mu, sigma, rho)) - auc_shown, 0.0, 1.0, xtol=1e-6))


def shown(p_mean: float, forecast: Forecast) -> F8:
    """Return what the model shows for each X on NORMAL_GRID, but for the distortions that move in time."""
    sigma = spread(p_mean, forecast.auc_true)
    rho = insight(p_mean, forecast.auc_true, forecast.auc_shown)
    calibrated = expected(centre(p_mean, sigma), sigma, rho)
    match forecast.distortion:
        case "times_1.5":
            return np.minimum(1.5 * calibrated, 0.99)
        case "monotone":
            # Too sure in the middle and too low throughout: no constant factor, no straight line of logits.
            return np.asarray(0.02 + 0.75 * calibrated**1.7, dtype=np.float64)
        case _:
            return calibrated
