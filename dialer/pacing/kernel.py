"""The arithmetic of one decision, on arrays (decision 0015; the mathematics is in docs/pacing.md).

All kernels are in this one file, over 500 lines: a cache on disk follows the file, not what it imports.
Every function is at module level and compiled once into a cache on disk. Time runs over a fixed grid: rings in bins
of half a second, spells of agents in bins of equal ratio around their scale, so that one table serves short and long
talks.
"""

from math import erf, exp, inf, log, sqrt

import numpy as np
from numba import njit

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Stages = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Places = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

#: Rings: bins of half a second up to 64 s.
RING_BINS = 128
RING_BIN_S = 0.5
#: Spells: bin 0 is [0, 1/32) of the scale, then five bins to each doubling up to 32 scales; the last is open.
SPELL_BINS = 52
_SPELL_LOW = 1.0 / 32.0
_SPELL_PER_OCTAVE = 5.0
#: Tables of agents: seconds ahead (columns, one apart), ages (rows: every other edge of the bins).
HORIZONS = 32
AGES = SPELL_BINS // 2
#: Times at which an answer may come that a decision looks at: midpoints of equal shares of all answers.
MOMENTS = 8
#: Corrections nearer to one than this are left out.
_NEARLY = 0.98
#: Terms up to which the distribution is exact, whatever the size of the team.
EXACT_TERMS = 400
#: Teams up to this size are convolved exactly.
_EXACT_STAFF = 45
#: Headroom of a hard limit under which the risk falls: small teams lose one caller at a time, large ones several.
_BRAKING, _BRAKING_STAFF = 0.3, 20.0
#: How much earlier a weak lead is dialled, and how much longer a strong one kept (`decide`), by experiment.
_TASTE = 0.5

#: What an outcome keeps of its weight in rings with each that follows: after so many an old one weighs 1/e.
_RING_KEEP = 1.0 - 1.0 / 3000.0
#: An answer is spread over neighbouring bins: people do not answer on half seconds.
_SMOOTH, _WHOLE = np.array((1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9)), np.ones(1)
#: Likewise a spell, in the shape of its law.
_SHAPE_KEEP, _SPREAD = 1.0 - 1.0 / 2000.0, np.array((0.25, 0.5, 0.25))
#: Memories of the scale of spells: a change of list shows in the shortest, steady work is known best by the longest.
SCALE_MEMORIES = np.array((25.0, 150.0, 1000.0))
#: Chance that the best of them changes from one spell to the next, and the weight of the first scale.
_SCALE_SHARE, _SCALE_PRIOR = 0.001, 2.0
#: Memories of the rate of answers in outcomes, for teams up to `_TEAM` agents and longer for larger ones; see
#: `laws.Spells`. What is dialled at once ends in a wave: people first, then those who ring out. A memory shorter than
#: the wave would take its tide for news.
_TEAM = 10.0
MEMORIES = np.array((60.0, 240.0, 960.0, 4000.0, 20000.0))
#: Chance that the best memory changes from one outcome to the next.
_SHARE = 0.0003
#: Such answers and outcomes held before the first.
_PRIOR_LIVE, _PRIOR_SEEN = 1.0, 4.0

_LN2 = log(2.0)
_SQRT2 = sqrt(2.0)
_SQRT2PI = 2.5066282746310002


#: Lower edges of the bins of spells, in scales.
EDGES = np.concatenate((np.zeros(1), _SPELL_LOW * 2.0 ** (np.arange(SPELL_BINS - 1) / _SPELL_PER_OCTAVE)))


@njit(cache=True)
def spell_bin(ratio: float) -> int:
    """Return the bin of a duration given as a multiple of its scale."""
    if ratio < _SPELL_LOW:
        return 0
    return min(1 + int(_SPELL_PER_OCTAVE * log(ratio / _SPELL_LOW) / _LN2), SPELL_BINS - 1)


