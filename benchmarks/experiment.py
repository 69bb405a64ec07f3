"""What the same luck for both arms saves: replications that see +2 % of net recovery, with keyed chance and without.

    python -m benchmarks.experiment [--world W] [--debtors N] [--agents N] [--days N] [--replications N] [--processes N]

Two orders of one list are tried on the same seeds. The spread of their paired differences gives the replications needed
with keyed chance; the same outcomes paired with other seeds' give those needed with independent ones: nothing is
computed twice, and nothing is assumed of either spread. Prints one JSON object, with the cost of a replication and the
number of replications until the watch called the answer clear.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from domain.calls import Mode
from domain.settings import CampaignSettings, FloorSettings
from simulation.experiment import Experiment, run
from simulation.measures import read_costs, tally
from simulation.month import Arm, Plan
from simulation.roster import roster
from simulation.statistics import Watch, power_of, relative, replications
from simulation.store import Store
from simulation.workers import Workers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="bank_early")
    parser.add_argument("--debtors", type=int, default=2000)
    parser.add_argument("--agents", type=int, default=6)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--replications", type=int, default=20)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--champion", default="balance")
    parser.add_argument("--challenger", default="ageing")
    parser.add_argument("--tick-s", type=float, default=0.5)
    asked = parser.parse_args()

    campaign = CampaignSettings(name="sample", mode=Mode.predictive)
    floor = FloorSettings(tick_s=asked.tick_s)
    arms = tuple(
        Arm(name=order, floor=replace(floor, campaigns=(replace(campaign, order=order),)))
        for order in (asked.champion, asked.challenger)
    )
    plan = Plan(
        world=asked.world, debtors=asked.debtors, start="2027-02-01", days=asked.days, roster=roster(asked.agents)
    )
    experiment = Experiment(arms=arms, plan=plan, replications=asked.replications, sequential=False)
    costs = read_costs()
    with tempfile.TemporaryDirectory() as scratch:
        began_s = time.monotonic()
        ran = run(
            experiment,
            Store(Path(scratch)),
            Workers(processes=asked.processes),
            versions={},
            net_of=lambda outcome: tally(outcome, costs, costs.currency_of([outcome]))["net"],
        )
        took_s = time.monotonic() - began_s
    currency = costs.currency_of(one for some in ran.outcomes[0] for one in some)
    a, b = (np.array([tally(one, costs, currency)["net"] for one in some]) for some in ran.outcomes[0])
    watch = Watch()
    said = [watch.says((b - a)[:k]) for k in range(len(a) + 1)]
    found = power_of(a, b)
    # The arms' own spread, met with other seeds' luck: what independent seeds would have shown.
    shifted = np.concatenate([np.roll(b, shift) - a for shift in range(1, len(a))])
    gain = relative(np.column_stack([a, np.ones_like(a)]), np.column_stack([b, np.ones_like(b)]))
    print(
        json.dumps(
            {
                "world": asked.world,
                "debtors": asked.debtors,
                "agents": asked.agents,
                "days": asked.days,
                "replications": ran.replications,
                "attempts": round(float(np.mean([one.total("attempts") for one in ran.outcomes[0][0]]))),
                "net": {asked.champion: round(float(a.mean())), asked.challenger: round(float(b.mean()))},
                "difference": {"value": gain.value, "low": gain.low, "high": gain.high},
                "deviation": {"keyed": float((b - a).std(ddof=1)), "independent": float(shifted.std())},
                "replications_for_2_percent": found
                and {
                    "keyed": found.keyed,
                    "independent": found.independent,
                    "independent_by_other_seeds": replications(0.02 * float(a.mean()), float(shifted.std())),
                    "saving": round(found.saving, 1),
                },
                "clear_after": next((k for k, word in enumerate(said) if word != "open"), None),
                "cpu_s_per_replication": round(ran.cpu_s / max(1, ran.computed), 2),
                "wall_s": round(took_s, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
