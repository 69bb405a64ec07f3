"""How likely the next call is to take an agent: answered by a person, or by a machine that is not detected."""

from math import exp, log

import msgspec
import numpy as np

from dialer.pacing import kernel
from dialer.pacing.beliefs import equal
from dialer.pacing.kernel import Floats

#: Forecast filter: deviation by which offset and slope wander from one outcome to the next, and their first deviations.
_WANDER = (0.003, 0.0015)
_FIRST = (0.2, 0.5)
#: Chance that the better of (rate alone, forecast) changes, by outcome.
_FORECAST_SHARE = 0.0005
_LOGIT_MEMORY = 300.0
#: Stages of a call before its outcome, and the weight of the prior that they tell nothing.
N_STAGES = 3
_STAGE_PRIOR = 30.0


def _logit(p: float) -> float:
    p = min(0.999, max(0.001, p))
    return log(p / (1.0 - p))


def _expit(x: float) -> float:
    return 1.0 / (1.0 + exp(-x))


class AnswerRate(msgspec.Struct):
    """Share of calls that take an agent, over several memories, each believed as it has foretold."""

    live: Floats = msgspec.field(default_factory=lambda: np.zeros(kernel.MEMORIES.size))
    seen: Floats = msgspec.field(default_factory=lambda: np.zeros(kernel.MEMORIES.size))
    beliefs: Floats = msgspec.field(default_factory=lambda: np.array(equal(kernel.MEMORIES.size)))
    n: int = 0

    def value(self) -> float:
        """Return the rate."""
        return float(kernel.rate(self.live, self.seen, self.beliefs, 2.0)[0])


class Forecasts(msgspec.Struct):
    """Forecasts given with calls, set right by what came of them.

    logit q = logit p + offset + slope * (logit forecast - its mean), offset and slope followed by a Kalman filter (one
    Newton step of the logistic likelihood); then mixed with the plain rate as each has foretold, which shuts out a
    forecast that tells nothing.
    """

    offset: float = 0.0
    slope: float = 0.7
    #: Covariance of the two.
    c_oo: float = _FIRST[0] ** 2
    c_os: float = 0.0
    c_ss: float = _FIRST[1] ** 2
    #: Running mean of the forecasts' logits.
    mean: float = 0.0
    n: float = 0.0
    #: Belief in the forecast against the rate alone.
    belief: float = 0.5

    def add(self, is_live: bool, forecast: float, p: float) -> None:
        """Take the outcome of a call that had a forecast, beside the plain rate held before."""
        x = _logit(forecast)
        if not self.n:
            self.mean = x
        d = x - self.mean
        q = _expit(_logit(p) + self.offset + self.slope * d)
        told, plain = (q, p) if is_live else (1.0 - q, 1.0 - p)
        belief = self.belief * told
        belief /= belief + (1.0 - self.belief) * plain
        self.belief = (1.0 - _FORECAST_SHARE) * belief + 0.5 * _FORECAST_SHARE
        # Predict, then correct by the innovation of this outcome.
        self.c_oo += _WANDER[0] ** 2
        self.c_ss += _WANDER[1] ** 2
        weight = max(q * (1.0 - q), 1e-3)
        h_o, h_s = self.c_oo + self.c_os * d, self.c_os + self.c_ss * d
        gain = weight / (1.0 + weight * (h_o + d * h_s))
        step = (is_live - q) / weight
        self.offset += gain * h_o * step
        self.slope = min(3.0, max(0.0, self.slope + gain * h_s * step))
        self.c_oo, self.c_os, self.c_ss = (
            self.c_oo - gain * h_o * h_o,
            self.c_os - gain * h_o * h_s,
            self.c_ss - gain * h_s * h_s,
        )
        self.n = min(self.n + 1.0, _LOGIT_MEMORY)
        self.mean += d / self.n


class Progress(msgspec.Struct):
    """What the network tells of a call before its outcome: nothing (0), that it rings (1), or early media (2).

    A stage weighs the odds of an answer by how often people and how often all other outcomes came out of it. Calls of
    which nothing is heard yet are left alone: young ones have not had the time.
    """

    live: list[float] = msgspec.field(default_factory=lambda: [_STAGE_PRIOR] * N_STAGES)
    rest: list[float] = msgspec.field(default_factory=lambda: [_STAGE_PRIOR] * N_STAGES)

    def add(self, is_live: bool, stage: int) -> None:
        """Take an outcome, and the last that the network had told before it."""
        counts = self.live if is_live else self.rest
        counts[stage] += 1.0

    def factors(self) -> tuple[float, float]:
        """Return by what ringing and early media multiply the odds of an answer."""
        (x, a, b), (y, c, d) = self.live, self.rest
        live, rest = x + a + b, y + c + d
        return (a / live) / (c / rest), (b / live) / (d / rest)
