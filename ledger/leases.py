"""One process runs a floor: a lease with its owner's name and an expiry by the database's clock."""

import time

from sqlalchemy import Connection, delete, select, text, update

from domain.errors import BadInput, Broken
from domain.instants import iso
from ledger.reservations import upsert
from ledger.schema import lease


def take(connection: Connection, stream: str, owner: str, ttl_s: float) -> None:
    """Insert the lease, or take one over that is the owner's own or has run out."""
    now_us = _now_us(connection)
    row = {"stream": stream, "owner": owner, "taken_us": now_us, "expires_us": now_us + round(ttl_s * 1e6)}
    statement = upsert(connection, lease)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[lease.c.stream],
            set_={column: statement.excluded[column] for column in ("owner", "taken_us", "expires_us")},
            where=(lease.c.owner == owner) | (lease.c.expires_us <= now_us),
        ),
        row,
    )
    held = connection.execute(select(lease).where(lease.c.stream == stream)).one()
    if held.owner != owner:
        raise BadInput(
            f"floor {stream}: is run by {held.owner} since {iso(held.taken_us)}, lease until {iso(held.expires_us)}; "
            "stop that one first, or wait until its lease runs out if it is dead"
        )


def renew(connection: Connection, stream: str, owner: str, ttl_s: float) -> None:
    """Put the expiry off; also after it has passed, as long as nobody else took the lease."""
    expires_us = _now_us(connection) + round(ttl_s * 1e6)
    renewed = connection.execute(
        update(lease).where(lease.c.stream == stream, lease.c.owner == owner).values(expires_us=expires_us)
    )
    if renewed.rowcount != 1:
        holder = connection.execute(select(lease.c.owner).where(lease.c.stream == stream)).scalar()
        raise Broken(f"floor {stream}: the lease of {owner} has gone to {holder}; this process may not dial any more")


def release(connection: Connection, stream: str, owner: str) -> None:
    connection.execute(delete(lease).where(lease.c.stream == stream, lease.c.owner == owner))


def _now_us(connection: Connection) -> int:
    """Return the wall clock: the server's where several hosts share one."""
    if connection.dialect.name == "postgresql":
        return int(
            connection.execute(text("SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint")).scalar_one()
        )
    return time.time_ns() // 1000
