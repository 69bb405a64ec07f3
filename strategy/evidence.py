"""What a trial on live people says: differences by intention to treat, looks with a stated error, alarms, sizes.

A trial is judged by whom the lot put into which arm, whatever was then done with them. Differences are adjusted for
what was known before (CUPED, Deng et al. 2013; regression adjustment, Lin 2013), which can only narrow them. They are
looked at on days fixed beforehand: each look spends some of the error (Lan & DeMets 1983, in the manner of O'Brien &
Fleming), so that the chance of ever calling a difference that is none is `alpha` over all looks together. How far
chance alone goes is told by the lots: the units are given arms anew thousands of times, at all looks at once
(studentised, Janssen 1997), so that neither skewed money in a small arm nor a person's weeks, which are not independent
of each other, have to be of a law that they are not of. Of few units that stand in blocks (days within their weekday),
and of very many, the normal law is taken, with the looks' correlation from the units themselves.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from domain.intervals import Interval

F8 = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Paths by which boundaries are computed, and how many must cross for a quantile to be read off them.
_PATHS, _ENOUGH = 1 << 15, 200
#: Lots drawn anew, and units whose lots are drawn at once.
_LOTS, _AT_ONCE = 1 << 12, 256
#: From so many units in the smaller arm on, means are normal enough and lots cost seconds.
_MANY: Final = 5_000
_SEED: Final = 20_261_130
#: An arm of fewer units has no spread to speak of.
LEAST_UNITS: Final = 8
#: Lots as uneven as these come about by chance once in so many trials: the record or the lot is broken.
MISMATCH: Final = 0.001
#: One-sided: an alarm means that the limit is exceeded with this certainty.
_ALARM: Final = 0.99


# ---- a difference


class Contrast(msgspec.Struct, frozen=True):
    """The difference of two arms' means, before it is said how sure it is."""

    #: Mean of the units by lot in the second arm less that of the first, adjusted.
    value: float
    error: float
    #: Degrees of freedom of the error.
    df: float
    #: Adjusted mean of the first arm.
    base: float
    #: What each unit adds to difference and base, (n,); their sums of squares are the variances.
    influence: F8
    base_influence: F8
    #: Share of the variance that the covariates took away.
    explained: float
    #: What is left of each unit within its arm, and its arm (-1: in neither), (n,).
    residual: F8
    arm: NDArray[np.int8]

    def among(self, mask: Flags) -> "Contrast":
        """Return the same among more units, of which `mask` (m,) says which these are."""
        whole = {name: np.zeros(len(mask)) for name in ("influence", "base_influence", "residual")}
        for name, values in whole.items():
            values[mask] = getattr(self, name)
        arm = np.full(len(mask), -1, np.int8)
        arm[mask] = self.arm
        return msgspec.structs.replace(self, **whole, arm=arm)


def contrast(outcome: F8, treated: Flags, covariates: F8 | None = None) -> Contrast:
    """Return the difference of the means of two arms.

    Parameters
    ----------
    outcome : (n,) float64
        Of each unit, in any unit of measure.
    treated : (n,) bool
        Whether the lot put it into the second arm.
    covariates : (n, k) float64, optional
        What was known of it before; columns that say nothing are dropped.

    Raises
    ------
    BadInput
        When an arm has fewer than `LEAST_UNITS` units.
    """
    sizes = int((~treated).sum()), int(treated.sum())
    if min(sizes) < LEAST_UNITS:
        raise BadInput(
            f"experiment: an arm has {min(sizes)} units, and {LEAST_UNITS} are the least that have a spread; wait"
        )
    plain = _within(outcome, treated)
    adjusted, k = outcome, 0
    if covariates is not None and covariates.shape[1]:
        told = _telling(covariates, treated)
        k = told.shape[1]
        # One slope for both arms: with few units in one of them its own would be noise.
        slope = np.linalg.lstsq(_within(told, treated), plain, rcond=None)[0]
        adjusted = outcome - (told - told.mean(axis=0)) @ slope
    means = [float(adjusted[treated == arm].mean()) for arm in (False, True)]
    n = len(outcome)
    influence, variances, residual = np.zeros(n), [0.0, 0.0], _within(adjusted, treated)
    for arm, size in enumerate(sizes):
        here = treated == bool(arm)
        free = max(1.0, size - 1 - k * size / n)
        influence[here] = residual[here] / np.sqrt(free * size)
        variances[arm] = float(np.square(influence[here]).sum())
    total = sum(variances)
    df = total**2 / sum(v**2 / (size - 1) for v, size in zip(variances, sizes, strict=True)) if total else n - 2.0
    before = float(np.square(plain).sum())
    left = float(np.square(residual).sum())
    return Contrast(
        value=means[1] - means[0],
        error=float(np.sqrt(total)),
        df=max(1.0, df - k),
        base=means[0],
        influence=np.where(treated, influence, -influence),
        base_influence=np.where(treated, 0.0, influence),
        explained=1.0 - left / before if before > 0.0 else 0.0,
        residual=residual,
        arm=treated.astype(np.int8),
    )


