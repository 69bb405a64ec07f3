"""What the morning's plan of a large list takes, step by step: people read, hours weighed, places assigned.

    python -m benchmarks.week_plan [--people N] [--profile]

Debtors of a mixed portfolio (`benchmarks.debtors`), two thirds of them with a history, stand in an SQLite ledger of
their own. The list is made by a document with `plan = "slots"` and planned as the ledger plans it, without scores, and
with chances by hour for every number as a model gives them. Processor seconds; prints one JSON object.
"""

import argparse
import cProfile
import json
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.debtors import debtor
from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.calls import Mode
from domain.forecasts import WEEK
from domain.instants import HOUR, parse
from domain.people import Dossier
from domain.settings import CampaignSettings
from ledger.people import dossiers, enroll
from ledger.plans import CHUNK
from ledger.store import SqlLedger, open_ledger
from ledger.strategic import list_of
from strategy.checking import examine_text
from strategy.documents import Strategy, attached
from strategy.fields import Numbers, Scores
from strategy.planning import NO_PACE, Planner, Workplace, called_of

AT_US, ZONE = parse("2026-11-16T08:00:00+01:00"), "Europe/Madrid"
TEXT = """
name = "hours"
plan = "slots"
rank_by = ["value_contact", "balance"]
explore = 0.0
[limits]
calls_per_day = 1
calls_per_week = 3
[day_parts]
day = "10:00-20:30"
[[segments]]
name = "everybody"
when = "true"
treatment = "call"
[treatments.call]
[[treatments.call.steps]]
channel = "call"
day_parts = ["day"]
"""


def campaign() -> CampaignSettings:
    document, wrong = examine_text(TEXT, "hours.toml")
    assert document is not None, wrong
    return attached(CampaignSettings(name="c", mode=Mode.predictive), Strategy(document=document))


def scores(people: Sequence[Dossier]) -> Scores:
    """Return what a model might say of everybody and every number: chances by a few hundred curves of the week."""
    chance = np.random.default_rng(1)
    curves = chance.uniform(0.02, 0.4, (500, WEEK)).astype(np.float32)
    phones = {one.person: [phone.phone for phone in one.phones] for one in people}

    def numbers(ids: Sequence[int]) -> Numbers:
        pairs = np.array([(one, phone) for one in ids for phone in phones[one]], np.int64)
        answered = curves[pairs[:, 1] % 500]
        no_machine = np.full(len(pairs), np.nan, np.float32)
        return Numbers(pairs[:, 0], pairs[:, 1], answered, answered * np.float32(0.6), no_machine)

    ids = np.array(sorted(phones), np.int64)
    return Scores(ids, {"value_contact": chance.lognormal(8.0, 1.5, len(ids))}, "m", numbers)


def planned(ledger: SqlLedger, people: list[Dossier], told: Scores | None) -> dict[str, float]:
    """Return what each step took, in processor seconds."""
    asked, steps = campaign(), dict[str, float]()
    began_s = time.process_time()

    def step(name: str) -> None:
        nonlocal began_s
        steps[name] = steps.get(name, 0.0) + time.process_time() - began_s
        began_s = time.process_time()

    with ledger.reading() as connection:
        listing = list_of(connection, asked, AT_US, ZONE, told).listing
    step("list_decided")
    agents = len(people) / 300
    place = Workplace(Gate.load(SHIPPED), ZONE, 8, 12, lambda at_us: agents)
    rows = np.flatnonzero(listing.called)
    strategy = listing.strategy
    called = called_of(asked, listing, rows)
    planner = Planner(place, asked, strategy.document, called, AT_US, told, NO_PACE)
    step("planner_made")
    at = {one.person: one for one in people}
    for first in range(0, len(rows), CHUNK):
        ids = listing.person[rows[first : first + CHUNK]].tolist()
        with ledger.reading() as connection:
            dossiers(connection, ids, AT_US)
        step("people_read")
        some = [at[one] for one in ids]
        planner.add(first, some)
        step("hours_weighed")
    found = planner.solve()
    step("solved")
    figures = {name: round(seconds, 1) for name, seconds in steps.items()}
    return figures | {
        "together": round(sum(steps.values()), 1),
        "planned_share": round(found.plan.planned / len(people), 3),
        "gap_percent": round(100 * found.plan.gap, 5),
    }


def measured(n: int, profile: cProfile.Profile | None) -> dict[str, dict[str, float]]:
    people = [debtor(one, AT_US) for one in range(1, n + 1)]
    with tempfile.TemporaryDirectory() as folder, open_ledger(f"sqlite:///{folder}/ledger.db") as ledger:
        for first in range(0, n, 5000):
            with ledger.writing() as connection:
                enroll(connection, people[first : first + 5000], {}, AT_US - HOUR)
        told = {"without_scores": planned(ledger, people, None)}
        if profile is not None:
            profile.enable()
        told["with_scores"] = planned(ledger, people, scores(people))
        if profile is not None:
            profile.disable()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--profile", action="store_true", help="tell where the time goes, on the standard error")
    asked = parser.parse_args()
    measured(300, None)  # What is compiled is compiled before.
    profile = cProfile.Profile() if asked.profile else None
    told: dict[str, Any] = {"people": asked.people} | measured(asked.people, profile)
    if profile is not None:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
    told["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
