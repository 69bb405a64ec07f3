"""Make scores mean what they say: learned on scores of rows that the model had not seen, never on its own.

Withholding the newest rows to calibrate costs more than it brings (docs/decisions/0022): here the scores come from
forward windows (prequential), and the model itself is then fitted on every row.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.metrics import losses

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Words = NDArray[np.str_]

#: Fewer yes than this leave the isotonic curve too rough.
ISOTONIC_POSITIVES = 1000
#: A probability said is never nearer to 0 or 1.
_EDGE = 1e-6
#: Of Platt's slope.
_LEAST_SLOPE = 0.05
#: Of each answer, before anything is learned of what scores mean.
_LEAST_OF_EACH = 50
#: Of `recent`: answers of the rarer kind after which half is forgotten.
_HALF_LIVES = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0)
#: Steps of the score at which Venn-Abers intervals are kept.
_GRID = 256


class Calibrator(msgspec.Struct, frozen=True, kw_only=True):
    """From raw scores to probabilities."""

    method: str = "none"
    #: Platt: log odds = slope · raw log odds + shift.
    slope: float = 1.0
    shift: float = 0.0
    #: Isotonic: raw scores and what they mean, both rising.
    scores: tuple[float, ...] = ()
    means: tuple[float, ...] = ()
    #: Added to the log odds, by segment column and word.
    segments: dict[str, dict[str, float]] = {}
    #: Venn-Abers: raw scores with the least and greatest probability there.
    at: tuple[float, ...] = ()
    least: tuple[float, ...] = ()
    greatest: tuple[float, ...] = ()

    def __call__(self, raw: F8, segments: Mapping[str, Words] | None = None) -> F8:
        """Return (n,) probabilities.

        Parameters
        ----------
        raw : (n,) scores of the learner
        segments : (n,) words by segment column; without them no segment is mended
        """
        return self._mended(self._by_method(raw), segments or {})

    def log_odds(self, raw: F8) -> F8:
        """Return the log odds that scores mean, before segments are mended; of any shape."""
        return _logit(self._by_method(raw))

    def chances(self, log_odds: F8, segments: Mapping[str, Words] | None = None, offset: F8 | float = 0.0) -> F8:
        """Return probabilities of log odds, mended by segment, or by `offsets` that are added up already."""
        z = log_odds + offset
        for name, words in (segments or {}).items():
            if name in self.segments:
                z = z + self.offsets(name, words)
        return _odds(z)

    def offsets(self, name: str, words: Words) -> F8:
        """Return (n,) what a segment's words add to the log odds."""
        known, place = np.unique(words, return_inverse=True)
        found: F8 = np.array([self.segments[name].get(str(word), 0.0) for word in known])[place]
        return found

    def _by_method(self, raw: F8) -> F8:
        if self.method == "platt":
            return _odds(self.slope * _logit(raw) + self.shift)
        if self.method == "isotonic":
            return np.interp(raw, self.scores, self.means)
        return raw

    def interval(self, raw: F8, segments: Mapping[str, Words] | None = None) -> tuple[F8, F8]:
        """Return (n,) least and (n,) greatest probability: the two of Venn-Abers, widened to hold the score's own."""
        p = self(raw, segments)
        low, high = np.interp(raw, self.at, self.least), np.interp(raw, self.at, self.greatest)
        low, high = self._mended(low, segments or {}), self._mended(high, segments or {})
        return np.minimum(low, p), np.maximum(high, p)

    def _mended(self, p: F8, segments: Mapping[str, Words]) -> F8:
        if not any(name in segments for name in self.segments):
            return p
        z = _logit(p)
        for name in self.segments:
            if name in segments:
                z = z + self.offsets(name, segments[name])
        return _odds(z)


def calibrate(
    raw: F8,
    y: F8,
    w: F8,
    method: str,
    segments: Mapping[str, Words] | None = None,
    *,
    intervals: bool = False,
) -> Calibrator:
    """Return what turns scores into probabilities.

    Parameters
    ----------
    raw, y, w : (n,)
        Scores of rows that their model had not seen, what came, and how much each counts. `recent` takes them to stand
        in order of time.
    method
        none, platt, isotonic or recent.
    segments : (n,) words by column
    intervals
        Keep what Venn-Abers intervals need.
    """
    found = Calibrator(method=method)
    if method == "platt":
        slope, shift = _platt(_logit(raw), y, w)
        found = msgspec.structs.replace(found, slope=slope, shift=shift)
    elif method == "recent":
        # It has Platt's form, and is served as such.
        slope, shift = _recent(_logit(raw), y, w)
        found = msgspec.structs.replace(found, method="platt", slope=slope, shift=shift)
    elif method == "isotonic":
        scores, means = _isotonic(raw, y, w)
        found = msgspec.structs.replace(found, scores=scores, means=means)
    found = mended(found, found.log_odds(raw), y, w, segments or {})
    if intervals:
        at, least, greatest = _venn_abers(raw, y, w)
        found = msgspec.structs.replace(found, at=at, least=least, greatest=greatest)
    return found