def _within(values: F8, treated: Flags) -> F8:
    """Return values less the mean of their arm."""
    found = values.astype(np.float64, copy=True)
    for arm in (False, True):
        found[treated == arm] -= found[treated == arm].mean(axis=0)
    return found


def _telling(covariates: F8, treated: Flags) -> F8:
    """Return the covariates in units of their spread, without those that do not vary within the arms."""
    spread = _within(covariates, treated).std(axis=0)
    known: F8 = covariates[:, spread > 1e-12] / spread[spread > 1e-12]
    few: F8 = known[:, : len(treated) // 4]
    return few


# ---- looks


def spent(fraction: F8, alpha: float) -> F8:
    """Return how much of the error may be spent until a fraction of the trial's time, in (0, 1]; half each side."""
    from scipy.special import ndtr, ndtri

    return np.asarray(4.0 * ndtr(ndtri(alpha / 4.0) / np.sqrt(fraction)), np.float64)


def boundaries(correlation: F8, fractions: F8, alpha: float) -> F8:
    """Return, for each look, how many standard errors from zero calls a difference.

    Parameters
    ----------
    correlation : (k, k) float64
        Of the looks' statistics.
    fractions : (k,) float64
        Of the trial's time at the looks, rising, in (0, 1]: fixed before it began.
    alpha : float
        Chance, over all looks of the whole trial, to call a difference that is none, two-sided.

    Returns
    -------
    (k,) float64
        Those of early looks do not change when later ones come.
    """
    from scipy.special import ndtri

    k = len(fractions)
    steps = np.diff(spent(fractions, alpha), prepend=0.0)
    root = np.linalg.cholesky(0.999999 * correlation + 1e-6 * np.eye(k))
    paths = np.abs(_normals(k) @ root.T)
    open_ = np.ones(len(paths), bool)
    found = np.empty(k)
    for look in range(k):
        crossing = round(steps[look] * len(paths))
        alone = float(ndtri(1.0 - steps[look] / 2.0)) if steps[look] > 0.0 else np.inf
        found[look] = alone
        if crossing >= _ENOUGH:
            left = np.sort(paths[open_, look])
            # `alone` is wide enough whatever the correlation is; the paths say how much less will do.
            found[look] = min(alone, float(left[max(0, len(left) - crossing)]))
        open_ &= paths[:, look] <= found[look]
    return found


_drawn: dict[int, F8] = {}


def _normals(k: int) -> F8:
    """Return the same paths at every call; those of k looks begin with those of fewer."""
    if k not in _drawn:
        _drawn[k] = np.stack([np.random.default_rng(_SEED + look).standard_normal(_PATHS) for look in range(k)], axis=1)
    return _drawn[k]


def brownian(fractions: F8) -> F8:
    """Return the correlation of looks at units that come one after the other, for planning."""
    least, most = np.minimum.outer(fractions, fractions), np.maximum.outer(fractions, fractions)
    return np.asarray(np.sqrt(least / most), np.float64)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison at one look."""

    #: Share of the trial's time.
    fraction: float
    #: In the unit of the outcome, by unit.
    difference: Interval
    #: The difference as a share of the first arm's mean; None where that is not above zero.
    relative: Interval | None
    #: Standard errors that chance alone may go, down and up.
    critical: tuple[float, float]
    explained: float


def looks(contrasts: list[Contrast], fractions: F8, alpha: float, *, by_lots: bool = True) -> list[Look]:
    """Return what was seen at each look, with intervals that hold at all of them at once.

    Parameters
    ----------
    contrasts : list of Contrast
        Of the same units in the same order, as they stood at each look.
    by_lots : bool
        Whether units are alike but for chance, so that any of them might have been in any arm.
    """
    if not contrasts:
        return []
    if by_lots and min(np.bincount(contrasts[0].arm[contrasts[0].arm >= 0])) < _MANY:
        critical = bounds_of(drawn_anew(contrasts), fractions, alpha)
    else:
        bounds = boundaries(_correlation(contrasts), fractions, alpha)
        quantiles = np.array([_of_student(float(bound), one.df) for bound, one in zip(bounds, contrasts, strict=True)])
        critical = np.stack([-quantiles, quantiles], axis=1)
    return [
        _look(one, float(fraction), float(low), float(high))
        for one, fraction, (low, high) in zip(contrasts, fractions, critical, strict=True)
    ]


def drawn_anew(contrasts: list[Contrast]) -> F8:
    """Return the differences of arms drawn anew, in their standard errors, at all looks, (lots, k).

    Lots of units that came later are drawn later: those of an early look stay as they were.
    """
    inside = np.stack([one.arm >= 0 for one in contrasts], axis=1)
    n, k = inside.shape
    order = np.argsort(np.where(inside.any(axis=1), inside.argmax(axis=1), k), kind="stable")
    residual = np.stack([one.residual / (float(np.abs(one.residual).max()) or 1.0) for one in contrasts], axis=1)
    known = np.concatenate([inside, residual, np.square(residual)], axis=1)[order].astype(np.float32)
    share = np.float32((contrasts[0].arm == 1).sum() / inside[:, 0].sum())
    chance, sums = np.random.default_rng(_SEED), np.zeros((_LOTS, 3 * k))
    for at in range(0, n, _AT_ONCE):
        part = known[at : at + _AT_ONCE]
        drawn = chance.random((len(part), _LOTS), np.float32) < share
        sums += drawn.T.astype(np.float32) @ part
    means, variances = [], []
    for some in (sums, known.sum(axis=0, dtype=float) - sums):
        units, total, square = np.split(some, 3, axis=1)
        size = np.maximum(units, 2.0)
        means.append(total / size)
        variances.append(np.maximum(square - total**2 / size, 0.0) / (size * (size - 1.0)))
    error = np.sqrt(variances[0] + variances[1])
    return np.asarray((means[0] - means[1]) / np.where(error > 0.0, error, np.inf), np.float64)


def bounds_of(paths: F8, fractions: F8, alpha: float) -> F8:
    """Return how far chance alone goes at each look, down and up, (k, 2), by paths of chance, (n, k).

    Each side has half of the error. A look that has less of it than one path goes as far as the farthest path, and no
    less far than the normal law.
    """
    from scipy.special import ndtri

    may = np.floor(spent(fractions, alpha) / 2.0 * len(paths)).astype(int)
    alone = -ndtri(np.diff(spent(fractions, alpha), prepend=0.0) / 2.0)
    open_, crossed, found = np.ones(len(paths), bool), [0, 0], np.empty((len(fractions), 2))
    for look, path in enumerate(paths.T):
        beyond = []
        for side, sign in enumerate((-1.0, 1.0)):
            left, more = np.sort(sign * path[open_]), may[look] - crossed[side]
            bound = float(left[-1 - more]) if more else max(float(left[-1]), float(alone[look]))
            found[look, side] = sign * bound
            beyond.append(open_ & (sign * path > bound))
            crossed[side] += int(beyond[-1].sum())
        open_ &= ~(beyond[0] | beyond[1])
    return found


def _correlation(contrasts: list[Contrast]) -> F8:
    """Return the correlation of looks at the same units."""
    influence = np.stack([one.influence for one in contrasts])
    norms = np.sqrt(np.square(influence).sum(axis=1))
    scaled = influence / np.where(norms > 0.0, norms, 1.0)[:, None]
    correlation: F8 = scaled @ scaled.T
    np.fill_diagonal(correlation, 1.0)
    return correlation


def _look(one: Contrast, fraction: float, low: float, high: float) -> Look:
    relative = None
    if one.base > 0.0:
        ratio = one.value / one.base
        error = float(np.sqrt(np.square(one.influence - ratio * one.base_influence).sum())) / one.base
        relative = _within_bounds(ratio, error, low, high)
    return Look(
        fraction=fraction,
        difference=_within_bounds(one.value, one.error, low, high),
        relative=relative,
        critical=(low, high),
        explained=one.explained,
    )


def _within_bounds(value: float, error: float, low: float, high: float) -> Interval:
    """Return the truths from which chance alone may have gone as far as the value."""
    return Interval(value, value - high * error, value - low * error) if error > 0.0 else Interval(value, value, value)


def reading(one: Contrast, alpha: float = 0.05) -> Interval:
    """Return a difference with Student's interval, which holds at one look fixed beforehand and at no other."""
    from scipy.special import ndtri

    return around(one.value, one.error, _of_student(float(ndtri(1.0 - alpha / 2.0)), one.df))


def around(value: float, error: float, critical: float) -> Interval:
    half = critical * error if error > 0.0 else 0.0
    return Interval(value, value - half, value + half)


def _of_student(bound: float, df: float) -> float:
    """Return the quantile of Student's law that leaves out as much as a bound of the normal law."""
    from scipy.special import ndtr, stdtrit

    tail = float(ndtr(-bound))
    return float(-stdtrit(df, tail)) if tail > 0.0 else float("inf")


# ---- alarms


def mismatch(found: F8, shares: F8) -> float:
    """Return how likely lots of these shares fall at least as unevenly as found (χ²); 1 where there is one arm."""
    from scipy.special import chdtrc

    keep = shares > 0.0
    if keep.sum() < 2 or found.sum() == 0.0:
        return 1.0
    if found[~keep].any():
        return 0.0
    expected = found.sum() * shares[keep] / shares[keep].sum()
    return float(chdtrc(keep.sum() - 1.0, (np.square(found[keep] - expected) / expected).sum()))


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """How an arm stands to one of its guardrails."""

    metric: str
    arm: str
    most: float
    value: float
    #: Below this it is not, with 99 % certainty.
    at_least: float
    #: holds; over (as it looks, but chance may explain it); alarm.
    state: str


def guard(metric: str, arm: str, most: float, events: float, of: float, scale: float, *, counted: bool) -> Guard:
    """Return how an arm stands to a limit.

    Parameters
    ----------
    events, of : float
        How often it happened, among how many (or in how long).
    scale : float
        What one event per `of` is in the limit's unit.
    counted : bool
        Events may happen more than once per `of` (Poisson); otherwise each of them does or does not (binomial).
    """
    from scipy.special import betaincinv, gammaincinv

    value = scale * events / of if of else 0.0
    least = 0.0
    if events > 0.0 and of > 0.0:
        low = gammaincinv(events, 1.0 - _ALARM) / of if counted else betaincinv(events, of - events + 1, 1.0 - _ALARM)
        least = scale * float(low)
    state = "alarm" if least > most else "over" if value > most else "holds"
    return Guard(metric=metric, arm=arm, most=most, value=value, at_least=least, state=state)


# ---- sizes


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How many units see how large a difference."""

    #: Of both arms together, among who is not held out.
    units: int
    #: The difference that so many see with the wanted chance, in the outcome's unit.
    effect: float
    power: float
    alpha: float
    #: Standard errors at the last look.
    critical: float


def size(
    deviation: float, effect: float, shares: tuple[float, float], fractions: F8, *, power: float, alpha: float
) -> Size:
    """Return the units needed to see a difference at the last look at the latest.

    Parameters
    ----------
    deviation : float
        Of one unit's outcome within its arm, adjusted.
    effect : float
        The difference, in the same unit.
    shares : tuple of float
        Of the two arms among the units.
    """
    critical, quantile = _planned(fractions, power, alpha)
    spread = deviation**2 * (1.0 / shares[0] + 1.0 / shares[1])
    units = int(np.ceil((critical + quantile) ** 2 * spread / effect**2))
    return Size(units=units, effect=abs(effect), power=power, alpha=alpha, critical=critical)


def visible(
    deviation: float, units: float, shares: tuple[float, float], fractions: F8, *, power: float, alpha: float
) -> float:
    """Return the least difference that so many units see with the wanted chance."""
    critical, quantile = _planned(fractions, power, alpha)
    spread = deviation**2 * (1.0 / shares[0] + 1.0 / shares[1])
    return float((critical + quantile) * np.sqrt(spread / units))


def _planned(fractions: F8, power: float, alpha: float) -> tuple[float, float]:
    from scipy.special import ndtri

    return float(boundaries(brownian(fractions), fractions, alpha)[-1]), float(ndtri(power))


def schedule(days: int, every: int = 7) -> list[int]:
    """Return after how many days a trial is looked at; the last is its end."""
    found = list(range(every, days + 1, every))
    # Two looks within few days would tell the same twice.
    if found and days - found[-1] < every / 2:
        found.pop()
    return [*found, days]
