"""Policies that do as they are told and remember what they heard: for tests of the world of the pacing bench."""

from collections.abc import Callable
from typing import Any

import msgspec

from benchmarks.pacing.laws import F8, Law
from benchmarks.pacing.policy import Dials
from benchmarks.pacing.scenarios import Scenario, Stretch


class Scripted:
    """Dials what a function of the sight says."""

    def __init__(self, dials: Callable[[dict[str, Any]], int]) -> None:
        self.dials = dials
        self.outcomes: list[tuple[str, float, float | None]] = []
        self.waits_s: list[float] = []
        self.abandoned = 0
        self.talks_s: list[float] = []
        self.wraps_s: list[float] = []
        self.staff: list[int] = []

    def observe_outcome(self, kind: str, ring_s: float, p_answer: float | None = None) -> None:
        self.outcomes.append((kind, ring_s, p_answer))

    def observe_connected(self, wait_s: float) -> None:
        self.waits_s.append(wait_s)

    def observe_abandoned(self, kind: str = "no_agent") -> None:
        self.abandoned += 1

    def observe_talk(self, duration_s: float) -> None:
        self.talks_s.append(duration_s)

    def observe_wrap(self, duration_s: float) -> None:
        self.wraps_s.append(duration_s)

    def observe_staff(self, agents: int) -> None:
        self.staff.append(agents)

    def decide(
        self,
        at: float,
        free: int,
        waiting: int,
        talking_s: F8,
        wrapping_s: F8,
        ringing_s: F8,
        p_answer: F8 | None = None,
        p_next: F8 | None = None,
        detecting_s: F8 | None = None,
    ) -> Dials:
        seen = {name: value for name, value in locals().items() if name != "self"}
        return Dials(self.dials(seen))


def in_flight(seen: dict[str, Any]) -> int:
    detecting_s = seen["detecting_s"]
    return len(seen["ringing_s"]) + seen["waiting"] + (len(detecting_s) if detecting_s is not None else 0)


def progressive() -> Scripted:
    return Scripted(lambda seen: max(0, seen["free"] - in_flight(seen)))


def at_once(dials: int, at: float = 0.0) -> Scripted:
    return Scripted(lambda seen: dials if seen["at"] == at else 0)


def day(agents: int = 5, day_s: float = 600.0, p_live: float = 0.25, **other: Any) -> Scenario:
    plain = Scenario(name="test", agents=agents, day_s=day_s, stretches=(Stretch(p_live=p_live),))
    return msgspec.structs.replace(plain, **other)


#: Next to no time.
NONE = Law(family="uniform", mean_s=1e-6, cv=0.1)
