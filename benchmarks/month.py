"""A simulated month with the whole engine: attempts per second of processor time, time and memory of one replication.

    python -m benchmarks.month [--debtors 50000] [--days 30] [--agents 50] [--world default]

One predictive campaign with machine detection under the shipped rules, agents from 9 to 17 h on weekdays; the rows are
forgotten once they are answered (`simulation.tape`). Prints one JSON object.
"""

import argparse
import json
import resource
import time

from benchmarks.world import CAMPAIGN
from domain.settings import FloorSettings
from simulation.month import Arm, Plan, replicate
from simulation.roster import Roster, Shift


def arm(agents: int) -> Arm:
    """Return a floor with one predictive campaign."""
    return Arm(name="a", floor=FloorSettings(campaigns=(CAMPAIGN,), max_lines=10 * agents))


def plan(world: str, debtors: int, days: int, agents: int) -> Plan:
    """Return so many days from a Monday on, everybody present."""
    roster = Roster(shift=(Shift(agents=agents),), absence=0.0)
    return Plan(world=world, debtors=debtors, start="2026-11-02", days=days, roster=roster)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--world", default="default")
    options = parser.parse_args()
    # What is compiled is compiled before.
    replicate(arm(2), plan(options.world, 200, 1, 2), 1)
    started_s, cpu_s = time.monotonic(), time.process_time()
    found = replicate(arm(options.agents), plan(options.world, options.debtors, options.days, options.agents), 1)
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - started_s
    attempts = found.total("attempts")
    told = {
        **vars(options),
        "attempts": attempts,
        "rows": found.rows,
        "cpu_s": round(cpu_s, 1),
        "wall_s": round(wall_s, 1),
        "attempts_per_cpu_s": round(attempts / cpu_s),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "breaches": len(found.breaches),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