def mended(found: Calibrator, log_odds: F8, y: F8, w: F8, segments: Mapping[str, Words]) -> Calibrator:
    """Return a calibrator that mends segments by as much as the log odds of rows, (n,), are off there."""
    offsets: dict[str, dict[str, float]] = {}
    for name, words in segments.items():
        offsets[name], log_odds = _offsets(log_odds, y, w, words)
    return msgspec.structs.replace(found, segments=offsets)


def forward(
    raw: F8,
    y: F8,
    w: F8,
    window: I8,
    known: F8,
    begins: F8,
    method: str,
    segments: Mapping[str, Words] | None = None,
) -> tuple[F8, str]:
    """Return scores calibrated on earlier windows alone, and the method that a next window would use.

    Parameters
    ----------
    raw, y, w : (n,)
        Scores from forward windows in order of time, what came, and how much each counts.
    window : (n,)
        0, 1, …: the window of each row.
    known : (n,)
        When the answer of each row was known.
    begins : (windows,)
        When each window begins, in the units of `known`.
    method
        A method, or auto: for each window `recent`, unless isotonic would clearly have done better on the windows
        before.

    Returns
    -------
    p : (n,)
        In the first window, and until there are enough answers, the scores themselves: nothing was known to calibrate
        by.
    method
        Of the last choice; with auto, the choice after all windows.
    """
    segments = segments or {}
    methods = ("recent", "isotonic") if method == "auto" else (method,)
    tried = {one: raw.copy() for one in methods}
    chosen = raw.copy()
    for number in range(1, len(begins)):
        rows = window == number
        before = (window < number) & (known <= begins[number])
        if min(y[before].sum(), (1.0 - y[before]).sum()) < _LEAST_OF_EACH:
            continue
        for one in methods:
            if one == "isotonic" and method == "auto" and y[before].sum() < ISOTONIC_POSITIVES:
                tried[one][rows] = tried["recent"][rows]
                continue
            made = calibrate(raw[before], y[before], w[before], one, _rows(segments, before))
            tried[one][rows] = made(raw[rows], _rows(segments, rows))
        chosen[rows] = tried[_best(tried, y, w, before & (window > 0))][rows]
    last = _best(tried, y, w, window > 0)
    return chosen, "recent" if last == "isotonic" and method == "auto" and y.sum() < ISOTONIC_POSITIVES else last


def _rows(segments: Mapping[str, Words], rows: NDArray[np.bool_]) -> dict[str, Words]:
    return {name: words[rows] for name, words in segments.items()}


def _best(tried: Mapping[str, F8], y: F8, w: F8, rows: NDArray[np.bool_]) -> str:
    """Return the method that did best, and the first unless the gain of another is more than one standard error."""
    best, least = next(iter(tried)), 0.0
    plain = losses(y[rows], tried[best][rows])
    for method, p in tried.items():
        saved = w[rows] * (losses(y[rows], p[rows]) - plain)
        if len(saved) > 1 and (mean := float(saved.mean())) < min(least, -float(saved.std() / np.sqrt(len(saved)))):
            best, least = method, mean
    return best


def _logit(p: F8) -> F8:
    held = np.clip(p, _EDGE, 1.0 - _EDGE)
    found: F8 = np.log(held) - np.log1p(-held)
    return found


def _odds(z: F8) -> F8:
    found: F8 = np.clip(0.5 * (1.0 + np.tanh(z / 2.0)), _EDGE, 1.0 - _EDGE)
    return found


def _platt(z: F8, y: F8, w: F8) -> tuple[float, float]:
    """Return slope and shift by Newton's method, with Platt's targets, which keep them finite.

    Where earlier rows rank against their scores, the slope stays just above 0: a calibrator may say that ranks tell
    little, never turn them round.
    """
    yes, no = float((w * y).sum()), float((w * (1.0 - y)).sum())
    target = np.where(y > 0.5, (yes + 1.0) / (yes + 2.0), 1.0 / (no + 2.0))
    slope, shift = 1.0, 0.0
    for _ in range(60):
        p = 0.5 * (1.0 + np.tanh((slope * z + shift) / 2.0))
        off, curve = w * (target - p), w * p * (1.0 - p)
        a, b, c = float((curve * z * z).sum()) + 1e-9, float((curve * z).sum()), float(curve.sum()) + 1e-9
        up, over = float((off * z).sum()), float(off.sum())
        by, across = (c * up - b * over) / (a * c - b * b + 1e-18), (a * over - b * up) / (a * c - b * b + 1e-18)
        if slope + by <= _LEAST_SLOPE:
            by, across = _LEAST_SLOPE - slope, (over - b * (_LEAST_SLOPE - slope)) / c
        # Far from the answer a whole step may overshoot.
        short = min(1.0, 5.0 / (max(abs(by), abs(across)) + 1e-12))
        slope, shift = slope + by * short, shift + across * short
        if max(abs(by), abs(across)) < 1e-9:
            break
    return slope, shift


