"""How long the chances of a portfolio take in every slot of a week, and whether they are the model's own.

    python -m benchmarks.slots [--debtors 1000000] [--trees 500] [--leaves 31] [--train 200000] [--check 300]
                               [--model FILE]

Debtors are drawn as `models.features` would give them, a model of all features is fitted so that the hour keeps apart
(`models.slots.constraints`), or read from a file, and every debtor is scored in 84 slots by one thread. `--check`
debtors are asked of LightGBM slot by slot: what that would take for all, and the largest difference. Prints one JSON
object.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reach import params
from domain.instants import HOUR, parse
from models.feature_list import FEATURES, INDEX, NAMES
from models.features import CATEGORIES
from models.history import clocks_of
from models.slots import OF_THE_DAY, Slots, SlotScorer, slots_of

MONDAY_US = parse("2026-11-16T00:00:00Z")
WEEK = np.array([MONDAY_US + (24 * day + 8 + hour) * HOUR for day in range(7) for hour in range(12)])
ZONES = ("Europe/Madrid", "America/Bogota", "America/New_York", "America/Mexico_City")


def draw(n: int, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Return features of n rows, their hours' own records, and their clocks."""
    x = np.empty((n, len(NAMES)), np.float32)
    for nth, one in enumerate(FEATURES):
        if one.category:
            x[:, nth] = rng.integers(0, len(CATEGORIES[one.name]), n)
        elif one.unit == "log ratio":
            x[:, nth] = _lift(rng, n)
        elif one.unit.startswith("days"):
            x[:, nth] = np.where(rng.random(n) < 0.3, np.nan, rng.gamma(1.5, 20.0, n))
        elif one.unit == "share" or one.unit.startswith("log2"):
            x[:, nth] = rng.normal(0.0, 1.0, n)
        else:
            x[:, nth] = rng.poisson(2.0, n)
    x[:, INDEX["hour"]] = rng.integers(8, 21, n)
    x[:, INDEX["weekday"]] = rng.integers(0, 7, n)
    hours = np.empty((n, 48, 2), np.float32)
    hours[:, :, 0] = rng.poisson(0.4, (n, 48))
    for cell in range(48):
        hours[:, cell, 1] = _lift(rng, n)
    return x, hours, rng.integers(0, len(ZONES), n).astype(np.int32)


def _lift(rng: np.random.Generator, n: int) -> Any:
    expected = rng.gamma(0.5, 0.6, n)
    return np.log((rng.poisson(expected) + 1.0) / (expected + 1.0))


def fit(trees: int, leaves: int, rows: int) -> str:
    """Return a model in which everything counts a little."""
    import lightgbm as lgb

    rng = np.random.default_rng(7)
    x, _, _ = draw(rows, rng)
    odds = -2.5 + np.nan_to_num(x) @ rng.normal(0.0, 0.03, x.shape[1]) + 0.4 * (x[:, INDEX["hour"]] > 17)
    odds += x[:, INDEX["lift_evening"]] * (x[:, INDEX["hour"]] > 16) - x[:, INDEX["lift_morning"]] * (
        x[:, INDEX["hour"]] > 12
    )
    odds += x[:, INDEX["hour_lift"]] - 0.2 * x[:, INDEX["hour_tries"]]
    y = rng.random(rows) < 1.0 / (1.0 + np.exp(-odds))
    names = [one for one in NAMES if one not in OF_THE_DAY]
    told = params(names, rows, apart=True) | {"num_leaves": leaves, "min_data_in_leaf": 50, "num_threads": 1}
    data = lgb.Dataset(x[:, [INDEX[name] for name in names]], y, feature_name=names)
    return str(lgb.train(told, data, trees).model_to_string())


def naive(model: str, x: Any, hours: Any, clock: Any, slots: Slots) -> tuple[Any, float]:
    """Ask LightGBM slot by slot; return the chances and the seconds of processor time that it took."""
    import lightgbm as lgb

    booster = lgb.Booster(model_str=model)
    rows = np.repeat(x, slots.hour.shape[1], axis=0)
    of = np.repeat(np.arange(len(x)), slots.hour.shape[1])
    slot = np.tile(np.arange(slots.hour.shape[1]), len(x))
    rows[:, INDEX["hour"]] = slots.hour[clock[of], slot]
    rows[:, INDEX["weekday"]] = slots.weekday[clock[of], slot]
    cell = slots.cell[clock[of], slot]
    rows[:, INDEX["hour_tries"]], rows[:, INDEX["hour_lift"]] = hours[of, cell, 0], hours[of, cell, 1]
    columns = [NAMES.index(name) for name in booster.feature_name()]
    started = time.process_time()
    found: Any = booster.predict(rows[:, columns], num_threads=1)
    return found.reshape(len(x), -1), time.process_time() - started


def measure(debtors: int, check: int, model: str, trees: int) -> dict[str, Any]:
    slots = slots_of(clocks_of(ZONES), WEEK)
    rng = np.random.default_rng(11)
    x, hours, clock = draw(debtors, rng)
    started = time.perf_counter(), time.process_time()
    scorer = SlotScorer(model)
    columns = [NAMES.index(name) for name in scorer.names]
    ready_s = time.process_time() - started[1]
    values = x[:, columns]
    scorer.chances(values[:10], hours[:10], clock[:10], slots)  # compiles
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    started = time.perf_counter(), time.process_time()
    found = scorer.chances(values, hours, clock, slots)
    spent = time.perf_counter() - started[0], time.process_time() - started[1]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    some = np.sort(rng.choice(debtors, min(check, debtors), replace=False))
    told, naive_s = naive(model, x[some], hours[some], clock[some], slots)
    return {
        "debtors": debtors,
        "slots": slots.hour.shape[1],
        "trees": trees,
        "sums": {name: len(getattr(scorer, f"_{name}").root) for name in ("debtor", "rhythm", "own")},
        "model_read_cpu_s": round(ready_s, 1),
        "all_cells_cpu_s": round(spent[1], 1),
        "all_cells_s": round(spent[0], 1),
        "naive_all_cells_cpu_s": round(naive_s / len(some) * debtors),
        "checked_cells": int(told.size),
        "largest_difference": float(np.abs(found[some] - told).max()),
        "mean_chance": round(float(found.mean()), 4),
        "memory_before_mb": before_mb,
        "peak_mb": peak_mb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=1_000_000)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--leaves", type=int, default=31)
    parser.add_argument("--train", type=int, default=200_000)
    parser.add_argument("--check", type=int, default=300)
    parser.add_argument("--model", help="a model as LightGBM saves it, instead of one fitted here")
    options = parser.parse_args()
    model = Path(options.model).read_text() if options.model else fit(options.trees, options.leaves, options.train)
    trees = model.count("\nTree=")
    print(json.dumps(measure(options.debtors, options.check, model, trees), indent=2))


if __name__ == "__main__":
    main()
