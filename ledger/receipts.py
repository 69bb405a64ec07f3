"""What debtors paid, and which of their promises they kept."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, select

from domain.instants import midnight_us, to_datetime
from domain.people import GRACE_DAYS, KEPT_SHARE
from ledger.reservations import batches
from ledger.schema import attempt, debt, payment, promise


class DuePromise(NamedTuple):
    """A promise whose day and grace ended in a window."""

    campaign: str | None
    agent: str | None
    amount_minor: int
    currency: str
    #: Paid on it in time, at most its amount.
    received_minor: int

    @property
    def kept(self) -> bool:
        return self.received_minor >= KEPT_SHARE * self.amount_minor


def due_promises(
    connection: Connection, stream: str | None, from_us: int, to_us: int, zone: str, campaign: str | None = None
) -> Iterator[DuePromise]:
    """Yield the promises that fell due in a window; plans have further instalments and are left out."""
    first, last = (to_datetime(at_us, zone).date() - timedelta(days=GRACE_DAYS + 1) for at_us in (from_us, to_us))
    query = (
        select(promise)
        .outerjoin(attempt, attempt.c.call_id == promise.c.call_id)
        .where(
            promise.c.kind == "promise",
            promise.c.state != "cancelled",
            promise.c.due_on >= first.isoformat(),
            promise.c.due_on <= last.isoformat(),
        )
        .order_by(promise.c.id)
    )
    if stream is not None:
        query = query.where(attempt.c.stream == stream)
    if campaign is not None:
        query = query.where(promise.c.campaign == campaign)
    due = []
    for row in connection.execute(query).all():
        deadline_us = midnight_us(date.fromisoformat(row.due_on) + timedelta(days=GRACE_DAYS + 1), zone)
        if from_us <= deadline_us < to_us:
            due.append((row, deadline_us))
    paid = _payments(connection, [row.person for row, _ in due])
    for row, deadline_us in due:
        # A file tells the day of a payment, not its hour.
        since_us = midnight_us(to_datetime(row.made_us, zone).date(), zone)
        received = sum(
            amount_minor
            for of_debt, at_us, amount_minor, currency in paid.get(row.person, [])
            if row.debt in (None, of_debt) and currency == row.currency and since_us <= at_us < deadline_us
        )
        yield DuePromise(row.campaign, row.agent, row.amount_minor, row.currency, min(received, row.amount_minor))


def collected(connection: Connection, from_us: int, to_us: int) -> dict[int, dict[str, int]]:
    """Return what each person paid in a window, by currency."""
    query = (
        select(debt.c.person, payment.c.amount_minor, payment.c.currency)
        .join(debt, debt.c.id == payment.c.debt)
        .where(payment.c.event_us >= from_us, payment.c.event_us < to_us)
    )
    found: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for person, amount_minor, currency in connection.execute(query):
        found[person][currency] += amount_minor
    return found


def _payments(connection: Connection, people: list[int]) -> dict[int, list[tuple[int, int, int, str]]]:
    found: dict[int, list[tuple[int, int, int, str]]] = defaultdict(list)
    for some in batches(dict.fromkeys(people)):
        query = (
            select(debt.c.person, payment.c.debt, payment.c.event_us, payment.c.amount_minor, payment.c.currency)
            .join(debt, debt.c.id == payment.c.debt)
            .where(debt.c.person.in_(some))
        )
        for person, of_debt, at_us, amount_minor, currency in connection.execute(query):
            found[person].append((of_debt, at_us, amount_minor, currency))
    return found
