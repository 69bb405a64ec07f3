"""Payments on both databases: at once, once each, and what cannot be one is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from domain.errors import BadInput
from domain.events import Reserved, Stale
from domain.instants import parse
from domain.people import Dossier, StopKind
from ledger.payments import PaymentReport, import_payments
from ledger.schema import balance_history, debt, history, payment
from ledger.store import SqlLedger, open_ledger
from tests.integration.portfolio_files import NOW, TOMORROW, bring, content, rejects, reserve, row, write


@pytest.fixture
def ledger(ledger_url: str, tmp_path: Path) -> Iterator[SqlLedger]:
    """Give a ledger with three accounts, one of them at two creditors."""
    rows = [row("A1"), row("A2", balance="100"), row("A2", creditor="Caja", currency="USD"), row("A3", person="P-A1")]
    with open_ledger(ledger_url) as found:
        bring(found, write(tmp_path / "portfolio.csv", rows))
        yield found


def paid(account: str, amount: str, reference: str, **cells: str) -> dict[str, str]:
    return {"account": account, "paid_on": "2026-11-17", "amount": amount, "reference": reference} | cells


def pay(
    ledger: SqlLedger, folder: Path, *rows: dict[str, str], at_us: int = TOMORROW, **options: bool
) -> PaymentReport:
    return import_payments(ledger, write(folder / "payments.csv", rows), at_us=at_us, **options)


def dossier(ledger: SqlLedger, account: str) -> Dossier:
    with ledger.reading() as connection:
        person = connection.execute(select(debt.c.person).where(debt.c.account == account)).scalars().first()
    assert person is not None
    (found,) = ledger.dossiers([person])
    return found


def test_a_full_payment_stops_the_debt_at_once(ledger: SqlLedger, tmp_path: Path) -> None:
    before = dossier(ledger, "A1")
    cursor = ledger.change_cursor()
    report = pay(ledger, tmp_path, paid("A1", "120.50", "R1", method="card"))
    assert (report.rows, report.added, report.paid, report.rejected) == (1, 1, 1, 0)
    (stale,) = ledger.reserve([reserve(before)], TOMORROW)
    assert isinstance(stale, Stale)
    assert ledger.changes(cursor)[1] == [before.person]
    after = {one.debt: one for one in stale.dossier.debts}
    first, other = before.debts
    assert (after[first.debt].state, after[first.debt].balance_minor) == ("paid", 0)
    assert after[other.debt].state == "open"
    assert [(one.kind, one.debt) for one in stale.dossier.stops] == [(StopKind.paid, first.debt)]
    with ledger.reading() as connection:
        kept = connection.execute(select(payment)).one()
        assert (kept.amount_minor, kept.currency, kept.method) == (12050, "EUR", "card")
        assert (kept.event_us, kept.known_us) == (parse("2026-11-17T00:00:00Z"), TOMORROW)
        told = connection.execute(select(history).where(history.c.event == "payment")).one()
        assert (told.amount_minor, told.detail, told.event_us) == (12050, "full", kept.event_us)
        last = connection.execute(select(balance_history).order_by(balance_history.c.id.desc())).first()
        assert last is not None
        assert (last.balance_minor, last.state, last.why) == (0, "paid", "payment")


def test_partial_payments_lower_the_balance_until_nothing_is_left(ledger: SqlLedger, tmp_path: Path) -> None:
    one = paid("A1", "20.50", "R1")
    assert pay(ledger, tmp_path, one, paid("A1", "50", "R2", currency="EUR")).paid == 0
    assert dossier(ledger, "A1").debts[0].balance_minor == 5000
    assert dossier(ledger, "A1").debts[0].state == "open"
    report = pay(ledger, tmp_path, one, paid("A1", "60", "R3"), paid("A1", "1", "R4"))
    assert (report.repeated, report.added, report.paid) == (1, 2, 1)
    assert (dossier(ledger, "A1").debts[0].balance_minor, dossier(ledger, "A1").debts[0].state) == (0, "paid")
    assert len(dossier(ledger, "A1").stops) == 1


def test_the_same_payments_again_change_nothing(ledger: SqlLedger, tmp_path: Path) -> None:
    rows = [paid("A1", "20.50", "R1"), paid("A3", "500", "R2"), paid("A1", "20.50", "R1")]
    assert pay(ledger, tmp_path, *rows).added == 2
    before = content(ledger)
    report = pay(ledger, tmp_path, *rows)
    assert (report.added, report.repeated) == (0, 3)
    assert content(ledger) == before


def test_what_is_no_payment_is_told_and_the_others_land(ledger: SqlLedger, tmp_path: Path) -> None:
    report = pay(
        ledger,
        tmp_path,
        paid("A9", "1", "R1"),
        paid("A2", "1", "R2"),
        paid("A2", "1", "R3", creditor="Caja", currency="EUR"),
        paid("A2", "1.234", "R4", creditor="Caja"),
        paid("A1", "", "R5"),
        paid("A1", "0", "R6"),
        paid("A1", "1", ""),
        paid("A1", "1", "R8", paid_on="2026-12-24"),
        paid("A2", "5", "R9", creditor="Caja"),
    )
    assert (report.added, report.rejected) == (1, 8)
    told = rejects(tmp_path / "payments.csv")
    assert [(one["reject_row"], one["reject_field"]) for one in told] == [
        ("2", "account"),
        ("3", "account"),
        ("4", "currency"),
        ("5", "amount"),
        ("6", "amount"),
        ("7", "amount"),
        ("8", "reference"),
        ("9", "paid_on"),
    ]
    assert "several creditors" in told[1]["reject_do"]
    assert told[1]["amount"] == "1"


def test_a_dry_run_lands_nothing(ledger: SqlLedger, tmp_path: Path) -> None:
    before = content(ledger)
    report = pay(ledger, tmp_path, paid("A1", "500", "R1"), paid("A9", "1", "R2"), dry_run=True)
    assert (report.landed, report.added, report.paid, report.rejected) == (False, 1, 1, 1)
    assert content(ledger) == before


def test_a_file_without_references_is_refused(ledger: SqlLedger, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no column for reference"):
        pay(ledger, tmp_path, {"account": "A1", "paid_on": "2026-11-17", "amount": "1"})


def test_a_withdrawn_debt_can_be_paid(ledger: SqlLedger, tmp_path: Path) -> None:
    bring(ledger, write(tmp_path / "second.csv", [row("A1"), row("A2", balance="100")]), full=True)
    assert pay(ledger, tmp_path, paid("A3", "500", "R1")).paid == 1
    states = {one.balance_minor: one.state for one in dossier(ledger, "A3").debts}
    assert states == {12050: "open", 0: "paid"}
    assert isinstance(ledger.reserve([reserve(dossier(ledger, "A3"))], NOW)[0], Reserved)
