"""What strategies are worth on the same debtors with the same agents: net recovery, calls per euro, contacts an hour.

    python -m benchmarks.strategies --out DIR [--debtors 10000] [--agents 10] [--days 30] [--replications 30]

Arms, alike in segments and limits (nobody is called who has agreed, one call a day, three a week): `balance`, `ageing`,
`random` (ids, which tell nothing), `best_time` (true hours, everybody worth the same), `value` (the true value of a
contact ranks), `oracle` (the same, planned by the hour: what no model can exceed by much). True scores are the world's
own (`simulation.truths`). Cells are kept in DIR: an interrupted run goes on. With --follow, agents work for the first
days alone and payments of so many more days count. Prints one JSON object.
"""

import argparse
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from msgspec.structs import replace

from domain.calls import Mode
from domain.settings import CampaignSettings, FloorSettings
from models.cluster import code_of
from simulation.experiment import Experiment, run
from simulation.measures import BY_NAME, parts, read_costs, tally
from simulation.month import Arm, Plan
from simulation.roster import roster
from simulation.statistics import relative
from simulation.store import ROOMS, Store
from simulation.workers import Workers
from strategy.documents import Document, Limits, Segment, Step, Strategy, Treatment, attached

#: By arm: what ranks, whether hours are planned, and whose scores.
ARMS: Final = {
    "balance": ("balance", False, False),
    "ageing": ("days_past_due", False, False),
    "random": ("p_self_cure", False, False),
    "best_time": ("n_phones * 0 + 1", True, True),
    "value": ("value_contact", False, True),
    "oracle": ("value_contact", True, True),
}
METRICS: Final = ("net_recovery", "collected", "cost", "attempts", "right_party", "rpc_per_agent_hour", "promises",
                  "abandon_rate", "occupancy", "complaints")  # fmt: skip


def arm(name: str, tick_s: float) -> Arm:
    """Return an arm by its name."""
    rank_by, plans, scored = ARMS[name]
    call = Treatment(steps=(Step(channel="call", numbers="last_reached_first"),))
    document = Document(
        name=name,
        rank_by=(rank_by,),
        plan="slots" if plans else "",
        explore=0.0,
        limits=Limits(calls_per_day=1, calls_per_week=3),
        segments=(
            Segment(name="agreed", when="plans_open > 0 or promises_open > 0", treatment="rest"),
            Segment(name="everybody_else", when="true", treatment="call"),
        ),
        treatments={"rest": Treatment(steps=(Step(channel="none"),)), "call": call},
    )
    campaign = attached(CampaignSettings(name="c", mode=Mode.predictive), Strategy(document=document))
    floor = FloorSettings(campaigns=(campaign,), tick_s=tick_s)
    return Arm(name=name, floor=floor, scores="truth" if scored else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--world", default="bank_early")
    parser.add_argument("--debtors", type=int, default=10_000)
    parser.add_argument("--agents", type=int, default=10)
    parser.add_argument("--hours", nargs=2, default=("11:00", "20:00"))
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--follow", type=int, default=0)
    parser.add_argument("--replications", type=int, default=30)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--tick-s", type=float, default=1.0)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    asked = parser.parse_args()
    start = date(2027, 2, 1)
    off = tuple((start + timedelta(days=asked.days + n)).isoformat() for n in range(asked.follow))
    plan = Plan(
        world=asked.world,
        debtors=asked.debtors,
        start=start.isoformat(),
        days=asked.days + asked.follow,
        roster=replace(roster(asked.agents, begin=asked.hours[0], end=asked.hours[1]), holidays=off),
    )
    experiment = Experiment(
        arms=tuple(arm(name, asked.tick_s) for name in asked.arms),
        plan=plan,
        replications=asked.replications,
        sequential=False,
    )
    costs = read_costs()
    ran = run(
        experiment,
        Store(asked.out),
        Workers(processes=asked.processes),
        versions={"code": code_of(ROOMS)},
        net_of=lambda outcome: tally(outcome, costs, costs.currency_of([outcome]))["net"],
        progress=lambda _what, done, of: print(f"{done} of {of}", flush=True) if done % 6 == 0 else None,
    )
    (outcomes,) = ran.outcomes
    currency = costs.currency_of(one for some in outcomes for one in some)
    tallies = [[tally(one, costs, currency) for one in some] for some in outcomes]
    told: dict[str, object] = {name: value for name, value in vars(asked).items() if name != "out"}
    told |= {"currency": currency, "cpu_s": round(ran.cpu_s, 1)}
    for name, some in zip(asked.arms, tallies, strict=True):
        figures: dict[str, object] = {}
        for metric in METRICS:
            of = parts(BY_NAME[metric], some)
            figures[metric] = round(float(of[:, 0].sum() / of[:, 1].sum()), 4)
        figures["calls_per_collected"] = round(sum(t["attempts"] for t in some) / sum(t["paid"] for t in some), 5)
        if name != asked.arms[0] and len(some) > 1:
            for metric in ("net_recovery", "attempts", "rpc_per_agent_hour"):
                gain = relative(parts(BY_NAME[metric], tallies[0]), parts(BY_NAME[metric], some))
                bounds = [round(float(value), 4) for value in (gain.value, gain.low, gain.high)]
                figures[f"{metric}_against_{asked.arms[0]}"] = bounds
        figures["breaches"] = int(np.sum([len(one.breaches) for one in outcomes[asked.arms.index(name)]]))
        told[name] = figures
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
