"""The slot planner at size: time, memory and gap for a million debtors, and against HiGHS where that still ends.

    python -m benchmarks.slot_plan [--debtors N] [--compared N]

A week of 84 slots, one slot a day and three a week for each debtor, in five kinds of portfolio: values alike; evenings
that are worth more and hold few, with debtors who differ; heavy-tailed debtors; places for one debtor in seventy of
those who differ most; a tenth who are worth a thousand times the others and have mornings of their own. `--compared`
debtors of each kind are planned by HiGHS too (dual simplex, about 15 s for 10,000). Prints one JSON object.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize as scipy_optimize
from scipy import sparse as scipy_sparse

from strategy.slots import assign

DAYS, HOURS, PER_WEEK = 7, 12, 3
SLOTS = DAYS * HOURS
F4 = NDArray[np.float32]
# scipy carries no types of its own.
sparse: Any = scipy_sparse
optimize: Any = scipy_optimize


def portfolios(n: int) -> Iterator[tuple[str, F4, NDArray[np.float64]]]:
    """Yield kinds of portfolios: name, values (n, 84), places (84,)."""
    chance = np.random.default_rng(1)
    places = n * PER_WEEK / SLOTS
    evening = np.arange(SLOTS) % HOURS >= 9
    for name in ("alike", "scarce evenings", "heavy tails", "few places", "apart"):
        value = chance.random((n, SLOTS), dtype=np.float32)
        capacity = np.full(SLOTS, 0.5 * places)
        if name == "scarce evenings":
            value *= np.where(evening, np.float32(1.8), np.float32(1.0))
            value *= np.exp(chance.standard_normal((n, 1), dtype=np.float32))
            capacity = np.where(evening, 0.15, 0.6) * places
        elif name == "heavy tails":
            value *= chance.pareto(1.5, (n, 1)).astype(np.float32)
        elif name == "few places":
            value *= np.exp(2.0 * chance.standard_normal((n, 1), dtype=np.float32))
            capacity = np.full(SLOTS, 0.015 * places)
        elif name == "apart":
            few, mornings = chance.random((n, 1)) < 0.1, np.arange(SLOTS) % HOURS < 6
            value *= np.where(few, np.float32(1000.0), np.float32(1.0)) * (few == mornings)
            capacity = np.where(mornings, 0.03, 0.5) * places
        yield name, value, capacity


def best(value: F4, capacity: NDArray[np.float64]) -> float:
    """Return what HiGHS finds: the best, since limits of days nest in those of weeks."""
    n = len(value)
    cell = np.arange(n * SLOTS)
    row, slot = cell // SLOTS, cell % SLOTS
    held = np.concatenate([slot, SLOTS + row * DAYS + slot // HOURS, SLOTS + n * DAYS + row])
    shape = SLOTS + n * DAYS + n, n * SLOTS
    rows = sparse.csr_matrix((np.ones(3 * n * SLOTS), (held, np.tile(cell, 3))), shape=shape)
    most = np.concatenate([np.floor(capacity), np.ones(n * DAYS), np.full(n, PER_WEEK)])
    return float(
        -optimize.linprog(-value.ravel().astype(float), A_ub=rows, b_ub=most, bounds=(0, 1), method="highs").fun
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=1_000_000)
    parser.add_argument("--compared", type=int, default=10_000)
    asked = parser.parse_args()
    # What is compiled is compiled before.
    assign(np.ones((3, SLOTS), np.float32), np.ones(SLOTS))
    told: dict[str, Any] = {"debtors": asked.debtors, "slots": SLOTS, "compared": asked.compared, "kinds": {}}
    for name, value, capacity in portfolios(asked.debtors):
        began_s, cpu_s = time.monotonic(), time.process_time()
        plan = assign(value, capacity)
        told["kinds"][name] = {
            "wall_s": round(time.monotonic() - began_s, 2),
            "cpu_s": round(time.process_time() - cpu_s, 2),
            "gap_percent": round(100 * plan.gap, 5),
            "dearest_slot": round(float(plan.prices.max()), 4),
            "cheapest_slot": round(float(plan.prices.min()), 4),
        }
        del value, plan
    told["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if asked.compared:
        for name, value, capacity in portfolios(asked.compared):
            cpu_s = time.process_time()
            plan = assign(value, capacity)
            ours_s, cpu_s = time.process_time() - cpu_s, time.process_time()
            optimum = best(value, capacity)
            told["kinds"][name]["compared"] = {
                "below_best_percent": round(100 * (optimum - plan.value) / optimum, 5),
                "cpu_s": round(ours_s, 3),
                "highs_cpu_s": round(time.process_time() - cpu_s, 2),
            }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
