"""What models of reach give the pacing core: the same months with their forecasts and without, small teams.

    python -m benchmarks.reach_pacing [--agents 3,5,10] [--months 14] [--days 4] [--world W] [--detect] [--folder DIR]

Models of who answers and of machines (a machine takes an agent where it is not detected) learn from a month of other
debtors, as `cadencia models fit` would have it (kept in `--folder` like each month that was lived, so that an
interrupted run goes on). Then teams dial months of their own with the whole engine: every morning the models score the
numbers on the list from what is on record by then, and pacing is told each call's chance, or is not. Debtors, luck and
the order of the list are the same. Occupancy is talk and wrap-up ÷ those and waiting; the first day, which has no
record to go by, is left out. Prints one JSON object: points of occupancy gained with a 95 % interval over the months,
the calls' AUC, and the abandonment of both. With --detect machines are detected, and only people take agents.
"""

import argparse
import inspect
import json
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec.structs import replace

from domain.calls import AgentState, AnswerClass, Mode
from domain.events import AnyEvent, LeadsLoaded
from domain.facts import CallClassed
from domain.forecasts import UNIT
from domain.instants import midnight_us
from domain.orders import Reserve
from domain.settings import CampaignSettings, FloorSettings
from models import lessons, scoring
from models.cluster import code_of
from models.metrics import auc
from models.registry import Registry
from models.training import train
from simulation.books import Annals, export_month
from simulation.month import Arm, Month, Plan
from simulation.outcome import FLOW, Outcome
from simulation.roster import Roster, Shift, roster
from simulation.statistics import student
from simulation.store import ROOMS, Store, digest, key

START: Final = "2027-02-01"
#: Of the month from which the model learns: no team's.
_OTHERS: Final = 1_000_000
#: A machine takes an agent too, where it is not detected.
HEADS: Final = ("reach", "machine")
_BUSY: Final = {AgentState.talking, AgentState.wrapup}
_WAITS: Final = {AgentState.ready, AgentState.reserved}


def arm(*, detects: bool = False) -> Arm:
    campaign = CampaignSettings(
        name="a", mode=Mode.predictive, caller_ids={"*": ("+34910000000",)}, detect_machines=detects,
        clock_starts="greeting_end" if detects else "answer",
    )  # fmt: skip
    return Arm(name="a", floor=FloorSettings(campaigns=(campaign,)))


