"""Rows per second of a portfolio import, its memory, and how long a running floor's commits wait for it.

    python -m benchmarks.import_rows [--debtors N] [--postgres]

Imports the sample portfolio of N debtors (some have two accounts; the default makes a million rows) as the command
does, in a process of its own: into an empty ledger; the same file again; and, while another process commits a journal
row every 10 ms as a floor does, a file in which every balance has changed. Prints one JSON object: wall seconds, rows
per second, processor seconds, the greatest resident memory of all its processes together, and the floor's commits with
and without the import beside them.
"""

import argparse
import csv
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from compliance.numbers import address_zones, describe
from domain.events import FloorOpened, Tick
from domain.instants import DAY, parse
from domain.records import Row
from domain.settings import FloorSettings
from ledger.portfolio import import_portfolio
from ledger.store import open_ledger
from simulation.sample import write_sample

NOW = parse("2026-11-18T15:30:00Z")
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
_spawn = get_context("spawn")


def bring(url: str, path: Path, at_us: int, back: Connection) -> None:
    """Import a file and send back what it took."""
    ledger = open_ledger(url)
    phases: dict[str, float] = {}
    now, since_s = "opening", time.perf_counter()

    def progress(what: str, _done: int, _of: int) -> None:
        nonlocal now, since_s
        if what != now:
            phases[now] = round(time.perf_counter() - since_s, 1)
            now, since_s = what, time.perf_counter()

    began = time.perf_counter()
    report = import_portfolio(
        ledger, path, describe=describe, address_zones=address_zones, at_us=at_us, progress=progress
    )
    wall_s = time.perf_counter() - began
    progress("end", 0, 0)
    ledger.close()
    spent = os.times()
    back.send(
        {
            "rows": report.rows,
            "added": report.added,
            "changed": report.changed,
            "wall_s": round(wall_s, 1),
            "rows_per_s": round(report.rows / wall_s),
            "processor_s": round(sum(spent[:4]), 1),
            "phases_s": phases,
        }
    )


def measured(url: str, path: Path, at_us: int) -> dict[str, Any]:
    """Import in a process of its own; add the greatest resident memory of it and its own processes, in MB."""
    receive, send = _spawn.Pipe(duplex=False)
    process = _spawn.Process(target=bring, args=(url, path, at_us, send))
    process.start()
    assert process.pid is not None
    most_kb = 0
    while process.is_alive():
        most_kb = max(most_kb, _resident_kb(process.pid))
        process.join(0.05)
    if process.exitcode:
        sys.exit(f"the import ended with {process.exitcode}")
    found: dict[str, Any] = receive.recv()
    return found | {"peak_mb": round(most_kb / 1024)}


def _resident_kb(pid: int) -> int:
    """Return the resident memory of a process and its descendants; pages that they share count for each."""
    try:
        total = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_KB
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return total + sum(_resident_kb(int(child)) for child in children)


def floor(url: str, line: Connection) -> None:
    """Commit a row of the journal every 10 ms; when asked, tell how long each commit took since, in ms."""
    ledger = open_ledger(url)
    ledger.take_lease("floor", "benchmark", 3600)
    opened = FloorOpened(at_us=NOW, settings=FloorSettings(), rules="", versions={})
    ledger.append([Row(stream="floor", seq=1, at_us=NOW, campaign=None, record=opened)])
    took: list[float] = []
    seq = 1
    while True:
        seq += 1
        row = Row(stream="floor", seq=seq, at_us=NOW + seq, campaign=None, record=Tick(at_us=NOW + seq))
        began = time.perf_counter()
        ledger.append([row])
        took.append(1000 * (time.perf_counter() - began))
        time.sleep(0.01)
        if line.poll():
            if line.recv() == "end":
                ledger.close()
                return
            line.send(took)
            took = []


def commits(line: Connection) -> dict[str, float]:
    """Ask the floor how its commits went since it was asked last."""
    line.send("tell")
    took = sorted(line.recv())
    return {
        "commits": len(took),
        "median_ms": round(statistics.median(took), 1),
        "p99_ms": round(took[len(took) * 99 // 100], 1),
        "worst_ms": round(took[-1], 1),
    }


def changed(path: Path, to: Path) -> None:
    """Write a portfolio again with every balance a cent higher."""
    with path.open(encoding="utf-8", newline="") as source, to.open("w", encoding="utf-8", newline="") as target:
        rows = csv.reader(source)
        writer = csv.writer(target, lineterminator="\n")
        header = next(rows)
        writer.writerow(header)
        place = header.index("balance")
        for row in rows:
            whole, _, part = row[place].partition(".")
            row[place] = f"{int(whole) + 1}.{part or '00'}"
            writer.writerow(row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=926_000)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    results: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cadencia-import-")))
        url = f"sqlite:///{folder}/ledger.db"
        if asked.postgres:
            from tests.postgres import Postgres

            url = stack.enter_context(Postgres()).url()
        first, second = folder / "first.csv", folder / "second.csv"
        write_sample(first, debtors=asked.debtors, seed=1, at_us=NOW - DAY)
        changed(first, second)
        open_ledger(url).close()
        results["first"] = measured(url, first, NOW)
        results["same again"] = measured(url, first, NOW + DAY)
        line, other = _spawn.Pipe()
        beside = _spawn.Process(target=floor, args=(url, other))
        beside.start()
        time.sleep(2)
        commits(line)
        time.sleep(5)
        results["floor alone"] = commits(line)
        results["every balance changed"] = measured(url, second, NOW + 2 * DAY)
        results["floor beside it"] = commits(line)
        line.send("end")
        beside.join()
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
