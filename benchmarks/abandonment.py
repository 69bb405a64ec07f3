"""How many people who answer meet nobody, with the whole engine: small teams, by mode and machine detection.

    python -m benchmarks.abandonment [--agents 3,5,10] [--months 8] [--days 4] [--world default]

Agents talk, wrap up, take breaks and go home as in any simulated month; in the default world four answers of five are
machines. Without detection, callers whom nobody took may all be people and count so, while machines that agents met
are in no denominator. The first day counts. Prints one JSON object: by case the attempts, the people, the share who
met nobody with a 95 % interval over the months, the months above the limit, and the occupancy.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Final

import numpy as np

from domain.calls import AgentState, Mode
from domain.settings import CampaignSettings, FloorSettings
from simulation.month import Arm, Plan, replicate
from simulation.roster import roster
from simulation.statistics import student

#: By case, what is set of a campaign.
CASES: Final[dict[str, dict[str, Any]]] = {
    "progressive": {"mode": Mode.progressive},
    "predictive": {"mode": Mode.predictive},
    "predictive, hard limit": {"mode": Mode.predictive, "hard": True},
    "predictive, detection": {"mode": Mode.predictive, "detect_machines": True, "clock_starts": "greeting_end"},
}
_BUSY: Final = {AgentState.talking, AgentState.wrapup}
_WAITS: Final = {AgentState.ready, AgentState.reserved}


def lived(case: str, plan: Plan, seed: int) -> dict[str, float]:
    """Run one month, and return what counts of it."""
    campaign = CampaignSettings(name="a", caller_ids={"*": ("+34910000000",)}, **CASES[case])
    arm = Arm(name="a", floor=FloorSettings(campaigns=(campaign,)))
    outcome = replicate(arm, plan, seed)
    spent = [sum(work.agent_ms for work in outcome.work if work.state in some) for some in (_BUSY, _WAITS)]
    counts = {name: outcome.total(name) for name in ("attempts", "people", "abandoned")}
    return counts | {"limit": campaign.abandon_limit, "occupancy": spent[0] / sum(spent)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", default="3,5,10")
    parser.add_argument("--months", type=int, default=8)
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--debtors", type=int, default=1500, help="for each agent of a team")
    parser.add_argument("--world", default="default")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    told: dict[str, Any] = {}
    with ProcessPoolExecutor(asked.processes, mp_context=get_context("spawn")) as pool:
        for agents in map(int, asked.agents.split(",")):
            plan = Plan(
                world=asked.world,
                debtors=agents * asked.debtors,
                start="2027-02-01",
                days=asked.days,
                roster=roster(agents),
            )
            jobs = {case: [pool.submit(lived, case, plan, seed) for seed in range(asked.months)] for case in CASES}
            told[f"{agents} agents"] = {case: _told([job.result() for job in some]) for case, some in jobs.items()}
    print(json.dumps(told, indent=2))


def _told(months: list[dict[str, float]]) -> dict[str, Any]:
    shares = np.array([one["abandoned"] / one["people"] for one in months])
    found = student(shares)
    return {
        "attempts": sum(one["attempts"] for one in months),
        "people": sum(one["people"] for one in months),
        "abandoned_pct": [round(100 * value, 2) for value in (found.value, found.low, found.high)],
        "months_above": int(np.sum(shares > months[0]["limit"])),
        "occupancy_pct": round(100 * float(np.mean([one["occupancy"] for one in months])), 1),
    }


if __name__ == "__main__":
    main()
