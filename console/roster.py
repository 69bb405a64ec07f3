"""The agents on record: who may sign in, and where their phones are."""

import msgspec
from sqlalchemy import select

from ledger.reservations import upsert
from ledger.schema import agent as table
from ledger.store import SqlLedger


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """One agent as on record."""

    agent: str
    name: str | None = None
    #: Of the agent's phone on the switch; None: as the node's `dial_agent` says.
    extension: str | None = None
    #: Empty: every campaign of the floor.
    campaigns: tuple[str, ...] = ()
    active: bool = True


def agents(ledger: SqlLedger) -> list[Agent]:
    """Return the agents on record, by code."""
    with ledger.reading() as connection:
        return [
            Agent(
                agent=row.agent,
                name=row.name,
                extension=row.extension,
                campaigns=tuple(filter(None, row.campaigns.split(","))),
                active=row.active,
            )
            for row in connection.execute(select(table).order_by(table.c.agent))
        ]


def put(ledger: SqlLedger, added: list[Agent], at_us: int) -> None:
    """Put agents on record, or change those who are."""
    with ledger.writing() as connection:
        for one in added:
            fields = {
                "name": one.name,
                "extension": one.extension,
                "campaigns": ",".join(one.campaigns),
                "active": one.active,
            }
            statement = upsert(connection, table).values(agent=one.agent, created_us=at_us, **fields)
            connection.execute(statement.on_conflict_do_update(index_elements=[table.c.agent], set_=fields))
