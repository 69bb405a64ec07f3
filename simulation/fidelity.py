"""How far may the simulator be believed? A recorded day simulated again, metric by metric against what was observed.

Two worlds are tried. `record`: calls meet what they met on that day, so that what differs is the simulator's own doing
(engine, switch, agents). A world of laws: calls meet debtors as those laws have them, so that what differs besides is
the laws'.

The interval of a metric is a prediction interval: where one more day of this world would lie, with 95 % confidence
(Student's law over replications). The observed day is one day, and is expected in it.
"""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from statistics import fmean

import msgspec
import numpy as np
from msgspec.structs import replace

from dialer.engine import Gate
from domain.calls import AgentState
from domain.errors import BadInput
from simulation.callees import Callees
from simulation.chance import Chance
from simulation.day import Day
from simulation.outcome import FLOW, Outcome
from simulation.population import Laws
from simulation.recorded import Recorded, Told
from simulation.replayed import Replayed
from simulation.roster import Roster
from simulation.run import RunSettings
from simulation.statistics import prediction

#: The name of the world in which calls meet what they met.
RECORD = "record"
#: Outside the interval and yet near: within this share of what was observed, or this much of a share.
NEAR = 0.05
NEAR_SHARE = 0.005
#: Observed attempts from which on an hour is told apart.
ENOUGH = 200

Sums = dict[str, float]


class Metric(msgspec.Struct, frozen=True):
    """A quotient of sums; without a denominator, a total."""

    name: str
    #: count, share, rate or s.
    unit: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()
    #: The simulator is believed as a whole when these are.
    core: bool = False
    #: Told by hour as well.
    hourly: bool = False

    def of(self, sums: Sums) -> float | None:
        above = sum(sums.get(name, 0.0) for name in self.numerator)
        if not self.denominator:
            return above
        below = sum(sums.get(name, 0.0) for name in self.denominator)
        return above / below if below else None


