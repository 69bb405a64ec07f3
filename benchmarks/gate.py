"""How many verdicts a second, and how long one takes, with the history in memory.

    python -m benchmarks.gate [--cases 20000]

A fixed population of debtors in ES, CO and US with none to a dozen past contacts is judged at instants spread over a
working week: cold (every place, plan and day for the first time) and warm (as in a running campaign).
"""

import argparse
import json
import statistics
import time
from pathlib import Path

from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.instants import DAY, HOUR, MINUTE, parse
from domain.people import CapKey, ContactEvent, Debt, Dossier, PastContact, Phone

_EVENTS = (
    ContactEvent.no_answer,
    ContactEvent.busy,
    ContactEvent.amd_machine,
    ContactEvent.no_answer,
    ContactEvent.third_party,
    ContactEvent.no_answer,
    ContactEvent.abandoned,
)
_PLACES: tuple[tuple[str, str | None, tuple[str, ...], str, bool, tuple[str, ...]], ...] = (
    ("ES", "MD", ("Europe/Madrid",), "mobile", False, ("Atlantic/Canary", "Europe/Madrid")),
    ("ES", "CN", ("Atlantic/Canary",), "fixed", True, ("Atlantic/Canary",)),
    ("CO", None, ("America/Bogota",), "mobile", False, ("America/Bogota",)),
    ("US", "CA", ("America/Los_Angeles",), "fixed_or_mobile", True, ("America/Los_Angeles",)),
    ("US", "MA", ("America/New_York",), "fixed_or_mobile", True, ("America/Chicago",)),
    ("US", "TX", (), "fixed_or_mobile", True, ("America/Chicago", "America/Denver")),
    ("US", None, (), "toll_free", False, ()),
)


def population(people: int, at_us: int) -> list[Dossier]:
    """Return debtors whose places and histories follow from their numbers alone."""
    found = []
    for person in range(people):
        country, region, address, line_type, geographic, zones = _PLACES[person % len(_PLACES)]
        history = tuple(
            PastContact(
                at_us=at_us - (n + 1) * 31 * HOUR - person * MINUTE,
                event=_EVENTS[(person + n) % len(_EVENTS)],
                phone=person,
                creditor=1,
                debts=(person,),
                attempt=f"floor-{person}-{n}",
            )
            for n in reversed(range(person * 7 % 13))
        )
        found.append(
            Dossier(
                person=person,
                keys=(CapKey(f"person:{person}", 0),),
                country=country,
                region=region,
                address_zones=address,
                debts=(Debt(debt=person, creditor=1, balance_minor=10_000, currency="EUR"),),
                phones=(Phone(phone=person, country=country, line_type=line_type, geographic=geographic, zones=zones),),
                history=history,
            )
        )
    return found


def measure(cases: int) -> dict[str, float | str]:
    """Return seconds to load, verdicts a second and microseconds for one verdict."""
    started = time.perf_counter()
    gate = Gate.load(SHIPPED)
    loaded_s = time.perf_counter() - started
    monday = parse("2026-11-16T00:00:00+00:00")
    people = population(1400, monday)
    asked = [(people[n * 17 % len(people)], monday + n * 7919 * MINUTE % (5 * DAY)) for n in range(cases)]

    def judge(dossier: Dossier, at_us: int) -> bool:
        return gate.judge(
            dossier,
            at_us=at_us,
            phone=dossier.phones[0],
            debts=(dossier.person,),
            actor="third_party",
            purpose="collection",
        ).allowed

    started = time.perf_counter()
    for dossier, at_us in asked:
        judge(dossier, at_us)
    cold_s = time.perf_counter() - started
    times: dict[bool, list[int]] = {True: [], False: []}
    for dossier, at_us in asked:
        before = time.perf_counter_ns()
        allowed = judge(dossier, at_us)
        times[allowed].append(time.perf_counter_ns() - before)
    warm = times[True] + times[False]
    warm.sort()
    return {
        "rules": gate.version,
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
    print(json.dumps(measure(parser.parse_args().cases), indent=1))
