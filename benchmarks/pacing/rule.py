"""The marginal rule of the reference: kernels on arrays, the same for learned and for true laws.

One more call is placed while the chance that its answer would find no agent, averaged over eight quantiles of the time
it needs to be answered, stays at or under a threshold. Laws arrive as survival functions on uniform grids.
"""

from math import erf, exp, pi, sqrt
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]

#: Number of quantiles of the answer time at which a further call is judged.
N_QUANTILES: Final = 8
#: Step of the survival functions of ringing, and their length.
RING_STEP_S: Final = 0.5
N_RING: Final = 140
#: Step of the survival functions of talk and wrap-up, and their length.
BUSY_STEP_S: Final = 1.0
N_BUSY: Final = 1300
#: Rows of elapsed time of the tables of agents freed: steps of 2 s to a minute, of 6 s to 4 min, of 24 s to 20 min.
N_ROWS: Final = 100
#: Up to so many agents and calls the convolution is exact, above it is a skew-corrected normal law.
EXACT_TERMS: Final = 90
_N_PMF: Final = 512
_MOST_AT_ONCE: Final = 400


@numba.njit(cache=True)
def row_of(elapsed_s: float) -> int:
    """Return the row of a table of agents freed."""
    if elapsed_s < 60.0:
        return int(elapsed_s * 0.5)
    if elapsed_s < 240.0:
        return 30 + int((elapsed_s - 60.0) / 6.0)
    if elapsed_s < 1200.0:
        return 60 + int((elapsed_s - 240.0) / 24.0)
    return N_ROWS - 1


@numba.njit(cache=True)
def row_middle_s(row: int) -> float:
    """Return the elapsed time a row stands for."""
    if row < 30:
        return 2.0 * row + 1.0
    if row < 60:
        return 60.0 + 6.0 * (row - 30) + 3.0
    return 240.0 + 24.0 * (row - 60) + 12.0


@numba.njit(cache=True)
def at_age(survival: F8, age_s: float, step_s: float) -> float:
    """Return a survival function between its grid points; beyond the grid it is its last value."""
    place = age_s / step_s
    index = int(place)
    if index >= survival.size - 1:
        return float(survival[survival.size - 1])
    part = place - index
    return float(survival[index] * (1.0 - part) + survival[index + 1] * part)


@numba.njit(cache=True)
def answer_quantiles(survival_live: F8) -> F8:
    """Return the middles of the eight equal shares of the time a call that will be answered needs."""
    found = np.empty(N_QUANTILES)
    index = 0
    for j in range(N_QUANTILES):
        left = 1.0 - (j + 0.5) / N_QUANTILES
        while index < survival_live.size - 2 and survival_live[index + 1] > left:
            index += 1
        drop = survival_live[index] - survival_live[index + 1]
        part = (survival_live[index] - left) / drop if drop > 0.0 else 0.0
        found[j] = RING_STEP_S * (index + min(1.0, max(0.0, part)))
    return found


@numba.njit(cache=True)
def freed_tables(talk: F8, wrap: F8, horizon_s: F8) -> tuple[F8, F8]:
    """Return P(free within the horizon | elapsed) of a talking and of a wrapping agent.

    Parameters
    ----------
    talk, wrap : (N_BUSY,) float64
        Survival functions of a conversation and of a wrap-up.
    horizon_s : (N_QUANTILES,) float64, s

    Returns
    -------
    two (N_ROWS, N_QUANTILES) float64
    """
    talking = np.zeros((N_ROWS, horizon_s.size))
    wrapping = np.zeros((N_ROWS, horizon_s.size))
    for row in range(N_ROWS):
        elapsed_s = row_middle_s(row)
        alive = at_age(wrap, elapsed_s, BUSY_STEP_S)
        for j in range(horizon_s.size):
            left = at_age(wrap, elapsed_s + horizon_s[j], BUSY_STEP_S)
            wrapping[row, j] = 1.0 - left / alive if alive > 1e-12 else 1.0
        alive = at_age(talk, elapsed_s, BUSY_STEP_S)
        if alive <= 1e-12:
            talking[row] = 1.0 - np.exp(-horizon_s / 30.0)
            continue
        for j in range(horizon_s.size):
            total, before, t = 0.0, alive, 0.0
            while t < horizon_s[j]:
                step = min(BUSY_STEP_S, horizon_s[j] - t)
                after = at_age(talk, elapsed_s + t + step, BUSY_STEP_S)
                total += (before - after) * (1.0 - at_age(wrap, horizon_s[j] - t - 0.5 * step, BUSY_STEP_S))
                before, t = after, t + step
            talking[row, j] = total / alive
    return talking, wrapping


@numba.njit(cache=True)
def still_live(ringing_s: F8, p_live: F8, live: F8, rest: F8) -> float:
    """Return how many of the calls still ringing will be answered: the sum of their posteriors.

    Without this the calls that fail early (busy, invalid) bias the live rate low at every start.
    """
    total = 0.0
    for i in range(ringing_s.size):
        yes = p_live[i] * at_age(live, ringing_s[i], RING_STEP_S)
        no = (1.0 - p_live[i]) * at_age(rest, ringing_s[i], RING_STEP_S)
        if yes + no > 1e-12:
            total += yes / (yes + no)
    return total


@numba.njit(cache=True)
def _append(pmf: F8, n_terms: int, p: float) -> None:
    """Convolve a Poisson-binomial law of n terms with one more."""
    pmf[n_terms + 1] = 0.0
    for k in range(n_terms + 1, 0, -1):
        pmf[k] = pmf[k] * (1.0 - p) + pmf[k - 1] * p
    pmf[0] *= 1.0 - p


