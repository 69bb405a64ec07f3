"""What strategies are worth on the same debtors with the same agents: net recovery, calls per euro, contacts an hour.

    python -m benchmarks.strategies --out DIR [--debtors 10000] [--agents 10] [--days 30] [--replications 30]

Arms, alike in segments and limits (nobody is called who has agreed, one call a day, three a week): `balance`, `ageing`,
`random` (ids, which tell nothing), `best_time` (true hours, everybody worth the same), `model` (champions that learned
from other debtors tell hours and what a conversation adds; `benchmarks.strategies_model`), `value` (the true value of a
conversation ranks), `oracle` (the same, planned by the true hours: what no model can exceed by much). True scores are
the world's own (`simulation.truths`). Most money comes whether or not anybody calls: what the same debtors pay by
themselves is told too (`alone`), and net recovery beyond it (`added`). Luck of a few large debts is most of the
difference between two arms; so the truth is asked of each call what was to be expected of it: `expected`, the sum of
P(the debtor answers) × what a conversation adds within 30 days, and `expected_rpc`.

Models learn once, from a month of --learn debtors of their own, and are kept in DIR/learned. Cells are kept in DIR: an
interrupted run goes on. With --rows FILE each cell's figures are kept in a line of it as well, and what stands there is
not computed again: a run goes on elsewhere, by the same code. With --follow, agents work for the first days alone and
payments of so many more days count. Prints one JSON object.
"""

import argparse
import inspect
import json
import math
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from benchmarks import strategies_model
from domain.calls import Mode
from domain.instants import midnight_us
from domain.orders import Originate
from domain.settings import CampaignSettings, FloorSettings
from models.cluster import code_of
from simulation.chance import Chance
from simulation.measures import BY_NAME, Costs, parts, read_costs, tally
from simulation.month import Arm, Month, Plan
from simulation.outcome import Outcome
from simulation.population import Debtors, Paid, load, portfolio
from simulation.roster import roster
from simulation.statistics import relative
from simulation.store import ROOMS, Store, digest, key
from simulation.tape import Tape
from simulation.truths import HORIZON_DAYS
from strategy.documents import Document, Limits, Segment, Step, Strategy, Treatment, attached

#: By arm: what ranks, whether hours are planned, and whose scores: nobody's, the world's, or the champions'.
ARMS: Final = {
    "balance": (("balance",), False, ""),
    "ageing": (("days_past_due",), False, ""),
    "random": (("p_self_cure",), False, ""),
    "best_time": (("n_phones * 0 + 1",), True, "truth"),
    # Whatever the trial showed: what no one has shown is no number, and the next one ranks.
    "model": (("value_contact", "balance"), True, "model"),
    "value": (("value_contact",), False, "truth"),
    "oracle": (("value_contact",), True, "truth"),
}
WORLD: Final = Path(__file__).with_suffix(".toml")
METRICS: Final = ("net_recovery", "collected", "cost", "attempts", "right_party", "rpc_per_agent_hour", "promises",
                  "abandon_rate", "occupancy", "complaints")  # fmt: skip
#: Told against the first arm, with an interval.
GAINS: Final = (
    "net_recovery", "added", "expected", "expected_rpc", "attempts", "right_party", "rpc_per_agent_hour",
    "rpc_per_call", "calls_per_collected",
)  # fmt: skip


def arm(name: str, tick_s: float) -> Arm:
    """Return an arm by its name."""
    rank_by, plans, scored = ARMS[name]
    call = Treatment(steps=(Step(channel="call", numbers="last_reached_first"),))
    document = Document(
        name=name,
        rank_by=rank_by,
        plan="slots" if plans else "",
        explore=0.0,
        limits=Limits(calls_per_day=1, calls_per_week=3),
        segments=(
            Segment(name="agreed", when="plans_open > 0 or promises_open > 0", treatment="rest"),
            Segment(name="everybody_else", when="true", treatment="call"),
        ),
        treatments={"rest": Treatment(steps=(Step(channel="none"),)), "call": call},
    )
    campaign = attached(CampaignSettings(name="c", mode=Mode.predictive), Strategy(document=document))
    floor = FloorSettings(campaigns=(campaign,), tick_s=tick_s)
    return Arm(name=name, floor=floor, scores="truth" if scored == "truth" else "")


