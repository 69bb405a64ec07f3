"""How near a model of reach comes to the truth, to what its features could tell at best, and what it claims of hours.

    python -m benchmarks.reach [--debtors 20000] [--days 28] [--agents 22] [--world default] [--at-random CALLS]
                               [--sizes 20000 60000 150000] [--targets answered right_party] [--folder DIR]

A month whose truth is known (`benchmarks.reach_months`) is kept in `--folder`, and used again where it is there; every
call becomes a row with what was known just before it. Models learn from the first three fifths of the days and are
judged by the last two; one learns anew after each tenth of the days and is calibrated on the tenths before. Beside
them: the world's own chance of each call (who knows everybody's traits and what every call does to them); the oracle,
which knows the world's laws and the same history but nobody's traits (`benchmarks.oracle`); and the reader, who has
the same features as the models and was shown the true chances, without any luck, of calls of all days to other people:
about the best that can be known of these features. Figures against the truth take the true chance of each call for
what came, so that they hold no luck of the calls that judge.

What is claimed of hours: by how much the best of a week's 84 slots lies above the mean slot, of numbers as of the end
of learning; and what choosing it would bring by the true chances of the week after. Prints one JSON object.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.reach_months import HOURS, make, make_at_random, oracle_of, truth_of, week_of_truth
from models import metrics, reach, timing
from models.calibration import forward
from models.feature_list import FEATURES, NAMES
from models.features import CATEGORIES, ask, everybody, features, own_hours
from models.history import History, read_history
from models.reach import Attempts, read_attempts
from models.slots import OF_THE_DAY, Slots, SlotScorer, constraints

TARGETS: Final = ("answered", "right_party")
F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

HOUSE: Final = {
    "objective": "binary", "verbose": -1, "num_threads": 1, "deterministic": True, "force_col_wise": True, "seed": 1,
}  # fmt: skip
#: Of one who is shown chances and not luck.
READER: Final = HOUSE | {
    "objective": "cross_entropy", "num_leaves": 31, "learning_rate": 0.05, "min_data_in_leaf": 100,
    "feature_fraction": 0.6, "bagging_fraction": 0.8, "bagging_freq": 1,
}  # fmt: skip
READER_TREES: Final = 300
#: Features of a model that can be scored by slots.
APART: Final = tuple(name for name in NAMES if name not in OF_THE_DAY)
#: Calls of a slot (hour and day of the week) from which on it is told.
_CALLS_OF_SLOT: Final = 500
#: Numbers of whom is told what hours are claimed to bring.
_CLAIMS: Final = 3_000


class Calls(NamedTuple):
    """All calls of a month; arrays of one length."""

    x: NDArray[np.float32]
    person: I8
    at_us: I8
    #: 0, 1; -1: not known.
    y: NDArray[np.int8]
    #: How much each counts.
    weight: F8
    truth: F8
    oracle: F8
    early: NDArray[np.bool_]


def params(names: Sequence[str], rows: int, *, apart: bool) -> dict[str, Any]:
    """Return how a model of reach is fitted; `apart`: so that it can be scored by slots."""
    of = {one.name: one for one in FEATURES}
    told = HOUSE | reach.params(rows) | {"monotone_constraints": [of[name].reach for name in names]}
    if apart:
        # Few bins, small tables: every rhythm of a portfolio has a row in one.
        few = [{"rhythm": 6, "own": 16}.get(of[name].group, 255) for name in names]
        told |= {"interaction_constraints": constraints(names), "max_bin_by_feature": few}
    return told


def fit(calls: Calls, rows: I8, *, apart: bool = True, as_of_rows: int = 0) -> Any:
    """Return a model that learned from what came of calls; by the recipe for as many, or for more."""
    import lightgbm as lgb

    names = APART if apart else NAMES
    data = lgb.Dataset(
        _columns(calls.x[rows], names), calls.y[rows], weight=calls.weight[rows], feature_name=list(names),
        categorical_feature=[] if apart else list(CATEGORIES),
    )  # fmt: skip
    n = as_of_rows or len(rows)
    return lgb.train(params(names, n, apart=apart), data, reach.rounds(n))


def read_chances(calls: Calls, rows: I8) -> F8:
    """Return what the reader says of calls, each taught by other people's."""
    import lightgbm as lgb

    found = np.empty(len(rows))
    told = READER | {key: params(APART, len(calls.x), apart=True)[key] for key in _KEPT_APART}
    x = _columns(calls.x, APART)
    for half in (0, 1):
        others, own = calls.person % 2 != half, calls.person[rows] % 2 == half
        data = lgb.Dataset(x[others], calls.truth[others], feature_name=list(APART))
        found[own] = lgb.train(told, data, READER_TREES).predict(x[rows[own]], num_threads=1)
    return found


_KEPT_APART: Final = ("interaction_constraints", "max_bin_by_feature")


_TOLD: Final = ("auc", "log_loss", "ece")


