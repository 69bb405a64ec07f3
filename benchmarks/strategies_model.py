"""The arm `model` of `benchmarks.strategies`: months whose lists are made by champions that learned from other debtors.

The champions learn from one month of debtors of their own, half of whom were left alone by lot, as an agency's first
trial would have it and as `cadencia models fit` does. In the months tried, everybody who owes is scored anew each
morning that a list is made, as `cadencia models score` would, from nothing but what is on record by then. The fields of
a set of scores are made of it as `ledger.score_fields` makes them.
"""

import inspect
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.calls import Mode
from domain.forecasts import UNIT, WEEK
from domain.instants import midnight_us
from domain.people import Dossier
from domain.settings import CampaignSettings, FloorSettings
from models import lessons, scoring, worth
from models.cluster import code_of
from models.registry import Registry
from models.training import train
from simulation.books import Annals, export_month
from simulation.month import Arm, Plan
from simulation.roster import roster
from simulation.store import digest
from simulation.tape import Tape
from strategy.documents import Document, Limits, Segment, Step, Strategy, Treatment, Trial, attached
from strategy.fields import Numbers, Scores

Scored = Callable[[Sequence[Dossier], int], Scores]

#: Seed of the month that is learned from: none of those tried.
OTHERS: Final = 1_000_000
#: Heads that a list by what calls bring is made of.
HEADS: Final = ("reach", "right_party", "machine", "payment")
#: Left alone by lot while is learned: agents cannot call everybody anyway.
HELD_OUT: Final = 0.5
_BY_DAY: Final = (np.arange(WEEK) % 24 >= 9) & (np.arange(WEEK) % 24 < 21)


def learning_arm(tick_s: float) -> Arm:
    """Return the arm of the month that is learned from: everybody is called alike, but for half of them."""
    document = Document(
        name="learn",
        rank_by=("0 - calls_30d",),
        explore=0.0,
        limits=Limits(calls_per_day=1, calls_per_week=3),
        segments=(
            Segment(name="agreed", when="plans_open > 0 or promises_open > 0", treatment="rest"),
            Segment(name="everybody_else", when="true", treatment="call"),
        ),
        treatments={
            "rest": Treatment(steps=(Step(channel="none"),)),
            "call": Treatment(steps=(Step(channel="call", numbers="rotate"),)),
        },
        trial=Trial(holdout=HELD_OUT),
    )
    campaign = attached(CampaignSettings(name="c", mode=Mode.predictive), Strategy(document=document))
    return Arm(name="learn", floor=FloorSettings(campaigns=(campaign,), tick_s=tick_s))


def learn(folder: Path, world: str, debtors: int, hours: tuple[str, str], tick_s: float) -> None:
    """Simulate the month that is learned from, and make a champion of each head; what is there stays."""
    if not (folder / "recorded").exists():
        # One agent for a thousand whom he may call.
        agents = max(1, round(debtors * (1.0 - HELD_OUT) / 1_000))
        plan = Plan(
            world=world, debtors=debtors, start="2026-11-02", days=31,
            roster=roster(agents, begin=hours[0], end=hours[1]),
        )  # fmt: skip
        export_month(learning_arm(tick_s), plan, OTHERS, folder / "export")
        (folder / "recorded").touch()
    registry = Registry(folder / "registry")
    known = None
    for head in HEADS:
        if registry.stages(head).champion:
            continue
        known = known or lessons.read_record(folder / "export")
        lesson = lessons.lesson(known, head)
        found = None if lesson.trial is None else worth.of_trial(lesson.trial)
        made, _ = train(
            lessons.table_of(lesson), registry, made_at="", versions={}, worth=found, moments=lesson.moments
        )
        registry.promote(head, made.version, at="", by="benchmark", why="of a benchmark")


def versions(folder: Path) -> dict[str, str]:
    """Return what names the champions of a folder, and the code that asks them."""
    served = scoring.champions(Registry(folder / "registry"), HEADS)
    here = inspect.getsource(scores_of) + inspect.getsource(mornings)
    return {"models": code_of(("models",)), "scoring": digest(here.encode())} | served.versions


def scores_of(parts: Sequence[scoring.Part], version: str) -> Scores:
    """Return what the parts of a portfolio were scored, as lists read it."""
    people: list[NDArray[np.int64]] = []
    values: dict[str, list[NDArray[np.float64]]] = {"p_pay": [], "p_pay_uplift": [], "value_contact": []}
    persons, phones, answered, right, machines = [], [], [], [], []
    for part in parts:
        told, numbers = part.people, part.numbers
        assert told.p_pay is not None
        assert numbers.p_answered is not None
        assert numbers.p_right is not None
        assert numbers.p_machine is not None
        people.append(told.person)
        for name, of in (("p_pay", told.p_pay), ("p_pay_uplift", told.uplift["call"]),
                         ("value_contact", told.value_minor["call"])):  # fmt: skip
            values[name].append(of)
        persons.append(numbers.person)
        phones.append(numbers.phone)
        answered.append(numbers.p_answered)
        right.append(numbers.p_right)
        machines.append(numbers.p_machine)
    person, phone = np.concatenate(persons), np.concatenate(phones)
    machine = np.concatenate(machines).astype(np.float32)
    weeks = [np.concatenate(some).astype(np.float32) / np.float32(UNIT) for some in (answered, right)]

    def numbers_of(wanted: Sequence[int]) -> Numbers:
        of = np.isin(person, np.asarray(wanted, np.int64))
        return Numbers(person[of], phone[of], weeks[0][of], weeks[1][of], machine[of])

    ids = np.concatenate(people)
    fields = {name: np.concatenate(some) for name, some in values.items()}
    fields |= {name: _best(ids, person, week) for name, week in zip(("p_reach", "p_right"), weeks, strict=True)}
    fields["value_call"] = fields["value_contact"] * fields["p_right"]
    return Scores(ids, fields, version, numbers_of)


def _best(ids: NDArray[np.int64], person: NDArray[np.int64], week: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the chance on each person's best number, over the hours by day; NaN: no number is scored."""
    found = np.full(len(ids), -np.inf)
    place = np.searchsorted(ids, person)
    np.maximum.at(found, place, week[:, _BY_DAY].mean(axis=1).astype(np.float64))
    return np.where(np.isinf(found), np.nan, found)


@contextmanager
def mornings(plan: Plan, zone: str, folder: Path) -> Iterator[tuple[Tape, Scored]]:
    """Give a tape for a month, and what scores its people by the champions of a folder from what the tape took down."""
    served = scoring.champions(Registry(folder / "registry"), HEADS)
    version = ",".join(served.versions[head] for head in sorted(served.versions))
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch)
        with Annals(written, midnight_us(date.fromisoformat(plan.start), zone), parts=True) as annals:

            def scored(_people: Sequence[Dossier], at_us: int) -> Scores:
                annals.cut()
                return scores_of(list(scoring.scored(written, served, at_us, zone)), version)

            yield annals, scored