def learn(folder: Path, world: str, debtors: int, days: int) -> None:
    """Simulate the month that the models learn from, and make champions; those that are there stay."""
    registry = Registry(folder / "registry")
    missing = [head for head in HEADS if not registry.stages(head).champion]
    if not missing:
        return
    agents = max(2, debtors // 900)
    shifts = (
        Shift(agents=agents // 2, begin="08:00", end="15:00"),
        Shift(agents=agents // 2, begin="14:00", end="21:00"),
    )
    plan = Plan(world=world, debtors=debtors, start="2026-11-02", days=days, roster=Roster(shift=shifts, absence=0.0))
    export_month(arm(), plan, _OTHERS, folder / "export")
    record = lessons.read_record(folder / "export")
    for head in missing:
        lesson = lessons.lesson(record, head)
        made, _ = train(lessons.table_of(lesson), registry, made_at="", versions={}, moments=lesson.moments)
        registry.promote(head, made.version, at="", by="benchmark", why="of a benchmark")


class Foretold(Month):
    """A month whose leads bring what a model says of them, unless pacing is to do without."""

    def __init__(
        self, of: Arm, plan: Plan, seed: int, tape: Annals, folder: Path, served: scoring.Champions, told: bool
    ) -> None:
        super().__init__(of, plan, seed, tape)
        self._annals, self._folder, self._served, self._told = tape, folder, served, told
        self._reach: dict[int, tuple[tuple[int, bytes], ...]] = {}
        #: By call, the chance told; and those that took an agent.
        self.calls: dict[str, float] = {}
        self.answered: set[str] = set()

    def _load_lists(self, day: date) -> None:
        self._reach = self._forecasts(day) if self._day else {}
        # Everybody anew: a forecast is that of the day.
        for listed in self._listed.values():
            listed.clear()
        super()._load_lists(day)

    def _forecasts(self, day: date) -> dict[int, tuple[tuple[int, bytes], ...]]:
        self._annals.cut()
        (part,) = scoring.scored(self._folder, self._served, self._now, self._zone)
        numbers = part.numbers
        assert numbers.p_answered is not None
        assert numbers.p_machine is not None
        first = 24 * day.weekday()
        found: dict[int, list[tuple[int, bytes]]] = {}
        # As lists take them along: the hours of the day, and that a machine answers where no person does.
        machine = np.rint(numbers.p_machine * UNIT).astype(np.uint16)
        of_the_day = np.column_stack((numbers.p_answered[:, first : first + 24], machine)).astype("<u2")
        for person, phone, hours in zip(numbers.person.tolist(), numbers.phone.tolist(), of_the_day, strict=True):
            found.setdefault(person, []).append((phone, hours.tobytes()))
        return {person: tuple(phones) for person, phones in found.items()}

    def accept(self, event: AnyEvent) -> None:
        if isinstance(event, LeadsLoaded) and self._reach:
            leads = [replace(lead, reach=self._reach.get(lead.person, ())) for lead in event.leads]
            if self._told:
                event = replace(event, leads=tuple(leads), scores="reach")
        super().accept(event)

    def _reserved(self, order: Reserve) -> None:
        super()._reserved(order)
        if order.p_answer is not None:
            self.calls[order.call_id] = order.p_answer if order.p_taken is None else order.p_taken

    def _classed(self, fact: CallClassed) -> None:
        super()._classed(fact)
        if fact.answer_class is not AnswerClass.machine:
            self.answered.add(fact.call_id)


def lived(folder: Path, of: Arm, plan: Plan, seed: int, told: bool) -> dict[str, Any]:
    """Run one month, and return what counts of it."""
    served = scoring.champions(Registry(folder / "registry"), HEADS)
    start_us = midnight_us(date.fromisoformat(plan.start), of.floor.zone)
    with tempfile.TemporaryDirectory() as scratch:
        record = Path(scratch)
        with Annals(record, start_us, parts=True) as annals:
            month = Foretold(of, plan, seed, annals, record, served, told)
            outcome = month.month()
    p = np.array(list(month.calls.values()))
    y = np.array([call in month.answered for call in month.calls], np.float64)
    return _counted(outcome) | {"auc": auc(y, p) if told and 0 < y.sum() < y.size else None}


def _counted(outcome: Outcome) -> dict[str, float]:
    spent: Counter[str] = Counter()
    for work in outcome.work:
        if work.day:
            spent["busy"] += work.agent_ms if work.state in _BUSY else 0
            spent["waits"] += work.agent_ms if work.state in _WAITS else 0
    counts: Counter[str] = Counter()
    for flow in outcome.flows:
        if flow.day:
            counts.update(dict(zip(FLOW, flow.counts, strict=True)))
    return {
        "occupancy": spent["busy"] / (spent["busy"] + spent["waits"]),
        "people": counts["people"],
        "abandoned": counts["abandoned"],
        "attempts": counts["attempts"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", default="3,5,10")
    parser.add_argument("--months", type=int, default=14)
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--debtors", type=int, default=1500, help="for each agent of a team")
    parser.add_argument("--world", default="default")
    parser.add_argument("--detect", action="store_true", help="machines are detected")
    parser.add_argument("--learn", type=int, default=10_000, help="debtors of the month that the model learns from")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        learn(folder, asked.world, asked.learn, 12)
        print(json.dumps(_compare(folder, asked), indent=2))


def months(folder: Path, plan: Plan, asked: argparse.Namespace) -> list[list[dict[str, Any]]]:
    """Return the months without forecasts and those with them, by seed: those kept, and those lived now."""
    store, of = Store(folder / "months"), arm(detects=asked.detect)
    served = scoring.champions(Registry(folder / "registry"), HEADS)
    here = "".join(inspect.getsource(of) for of in (Foretold, lived, _counted))
    versions = served.versions | {"code": code_of((*ROOMS, "models")), "here": digest(here.encode())}
    cells = [
        [(key(of, plan, seed, versions | {"told": str(told)}), seed, told) for seed in range(1, asked.months + 1)]
        for told in (False, True)
    ]
    with ProcessPoolExecutor(asked.processes, mp_context=get_context("spawn")) as pool:
        # The two of a seed side by side: what an interrupted run leaves are whole pairs.
        missing = [cell for pair in zip(*cells, strict=True) for cell in pair if cell[0] not in store]
        jobs = {pool.submit(lived, folder, of, plan, seed, told): name for name, seed, told in missing}
        for done, job in enumerate(as_completed(jobs), 1):
            store.put(jobs[job], json.dumps(job.result()).encode())
            print(f"{plan.roster.shift[0].agents} agents: {done} of {len(jobs)}", file=sys.stderr, flush=True)
    return [[json.loads(store.get(name) or b"") for name, _, _ in some] for some in cells]


def _compare(folder: Path, asked: argparse.Namespace) -> list[dict[str, Any]]:
    found = []
    for agents in map(int, asked.agents.split(",")):
        plan = Plan(
            world=asked.world, debtors=agents * asked.debtors, start=START, days=asked.days, roster=roster(agents)
        )
        both = without, told = months(folder, plan, asked)
        gained = student(np.array([b["occupancy"] - a["occupancy"] for a, b in zip(without, told, strict=True)]))
        found.append(
            {
                "agents": agents,
                "points_of_occupancy": [round(100 * x, 2) for x in (gained.value, gained.low, gained.high)],
                "auc": round(float(np.mean([one["auc"] for one in told])), 4),
                "occupancy": [round(float(np.mean([one["occupancy"] for one in some])), 4) for some in both],
                "abandoned": [round(_sum(some, "abandoned") / _sum(some, "people"), 4) for some in both],
                "attempts": [_sum(some, "attempts") for some in both],
            }
        )
    return found


def _sum(some: list[dict[str, Any]], name: str) -> int:
    return sum(one[name] for one in some)


if __name__ == "__main__":
    main()