def judge_target(calls: Calls, sizes: list[int]) -> dict[str, Any]:
    """Return figures of one target: everybody on the later calls, models after so many of the earlier ones."""
    known = calls.y >= 0
    late, early = np.flatnonzero(known & ~calls.early), np.flatnonzero(known & calls.early)
    scores: dict[str, F8] = {
        "truth": calls.truth[late], "oracle": calls.oracle[late], "reader": read_chances(calls, late)
    }  # fmt: skip
    x = _columns(calls.x[late], APART)
    # Smaller portfolios: fewer people, with all their calls.
    order = np.random.default_rng(1).permutation(np.unique(calls.person))
    for size in (*(one for one in sizes if one < len(early)), len(early)):
        some = early[np.isin(calls.person[early], order[: round(size / len(early) * len(order))])]
        booster = fit(calls, some)
        scores[f"model after {len(some):,}"] = booster.predict(x, num_threads=1)
    last = scores[f"model after {len(early):,}"]
    scores["model of all features"] = fit(calls, early, apart=False).predict(calls.x[late], num_threads=1)

    anew, scores["model learned anew"] = learned_anew(calls, np.flatnonzero(known), late)
    scores["model learned anew, calibrated"] = anew
    true, came, weight = calls.truth[late], calls.y[late].astype(np.float64), calls.weight[late]
    return {
        "rate": round(float(np.average(came, weights=weight)), 4),
        "judged_by": len(late),
        **{
            name: {"mean": round(float(np.average(one, weights=weight)), 4)}
            | {key: round(value, 5) for key, value in metrics.Scored(true, one).figures(weight).items() if key in _TOLD}
            | {"of what came": {key: round(came_of[key], 4) for key in ("auc", "ece")}}
            for name, one in scores.items()
            for came_of in [metrics.Scored(came, one).figures(weight)]
        },
        "ece_by_chance": round(metrics.ece_by_chance(last, weight), 4),
        "by_slot": _by_slot(calls, late, scores["reader"], anew),
    }


