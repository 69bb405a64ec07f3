"""Cap keys, read at a version, compared and bumped in one transaction (docs/decisions/0003); news to other floors.

Rule 1: whoever writes what a verdict could depend on bumps the keys it concerns, in the same transaction.
Rule 2: locks are taken in one order: cap keys, sorted; then rows; then, last, the news.
Rule 3: whoever reads what a verdict could depend on reads the versions before it (PostgreSQL commits in between).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, bindparam, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from domain.people import CapKey
from ledger.schema import cap_key, change

#: Of PostgreSQL's advisory lock that keeps the news in the order of their commits.
_NEWS_LOCK = 7_236_001

#: SQLite takes 32,766 parameters, psycopg 65,535.
BATCH = 10_000

Item = TypeVar("Item")


def batches(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """Yield lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def upsert(connection: Connection, table: Table) -> Any:
    """Return an INSERT that knows ON CONFLICT, in the database's own dialect."""
    return _insert(connection.dialect.name, table)


def _insert(dialect: str, table: Table) -> Any:
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)


def overwrite(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, keep: tuple[str, ...] = ()
) -> None:
    """Insert whole rows, or overwrite what stands under their primary key but for the columns to keep."""
    if rows:
        connection.execute(_overwriting(connection.dialect.name, table, keep), rows)


@cache
def _overwriting(dialect: str, table: Table, keep: tuple[str, ...]) -> Any:
    statement = _insert(dialect, table)
    changed = [one.name for one in table.columns if not one.primary_key and one.name not in keep]
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_={name: statement.excluded[name] for name in changed}
    )


def versions(connection: Connection, keys: Collection[str], *, lock: bool = False) -> dict[str, int]:
    """Return the versions of keys, 0 where none is on record; optionally locked until the transaction ends."""
    found = dict.fromkeys(keys, 0)
    for batch in batches(sorted(keys)):
        query = select(cap_key.c.key, cap_key.c.version).where(cap_key.c.key.in_(batch))
        if lock and connection.dialect.name == "postgresql":
            # A row that is not there cannot be locked.
            connection.execute(
                upsert(connection, cap_key).on_conflict_do_nothing(), [{"key": key, "version": 0} for key in batch]
            )
            query = query.order_by(cap_key.c.key).with_for_update()
        found.update(connection.execute(query).all())
    return found


def bump(connection: Connection, keys: Iterable[str]) -> None:
    """Move keys one version on, once for each time they are given."""
    steps: dict[str, int] = {}
    for key in keys:
        steps[key] = steps.get(key, 0) + 1
    if steps:
        connection.execute(
            _bump(connection.dialect.name), [{"key": key, "version": steps[key]} for key in sorted(steps)]
        )


@cache
def _bump(dialect: str) -> Any:
    statement = _insert(dialect, cap_key)
    return statement.on_conflict_do_update(
        index_elements=[cap_key.c.key], set_={"version": cap_key.c.version + statement.excluded.version}
    )


def announce(connection: Connection, persons: Iterable[int], known_us: int, stream: str | None = None) -> None:
    """Tell the floors, but the one that wrote, whose dossiers have changed; the last statement of a transaction."""
    news = [{"person": person, "stream": stream, "known_us": known_us} for person in dict.fromkeys(persons)]
    if not news:
        return
    if connection.dialect.name == "postgresql":
        # Numbers are given at insertion: without the lock a reader could pass a number that commits late.
        connection.execute(select(func.pg_advisory_xact_lock(bindparam("lock", _NEWS_LOCK))))
    connection.execute(insert(change), news)


def compare(keys: Sequence[CapKey], standing: dict[str, int]) -> tuple[CapKey, ...] | None:
    """Return the keys one version on, taken down in `standing`; None where one has moved since it was judged."""
    after: list[CapKey] = []
    for cap in keys:
        key, version = cap.key, cap.version
        if standing.get(key, 0) != version:
            return None
        after.append(CapKey(key, version + 1))
    for cap in after:
        standing[cap.key] = cap.version
    return tuple(after)
