"""What a plan of the week that knows what is left of it is worth: slots that are refused, calls, what they bring.

    python -m benchmarks.week_left [--debtors N] [--agents N] [--days N] [--seeds N]

A fortnight under law and one call a day, three in any seven days, planned each morning by the chances of the world
itself (`benchmarks.strategies`, arm `oracle`): by what is left of everybody's week, and as if whoever may be called had
a whole week's calls (`whole_weeks`), with the same debtors and luck. Of every morning's plan each debtor's calls are
made one after the other, unanswered, and gate and treatment asked of each: `refused` is told of slots and of value,
and what the calls that were made in the end were expected to bring. Prints one JSON object.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from msgspec.structs import replace

import strategy.planning
from benchmarks.strategies import WORLD, Told, arm
from dialer.engine.courtesy import rest
from domain.people import ContactEvent, Dossier, PastContact
from simulation.month import Plan
from simulation.roster import roster
from simulation.tape import Tape
from strategy.planning import Planned, Planner


class Watched(Planner):
    """A planner whose plans are looked at."""

    #: Whether everybody who may be called is planned for as if he had a week's calls left.
    whole_weeks = False
    figures: dict[str, float]

    def add(self, first: int, people: Sequence[Dossier]) -> None:
        super().add(first, people)
        self._people = [*getattr(self, "_people", ()), *people]

    def solve(self) -> Planned:
        if self.whole_weeks:
            self._left, self._after = np.where(self._left > 0, self._per_week, 0).astype(np.uint8), {}
        found = super().solve()
        row, place = np.nonzero(found.chosen >= 0)
        for person in np.unique(row).tolist():
            self._make(person, found.chosen[person][found.chosen[person] >= 0].tolist())
        self.figures["plans"] += 1
        self.figures["slots"] += len(row)
        self.figures["value"] += float(self.value[row, found.chosen[row, place]].sum())
        return found

    def _make(self, row: int, slots: list[int]) -> None:
        one, gate, asked = self._people[row], self._place.gate, self._campaign
        for slot in slots:
            at_us = max(int(self._hours[slot]), self._at_us)
            verdicts = [
                gate.judge(
                    one, at_us=at_us, phone=phone, debts=(), actor=asked.actor, purpose=asked.purpose,
                    live_agent_guaranteed=True,
                )
                for phone in one.phones
            ]  # fmt: skip
            if not any(of.allowed and rest(self._treatments[row], one, of, at_us) is None for of in verdicts):
                self.figures["refused"] += 1
                self.figures["refused_value"] += float(self.value[row, slot])
                continue
            line = PastContact(at_us=at_us, event=ContactEvent.no_answer, attempt="planned")
            one = replace(one, history=(*one.history, line))


def lived(asked: argparse.Namespace, seed: int, *, whole_weeks: bool) -> dict[str, float]:
    plan = Plan(
        world=str(WORLD), debtors=asked.debtors, start=date(2027, 2, 1).isoformat(), days=asked.days,
        roster=roster(asked.agents, begin="11:00", end="20:00"),
    )  # fmt: skip
    Watched.whole_weeks = whole_weeks
    Watched.figures = dict.fromkeys(("plans", "slots", "value", "refused", "refused_value"), 0.0)
    strategy.planning.Planner = Watched  # type: ignore[misc]
    month = Told(arm("oracle", 3.0), plan, seed, Tape())
    outcome = month.month()
    return Watched.figures | {
        "calls": float(outcome.total("attempts")),
        "expected": month.worth_minor / 100.0,
        "breaches": float(len(outcome.breaches)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=400)
    parser.add_argument("--agents", type=int, default=1)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seeds", type=int, default=4)
    asked = parser.parse_args()
    told: dict[str, Any] = dict(vars(asked))
    for name, whole_weeks in (("left", False), ("whole_weeks", True)):
        seeds = []
        for seed in range(1, asked.seeds + 1):
            seeds.append(lived(asked, seed, whole_weeks=whole_weeks))
            print(f"{name} {seed}: {seeds[-1]}", file=sys.stderr, flush=True)
        sums = {key: sum(one[key] for one in seeds) for key in seeds[0]}
        told[name] = {key: round(value, 2) for key, value in sums.items()} | {
            "refused_share": round(sums["refused"] / sums["slots"], 4),
            "refused_share_of_value": round(sums["refused_value"] / sums["value"], 4),
            "seeds_expected": [round(one["expected"], 2) for one in seeds],
        }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
