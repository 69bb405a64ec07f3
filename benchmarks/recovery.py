"""How long a floor takes to start again after a full day of record on SQLite.

    python -m benchmarks.recovery [--agents 50] [--hours 5]

A simulated floor makes the day (some 58,000 attempts); its rows go into a ledger on disk, with the snapshots that the
live loop would have taken. Recovery is then timed from the newest snapshot that may be 50,000 rows old, from one that
is 200,000 old (the oldest that the loop allows), and from nothing. Wall seconds.
"""

import argparse
import json
import tempfile
import time

from benchmarks.ledger import day, load
from benchmarks.world import RULES, portfolio
from compliance.gate import Gate
from dialer.engine import Engine
from dialer.recovery import DUE_ROWS, OVERDUE_ROWS, recover
from domain.orders import Originate
from ledger.store import open_ledger

_BATCH = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--hours", type=float, default=5.0)
    options = parser.parse_args()
    people = tuple(portfolio(int(options.agents * options.hours * 250) + 2_000))
    rows = day(people, options.agents, options.hours)
    gate = Gate.load(RULES)
    figures: dict[str, float] = {
        "rows": len(rows),
        "attempts": sum(1 for row in rows if type(row.record) is Originate),
        "people": len(people),
    }
    with tempfile.TemporaryDirectory() as folder, open_ledger(f"sqlite:///{folder}/ledger.db") as ledger:
        load(ledger, people)
        for first in range(0, len(rows), _BATCH):
            ledger.append(rows[first : first + _BATCH])
        started_s = time.perf_counter()
        assert recover(ledger, "floor", gate).seq == len(rows)
        figures["from_nothing_s"] = time.perf_counter() - started_s
        for name, age in (("oldest_snapshot_s", OVERDUE_ROWS), ("newer_snapshot_s", DUE_ROWS)):
            engine = Engine(gate)
            for row in rows[: max(1, len(rows) - age)]:
                engine.fold(row)
            ledger.save_snapshot("floor", engine.seq, engine.state.at_us, engine.snapshot())
            started_s = time.perf_counter()
            assert recover(ledger, "floor", gate).seq == len(rows)
            figures[name] = time.perf_counter() - started_s
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}, indent=2))


if __name__ == "__main__":
    main()
