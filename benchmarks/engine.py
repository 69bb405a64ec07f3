"""Engine events per second: deciding, folding, writing and reading rows, and a snapshot's cost.

    python -m benchmarks.engine [--agents 50] [--hours 1]

A simulated floor makes a stream once; its inputs are then decided again (gate and pacing included), its rows folded as
recovery folds them, encoded and decoded as the journal does. Seconds of processor time; medians of five rounds.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.world import RULES, predictive_floor
from compliance.gate import Gate
from dialer.engine import Engine
from domain.records import Row, decode, encode
from ledger.memory import MemoryLedger


def seconds(job: Callable[[], Any], rounds: int = 5) -> float:
    """Return the median processor time of a job."""
    took = []
    for _ in range(rounds):
        started_s = time.process_time()
        job()
        took.append(time.process_time() - started_s)
    return statistics.median(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--hours", type=float, default=1.0)
    options = parser.parse_args()
    ledger = MemoryLedger()
    floor = predictive_floor(options.agents, options.hours, ledger)
    summary = floor.go()
    rows: list[Row] = list(ledger.read("floor"))
    inputs = [row.record for row in rows if row.is_input]
    gate = Gate.load(RULES)

    def decide() -> None:
        engine = Engine(gate)
        for event in inputs:
            engine.handle(event)  # type: ignore[arg-type]

    def fold() -> None:
        engine = Engine(gate)
        for row in rows:
            engine.fold(row)

    payloads = [encode(row.record) for row in rows]
    blob = floor.engine.snapshot()
    figures = {
        "attempts": summary.attempts,
        "inputs": len(inputs),
        "rows": len(rows),
        "decided_inputs_per_s": len(inputs) / seconds(decide),
        "folded_rows_per_s": len(rows) / seconds(fold),
        "encoded_rows_per_s": len(rows) / seconds(lambda: [encode(row.record) for row in rows]),
        "decoded_rows_per_s": len(rows) / seconds(lambda: [decode(payload) for payload in payloads]),
        "snapshot_stall_ms": 1e3 * seconds(floor.engine.image),
        "snapshot_ms": 1e3 * seconds(floor.engine.snapshot),
        "snapshot_mb": len(blob) / 1e6,
        "restore_ms": 1e3 * seconds(lambda: Engine.restore(blob, gate)),
    }
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}, indent=2))


if __name__ == "__main__":
    main()
