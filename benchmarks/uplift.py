"""Whether models find whom a contact moves: a randomised trial on a world whose truth is known.

    python -m benchmarks.uplift [--debtors 200000] [--world default] [--past 60] [--folder DIR] [--plot FILE]

Debtors have a past of calls, messages, promises and payments; on a day, a conversation or none by lot; then a month.
What a ledger would know is written as its export (kept in `--folder` and used again), and models learn from that alone:
from 20,000 debtors up. They are judged on debtors they never saw, by the truth: Qini of the effect on paying, and of
the value in money. Beside them: the oracle that knows the world's own effect given everything, latent kind of response
included; a reader of the features who was shown the true effect, without any luck, of as many debtors: about the best
that can be known of features; and ranking by balance alone. Prints one JSON object.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import lightgbm
import msgspec
import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from domain.instants import parse
from models import heads, uplift
from models.decisions import Decisions
from models.feature_list import FEATURES, NAMES
from models.features import CATEGORIES, features, tallies, usual_of
from models.history import read_history
from models.metrics import auc, ece, ece_by_chance, log_loss
from simulation.population import load
from simulation.trial import Plan, draw

F8 = NDArray[np.float64]
START_US: Final = parse("2026-03-02T17:00:00Z")
SIZES: Final = (20_000, 50_000, 100_000, 200_000)
#: Parts of PART people that judge.
HELD_OUT: Final = 4
#: About how many people of a part the lot falls on: the others have paid, or asked to be left alone.
_OF_A_PART: Final = 7_000
SEED: Final = 1


def made(world: str, part: int, folder: Path, plan: Plan) -> Path:
    """Draw a part of the trial into a folder, unless it is there, and its rows beside it."""
    home = folder / f"part-{part}"
    if not (home / "lot.npz").exists():
        drawn = draw(load(world), plan, SEED, START_US, part)
        home.mkdir(parents=True, exist_ok=True)
        for name, table in drawn.tables.items():
            pyarrow.parquet.write_table(table, home / f"{name}.parquet", compression="zstd")
        told = ("person", "at_us", "action", "p_action", "p_pay", "paid", "kind", "price")
        np.savez(home / "lot.npz", **{name: getattr(drawn, name) for name in told})
    if not (home / "rows.npz").exists():
        lot = np.load(home / "lot.npz")
        history = read_history(home)
        decisions = Decisions(lot["person"], lot["at_us"], lot["action"], lot["p_action"], tuple(plan.actions))
        rows, paid_minor = heads.payment(history, decisions, plan.horizon_days)
        usual = usual_of([tallies(history)])
        found = features(history, rows.asked, usual)
        owed = heads.owed_minor(history, found, rows.asked, usual) / lot["price"][rows.place]
        at = rows.place
        np.savez(
            home / "rows.npz", x=found.values, y=rows.y, paid=paid_minor / lot["price"][at], owed=owed,
            true_p=lot["p_pay"][at], true_paid=lot["paid"][at],
            **{name: lot[name][at] for name in ("person", "action", "p_action", "kind")},
        )  # fmt: skip
    return home


class Sample:
    """Rows of some parts."""

    def __init__(self, homes: Sequence[Path]) -> None:
        parts = [np.load(home / "rows.npz") for home in homes]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0].files}
        #: What is never told of a decision without a number is left out.
        self.names = [one.name for one in FEATURES if one.group not in ("own", "number") and one.name != "line_type"]
        self.x: Any = columns["x"][:, [NAMES.index(name) for name in self.names]]
        self.y, self.paid, self.owed = columns["y"], columns["paid"], columns["owed"]
        self.treated = (columns["action"] > 0).astype(np.float64)
        self.p_treated = np.where(columns["action"] > 0, columns["p_action"], 1.0 - columns["p_action"])
        self.person, self.kind = columns["person"], columns["kind"]
        self.effect = columns["true_p"][:, 1] - columns["true_p"][:, 0]
        self.true_p = columns["true_p"]
        self.worth = columns["true_paid"][:, 1] - columns["true_paid"][:, 0]

    def rows(self, n: int | None = None) -> uplift.Rows:
        some = slice(0, n)
        categories = tuple(self.names.index(name) for name in CATEGORIES if name in self.names)
        return uplift.Rows(
            x=self.x[some], treated=self.treated[some], p_treated=self.p_treated[some], y=self.y[some],
            group=self.person[some], categories=categories,
        )  # fmt: skip


def qini(gain: F8, score: F8) -> float:
    """Return the area between the curve of true gains and contacting at random, per row."""
    order = np.argsort(-score, kind="stable")
    curve = np.append(0.0, np.cumsum(gain[order])) / len(gain)
    return float(np.trapezoid(curve, dx=1.0 / len(gain)) - curve[-1] / 2)


def curve(gain: F8, score: F8, points: int = 41) -> list[float]:
    order = np.argsort(-score, kind="stable")
    running = np.append(0.0, np.cumsum(gain[order])) / len(gain)
    return [
        round(float(one), 6) for one in np.interp(np.linspace(0, len(gain), points), np.arange(len(running)), running)
    ]


def reader(sample: Sample, n: int, unseen: Sample) -> F8:
    """Return effects by who was shown the true effects of n debtors, and sees the features alone of the unseen."""
    rows = sample.rows(n)
    settings = {
        "objective": "regression", "num_leaves": 31, "min_data_in_leaf": 100, "learning_rate": 0.05, "lambda_l2": 1.0,
        "feature_fraction": 0.7, "bagging_fraction": 0.8, "bagging_freq": 1, "verbosity": -1, "num_threads": 1,
        "deterministic": True, "force_col_wise": True, "seed": SEED,
    }  # fmt: skip
    data = lightgbm.Dataset(rows.x, sample.effect[:n], categorical_feature=list(rows.categories))
    return np.asarray(lightgbm.train(settings, data, 300).predict(unseen.x, num_threads=1))


def amounts(sample: Sample, n: int, unseen: Sample) -> F8:
    """Return the share of the balance that a payment settles, by who saw n debtors."""
    rows = sample.rows(n)
    paying = rows.y > 0.0
    share = np.minimum(sample.paid[:n][paying] / np.maximum(sample.owed[:n][paying], 1e-9), 1.0)
    return uplift.fit_amount(rows.x[paying], share, rows.categories)(unseen.x)


def judged(sample: Sample, n: int) -> dict[str, Any]:
    """Return what the data themselves say of the learners, as an analyst has it who knows no truth."""
    rows = sample.rows(n)
    m1, m0 = uplift.nuisance(rows, uplift.two_arms)
    p = np.where(rows.treated > 0.5, m1, m0)
    told = {learner: uplift.unseen_effects(rows, learner) for learner in uplift.LEARNERS}
    order = uplift.compare(told, rows, rows.p_treated * m1 + (1.0 - rows.p_treated) * m0)
    chosen = uplift.choose(order)
    borne_out = uplift.shown(told[chosen], uplift.robust(rows, m1, m0), rows.group)
    base = np.full(len(p), rows.y.mean())
    return {
        "debtors": n,
        "qini": {
            one.learner: {"value": one.qini, "behind_the_best": one.behind} for one in order
        },
        "chosen": chosen,
        "shown": borne_out,
        "payment": {
            "rate": float(rows.y.mean()), "ece": ece(rows.y, p),
            "ece_by_chance": ece_by_chance(p, np.ones(len(p)), 50),
            "ece_of_arms": [ece(rows.y[arm], p[arm]) for arm in (rows.treated < 0.5, rows.treated > 0.5)],
            "auc": auc(rows.y, p), "log_loss": log_loss(rows.y, p), "log_loss_of_rate": log_loss(rows.y, base),
        },
    }  # fmt: skip


def recommended(unseen: Sample, worth: F8, cost: float) -> dict[str, Any]:
    """Return what comes of contacting whoever is worth it, by the truth, per debtor and in units of account."""
    true = unseen.worth - cost
    chosen = worth > 0.0
    return {
        "share": float(chosen.mean()), "gain": float((true * chosen).mean()), "gain_of_all": float(true.mean()),
        "gain_of_oracle": float(np.maximum(true, 0.0).mean()),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=200_000, help="that learn; the lot fell on so many")
    parser.add_argument("--world", default="default")
    parser.add_argument("--past", type=int, default=Plan().past_days, help="days of calls before the lot")
    parser.add_argument("--folder", help="keep what is drawn here")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--learners", default=",".join(uplift.LEARNERS))
    parser.add_argument("--cost", type=float, default=15.0, help="of a conversation, in units of account")
    parser.add_argument("--judge", type=int, default=100_000, help="debtors by whom learners are compared")
    parser.add_argument("--plot", help="write the curves here, as SVG")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as drawn:
        told = _run(options, Path(options.folder or drawn))
    print(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())


def _run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    plan = Plan(past_days=options.past)
    learners: list[Any] = options.learners.split(",")
    need = HELD_OUT + -(-options.debtors // _OF_A_PART)
    homes: list[Path] = []
    with ProcessPoolExecutor(options.processes) as pool:
        for home in pool.map(made, *zip(*((options.world, part, folder, plan) for part in range(need)), strict=True)):
            homes.append(home)
            print(f"drawn {len(homes)} of {need}", file=sys.stderr)
    sample, unseen = Sample(homes[:-HELD_OUT]), Sample(homes[-HELD_OUT:])
    sizes = [n for n in SIZES if n < options.debtors] + [min(options.debtors, len(sample.y))]
    best = {"effect": qini(unseen.effect, unseen.effect), "value": qini(unseen.worth, unseen.worth)}
    told: dict[str, Any] = {
        "world": options.world, "past_days": plan.past_days, "held_out": len(unseen.y),
        "mean_effect": float(unseen.effect.mean()),
        "oracle": best, "balance_alone": _share(qini(unseen.worth, unseen.owed), best["value"]), "curve": [],
    }  # fmt: skip
    print(json.dumps(told), file=sys.stderr)
    lines: dict[str, F8] = {}
    for n in sizes:
        rows, amount = sample.rows(n), amounts(sample, n, unseen)
        effects = {"reader": reader(sample, n, unseen)}
        effects |= {learner: uplift.learn(rows, learner).predict(unseen.x) for learner in learners}
        found = {
            name: (qini(unseen.effect, one), qini(unseen.worth, uplift.value(one, amount, unseen.owed, 0.0)))
            for name, one in effects.items()
        }
        top = found["reader"]
        told["curve"].append({"debtors": n} | {
            name: {
                "effect": _share(one[0], best["effect"]), "value": _share(one[1], best["value"]),
                "effect_of_reader": _share(one[0], top[0]), "value_of_reader": _share(one[1], top[1]),
            }
            for name, one in found.items()
        })  # fmt: skip
        lines = effects
        print(json.dumps(told["curve"][-1]), file=sys.stderr)
    told["judged_without_truth"] = found_out = judged(sample, min(options.judge, sizes[-1]))
    borne_out: uplift.Shown = found_out["shown"]
    chosen = found_out["chosen"]
    effect = lines.get(chosen, lines[learners[0]])
    worth = uplift.value(borne_out(effect), amount, unseen.owed, options.cost)
    told["recommended"] = recommended(unseen, worth, options.cost)
    if options.plot:
        plot(Path(options.plot), unseen, effect, lines["reader"], amount)
    return told


def plot(path: Path, unseen: Sample, effect: F8, by_features: F8, amount: F8) -> None:
    """Draw the gain in payers, and in money, of contacting the best first."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    for axes, gain, scores, word in (
        (figure.add_subplot(1, 2, 1), unseen.effect, (unseen.effect, by_features, effect), "more payers per debtor"),
        (
            figure.add_subplot(1, 2, 2), unseen.worth,
            (unseen.worth, by_features * amount * unseen.owed, effect * amount * unseen.owed),
            "more money per debtor, units of account",
        ),
    ):  # fmt: skip
        names = ("oracle that knows everything", "shown the truth, sees features", "learned from outcomes")
        for score, name in zip(scores, names, strict=True):
            axes.plot(np.linspace(0.0, 1.0, 41), curve(gain, score), label=name)
        axes.plot((0.0, 1.0), (0.0, gain.mean()), color="0.6", label="at random")
        axes.set_xlabel("share contacted, the best first")
        axes.set_ylabel(word)
    figure.axes[0].legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def _share(one: float, of: float) -> float | None:
    return round(one / of, 4) if of > 0.0 else None


if __name__ == "__main__":
    main()
