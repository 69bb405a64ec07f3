"""Which debts the accounts named in a file are: the same lookup, and the same words where one is none or several."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, select

from ledger.intake.direct import Refused
from ledger.schema import creditor, debt


class Account(NamedTuple):
    debt: int
    creditor: str
    person: int


def named(connection: Connection, accounts: Iterable[str]) -> dict[str, list[Account]]:
    """Return the debts of some accounts, whoever their creditors are; an account that is none has none."""
    query = (
        select(debt.c.account, debt.c.id, creditor.c.name, debt.c.person)
        .join(creditor, creditor.c.id == debt.c.creditor)
        # By creditor as well: that is how accounts are indexed.
        .where(debt.c.creditor.in_(select(creditor.c.id)), debt.c.account.in_(set(accounts)))
    )
    found: dict[str, list[Account]] = defaultdict(list)
    for account, *rest in connection.execute(query):
        found[account].append(Account(*rest))
    return found


def unclear(row: int, account: str, n_found: int) -> Refused:
    """Return why a row cannot land whose account is none, or several creditors'."""
    if n_found:
        do = "several creditors have this account: name the creditor"
    else:
        do = "the ledger has no such account: import the accounts first, or correct it"
    return Refused(row, "account", account, do)
