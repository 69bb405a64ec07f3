"""What an agent's screen shows of a debtor before hello. Personal: looked up for one agent, journalled nowhere."""

from typing import Any

from sqlalchemy import select

from domain.instants import iso
from ledger.people import from_ids
from ledger.projections import SETTLES
from ledger.schema import call_back, creditor, debt, history, person, promise
from ledger.store import SqlLedger

#: Contacts shown, newest first.
_LAST = 5


def screen(ledger: SqlLedger, who: int, campaign: str) -> dict[str, Any]:
    """Return name, debts, open promises, due call-backs and last contacts of a person."""
    with ledger.reading() as connection:
        found = connection.execute(select(person).where(person.c.id == who)).one()
        debts = connection.execute(
            select(debt, creditor.c.name.label("creditor_name"))
            .join(creditor, creditor.c.id == debt.c.creditor)
            .where(debt.c.person == who)
            .order_by(debt.c.balance_minor.desc())
        ).all()
        promises = connection.execute(
            select(promise).where(promise.c.person == who, promise.c.state == "open").order_by(promise.c.due_on)
        ).all()
        settling = set(
            connection.execute(
                select(history.c.attempt).where(history.c.person == who, history.c.detail == SETTLES)
            ).scalars()
        )
        due = connection.execute(
            select(call_back)
            .where(call_back.c.person == who, call_back.c.done_us.is_(None))
            .order_by(call_back.c.due_us)
        ).all()
        contacts = connection.execute(
            select(history)
            .where(history.c.person == who, history.c.channel.is_not(None))
            .order_by(history.c.event_us.desc(), history.c.id.desc())
            .limit(_LAST)
        ).all()
    return {
        "name": found.name,
        "language": found.language,
        "city": found.city,
        "region": found.region,
        "country": found.country,
        "campaign": campaign,
        "debts": [
            {
                "debt": row.id,
                "account": row.account,
                "creditor": row.creditor_name,
                "product": row.product,
                "balance_minor": row.balance_minor,
                "currency": row.currency,
                "due_on": row.due_on,
                "state": row.state,
            }
            for row in debts
        ],
        "promises": [
            {
                "kind": row.kind,
                "debt": row.debt,
                "amount_minor": row.amount_minor,
                "currency": row.currency,
                "due_on": row.due_on,
                "instalments": row.instalments,
                # What is left is waived once the sum is paid.
                "settles": row.call_id in settling,
            }
            for row in promises
        ],
        "call_backs": [{"due": iso(row.due_us), "agent": row.agent} for row in due],
        "contacts": [
            {
                "at": iso(row.event_us),
                "channel": row.channel,
                "event": row.event,
                "detail": row.detail,
                "debts": from_ids(row.debts),
            }
            for row in contacts
        ],
    }