class Lived(msgspec.Struct, frozen=True, kw_only=True):
    """A month, and what the truth says of its calls."""

    outcome: Outcome
    #: Sum over all calls of the chance that the debtor answers; the same times what a conversation adds, minor units.
    conversations: float
    worth_minor: float


class Told(Month):
    """A month that asks the truth of each call what was to be expected of it: luck is much larger than most effects."""

    conversations, worth_minor = 0.0, 0.0

    def _load_lists(self, day: date) -> None:
        known = [self._as_it_stands(one.person) for one in self.portfolio]
        paid = self.people.responses(known, self._now, HORIZON_DAYS, ("", "call")).paid_minor
        self._adds = dict(zip([one.person for one in known], (paid[:, 1] - paid[:, 0]).tolist(), strict=True))
        super()._load_lists(day)

    def _dial(self, order: Originate) -> None:
        call = self.engine.state.calls[order.call_id]
        p_right = self.people.chance_now(order.phone, self._now)[1].get(call.person, 0.0)
        self.conversations += p_right
        self.worth_minor += p_right * self._adds[call.person]
        super()._dial(order)


def cell(name: str, plan: Plan, seed: int, tick_s: float, learned: Path) -> bytes:
    """Run one arm with the luck of one seed."""
    of = arm(name, tick_s)
    if ARMS[name][2] == "model":
        with strategies_model.mornings(plan, of.floor.zone, learned) as (tape, scored):
            month = Told(of, plan, seed, tape, scores=scored)
            outcome = month.month()
    else:
        month = Told(of, plan, seed, Tape())
        outcome = month.month()
    found = Lived(outcome=outcome, conversations=month.conversations, worth_minor=month.worth_minor)
    return msgspec.msgpack.encode(found, order="deterministic")


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of an arm under the luck of one seed."""

    key: str
    arm: str
    seed: int
    currency: str
    #: By metric, what is divided by what.
    sums: dict[str, tuple[float, float]]
    #: As `Lived`, money in major units; and what the same debtors pay when nobody calls them.
    conversations: float
    expected: float
    alone: float
    breaches: int


class Rows:
    """The cells of a file, in lines; without a file those of this run."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        told = path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else []
        cells = [msgspec.json.decode(line, type=Cell) for line in told]
        self.by_key = {cell.key: cell for cell in cells}

    def add(self, cell: Cell) -> None:
        self.by_key[cell.key] = cell
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(cell, order="deterministic") + b"\n")


def summed(name: str, seed: int, of: str, one: Lived, currency: str, alone: float, costs: Costs) -> Cell:
    """Return the figures of a month."""
    sums = tally(one.outcome, costs, currency)
    return Cell(
        key=of,
        arm=name,
        seed=seed,
        currency=currency,
        sums={metric: tuple(parts(BY_NAME[metric], [sums])[0].tolist()) for metric in METRICS},
        conversations=one.conversations,
        expected=one.worth_minor * costs.worth(currency, currency),
        alone=alone,
        breaches=len(one.outcome.breaches),
    )


def lived(asked: argparse.Namespace, plan: Plan, learned: Path, costs: Costs) -> list[list[Cell]]:
    """Return the months of each arm, those kept and those computed now."""
    store, rows, seeds = Store(asked.out), Rows(asked.rows), range(1, asked.replications + 1)
    code = {"code": code_of(ROOMS), "told": digest(inspect.getsource(Told).encode())}
    versions = dict.fromkeys(asked.arms, code)
    if "model" in versions:
        versions["model"] = code | strategies_model.versions(learned)
    keys = {
        (name, seed): key(arm(name, asked.tick_s), plan, seed, versions[name]) for seed in seeds for name in asked.arms
    }
    missing = [of for of, name in keys.items() if name not in rows.by_key and name not in store]
    with ProcessPoolExecutor(asked.processes, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(cell, name, plan, seed, asked.tick_s, learned): (name, seed) for name, seed in missing}
        for done, job in enumerate(as_completed(jobs), 1):
            store.put(keys[jobs[job]], job.result())
            print(f"{done} of {len(jobs)}: {' '.join(map(str, jobs[job]))}", file=sys.stderr, flush=True)
    by_themselves: dict[int, float] = {}
    for (name, seed), of in keys.items():
        if of in rows.by_key:
            continue
        one = msgspec.msgpack.decode(store.get(of) or b"", type=Lived)
        currency = costs.currency_of([one.outcome])
        if seed not in by_themselves:
            zone = arm(name, asked.tick_s).floor.zone
            by_themselves[seed] = alone(plan, seed, zone, costs, currency)
        rows.add(summed(name, seed, of, one, currency, by_themselves[seed], costs))
    return [[rows.by_key[keys[name, seed]] for seed in seeds] for name in asked.arms]


