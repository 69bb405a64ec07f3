"""Payments into the ledger, at once: who has paid is never dialled again, also while a campaign runs (docs/import.md).

A payment is known by its creditor's reference: the same one again changes nothing. Each step is one short transaction
that bumps the cap keys of the people it concerns and tells the floors.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from domain.people import StopKind
from ledger.intake.accounts import unclear
from ledger.intake.cells import BadCell, Form, amount
from ledger.intake.columns import PAYMENT_COLUMNS
from ledger.intake.direct import DirectFile, FileReport, Refused
from ledger.intake.files import Progress
from ledger.intake.rows import PaymentLine
from ledger.intake.stage import only_import
from ledger.reservations import announce, bump
from ledger.schema import balance_history, creditor, debt, history, import_file, payment
from ledger.standing import put_stops
from ledger.store import SqlLedger


class PaymentReport(FileReport, frozen=True, kw_only=True):
    """What a payments file came to."""

    #: Accounts that it paid in full.
    paid: int


class _Owed(NamedTuple):
    """A debt as a payment finds it."""

    debt: int
    creditor: int
    creditor_name: str
    account: str
    person: int
    balance_minor: int
    currency: str
    state: str


class _Fresh(NamedTuple):
    """A payment that is new."""

    line: PaymentLine
    debt: int
    creditor: int
    person: int
    amount_minor: int


def import_payments(
    ledger: SqlLedger,
    path: Path | str,
    *,
    at_us: int,
    form: Form | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> PaymentReport:
    """Bring a file of payments into the ledger.

    Raises
    ------
    BadInput
        When the file cannot be read as a whole.
    LedgerStalled
        When the ledger cannot be written now; the same file again lands the rest.
    """
    file = DirectFile(
        "payments", path, PAYMENT_COLUMNS, ("account", "paid_on", "amount", "reference"), form or Form(), at_us=at_us,
        amounts=("amount",), days=("paid_on",),
    )  # fmt: skip
    paid = 0
    with only_import(ledger, "payments"):
        number = None if dry_run else _open_file(ledger, file, at_us)

        def land(connection: Connection, lines: Sequence[PaymentLine]) -> tuple[int, list[Refused]]:
            nonlocal paid
            added, newly_paid, refused = _land(connection, lines, file.form, at_us, number)
            paid += newly_paid
            return added, refused

        report = file.land(ledger, lambda lines: lines.payments, land, dry_run=dry_run, progress=progress)
        if number is not None:
            _close_file(ledger, number, at_us, report)
    return PaymentReport(**msgspec.structs.asdict(report), paid=paid)


# ---- steps


def _land(
    connection: Connection, lines: Sequence[PaymentLine], form: Form, at_us: int, file: int | None
) -> tuple[int, int, list[Refused]]:
    """Land some payments in the open transaction, or none where there is no file row.

    Return how many are new, how many accounts they pay in full, and those that cannot land.
    """
    fresh, refused = _sort_out(connection, lines, form)
    persons = sorted({one.person for one in fresh})
    if file is not None:
        bump(connection, (f"person:{person}" for person in persons))
    # Read when the keys are ours: nobody else writes about these people now.
    owed = {one.debt: one for one in _debts(connection, debt.c.id.in_({one.debt for one in fresh}))}
    after = _pay(fresh, owed)
    if file is not None and fresh:
        _write(connection, fresh, owed, at_us, file)
        announce(connection, persons, at_us)
    return len(fresh), sum(after[one] == 0 and owed[one].state != "paid" for one in after), refused


def _sort_out(connection: Connection, lines: Sequence[PaymentLine], form: Form) -> tuple[list[_Fresh], list[Refused]]:
    """Return the payments that are new, and those that cannot land."""
    creditors = select(creditor.c.id)
    found: dict[str, list[_Owed]] = defaultdict(list)
    # By creditor as well: that is how accounts are indexed.
    for one in _debts(connection, debt.c.creditor.in_(creditors), debt.c.account.in_({line.account for line in lines})):
        found[one.account].append(one)
    references = select(payment.c.creditor, payment.c.reference).where(
        payment.c.creditor.in_(creditors), payment.c.reference.in_({line.reference for line in lines})
    )
    known = {(to, reference) for to, reference in connection.execute(references)}
    fresh: list[_Fresh] = []
    refused: list[Refused] = []
    for line in lines:
        owed = [one for one in found[line.account] if line.creditor in (None, one.creditor_name)]
        if len(owed) != 1:
            refused.append(unclear(line.row, line.account, len(owed)))
            continue
        (one,) = owed
        if (one.creditor, line.reference) in known:
            continue
        if line.currency not in (None, one.currency):
            do = f"the account is owed in {one.currency}: write the amount in that currency"
            refused.append(Refused(line.row, "currency", str(line.currency), do))
            continue
        try:
            amount_minor = amount(line.amount, one.currency, form.decimal_mark)
        except BadCell as error:
            refused.append(Refused(line.row, "amount", line.amount, str(error)))
            continue
        if amount_minor == 0:
            refused.append(Refused(line.row, "amount", line.amount, "nothing was paid: leave the row out"))
            continue
        known.add((one.creditor, line.reference))
        fresh.append(_Fresh(line, one.debt, one.creditor, one.person, amount_minor))
    return fresh, refused


def _debts(connection: Connection, *which: ColumnElement[bool]) -> list[_Owed]:
    query = select(
        debt.c.id, debt.c.creditor, creditor.c.name, debt.c.account, debt.c.person, debt.c.balance_minor,
        debt.c.currency, debt.c.state,
    ).join(creditor, creditor.c.id == debt.c.creditor)  # fmt: skip
    return [_Owed(*row) for row in connection.execute(query.where(*which))]


def _pay(fresh: Iterable[_Fresh], owed: dict[int, _Owed]) -> dict[int, int]:
    """Return the balances after all payments."""
    after: dict[int, int] = {}
    for one in fresh:
        after[one.debt] = max(0, after.get(one.debt, owed[one.debt].balance_minor) - one.amount_minor)
    return after


def _write(connection: Connection, fresh: list[_Fresh], owed: dict[int, _Owed], at_us: int, file: int) -> None:
    payments: list[dict[str, Any]] = []
    balances: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    stops: list[dict[str, Any]] = []
    standing = {one.debt: (one.balance_minor, one.state) for one in owed.values()}
    for line, number, to, person, amount_minor in fresh:
        currency = owed[number].currency
        before, state = standing[number]
        after = max(0, before - amount_minor)
        paid = after == 0
        fact = {"known_us": at_us, "person": person, "debts": str(number), "creditor": to, "event_us": line.paid_us}
        payments.append(
            {
                "creditor": to,
                "reference": line.reference,
                "debt": number,
                "amount_minor": amount_minor,
                "currency": currency,
                "event_us": line.paid_us,
                "known_us": at_us,
                "method": line.method,
                "file": file,
            }
        )
        told.append(
            fact
            | {
                "event": "payment",
                "detail": "full" if paid else "partial",
                "amount_minor": amount_minor,
                "currency": currency,
            }
        )
        if paid and state != "paid":
            stops.append(
                {
                    "person": person,
                    "kind": StopKind.paid,
                    "debt": number,
                    "event_us": line.paid_us,
                    "known_us": at_us,
                    "source": "payments",
                }
            )
            told.append(fact | {"event": "stop", "detail": StopKind.paid, "amount_minor": None, "currency": None})
        state = "paid" if paid else state
        balances.append(
            {
                "debt": number,
                "event_us": line.paid_us,
                "known_us": at_us,
                "balance_minor": after,
                "currency": currency,
                "state": state,
                "why": "payment",
            }
        )
        standing[number] = (after, state)
    connection.execute(insert(payment), payments)
    connection.execute(
        update(debt)
        .where(debt.c.id == bindparam("of"))
        .values(balance_minor=bindparam("after"), state=bindparam("state_"), last_seen_us=at_us, last_file=file),
        [{"of": number, "after": after, "state_": state} for number, (after, state) in standing.items()],
    )
    connection.execute(insert(balance_history), balances)
    put_stops(connection, stops)
    connection.execute(insert(history), told)


def _open_file(ledger: SqlLedger, file: DirectFile, at_us: int) -> int:
    told = {"kind": "payments", "name": file.name, "sha256": file.sha256, "started_us": at_us, "state": "landing"}
    with ledger.writing() as connection:
        row = insert(import_file).values(told)
        return int(connection.execute(row.returning(import_file.c.id)).scalar_one())


def _close_file(ledger: SqlLedger, file: int, at_us: int, report: FileReport) -> None:
    with ledger.writing() as connection:
        connection.execute(
            update(import_file)
            .where(import_file.c.id == file)
            .values(state="landed", finished_us=at_us, rows=report.rows, rejected=report.rejected, added=report.added)
        )
