"""Payments into the ledger, at once: who has paid is never dialled again, also while a campaign runs (docs/import.md).

A payment is known by its creditor's reference: the same one again changes nothing, so a file may come any number of
times. Every good row lands, whatever the others are like; each step is one short transaction that bumps the cap keys of
the people it concerns and tells the floors.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, update

from domain.people import StopKind
from ledger.intake.cells import BadCell, Form, amount, infer_date_order, infer_decimal_mark
from ledger.intake.columns import PAYMENT_COLUMNS, find_columns
from ledger.intake.files import open_table, refuse_floats, write_rejects
from ledger.intake.rows import PaymentLine, RejectLine, RowReader
from ledger.intake.stage import only_import
from ledger.reservations import announce, batches, bump
from ledger.schema import balance_history, creditor, debt, history, import_file, payment
from ledger.standing import put_stops
from ledger.store import SqlLedger

#: Payments of one transaction, some 20 ms; and the rest in which others get the lock.
_STEP = 200
_REST_S = 0.005


class PaymentReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a payments file came to."""

    file: str
    sha256: str
    #: False: dry run.
    landed: bool
    rows: int
    rejected: int
    #: Known by their reference before.
    repeated: int
    #: Payments that were new.
    added: int
    #: Accounts that they paid in full.
    paid: int
    unknown_columns: tuple[str, ...]
    #: Rejected rows with the reasons; None: there are none.
    rejects: str | None


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


class _Refused(NamedTuple):
    """A payment that cannot land: what is wrong with which field, and what to do."""

    row: int
    field: str
    found: str
    do: str


class _Counts(msgspec.Struct):
    rows: int = 0
    repeated: int = 0
    added: int = 0
    paid: int = 0


def import_payments(
    ledger: SqlLedger,
    path: Path | str,
    *,
    at_us: int,
    form: Form | None = None,
    dry_run: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> PaymentReport:
    """Bring a file of payments into the ledger.

    Raises
    ------
    BadInput
        When the file cannot be read as a whole.
    LedgerStalled
        When the ledger cannot be written now; the same file again lands the rest.
    """
    table = open_table(Path(path))
    columns = find_columns(table.header, PAYMENT_COLUMNS, ("account", "paid_on", "amount", "reference"), str(path))
    refuse_floats(table, [table.header[columns.at["amount"]]])
    form = form or Form()
    sample = [row for row in table.sample() if len(row) == len(table.header)]
    form = msgspec.structs.replace(
        form,
        decimal_mark=form.decimal_mark or infer_decimal_mark(row[columns.at["amount"]] for row in sample),
        date_order=form.date_order or infer_date_order(row[columns.at["paid_on"]] for row in sample),
    )
    reader = RowReader("payments", table, columns, form, at_us, lambda *_place: ())
    sha256 = table.sha256()
    counts = _Counts()
    rejects: list[RejectLine] = []
    with only_import(ledger, "payments"):
        file = None if dry_run else _open_file(ledger, table.path.name, sha256, at_us)
        for piece in table.pieces():
            lines = reader.read(piece)
            counts.rows += lines.n_rows
            rejects += lines.rejects
            refused: dict[int, _Refused] = {}
            for step in batches(lines.payments, _STEP):
                refused |= {one.row: one for one in _land(ledger, step, form, at_us, file, counts)}
                if not dry_run:
                    time.sleep(_REST_S)
            if refused:
                cells = {row: texts for row, texts in table.cells(piece) if row in refused}
                rejects += [reader.rejected(cells[row], *one) for row, one in refused.items()]
            if progress is not None:
                progress("payments", min(piece.read_bytes, table.size_bytes), table.size_bytes)
        rejects.sort(key=lambda line: line.row)
        to = table.path.with_name(f"{table.path.name}.rejects.csv")
        n_rejects = write_rejects(table, ((one.row, one.field, one.found, one.do, one.cells) for one in rejects), to)
        if file is not None:
            _close_file(ledger, file, at_us, counts, n_rejects)
    return PaymentReport(
        file=table.path.name,
        sha256=sha256,
        landed=not dry_run,
        rows=counts.rows,
        rejected=n_rejects,
        repeated=counts.repeated,
        added=counts.added,
        paid=counts.paid,
        unknown_columns=columns.unknown,
        rejects=str(to) if n_rejects else None,
    )


# ---- steps


def _land(
    ledger: SqlLedger, lines: Sequence[PaymentLine], form: Form, at_us: int, file: int | None, counts: _Counts
) -> list[_Refused]:
    """Land some payments in one transaction, or none where there is no file row; return those that cannot land."""
    with ledger.reading() if file is None else ledger.writing() as connection:
        fresh, refused = _sort_out(connection, lines, form)
        counts.repeated += len(lines) - len(fresh) - len(refused)
        counts.added += len(fresh)
        persons = sorted({one.person for one in fresh})
        if file is not None:
            bump(connection, (f"person:{person}" for person in persons))
        # Read when the keys are ours: nobody else writes about these people now.
        owed = {one.debt: one for one in _debts(connection, debt.c.id.in_({one.debt for one in fresh}))}
        after = _pay(fresh, owed)
        counts.paid += sum(after[one] == 0 and owed[one].state != "paid" for one in after)
        if file is not None and fresh:
            _write(connection, fresh, owed, at_us, file)
            announce(connection, persons, at_us)
    return refused


def _sort_out(connection: Connection, lines: Sequence[PaymentLine], form: Form) -> tuple[list[_Fresh], list[_Refused]]:
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
    refused: list[_Refused] = []
    for line in lines:
        owed = [one for one in found[line.account] if line.creditor in (None, one.creditor_name)]
        if len(owed) != 1:
            do = (
                "the ledger has no such account: import the accounts first, or correct it"
                if not owed
                else "several creditors have this account: name the creditor in a column of its own"
            )
            refused.append(_Refused(line.row, "account", line.account, do))
            continue
        (one,) = owed
        if (one.creditor, line.reference) in known:
            continue
        if line.currency not in (None, one.currency):
            do = f"the account is owed in {one.currency}: write the amount in that currency"
            refused.append(_Refused(line.row, "currency", str(line.currency), do))
            continue
        try:
            amount_minor = amount(line.amount, one.currency, form.decimal_mark)
        except BadCell as error:
            refused.append(_Refused(line.row, "amount", line.amount, str(error)))
            continue
        if amount_minor == 0:
            refused.append(_Refused(line.row, "amount", line.amount, "nothing was paid: leave the row out"))
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


def _open_file(ledger: SqlLedger, name: str, sha256: str, at_us: int) -> int:
    with ledger.writing() as connection:
        row = insert(import_file).values(kind="payments", name=name, sha256=sha256, started_us=at_us, state="landing")
        return int(connection.execute(row.returning(import_file.c.id)).scalar_one())


def _close_file(ledger: SqlLedger, file: int, at_us: int, counts: _Counts, rejected: int) -> None:
    with ledger.writing() as connection:
        connection.execute(
            update(import_file)
            .where(import_file.c.id == file)
            .values(state="landed", finished_us=at_us, rows=counts.rows, rejected=rejected, added=counts.added)
        )
