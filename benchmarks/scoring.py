"""How long it takes to score everybody who owes, for every hour of a week, and to write it into a ledger.

    python -m benchmarks.scoring [--parts 4] [--learn 2500] [--folder DIR]

Debtors of a randomised trial (10,000 a part) are written as an export (kept in `--folder`, and used again); models of
all heads learn from a smaller trial and are made champions whatever the gate says of so short a record. Prints one JSON
object: processor seconds, the clock, memory, and how long transactions held an SQLite ledger.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from sqlalchemy import Connection

from domain.errors import BadInput
from domain.forecasts import WEEK
from domain.instants import DAY, parse
from ledger import scores
from ledger.scores import PersonScore, PhoneScore
from ledger.store import SqlLedger, open_ledger
from models import lessons, scoring, worth
from models.heads import HEADS
from models.lessons import read_record
from models.registry import Registry
from models.training import train
from simulation.population import load
from simulation.trial import PART, Drawn, Plan, draw

pa: Any = pyarrow
pq: Any = pyarrow.parquet
START_US = parse("2026-03-02T17:00:00Z")
PLAN = Plan(past_days=15, spread_days=30, horizon_days=12, calls_per_week=1.5)
ZONE = "Europe/Madrid"


def write(folder: Path, parts: int, n: int) -> None:
    """Write the export of a trial, with whom the lot fell on."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [draw(load("default"), PLAN, 1, START_US, part, n) for part in range(parts)]
    for name in drawn[0].tables:
        pq.write_table(pa.concat_tables([one.tables[name] for one in drawn]), folder / f"{name}.parquet")
    pq.write_table(pa.concat_tables([decisions_of(one, PLAN) for one in drawn]), folder / "decisions.parquet")


def decisions_of(drawn: Drawn, plan: Plan) -> Any:
    """Return the table `decisions` of an export: whom the lot of a trial fell on."""
    instant = pa.timestamp("us", tz="UTC")
    words = np.array(drawn.actions, object)[drawn.action]
    chances = [list(plan.actions.items())] * len(drawn.person)
    return pa.table(
        {
            "person": drawn.person, "decided_at": pa.array(drawn.at_us, instant),
            "known_at": pa.array(drawn.at_us, instant), "action": pa.array(words, pa.string()),
            "p_action": pa.array(chances, pa.map_(pa.string(), pa.float64())),
            "arm": pa.array(["trial"] * len(drawn.person), pa.string()),
        }
    )  # fmt: skip


def _rows(part: scoring.Part) -> Iterator[PersonScore]:
    """Yield the people of a part with the weeks of their numbers."""
    numbers, people = part
    assert numbers.p_answered is not None
    assert numbers.p_right is not None
    at = 0
    for person in people.person.tolist():
        phones = []
        while at < len(numbers.person) and numbers.person[at] == person:
            weeks = numbers.p_answered[at].tobytes(), numbers.p_right[at].tobytes()
            one = PhoneScore(
                phone=int(numbers.phone[at]), p_answered=weeks[0], p_right=weeks[1], p_valid=0.9, p_machine=0.4
            )
            phones.append(one)
            at += 1
        value = {"call": 100}
        yield PersonScore(person=person, p_pay=0.1, value_minor=value, currency="EUR", phones=tuple(phones))


class Watched:
    """A ledger whose writers are timed."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger = ledger
        self.held_ms: list[float] = []

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self._ledger.writing() as connection:
            began_s = time.monotonic()
            yield connection
        self.held_ms.append(1000.0 * (time.monotonic() - began_s))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


def measure(folder: Path, parts: int, learn: int) -> dict[str, Any]:
    """Fit, score and write; return the figures."""
    everybody, few, trained = folder / f"export-{parts}", folder / f"few-{learn}", folder / f"trained-{learn}"
    for where, of in ((everybody, (parts, PART)), (few, (1, learn))):
        if not (where / "decisions.parquet").exists():
            write(where, *of)
    registry = Registry(trained)
    if not registry.names():
        record = read_record(few)
        for head in HEADS:
            # So short a record teaches not all of them.
            with suppress(BadInput):
                lesson = lessons.lesson(record, head)
                found_worth = None if lesson.trial is None else worth.of_trial(lesson.trial)
                made, _ = train(
                    lessons.table_of(lesson), registry, made_at="", versions={}, worth=found_worth,
                    moments=lesson.moments,
                )  # fmt: skip
                registry.promote(head, made.version, at="", by="", why="a benchmark")
    served = scoring.champions(registry)
    at_us = START_US + (PLAN.past_days + PLAN.spread_days + PLAN.horizon_days) * DAY
    began, clock = time.process_time(), time.monotonic()
    found = list(scoring.scored(everybody, served, at_us, ZONE))
    told = {
        "heads": list(served.models), "people": sum(len(one.people.person) for one in found),
        "numbers": sum(len(one.numbers.person) for one in found), "hours": WEEK,
        "score_cpu_s": round(time.process_time() - began, 1), "score_s": round(time.monotonic() - clock, 1),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as made_in, open_ledger(f"sqlite:///{made_in}/ledger.db") as ledger:
        watched: Any = Watched(ledger)
        began, clock = time.process_time(), time.monotonic()
        scores.write(
            watched, (one for part in found for one in _rows(part)), at_us=at_us, versions=served.versions, zone=ZONE
        )
        held = np.array(watched.held_ms)
        told |= {
            "write_cpu_s": round(time.process_time() - began, 1), "write_s": round(time.monotonic() - clock, 1),
            "transactions": len(held), "held_median_ms": round(float(np.median(held)), 1),
            "held_p99_ms": round(float(np.quantile(held, 0.99)), 1), "held_most_ms": round(float(held.max()), 1),
        }  # fmt: skip
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--learn", type=int, default=2500)
    parser.add_argument("--folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made_in:
        print(json.dumps(vars(options) | measure(Path(options.folder or made_in), options.parts, options.learn)))


if __name__ == "__main__":
    main()
