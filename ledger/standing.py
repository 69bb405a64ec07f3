"""Stops and consents put on record, one standing row a scope."""

from typing import Any

from sqlalchemy import Connection, case, or_, text

from ledger.reservations import upsert
from ledger.schema import consent, stop


def put_stops(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Record stops; one that stands already stays as it is, or for longer where the new one lasts longer."""
    if not rows:
        return
    statement = upsert(connection, stop)
    later = case(
        (or_(stop.c.until_us.is_(None), statement.excluded.until_us.is_(None)), None),
        (statement.excluded.until_us > stop.c.until_us, statement.excluded.until_us),
        else_=stop.c.until_us,
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[
                stop.c.person,
                stop.c.kind,
                text("coalesce(debt, 0)"),
                text("coalesce(phone, 0)"),
                text("coalesce(channel, '')"),
            ],
            index_where=text("lifted_us IS NULL"),
            set_={"until_us": later},
        ),
        rows,
    )


def put_consents(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Record consents; a newer one takes the place of a standing one of the same scope."""
    if not rows:
        return
    statement = upsert(connection, consent)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[
                consent.c.person,
                consent.c.kind,
                text("coalesce(channel, '')"),
                text("coalesce(phone, 0)"),
            ],
            index_where=text("revoked_us IS NULL"),
            set_={"until_us": statement.excluded.until_us},
        ),
        rows,
    )
