"""Tables with a known law: debtors with rows of their own over time, the answer drawn from a known chance."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from models.schema import Recipe, Schema, Windows

SCHEMA = Schema(
    name="reach",
    target="answered",
    time="at",
    group="debtor",
    categories=("line",),
    barred=("talk_s",),
    protected=("sex",),
    segments=("line",),
    monotone={"tries": -1},
    recipe=Recipe(rounds=40),
    windows=Windows(blocks=4),
)
LINES = ("mobile", "fixed", "work")


def law(tries: Any, hour: Any, line: Any) -> Any:
    """Return the true chance of an answer."""
    z = -0.6 - 0.35 * tries + 0.9 * np.sin((hour - 9.0) / 12.0 * np.pi) + np.where(line == "mobile", 0.8, -0.4)
    return 1.0 / (1.0 + np.exp(-z))


def columns(rows: int = 4000, seed: int = 1, shift: float = 0.0) -> dict[str, Any]:
    """Return columns by name; `p` is the truth and no column of the schema.

    Parameters
    ----------
    shift
        Added to the log odds of all: a world that has changed.
    """
    random = np.random.default_rng(seed)
    debtor = random.integers(0, max(2, rows // 4), rows)
    tries, hour = random.poisson(2.0, rows).astype(float), random.integers(9, 21, rows).astype(float)
    line = np.array(LINES)[(debtor + random.integers(0, 2, rows)) % 3]
    p = law(tries, hour, line)
    p = 1.0 / (1.0 + (1.0 - p) / p * np.exp(-shift))
    answered = random.random(rows) < p
    begins = datetime(2026, 9, 1, 9, tzinfo=UTC)
    tries[random.random(rows) < 0.05] = np.nan
    return {
        "debtor": [f"d{one}" for one in debtor],
        "at": [begins + timedelta(minutes=10 * one) for one in range(rows)],
        "tries": tries,
        "hour": hour,
        "line": line.tolist(),
        "noise": random.normal(size=rows),
        "talk_s": np.where(answered, random.exponential(60.0, rows), 0.0),
        "sex": np.where(debtor % 2 == 0, "f", "m").tolist(),
        "answered": answered,
        "p": p,
    }


def source(rows: int = 4000, seed: int = 1, shift: float = 0.0) -> pa.Table:
    """Return the table that an analyst would have; the truth is not in it."""
    found = columns(rows, seed, shift)
    del found["p"]
    return pa.table(found)


def quick(**more: Any) -> Schema:
    return replace(SCHEMA, **more)
