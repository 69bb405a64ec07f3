"""How good scores are: figures with weights, so that the bootstrap draws debtors, not rows.

All take a target of 0 and 1, probabilities of 1, and weights; each returns NaN where it is not defined (one class
alone). Equal scores share their rank.
"""

import math
from collections.abc import Callable, Iterator, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

#: Bins of reliability: equal in rows, so that each is as sure as the next.
BINS = 10
#: Probabilities are held this far from 0 and 1 in the logarithm.
EDGE = 1e-15


METRICS = ("auc", "log_loss", "brier", "ece", "lift_10")
#: Digits that are worth showing.
DIGITS = {"auc": 3, "log_loss": 4, "brier": 4, "ece": 4, "lift_10": 2}
WORDS = {"auc": "AUC", "log_loss": "log-loss", "brier": "Brier", "ece": "ECE", "lift_10": "lift at 10 %"}


#: See `claimed`.
_GIVE_OR_TAKE = 0.5


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def is_above(self) -> bool:
        """Whether it is clearly more than zero."""
        return self.low > 0.0

    @property
    def is_below(self) -> bool:
        return self.high < 0.0


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of like scores: what was said and what came."""

    rows: int
    mean_score: float
    rate: float


class Scored:
    """Rows with their scores, sorted once so that figures under many weights are quick."""

    def __init__(self, y: F8, p: F8) -> None:
        self._order = np.argsort(p, kind="stable")
        self._y, self._p = y[self._order], p[self._order]
        self._loss = losses(self._y, self._p)
        self._off = self._y - self._p
        self._square = self._off**2
        #: The last row of each run of equal scores.
        self._ends = np.flatnonzero(np.append(self._p[1:] != self._p[:-1], True))

    def figures(self, w: F8) -> dict[str, float]:
        """Return every metric under weights (n,)."""
        w = w[self._order]
        total = w.sum()
        if not total > 0.0:
            return dict.fromkeys(METRICS, float("nan"))
        rows, yes = np.cumsum(w)[self._ends], np.cumsum(w * self._y)[self._ends]
        return {
            "auc": _auc(rows, yes),
            # Not `@`: on long rows it wakes the threads of BLAS, whose sums depend on how many there are.
            "log_loss": float((w * self._loss).sum() / total),
            "brier": float((w * self._square).sum() / total),
            "ece": _ece(w * self._off, w),
            "lift_10": _lift(rows, yes, 0.1),
        }


def auc(y: F8, p: F8, w: F8 | None = None) -> float:
    """Return the chance that a yes scores above a no; ties count half."""
    return Scored(y, p).figures(np.ones(len(y)) if w is None else w)["auc"]


def log_loss(y: F8, p: F8) -> float:
    return float(losses(y, p).mean())


def ece(y: F8, p: F8) -> float:
    """Return the expected calibration error: |what was said − what came| over bins of equal weight."""
    return Scored(y, p).figures(np.ones(len(y)))["ece"]


def _auc(rows: F8, yes: F8) -> float:
    """Return the AUC of running totals by score."""
    some, none = np.diff(yes, prepend=0.0), np.diff(rows - yes, prepend=0.0)
    whole = some.sum() * none.sum()
    return float((some * (np.cumsum(none) - none / 2)).sum() / whole) if whole > 0.0 else float("nan")


def _lift(rows: F8, yes: F8, share: float) -> float:
    """Return the rate of the best share over the rate of all; ties across the edge count in part."""
    edge = np.interp((1.0 - share) * rows[-1], np.append(0.0, rows), np.append(0.0, yes))
    return float((yes[-1] - edge) / (share * yes[-1])) if yes[-1] > 0.0 else float("nan")


def _ece(off: F8, w: F8) -> float:
    """Return the calibration error of what was off, by rising score."""
    running = np.cumsum(w)
    ends = np.searchsorted(running, running[-1] * np.arange(1, BINS) / BINS, side="left") + 1
    reached = np.append(0.0, np.cumsum(off))[np.concatenate(([0], np.minimum(ends, len(off)), [len(off)]))]
    return float(np.abs(np.diff(reached)).sum() / running[-1])


def losses(y: F8, p: F8) -> F8:
    """Return each row's log-loss, in nats."""
    held = np.clip(p, EDGE, 1.0 - EDGE)
    found: F8 = -(y * np.log(held) + (1.0 - y) * np.log1p(-held))
    return found


def reliability(y: F8, p: F8, w: F8, bins: int = BINS) -> list[Bin]:
    """Return what was said and what came, in bins of equal weight by score."""
    found = []
    for rows in _bins(p, w, bins):
        weight = w[rows].sum()
        if weight > 0.0:
            mean, rate = (w[rows] * p[rows]).sum() / weight, (w[rows] * y[rows]).sum() / weight
            found.append(Bin(rows=len(rows), mean_score=float(mean), rate=float(rate)))
    return found


def ece_by_chance(p: F8, w: F8, draws: int = 200, seed: int = 1) -> float:
    """Return the mean calibration error that a model would show whose every probability is true."""
    order = np.argsort(p, kind="stable")
    p, w = p[order], w[order]
    random = np.random.default_rng(seed)
    return float(np.mean([_ece(w * ((random.random(len(p)) < p) - p), w) for _ in range(draws)]))


