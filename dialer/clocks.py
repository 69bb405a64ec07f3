"""The floor's clocks: wall time made non-decreasing, and one that starts at a given instant for lab and rehearsal.

The engine has no clock; the driver asks one of these and writes the answer on every event.
"""

import time
from typing import Protocol

from domain.instants import SECOND


class Clock(Protocol):
    #: True when the clock does not tell the time of day.
    rehearsed: bool

    def now_us(self) -> int:
        """Return the present instant, never before one returned earlier."""
        ...

    def not_before(self, at_us: int) -> None:
        """Go on from an instant of the record when that is later than now."""
        ...

    def real_s(self, span_us: int) -> float:
        """Return how many seconds of waiting a span of the floor's time takes."""
        ...


class WallClock:
    rehearsed = False

    def __init__(self) -> None:
        self._last_us = 0

    def now_us(self) -> int:
        self._last_us = max(self._last_us, time.time_ns() // 1000)
        return self._last_us

    def not_before(self, at_us: int) -> None:
        self._last_us = max(self._last_us, at_us)

    def real_s(self, span_us: int) -> float:
        return span_us / SECOND


class RehearsedClock:
    """Starts at a given instant and runs `speed` times as fast as real time."""

    rehearsed = True

    def __init__(self, start_us: int, speed: float = 1.0) -> None:
        self._start_us = start_us
        self._speed = speed
        self._real_start_ns = time.monotonic_ns()

    def now_us(self) -> int:
        return self._start_us + int((time.monotonic_ns() - self._real_start_ns) * self._speed) // 1000

    def not_before(self, at_us: int) -> None:
        self._start_us += max(0, at_us - self.now_us())

    def real_s(self, span_us: int) -> float:
        return span_us / SECOND / self._speed
