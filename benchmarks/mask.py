"""How long the callable mask of a portfolio takes, for a week of 84 hours.

    python -m benchmarks.mask [--people 1000000] [--check 500] [--ledger 50000]

Debtors of a mixed portfolio (`benchmarks.debtors`) are made one by one and put into columns; then the mask is made
twice, first by a gate that has judged nothing yet. `--check` debtors are judged one by one in every slot and held
against the mask. `--ledger` debtors are put into an SQLite ledger of its own and read back into columns, to tell what
they cost from there. One thread does it all; the kernels are compiled before, or come from their cache.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.debtors import debtor
from compliance.columns import Columns, Ints, columns_of
from compliance.gate import Gate
from compliance.mask import callable_mask
from compliance.packs import SHIPPED
from domain.instants import DAY, HOUR, parse
from domain.people import Dossier
from ledger.people import enroll
from ledger.store import open_ledger

MONDAY_US = parse("2026-11-16T00:00:00+00:00")
#: A floor in Bogotá: 8 to 20 h of seven days.
SLOTS: Ints = (MONDAY_US + 13 * HOUR + DAY * np.arange(7)[:, None] + HOUR * np.arange(12)).ravel()
ACTOR, PURPOSE = "third_party", "collection"


def mask(gate: Gate, columns: Columns) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    return callable_mask(gate, columns, SLOTS, actor=ACTOR, purpose=PURPOSE)


def differing(gate: Gate, columns: Columns, people: Iterable[Dossier]) -> tuple[int, int, float]:
    """Return how many cells were judged one by one, how many differ, and the seconds of a verdict."""
    found = mask(gate, columns)
    judged = wrong = 0
    started = time.perf_counter()
    for of, dossier in enumerate(people):
        for k, at_us in enumerate(SLOTS.tolist()):
            verdict = gate.judge(dossier, at_us=at_us, phone=dossier.phones[0], debts=(), actor=ACTOR, purpose=PURPOSE)
            wrong += found[of, k] != (verdict.allowed and (verdict.valid_until_us or 0) >= at_us + HOUR)
            judged += 1
    return judged, wrong, (time.perf_counter() - started) / max(judged, 1)


def from_ledger(people: int) -> dict[str, float]:
    """Return what it takes to read people out of an SQLite ledger into columns."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(f"sqlite:///{folder}/cadencia.db")
        with ledger.writing() as connection:
            for first in range(0, people, 5000):
                last = min(first + 5000, people)
                enroll(connection, [debtor(one, MONDAY_US) for one in range(first, last)], {}, MONDAY_US)
        started = time.perf_counter()
        for _ in ledger.each_dossier(range(people), MONDAY_US):
            pass
        dossiers_s = time.perf_counter() - started
        started = time.perf_counter()
        columns_of(ledger.each_dossier(range(people), MONDAY_US))
        columns_s = time.perf_counter() - started
        ledger.close()
    return {
        "ledger_people": people,
        "ledger_dossiers_us_each": round(dossiers_s / people * 1e6, 1),
        "ledger_columns_us_each": round(columns_s / people * 1e6, 1),
    }


def measure(people: int, check: int, ledger: int) -> dict[str, float]:
    mask(Gate.load(SHIPPED), columns_of([debtor(0, MONDAY_US)]))  # compiles
    started = time.perf_counter()
    columns = columns_of(debtor(person, MONDAY_US) for person in range(people))
    made_s = time.perf_counter() - started
    some = [debtor(person, MONDAY_US) for person in range(min(people, 20_000))]
    started = time.perf_counter()
    columns_of(some)
    columns_us = (time.perf_counter() - started) / len(some) * 1e6
    gate = Gate.load(SHIPPED)
    times = []
    for _ in range(2):
        before = time.perf_counter(), time.process_time()
        found = mask(gate, columns)
        times.append((time.perf_counter() - before[0], time.process_time() - before[1]))
    judged, wrong, verdict_s = differing(gate, columns_of(islice(some, check)), islice(some, check))
    figures = {
        "people": people,
        "slots": SLOTS.size,
        "contacts": int(columns.lines.at_us.size),
        "debtors_made_and_columns_s": round(made_s, 1),
        "columns_us_each": round(columns_us, 2),
        "columns_mb": round(columns.nbytes / 1e6),
        "mask_first_s": round(times[0][0], 2),
        "mask_first_cpu_s": round(times[0][1], 2),
        "mask_again_s": round(times[1][0], 2),
        "callable_share": round(float(found.mean()), 3),
        "cells_judged_one_by_one": judged,
        "cells_differing": int(wrong),
        "all_cells_one_by_one_s": round(verdict_s * found.size),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
    }
    return figures | (from_ledger(ledger) if ledger else {})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{Path(__file__).stem}", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--check", type=int, default=500)
    parser.add_argument("--ledger", type=int, default=0)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.people, arguments.check, arguments.ledger), indent=1))
