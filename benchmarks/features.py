"""How long the features of a portfolio take, from partitioned Parquet on disk, and how much memory.

    python -m benchmarks.features [--debtors 1000000] [--events 30000000] [--threads 2] [--check 300] [--folder DIR]

A history is drawn first (calls at Poisson times with what came of them, messages, payments, promises, balances; half of
the payments are learned days after) and written as an export would be, in parts. Another process then reads it and
makes the features of every number at one instant. `--check` people's rows are made again from their own lines alone,
with the same usual rates, and held against them. Prints one JSON object.
"""

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from domain.instants import DAY, HOUR, parse
from models.feature_list import NAMES
from models.features import everybody, features, own_hours, tallies, usual_of
from models.history import read_history

pa: Any = pyarrow
pq: Any = pyarrow.parquet

AS_OF_US = parse("2026-11-18T06:00:00Z")
SPAN = 180
PART = 500_000
ZONES = ("Europe/Madrid", "America/Bogota", "America/New_York", "America/Mexico_City", "Europe/London")
#: What lines tell, and how often: event, channel, detail, of a floor of ours.
WORDS: tuple[tuple[str, str | None, str, float], ...] = (
    ("dialed", "call", "", 0.44), ("no_answer", "call", "no_answer", 0.20), ("amd_machine", "call", "machine", 0.11),
    ("busy", "call", "busy", 0.02), ("right_party_contact", "call", "no_promise", 0.03),
    ("right_party_contact", "call", "promise", 0.01), ("third_party", "call", "third_party", 0.02),
    ("abandoned", "call", "abandoned", 0.01), ("not_in_service", "call", "not_in_service", 0.02),
    ("message_sent", "sms", "", 0.05), ("payment", None, "partial", 0.03), ("promise", None, "", 0.01),
    ("balance", None, "open", 0.05),
)  # fmt: skip


def draw(folder: Path, debtors: int, events: int) -> None:
    """Write a made export."""
    rng = np.random.default_rng(1)
    people = np.arange(1, debtors + 1)
    n_numbers = 1 + (rng.random(debtors) < 0.35)
    owner = np.repeat(people, n_numbers)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(n_numbers) - n_numbers, n_numbers)
    zone = rng.choice(len(ZONES), debtors)
    lists = [[name] for name in ZONES]
    pq.write_table(
        pa.table(
            {"person": people, "zones": pa.DictionaryArray.from_arrays(zone, pa.array(lists)).dictionary_decode()}
        ),
        folder / "debtors.parquet",
    )
    kind = np.where(rng.random(len(owner)) < 0.7, "mobile", "fixed")
    empty = pa.ListArray.from_arrays(np.zeros(len(owner) + 1, np.int32), pa.array([], pa.string()))
    numbers = {"person": owner, "phone": owner * 8 + nth, "rank": nth.astype(np.int32), "line_type": kind}
    pq.write_table(pa.table(numbers | {"zones": empty}), folder / "numbers.parquet")
    due = (np.datetime64("2026-11-18") - rng.integers(5, 900, debtors)).astype("datetime64[D]")
    currency = np.array(["EUR", "COP", "USD", "MXN", "GBP"])[zone]
    pq.write_table(
        pa.table({"debt": people * 8, "person": people, "currency": currency, "due_on": pa.array(due)}),
        folder / "debts.parquet",
    )
    (folder / "history").mkdir()
    # In the order in which they were learned, as a ledger exports them.
    first_us = AS_OF_US - SPAN * DAY
    for part, first in enumerate(range(0, events, PART)):
        n = min(PART, events - first)
        known = first_us + np.sort(rng.random(n) + part) * (PART / events * SPAN * DAY)
        pq.write_table(_lines(rng, n, known.astype(np.int64), debtors), folder / "history" / f"part-{part:04}.parquet")


