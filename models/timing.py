"""How much of what a model says of hours unseen calls bear out; the rest is not claimed.

The best of 84 noisy chances always looks better than their mean, also where the hour tells nothing. So what a model
says of a number is parted into its mean over the slots and what an hour adds, in log odds. On calls that the model had
not seen, the second gets a slope of its own: 1 where hours deserve what was said of them, less where they
deserve less, and 0 where calls do not clearly show that hours matter at all. A planner that chooses hours gets what it
is told.

Never more than 1, though trees that learn slowly say too little of most hours: models of windows know less than the
one that serves, and of 84 hours the best is the one most flattered (docs/results.md).
"""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.metrics import by_chance, claimed

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

#: One-sided chance of as much without any timing, below which it is taken for one.
ALPHA = 0.01


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """What is borne out of hours."""

    #: Of what an hour adds to the log odds, 0 to 1; 0: nothing was borne out.
    slope: float
    #: As measured, with its standard error by debtor.
    measured: float
    error: float
    #: Hours of the debtor's week at which people are called (hour h of weekday d, Monday 0: 24 d + h): over their mean
    #: an hour is said to add something. Empty: all.
    hours: tuple[int, ...] = ()

    def __call__(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log odds by slot, (rows, slots), with the hours' part as far as it is borne out."""
        mean = raw.mean(axis=1, keepdims=True, dtype=np.float64)
        return np.asarray(self.held(raw, mean), np.float32)

    def held(self, log_odds: F8 | NDArray[np.float32], mean: F8) -> F8:
        """Return log odds with the hours' part as far as it is borne out; `mean`: of the number over `hours`."""
        return np.asarray(mean + self.slope * (log_odds - mean), np.float64)


class BestTimes(msgspec.Struct, frozen=True, kw_only=True):
    """What a version claims of hours, and why no more."""

    timing: Timing
    #: Unseen calls by which it was measured, and of how many debtors.
    calls: int
    debtors: int
    #: The best hour of the week over the mean hour, less 1, mean over the numbers of unseen calls: as the trees have
    #: it, and as it is served.
    said: float
    claimed: float
    #: Of those calls, with their hours as the trees have them, and as they are served.
    log_loss_said: float
    log_loss_served: float


def borne_out(mean: F8, adds: F8, y: F8, group: I8, weight: F8 | None = None) -> Timing:
    """Return what unseen calls bear out of what a model says of hours.

    Parameters
    ----------
    mean : (n,)
        Log odds of each call's number, averaged over the slots, by a model that had not seen the call.
    adds : (n,)
        Log odds of the call's own slot, less `mean`.
    y : (n,)
        1: what the model predicts came.
    group : (n,)
        Debtors: their calls err together.
    weight : (n,)
        How much each counts; None: all as much.

    Notes
    -----
    A logistic regression of y on a constant, `mean` and `adds`, by Newton's method; errors by debtor (sandwich). A
    slope that is borne out is drawn towards 1 as far as its error leaves it open.
    """
    x = np.column_stack((np.ones(len(y)), mean, adds))
    w = np.ones(len(y)) if weight is None else weight
    beta = np.array([0.0, 1.0, 0.0])
    for _ in range(50):
        p = _chances(x, beta)
        step = np.linalg.solve(_bread(x, p, w), np.einsum("ij,i->j", x, w * (y - p)))
        # Far from the answer a whole step may overshoot.
        beta += step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    p = _chances(x, beta)
    _, member = np.unique(group, return_inverse=True)
    scores = np.column_stack([np.bincount(member, x[:, k] * w * (y - p)) for k in range(3)])
    bread = np.linalg.inv(_bread(x, p, w))
    variance = np.einsum("ij,jk,kl->il", bread, np.einsum("ij,ik->jk", scores, scores), bread)
    slope, error = float(beta[2]), math.sqrt(max(float(variance[2, 2]), 0.0))
    if by_chance(slope, error) >= ALPHA:
        return Timing(slope=0.0, measured=slope, error=error)
    return Timing(slope=claimed(slope, error), measured=slope, error=error)


def uplift(p: NDArray[np.float32]) -> float:
    """Return what chances by slot, (rows, slots), claim: the best slot of each row over its mean slot, less 1."""
    return float(p.max(axis=1).mean(dtype=np.float64) / p.mean(dtype=np.float64) - 1.0)


def _chances(x: F8, beta: F8) -> F8:
    # Not `@`: its sums depend on the number of threads.
    found: F8 = 0.5 * (1.0 + np.tanh(np.einsum("ij,j->i", x, beta) / 2.0))
    return found


def _bread(x: F8, p: F8, w: F8) -> F8:
    # A hair of a ridge: where no hour adds anything, its slope stays 0 instead of being undefined.
    found: F8 = np.einsum("ij,ik->jk", x * (w * p * (1.0 - p))[:, None], x) + 1e-9 * np.eye(3)
    return found
