"""Off-policy value against known truth: how often intervals hold it, and whether it refuses when it should.

    python -m benchmarks.offpolicy [--seeds N] [--debtors N] [--re-drawn N] [--world W] [--out FOLDER]

On one day a simulated floor can call everybody on its list; money counts for three weeks. The day is run three times
for each seed, with the same debtors and luck: everybody is called, nobody is, and a document calls four fifths of them
by lots. The first two tell what each debtor brings either way, so that what any document is worth is known. Of the
third run's record what `cadencia ope` asks is asked, by the same code: what documents are worth that never ran. It is
one day, for of decisions one at a time alone is value spoken. Then logs of other sizes and shares are drawn from all
seeds' debtors, their lots drawn anew. Agents' time is not priced: what waiting costs is shared, and no decision's own.
Seeds that stand in FOLDER are not run again. Prints one JSON object.
"""

import argparse
import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from console.prices import prices_of
from domain.calls import Mode
from domain.instants import DAY, midnight_us
from domain.settings import CampaignSettings, FloorSettings
from ledger.past_decisions import ACTIONS, Log, log_of
from ledger.store import open_ledger
from simulation.books import book_month
from simulation.circumstances import day_of
from simulation.month import Arm, Plan
from simulation.roster import Roster, Shift
from strategy.checking import examine_text
from strategy.documents import Strategy, attached
from strategy.offpolicy import Worth, expected, worth

F8 = NDArray[np.float64]
Arrays = dict[str, F8]

START, ZONE, DAYS = "2027-02-01", "UTC", 21
TEXT = """
name = "{name}"
rank_by = ["balance_share"]
explore = {explore}
[limits]
calls_per_day = 1
[[segments]]
name = "chosen"
when = "{when}"
treatment = "call"
[[segments]]
name = "others"
when = "true"
treatment = "rest"
[treatments.call]
[[treatments.call.steps]]
channel = "call"
[treatments.rest]
[[treatments.rest.steps]]
channel = "none"
"""
ALL, NOBODY, LARGE = "true", "balance_share > 2", "balance_share >= 0.5"
NEW = {"large": LARGE, "nobody": NOBODY}
EXPLORED = 0.8
#: Debtors of a log and the share of its decisions that are drawn by lot.
REDRAWN = ((600, 0.8), (2400, 0.8), (2400, 0.2), (2400, 0.05))
KINDS = ("ips", "snips", "dr")


def strategy(name: str, when: str, explore: float = 0.0) -> Strategy:
    document, wrong = examine_text(TEXT.format(name=name, when=when, explore=explore), f"{name}.toml")
    assert document is not None, wrong
    return Strategy(document=document)


