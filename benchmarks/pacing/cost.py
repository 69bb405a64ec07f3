"""What a decision costs: in a day's work, on floors of a thousand agents, and in a process that has just started."""

import subprocess
import sys
from collections.abc import Sequence
from statistics import median
from time import perf_counter_ns, time
from typing import Any, Final

import msgspec
import numpy as np

from benchmarks.pacing.policies import make
from benchmarks.pacing.scenarios import SCENARIOS
from benchmarks.pacing.world import run_day
from dialer.pacing import Pacer, PacingSettings, kernel

TEAMS: Final = ("n3", "n10", "n20", "n50", "n100", "n300", "n1000")
#: (agents, ringing) of floors made up.
FLOORS: Final = ((50, 250), (300, 1500), (1000, 5000))
_PART_S: Final = 1800.0

#: What a new process does until it has predicted once.
_FIRST: Final = """
from time import time
import numpy as np
from dialer.pacing import Pacer, PacingSettings
pacer = Pacer(PacingSettings(agents=20))
for i in range(40):
    pacer.observe_outcome("live" if i % 4 == 0 else "no_answer", 12.0)
for i in range(10):
    pacer.observe_connected(0.0)
    pacer.observe_talk(60.0 + i)
    pacer.observe_wrap(20.0 + i)
decision = pacer.decide(600.0, 3, 0, np.arange(1.0, 15.0), np.array([4.0, 9.0]), np.arange(1.0, 9.0))
print(time(), decision.reason)
"""


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """Median µs of a decision over half an hour of a team's work, the core and the yardstick by turns."""

    scenario: str
    core_us: float
    learned_us: float


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """Median µs of a decision on a floor made up, where spells end as often as on a real one."""

    agents: int
    ringing: int
    #: At this answer rate the core itself holds so many calls.
    p_live: float
    median_us: float


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured."""

    teams: list[Team]
    floors: list[Floor]
    #: From the start of a process to its first predicted call, each time.
    starts_s: list[float]
    #: Functions compiled after the first half-hour, in days of several kinds.
    compiled: list[str]


def measure(teams: Sequence[str] = TEAMS, repeats: int = 3, starts: int = 5, decisions: int = 400) -> Cost:
    """Return what decisions cost on this machine, now."""
    compiled = _compiled()
    return Cost(
        teams=[_team(name, repeats) for name in teams],
        floors=[_floor(agents, ringing, decisions) for agents, ringing in FLOORS],
        starts_s=[_start() for _ in range(starts + 1)][1:],
        compiled=compiled,
    )


def _team(name: str, repeats: int) -> Team:
    part = msgspec.structs.replace(SCENARIOS[name], day_s=_PART_S)
    costs: dict[str, list[float]] = {"core": [], "learned": []}
    for policy in costs:
        run_day(make(policy, None, part), msgspec.structs.replace(part, day_s=120.0), 0)
    for seed in range(repeats):
        for policy, found in costs.items():
            found.append(run_day(make(policy, None, part), part, seed).decide_median_us)
    return Team(scenario=name, core_us=median(costs["core"]), learned_us=median(costs["learned"]))


def _floor(agents: int, ringing: int, decisions: int) -> Floor:
    for p_live in np.geomspace(0.03, 0.3, 25).tolist():
        dials, median_us = _decisions(agents, ringing, p_live, decisions)
        # As many new calls as end in a tick: the floor is in balance.
        if dials <= ringing * 0.5 / 25.0:
            break
    return Floor(agents=agents, ringing=ringing, p_live=p_live, median_us=median_us)


def _decisions(agents: int, ringing: int, p_live: float, n: int) -> tuple[float, float]:
    """Return the medians of the calls placed and of the µs taken."""
    chance = np.random.default_rng(1)
    pacer = Pacer(PacingSettings(agents=agents))
    for answered in chance.random(4000) < p_live:
        pacer.observe_outcome("live" if answered else "no_answer", 12.0 if answered else 25.0)
    for _ in range(300):
        pacer.observe_connected(0.2)
        _spell(pacer, chance)
    n_talking, n_wrapping = round(0.78 * agents), round(0.2 * agents)
    free = agents - n_talking - n_wrapping
    dials, costs_us, ended = [], [], 0.0
    for tick in range(n):
        talking_s, wrapping_s = chance.exponential(75.0, n_talking), chance.exponential(20.0, n_wrapping)
        ringing_s = np.sort(chance.uniform(0.0, 25.0, ringing))[::-1].copy()
        ended += 0.5 * n_talking / 75.0
        while ended >= 1.0:
            _spell(pacer, chance)
            ended -= 1.0
        before = perf_counter_ns()
        decision = pacer.decide(3600.0 + 0.5 * tick, free, 0, talking_s, wrapping_s, ringing_s)
        costs_us.append((perf_counter_ns() - before) * 1e-3)
        dials.append(decision.dials)
    return median(dials), median(costs_us)


def _spell(pacer: Pacer, chance: np.random.Generator) -> None:
    pacer.observe_talk(float(chance.exponential(75.0)))
    pacer.observe_wrap(float(chance.exponential(20.0)))


def _start() -> float:
    before = time()
    done = subprocess.run([sys.executable, "-c", _FIRST], capture_output=True, check=True, text=True)
    at, _, reason = done.stdout.strip().partition(" ")
    assert reason != "cold_start", reason
    return float(at) - before


def _compiled() -> list[str]:
    """Return what is compiled in days of several kinds after half an hour of work."""
    run_day(make("core", None, SCENARIOS["n3_auc80"]), msgspec.structs.replace(SCENARIOS["n3_auc80"], day_s=_PART_S), 1)
    before = _signatures()
    for name in ("n3", "n3_auc80", "detection_3s", "undetected", "breaks", "outages", "n300"):
        part = msgspec.structs.replace(SCENARIOS[name], day_s=3600.0)
        run_day(make("core", None, part), part, 2)
    return [name for name, count in _signatures().items() if count != before[name]]


def _signatures() -> dict[str, int]:
    """Return how many forms of each compiled function there are."""
    compiled: dict[str, Any] = {name: value for name, value in vars(kernel).items() if hasattr(value, "signatures")}
    return {name: len(function.signatures) for name, function in compiled.items()}
