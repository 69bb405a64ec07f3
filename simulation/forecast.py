"""What days to come may bring: ranges for one such span of days, not for the mean of many."""

import msgspec
import numpy as np

from domain.intervals import Interval
from simulation.experiment import Experiment, Ran
from simulation.measures import BY_NAME as MEASURED
from simulation.measures import Costs, parts, tally
from simulation.statistics import prediction

#: What is told.
SHOWN = ("attempts", "right_party", "promises", "abandon_rate", "occupancy", "rpc_per_agent_hour", "collected")


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """One staffing."""

    factors: dict[str, str | float]
    #: By metric: mean, and where one span of days lies with 95 % certainty.
    figures: dict[str, Interval]
    #: Share of replications in which the list came to its end, and its first, median and last instant among those.
    list_ends: float
    ends_at: tuple[str, ...]
    breaches: int


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign may bring."""

    campaign: str
    world: str
    accounts: int
    start: str
    days: int
    currency: str
    replications: int
    expected: tuple[Expected, ...]


def forecast(experiment: Experiment, ran: Ran, costs: Costs) -> Forecast:
    """Return what the first arm of an experiment comes to in each setting."""
    plan, campaign = experiment.plan, experiment.arms[0].floor.campaigns[0].name
    currency = costs.currency_of(one for arms in ran.outcomes for one in arms[0])
    expected = []
    for setting, arms in zip(ran.settings, ran.outcomes, strict=True):
        tallies = [tally(one, costs, currency) for one in arms[0]]
        figures = {}
        for name in SHOWN:
            measured = parts(MEASURED[name], tallies)
            known = measured[measured[:, 1] > 0]
            found = prediction(np.asarray(known[:, 0] / known[:, 1]))
            figures[name] = Interval(found.value, max(0.0, found.low), found.high)
        ends = sorted(one.list_ended[campaign] for one in arms[0] if campaign in one.list_ended)
        expected.append(
            Expected(
                factors=dict(setting.factors),
                figures=figures,
                list_ends=len(ends) / len(arms[0]),
                ends_at=(ends[0], ends[len(ends) // 2], ends[-1]) if ends else (),
                breaches=sum(len(one.breaches) for one in arms[0]),
            )
        )
    return Forecast(
        campaign=campaign,
        world=plan.world,
        accounts=plan.debtors,
        start=plan.start,
        days=plan.days,
        currency=currency,
        replications=ran.replications,
        expected=tuple(expected),
    )
