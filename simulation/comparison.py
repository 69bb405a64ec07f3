"""What an experiment says: the answer, and the figures behind it. One record, told as a page, in a terminal, as JSON.

The primary metric is net recovery, or the objective of all strategies compared where they have one and the same. It
alone decides: its interval holds at every look (`statistics.Watch`) and is shared among the arms compared with the
champion. All other figures are told beside it, each with Student's 95 % interval of its own: among twenty of them one
may well leave zero out by chance.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import isfinite

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.intervals import Interval
from simulation.experiment import Experiment, Ran, Setting
from simulation.measures import COSTS, MEASURES, Costs, Measure, Tally, deciding, parts, tally, tally_by
from simulation.outcome import MOST_ATTEMPTS, Outcome
from simulation.phrases import answer_of, brought, staff_words
from simulation.statistics import Power, difference, power_of, quotient, slope, student
from strategy.objectives import OBJECTIVES

F8 = NDArray[np.float64]

#: The steps of an account, in order, with the tallies that count them.
FUNNEL = (
    ("assigned", "assigned"), ("attempted", "attempted"), ("answered", "accounts_answered"), ("contact", "reached"),
    ("right party", "accounts_right_party"), ("promise", "accounts_promised"), ("kept", "accounts_kept"),
    ("paid", "payers"),
)  # fmt: skip
#: Shown by segment and by hour.
_BY_SEGMENT = ("collected", "liquidation", "right_party", "rpc_rate", "promises", "kept_ptp_rate", "list_penetration")
_BY_HOUR = ("attempts", "live_answer_rate", "right_party", "promises", "abandon_rate", "occupancy")
#: Accounts by number of attempts or contacts: from, to.
BANDS = ((0, 0), (1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, MOST_ATTEMPTS))


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of all arms."""

    name: str
    words: str
    unit: str
    better: int
    formula: str
    #: By arm.
    values: tuple[float | None, ...]
    #: Of every arm but the first, minus the first.
    differences: tuple[Interval, ...]


class Versus(msgspec.Struct, frozen=True, kw_only=True):
    """One arm against the champion, in the deciding metric's total of a replication."""

    arm: str
    champion: str
    #: more, less, same or open.
    says: str
    #: Holds at every look.
    watched: Interval
    #: The same in shares of the champion's mean; None where that is not above zero.
    share: Interval | None
    #: Student's, for a number of replications fixed in advance.
    fixed: Interval
    #: Differences by replication.
    paired: tuple[float, ...]
    power: Power | None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """All arms in one setting of the factors."""

    setting: str
    factors: dict[str, str | float]
    versus: tuple[Versus, ...]
    lines: tuple[Line, ...]
    #: Parts of the mean cost, by arm.
    cost_parts: tuple[dict[str, float], ...]
    #: Mean accounts by step, by arm.
    funnel: tuple[tuple[tuple[str, float], ...], ...]
    by_segment: dict[str, tuple[Line, ...]]
    by_hour: dict[str, tuple[Line, ...]]
    #: Share of accounts by band of attempts, and of contacts, by arm.
    attempts_per_account: tuple[tuple[float, ...], ...]
    contacts_per_account: tuple[tuple[float, ...], ...]
    #: Mean collected so far by day, by arm.
    collected_by_day: tuple[tuple[float, ...], ...]
    days: tuple[str, ...]
    #: Over all replications, by arm.
    breaches: tuple[int, ...]
    #: Some of them, told.
    breaches_told: tuple[str, ...]
    #: Replications in which a campaign's list came to its end: share, and its median day; by arm and campaign.
    lists_ended: tuple[dict[str, tuple[float, str]], ...]


