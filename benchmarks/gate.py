"""How many verdicts a second, and how long one takes, with the history in memory.

    python -m benchmarks.gate [--cases 20000] [--people 4000]

Debtors of a mixed portfolio (`benchmarks.debtors`: Spain, Colombia, the United States with states and cities; none to
30 past contacts, several numbers and debts, stops, consents) are judged at instants spread over a working week, every
one at instants of its own: first cold (places, plans and days met for the first time), then warm, at other instants of
the same week, as in a running campaign. A verdict is timed in processor time, so that what else runs on the machine
does not count, and without the collector, which would fall on whichever verdict is under way.
"""

import argparse
import gc
import json
import statistics
import time
from pathlib import Path

from benchmarks.debtors import debtor
from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.instants import DAY, SECOND, parse
from domain.people import Dossier

MONDAY_US = parse("2026-11-16T00:00:00+00:00")


def measure(cases: int, people: int) -> dict[str, float | str]:
    """Return seconds to load, verdicts a second and microseconds for one verdict."""
    started = time.perf_counter()
    gate = Gate.load(SHIPPED)
    loaded_s = time.perf_counter() - started
    debtors = [debtor(person, MONDAY_US) for person in range(people)]
    # Multipliers prime to the sizes: every debtor in turn, instants all over the week and never the same twice.
    asked = [
        (debtors[n * 1009 % people], MONDAY_US + n * 7_368_787 % (5 * DAY // SECOND) * SECOND) for n in range(2 * cases)
    ]

    def judge(dossier: Dossier, at_us: int) -> bool:
        return gate.judge(
            dossier, at_us=at_us, phone=dossier.phones[0], debts=(), actor="third_party", purpose="collection"
        ).allowed

    started = time.perf_counter()
    for dossier, at_us in asked[:cases]:
        judge(dossier, at_us)
    cold_s = time.perf_counter() - started
    times: dict[bool, list[int]] = {True: [], False: []}
    gc.collect()
    gc.disable()
    for dossier, at_us in asked[cases:]:
        before = time.thread_time_ns()
        allowed = judge(dossier, at_us)
        times[allowed].append(time.thread_time_ns() - before)
    gc.enable()
    warm = times[True] + times[False]
    warm.sort()
    return {
        "rules": gate.version,
        "contacts_a_debtor": round(sum(len(one.history) for one in debtors) / people, 1),
        "load_s": round(loaded_s, 4),
        "cold_verdicts_per_s": round(cases / cold_s),
        "verdicts_per_s": round(cases / (sum(warm) / 1e9)),
        "median_us": round(statistics.median(warm) / 1e3, 2),
        "p99_us": round(warm[len(warm) * 99 // 100] / 1e3, 2),
        "median_allowed_us": round(statistics.median(times[True]) / 1e3, 2),
        "median_denied_us": round(statistics.median(times[False]) / 1e3, 2),
        "share_allowed": round(len(times[True]) / cases, 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{Path(__file__).stem}", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--people", type=int, default=4_000)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.cases, arguments.people), indent=1))
