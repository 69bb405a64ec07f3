"""How an experiment scales with workers: the same months in one process and in several, by turns.

    python -m benchmarks.workers [--processes 1,2] [--rounds 2] [--replications N] [--debtors N] [--agents N] [--days N]

Each round computes everything anew in each number of processes, one after the other, so that what else the machine does
weighs on all alike; the best round of each counts. Prints one JSON object: seconds of wall and of processor time, the
speed-up against the first number of processes, and whether all outcomes were the same bytes. On a busy machine the wall
tells of the neighbours: `load` is the load average when it began.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from domain.calls import Mode
from domain.settings import CampaignSettings, FloorSettings
from simulation.experiment import Experiment, Ran, run
from simulation.month import Arm, Plan, replicate
from simulation.roster import roster
from simulation.store import Store
from simulation.workers import Workers


def tried(replications: int, debtors: int, agents: int, days: int) -> Experiment:
    """Return two orders of one list."""
    arms = tuple(
        Arm(
            name=order,
            floor=FloorSettings(campaigns=(CampaignSettings(name="sample", mode=Mode.predictive, order=order),)),
        )
        for order in ("balance", "ageing")
    )
    plan = Plan(world="bank_early", debtors=debtors, start="2027-02-01", days=days, roster=roster(agents))
    return Experiment(arms=arms, plan=plan, replications=replications, sequential=False)


def timed(experiment: Experiment, processes: int) -> tuple[float, Ran]:
    """Return the seconds that an experiment takes with nothing kept, and what came out."""
    with tempfile.TemporaryDirectory() as scratch:
        began_s = time.monotonic()
        ran = run(experiment, Store(Path(scratch)), Workers(processes=processes), versions={}, net_of=lambda _: 0.0)
        return time.monotonic() - began_s, ran


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", default="1,2")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--replications", type=int, default=8)
    parser.add_argument("--debtors", type=int, default=1000)
    parser.add_argument("--agents", type=int, default=6)
    parser.add_argument("--days", type=int, default=2)
    asked = parser.parse_args()
    counts = [int(one) for one in asked.processes.split(",")]
    experiment = tried(asked.replications, asked.debtors, asked.agents, asked.days)
    load = os.getloadavg()[0]
    # What is compiled is compiled before.
    replicate(experiment.arms[0], tried(1, 100, 1, 1).plan, 1)
    walls: dict[int, list[float]] = {count: [] for count in counts}
    cpu_s: dict[int, float] = {}
    digests = set()
    for _ in range(asked.rounds):
        for count in counts:
            wall_s, ran = timed(experiment, count)
            if not walls[count] or wall_s < min(walls[count]):
                cpu_s[count] = ran.cpu_s
            walls[count].append(wall_s)
            digests.add(ran.digests)
    first_s = min(walls[counts[0]])
    print(
        json.dumps(
            {
                "cells": 2 * asked.replications,
                "processors": len(os.sched_getaffinity(0)),
                "load": round(load, 1),
                "runs": [
                    {
                        "processes": count,
                        "wall_s": [round(one, 1) for one in walls[count]],
                        "cells_cpu_s": round(cpu_s[count], 1),
                        "speed_up": round(first_s / min(walls[count]), 2),
                    }
                    for count in counts
                ],
                "equal_bytes": len(digests) == 1,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