def alone(plan: Plan, seed: int, zone: str, costs: Costs, currency: str) -> float:
    """Return what the debtors of a plan pay when nobody calls them, in major units."""
    laws, first = load(plan.world), date.fromisoformat(plan.start)
    start_us, end_us = (midnight_us(first + timedelta(days=days), zone) for days in (0, plan.days))
    debtors = Debtors(laws, Chance(seed), start_us=start_us)
    debtors.meet(portfolio(laws, plan.debtors, seed, start_us))
    deeds = debtors.pass_time(start_us, end_us)
    return sum(one.amount_minor * costs.worth(one.currency, currency) for one in deeds if isinstance(one, Paid))


def told(asked: argparse.Namespace, months: list[list[Cell]]) -> dict[str, object]:
    """Return the figures of each arm, and what it gains on the first."""
    found: dict[str, object] = {name: value for name, value in vars(asked).items() if name not in ("out", "rows")}
    by_themselves = np.array([one.alone for one in months[0]])
    (currency,) = {one.currency for some in months for one in some}
    found |= {"world": Path(asked.world).name, "currency": currency, "alone": round(float(by_themselves.mean()), 2)}
    first: dict[str, NDArray[np.float64]] = {}
    for name, some in zip(asked.arms, months, strict=True):
        one_each = np.ones(len(some))
        sums = {metric: np.array([one.sums[metric] for one in some]) for metric in METRICS}
        sums["added"] = np.column_stack((sums["net_recovery"][:, 0] - by_themselves, one_each))
        sums["expected"] = np.column_stack(([one.expected for one in some], one_each))
        sums["expected_rpc"] = np.column_stack(([one.conversations for one in some], one_each))
        sums["calls_per_added"] = np.column_stack((sums["attempts"][:, 0], sums["added"][:, 0]))
        sums["calls_per_collected"] = np.column_stack((sums["attempts"][:, 0], sums["collected"][:, 0]))
        sums["rpc_per_call"] = np.column_stack((sums["right_party"][:, 0], sums["attempts"][:, 0]))
        figures: dict[str, object] = {of: round(float(n[:, 0].sum() / n[:, 1].sum()), 5) for of, n in sums.items()}
        if not first:
            first = sums
        elif len(some) > 1:
            for metric in GAINS:
                gain = relative(first[metric], sums[metric])
                bounds = [round(x, 4) if math.isfinite(x) else None for x in (gain.value, gain.low, gain.high)]
                figures[f"{metric}_against_{asked.arms[0]}"] = bounds
        figures["breaches"] = sum(one.breaches for one in some)
        found[name] = figures
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=Path, help="file of figures, a line by cell")
    parser.add_argument("--world", default=str(WORLD))
    parser.add_argument("--debtors", type=int, default=10_000)
    parser.add_argument("--agents", type=int, default=10)
    parser.add_argument("--hours", nargs=2, default=("11:00", "20:00"))
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--follow", type=int, default=0)
    parser.add_argument("--replications", type=int, default=30)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--tick-s", type=float, default=3.0)
    parser.add_argument("--learn", type=int, default=12_000, help="debtors of the month that models learn from")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    asked = parser.parse_args()
    start = date(2027, 2, 1)
    off = tuple((start + timedelta(days=asked.days + n)).isoformat() for n in range(asked.follow))
    plan = Plan(
        world=asked.world,
        debtors=asked.debtors,
        start=start.isoformat(),
        days=asked.days + asked.follow,
        roster=replace(roster(asked.agents, begin=asked.hours[0], end=asked.hours[1]), holidays=off),
    )
    learned = asked.out / "learned"
    if "model" in asked.arms:
        strategies_model.learn(learned, asked.world, asked.learn, asked.hours, asked.tick_s)
    print(json.dumps(told(asked, lived(asked, plan, learned, read_costs())), indent=2))


if __name__ == "__main__":
    main()