def _lines(rng: np.random.Generator, n: int, known_us: Any, debtors: int) -> Any:
    share = np.array([word[3] for word in WORDS])
    what = rng.choice(len(WORDS), n, p=share / share.sum())
    person = rng.integers(1, debtors + 1, n)
    call = np.array([word[1] == "call" for word in WORDS])[what]
    money = np.array([word[0] in ("payment", "promise", "balance") for word in WORDS])[what]
    late = np.where((what == 10) & (rng.random(n) < 0.5), rng.integers(1, 4, n) * DAY, 0)
    # Half of the hours are an office's.
    event_us = np.where(call, known_us // DAY * DAY + 8 * HOUR + known_us % DAY // 2, known_us) - late
    known_us = np.maximum(known_us, event_us)

    def words(of: int) -> Any:
        told = pa.array([word[of] for word in WORDS], pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(what.astype(np.int8)), told).dictionary_decode()

    instant = pa.timestamp("us", tz="UTC")
    offsets = np.concatenate(([0], np.cumsum(money))).astype(np.int32)
    due_on = (event_us // DAY + 7).astype("datetime64[D]")
    return pa.table(
        {
            "event_at": pa.array(event_us).cast(instant),
            "known_at": pa.array(known_us).cast(instant),
            "person": person,
            "debts": pa.ListArray.from_arrays(offsets, pa.array(person[money] * 8)),
            "phone": pa.array(person * 8, mask=~call),
            "campaign": pa.array(["c"] * n, mask=~call),
            "channel": words(1),
            "inbound": np.zeros(n, np.bool_),
            "event": words(0),
            "attempt": pa.array([f"floor-{at}" for at in known_us.tolist()], mask=~call),
            "detail": words(2),
            "amount_minor": pa.array(rng.integers(1_000, 90_000, n), mask=~money),
            "currency": pa.array(["EUR"] * n, mask=~money),
            "due_on": pa.array(due_on, mask=what != 11),
        }
    )


def measure(folder: str, threads: int, check: int) -> dict[str, Any]:
    """Make the features of everybody from an export, and time it."""
    warm = read_history(folder, persons=(1, 2))
    features(warm, AS_OF_US)
    own_hours(warm, AS_OF_US)
    times = [(time.perf_counter(), time.process_time())]
    history = read_history(folder)
    times.append((time.perf_counter(), time.process_time()))
    usual = usual_of([tallies(history)])
    times.append((time.perf_counter(), time.process_time()))
    found = features(history, AS_OF_US, usual, threads=threads)
    times.append((time.perf_counter(), time.process_time()))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    hours = own_hours(history, everybody(history, AS_OF_US, numbers=1), usual, threads=threads)
    times.append((time.perf_counter(), time.process_time()))
    spans = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(times)]
    wrong = 0
    if check:
        some = read_history(folder, persons=(1, check))
        again = features(some, AS_OF_US, usual)
        wrong = int(
            (~np.isclose(again.values, found.values[: len(again.values)], rtol=0, atol=0, equal_nan=True)).sum()
        )
    return {
        "people": len(history.person),
        "lines": len(history.lines.kind),
        "rows": len(found.values),
        "features": len(NAMES),
        "threads": threads,
        **{
            f"{name}_{unit}": round(span[at], 1)
            for name, span in zip(("read", "usual", "features", "hours"), spans, strict=True)
            for at, unit in enumerate(("s", "cpu_s"))
        },
        "read_to_features_s": round(sum(span[0] for span in spans[:3]), 1),
        "read_to_features_cpu_s": round(sum(span[1] for span in spans[:3]), 1),
        "peak_mb": peak_mb,
        "peak_with_hours_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "hours_mb": hours.nbytes >> 20,
        "values_checked": check * len(NAMES),
        "values_differing": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=30_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--check", type=int, default=300)
    parser.add_argument("--folder", help="keep the made export here; one that is there is used again")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.folder, options.threads, options.check), indent=2))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(options.folder or made)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "debtors.parquet").exists():
            draw(folder, options.debtors, options.events)
        # In a process of its own, so that its peak is that of reading and computing alone.
        again = [sys.executable, "-m", "benchmarks.features", "--measure", "--folder", str(folder)]
        again += ["--threads", str(options.threads), "--check", str(options.check)]
        subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
