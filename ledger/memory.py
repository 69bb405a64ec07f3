"""The ledger of simulation and tests: the same face, the same tables, nothing on disk.

Appending keeps rows as objects and answers reservations from a dictionary; the tables (SQLite in memory) catch up the
first time somebody asks them anything. Rule: they must then have given the same answers.
"""

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, column, create_engine, delete, event, select, table
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from domain.errors import Broken
from domain.events import Reserved, Stale
from domain.facts import AttemptClosed
from domain.orders import Reserve
from domain.people import CapKey
from domain.records import Row
from ledger import journal
from ledger.database import Database, prepare_sqlite
from ledger.projections import Grants
from ledger.reservations import compare
from ledger.schema import cap_key, metadata
from ledger.store import SqlLedger


class MemoryDatabase(Database):
    """One connection for all; transactions nest, the outermost commits."""

    def __init__(self, before: Callable[[], None], after: Callable[[], None]) -> None:
        self.engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        self._where = "in memory"
        self._before = before
        self._after = after
        self._lock = threading.RLock()
        self._open: Connection | None = None

        @event.listens_for(self.engine, "connect")
        def prepare(driver: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
            prepare_sqlite(driver)

        @event.listens_for(self.engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN")

    @contextmanager
    def bare(self) -> Iterator[Connection]:
        """Give the connection without letting the tables catch up first."""
        with self._lock:
            if self._open is not None:
                yield self._open
                return
            with self.engine.begin() as connection:
                self._open = connection
                try:
                    yield connection
                finally:
                    self._open = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._lock:
            if self._open is None:
                self._before()
            with self.bare() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with self.reading() as connection:
            yield connection
            self._after()


class MemoryLedger(SqlLedger):
    """`SqlLedger` without a disk; for one process."""

    def __init__(self) -> None:
        database = MemoryDatabase(self._catch_up, self._hear)
        with database.bare() as connection:
            metadata.create_all(connection)
            for statement in _TOUCHED:
                connection.exec_driver_sql(statement)
        super().__init__(database)
        self._memory = database
        self._rows: dict[str, list[Row]] = {}
        #: How many of a stream's rows the tables know.
        self._told: dict[str, int] = {}
        #: How the reservations were answered that the tables do not know.
        self._grants: Grants = {}
        #: The table `cap_key` as it will be.
        self._versions: defaultdict[str, int] = defaultdict(int)
        #: Keys of the attempts that are not closed.
        self._open_keys: dict[str, tuple[CapKey, ...]] = {}

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        if not rows:
            return ()
        floor = rows[0].stream
        kept = self._rows.setdefault(floor, [])
        if rows[0].seq <= len(kept):
            again = len(kept) - rows[0].seq + 1
            return super().append(rows[:again]) + self.append(rows[again:])
        if rows[0].seq != len(kept) + 1:
            raise Broken(f"stream {floor}: row {rows[0].seq} does not follow {floor}-{len(kept)}; rows are missing")
        answers: list[Reserved | Stale] = []
        grants: Grants = {}
        stale = False
        for row in rows:
            record = row.record
            if type(record) is Reserve:
                keys = grants[record.call_id] = compare(record.keys, self._versions)
                if keys is None:
                    stale = True
                    continue
                self._open_keys[record.call_id] = keys
                answers.append(Reserved(at_us=row.at_us, call_id=record.call_id, keys=keys))
            elif type(record) is AttemptClosed:
                self._close(record)
        kept.extend(rows)
        self._grants.update(grants)
        if stale:
            # What a stale one is told stands in the tables.
            with self.reading() as connection:
                return journal.answers(connection, rows, grants)
        return tuple(answers)

    def read(self, stream: str, after_seq: int = 0) -> Iterator[Row]:
        return iter(self._rows.get(stream, [])[after_seq:])

    def _close(self, fact: AttemptClosed) -> None:
        keys = self._open_keys.pop(fact.call_id, ())
        if fact.event is not None:
            for cap in keys:
                self._versions[cap.key] += 1

    def _catch_up(self) -> None:
        """Let the tables follow the rows."""
        for floor, rows in self._rows.items():
            told = self._told.get(floor, 0)
            if told == len(rows):
                continue
            with self._memory.bare() as connection:
                grants = journal.write(connection, rows[told:])
                connection.execute(delete(_touched))
            if grants != {call_id: self._grants.pop(call_id) for call_id in grants}:
                raise Broken(f"stream {floor}: the tables answer the reservations after row {told} otherwise")
            self._told[floor] = len(rows)

    def _hear(self) -> None:
        """Take down the keys that another writer has moved."""
        with self._memory.bare() as connection:
            moved = select(cap_key.c.key, cap_key.c.version).join(_touched, _touched.c.key == cap_key.c.key)
            self._versions.update(connection.execute(moved).all())
            connection.execute(delete(_touched))


#: Keys that somebody moved in the tables.
_touched = table("touched", column("key"))
_TOUCHED = (
    "CREATE TEMP TABLE touched (key TEXT)",
    "CREATE TEMP TRIGGER touched_new AFTER INSERT ON cap_key BEGIN INSERT INTO touched VALUES (new.key); END",
    "CREATE TEMP TRIGGER touched_moved AFTER UPDATE ON cap_key BEGIN INSERT INTO touched VALUES (new.key); END",
)