@njit(cache=True)
def _cumulative_hazard(counts: Floats, out: Floats) -> None:
    """Fill `out[b]` with the cumulative hazard at the lower edge of bin b; the last bin goes on with `out[-1]` a scale.

    Parameters
    ----------
    counts : float64 array, shape (SPELL_BINS,)
    out : float64 array, shape (SPELL_BINS + 1,)
    """
    left = 0.0
    for b in range(SPELL_BINS):
        left += counts[b]
    total = left
    out[0] = 0.0
    for b in range(SPELL_BINS - 1):
        left -= counts[b]
        out[b + 1] = -log(max(left, 1e-9) / total)
    # The open bin: as fast as the four bins before it.
    width = EDGES[SPELL_BINS - 1] - EDGES[SPELL_BINS - 5]
    out[SPELL_BINS] = max((out[SPELL_BINS - 1] - out[SPELL_BINS - 5]) / width, 1e-3)


@njit(cache=True)
def _hazard_until(hazard: Floats, b: int, ratio: float) -> float:
    """Return the cumulative hazard at a duration given in scales, which lies in bin b: linear within it."""
    if b == SPELL_BINS - 1:
        return float(hazard[b] + hazard[SPELL_BINS] * (ratio - EDGES[b]))
    return float(hazard[b] + (hazard[b + 1] - hazard[b]) * (ratio - EDGES[b]) / (EDGES[b + 1] - EDGES[b]))


@njit(cache=True)
def _survivals(hazard: Floats, scale_s: float, age_s: float, out: Floats) -> None:
    """Fill `out[h]` with the chance that a spell of this age goes on for h seconds more, for h = 0, 1, ..."""
    b = spell_bin(age_s / scale_s)
    start = _hazard_until(hazard, b, age_s / scale_s)
    for h in range(out.size):
        ratio = (age_s + h) / scale_s
        while b < SPELL_BINS - 1 and ratio >= EDGES[b + 1]:
            b += 1
        if b == SPELL_BINS - 1:
            until = hazard[b] + hazard[SPELL_BINS] * (ratio - EDGES[b])
        else:
            until = hazard[b] + (hazard[b + 1] - hazard[b]) * (ratio - EDGES[b]) / (EDGES[b + 1] - EDGES[b])
        out[h] = exp(start - until)


@njit(cache=True)
def _fill(hazard: Floats, scale_s: float, age_s: float, afterwards: Floats, out: Floats) -> None:
    """Fill `out[h]` with the chance that an agent whose spell has this age is free in h seconds.

    `afterwards[h]` is the chance that what follows the spell has ended h seconds after it; empty: nothing follows.
    """
    alive = np.empty(HORIZONS)
    _survivals(hazard, scale_s, age_s, alive)
    if not afterwards.size:
        for h in range(HORIZONS):
            out[h] = 1.0 - alive[h]
        return
    out[:] = 0.0
    # Each sum in the order of t, all of them side by side.
    for t in range(1, HORIZONS):
        ended = alive[t - 1] - alive[t]
        for h in range(t, HORIZONS):
            out[h] += ended * afterwards[h - t]


