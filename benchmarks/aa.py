"""Trials of nothing: how often a difference is called where there is none, and as often as planned where there is one.

    python -m benchmarks.aa [--debtors N] [--agents N] [--days N] [--lots N] [--shares S …] [--metric M] [--runs N]
        [--run-debtors N] [--world W]

One simulated month under one document is recorded in a ledger and read as `cadencia experiment status` reads it. Its
debtors are then given arms by lot again and again, and each time all looks are taken: whatever is called is false.
With a difference added, as large as the plan says is seen with 80 % chance, and growing with the days as money does,
it should be called in 80 %. The same for whole days. Full runs simulate a month each, with two arms of one document;
`--lots 0` leaves the lots out.
Prints one JSON object.
"""

import argparse
import json
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np

from console.prices import prices_of
from domain.calls import Mode
from domain.instants import DAY, midnight_us
from domain.settings import CampaignSettings, FloorSettings
from ledger.experiments import Registered
from ledger.store import open_ledger
from ledger.trial_status import status
from ledger.trial_units import TOUCH_DAYS, Units, read_units, weekdays
from simulation.books import book_month
from simulation.circumstances import day_of
from simulation.month import Arm, Plan
from simulation.roster import roster
from simulation.statistics import ALPHA
from strategy import documents, evidence
from strategy.checking import examine_text
from strategy.lots import draw
from strategy.objectives import OBJECTIVES

START, ZONE = "2027-02-01", "UTC"
#: Unit, share of the second arm, whether a difference is added.
TRIED = (
    ("debtor", 0.5, False), ("debtor", 0.2, False), ("debtor", 0.1, False), ("pool_day", 0.5, False),
    ("debtor", 0.5, True), ("debtor", 0.2, True),
)  # fmt: skip
TWINS = (documents.Arm(name="champion", share=0.5), documents.Arm(name="twin", share=0.5))


def strategy() -> documents.Strategy:
    """Return the shipped gentle document, tried against itself."""
    text = (files("config") / "strategies" / "gentle.toml").read_text(encoding="utf-8")
    document, _ = examine_text(text, "gentle.toml")
    assert document is not None
    return documents.Strategy(
        document=msgspec.structs.replace(document, trial=documents.Trial(arms=TWINS)), challengers={}
    )


def recorded(asked: argparse.Namespace, debtors: int, days: int, seed: int) -> Units:
    """Return the units of one simulated month."""
    campaign = documents.attached(CampaignSettings(name="sample", mode=Mode.progressive), strategy())
    arm = Arm(name="twins", floor=FloorSettings(campaigns=(campaign,)))
    plan = Plan(world=asked.world, debtors=debtors, start=START, days=days, roster=roster(str(asked.agents)))
    start_us = begun()
    with (
        tempfile.TemporaryDirectory() as scratch,
        open_ledger(f"sqlite:///{Path(scratch) / 'ledger.db'}") as ledger,
    ):
        book_month(arm, plan, seed, ledger)
        with ledger.reading() as connection:
            to_us = start_us + (days + TOUCH_DAYS + 2) * DAY
            prices = prices_of(connection, None)
            return read_units(connection, "sample", ["champion", "twin"], start_us, to_us, ZONE, prices)


def begun() -> int:
    return midnight_us(day_of(START, "start"), ZONE)


def by_lot(units: Units, days: int, lots: int, share: float, unit: str, effect: bool, metric: str) -> dict[str, float]:
    """Return how often a difference is called, over lots."""
    looks, figure = evidence.schedule(days), OBJECTIVES[metric].figure
    if unit == "debtor":
        at = [units.figures(begun() + day * DAY)[figure] for day in looks]
        ready = [np.ones(len(units), bool)] * len(looks)
        covariates, entity = units.covariates, units.person
    else:
        told = [units.by_day(begun() + (day + TOUCH_DAYS + 2) * DAY) for day in looks]
        at = [figures[figure] for figures, _ in told]
        ready = [ripe & (units.list_us < begun() + day * DAY) for day, (_, ripe) in zip(looks, told, strict=True)]
        covariates, entity = weekdays(units, ZONE), np.arange(len(units.list_us))
    fractions = np.array(looks) / days
    shift = 0.0
    if effect:
        halves = draw("spread", entity) < 0.5
        found = evidence.contrast(at[-1], halves, covariates)
        deviation = found.error / float(np.sqrt(1.0 / halves.sum() + 1.0 / (~halves).sum()))
        shift = evidence.visible(deviation, len(entity), (1.0 - share, share), fractions, power=0.8, alpha=ALPHA)
    called, wide = 0, []
    for lot in range(lots):
        treated = draw(f"aa/{unit}/{lot}", entity) < share
        seen, kept = [], []
        for outcome, here, fraction in zip(at, ready, fractions, strict=True):
            if min((treated & here).sum(), (~treated & here).sum()) < evidence.LEAST_UNITS:
                continue
            moved = outcome + treated * shift * (fraction if unit == "debtor" else 1.0)
            seen.append(evidence.contrast(moved[here], treated[here], covariates[here]).among(here))
            kept.append(fraction)
        taken = evidence.looks(seen, np.array(kept), ALPHA, by_lots=unit == "debtor")
        called += any(look.difference.is_clear for look in taken)
        wide += [taken[-1].difference.high - taken[-1].difference.value] if taken else []
    return {
        "units": len(entity),
        "lots": lots,
        "called": called / lots,
        "error": float(np.sqrt(called / lots * (1 - called / lots) / lots)),
        "half_width": float(np.mean(wide)),
        "added": shift,
    }


def full_run(asked: argparse.Namespace, days: int, seed: int) -> str:
    """Return what a trial of one simulated month says."""
    tried, units = strategy(), recorded(asked, asked.run_debtors, days, seed)
    one = Registered(
        name="twins", campaign="sample", strategy=tried.word, document=msgspec.json.encode(tried).decode(),
        unit="debtor", metric=asked.metric, alpha=ALPHA, look_days=tuple(evidence.schedule(days)), mde=None,
        started_us=begun(), registered_us=begun(), asked_by="one", approved_by="another",
    )  # fmt: skip
    return status(one, units, begun() + days * DAY, ZONE).comparisons[0].says


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=1000)
    parser.add_argument("--agents", type=int, default=3)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--lots", type=int, default=1000)
    parser.add_argument("--shares", type=float, nargs="+", default=[], help="of nothing, by debtor, these alone")
    parser.add_argument("--metric", choices=sorted(OBJECTIVES), default="net_recovery")
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--run-debtors", type=int, default=300)
    parser.add_argument("--world", default="default")
    asked = parser.parse_args()
    began_s = time.monotonic()
    found = {}
    if asked.lots:
        units = recorded(asked, asked.debtors, asked.days, seed=1)
        for unit, share, effect in [("debtor", one, False) for one in asked.shares] or TRIED:
            words = f"{unit}, {100 * share:g} %, {'with the planned difference' if effect else 'of nothing'}"
            found[words] = by_lot(units, asked.days, asked.lots, share, unit, effect, asked.metric)
            print(words, json.dumps(found[words]), file=sys.stderr, flush=True)
    runs = []
    for seed in range(101, 101 + asked.runs):
        runs.append(full_run(asked, asked.days, seed))
        print(f"run {seed}: {runs[-1]}", file=sys.stderr, flush=True)
    told = {"by_lot": found, "full_runs": {one: runs.count(one) for one in sorted(set(runs))}}
    print(json.dumps(told | {"seconds": round(time.monotonic() - began_s, 1)}, indent=1))


if __name__ == "__main__":
    main()
