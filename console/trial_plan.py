"""How large a trial has to be: a simulated month, read as a live one is, tells how much debtors (or days) differ."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial can see, and what was assumed."""

    strategy: str
    unit: str
    metric: str
    currency: str
    #: Of one unit in the first arm, and how much units differ after what was known before is taken out.
    mean: float
    deviation: float
    explained: float
    mde: float
    #: The same by unit, in the metric's own.
    effect: float
    power: float
    alpha: float
    looks: tuple[int, ...]
    #: Shares of the two arms that are hardest to compare, of all units.
    shares: tuple[float, float]
    #: Units needed, the held out among them.
    units: int
    #: Debtors at hand; 0: not known. The least share that they see in so many days.
    people: int
    visible: float | None
    #: Days of the calendar that it takes: whole days drawn by lot, or debtors watched.
    days: int
    assumed: list[str]


_METRICS = {
    "net_recovery": "net recovery = collected − attempts − call minutes − agents' paid time by handling time, in "
    "{currency}",
    "right_party_contacts": "conversations with debtors in person",
    "promises_kept": "promises of one payment made in the trial's calls, of which 90 % was paid until three days after "
    "their day",
}


def planned(
    path: Path, folder: Path, *, mde: float, power: float, alpha: float, days: int, debtors: int, agents: str,
    world: str, people: int, seed: int, costs: Path | None, metric: str, report: Callable[[str, int, int], None],
) -> Planned | None:  # fmt: skip
    """Return the size of a trial; None where the metric's mean is 0 or less, so that a share of it means nothing.

    Raises
    ------
    BadInput
        When document, world or roster are none, or the simulated month has too few units to differ.
    """
    from datetime import date

    import numpy as np

    from console.prices import prices_of
    from console.simulating import START
    from console.strategies import arm_of
    from domain.errors import BadInput
    from domain.instants import DAY, midnight_us
    from ledger.store import open_ledger
    from ledger.trial_units import TOUCH_DAYS, read_units, weekdays
    from simulation.books import book_month
    from simulation.month import Plan
    from simulation.population import load
    from simulation.roster import roster
    from strategy import evidence
    from strategy.checking import read
    from strategy.lots import draw
    from strategy.objectives import OBJECTIVES, check_metric

    strategy, arm = read(path), arm_of(str(path), folder)
    metric = metric or strategy.document.objective
    check_metric("experiment plan", metric)
    campaign, trial, zone = arm.floor.campaigns[0].name, strategy.document.trial, arm.floor.zone
    unit, names = trial.unit, [one.name for one in strategy.arms]
    load(world)
    start_us = midnight_us(date.fromisoformat(START), zone)
    # What the last days' calls brought is heard for some days more.
    ended_us = start_us + (days + TOUCH_DAYS + 2) * DAY
    with TemporaryDirectory(prefix="cadencia-trial-") as scratch:
        month = Plan(world=world, debtors=debtors, start=START, days=days, roster=roster(agents))
        with open_ledger(f"sqlite:///{Path(scratch) / 'ledger.db'}") as ledger:
            book_month(arm, month, seed, ledger, report=report)
            with ledger.reading() as connection:
                units = read_units(connection, campaign, names, start_us, ended_us, zone, prices_of(connection, costs))
    if not len(units):
        raise BadInput(f"experiment plan: in {days} simulated days no list was made; give it more days")
    if unit == "debtor":
        figures, keep = units.figures(ended_us), units.arm >= 0
        outcome, covariates, entity = figures[OBJECTIVES[metric].figure], units.covariates, units.person
    else:
        figures, keep = units.by_day(ended_us)
        outcome, covariates = figures[OBJECTIVES[metric].figure], weekdays(units, zone)
        entity = np.arange(len(units.list_us))
    if keep.sum() < 2 * evidence.LEAST_UNITS:
        raise BadInput(
            f"experiment plan: {int(keep.sum())} units in {days} simulated days say nothing of how they differ; give "
            "it more days"
        )
    # Halves by lot differ by nothing but chance: how much, is the spread that a trial has to see through.
    halves = draw("experiment plan", entity[keep]) < 0.5
    found = evidence.contrast(outcome[keep], halves, covariates[keep])
    deviation = found.error / float(np.sqrt(1.0 / halves.sum() + 1.0 / (~halves).sum()))
    mean = float(outcome[keep].mean())
    if mean <= 0.0:
        return None
    own = [one.share for one in strategy.arms] if len(names) > 1 else [0.5, 0.5]
    pair = (own[0], min(own[1:]))
    others = 1.0 - trial.holdout if unit == "debtor" else 1.0
    each = alpha / max(1, len(names) - 1)
    looks = evidence.schedule(days)
    fractions = np.array(looks) / days
    size = evidence.size(deviation, mde * mean, pair, fractions, power=power, alpha=each)
    n_units = int(np.ceil(size.units / others))
    visible, needed = None, days
    if unit == "debtor" and people:
        visible = evidence.visible(deviation, people * others, pair, fractions, power=power, alpha=each) / mean
    if unit != "debtor":
        needed = int(np.ceil(n_units * days / len(units.list_us))) + TOUCH_DAYS + 1
    assumed = [
        f"{debtors:,} debtors of world {world}, {agents} agents, {days} days, seed {seed}: other people and prices "
        "have another spread",
        _METRICS[metric].format(currency=units.prices.currency),
        f"group-sequential looks after {', '.join(map(str, looks))} days"
        + (f"; the error shared among {len(names) - 1} comparisons" if len(names) > 2 else ""),
    ]
    if len(names) < 2:
        assumed.append("the document has no arms yet: two halves are assumed")
    if unit != "debtor":
        assumed.append("whole days within their weekday; one arm's day may lend to the next one's")
    return Planned(
        strategy=strategy.word,
        unit=unit,
        metric=metric,
        currency=units.prices.currency,
        mean=mean,
        deviation=deviation,
        explained=found.explained,
        mde=mde,
        effect=mde * mean,
        power=power,
        alpha=alpha,
        looks=tuple(looks),
        shares=(pair[0] * others, pair[1] * others),
        units=n_units,
        people=people,
        visible=visible,
        days=needed,
        assumed=assumed,
    )