class Staffing(msgspec.Struct, frozen=True, kw_only=True):
    """What one more agent is worth, from settings that differ in agents alone."""

    arm: str
    setting: str
    agents: tuple[float, ...]
    net: tuple[float, ...]
    #: Net recovery of one more agent over the whole plan: least-squares slope.
    value: Interval


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What an experiment says."""

    question: str
    #: One sentence.
    answer: str
    #: clear, open, or sweep (nothing was asked).
    verdict: str
    currency: str
    arms: tuple[str, ...]
    replications: int
    of: int
    sequential: bool
    same_luck: bool
    world: str
    debtors: int
    start: str
    n_days: int
    #: By what arms are judged: the first line of each setting.
    objective: str
    #: The objectives of the arms in words, where they differ.
    differing: str
    #: Who works, in words; empty where the settings say so.
    staff: str
    #: What the month brings besides, a sentence each, in order.
    month: tuple[str, ...]
    compared: tuple[Compared, ...]
    staffing: tuple[Staffing, ...]
    breaches: int


def compare(experiment: Experiment, ran: Ran, costs: Costs) -> Result:
    """Return what an experiment says.

    Raises
    ------
    BadInput
        When a currency has no rate.
    """
    everything = [outcome for arms in ran.outcomes for some in arms for outcome in some]
    currency = costs.currency_of(everything)
    tallies = [[[tally(one, costs, currency) for one in some] for some in arms] for arms in ran.outcomes]
    compared = tuple(
        _compared(experiment, setting, outcomes, sums, costs, currency)
        for setting, outcomes, sums in zip(ran.settings, ran.outcomes, tallies, strict=True)
    )
    plan = experiment.plan
    found = Result(
        question=experiment.question or _question(experiment),
        answer="",
        verdict="sweep",
        currency=currency,
        arms=tuple(arm.name for arm in experiment.arms),
        replications=ran.replications,
        of=experiment.replications,
        sequential=experiment.sequential and len(ran.settings) == 1 and len(experiment.arms) > 1,
        same_luck=experiment.same_luck,
        world=plan.world,
        debtors=plan.debtors,
        start=plan.start,
        n_days=plan.days,
        objective=experiment.deciding,
        differing=_differing(experiment),
        staff="" if experiment.agents or experiment.hours else staff_words(plan.roster),
        month=brought(plan),
        compared=compared,
        staffing=_staffing(experiment, ran, tallies),
        breaches=sum(sum(one.breaches) for one in compared),
    )
    answer, verdict = answer_of(found)
    return msgspec.structs.replace(found, answer=answer, verdict=verdict)


def _differing(experiment: Experiment) -> str:
    found = experiment.objectives
    if len(set(found.values())) == 1:
        return ""
    return ", ".join(f"{arm}: {OBJECTIVES[objective].words}" for arm, objective in found.items())


def _question(experiment: Experiment) -> str:
    names, objective = [arm.name for arm in experiment.arms], OBJECTIVES[experiment.deciding]
    if len(experiment.settings) > 1:
        what = ", ".join(name for name, _ in experiment.settings[0].factors)
        return f"What do {what} do to {objective.words} under {' and '.join(names)}?"
    if len(names) == 1:
        return f"What does {names[0]} come to?"
    if objective.unit:
        return f"Does {' or '.join(names[1:])} bring more {objective.words} than {names[0]}?"
    return f"Does {' or '.join(names[1:])} collect more, net of cost, than {names[0]}?"


def _compared(
    experiment: Experiment,
    setting: Setting,
    outcomes: Sequence[Sequence[Outcome]],
    sums: Sequence[Sequence[Tally]],
    costs: Costs,
    currency: str,
) -> Compared:
    n = len(outcomes[0])
    by = {
        name: [[tally_by(one, costs, currency, name) for one in some] for some in outcomes]
        for name in ("segment", "hour")
    }
    return Compared(
        setting=setting.words,
        factors=dict(setting.factors),
        versus=tuple(_versus(experiment, sums, number) for number in range(1, len(sums))),
        lines=tuple(_line(measure, sums) for measure in _first(deciding(experiment.deciding))),
        cost_parts=tuple({name: sum(one[name] for one in some) / n for name in COSTS} for some in sums),
        funnel=tuple(
            tuple((step, sum(one.get(name, 0.0) for one in some) / n) for step, name in FUNNEL) for some in sums
        ),
        by_segment=_grouped(by["segment"], _BY_SEGMENT),
        by_hour=_grouped(by["hour"], _BY_HOUR),
        attempts_per_account=tuple(
            _bands((one.attempts, one.accounts) for outcome in some for one in outcome.accounts) for some in outcomes
        ),
        contacts_per_account=tuple(
            _bands((one.contacts, one.accounts) for outcome in some for one in outcome.contacts) for some in outcomes
        ),
        collected_by_day=tuple(_by_day(some, costs, currency) for some in outcomes),
        days=outcomes[0][0].days,
        breaches=tuple(sum(len(outcome.breaches) for outcome in some) for some in outcomes),
        breaches_told=tuple(
            f"{outcome.arm}, seed {outcome.seed}: {told}"
            for some in outcomes
            for outcome in some
            for told in outcome.breaches[:3]
        )[:20],
        lists_ended=tuple(_ended(some) for some in outcomes),
    )


def _first(one: Measure) -> list[Measure]:
    return [one, *(measure for measure in MEASURES if measure is not one)]


def _line(measure: Measure, sums: Sequence[Sequence[Tally]]) -> Line:
    by_arm = [parts(measure, some) for some in sums]
    return Line(
        name=measure.name,
        words=measure.words,
        unit=measure.unit,
        better=measure.better,
        formula=measure.formula,
        values=tuple(_or_none(quotient(one).value) for one in by_arm),
        differences=tuple(difference(by_arm[0], one) for one in by_arm[1:]),
    )


def _grouped(by_arm: Sequence[Sequence[dict[str, Tally]]], names: Sequence[str]) -> dict[str, tuple[Line, ...]]:
    chosen = [one for one in MEASURES if one.name in names]
    groups = sorted({group for some in by_arm for one in some for group in one}, key=_natural)
    return {
        group: tuple(_line(measure, [[one.get(group, {}) for one in some] for some in by_arm]) for measure in chosen)
        for group in groups
    }


def _natural(name: str) -> tuple[str, int]:
    """Order `ES 31-60` before `ES 181+`."""
    head, _, tail = name.rpartition(" ")
    digits = tail.split("-")[0].rstrip("+")
    return head, int(digits) if digits.isdigit() else 0


def _versus(experiment: Experiment, sums: Sequence[Sequence[Tally]], number: int) -> Versus:
    champion, challenger = (parts(deciding(experiment.deciding), sums[arm])[:, 0] for arm in (0, number))
    paired, mean = challenger - champion, float(champion.mean())
    watch = experiment.watch(mean)
    watched = watch.interval(paired)
    return Versus(
        arm=experiment.arms[number].name,
        champion=experiment.arms[0].name,
        says=watch.says(paired),
        watched=watched,
        share=Interval(*(value / mean for value in (watched.value, watched.low, watched.high))) if mean > 0.0 else None,
        fixed=student(paired),
        paired=tuple(float(one) for one in paired),
        power=power_of(champion, challenger) if experiment.same_luck else None,
    )


def _bands(counted: Iterable[tuple[int, int]]) -> tuple[float, ...]:
    found: defaultdict[int, int] = defaultdict(int)
    for times, accounts in counted:
        found[times] += accounts
    total = sum(found.values())
    return tuple(
        sum(accounts for times, accounts in found.items() if low <= times <= high) / total if total else 0.0
        for low, high in BANDS
    )


def _by_day(outcomes: Sequence[Outcome], costs: Costs, currency: str) -> tuple[float, ...]:
    found = np.zeros(len(outcomes[0].days))
    for outcome in outcomes:
        for money in outcome.money:
            found[money.day] += money.paid_minor * costs.worth(money.currency, currency)
    return tuple(float(one) for one in found.cumsum() / len(outcomes))


def _ended(outcomes: Sequence[Outcome]) -> dict[str, tuple[float, str]]:
    found = {}
    for campaign in outcomes[0].campaigns:
        days = sorted(outcome.list_ended[campaign][:10] for outcome in outcomes if campaign in outcome.list_ended)
        if days:
            found[campaign] = len(days) / len(outcomes), days[len(days) // 2]
    return found


def _staffing(experiment: Experiment, ran: Ran, tallies: Sequence[Sequence[Sequence[Tally]]]) -> tuple[Staffing, ...]:
    """Group the settings by all factors but the number of agents."""
    groups: defaultdict[Setting, list[tuple[float, int]]] = defaultdict(list)
    for place, setting in enumerate(ran.settings):
        told = dict(setting.factors)
        if "agents" in told:
            rest = Setting(tuple(one for one in setting.factors if one[0] != "agents"))
            groups[rest].append((float(told["agents"]), place))
    found = []
    for rest, places in groups.items():
        if len(places) < 2:
            continue
        places.sort()
        agents = np.array([one for one, _ in places])
        for number, arm in enumerate(experiment.arms):
            net = np.array([[one["net"] for one in tallies[place][number]] for _, place in places]).T
            found.append(
                Staffing(
                    arm=arm.name,
                    setting=rest.words,
                    agents=tuple(float(one) for one in agents),
                    net=tuple(float(one) for one in net.mean(axis=0)),
                    value=slope(agents, net),
                )
            )
    return tuple(found)


def _or_none(value: float) -> float | None:
    return value if isfinite(value) else None