def learned_anew(calls: Calls, known: I8, late: I8) -> tuple[F8, F8]:
    """Return scores of the later calls by models that learn anew after each tenth of the days, calibrated and plain."""
    first, last = calls.at_us[0], calls.at_us[-1]
    tenth = np.minimum((calls.at_us[known] - first) * 10 // (last - first), 9)
    # Two tenths before those judged, for the calibrator.
    rows, tenth = known[tenth >= 4], tenth[tenth >= 4]
    _, begins, window = np.unique(tenth, return_index=True, return_inverse=True)
    raw = np.empty(len(rows))
    for number, begin in enumerate(begins):
        scored = window == number
        booster = fit(calls, known[: np.searchsorted(known, rows[begin])])
        raw[scored] = booster.predict(_columns(calls.x[rows[scored]], APART), num_threads=1)
    y, at_us = calls.y[rows].astype(np.float64), calls.at_us[rows].astype(np.float64)
    p, _ = forward(raw, y, calls.weight[rows], window, at_us, at_us[begins] - 1.0, "auto")
    judged = np.isin(rows, late)
    return p[judged], raw[judged]


def _by_slot(calls: Calls, late: I8, reader: F8, model: F8) -> dict[str, Any]:
    """Return how far model and reader are apart within slots: hours of days of the week."""
    hour, weekday = (calls.x[late, NAMES.index(name)].astype(np.int64) for name in ("hour", "weekday"))
    slot = 24 * weekday + hour
    told = []
    for one in np.unique(slot):
        rows = slot == one
        if rows.sum() >= _CALLS_OF_SLOT:
            true = calls.truth[late[rows]]
            behind_reader = metrics.auc(true, reader[rows]) - metrics.auc(true, model[rows])
            off = np.average(model[rows] - true, weights=calls.weight[late[rows]])
            told.append((float(rows.sum()), behind_reader, abs(float(off))))
    if not told:
        return {"slots": 0}
    n, behind, far = np.array(told).T
    return {
        "slots": len(told),
        "auc_behind_reader": {
            "mean": round(float(np.average(behind, weights=n)), 4),
            "worst": round(float(behind.max()), 4),
        },
        "mean_said_off_truth": {
            "mean": round(float(np.average(far, weights=n)), 4),
            "worst": round(float(far.max()), 4),
        },
    }


def claims(
    folder: Path, history: History, calls: Calls, attempts: Attempts, world: str, debtors: int
) -> dict[str, Any]:
    """Return what is claimed of hours, as a model says it and as far as unseen calls bear it out, and what is true."""
    early = np.flatnonzero(calls.early)
    first, middle = _parted(early)
    slots = week_of(len(history.clocks.first) - 1)
    # The recipe of the model whose claims it is to hold.
    booster = fit(calls, first, as_of_rows=len(early))
    asked = ask(history, person=calls.person[middle], phone=attempts.phone[middle], as_of_us=calls.at_us[middle])
    x, clock = _columns(calls.x[middle], APART), history.clock[asked.row].astype(np.int32)
    scorer = SlotScorer(booster.model_to_string())
    mean = scorer.chances(x, own_hours(history, asked), clock, slots, raw=True).mean(axis=1, dtype=np.float64)
    own = booster.predict(x, raw_score=True, num_threads=1)
    found = timing.borne_out(mean, own - mean, calls.y[middle].astype(np.float64), calls.person[middle])

    until_us = int(calls.at_us[early[-1]]) + 1
    asked = everybody(history, until_us, numbers=1)
    some = np.random.default_rng(1).choice(len(asked.row), min(_CLAIMS, len(asked.row)), replace=False)
    asked = type(asked)(*(column[some] for column in asked))
    now = features(history, asked)
    scorer = SlotScorer(fit(calls, early).model_to_string())
    raw = scorer.chances(
        _columns(now.values, APART), own_hours(history, asked), history.clock[asked.row].astype(np.int32), slots,
        raw=True,
    )  # fmt: skip
    true = week_of_truth(folder, world, debtors, now.phone, until_us)
    rows = np.arange(len(raw))

    def brought(odds: NDArray[np.float32]) -> float:
        """Return what choosing the best slot by these would bring; where all are alike, nothing is chosen."""
        alike = (odds.max(axis=1) - odds.min(axis=1)) < 1e-5
        chosen = np.where(alike, true.mean(axis=1), true[rows, odds.argmax(axis=1)])
        return float(chosen.mean() / true.mean() - 1.0)

    held = found(raw)
    return {
        "numbers": len(raw),
        "slope": {"used": round(found.slope, 3), "measured": round(found.measured, 3), "error": round(found.error, 3)},
        "as_the_model_says": {"claimed": round(timing.uplift(_chances(raw)), 4), "brought": round(brought(raw), 4)},
        "as_far_as_borne_out": {"claimed": round(timing.uplift(_chances(held)), 4), "brought": round(brought(held), 4)},
        "best_by_truth": round(float(true.max(axis=1).mean() / true.mean() - 1.0), 4),
    }


def week_of(clocks: int) -> Slots:
    """Return the slots of a week by everybody's own clock: the same local hours for all."""
    hour, weekday = np.tile(np.array(HOURS), 7), np.repeat(np.arange(7), len(HOURS))
    cell = hour + 24 * (weekday >= 5)
    return Slots(*(np.tile(one, (clocks, 1)) for one in (hour, weekday, cell)))


def _parted(early: I8) -> tuple[I8, I8]:
    """Return the earlier two thirds of calls, and the last."""
    return early[: 2 * len(early) // 3], early[2 * len(early) // 3 :]


def _columns(x: Any, names: tuple[str, ...]) -> Any:
    return x[:, [NAMES.index(name) for name in names]]


def _chances(raw: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(raw / 2.0))


def judge(folder: Path, world: str, debtors: int, sizes: list[int], targets: list[str]) -> dict[str, Any]:
    """Return the figures of targets, and what is claimed of hours."""
    history, attempts = read_history(folder), read_attempts(folder)
    found = features(history, attempts.asked(history))
    oracle = oracle_of(folder, world, history, attempts)
    truth = truth_of(folder, attempts.phone, attempts.person, attempts.decided_us)
    first, last = attempts.decided_us[0], attempts.decided_us[-1]
    early = attempts.decided_us < first + 0.6 * (last - first)
    told: dict[str, Any] = {"calls": len(early), "people": len(history.person), "learned_from": int(early.sum())}
    for target in targets:
        of = TARGETS.index(target)
        y = attempts.answered if target == "answered" else attempts.right_party
        weight = attempts.weight() if target == "right_party" else np.ones(len(y))
        calls = Calls(found.values, attempts.person, attempts.decided_us, y, weight, truth[:, of], oracle[:, of], early)
        told[target] = judge_target(calls, sizes if target == "answered" else [])
        if target == "answered":
            told["claims"] = claims(folder, history, calls, attempts, world, debtors)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--agents", type=int, default=22)
    parser.add_argument("--world", default="default")
    parser.add_argument("--at-random", type=int, default=0, metavar="CALLS", help="so many each, without a floor")
    parser.add_argument("--sizes", type=int, nargs="*", default=[20_000, 60_000, 150_000], metavar="CALLS")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--folder", help="keep the simulated month here; one that is there is used again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(options.folder or made)
        if not (folder / "truth.parquet").exists():
            if options.at_random:
                make_at_random(folder, options.world, options.debtors, options.days, options.at_random)
            else:
                make(folder, options.world, options.debtors, options.days, options.agents)
        told = judge(folder, options.world, options.debtors, options.sizes, options.targets)
    print(json.dumps(vars(options) | told, indent=2))


if __name__ == "__main__":
    main()
