"""Laws learned from outcomes: how long it rings, how long agents talk and wrap up.

Each starts from a weak prior, so that there is a law before there is evidence, and forgets slowly.
"""

from math import exp

import msgspec
import numpy as np

from dialer.pacing import kernel
from dialer.pacing.beliefs import equal, mixed
from dialer.pacing.kernel import Floats

#: Weight of the priors, in outcomes.
_RING_PRIOR = 10.0
_SHAPE_PRIOR = 12.0


def _live_prior() -> Floats:
    """Return answers by people: gamma, mean 12 s, deviation 5 s (answers cluster at 6-10 s and 18-22 s of ringing)."""
    at_s = (np.arange(kernel.RING_BINS) + 0.5) * kernel.RING_BIN_S
    density = at_s**4.76 * np.exp(-at_s / 2.0833)
    return np.asarray(_RING_PRIOR * density / density.sum())


def _rest_prior() -> Floats:
    """Return all other outcomes: half machines, that answer as people do, else busy at once or rung out at 25 s."""
    counts = 0.5 * _live_prior()
    counts[2:6] += 0.15 * _RING_PRIOR / 4
    counts[50] += 0.35 * _RING_PRIOR
    return np.asarray(counts)


class Rings(msgspec.Struct):
    """Answers by people and all other outcomes by seconds since the dial."""

    live: Floats = msgspec.field(default_factory=_live_prior)
    rest: Floats = msgspec.field(default_factory=_rest_prior)


def _shape_prior() -> Floats:
    """Return an exponential law around its scale, the exponential of its mean logarithm."""
    edges = np.append(kernel.EDGES, np.inf)
    mean = exp(0.5772156649)
    return np.asarray(_SHAPE_PRIOR * -np.diff(np.exp(-edges / mean)))


class Spells(msgspec.Struct):
    """How long talks or wrap-ups last: a shape with a long memory, and a scale that follows what happens now.

    The scale is the exponential of the mean logarithm, which heavy tails leave in peace. Several memories of it run
    side by side; each is believed as it has foretold.
    """

    prior_s: float
    shape: Floats = msgspec.field(default_factory=_shape_prior)
    n: int = 0
    #: Per memory: outcomes held, mean logarithm over the prior's, belief.
    held: list[float] = msgspec.field(default_factory=lambda: [0.0] * kernel.SCALE_MEMORIES.size)
    means: list[float] = msgspec.field(default_factory=lambda: [0.0] * kernel.SCALE_MEMORIES.size)
    beliefs: list[float] = msgspec.field(default_factory=lambda: equal(kernel.SCALE_MEMORIES.size))
    #: Variance of a logarithm around its forecast.
    variance: float = 1.0
    #: What decisions go by: shape and scale when they were last told.
    told: Floats = msgspec.field(default_factory=_shape_prior)
    told_s: float = 0.0

    def __post_init__(self) -> None:
        self.told_s = self.told_s or self.prior_s

    def scale_s(self) -> float:
        """Return the scale."""
        return self.prior_s * exp(mixed(self.beliefs, self.means))

    def tell(self) -> None:
        """Let decisions go by all that was learned up to now."""
        self.told, self.told_s = self.shape.copy(), self.scale_s()

    def add(self, duration_s: float) -> None:
        """Take one finished spell."""
        self.n += 1
        memories = np.array(self.held + self.means + self.beliefs).reshape(3, -1)
        self.variance = kernel.add_spell(
            float(duration_s), self.shape, self.prior_s, self.variance, self.n, memories, 0.5, 2.0
        )
        self.held, self.means, self.beliefs = memories.tolist()
