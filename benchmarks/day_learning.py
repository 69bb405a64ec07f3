"""What planning the rest of a day anew is worth, by the truth of every call: same debtors and luck with and without.

    python -m benchmarks.day_learning --out FILE [--debtors 400] [--agents 1] [--days 2] [--replications 20]
        [--deviation 0.3] [--persistence 0.7] [--first 1]

Lists are planned by the hour by the world's own chances and values; hours swing by chance as a whole (`[swings]` of a
month), and how far and for how long is taken as known from earlier days. A call counts with the true
chance, at the instant at which it is dialled, that the debtor himself answers, and with that times what a conversation
with him is truly worth: luck of answers and payments is left out, that of swings is in. Each replication is a line of
FILE; lines of the same settings that stand there already are taken as they are. Prints one JSON object.
"""

import argparse
import json
from math import expm1
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from benchmarks.strategies import arm
from domain.orders import Originate
from simulation.circumstances import Swings
from simulation.month import Arm, Month, Plan
from simulation.roster import roster
from simulation.statistics import relative
from simulation.tape import Tape
from strategy.documents import attached, strategy_of
from strategy.learning import Habit

_SETTINGS = ("debtors", "agents", "days", "deviation", "persistence")
_COUNTED = ("value", "right_party", "attempts")


class Told(Month):
    """A month that adds up the truth of its calls."""

    value = right_party = 0.0
    attempts = 0

    def _dial(self, order: Originate) -> None:
        call = self.engine.state.calls[order.call_id]
        lead = self.engine.state.campaigns[call.campaign].leads[call.person]
        _, right = self.people.chance_now(call.phone, self._now)
        chance = right.get(call.person, 0.0)
        worth = 0.0 if lead.choice is None else lead.choice.value or 0.0
        self.attempts += 1
        self.right_party += chance
        self.value += chance * max(0.0, worth)
        super()._dial(order)


def arm_of(replans: bool) -> Arm:
    """Return the planned arm of `benchmarks.strategies` that knows the truth, planning anew within the day or not."""
    made = arm("oracle", 4.0)
    (campaign,) = made.floor.campaigns
    strategy = strategy_of(campaign)
    assert strategy is not None
    of = replace(strategy, document=replace(strategy.document, replan=replans))
    changed = attached(replace(campaign, document="", treatments={}), of)
    return replace(made, floor=replace(made.floor, campaigns=(changed,)))


def month(plan: Plan, seed: int, replans: bool, habit: Habit) -> Told:
    """Return a month that has been run."""
    made = Told(arm_of(replans), plan, seed, Tape(), habit=habit)
    made.month()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--debtors", type=int, default=400)
    parser.add_argument("--agents", type=int, default=1)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--deviation", type=float, default=0.3)
    parser.add_argument("--persistence", type=float, default=0.7)
    parser.add_argument("--replications", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="Seed of the first replication.")
    asked = parser.parse_args()
    settings = {name: getattr(asked, name) for name in _SETTINGS}
    plan = Plan(
        world="bank_early",
        debtors=asked.debtors,
        start="2027-02-01",
        days=asked.days,
        roster=roster(asked.agents, begin="11:00", end="20:00"),
        swings=Swings(deviation=asked.deviation, persistence=asked.persistence),
    )
    # A factor whose logarithm has this deviation has the variance exp(d²) - 1.
    habit = Habit(strength=1.0 / expm1(asked.deviation**2), kept=asked.persistence) if asked.deviation else Habit()
    rows = _kept(asked.out, settings)
    seeds = [seed for seed in range(asked.first, asked.first + asked.replications) if seed not in rows]
    for seed in seeds:
        row: dict[str, Any] = {**settings, "seed": seed}
        for name, replans in (("stands", False), ("anew", True)):
            made = month(plan, seed, replans, habit)
            row[name] = {key: getattr(made, key) for key in _COUNTED}
            row["lists"] = made.replans
        with asked.out.open("a") as out:
            out.write(json.dumps(row, default=float) + "\n")
        print(seed, flush=True)
    rows = _kept(asked.out, settings)
    print(json.dumps({**settings, **_summary([rows[seed] for seed in sorted(rows)])}, indent=2))


def _kept(path: Path, settings: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Return the replications of these settings on file, by seed."""
    if not path.exists():
        return {}
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["seed"]: row for row in rows if all(row[name] == value for name, value in settings.items())}


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "replications": len(rows),
        "lists_planned_anew_a_day": round(sum(row["lists"] for row in rows) / len(rows) / rows[0]["days"], 2),
    }
    for name in _COUNTED:
        before, after = (
            np.array([[row[which][name], 1.0] for row in rows], np.float64) for which in ("stands", "anew")
        )
        told[name] = round(float(before[:, 0].mean()), 1)
        if len(rows) > 1:
            gain = relative(before, after)
            told[f"{name}_gained"] = [round(float(one), 4) for one in (gain.value, gain.low, gain.high)]
    return told


if __name__ == "__main__":
    main()