def gain(y: F8, p: F8, shares: F8) -> F8:
    """Return the share of all yes that is found in the best shares of rows."""
    order = np.argsort(-p, kind="stable")
    found = np.append(0.0, np.cumsum(y[order]))
    at: F8 = np.interp(shares * len(y), np.arange(len(found)), found) / max(found[-1], 1e-300)
    return at


def uplift_curve(y: F8, treated: F8, score: F8, p_treated: F8, w: F8) -> tuple[F8, F8]:
    """Return what treating the best by a score brings over treating nobody.

    Parameters
    ----------
    y, treated, score : (n,)
        Outcome (0/1 or an amount), whether the row was treated (0/1), and by what to rank; ties are taken together.
    p_treated : (n,) in (0, 1)
        Chance with which the row was to be treated.

    Returns
    -------
    shares, gains : (k,)
        Share of rows treated, and the gain per row of the whole population, by inverse propensity.

    Notes
    -----
    Radcliffe's Qini curve with Horvitz and Thompson's weights instead of counts of the arms.
    """
    effect = w * y * (treated / p_treated - (1.0 - treated) / (1.0 - p_treated))
    order = np.argsort(-score, kind="stable")
    ranked, effect, w = score[order], effect[order], w[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    shares = np.append(0.0, np.cumsum(w)[ends]) / w.sum()
    return shares, np.append(0.0, np.cumsum(effect)[ends]) / w.sum()


def auuc(y: F8, treated: F8, score: F8, p_treated: F8, w: F8) -> float:
    """Return the area under the uplift curve, in gain per row."""
    shares, gains = uplift_curve(y, treated, score, p_treated, w)
    return float(np.trapezoid(gains, shares))


def qini(y: F8, treated: F8, score: F8, p_treated: F8, w: F8) -> float:
    """Return the area between the uplift curve and treating at random, in gain per row."""
    shares, gains = uplift_curve(y, treated, score, p_treated, w)
    return float(np.trapezoid(gains, shares) - gains[-1] / 2)


class Resampled:
    """Figures of several contestants over the same rows, drawn anew by groups; pairs share every draw.

    Parameters
    ----------
    group, weight : (n,)
        Rows of one group are drawn together, or not at all.
    """

    def __init__(
        self, contestants: Mapping[str, Scored], group: I8, weight: F8, draws: int = 400, seed: int = 1
    ) -> None:
        self._values = {name: one.figures(weight) for name, one in contestants.items()}
        self._drawn: dict[str, dict[str, list[float]]] = {name: {m: [] for m in METRICS} for name in contestants}
        for times in draws_of(group, draws, seed):
            for name, one in contestants.items():
                for metric, value in one.figures(weight * times).items():
                    self._drawn[name][metric].append(value)

    def figure(self, name: str, metric: str) -> Figure:
        return _interval(self._values[name][metric], np.array(self._drawn[name][metric]))

    def difference(self, name: str, other: str, metric: str) -> Figure:
        """Return the figure of one less that of the other."""
        drawn = np.array(self._drawn[name][metric]) - np.array(self._drawn[other][metric])
        return _interval(self._values[name][metric] - self._values[other][metric], drawn)


def draws_of(group: I8, draws: int, seed: int) -> Iterator[F8]:
    """Yield how often each row is drawn when whole groups are, with replacement."""
    _, member = np.unique(group, return_inverse=True)
    count = int(member.max()) + 1 if len(member) else 0
    random = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(random.integers(0, count, count), minlength=count)[member].astype(np.float64)


def bootstrap(figure: Callable[[F8], float], group: I8, weight: F8, draws: int = 400, seed: int = 1) -> Figure:
    """Return any figure of weights (n,) with its interval when whole groups are drawn."""
    return _interval(figure(weight), np.array([figure(weight * times) for times in draws_of(group, draws, seed)]))


def by_chance(measured: float, error: float) -> float:
    """Return the one-sided chance of as much where nothing is there, by the normal law."""
    return 0.5 * math.erfc(measured / max(error, 1e-300) / math.sqrt(2.0))


def claimed(slope: float, error: float) -> float:
    """Return how much of what was said may be claimed, at most 1, where unseen data gave it a slope.

    Before any of them it is worth what it says, give or take a half: few alone may not double it.
    """
    sure = _GIVE_OR_TAKE**2 / (_GIVE_OR_TAKE**2 + error**2)
    return min(1.0, 1.0 + sure * (slope - 1.0))


def _interval(value: float, drawn: F8) -> Figure:
    known = drawn[~np.isnan(drawn)]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (float("nan"), float("nan"))
    return Figure(value=value, low=float(low), high=float(high))


def _bins(p: F8, w: F8, bins: int) -> list[I8]:
    order = np.argsort(p, kind="stable")
    ends = np.searchsorted(np.cumsum(w[order]), w.sum() * np.arange(1, bins) / bins, side="left") + 1
    return [rows.astype(np.int64) for rows in np.split(order, np.minimum(ends, len(order)))]
