"""Who pays all without a contact: against the truth of a world, and by the commands alone to a strategy's segment."""

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from benchmarks.self_cure import judged, placed
from console.main import app
from domain.instants import to_datetime
from ledger.schema import debt, score_person
from ledger.store import open_ledger
from models.registry import Registry
from simulation.population import load
from simulation.trial import Plan

# Placements are drawn, and a head is fitted, before the first test.
pytestmark = pytest.mark.timeout(900)

WINDOW = 10
PLAN = Plan(past_days=1, spread_days=6, horizon_days=WINDOW, calls_per_week=1.0)
#: Most of those whose debts are fresh pay all of them soon, whatever is done, and hardly anybody of the others.
WORLD = """base = "default"
about = "who pays anyway shows in the age of the debt"
[responses.lost_cause]
share = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
[responses.negative]
share = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
[responses.persuadable]
share = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
[responses.sure_thing]
share = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
[payment]
self_cure_per_day = [0.23, 0.23, 0.23, 0.23, 0.02, 0.02]
by_ability = 0.1
by_willingness = 0.1
by_balance = 0.0
payday_factor = 1.0
weekdays = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
p_full = 0.97
"""


def cadencia(folder: Path, *words: str, status: int = 0) -> Any:
    done = CliRunner().invoke(app, [*words, "-C", str(folder), "--json"], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder whose head is champion, beside what it learned from."""
    home = tmp_path_factory.mktemp("cure")
    (home / "world.toml").write_text(WORLD)
    placed(home / "export", load(home / "world.toml"), PLAN, range(4), 450, 9)
    CliRunner().invoke(app, ["init", str(home / "desk")], catch_exceptions=False)
    words = ("--head", "cure", "--days", str(WINDOW), "--history", str(home / "export"), "--workers", "1")
    (made,) = cadencia(home / "desk", "models", "fit", *words)["made"]
    passed = {one["name"]: one["passed"] for one in made["judged"]["verdict"]["checks"]}
    assert passed["base rate"], made["judged"]["verdict"]
    assert passed["rank"], made["judged"]["verdict"]
    cadencia(home / "desk", "models", "promote", "cure", "--despite", "a short record")
    return home


def test_debtors_never_seen_do_what_is_said_of_them(home: Path) -> None:
    drawn = placed(home / "unseen", load(home / "world.toml"), PLAN, range(4, 6), 600, 9)
    found = judged(Registry(home / "desk" / "trained").load("cure"), home / "unseen", WINDOW, drawn)
    assert found["left_alone"] > 250
    assert found["ece_against_truth"] < 0.05
    assert found["ece"] < found["ece_by_chance"] + 0.05
    assert found["said"] == pytest.approx(found["truth"], abs=0.04)
    # The world knows of each person what no record tells.
    assert found["auc"] > found["auc_of_the_truth"] - 0.05
    assert found["auc_of_the_truth"] > 0.85
    assert found["no_call"]["rows"] > 100
    assert found["no_call"]["truth"] == pytest.approx(found["no_call"]["said"], abs=0.05)


def test_who_pays_anyway_is_in_the_segment_that_is_not_called(home: Path) -> None:
    """Of a portfolio that came this morning, fresh debts and old ones."""
    desk, today = home / "desk", to_datetime(time.time_ns() // 1000, "UTC").date()
    ages = {f"{kind}-{n}": days for kind, days in (("fresh", 70), ("old", 250)) for n in range(30)}
    lines = ["creditor,account,name,phone1,country,balance,currency,due_date"]
    for n, (account, days) in enumerate(ages.items()):
        due = today - timedelta(days=days + n % 30)
        lines.append(f"Bank,{account},A,6001{n:05d},ES,{100 + 13 * n}.00,EUR,{due.isoformat()}")
    (home / "accounts.csv").write_text("\n".join(lines) + "\n")
    cadencia(desk, "import", str(home / "accounts.csv"))
    before = cadencia(desk, "strategy", "show", "model")["counts"]["segments"]
    assert next(one["accounts"] for one in before if one["segment"] == "pays_anyway") == 0
    made = cadencia(desk, "models", "score")
    assert made["set"]["people"] == 60
    with open_ledger(f"sqlite:///{desk / 'ledger.db'}") as ledger, ledger.reading() as connection:
        rows = connection.execute(select(debt.c.account, score_person.c.p_self_cure).join(
            score_person, score_person.c.person == debt.c.person
        )).all()  # fmt: skip
    said = {one.account: one.p_self_cure for one in rows}
    surely = {account for account, p in said.items() if p >= 0.8}
    assert all((account in surely) == account.startswith("fresh") for account in ages), said
    counts = cadencia(desk, "strategy", "show", "model")["counts"]["segments"]
    (found,) = (one for one in counts if one["segment"] == "pays_anyway")
    assert found["accounts"] == len(surely)
    told = cadencia(desk, "models", "explain", "--head", "cure", "--who", "fresh-3")
    assert told["rows"][0]["p"] == pytest.approx(said["fresh-3"], abs=0.01)
