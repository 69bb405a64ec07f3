"""Connections and transactions: SQLite in WAL mode or PostgreSQL, both made to keep what they said is committed.

Laws kept here: a commit is on disk when it returns (SQLite `synchronous=FULL`, PostgreSQL `synchronous_commit=on`,
asserted at start); a writing transaction takes its lock when it begins (SQLite `BEGIN IMMEDIATE`); what will pass by
itself (locked, full, gone for now) is `LedgerStalled`, and nothing of the transaction remains.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Select, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from domain.errors import BadInput, LedgerStalled

#: SQLite's primary result codes that pass when somebody lets go, frees space or mends the disk.
_SQLITE_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
#: The same of PostgreSQL, by class: connection, rollback by deadlock, resources, operator's intervention, lock wait.
_POSTGRES_PASSING = ("08", "40", "53", "57", "55P03")
#: Writers poll for SQLite's lock so often; its own handler sleeps up to 100 ms and misses short gaps.
_POLL_S = 0.001

#: Opens a reading transaction.
Reading = Callable[[], AbstractContextManager[Connection]]


class Database:
    """Reading and writing transactions on one ledger."""

    def __init__(self, url: str, *, patience_s: float = 5.0) -> None:
        self.engine = _engine(url, patience_s)
        self._where = make_url(url).render_as_string(hide_password=True)
        try:
            with self.engine.connect() as connection:
                _assert_durable(connection, self._where)
        except BadInput:
            self.close()
            raise
        except DBAPIError as error:
            self.close()
            raise BadInput(
                f"ledger {self._where}: cannot be opened: {error.orig}; check the path or address, its permissions "
                "and whether the server runs"
            ) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection whose statements see one state (SQLite) or committed rows (PostgreSQL)."""
        with self._telling_stalls(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose statements commit together, durably, when the block ends without an error."""
        with (
            self._telling_stalls(),
            self.engine.connect().execution_options(cadencia_writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _telling_stalls(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if _passes(error):
                raise LedgerStalled(
                    f"ledger {self._where}: {error.orig}; nothing of this transaction remains, it is tried again. "
                    "If it stays: free the disk, or end whoever holds the lock"
                ) from error
            raise


def _engine(url: str, patience_s: float) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadInput(
            f"ledger: {url!r} is no database URL; write sqlite:///ledger.db or postgresql://user@host/name"
        ) from error
    name = parsed.get_backend_name()
    if name == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return _sqlite(parsed, patience_s)
    if name in {"postgresql", "postgres"}:
        wait_ms = int(patience_s * 1000)
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            connect_args={
                "options": f"-c lock_timeout={wait_ms} -c timezone=UTC",
                "connect_timeout": max(2, int(patience_s)),
                "tcp_user_timeout": 2 * wait_ms,
            },
        )
        # Many rows in one statement, instead of one statement a row.
        engine.dialect.use_insertmanyvalues_wo_returning = True
        return engine
    raise BadInput(
        f"ledger: {parsed.render_as_string()!r} is neither an SQLite file nor PostgreSQL; "
        "write sqlite:///ledger.db or postgresql://user@host/name"
    )


def _sqlite(url: URL, patience_s: float) -> Engine:
    try:
        # It holds names and numbers; SQLite gives the files beside it the same permissions.
        Path(url.database or "").touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"ledger {url.database}: cannot be opened: {error.strerror}; make its folder, or check the permissions"
        ) from error
    engine = create_engine(url.set(drivername="sqlite"), connect_args={"timeout": patience_s})
    patience_ms = int(patience_s * 1000)

    @event.listens_for(engine, "connect")
    def prepare(driver: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        prepare_sqlite(driver)
        driver.execute("PRAGMA journal_mode=WAL")
        driver.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        if not connection.get_execution_options().get("cadencia_writes"):
            driver.execute("BEGIN")
            return
        driver.execute("PRAGMA busy_timeout=0")
        give_up = time.monotonic() + patience_s
        try:
            while True:
                try:
                    driver.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError as error:
                    if _sqlite_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up:
                        raise DBAPIError("BEGIN IMMEDIATE", None, error) from error
                time.sleep(_POLL_S)
        finally:
            driver.execute(f"PRAGMA busy_timeout={patience_ms}")

    return engine


def streamed(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    """Yield rows as they come, at most some thousands at a time in memory."""
    with connection.execute(query, execution_options={"yield_per": 10_000}) as result:
        yield from result


def prepare_sqlite(driver: sqlite3.Connection) -> None:
    """Leave transactions to us and check foreign keys."""
    driver.isolation_level = None
    driver.execute("PRAGMA foreign_keys=ON")


def _assert_durable(connection: Connection, where: str) -> None:
    if connection.dialect.name == "sqlite":
        asked = {"journal_mode": "wal", "synchronous": "2"}
        found = {name: str(connection.exec_driver_sql(f"PRAGMA {name}").scalar()) for name in asked}
        advice = "keep the file on a local disk that supports WAL"
    else:
        asked = {"synchronous_commit": "on", "fsync": "on"}
        found = {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar()) for name in asked}
        advice = "set it in postgresql.conf or ALTER ROLE … SET, and remove any override"
    for name, wanted in asked.items():
        if found[name] != wanted:
            raise BadInput(
                f"ledger {where}: {name} must be {wanted}, was {found[name]}: a call could be dialled and forgotten; "
                f"{advice}"
            )


def _sqlite_code(error: BaseException) -> int:
    """Return the primary result code; the extended ones keep it in their low byte."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _passes(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error.orig) in _SQLITE_PASSING
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is None:
        return error.connection_invalidated or isinstance(error, OperationalError)
    return state.startswith(_POSTGRES_PASSING)
