"""How well a ledger tells who pays all without a contact: against what came, and against the truth of a world.

    python -m benchmarks.self_cure [--debtors 40000] [--days 30] [--world default]

Placements of debtors come two weeks apart, each with calls, messages, promises and payments, and a conversation or none
by lot (`simulation.trial`). The head `cure` learns from all but the last two by the way of `cadencia models fit`, and
says of everybody on whom the lot fell in those, as if left alone, what the world knows. Prints one JSON object.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow
import pyarrow.parquet

from benchmarks.scoring import START_US, decisions_of
from domain.instants import DAY
from models import lessons
from models.decisions import NONE
from models.lessons import read_record
from models.metrics import auc, ece, ece_by_chance, log_loss
from models.registry import Model, Registry
from models.training import train
from simulation.population import Laws, load
from simulation.trial import Drawn, Plan, draw

pa: Any = pyarrow
pq: Any = pyarrow.parquet
HEAD: Final = "cure"
EVERY_DAYS: Final = 14
#: The last ones judge.
JUDGES: Final = 2
#: Score from which on nobody need call, as `config/strategies/model.toml` has it.
NO_CALL: Final = 0.8


def placed(folder: Path, laws: Laws, plan: Plan, placements: Sequence[int], n: int, every_days: int) -> list[Drawn]:
    """Write the export of some placements of n debtors each, which come so many days apart."""
    drawn = [draw(laws, plan, 1, START_US + part * every_days * DAY, part, n) for part in placements]
    folder.mkdir(parents=True, exist_ok=True)
    for name in drawn[0].tables:
        pq.write_table(pa.concat_tables([one.tables[name] for one in drawn]), folder / f"{name}.parquet")
    pq.write_table(pa.concat_tables([decisions_of(one, plan) for one in drawn]), folder / "decisions.parquet")
    return drawn


def learned(export: Path, days: int, registry: Registry) -> Model:
    """Return the model of an export's decisions, as `cadencia models fit` makes it."""
    lesson = lessons.lesson(read_record(export), HEAD, payment_days=days)
    made, _ = train(lessons.table_of(lesson), registry, made_at="", versions={})
    return registry.load(HEAD, made.version)


def judged(model: Model, export: Path, days: int, drawn: Sequence[Drawn]) -> dict[str, Any]:
    """Return what a model is worth on debtors whom it never saw, all of them scored as if left alone."""
    rows = lessons.lesson(read_record(export), HEAD, payment_days=days).source
    alone = np.array(rows.column("action").to_pylist(), object) == NONE
    place = rows.schema.get_field_index("action")
    said = model.predict(model.encoding.matrix(rows.set_column(place, "action", pa.array([NONE] * len(rows))), "rows"))
    truth = dict(
        zip(
            np.concatenate([one.person for one in drawn]).tolist(),
            np.concatenate([one.p_self_cure for one in drawn]).tolist(),
            strict=True,
        )
    )
    true = np.array([truth[person] for person in rows.column("person").to_pylist()])
    y = np.asarray(rows.column("y"))[alone]
    surely = said >= NO_CALL
    return {
        "rows": len(rows), "left_alone": int(alone.sum()), "cured": float(y.mean()),
        "said": float(said[alone].mean()), "truth": float(true[alone].mean()),
        "ece": ece(y, said[alone]), "ece_by_chance": ece_by_chance(said[alone], np.ones(len(y)), 100),
        # Free of the luck of those who judge.
        "ece_against_truth": ece(true, said),
        "auc": auc(y, said[alone]), "auc_of_the_truth": auc(y, true[alone]),
        "log_loss": log_loss(y, said[alone]), "log_loss_of_rate": log_loss(y, np.full(len(y), y.mean())),
        "no_call": {
            "rows": int(surely.sum()), "said": float(said[surely].mean()) if surely.any() else None,
            "truth": float(true[surely].mean()) if surely.any() else None,
        },
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=40_000, help="that come, those who judge included")
    parser.add_argument("--placements", type=int, default=12)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--world", default="default")
    options = parser.parse_args()
    laws, n = load(options.world), options.debtors // options.placements
    plan = Plan(past_days=30, spread_days=28, horizon_days=options.days)
    last = options.placements - JUDGES
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        placed(home / "learn", laws, plan, range(last), n, EVERY_DAYS)
        drawn = placed(home / "judge", laws, plan, range(last, options.placements), n, EVERY_DAYS)
        model = learned(home / "learn", options.days, Registry(home / "registry"))
        found = judged(model, home / "judge", options.days, drawn)
    print(json.dumps({"days": options.days, "learned_from": model.manifest.data.rows} | found, indent=1))


if __name__ == "__main__":
    main()
