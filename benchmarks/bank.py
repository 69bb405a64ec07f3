"""How the models' bench does on a public table: Bank Marketing (Moro, Cortez & Rita 2014) without `duration`.

    python -m benchmarks.bank bank-additional-full.csv [--workers N]
    python -m benchmarks.bank bank-additional-full.csv --search 60
    python -m benchmarks.bank bank-additional-full.csv --calibrations

The table's rows stand in order of time, May 2008 to November 2010, through a banking crisis. `duration` is known only
after the call. Three protocols, each beside a logistic regression on the same rows:

rolling    windows of 20,000 rows, refitted every 83 rows over the last 1,663, calibrated on the windows before; so that
           the first are too, the 3,320 rows before are scored in the same way
folds      five random folds; they overstate
forward    five blocks, each scored by what was learned from all before, calibrated on earlier blocks

`--search N` judges N random recipes on rows before the last 1,663 alone: first on rolling windows over the 3,320 rows
before those, refitted every 166; then the best eight refitted every 83, and by five random folds. The least log-loss
wins, of each protocol its own. `--calibrations` compares ways to calibrate the rolling windows, two bags each, on the
11,205 rows before the last 1,663; what came of them on those stands beside. Prints one JSON object.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from models.calibration import forward
from models.crew import Crew
from models.evaluation import Evaluation, Split, folds, judge, scores, splits
from models.metrics import METRICS, auc, ece, log_loss, losses
from models.schema import Recipe, Schema, Windows
from models.table import Table, make_table, read_source

SCHEMA = Schema(
    name="bank",
    target="y",
    positive="yes",
    order="rows",
    barred=("duration",),
    categories=(
        "job", "marital", "education", "default", "housing", "loan", "contact", "month", "day_of_week", "poutcome",
    ),
    missing={"pdays": (999,)},
)  # fmt: skip

LAST, WINDOW, EVERY = 1663, 20_000, 83
ROLLING = Windows(blocks=1, last_rows=LAST, refit_rows=EVERY, run_up_rows=40 * EVERY)

#: The best at rolling and the best at folds of the search; averaging five seeds takes luck out of them.
RECIPE = Recipe(
    rounds=120,
    params={
        "learning_rate": 0.05, "num_leaves": 10, "min_data_in_leaf": 100, "lambda_l2": 1.0, "feature_fraction": 0.7,
        "bagging_fraction": 0.7, "bagging_freq": 1, "path_smooth": 5.0,
    },
    bags=5,
    calibration="none",
)  # fmt: skip
FOLDS_RECIPE = Recipe(
    rounds=350,
    params={
        "learning_rate": 0.03, "num_leaves": 15, "min_data_in_leaf": 50, "feature_fraction": 0.3,
        "bagging_fraction": 0.7, "bagging_freq": 1,
    },
    bags=5,
    calibration="none",
)  # fmt: skip


def told(found: Evaluation, seconds: float) -> dict[str, Any]:
    """Return the figures of all contestants, with intervals of those over all rows."""
    lines: dict[str, Any] = {"rows": found.rows, "rate": round(found.rate, 4), "refits": found.refits}
    for line in found.lines:
        if line.block == 0:
            lines[line.contestant] = {
                metric: [round(value, 4) for value in (one.value, one.low, one.high)]
                for metric, one in line.figures.items()
            }
    lines["model less logistic"] = {
        metric: [round(value, 4) for value in (one.value, one.low, one.high)]
        for metric, one in found.against["logistic"].items()
    }
    if found.blocks > 1:
        lines["blocks"] = [
            {
                "rate": round(found.line("model", block).rate, 4),
                **{
                    name: {metric: round(found.line(name, block).figures[metric].value, 4) for metric in METRICS}
                    for name in ("model", "uncalibrated", "logistic", "base rate")
                    if any(line.contestant == name for line in found.lines)
                },
            }
            for block in range(1, found.blocks + 1)
        ]
    return lines | {"ece_by_chance": round(found.ece_by_chance, 4), "seconds": round(seconds, 1)}


def protocols(table: Table, workers: int, only: str) -> dict[str, Any]:
    """Return the figures of the three protocols, or of one."""
    asked = {
        "rolling": (replace(RECIPE, window_rows=WINDOW, calibration="auto"), ROLLING, 0),
        "folds": (FOLDS_RECIPE, Windows(), 5),
        "forward": (replace(RECIPE, calibration="auto"), Windows(blocks=5), 0),
    }
    found = {}
    for name, (one, windows, random_folds) in asked.items():
        if only not in ("", name):
            continue
        began_s = time.perf_counter()
        with Crew(table, workers) as crew:
            judged = judge(crew, one, windows, random_folds=random_folds)
        found[name] = told(judged.evaluation, time.perf_counter() - began_s)
    return found


def draw(random: np.random.Generator) -> Recipe:
    """Return a random recipe."""

    def one_of(*values: float) -> float:
        return float(random.choice(values))

    rate = one_of(0.02, 0.03, 0.05)
    params: dict[str, Any] = {
        "learning_rate": rate,
        "num_leaves": int(one_of(7, 10, 15, 24, 31)),
        "min_data_in_leaf": int(one_of(20, 50, 100, 200)),
        "lambda_l2": one_of(0, 1, 5, 20),
        "feature_fraction": one_of(0.3, 0.5, 0.7, 1.0),
        "cat_smooth": one_of(10, 50),
        "max_bin": int(one_of(63, 255)),
        "path_smooth": one_of(0, 5, 50),
    }
    if random.random() < 0.5:
        params |= {"bagging_fraction": 0.7, "bagging_freq": 1}
    return Recipe(rounds=int(one_of(2.5, 4, 6, 9) / rate), params=params, window_rows=WINDOW, calibration="none")


def search(table: Table, count: int, workers: int) -> list[dict[str, Any]]:
    """Return the best recipes with their figures on earlier rows, the best at rolling windows first."""
    early = slice(0, len(table) - LAST)
    cut = {name: getattr(table, name)[early] for name in ("x", "y", "time", "group", "weight", "source_row")}
    before = replace(table, **cut, protected={})
    random = np.random.default_rng(7)
    with Crew(before, workers) as crew:

        def figures(recipe: Recipe, planned: list[Split]) -> dict[str, float]:
            p = scores(crew, recipe, planned, "", lambda _what, _done, _of: None)
            y = np.concatenate([before.y[one.score] for one in planned])
            found = {"log_loss": log_loss(y, p), "auc": auc(y, p), "ece": ece(y, p)}
            return {name: round(value, 4) for name, value in found.items()}

        def rolling(recipe: Recipe, every: int) -> dict[str, float]:
            return figures(recipe, splits(before, Windows(blocks=1, last_rows=2 * 1660, refit_rows=every), recipe))

        drawn = [draw(random) for _ in range(count)]
        best = sorted(drawn, key=lambda one: rolling(one, 2 * EVERY)["log_loss"])[:8]
        found = [
            {
                "rolling": rolling(one, EVERY),
                "folds": figures(replace(one, window_rows=0), folds(before, 5, seed=1)),
                "rounds": one.rounds,
                **one.params,
            }
            for one in best
        ]
    return sorted(found, key=lambda one: one["rolling"]["log_loss"])


def calibrations(table: Table, workers: int) -> dict[str, Any]:
    """Return what each way to calibrate brings on the rows before the last, which choose, and on the last."""
    recipe = replace(RECIPE, window_rows=WINDOW, bags=2)
    # Ten windows more, that calibrate the first.
    planned = splits(table, replace(ROLLING, run_up_rows=145 * EVERY), recipe)
    with Crew(table, workers) as crew:
        raw = scores(crew, recipe, planned, "", lambda _what, _done, _of: None)
    rows = np.concatenate(
        [np.arange(one.score.start, one.score.stop) for one in planned if isinstance(one.score, slice)]
    )
    y, time_of, n = table.y[rows], rows.astype(np.float64), len(rows)
    window = np.arange(n) // EVERY
    found: dict[str, Any] = {}
    for method in ("none", "platt", "isotonic", "recent"):
        p, _ = forward(raw, y, np.ones(n), window, time_of, time_of[::EVERY] - 0.5, method)
        parts = {"before": slice(10 * EVERY, n - LAST), "last": slice(n - LAST, n)}
        found[method] = {
            name: {"auc": round(auc(y[of], p[of]), 4), "log_loss": round(log_loss(y[of], p[of]), 5),
                   "ece": round(ece(y[of], p[of]), 4)}
            for name, of in parts.items()
        }  # fmt: skip
        less = losses(y, p)[parts["before"]] - losses(y, raw)[parts["before"]]
        found[method]["before"]["less_none"] = [
            round(float(less.mean()), 5),
            round(float(less.std() / len(less) ** 0.5), 5),
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="bank-additional-full.csv, of the UCI repository")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=("rolling", "folds", "forward"), default="", help="one protocol")
    parser.add_argument("--search", type=int, default=0, help="judge so many random recipes on earlier rows instead")
    parser.add_argument("--calibrations", action="store_true", help="compare ways to calibrate instead")
    options = parser.parse_args()
    table = make_table(read_source(options.table), SCHEMA, where=str(options.table))
    if options.calibrations:
        print(json.dumps(calibrations(table, options.workers), indent=1))
    elif options.search:
        print(json.dumps(search(table, options.search, options.workers), indent=1))
    else:
        print(json.dumps(protocols(table, options.workers, options.only), indent=1))


if __name__ == "__main__":
    main()
