"""How quick the running floor is: the figures behind `status`, kept for the last few thousand occasions."""

from collections import deque
from math import ceil

import msgspec

_KEPT = 4096


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity's spread in milliseconds over the occasions kept; `n` counts all since the start."""

    n: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class Measure:
    """Collects one quantity."""

    def __init__(self) -> None:
        self.n = 0
        self.max_ms = 0.0
        self._kept: deque[float] = deque(maxlen=_KEPT)

    def add(self, seconds: float) -> None:
        ms = seconds * 1000
        self.n += 1
        self.max_ms = max(self.max_ms, ms)
        self._kept.append(ms)

    def spread(self) -> Spread:
        """Return the spread; zeros before the first occasion."""
        kept = sorted(self._kept) or [0.0]
        p50, p99 = (kept[ceil(share * len(kept)) - 1] for share in (0.5, 0.99))
        return Spread(n=self.n, p50_ms=round(p50, 3), p99_ms=round(p99, 3), max_ms=round(self.max_ms, 3))


class Measures:
    """What the live loop measures about itself."""

    def __init__(self) -> None:
        #: Arrival of an answer (or of machine detection's word) to the Connect that left in the same turn of the loop.
        self.answer_to_connect = Measure()
        #: Handling one tick.
        self.tick = Measure()
        #: One commit, from the hand-over of a batch to its durability.
        self.commit = Measure()
        #: How late a tick came: what else kept the loop busy.
        self.lateness = Measure()
        #: The loop's stall for one snapshot.
        self.snapshot = Measure()

    def spreads(self) -> dict[str, Spread]:
        return {name: measure.spread() for name, measure in vars(self).items()}
