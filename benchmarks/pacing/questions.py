"""What else is asked of the core: that limits hold, what forecasts give, how near it comes to the best possible."""

from collections.abc import Sequence
from math import ceil
from typing import Final

import msgspec
import numpy as np

from benchmarks.pacing.compare import F8, LIMIT, Days, near_limit
from benchmarks.pacing.knobs import KNOBS
from benchmarks.pacing.optimum import solved
from benchmarks.pacing.runs import BENT_TEAMS, LONGER, Bench, Sizes, Want
from benchmarks.pacing.scenarios import HOUR, MARKOV, SCENARIOS, Scenario
from benchmarks.pacing.table import AROUND

# ---- limits

#: Of a day under a hard limit; of a smaller one more days are run.
_AGENT_HOURS: Final = 80.0


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """Abandonment in one scenario at the default settings, and with the limit declared hard."""

    scenario: str
    core: Days
    hard: Days
    #: Draws of occupancy lost to hardness, on the days that both worked.
    lost: F8


def watch(bench: Bench, scenarios: Sequence[str], sizes: Sizes) -> list[Watched]:
    """Return how the limit is kept, scenario by scenario."""
    # What hardness costs is small: as many days are run without it.
    days = [_hard_days(SCENARIOS[name], sizes.hard) for name in scenarios]
    core = [Want("core", name, LIMIT, max(sizes.days, n)) for name, n in zip(scenarios, days, strict=True)]
    hard = [Want("core_hard", name, LIMIT, n) for name, n in zip(scenarios, days, strict=True)]
    bench.run("default settings and hard limits", core + hard)
    found = []
    for name, soft, strict in zip(scenarios, map(bench.days, core), map(bench.days, hard), strict=True):
        n = min(len(soft), len(strict))
        lost = soft.first(n).occupancy - strict.first(n).occupancy
        found.append(Watched(scenario=name, core=soft, hard=strict, lost=lost))
    return found


def _hard_days(scenario: Scenario, least: int) -> int:
    """Return how many days to run: small teams and short shifts say less in a day."""
    return ceil(least * max(1.0, _AGENT_HOURS / (scenario.agents * scenario.day_s / HOUR)))


# ---- forecasts


class Foretold(msgspec.Struct, frozen=True, kw_only=True):
    """What forecasts give a team: draws of occupancy gained at the limit over the same core without them."""

    team: str
    auc: int
    distortion: str
    gain: F8
    abandonment: float
    n_days: int


def foretell(
    bench: Bench, teams: Sequence[str], aucs: Sequence[int], bent: Sequence[str], sizes: Sizes
) -> list[Foretold]:
    """Return what forecasts give, with those of each AUC and with bent ones of AUC .80.

    Leads and their luck are the same whatever is shown of them: one set of days without forecasts serves all.
    """
    cells = [(team, auc, "calibrated") for team in teams for auc in aucs]
    cells += [(team, 80, distortion) for team in teams if team in BENT_TEAMS for distortion in bent]
    wants = {(team, auc, how): _told(team, auc, how, sizes) for team, auc, how in cells}
    hidden = {cell: _hidden(cell[0], LIMIT, want.n) for cell, want in wants.items()}
    around = {team: [_hidden(team, knob, sizes.around) for knob in AROUND] for team in teams}
    everything = [list(hidden.values()), *around.values(), list(wants.values())]
    bench.run("forecasts", [want for group in everything for want in group])
    found = []
    for (team, auc, how), want in wants.items():
        slopes = [bench.days(other) for other in around[team]]
        told = bench.days(want)
        without = near_limit(bench.days(hidden[team, auc, how]), slopes)
        found.append(
            Foretold(
                team=team,
                auc=auc,
                distortion=how,
                gain=near_limit(told, slopes) - without,
                abandonment=float(told.abandonment[0]),
                n_days=len(told),
            )
        )
    return found


def _told(team: str, auc: int, how: str, sizes: Sizes) -> Want:
    if how != "calibrated":
        return Want("core", f"{team}_auc{auc}_{how}", LIMIT, sizes.foretold)
    return Want("core", f"{team}_auc{auc}", LIMIT, sizes.foretold * LONGER.get((team, auc), 1))


def _hidden(team: str, knob: float, n: int) -> Want:
    return Want("core_blind", f"{team}_auc80", knob, n)


# ---- the best possible


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """The core in the model that is solved exactly."""

    agents: int
    #: Draws of the core's occupancy at the limit; the most that any pacing can reach there, and with no abandonment.
    occupancy: F8
    n_days: int
    abandonment: float
    optimum: float
    progressive: float


def model(bench: Bench, teams: Sequence[int], sizes: Sizes) -> list[Model]:
    """Return how near the core comes to the optimum."""
    wants = {}
    for agents in teams:
        day_h = MARKOV[f"markov_n{agents}"].day_s / 3600.0
        n = max(1, ceil(sizes.model_agent_hours / (agents * day_h)))
        wants[agents] = Want("core", f"markov_n{agents}", LIMIT, n)
    bench.run("the solved model", wants.values())
    best = {(optimum.agents, optimum.limit): optimum.occupancy for optimum in solved()}
    found = []
    for agents, want in wants.items():
        days = bench.days(want)
        # The slope of the optimum serves: it is that of a neighbour.
        limits = (0.01, LIMIT, 0.05)
        steepness = np.polyfit(limits, [best[agents, limit] for limit in limits], 1)[0]
        found.append(
            Model(
                agents=agents,
                occupancy=days.occupancy + steepness * (LIMIT - days.abandonment),
                n_days=want.n,
                abandonment=float(days.abandonment[0]),
                optimum=best[agents, LIMIT],
                progressive=best[agents, 0.0],
            )
        )
    return found


# ---- curves

#: Abandonment wished for, and rivals' knobs, of which every so many are run.
_WISHED: Final = (0.005, 0.01, 0.02, 0.03, 0.045, 0.06)
_STEP: Final = {"ratio": 2, "vicidial_average": 2, "vicidial_ready_only": 3, "samuelson": 2}
SHOWN: Final = (
    *("core", "learned", "ratio", "samuelson", "pi"),
    *("vicidial_average", "vicidial_ready_only", "issabel", "impact"),
)


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Occupancy against abandonment of a policy over its knobs, in the order of abandonment."""

    scenario: str
    policy: str
    abandonment: tuple[float, ...]
    occupancy: tuple[float, ...]


def trace(bench: Bench, scenarios: Sequence[str], sizes: Sizes, rivals: Sequence[str]) -> list[Curve]:
    """Return the curves of each policy in each scenario."""
    shown = [policy for policy in SHOWN if policy in rivals or policy in ("core", "learned")]
    wants = {}
    for name in scenarios:
        for policy in shown:
            knobs = KNOBS[policy][:: _STEP.get(policy, 1)] if policy in KNOBS else _WISHED
            wants[name, policy] = [Want(policy, name, knob, sizes.curve) for knob in knobs]
    bench.run("curves", [want for group in wants.values() for want in group])
    found = []
    for (name, policy), group in wants.items():
        days = [bench.days(want) for want in group]
        points = sorted((float(day.abandonment[0]), float(day.occupancy[0])) for day in days)
        abandonment, occupancy = zip(*points, strict=True)
        found.append(Curve(scenario=name, policy=policy, abandonment=abandonment, occupancy=occupancy))
    return found
