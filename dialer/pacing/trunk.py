"""Whether calls fail as only a dead trunk lets them fail, and when to try again."""

from math import log

import msgspec

#: A trunk is taken for dead at these odds, log, the higher the larger the team (a wave of calls begins with its invalid
#: numbers), and probed at growing intervals.
_DEAD_ODDS, _DEAD_BY_AGENT = log(1e5), 0.15
_PROBE_FIRST_S, _PROBE_MOST_S = 2.0, 60.0


class Trunk(msgspec.Struct):
    #: Evidence for a dead trunk, log odds, never below 0.
    score: float = 0.0
    #: Failures since the last call that did not fail, not yet taken for outcomes: ring (s), progress.
    held: list[tuple[float, int | None]] = []
    dead: bool = False
    probes: int = 0
    died_at: float = 0.0
    failed_at: float = 0.0
    failed: float = 1.0
    seen: float = 20.0

    def take_failure(self, at: float, ring_s: float, progress: int | None, staff: int) -> None:
        """Take that a call failed in the network."""
        self.failed_at = at
        self.score = max(0.0, self.score + log(0.9 * self.seen / self.failed))
        if self.dead:
            # What was in flight when the trunk died is no probe.
            self.probes += at - ring_s > self.died_at
            return
        self.held.append((ring_s, progress))
        if self.score >= _DEAD_ODDS + _DEAD_BY_AGENT * staff:
            # These failures tell about the trunk and not about the people.
            self.dead, self.died_at, self.probes = True, at, 0
            self.held.clear()

    def take_other(self) -> list[tuple[float, int | None]]:
        """Take that a call did not fail, and return the failures before it, which were the people's after all."""
        self.score, self.dead = 0.0, False
        held = self.held
        if held:
            self.held = []
            self.failed += len(held)
        self.seen += len(held) + 1
        return held

    def may_probe(self, at: float) -> bool:
        """Return whether it is time for a call that tries a dead trunk."""
        return at - self.failed_at >= min(_PROBE_MOST_S, _PROBE_FIRST_S * 2.0 ** min(self.probes, 10))