#: By the definitions of the metric dictionary (`docs/glossary.md`); talk and wrap-up are its handling time in two.
METRICS = (
    Metric("attempts", "count", ("attempts",), core=True, hourly=True),
    Metric("answer_rate", "share", ("answered",), ("attempts",), core=True),
    Metric("live_answer_rate", "share", ("people",), ("attempts",), core=True, hourly=True),
    Metric("contacts", "count", ("contacts",), core=True, hourly=True),
    Metric("right_party", "count", ("right_party",), core=True),
    Metric("rpc_rate", "share", ("right_party",), ("attempts",), core=True),
    Metric("rpc_per_agent_hour", "rate", ("right_party",), ("worked_h",), core=True),
    Metric("promises", "count", ("promises",)),
    Metric("ptp_rate", "share", ("promises",), ("right_party",)),
    Metric("abandon_rate", "share", ("abandoned",), ("people",)),
    Metric("occupancy", "share", ("busy_h",), ("busy_h", "ready_h"), core=True, hourly=True),
    Metric("average_wait_s", "s", ("ready_s",), ("connected",)),
    Metric("answer_to_agent_s", "s", ("wait_s",), ("connected",)),
    Metric("talk_s", "s", ("talk_s",), ("connected",), core=True),
    Metric("wrap_s", "s", ("wrap_s",), ("connected",), core=True),
    Metric("ring_s", "s", ("ring_s",), ("attempts",)),
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One metric, observed and simulated."""

    metric: str
    unit: str
    #: Local hour of the floor; None: of the day.
    hour: int | None
    observed: float | None
    #: Mean over replications, and where one more simulated day would lie.
    simulated: float | None
    low: float | None
    high: float | None
    #: (simulated − observed) ÷ observed.
    off: float | None
    #: No simulated day need be expected farther from the observed one than this share of it.
    within: float | None
    #: inside (the interval), near (outside, by little), outside, or unknown.
    verdict: str
    core: bool


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The day in one world."""

    world: str
    replications: int
    #: Attempts whose fate was from the record, on the average; None where none is to be.
    from_record: float | None
    told: Told | None
    lines: list[Line]
    by_hour: list[Line]
    #: Metrics that may be believed, with how far off a simulated day may be; those that may not.
    believed: dict[str, float | None]
    doubted: dict[str, float | None]

    @property
    def ok(self) -> bool:
        """Return whether every core metric may be believed."""
        return not any(line.core and line.metric in self.doubted for line in self.lines)


class Fidelity(msgspec.Struct, frozen=True, kw_only=True):
    """What a day says of the simulator."""

    day: str
    stream: str
    attempts: int
    agents: int
    agent_hours: float
    comparisons: list[Comparison]


def fidelity(
    day: Day,
    gates: Callable[[str], Gate | None],
    laws: Laws,
    *,
    world: str,
    replications: int = 10,
    first_seed: int = 1,
    with_record: bool = True,
    agents: Roster | None = None,
    done: Callable[[], None] = lambda: None,
) -> Fidelity:
    """Simulate a recorded day again and again, with its own calls and with the laws of a world.

    Parameters
    ----------
    laws : Laws
        Also stand behind the record, for what it does not tell.
    agents : Roster, optional
        In the world of laws, who is named here has its paces, and all its wrap-up where it tells any; else the day's.
    done : callable
        Called after each simulated day.

    Raises
    ------
    BadInput
        When rules of the day are not to be had, or replications are fewer than 2.
    """
    if replications < 2:
        raise BadInput(f"fidelity: replications must be 2 or more for an interval, were {replications}")
    comparisons = []
    for name in [RECORD] * with_record + [world]:
        outcomes: list[Outcome] = []
        told: list[Told] = []
        staffed = day if agents is None or name == RECORD else _staffed(day, agents)
        for seed in range(first_seed, first_seed + replications):
            outcome, found = simulate(staffed, gates, laws, seed, recorded=name == RECORD)
            outcomes.append(outcome)
            told += [found] if found is not None else []
            done()
        comparisons.append(compare(day.observed, outcomes, name, told))
    observed = sums_of(day.observed)
    return Fidelity(
        day=day.day,
        stream=day.settings.stream,
        attempts=day.observed.total("attempts"),
        agents=len({chair.agent for chair in day.chairs}),
        agent_hours=observed["logged_h"],
        comparisons=comparisons,
    )


def _staffed(day: Day, agents: Roster) -> Day:
    """Return a day whose agents are as quick as a roster says; when they came and rested stays as it was."""
    paces = agents.paces()
    chairs = [
        replace(chair, pace=paces[chair.agent][0], talk_pace=paces[chair.agent][1]) if chair.agent in paces else chair
        for chair in day.chairs
    ]
    temper = day.temper
    if (told := agents.temper) is not None:
        temper = replace(temper, wrap_debtor_s=told.wrap_debtor_s, wrap_other_s=told.wrap_other_s)
    return replace(day, chairs=tuple(chairs), temper=temper)


def simulate(
    day: Day, gates: Callable[[str], Gate | None], laws: Laws, seed: int, *, recorded: bool
) -> tuple[Outcome, Told | None]:
    """Return one simulated day, and how much of it was from the record."""
    found: list[Recorded] = []

    sent_us = day.commit_us + day.world.order_us

    def meets(others: Callees, chance: Chance) -> Callees:
        found.append(Recorded(day.calls, others, chance, sent_us=sent_us, message_us=day.world.message_us))
        return found[0]

    run = RunSettings(start_us=day.from_us, seed=seed, laws=laws)
    outcome = Replayed(day, run, gates, meets=meets if recorded else None).day()
    return outcome, found[0].told if found else None


# ---- comparing


def sums_of(outcome: Outcome, hour: int | None = None) -> Sums:
    """Return what a day, or an hour of it, adds up to."""
    sums = dict.fromkeys(FLOW, 0.0)
    for flow in outcome.flows:
        if hour in (None, flow.hour):
            for name, count in zip(FLOW, flow.counts, strict=True):
                sums[name] += count
    spent = dict.fromkeys(AgentState, 0.0)
    for work in outcome.work:
        if hour in (None, work.hour):
            spent[AgentState(work.state)] += work.agent_ms / 3.6e6
    logged = sum(spent.values()) - spent[AgentState.offline]
    ready = sum(spent[state] for state in (AgentState.ready, AgentState.reserved, AgentState.previewing))
    return sums | {
        "logged_h": logged,
        "worked_h": logged - spent[AgentState.paused],
        "busy_h": spent[AgentState.talking] + spent[AgentState.wrapup],
        "ready_h": ready,
        "ready_s": ready * 3600.0,
        **{f"{name}_s": sums[f"{name}_ms"] / 1e3 for name in ("ring", "wait", "talk", "wrap")},
    }


def compare(observed: Outcome, simulated: Sequence[Outcome], world: str, told: Sequence[Told] = ()) -> Comparison:
    """Compare a day with its simulations.

    Parameters
    ----------
    simulated : sequence of Outcome
        Two or more independent replications.
    """
    lines = list(_lines(observed, simulated, None))
    hours = sorted({flow.hour for flow in observed.flows})
    by_hour = [
        line
        for hour in hours
        if sums_of(observed, hour)["attempts"] >= ENOUGH
        for line in _lines(observed, simulated, hour)
    ]
    shares = [one.share for one in told if one.share is not None]
    return Comparison(
        world=world,
        replications=len(simulated),
        from_record=fmean(shares) if shares else None,
        told=_mean_told(told) if told else None,
        lines=lines,
        by_hour=by_hour,
        believed={line.metric: line.within for line in lines if line.verdict in ("inside", "near")},
        doubted={line.metric: line.off for line in lines if line.verdict == "outside"},
    )


def _lines(observed: Outcome, simulated: Sequence[Outcome], hour: int | None) -> Iterable[Line]:
    sums = sums_of(observed, hour)
    runs = [sums_of(one, hour) for one in simulated]
    for metric in METRICS:
        if hour is None or metric.hourly:
            values = [value for run in runs if (value := metric.of(run)) is not None]
            yield _line(metric, hour, metric.of(sums), values)


def _line(metric: Metric, hour: int | None, seen: float | None, values: list[float]) -> Line:
    told = prediction(np.array(values))
    mean, low, high = told.value, told.low, told.high
    if isfinite(low):
        # No day lies beyond these: nothing is less than none, and no share more than all.
        low, high = max(0.0, low), min(1.0, high) if metric.unit == "share" else high
    verdict, off, within = "unknown", None, None
    if seen is not None and values:
        least = NEAR_SHARE if metric.unit == "share" else 0.0
        if low <= seen <= high:
            verdict = "inside"
        else:
            verdict = "near" if abs(mean - seen) <= max(NEAR * abs(seen), least) else "outside"
        if seen:
            off, within = mean / seen - 1.0, max(abs(low - seen), abs(high - seen)) / abs(seen)
    known = seen is not None and isfinite(low)
    return Line(
        metric=metric.name,
        unit=metric.unit,
        hour=hour,
        observed=seen,
        simulated=mean if values else None,
        low=low if known else None,
        high=high if known else None,
        off=off,
        within=within if within is not None and isfinite(within) else None,
        verdict=verdict,
        core=metric.core,
    )


def _mean_told(told: Sequence[Told]) -> Told:
    fields = Told.__struct_fields__
    return Told(**{field: round(fmean(getattr(one, field) for one in told)) for field in fields})