@njit(cache=True)
def _freed_by(
    table: Floats,
    hazard: Floats,
    scale_s: float,
    afterwards: Floats,
    ages_s: Floats,
    columns: Places,
    parts: Floats,
    out: Floats,
) -> float:
    """Fill `out[i, j]` with the chances of a table for age i until `columns[j] + parts[j]`, linear in between.

    Rows of the table that are needed and begin with NaN are filled, see `_fill`.

    Returns
    -------
    float
        Cumulative hazard that these spells have lived through so far.
    """
    lived = 0.0
    for i in range(ages_s.size):
        ratio = ages_s[i] / scale_s
        b = spell_bin(ratio)
        lived += _hazard_until(hazard, b, ratio)
        row = min(b // 2, AGES - 2)
        for k in (row, row + 1):
            if np.isnan(table[k, 0]):
                _fill(hazard, scale_s, EDGES[2 * k] * scale_s, afterwards, table[k])
        share = min(1.0, (ratio - EDGES[2 * row]) / (EDGES[2 * row + 2] - EDGES[2 * row]))
        for j in range(MOMENTS):
            column, part = columns[j], parts[j]
            early = table[row, column] + part * (table[row, column + 1] - table[row, column])
            late = table[row + 1, column] + part * (table[row + 1, column + 1] - table[row + 1, column])
            out[i, j] = early + share * (late - early)
    return lived


@njit(cache=True)
def _slow(freed: Floats, finished: float, lived: float) -> None:
    """Slow chances down, given the weight of finished spells behind them and what those that last have lived through.

    Spells that still last are evidence too: finished ones alone make a young shift look quick.
    """
    slower = finished / (finished + lived)
    if slower < _NEARLY:
        for i in range(freed.shape[0]):
            for j in range(MOMENTS):
                freed[i, j] = 1.0 - (1.0 - freed[i, j]) ** slower


@njit(cache=True)
def _survival(live: Floats, rest: Floats, out: Floats) -> None:
    """Fill `out[0, b]` with the share of rings still going at the lower edge of bin b, and with 0 twice after the last.

    Of those that people answer; `out[1]` of all others likewise.
    """
    total_live = total_rest = 0.0
    for b in range(RING_BINS):
        total_live += live[b]
        total_rest += rest[b]
    left_live, left_rest = total_live, total_rest
    for b in range(RING_BINS):
        out[0, b], out[1, b] = left_live, left_rest
        left_live -= live[b]
        left_rest -= rest[b]
    # Divided apart: several at once.
    for b in range(RING_BINS):
        out[0, b] /= total_live
    for b in range(RING_BINS):
        out[1, b] /= total_rest
    out[:, RING_BINS:] = 0.0


@njit(cache=True)
def _at(survival: Floats, ring_s: float) -> float:
    """Return the share of rings still going after some seconds: linear within a bin."""
    # Without a branch and with an index that cannot be negative this runs on several calls at once.
    place = min(ring_s / RING_BIN_S, float(RING_BINS))
    b = np.uint32(place)
    return float(survival[b] + (place - b) * (survival[b + np.uint32(1)] - survival[b]))


@njit(cache=True)
def _moments(survival: Floats, out: Floats) -> None:
    """Fill `out` with the times of the midpoints of equal shares of the answers."""
    b = 0
    for j in range(MOMENTS):
        level = 1.0 - (j + 0.5) / MOMENTS
        while b < RING_BINS - 1 and survival[b + 1] > level:
            b += 1
        drop = survival[b] - survival[b + 1]
        out[j] = RING_BIN_S * (b + (survival[b] - level) / drop if drop > 0.0 else b)


@njit(cache=True)
def _below(mean: float, variance: float, third: float) -> float:
    """Return P(N <= 0) of a count with these cumulants: normal, corrected for the skew and for being a count."""
    if variance < 1e-9:
        return 1.0 if mean < 0.5 else 0.0
    spread = sqrt(variance)
    x = (0.5 - mean) / spread
    normal = 0.5 * (1.0 + erf(x / _SQRT2))
    skew = third / (variance * spread)
    skewed = normal - skew * (x * x - 1.0) * exp(-0.5 * x * x) / (6.0 * _SQRT2PI)
    # The correction must not turn the order of two floors round: it is used where it is small.
    return min(1.0, max(0.25 * normal, min(4.0 * normal, skewed)))


@njit(cache=True)
def _add(spread: Floats, size: int, p: float) -> None:
    """Add one more chance to the distribution of a sum, in place.

    P(sum = k) stands at `spread[-3 - k]`, and 0 in the last two places: upwards from the end a loop runs several steps
    at once.
    """
    q = 1.0 - p
    part = spread[spread.size - size - 4 :]
    part[0] = 0.0
    for i in range(size + 2):
        part[i] = part[i] * q + part[i + 1] * p


@njit(cache=True)
def _distribution(chances: Floats, spread: Floats) -> None:
    """Fill `spread` with the distribution of a sum of so many chances, see `_add`."""
    n = chances.size
    spread[spread.size - n - 4 :] = 0.0
    spread[spread.size - 3] = 1.0
    if n % 2:
        _add(spread, 0, chances[0])
    # The others by two: half as often through memory.
    for size in range(n % 2, n, 2):
        p1, p2 = chances[size], chances[size + 1]
        q1, q2 = 1.0 - p1, 1.0 - p2
        part = spread[spread.size - size - 5 :]
        for i in range(size + 3):
            part[i] = (part[i] * q1 + part[i + 1] * p1) * q2 + (part[i + 1] * q1 + part[i + 2] * p1) * p2


@njit(cache=True)
def _tail(spread: Floats, size: int, most: int) -> float:
    """Return P(sum <= most)."""
    if most >= size:
        return 1.0
    total = 0.0
    for k in range(most + 1):
        total += spread[spread.size - 3 - k]
    return min(1.0, total)


@njit(cache=True)
def _short(spread: Floats, size: int, least: int) -> float:
    """Return the mean of what a sum falls short of `least`."""
    total = 0.0
    for k in range(min(least, size + 1)):
        total += (least - k) * spread[spread.size - 3 - k]
    return total


@njit(cache=True)
def _shortfall(mean: float, variance: float) -> float:
    """Return the mean of what a normal count falls short of 0."""
    if variance <= 1e-9:
        return -mean
    s = sqrt(variance)
    z = mean / s
    return s * exp(-0.5 * z * z) / _SQRT2PI - mean * 0.5 * (1.0 - erf(z / _SQRT2))


@njit(cache=True)
def _cumulate(chances: Floats, sign: float, mean: Floats, variance: Floats, third: Floats) -> None:
    """Add to the cumulants at each moment j, or take from them, counts with chances `chances[i, j]`."""
    for i in range(chances.shape[0]):
        for j in range(MOMENTS):
            p = chances[i, j]
            w = p * (1.0 - p)
            mean[j] += sign * p
            variance[j] += w
            third[j] += sign * (w * (1.0 - 2.0 * p))


@njit(cache=True)
def _weighed(p: float, factor: float) -> float:
    """Return a chance whose odds are multiplied."""
    odds = p / (1.0 - p) * factor
    return odds / (1.0 + odds)


@njit(cache=True)
def _chances(p: float, q: Floats, stages: Stages, ringing: float, media: float, out: Floats) -> None:
    """Fill `out` with each call's chance, its own or the rate, weighed by what the network has told (see `asked`)."""
    if not stages.size:
        out[:] = p
        if q.size:
            out[:] = q
    elif q.size:
        factors = (1.0, ringing, media)
        for i in range(out.size):
            out[i] = _weighed(q[i], factors[stages[i]])
    else:
        chances = (_weighed(p, 1.0), _weighed(p, ringing), _weighed(p, media))
        for i in range(out.size):
            out[i] = chances[stages[i]]


#: Spells that a table is of, and hazards, scales and evidence likewise.
_TALKING, _WRAPPING, _FINISHING = 0, 1, 2
#: What stopped a decision.
BY_RISK, BY_ROOM = 1, 2


@njit(cache=True)
def asked(
    survival: Floats,
    moments: Floats,
    tables: Floats,
    hazards: Floats,
    scales_s: Floats,
    finished: Floats,
    wrapped: Floats,
    p: float,
    resolved: float,
    p_detected: float,
    ringing: float,
    media: float,
    free: int,
    waiting: int,
    n_detecting: int,
    ages_s: Floats,
    n_talking: int,
    n_wrapping: int,
    n_finishing: int,
    q_ringing: Floats,
    stages: Stages,
    q_next: Floats,
    leaving: Floats,
    theta: float,
    headroom: float,
    staff: int,
    room: int,
    patience_s: float,
) -> tuple[int, int, float, float, float]:
    """Return how many calls to place, and what was seen. Plain numbers and arrays cross into compiled code quickest.

    A further call answered at moment u_j meets nobody when N_j <= 0, with N_j = free - waiting + agents freed until
    u_j + patience - other calls answered until u_j. Calls are added while the mean of P(N_j <= 0) over the moments is
    at most `theta`; a lead whose own chance is q instead of p is judged against theta * (1 + _TASTE * (p / q - 1)).

    Parameters
    ----------
    survival, moments
        Of rings, see `outcomes`.
    tables, hazards, scales_s, finished, wrapped
        Of spells, see `spells`.
    p, resolved : float
        Chance that a call is answered by somebody who takes an agent, and the outcomes behind it.
    p_detected : float
        Chance that a call in machine detection is a person.
    ringing, media : float
        By what ringing and early media multiply the odds of an answer.
    free, waiting, n_detecting : int
        Agents free, people waiting, calls in detection.
    ages_s : float64 array
        Of agents who talk, who wrap up, who are about to finish, and of unanswered calls, one after the other.
    n_talking, n_wrapping, n_finishing : int
        How many of `ages_s` are of each of the first three.
    q_ringing, stages, q_next
        Forecasts of unanswered calls; what the network told of them; forecasts of the next leads. Empty arrays where
        there are none: the rate for all.
    leaving : float64 array, shape (k, 2)
        Seconds ahead, and share of the team that leaves then.
    theta : float
        Chance, tolerated, that a further call meets nobody if it is answered.
    headroom : float
        Abandoned calls that a hard limit still allows; infinite without one.
    staff : int
        Agents who work for the campaign.
    room : int
        Calls that lines allow.
    patience_s : float

    Returns
    -------
    dials : int
    stopped : int
        BY_RISK or BY_ROOM.
    expected_free, expected_answers : float
        Until half of the answers to further calls have come.
    risk : float
        Of the next call.
    """
    people, others = survival
    n_busy = n_talking + n_wrapping + n_finishing
    ringing_s = ages_s[n_busy:]
    n_ringing = ringing_s.size
    q, s_live, s_rest = np.empty((3, n_ringing))
    _chances(p, q_ringing, stages, ringing, media, q)
    # Calls that already ring longer than most others' outcomes take are likelier to be people: while few outcomes are
    # known the rate is too low without them. Only upwards: one more call in flight must never invite a further one.
    surplus = 0.0
    for i in range(n_ringing):
        s_live[i], s_rest[i] = _at(people, ringing_s[i]), _at(others, ringing_s[i])
        below = q[i] * s_live[i] + (1.0 - q[i]) * s_rest[i]
        if below > 1e-12:
            surplus += max(0.0, q[i] * s_live[i] / below - q[i])
    lift = 1.0 + surplus / (resolved * p)
    p = min(0.99, p * lift)
    ahead_s, columns, parts = np.empty(MOMENTS), np.empty(MOMENTS, np.int64), np.empty(MOMENTS)
    for j in range(MOMENTS):
        ahead_s[j] = moments[j] + patience_s
        columns[j] = min(int(ahead_s[j]), HORIZONS - 2)
        parts[j] = min(1.0, ahead_s[j] - columns[j])
    # The distribution of N_j: exact for small teams, else by three cumulants. Chances by moment: freed[i, j],
    # answered[i, j].
    freed, answered = np.empty((n_busy, MOMENTS)), np.empty((n_ringing, MOMENTS))
    base, mean, variance, third = np.zeros((4, MOMENTS))
    last = 0
    for kind, n in enumerate((n_talking, n_wrapping, n_finishing)):
        first, last = last, last + n
        part = freed[first:last]
        follows = wrapped if kind != _WRAPPING else wrapped[:0]
        ages = ages_s[first:last]
        lived = _freed_by(tables[kind], hazards[kind], scales_s[kind], follows, ages, columns, parts, part)
        if kind != _FINISHING:
            _slow(part, finished[kind], lived)
    for j in range(MOMENTS):
        gone = 0.0
        for k in range(leaving.shape[0]):
            if leaving[k, 0] <= ahead_s[j]:
                gone += leaving[k, 1]
        stays = max(0.0, 1.0 - gone)
        base[j] = mean[j] = np.floor(free * stays + 1e-9) - waiting
        if gone > 0.0:
            for i in range(n_busy):
                freed[i, j] *= stays
    for i in range(n_ringing):
        own = min(0.99, q[i] * lift)
        below = own * s_live[i] + (1.0 - own) * s_rest[i]
        if below > 1e-9:
            for j in range(MOMENTS):
                answered[i, j] = own * (s_live[i] - _at(people, ringing_s[i] + moments[j])) / below
        else:
            answered[i] = 0.0
    size = n_busy + n_ringing + n_detecting
    exact = staff <= _EXACT_STAFF and size <= EXACT_TERMS
    spread = np.empty((MOMENTS, size + room + 4 if exact else 0))
    risk = loss = 0.0
    # How many would meet nobody matters under a hard limit only.
    limited = headroom < inf
    if exact:
        chances = np.empty(size)
        for j in range(MOMENTS):
            for i in range(n_busy):
                chances[i] = freed[i, j]
            for i in range(n_ringing):
                chances[n_busy + i] = 1.0 - answered[i, j]
            chances[n_busy + n_ringing :] = 1.0 - p_detected
            _distribution(chances, spread[j])
            least = n_ringing + n_detecting - int(base[j])
            risk += _tail(spread[j], size, least)
            if limited:
                loss = max(loss, _short(spread[j], size, least))
    else:
        _cumulate(freed, 1.0, mean, variance, third)
        _cumulate(answered, -1.0, mean, variance, third)
        w = p_detected * (1.0 - p_detected)
        for j in range(MOMENTS):
            mean[j] -= n_detecting * p_detected
            variance[j] += n_detecting * w
            third[j] -= n_detecting * w * (1.0 - 2.0 * p_detected)
            risk += _below(mean[j], variance[j], third[j])
            if limited:
                loss = max(loss, _shortfall(mean[j], variance[j]))
    risk /= MOMENTS
    middle = MOMENTS // 2
    in_flight = waiting + n_detecting * p_detected
    for i in range(n_ringing):
        in_flight += answered[i, middle]
    expected_free = float(free)
    for i in range(n_busy):
        expected_free += freed[i, middle]
    braking = min(1.0, max(_BRAKING, staff / _BRAKING_STAFF))
    theta *= min(1.0, max(0.0, headroom - loss - 0.5 * sqrt(loss)) / braking)
    dials = 0
    stopped = BY_RISK

    while True:
        if dials >= room:
            stopped = BY_ROOM
            break
        own = q_next[dials] if dials < q_next.size else p
        if risk > theta * (1.0 + _TASTE * (p / own - 1.0)) or theta <= 0.0:
            break
        dials += 1
        risk = 0.0
        for j in range(MOMENTS):
            a = own * (j + 0.5) / MOMENTS
            if exact:
                _add(spread[j], size, 1.0 - a)
                risk += _tail(spread[j], size + 1, n_ringing + n_detecting + dials - int(base[j]))
            else:
                w = a * (1.0 - a)
                mean[j] -= a
                variance[j] += w
                third[j] -= w * (1.0 - 2.0 * a)
                risk += _below(mean[j], variance[j], third[j])
        risk /= MOMENTS
        size += 1
    return dials, stopped, expected_free, in_flight, risk


@njit(cache=True)
def outside(values: Floats, most: float, or_nan: bool) -> int:
    """Return the place of the first value that is not in [0, most] and finite, nor NaN where that may be; -1: none."""
    for i in range(values.size):
        if not (0.0 <= values[i] <= most and values[i] < inf) and not (or_nan and np.isnan(values[i])):
            return i
    return -1


@njit(cache=True)
def believed(forecasts: Floats, p: float, offset: float, slope: float, middle: float, belief: float) -> Floats:
    """Return forecasts set right by what came of earlier ones (see `rates.Forecasts`); NaN, none, gives the rate."""
    base = log(p / (1.0 - p)) + offset
    out = np.empty(forecasts.size)
    for i in range(forecasts.size):
        if np.isnan(forecasts[i]):
            out[i] = p
            continue
        f = min(0.999, max(0.001, forecasts[i]))
        x = base + slope * (log(f / (1.0 - f)) - middle)
        out[i] = belief / (1.0 + exp(-x)) + (1.0 - belief) * p
    return out


@njit(cache=True)
def _add_to(counts: Floats, keep: float, place: int, parts: Floats) -> None:
    """Let old outcomes fade, and take a new one, its parts around a bin."""
    for b in range(counts.size):
        counts[b] *= keep
    first = place - parts.size // 2
    for k in range(parts.size):
        counts[min(counts.size - 1, max(0, first + k))] += parts[k]


@njit(cache=True)
def _believe(beliefs: Floats, share: float) -> None:
    """Let beliefs, multiplied by how likely each found an outcome, sum to one again (see `dialer.pacing.beliefs`).

    `share` is the chance that the best memory changes from one outcome to the next.
    """
    total = 0.0
    for k in range(beliefs.size):
        total += beliefs[k]
    scale, floor = (1.0 - share) / total, share / beliefs.size
    for k in range(beliefs.size):
        beliefs[k] = beliefs[k] * scale + floor


@njit(cache=True)
def add_spell(
    duration_s: float,
    shape: Floats,
    prior_s: float,
    variance: float,
    n: int,
    memories: Floats,
    half: float,
    two: float,
) -> float:
    """Take a finished spell into its law (see `laws.Spells`), and return the variance of a logarithm from now on.

    Parameters
    ----------
    shape : float64 array, shape (SPELL_BINS,)
    variance, n
        As they were before it, and the spells with it.
    memories : float64 array, shape (3, SCALE_MEMORIES.size)
        Of the scale: outcomes held, mean logarithm over the prior's, belief.
    half, two
        Handed in for the reason that `rate` gives.
    """
    held, means, beliefs = memories
    mixed = 0.0
    for k in range(SCALE_MEMORIES.size):
        mixed += beliefs[k] * means[k]
    scale_s = prior_s * exp(mixed)
    duration_s = max(duration_s, 0.05)
    _add_to(shape, _SHAPE_KEEP, spell_bin(duration_s / scale_s), _SPREAD)
    x = log(duration_s / prior_s)
    forecast = log(scale_s / prior_s)
    variance += (min(9.0, (x - forecast) ** two) - variance) / min(n + 10.0, 300.0)
    for k in range(SCALE_MEMORIES.size):
        spread = variance * (1.0 + 1.0 / (held[k] + _SCALE_PRIOR))
        off = min(9.0 * spread, (x - means[k]) ** two)
        beliefs[k] *= exp(-0.5 * off / spread) / spread**half
        held[k] = held[k] * (1.0 - 1.0 / SCALE_MEMORIES[k]) + 1.0
        means[k] += (x - means[k]) / (held[k] + _SCALE_PRIOR)
    _believe(beliefs, _SCALE_SHARE)
    return float(variance)


@njit(cache=True)
def add_outcome(
    is_live: bool, ring_s: float, staff: int, live: Floats, rest: Floats, lives: Floats, seen: Floats, beliefs: Floats
) -> None:
    """Take how a team's call ended into rings and rates.

    Parameters
    ----------
    ring_s : float, s
        From the dial to the outcome.
    live, rest : float64 array, shape (RING_BINS,)
        Answers by people and all other outcomes, by bins of seconds since the dial.
    lives, seen, beliefs : float64 array, shape (MEMORIES.size,)
        Of the rate of answers, by memory: answers and outcomes held, and the belief in it.
    """
    longer = max(1.0, staff / _TEAM)
    for k in range(lives.size):
        rate = (lives[k] + _PRIOR_LIVE) / (seen[k] + _PRIOR_SEEN)
        beliefs[k] *= rate if is_live else 1.0 - rate
        keep = 1.0 - 1.0 / (MEMORIES[k] * longer)
        lives[k] = lives[k] * keep + is_live
        seen[k] = seen[k] * keep + 1.0
    _believe(beliefs, _SHARE / longer)
    place = int(min(RING_BINS - 1.0, max(0.0, ring_s / RING_BIN_S)))
    if is_live:
        _add_to(live, _RING_KEEP, place, _SMOOTH)
    else:
        _add_to(rest, _RING_KEEP, place, _WHOLE)


@njit(cache=True)
def rate(lives: Floats, seen: Floats, beliefs: Floats, two: float) -> tuple[float, float, float]:
    """Return a rate as its memories have it, its standard error, and the outcomes behind it.

    `two` is handed in: a square that is known when compiling is a product, which rounds otherwise than a power.
    """
    rates = np.empty(lives.size)
    p = 0.0
    for k in range(rates.size):
        rates[k] = (lives[k] + _PRIOR_LIVE) / (seen[k] + _PRIOR_SEEN)
        p += beliefs[k] * rates[k]
    variance = 0.0
    for k in range(rates.size):
        variance += beliefs[k] * (rates[k] * (1.0 - rates[k]) / (seen[k] + _PRIOR_SEEN) + (rates[k] - p) ** two)
    return float(p), sqrt(variance), float(p * (1.0 - p) / variance)


@njit(cache=True)
def outcomes(
    live: Floats,
    rest: Floats,
    lives: Floats,
    seen: Floats,
    beliefs: Floats,
    two: float,
    survival: Floats,
    moments: Floats,
) -> tuple[float, float, float]:
    """Return what `rate` does, and fill what else outcomes tell, as `add_outcome` has taken them.

    Parameters
    ----------
    survival : float64 array, shape (2, RING_BINS + 2)
        Shares of rings still going at the lower edges of their bins, see `_survival`.
    moments : float64 array, shape (MOMENTS,)
        Times at which an answer may come.
    """
    _survival(live, rest, survival)
    _moments(survival[0], moments)
    return rate(lives, seen, beliefs, two)


@njit(cache=True)
def _weight(counts: Floats) -> float:
    """Return the sum of a law's counts, in NumPy's order: eight sums side by side, then what is left over."""
    sums = counts[:8].copy()
    whole = counts.size // 8 * 8
    for b in range(8, whole):
        sums[b % 8] += counts[b]
    total = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))
    for b in range(whole, counts.size):
        total += counts[b]
    return float(total)


