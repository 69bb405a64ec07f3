"""An export with a past, and with contacts by lot, as a floor with a strategy would leave it; quick to make."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from domain.instants import parse
from simulation.population import Laws, load
from simulation.trial import Drawn, Plan, draw

START_US = parse("2026-03-02T17:00:00Z")
#: Short, for heads of calls.
PLAN = Plan(past_days=15, spread_days=30, horizon_days=12, calls_per_week=1.5)
#: Long enough that promises fall due well before its end.
LONG = Plan(past_days=60, spread_days=30, horizon_days=12, calls_per_week=2.0)


#: Among whom enough pay all that they owe for so few to tell who does.
PAYING = load("default", {"payment": {"self_cure_per_day": [0.04] * 6, "p_full": 0.9}})


def write_trial(folder: Path, n: int = 1_200, plan: Plan = PLAN, laws: Laws | None = None) -> Drawn:
    """Draw a trial and write its export, with whom the lot fell on in `decisions`."""
    drawn = draw(laws or load("default"), plan, 1, START_US, n=n)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in drawn.tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    pq.write_table(decisions_of(drawn, plan), folder / "decisions.parquet")
    return drawn


def decisions_of(drawn: Drawn, plan: Plan) -> Any:
    """Return the table `decisions` of an export."""
    names = {"talk": "call"}
    words = np.array([names.get(one, one) for one in drawn.actions], object)
    chances = [(names.get(name, name), p) for name, p in plan.actions.items()]
    instant = pa.timestamp("us", tz="UTC")
    n = len(drawn.person)
    return pa.table(
        {
            "person": pa.array(drawn.person, pa.int64()),
            "decided_at": pa.array(drawn.at_us, instant),
            "known_at": pa.array(drawn.at_us, instant),
            "action": pa.array(words[drawn.action], pa.string()),
            "p_action": pa.array([chances] * n, pa.map_(pa.string(), pa.float64())),
            "arm": pa.array(["champion"] * n, pa.string()),
            "strategy": pa.array(["trial@0"] * n, pa.string()),
            "score_version": pa.array([None] * n, pa.string()),
        }
    )
