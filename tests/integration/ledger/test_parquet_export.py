"""The record as Parquet, of every kind of ledger: all of it, typed, and nobody's name."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, insert, select

from domain.calls import Disposition
from domain.errors import BadInput
from domain.events import Disposed
from domain.facts import Judged, PacingDecided
from domain.instants import SECOND
from domain.people import Verdict
from ledger import parquet
from ledger.decisions import put
from ledger.parquet import export_parquet
from ledger.schema import balance_history, handed, handover, history, payment
from ledger.store import SqlLedger
from strategy.listing import Decision
from tests.integration.ledger.scribe import NOW, Scribe, person, settle

PEOPLE = [person(1), person(2), person(3)]


def shift(ledger: SqlLedger) -> None:
    """A promise, a denial, a pacing decision, a payment."""
    settle(ledger, PEOPLE)
    scribe = Scribe()
    ledger.append(scribe.opened())
    (answer,) = ledger.append(scribe.reserve(PEOPLE[0]))
    ledger.append(scribe.talked(answer.call_id))
    said = Disposed(
        at_us=scribe.at_us + 6 * SECOND, agent="ana", call_id=answer.call_id, disposition=Disposition.promise,
        debt=100, amount_minor=500, currency="EUR", due_on="2026-12-01",
    )  # fmt: skip
    ledger.append(scribe.closed(answer.call_id, PEOPLE[0], Disposition.promise, said=said))
    ledger.append(
        scribe.rows(
            Judged(
                campaign="spring", person=2, phone=20,
                verdict=Verdict(allowed=False, rule="ES.hours", zones=("Europe/Madrid",), next_allowed_at_us=NOW + 1),
            ),
            PacingDecided(
                campaign="spring", dials=2, reason="budget", free=3, expected_free=3.5, expected_answers=0.5,
                budget_left=0.02, ringing=1, waiting=0,
            ),
        )
    )  # fmt: skip
    with ledger.writing() as connection:
        fact = {"event_us": NOW, "known_us": NOW + 1, "currency": "EUR"}
        connection.execute(
            insert(payment).values(fact | {"creditor": 1, "reference": "R1", "debt": 100, "amount_minor": 500})
        )
        connection.execute(
            insert(balance_history).values(fact | {"debt": 100, "balance_minor": 0, "state": "paid", "why": "payment"})
        )


def test_the_whole_record_is_written(ledger: SqlLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_ROWS", 2)
    shift(ledger)
    made = Decision(
        person=2, decided_us=NOW, known_us=NOW, action="none", p_action={"call": 0.75, "none": 0.25}, arm="holdout",
        strategy="gentle@ab", score_version=None, segment="others", treatment="holdout.call.1", since_day=20_000,
    )  # fmt: skip
    file = {"id": 4, "campaign": "spring", "what": "sms", "at_us": NOW}
    line = {"handover": 4, "place": 1, "campaign": "spring", "what": "sms", "at_us": NOW, "person": 2, "since_day": 7}
    line |= {
        "arm": "champion",
        "segment": "others",
        "step": "write.1",
        "template": "first",
        "debts": "",
        "phones": "20",
    }
    with ledger.writing() as connection:
        assert put(connection, 3, "spring", [made]) == 1
        connection.execute(insert(handover), file | {"strategy": "gentle@ab", "rules": "r1", "handed_by": "ana"})
        connection.execute(insert(handed), line)
    rows = export_parquet(ledger, tmp_path / "out")
    found = {path.stem: pq.read_table(path) for path in (tmp_path / "out").glob("*.parquet")}
    assert {name: table.num_rows for name, table in found.items()} == rows
    assert rows == {
        "history": rows["history"], "debtors": 3, "numbers": rows["numbers"], "debts": 3, "attempts": 1,
        "outcomes": 1, "verdicts": 2, "pacing": 1, "decisions": 1, "handed": 1, "promises": 1, "payments": 1,
        "balances": 1,
    }  # fmt: skip
    with ledger.reading() as connection:
        assert rows["history"] == connection.execute(select(func.count()).select_from(history)).scalar() > 2

    instant = pa.timestamp("us", tz="UTC")
    assert found["history"].schema.field("event_at").type == instant
    assert found["attempts"].schema.field("debts").type == pa.list_(pa.int64())
    (attempt,) = found["attempts"].to_pylist()
    assert (attempt["debts"], attempt["answer_class"], attempt["p_answer"]) == ([100], "connected", 0.25)
    assert attempt["reserved_at"].tzinfo is not None
    (promise,) = found["promises"].to_pylist()
    assert (promise["amount_minor"], promise["due_on"]) == (500, date(2026, 12, 1))
    (paid,) = found["payments"].to_pylist()
    assert paid["event_at"] == datetime(2026, 11, 18, 15, 30, tzinfo=UTC)
    allowed, denied = sorted(found["verdicts"].to_pylist(), key=lambda one: not one["allowed"])
    assert (allowed["call_id"], allowed["rules"]) == ("floor-3", "r1")
    assert (denied["call_id"], denied["rule"], denied["zones"]) == (None, "ES.hours", ["Europe/Madrid"])
    (pacing,) = found["pacing"].to_pylist()
    assert (pacing["dials"], pacing["reason"], pacing["expected_free"]) == (2, "budget", 3.5)
    (decided,) = found["decisions"].to_pylist()
    assert (decided["person"], dict(decided["p_action"]), decided["arm"]) == (2, made.p_action, "holdout")
    (written,) = found["handed"].to_pylist()
    assert (written["handover"], written["strategy"], written["step"]) == (4, "gentle@ab", "write.1")
    assert found["decisions"].schema.field("p_action").type == pa.map_(pa.string(), pa.float64())
    assert found["decisions"].schema.field("decided_at").type == instant
    assert {one["event"] for one in found["history"].to_pylist()} >= {"dialed", "right_party_contact"}

    (agreed,) = (one for one in found["history"].to_pylist() if one["event"] == "promise")
    assert (agreed["amount_minor"], agreed["due_on"]) == (500, date(2026, 12, 1))
    assert {one["person"] for one in found["numbers"].to_pylist()} == {1, 2, 3}
    assert [one["zones"] for one in found["debtors"].to_pylist()] == [list(one.address_zones) for one in PEOPLE]
    assert found["debts"].to_pylist()[0]["currency"] == "EUR"

    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    for name, table in found.items():
        assert f"## {name}.parquet" in readme
        assert all(f"| {column} |" in readme for column in table.column_names)
    assert not list((tmp_path / "out").glob(".*.unfinished"))


def test_an_export_of_nothing_has_every_column(ledger: SqlLedger, tmp_path: Path) -> None:
    assert set(export_parquet(ledger, tmp_path).values()) == {0}
    assert pq.read_table(tmp_path / "history.parquet").column_names[:2] == ["event_at", "known_at"]


def test_no_folder_can_be_made(ledger: SqlLedger, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(BadInput, match="no folder can be made"):
        export_parquet(ledger, tmp_path / "taken" / "below")