@njit(cache=True)
def spells(
    talk: Floats,
    talk_scale_s: float,
    wrap: Floats,
    wrap_scale_s: float,
    finish: Floats,
    finish_scale_s: float,
    tables: Floats,
    hazards: Floats,
    scales_s: Floats,
    finished: Floats,
    wrapped: Floats,
) -> None:
    """Fill what shapes and scales of spells tell, and leave the tables of agents to be filled by rows as needed.

    Parameters
    ----------
    talk, wrap, finish : float64 array, shape (SPELL_BINS,)
        Shapes of talks, of wrap-ups, and of what follows the signal that a talk is about to end.
    tables : float64 array, shape (3, AGES, HORIZONS)
        Chances to be free again: `tables[0, i, h]` is for an agent who has talked for `EDGES[2 * i]` scales, in h
        seconds; talk and wrap-up must end.
    hazards : float64 array, shape (3, SPELL_BINS + 1)
        Cumulative hazards by bins.
    scales_s, finished : float64 array, shape (3,)
        Scales, and the weight of finished spells in each law, the prior's with them.
    wrapped : float64 array, shape (HORIZONS,)
        Chances that a wrap-up has ended so many seconds after its talk.
    """
    scales_s[_TALKING], scales_s[_WRAPPING], scales_s[_FINISHING] = talk_scale_s, wrap_scale_s, finish_scale_s
    finished[_TALKING], finished[_WRAPPING], finished[_FINISHING] = _weight(talk), _weight(wrap), _weight(finish)
    _cumulative_hazard(talk, hazards[_TALKING])
    _cumulative_hazard(wrap, hazards[_WRAPPING])
    _cumulative_hazard(finish, hazards[_FINISHING])
    alive = np.empty(HORIZONS)
    _survivals(hazards[_WRAPPING], wrap_scale_s, 0.0, alive)
    # A talk ends half a second before the end of its second on average.
    for h in range(HORIZONS - 1):
        wrapped[h] = 1.0 - 0.5 * (alive[h] + alive[h + 1])
    tables[:, :, 0] = np.nan