@numba.njit(cache=True)
def normal_at_most(x: float, mean: float, variance: float, third: float) -> float:
    """Return P(X <= x) of an integer X by the first Edgeworth correction of the normal law, in [0, 1]."""
    if variance <= 1e-9:
        return 1.0 if mean <= x + 0.5 else 0.0
    spread = sqrt(variance)
    z = (x + 0.5 - mean) / spread
    skew = third / (variance * spread)
    density = exp(-0.5 * z * z) / sqrt(2.0 * pi)
    p = 0.5 * (1.0 + erf(z / sqrt(2.0))) - skew * (z * z - 1.0) / 6.0 * density
    return min(1.0, max(0.0, p))


@numba.njit(cache=True)
def calls_to_place(
    spare: int,
    talking_s: F8,
    wrapping_s: F8,
    ringing_s: F8,
    p_ringing: F8,
    p_detecting: F8,
    p_next: F8,
    p_typical: float,
    live: F8,
    rest: F8,
    quantile_s: F8,
    freed_talking: F8,
    freed_wrapping: F8,
    stay: float,
    left_s: float,
    theta: float,
    taste: float,
    most: int,
) -> tuple[int, float, float]:
    """Return how many calls to place, and the agents and answers expected at the middle of the horizon.

    Parameters
    ----------
    spare : int
        Free agents less callers waiting; may be negative.
    p_ringing, p_next : float64
        Chance of an answer at the dial, per ringing call and per next lead; leads past the end of `p_next` have
        `p_typical`.
    p_detecting : float64
        Chance of a person, per call in machine detection.
    stay : float in [0, 1]
        Chance that a busy agent comes back after this call.
    left_s : float, s
        Answers later than this find nobody.
    theta : float
        Threshold of the chance that a further call's answer finds no agent.
    taste : float
        How much more readily a lead weaker than typical is dialled, and less readily a stronger one.
    """
    n_busy, n_ringing = talking_s.size + wrapping_s.size, ringing_s.size
    n_calls = n_ringing + p_detecting.size
    exact = n_busy + n_calls <= EXACT_TERMS
    pmf = np.zeros((N_QUANTILES, _N_PMF if exact else 1))
    mean = np.zeros(N_QUANTILES)
    variance = np.zeros(N_QUANTILES)
    third = np.zeros(N_QUANTILES)
    sooner = np.empty(N_QUANTILES)
    free_middle, answers_middle = float(max(spare, 0)), float(max(-spare, 0))
    middle = N_QUANTILES // 2
    for j in range(N_QUANTILES):
        sooner[j] = 1.0 - at_age(live, quantile_s[j], RING_STEP_S)
        n_terms = 0
        if exact:
            pmf[j, 0] = 1.0
        # The sum counts agents freed and calls *not* answered, so that all its terms are positive.
        for i in range(n_busy):
            if i < talking_s.size:
                p = stay * freed_talking[row_of(talking_s[i]), j]
            else:
                p = stay * freed_wrapping[row_of(wrapping_s[i - talking_s.size]), j]
            if j == middle:
                free_middle += p
            if exact:
                _append(pmf[j], n_terms, p)
                n_terms += 1
            mean[j] += p
            spread = p * (1.0 - p)
            variance[j] += spread
            third[j] += spread * (1.0 - 2.0 * p)
        for i in range(n_calls):
            p = 0.0
            if i >= n_ringing:
                p = p_detecting[i - n_ringing]
            else:
                now = at_age(live, ringing_s[i], RING_STEP_S)
                yes = p_ringing[i] * now
                no = (1.0 - p_ringing[i]) * at_age(rest, ringing_s[i], RING_STEP_S)
                if yes + no > 1e-12:
                    p = p_ringing[i] * (now - at_age(live, ringing_s[i] + quantile_s[j], RING_STEP_S)) / (yes + no)
            if j == middle:
                answers_middle += p
            if exact:
                _append(pmf[j], n_terms, 1.0 - p)
                n_terms += 1
            mean[j] += 1.0 - p
            spread = p * (1.0 - p)
            variance[j] += spread
            third[j] += spread * (2.0 * p - 1.0)
    n_terms, placed = n_busy + n_calls, 0
    while placed < min(most, _MOST_AT_ONCE):
        # N = spare - calls + sum <= 0: nobody for the answer of one more call.
        edge = n_calls + placed - spare
        risk = 0.0
        for j in range(N_QUANTILES):
            if quantile_s[j] > left_s:
                risk += 1.0
            elif edge < 0:
                continue
            elif exact:
                for k in range(min(edge, n_terms) + 1):
                    risk += pmf[j, k]
            else:
                risk += normal_at_most(float(edge), mean[j], variance[j], third[j])
        p = p_next[placed] if placed < p_next.size else p_typical
        limit = theta * max(0.0, 1.0 + taste * (p_typical / max(p, 1e-3) - 1.0))
        if risk / N_QUANTILES > limit:
            break
        for j in range(N_QUANTILES):
            c = p * sooner[j]
            if exact:
                _append(pmf[j], n_terms, 1.0 - c)
            mean[j] += 1.0 - c
            spread = c * (1.0 - c)
            variance[j] += spread
            third[j] += spread * (2.0 * c - 1.0)
        n_terms += 1
        placed += 1
    return placed, free_middle, answers_middle