def logs(asked: argparse.Namespace, ran: Strategy, seed: int, new: list[Strategy]) -> list[Log]:
    """Return what the record of one day under a document holds for others."""
    campaign = attached(CampaignSettings(name=f"c{seed}", mode=Mode.progressive), ran)
    # Enough agents, for one day: nobody's call takes another's place, and nothing is decided later.
    shift = Shift(agents=max(4, asked.debtors // 20), days=("mon",), begin="15:00", end="18:00")
    later = tuple((day_of(START, "start") + timedelta(days=n)).isoformat() for n in range(1, DAYS + 1))
    roster = Roster(shift=(shift,), holidays=later, absence=0.0)
    plan = Plan(world=asked.world, debtors=asked.debtors, start=START, days=DAYS + 1, roster=roster)
    start_us = midnight_us(day_of(START, "start"), ZONE)
    with (
        tempfile.TemporaryDirectory() as scratch,
        open_ledger(f"sqlite:///{Path(scratch) / 'ledger.db'}") as ledger,
    ):
        book_month(Arm(name="ran", floor=FloorSettings(campaigns=(campaign,))), plan, seed, ledger)
        with ledger.reading() as connection:
            prices = msgspec.structs.replace(prices_of(connection, None), agent_hour=0.0)
            to_us = start_us + (DAYS + 1) * DAY
            return [
                log_of(
                    connection, campaign, one, {ran.word: ran}, days=DAYS, from_us=start_us, to_us=to_us, zone=ZONE,
                    prices=prices,
                )
                for one in new
            ]  # fmt: skip


def valued(log: Log) -> Worth:
    """Return what `cadencia ope` says of a log."""
    predicted = expected(log.reward, log.action, log.features, log.fold, len(ACTIONS))
    return worth(
        reward=log.reward, action=log.action, logged=log.logged, new=log.new, debtor=log.debtor, predicted=predicted
    )


def run(asked: argparse.Namespace, seed: int) -> Arrays:
    """Return what each debtor of a seed brings either way, and what was said of documents that never ran."""
    new = [strategy(name, when) for name, when in NEW.items()]
    called, alone, drawn = (
        logs(asked, strategy("ran", when, explore), seed, new)
        for when, explore in ((ALL, 0.0), (NOBODY, 0.0), (ALL, EXPLORED))
    )
    both, left, right = np.intersect1d(called[0].debtor, alone[0].debtor, return_indices=True)
    found = {
        "called": called[0].reward[left],
        "alone": alone[0].reward[right],
        "features": called[0].features[left],
        "unlike": np.array([len(one.debtor) - len(both) for one in (called[0], alone[0], drawn[0])], float),
        "left_out": np.array([one.differing + one.unknown for one in (called[0], alone[0], drawn[0])], float),
    }
    for name, log, of in zip(NEW, drawn, called, strict=True):
        told = valued(log)
        found[name] = of.new[left]
        figures = [(one.value, one.low, one.high) if one else (np.nan,) * 3 for one in (told.ips, told.snips, told.dr)]
        found[f"{name} said"] = np.array([*figures, (told.had.value, told.ess, told.support)])
    blind = logs(asked, strategy("ran", ALL), seed, [strategy("nobody", NOBODY)])[0] if seed <= asked.blind else None
    found["refused"] = np.array([bool(valued(blind).refused)] if blind else [], float)
    return found


def re_drawn(pool: Arrays, name: str, truth: float, debtors: int, explored: float, n: int) -> dict[str, Any]:
    """Return how often the truth is held by what is said of logs drawn from all debtors."""
    chance = np.random.default_rng(20_261_130)
    inside, said, wide = dict.fromkeys(KINDS, 0), 0, dict.fromkeys(KINDS, 0.0)
    p_call = 1.0 - explored / 2.0
    for _ in range(n):
        who = chance.integers(0, len(pool["called"]), debtors)
        action = (chance.random(debtors) < p_call).astype(np.int64)
        log = Log(
            reward=np.where(action == 1, pool["called"][who], pool["alone"][who]),
            action=action,
            logged=np.tile([1.0 - p_call, p_call], (debtors, 1)),
            new=pool[name][who],
            debtor=np.arange(debtors),
            features=pool["features"][who],
            fold=np.arange(debtors) % 4,
            by={"ran": debtors},
            held_out=0,
            unknown=0,
            differing=0,
        )
        told = valued(log)
        said += not told.refused
        for kind in KINDS:
            if (one := getattr(told, kind)) is not None:
                inside[kind] += one.low <= truth <= one.high
                wide[kind] += one.high - one.low
    return {
        "logs": n,
        "refused": round(1.0 - said / n, 4),
        "held": {kind: round(inside[kind] / said, 4) for kind in KINDS} if said else {},
        "width": {kind: round(wide[kind] / said, 1) for kind in KINDS} if said else {},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--debtors", type=int, default=600)
    parser.add_argument("--blind", type=int, default=5, help="seeds whose record never explored")
    parser.add_argument("--re-drawn", type=int, default=1000)
    parser.add_argument("--world", default="default")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        seeds = []
        for seed in range(1, asked.seeds + 1):
            file = folder / f"{seed}.npz"
            if not file.exists():
                found = run(asked, seed)
                with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
                    np.savez(part, **found)  # type: ignore[arg-type]
                Path(part.name).rename(file)
                print(f"seed {seed}", file=sys.stderr, flush=True)
            with np.load(file) as kept:
                seeds.append(dict(kept))
    shared = ("called", "alone", "features", *NEW)
    pool = {name: np.concatenate([one[name] for one in seeds]) for name in shared}
    told: dict[str, Any] = {
        "seeds": len(seeds),
        "debtors": len(pool["called"]),
        "a_call_brings": round(float((pool["called"] - pool["alone"]).mean()), 2),
        "unlike": int(sum(one["unlike"].sum() for one in seeds)),
        "left_out": int(sum(one["left_out"].sum() for one in seeds)),
        "never_explored": {
            "logs": sum(len(one["refused"]) for one in seeds),
            "refused": int(sum(one["refused"].sum() for one in seeds)),
        },
    }
    for name in NEW:
        truth = float((pool[name][:, 1] * pool["called"] + pool[name][:, 0] * pool["alone"]).mean())
        said = np.stack([one[f"{name} said"] for one in seeds])
        clear = ~np.isnan(said[:, 0, 0])
        held = {
            kind: round(float(((said[:, n, 1] <= truth) & (truth <= said[:, n, 2]))[clear].mean()), 4)
            for n, kind in enumerate(KINDS)
        }
        told[name] = {
            "truth": round(truth, 2),
            "ran": {"logs": len(seeds), "refused": int((~clear).sum()), "held": held},
            "re_drawn": {
                f"{debtors} debtors, {100 * explored:g} % by lot": re_drawn(
                    pool, name, truth, debtors, explored, asked.re_drawn
                )
                for debtors, explored in REDRAWN
            },
        }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
