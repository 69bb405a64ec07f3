"""A simulated month leaves a record that models read, in a ledger and as an export alone."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from domain.calls import Mode
from domain.errors import BadInput
from domain.events import LeadsLoaded
from domain.instants import midnight_us
from domain.settings import CampaignSettings, FloorSettings, Selection
from ledger.memory import MemoryLedger
from ledger.parquet import export_parquet
from ledger.store import open_ledger
from models.features import everybody, features, tallies
from models.history import History, read_history
from models.reach import Attempts, read_attempts
from simulation.books import book_month, export_month
from simulation.month import Arm, Plan
from simulation.outcome import Outcome
from simulation.roster import Roster, Shift

CAMPAIGN = CampaignSettings(name="c", mode=Mode.predictive, caller_ids={"*": ("+34910000000",)})
ARM = Arm(name="a", floor=FloorSettings(campaigns=(CAMPAIGN,)))
PLAN = Plan(
    world="bank_early", debtors=400, start="2026-11-16", days=3,
    roster=Roster(shift=(Shift(agents=5, begin="15:00", end="17:30"),), absence=0.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("month")
    return folder, export_month(ARM, PLAN, 7, folder)


def test_the_export_tells_what_the_month_came_to(month: tuple[Path, Outcome]) -> None:
    folder, outcome = month
    lines = pq.read_table(folder / "history.parquet").to_pylist()
    events = [one["event"] for one in lines]
    assert events.count("dialed") - events.count("not_dialled") == outcome.total("attempts") > 300
    paid = [one["amount_minor"] for one in lines if one["event"] == "payment"]
    assert sum(paid) == sum(one.paid_minor for one in outcome.money) > 0
    agreed = [one for one in lines if one["event"] in ("promise", "plan")]
    assert events.count("promise") == outcome.total("promises") > 3
    assert all(one["due_on"] > one["event_at"].date() for one in agreed)
    assert events.count("assigned") == pq.read_table(folder / "debts.parquet").num_rows >= 400
    assert all(one["event_at"] <= one["known_at"] for one in lines)


@pytest.mark.parametrize("kind", ["sqlite", "memory"])
def test_a_ledger_of_the_month_holds_the_same_history(month: tuple[Path, Outcome], tmp_path: Path, kind: str) -> None:
    folder, outcome = month
    ledger = MemoryLedger() if kind == "memory" else open_ledger(f"sqlite:///{tmp_path}/month.db")
    with ledger:
        found = book_month(ARM, PLAN, 7, ledger)
        export_parquet(ledger, tmp_path)
        checked = ledger.verify()
        # Whoever begins to work on it folds the lists too.
        assert sum(len(row.record.leads) for row in ledger.read("floor") if isinstance(row.record, LeadsLoaded)) >= 300
    assert found == outcome

    def told(where: Path, name: str) -> list[dict[str, Any]]:
        return sorted(pq.read_table(where / f"{name}.parquet").to_pylist(), key=repr)

    for name in ("history", "debtors", "numbers", "debts"):
        assert told(tmp_path, name) == told(folder, name)
    assert [one.broken for one in checked] == [""]
    balances = pq.read_table(tmp_path / "balances.parquet").to_pylist()
    last = {one["debt"]: one["balance_minor"] for one in balances}
    owed = sum(one["balance_minor"] for one in balances if one["why"] == "import")
    assert owed - sum(last.values()) == sum(one.paid_minor for one in outcome.money)


@pytest.fixture(scope="module")
def read(month: tuple[Path, Outcome]) -> tuple[History, Attempts]:
    return read_history(month[0]), read_attempts(month[0])


def test_every_call_has_what_was_known_before_it(read: tuple[History, Attempts]) -> None:
    history, attempts = read
    found = features(history, attempts.asked(history))
    assert len(found.values) > 300
    assert history.n_strangers == 0
    # The n-th call of a number finds the calls before it, and none else.
    order: dict[int, int] = {}
    for phone, tries in zip(attempts.phone.tolist(), found.column("number_tries").tolist(), strict=True):
        assert tries <= order.get(phone, 0) + 2  # and what says nothing of who answers
        order[phone] = order.get(phone, 0) + 1
    assert found.column("debts_open").min() >= 1
    assert 0.02 < attempts.answered.mean() < 0.4
    assert found.column("tries").max() > 1
    # The priors counted what was there.
    assert tallies(history).calls.sum() <= len(history.lines.kind)


def test_serving_asks_about_everybody_tomorrow(read: tuple[History, Attempts]) -> None:
    history, _ = read
    tomorrow = midnight_us(date(2026, 11, 19), "UTC")
    asked = everybody(history, tomorrow, numbers=1)
    found = features(history, asked)
    assert found.person.tolist() == history.person.tolist()
    assert np.isfinite(found.column("number_lift")).all()
    assert found.column("calls_7d").sum() > 300


def test_a_month_that_fails_leaves_no_history(tmp_path: Path) -> None:
    nobody = replace(CAMPAIGN, selection=Selection(countries=("IS",)))
    with pytest.raises(BadInput, match="on the list"):
        export_month(Arm(name="a", floor=FloorSettings(campaigns=(nobody,))), PLAN, 7, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["debtors.parquet", "debts.parquet", "numbers.parquet"]