def _recent(z: F8, y: F8, w: F8) -> tuple[float, float]:
    """Return slope and shift for times that change: half the score as it stands, half the mean of Platt's answers on
    all rows and on recent ones, from days to seasons. None has to be the right one; a mean of lines is a line.

    Notes
    -----
    As it stands by half, it costs next to nothing where nothing changes (tests/unit/models/test_calibration.py), and
    brings most of what forgetting brings where much does (docs/results.md).
    """
    share = float((w * y).sum() / w.sum())
    # The rarer answer is what there is to learn from: where it is one in twenty, ten times as many rows are recent as
    # where it is one in two.
    age = np.cumsum(w[::-1])[::-1] * min(share, 1.0 - share)
    lines = [_platt(z, y, w), *(_platt(z, y, w * 0.5 ** (age / half)) for half in _HALF_LIVES)]
    slope, shift = np.mean(lines, axis=0)
    return 0.5 + 0.5 * float(slope), 0.5 * float(shift)


def _isotonic(raw: F8, y: F8, w: F8) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the knots of a centred isotonic regression (Oron & Flournoy 2017): each level stands at its middle, with
    straight lines between, so that what ranked higher still does."""
    order, levels = np.argsort(raw, kind="stable"), np.empty(0)
    levels = _levels(y[order], w[order])
    _, place = np.unique(levels, return_inverse=True)
    weights = np.bincount(place, w[order])
    known = weights > 0.0
    scores = np.bincount(place, w[order] * raw[order])[known] / weights[known]
    yes = np.bincount(place, w[order] * y[order])[known]
    # A level of nothing but yes or no is never certain.
    means = np.clip(yes / weights[known], 0.5 / (weights[known] + 1.0), 1.0 - 0.5 / (weights[known] + 1.0))
    means = np.maximum.accumulate(means)
    return tuple(scores.tolist()), tuple(means.tolist())


def _levels(y: F8, w: F8) -> F8:
    import scipy.optimize

    # Typed in part only.
    optimize: Any = scipy.optimize
    found: F8 = np.asarray(optimize.isotonic_regression(y, weights=np.maximum(w, 1e-12)).x, dtype=np.float64)
    return found


def _offsets(z: F8, y: F8, w: F8, words: Words) -> tuple[dict[str, float], F8]:
    """Return by how much the log odds of each segment are off, drawn towards 0 as far as chance explains them."""
    names, place = np.unique(words, return_inverse=True)
    p = 0.5 * (1.0 + np.tanh(z / 2.0))
    off = np.bincount(place, w * (y - p))
    curve = np.maximum(np.bincount(place, w * p * (1.0 - p)), 1e-9)
    raw, variance = off / curve, 1.0 / curve
    # What all have in common is not theirs: it comes and goes with the times, and the method before has judged it.
    precision = curve / curve.sum()
    raw = raw - (precision * raw).sum()
    # Morris (1983): the spread among segments beyond what their own noise makes.
    spread = max(0.0, float((precision * (raw**2 - variance)).sum()))
    found = np.clip(raw * spread / (spread + variance), -1.0, 1.0)
    return {str(name): float(value) for name, value in zip(names, found, strict=True)}, z + found[place]


def _venn_abers(raw: F8, y: F8, w: F8) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Return the two probabilities of Venn-Abers (Vovk, Petej & Fedorova 2015) on a grid of scores.

    At each score the isotonic curve is fitted twice: with one more row there that is a no, and one that is a yes. Rows
    are first put together by score into the grid's cells, in which the answer is exact.
    """
    cells = np.unique(np.quantile(raw, np.linspace(0.0, 1.0, _GRID + 1)))
    middle = np.unique((cells[1:] + cells[:-1]) / 2.0) if len(cells) > 1 else cells
    place = np.clip(np.searchsorted(cells, raw, side="right") - 1, 0, len(middle) - 1)
    weights = np.bincount(place, w, len(middle)).astype(np.float64)
    yes = np.bincount(place, w * y, len(middle))
    bounds = np.empty((2, len(middle)))
    for one in range(len(middle)):
        for said in (0, 1):
            more_w, more_yes = weights.copy(), yes.copy()
            more_w[one] += 1.0
            more_yes[one] += said
            bounds[said, one] = _levels(more_yes / np.maximum(more_w, 1e-12), more_w)[one]
    return tuple(middle.tolist()), tuple(bounds[0].tolist()), tuple(bounds[1].tolist())
