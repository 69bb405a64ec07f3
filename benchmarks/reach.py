"""How near a model of reach comes to the truth of a simulated month, and what keeping the hour apart costs it.

    python -m benchmarks.reach [--debtors 20000] [--days 28] [--agents 22] [--world default] [--trees 300]
                               [--at-random CALLS] [--folder DIR]

A month with the whole engine is written as an export (kept in `--folder`, and used again where it is there); every call
becomes a row with what was known just before it. Models learn from the first three fifths of the days and are judged by
the last two. Beside them: the world's own chance of each call (who knows everybody's traits and what every call does to
them), and the oracle, which knows the world's laws and the same history but nobody's traits (`benchmarks.oracle`).
Prints one JSON object.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow
import pyarrow.parquet

from benchmarks.oracle import Line, Oracle, Try
from domain.calls import Mode
from domain.instants import DAY, HOUR, SECOND, from_datetime, parse, to_datetime
from domain.settings import CampaignSettings, FloorSettings
from ledger.parquet_own import HistoryFile, write_people
from models.feature_list import FEATURES, NAMES
from models.features import CATEGORIES, features
from models.history import History, read_history
from models.metrics import auc, log_loss
from models.reach import Attempts, read_attempts
from models.slots import OF_THE_DAY, constraints
from simulation.books import export_month
from simulation.callees import (
    BUSY,
    CONGESTION,
    NETWORK_FAIL,
    NO_ANSWER,
    NOT_IN_SERVICE,
    REJECTED,
    Callees,
    Meeting,
)
from simulation.chance import Chance
from simulation.month import Arm, Plan
from simulation.population import Debtors, load, portfolio
from simulation.population.traits import stage_of, zone_of
from simulation.roster import Roster, Shift

pa: Any = pyarrow
pq: Any = pyarrow.parquet


class Watched:
    """Callees whose true chances are written down before each call."""

    def __init__(self, callees: Callees) -> None:
        assert isinstance(callees, Debtors)
        self._callees = callees
        self.rows: list[tuple[int, int, float, dict[int, float]]] = []

    def dial(self, phone: int, at_us: int) -> Meeting:
        self.rows.append((phone, at_us, *self._callees.chance_now(phone, at_us)))
        return self._callees.dial(phone, at_us)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._callees, name)


def make(folder: Path, world: str, debtors: int, days: int, agents: int) -> None:
    """Simulate a month, and write its export and the truth of its calls beside."""
    campaign = CampaignSettings(
        name="a", mode=Mode.predictive, detect_machines=True, clock_starts="greeting_end",
        caller_ids={"*": ("+34910000000",)},
    )  # fmt: skip
    floor = FloorSettings(campaigns=(campaign,), max_lines=10 * agents)
    shifts = (
        Shift(agents=agents // 2, begin="08:00", end="15:00"),
        Shift(agents=agents // 2, begin="14:00", end="21:00"),
    )
    plan = Plan(world=world, debtors=debtors, start="2026-11-02", days=days, roster=Roster(shift=shifts, absence=0.0))
    seen: list[Watched] = []

    def watch(callees: Callees, _: Chance) -> Callees:
        seen.append(Watched(callees))
        return seen[0]

    folder.mkdir(parents=True, exist_ok=True)
    export_month(Arm(name="a", floor=floor), plan, 1, folder, meets=watch)
    _keep_truth(folder, seen[0].rows)


def _keep_truth(folder: Path, rows: list[tuple[int, int, float, dict[int, float]]]) -> None:
    told = {
        "phone": [row[0] for row in rows],
        "at_us": [row[1] for row in rows],
        "p_answered": [row[2] for row in rows],
        "p_right": [list(row[3].items()) for row in rows],
    }
    kinds = {
        "phone": pa.int64(),
        "at_us": pa.int64(),
        "p_answered": pa.float64(),
        "p_right": pa.map_(pa.int64(), pa.float64()),
    }
    pq.write_table(pa.table(told, schema=pa.schema(kinds)), folder / "truth.parquet")


#: What a line of the history says of a call that nobody took.
_MISSED = {
    NO_ANSWER: ("no_answer", "no_answer"), BUSY: ("busy", "busy"), REJECTED: ("no_answer", "rejected"),
    CONGESTION: ("network_fail", "network_fail"), NETWORK_FAIL: ("network_fail", "network_fail"),
    NOT_IN_SERVICE: ("not_in_service", "not_in_service"),
}  # fmt: skip
_TAKEN = {
    "debtor": ("right_party_contact", "no_promise"), "third_party": ("third_party", "third_party"),
    "wrong_party": ("wrong_party", "wrong_party"), "machine": ("amd_machine", "machine"),
}  # fmt: skip


def make_at_random(folder: Path, world: str, debtors: int, days: int, calls: int) -> None:
    """Call everybody so many times, at instants that nothing chose, on numbers that nothing chose."""
    laws, start_us = load(world), parse("2026-11-02T00:00:00Z")
    people = list(portfolio(laws, debtors, 1, start_us))
    watched = Watched(Debtors(laws, Chance(1), start_us=start_us))
    watched.meet(people)
    folder.mkdir(parents=True, exist_ok=True)
    write_people(people, folder, start_us)
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(debtors), calls)
    # From 8 to 21 h where they live.
    ahead = [to_datetime(start_us, zone_of(one)).utcoffset() or timedelta() for one in people]
    offset_us = np.array([one // timedelta(microseconds=1) for one in ahead])
    local_us = start_us + rng.integers(0, days, len(who)) * DAY + rng.integers(8 * HOUR, 21 * HOUR, len(who))
    at_us = local_us - offset_us[who]
    order = np.argsort(at_us, kind="stable")
    file = HistoryFile(folder)
    for nth, (row, now_us) in enumerate(zip(who[order].tolist(), at_us[order].tolist(), strict=True)):
        one = people[row]
        phone = one.phones[0 if rng.random() < 0.7 else rng.integers(0, len(one.phones))].phone
        meeting = watched.dial(phone, now_us)
        event, detail = _TAKEN[meeting.who] if meeting.fate is None else _MISSED[meeting.fate]
        if event == "right_party_contact" and meeting.person != one.person:
            event, detail = "third_party", "third_party"
        line = {
            "event_us": now_us, "known_us": now_us, "person": one.person, "phone": phone, "campaign": "a",
            "channel": "call", "event": "dialed", "attempt": f"floor-{nth}", "detail": "",
        }  # fmt: skip
        ended_us = now_us + 40 * SECOND
        file.add([line, line | {"event_us": ended_us, "known_us": ended_us, "event": event, "detail": detail}])
    file.close(whole=True)
    _keep_truth(folder, watched.rows)


def truth_of(folder: Path, phone: Any, person: Any, decided_us: Any) -> Any:
    """Return the true chances of calls that a person answers, that the debtor does, (calls, 2)."""
    table = pq.read_table(folder / "truth.parquet").to_pydict()
    by_phone: dict[int, list[int]] = {}
    for row, one in enumerate(table["phone"]):
        by_phone.setdefault(one, []).append(row)
    at = np.array(table["at_us"])
    found = np.empty((len(phone), 2))
    for nth, (one, of, decided) in enumerate(zip(phone.tolist(), person.tolist(), decided_us.tolist(), strict=True)):
        rows = by_phone[one]
        # The call left just after it was decided.
        row = rows[int(np.searchsorted(at[rows], decided))]
        assert 0 <= at[row] - decided < 5_000_000
        found[nth] = table["p_answered"][row], dict(table["p_right"][row]).get(of, 0.0)
    return found


def oracle_of(folder: Path, world: str, history: History, attempts: Attempts) -> Any:
    """Return what the oracle says of calls: that a person answers, that the debtor does, (calls, 2)."""
    laws = load(world)
    table = pq.read_table(folder / "history.parquet").to_pylist()
    ends = {one["attempt"]: one for one in table if one["channel"] == "call" and one["event"] != "dialed"}
    skipped = {one["attempt"] for one in table if one["event"] == "not_dialled"}
    began = min(one["known_at"] for one in table).date()
    due: dict[int, date] = {}
    for one in pq.read_table(folder / "debts.parquet").to_pylist():
        due[one["person"]] = min(due.get(one["person"], date.max), one["due_on"] or began)
    stage = {person: stage_of(laws, (began - day).days) for person, day in due.items()}
    numbers = pq.read_table(folder / "numbers.parquet").to_pylist()
    residents = Counter(one["phone"] for one in numbers)
    further: dict[int, bool] = {}
    for one in numbers:  # whoever is met first has it first
        further.setdefault(one["phone"], one["rank"] > 0)
    lines = {
        one["phone"]: Line(
            one["line_type"] in ("mobile", "fixed_or_mobile"), further[one["phone"]], residents[one["phone"]]
        )
        for one in numbers
    }
    tries, keys = [], []
    for one in table:
        if one["event"] != "dialed" or one["attempt"] in skipped:
            continue
        zone = history.zones[history.clock[history.rows_of(np.array([one["person"]]))[0]]]
        local = one["known_at"].astimezone(ZoneInfo(zone))
        end = ends.get(one["attempt"], {"event": "dialed", "detail": "unknown"})
        when = local.hour, local.weekday(), local.toordinal()
        tries.append(Try(one["person"], one["phone"], *when, end["event"], end["detail"]))
        keys.append((one["phone"], from_datetime(one["known_at"])))
    said = dict(zip(keys, Oracle(laws, stage, lines).predict(tries), strict=True))
    calls = zip(attempts.phone.tolist(), attempts.decided_us.tolist(), strict=True)
    return np.array([said[key] for key in calls])


PARAMS: dict[str, Any] = {
    "objective": "binary", "verbose": -1, "num_leaves": 15, "learning_rate": 0.03, "min_data_in_leaf": 200,
    "lambda_l2": 10.0, "feature_fraction": 0.6, "bagging_fraction": 0.8, "bagging_freq": 1, "num_threads": 1,
    "deterministic": True, "force_col_wise": True, "seed": 1,
}  # fmt: skip


def params(names: list[str], *, apart: bool) -> dict[str, Any]:
    """Return how a model of reach is fitted; `apart`: so that it can be scored by slots."""
    of = {one.name: one for one in FEATURES}
    told = PARAMS | {"monotone_constraints": [of[name].reach for name in names]}
    if apart:
        # Few bins, small tables: every rhythm of a portfolio has a row in one.
        few = [{"rhythm": 6, "own": 16}.get(of[name].group, 255) for name in names]
        told |= {"interaction_constraints": constraints(names), "max_bin_by_feature": few}
    return told


def judge(folder: Path, world: str, trees: int) -> dict[str, Any]:
    """Fit models on the earlier days and judge them, the truth and the oracle by the later ones."""
    import lightgbm as lgb

    started = time.process_time()
    history = read_history(folder)
    attempts = read_attempts(folder)
    found = features(history, attempts.asked(history))
    features_cpu_s = time.process_time() - started
    started = time.process_time()
    weighed = oracle_of(folder, world, history, attempts)
    oracle_cpu_s = time.process_time() - started
    true = truth_of(folder, attempts.phone, attempts.person, attempts.decided_us)
    first, last = attempts.decided_us[0], attempts.decided_us[-1]
    early = attempts.decided_us < first + 0.6 * (last - first)
    told: dict[str, Any] = {
        "calls": len(found.values), "people": len(history.person), "learned_from": int(early.sum()),
        "judged_by": int((~early).sum()), "features_cpu_s": round(features_cpu_s, 1),
    }  # fmt: skip
    told["oracle_cpu_s"] = round(oracle_cpu_s, 1)
    for of, (target, y) in enumerate((("answered", attempts.answered), ("right_party", attempts.right_party))):
        known = y >= 0
        y_late = y[known & ~early].astype(np.float64)
        scores: dict[str, Any] = {"truth": true[known & ~early, of], "oracle": weighed[known & ~early, of]}
        for name, apart in (("free", False), ("apart", True)):
            started = time.process_time()
            names = [one for one in NAMES if not (apart and one in OF_THE_DAY)]
            x = found.values[:, [NAMES.index(one) for one in names]]
            data = lgb.Dataset(
                x[known & early], y[known & early], feature_name=names,
                categorical_feature=[] if apart else list(CATEGORIES),
            )  # fmt: skip
            booster = lgb.train(params(names, apart=apart), data, trees)
            scores[name] = booster.predict(x[known & ~early], num_threads=1)
            told[f"fit_{name}_cpu_s"] = round(time.process_time() - started, 1)
            if target == "answered":
                booster.save_model(folder / f"reach-{name}.txt")
        told[target] = {
            "rate": round(float(y_late.mean()), 4),
            "expected": {name: round(float(score.mean()), 4) for name, score in scores.items()},
            **{
                name: {"auc": round(auc(y_late, s), 4), "log_loss": round(log_loss(y_late, s), 4)}
                for name, s in scores.items()
            },
        }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debtors", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--agents", type=int, default=22)
    parser.add_argument("--world", default="default")
    parser.add_argument("--at-random", type=int, default=0, metavar="CALLS", help="so many each, without a floor")
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--folder", help="keep the simulated month here; one that is there is used again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(options.folder or made)
        if not (folder / "truth.parquet").exists():
            if options.at_random:
                make_at_random(folder, options.world, options.debtors, options.days, options.at_random)
            else:
                make(folder, options.world, options.debtors, options.days, options.agents)
        print(json.dumps(vars(options) | judge(folder, options.world, options.trees), indent=2))


if __name__ == "__main__":
    main()
