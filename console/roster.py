"""Putting agents on record: who may sign in, and where their phones are."""

from collections.abc import Iterable

from ledger import queries
from ledger.queries import Agent
from ledger.reservations import upsert
from ledger.schema import agent as table
from ledger.store import SqlLedger


def put(ledger: SqlLedger, added: list[Agent], at_us: int) -> None:
    """Put agents on record, or change those who are."""
    with ledger.writing() as connection:
        for one in added:
            fields = {
                "name": one.name,
                "extension": one.extension,
                "campaigns": ",".join(one.campaigns),
                "groups": ",".join(one.groups),
                "active": one.active,
            }
            statement = upsert(connection, table).values(agent=one.agent, created_us=at_us, **fields)
            connection.execute(statement.on_conflict_do_update(index_elements=[table.c.agent], set_=fields))


def missing_groups(asked: Iterable[str], on_record: Iterable[Agent]) -> list[str]:
    """Return in words which groups steps of a strategy ask for that no agent on record, who has not left, is in."""
    there = {group for one in on_record if one.active for group in one.groups}
    return [
        f"no agent on record is in the group {group}, which a step asks for, so its callers go to anybody: "
        f"cadencia agents add NAME --groups {group}"
        for group in dict.fromkeys(asked)
        if group and group not in there
    ]


def agents(ledger: SqlLedger) -> list[Agent]:
    """Return the agents on record, by code."""
    with ledger.reading() as connection:
        return queries.agents(connection)
