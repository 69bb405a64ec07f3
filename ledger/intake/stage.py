"""Where an import's rows wait: tables beside the ledger, filled and compared without holding the ledger's lock.

SQLite: a file of its own, attached to one connection under the name of `SCHEMA`. PostgreSQL: a schema of that name.
So one text of SQL serves both. Whatever is staged is thrown away unless the import was flipped (docs/decisions/0011).
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    CursorResult,
    Integer,
    MetaData,
    Table,
    Text,
    TextClause,
    text,
)
from sqlalchemy.schema import CreateSchema, DropSchema

from domain.errors import BadInput
from ledger.schema import Id
from ledger.store import SqlLedger

SCHEMA = "cadencia_stage"
#: Of PostgreSQL's advisory locks: one import of a kind at a time.
_IMPORT_LOCKS = {
    "portfolio": 7_236_002, "payments": 7_236_003, "stops": 7_236_004, "register": 7_236_005, "complaints": 7_236_006,
}  # fmt: skip

#: Of the names of staging files, which stand beside the ledger's.
_SUFFIX = ".stage"
#: The ledger's tables that an import fills faster than PostgreSQL counts them by itself.
_GROWING = ("person", "phone", "person_phone", "debt", "stop", "consent", "history", "cap_key")
_INNER_JOIN = re.compile(r"(?<!LEFT )\bJOIN\b")

staged = MetaData(schema=SCHEMA)


def _row(**keys: Any) -> Column[int]:
    return Column("row", Id, primary_key=True, autoincrement=False, **keys)


#: Rows of `ledger.intake.rows.AccountLine`, in its order.
account = Table(
    "account",
    staged,
    _row(),
    Column("creditor", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("household", Text),
    Column("name", Text),
    Column("language", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("region", Text),
    Column("city", Text),
    Column("postal_code", Text),
    Column("street", Text),
    Column("address_zones", Text, nullable=False),
    Column("owner", Text),
    Column("rank", Integer),
    Column("product", Text),
    Column("balance_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("balance_us", BigInteger),
    Column("due_on", Text),
    Column("paid", Boolean, nullable=False),
    Column("digest", BigInteger, nullable=False),
)
number = Table(
    "number",
    staged,
    _row(),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("e164", Text, nullable=False),
    sqlite_with_rowid=False,
)
stop = Table(
    "stop",
    staged,
    _row(),
    Column("kind", Text, primary_key=True),
    Column("stands", Boolean, nullable=False),
    Column("of_debt", Boolean, nullable=False),
    Column("event_us", BigInteger),
    sqlite_with_rowid=False,
)
consent = Table(
    "consent",
    staged,
    Column("row", BigInteger, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("channel", Text),
    Column("until_us", BigInteger),
)
contact = Table(
    "contact",
    staged,
    Column("row", BigInteger, nullable=False, index=True),
    Column("event_us", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("e164", Text),
)
#: Rows of a file of prior attempts.
prior = Table(
    "prior",
    staged,
    _row(),
    Column("creditor", Text),
    Column("account", Text, nullable=False),
    Column("event_us", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("e164", Text),
)
reject = Table(
    "reject",
    staged,
    Column("row", BigInteger, nullable=False, index=True),
    Column("field", Text, nullable=False),
    Column("found", Text, nullable=False),
    Column("do", Text, nullable=False),
    Column("cells", Text),
    Column("creditor", Text),
    Column("account", Text),
    Column("whole", Boolean, nullable=False),
)

# ---- what comparing finds

#: Rows of an account that stood in the file before.
repeated = Table(
    "repeated",
    staged,
    _row(),
    Column("first", Id, nullable=False),
    #: The two say the same.
    Column("same", Boolean, nullable=False),
)

#: Accounts of the file that the ledger has, by row.
known_debt = Table(
    "known_debt",
    staged,
    _row(),
    Column("debt", Id, nullable=False),
    Column("person", Id, nullable=False, index=True),
    Column("changed", Boolean, nullable=False),
)
#: People of the file; the last row that speaks of one is the one that counts.
people = Table(
    "people",
    staged,
    Column("ref", Text, primary_key=True),
    Column("row", Id, nullable=False),
    Column("person", Id, index=True),
)
#: People on record about whom the file says something new.
touched = Table(
    "touched",
    staged,
    Column("person", Id, primary_key=True, autoincrement=False),
    #: 0: about whether they may be contacted at all.
    Column("turn", Integer, nullable=False),
)
withdrawal = Table(
    "withdrawal",
    staged,
    Column("debt", Id, primary_key=True, autoincrement=False),
    Column("person", Id, nullable=False, index=True),
)
#: Numbers that the ledger lacks.
missing = Table("missing", staged, Column("ord", Id, primary_key=True), Column("e164", Text, nullable=False))
#: The same with what is to be known of them, in the order in which they land.
phone = Table(
    "phone",
    staged,
    Column("ord", Id, primary_key=True, autoincrement=False),
    Column("e164", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("line_type", Text, nullable=False),
    Column("geographic", Boolean, nullable=False),
    Column("zones", Text, nullable=False),
)
#: People in the order in which they land; without a person: new, without a reference: not in the file.
turn = Table(
    "turn",
    staged,
    Column("ord", Id, primary_key=True),
    Column("ref", Text),
    Column("row", Id),
    Column("person", Id, index=True),
)


#: One row: `ledger.intake.landing.Landing` as JSON, for whoever goes on after a crash.
landing = Table("landing", staged, Column("body", Text, nullable=False))


class StageGone(Exception):
    """The file with the rows of an import that was cut off is not there any more."""


class Stage:
    """The staging tables on their one connection.

    Parameters
    ----------
    name : str or None
        Of a stage that is there already; None: make a new one.
    """

    def __init__(self, ledger: SqlLedger, name: str | None = None) -> None:
        with ledger.reading() as other:
            self._engine = other.engine
        self.connection: Connection = self._engine.connect()
        self.is_sqlite = self._engine.dialect.name == "sqlite"
        own = f"{Path(self._engine.url.database or '').name}-{os.getpid()}{_SUFFIX}"
        self.name = name or (own if self.is_sqlite else SCHEMA)
        self._statements: dict[str, TextClause] = {}
        if self.is_sqlite:
            self._attach(name is not None)
        if name is None:
            self._create()

    @property
    def _driver(self) -> Any:
        return self.connection.connection.dbapi_connection

    @property
    def _path(self) -> Path:
        return Path(self._engine.url.database or "").resolve().with_name(self.name)

    def _attach(self, there: bool) -> None:
        if there and not self._path.exists():
            raise StageGone(self.name)
        if not there:
            os.close(os.open(self._path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        driver = self._driver
        driver.execute(f"ATTACH DATABASE ? AS {SCHEMA}", (str(self._path),))
        # Nobody else reads it, and it is thrown away when anything goes wrong.
        driver.execute(f"PRAGMA {SCHEMA}.journal_mode=OFF")
        driver.execute(f"PRAGMA {SCHEMA}.synchronous=OFF")
        driver.execute(f"PRAGMA {SCHEMA}.cache_size=-65536")
        driver.execute("PRAGMA main.cache_size=-131072")
        driver.execute("PRAGMA temp_store=MEMORY")
        # Every id that lands comes out of a join with the table it refers to.
        driver.execute("PRAGMA foreign_keys=OFF")

    def _create(self) -> None:
        with self.connection.begin():
            if not self.is_sqlite:
                self.connection.execute(DropSchema(SCHEMA, cascade=True, if_exists=True))
                self.connection.execute(CreateSchema(SCHEMA))
            staged.create_all(self.connection)

    # ---- rows in, statements, rows out

    def load(self, table: Table, rows: list[Any]) -> None:
        """Append rows, tuples whose values are in the table's order."""
        if not rows:
            return
        with self.connection.begin():
            if self.is_sqlite:
                marks = ",".join("?" * len(table.columns))
                insert = f"INSERT INTO {SCHEMA}.{table.name} VALUES ({marks})"
                self.connection.exec_driver_sql(insert, rows)
                return
            names = ",".join(f'"{column.name}"' for column in table.columns)
            with (
                self._driver.cursor() as cursor,
                cursor.copy(f"COPY {SCHEMA}.{table.name} ({names}) FROM STDIN") as copy,
            ):
                for row in rows:
                    copy.write_row(row)

    def execute(self, sql: str, **values: object) -> "CursorResult[Any]":
        """Execute a statement in the open transaction.

        `{differs}` in it compares two values that may be null. Joins are made in the order in which they are written:
        SQLite knows nothing of the size of tables just filled, and would now and then begin with the largest.
        """
        return self.connection.execute(self._statement(sql), values)

    def _statement(self, sql: str) -> TextClause:
        statement = self._statements.get(sql)
        if statement is None:
            if self.is_sqlite:
                own = _INNER_JOIN.sub("CROSS JOIN", sql.replace("{differs}", "IS NOT"))
            else:
                own = sql.replace("{differs}", "IS DISTINCT FROM")
            statement = self._statements[sql] = text(own)
        return statement

    def run(self, sql: str, **values: object) -> int:
        """Execute a statement in a transaction of its own that writes to the stage alone; return its rows."""
        with self.connection.begin():
            return self.execute(sql, **values).rowcount

    def scalar(self, sql: str, **values: object) -> int:
        """Return the number that a query gives."""
        with self.connection.begin():
            return int(self.execute(sql, **values).scalar() or 0)

    def rows(self, sql: str, **values: object) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query, a few thousand in memory."""
        with self.connection.begin():
            result = self.connection.execute(self._statement(sql), values, execution_options={"yield_per": 4000})
            for row in result:
                yield tuple(row)

    def index(self, table: str, *columns: str) -> None:
        """Index a table after it was filled."""
        name, listed = f"ix_{table}_{columns[0]}", ", ".join(columns)
        self.run(
            f"CREATE INDEX {SCHEMA}.{name} ON {table} ({listed})"
            if self.is_sqlite
            else f"CREATE INDEX {name} ON {SCHEMA}.{table} ({listed})"
        )

    def analyze(self, *, ledger: bool = False) -> None:
        """Let PostgreSQL count the rows of the stage, or of the ledger, so that it chooses its ways by them."""
        if not self.is_sqlite:
            with self.connection.begin():
                for name in _GROWING if ledger else (f"{SCHEMA}.{table.name}" for table in staged.sorted_tables):
                    self.connection.execute(text(f"ANALYZE {name}"))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make a transaction that writes to the ledger: it takes SQLite's lock as it begins."""
        self.connection.execution_options(cadencia_writes=True)
        try:
            with self.connection.begin():
                yield
        finally:
            self.connection.execution_options(cadencia_writes=False)

    # ---- its end

    def sync(self) -> None:
        """Put what is staged on disk: from the flip on the ledger relies on it."""
        if self.is_sqlite:
            with self._path.open("rb") as file:
                os.fsync(file.fileno())
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def close(self, *, keep: bool) -> None:
        """End; forget what is staged unless it still has to land."""
        if not self.is_sqlite and not keep:
            with self.connection.begin():
                self.connection.execute(DropSchema(SCHEMA, cascade=True))
        self.connection.detach()
        self.connection.close()
        if self.is_sqlite and not keep:
            self._path.unlink(missing_ok=True)


@contextmanager
def only_import(ledger: SqlLedger, kind: str = "portfolio") -> Iterator[None]:
    """Hold the right to import files of a kind.

    Raises
    ------
    BadInput
        When another import of the kind runs.
    """
    busy = BadInput(f"ledger: another import ({kind}) runs; wait until it has ended")
    # Whatever stalls inside is told as of any reading.
    with ledger.reading() as connection:
        if connection.dialect.name == "sqlite":
            database = Path(connection.engine.url.database or "").resolve()
            with database.with_name(f"{database.name}-{kind}-lock").open("a") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise busy from None
                yield
            return
        lock = _IMPORT_LOCKS[kind]
        if not connection.execute(text(f"SELECT pg_try_advisory_lock({lock})")).scalar():
            raise busy
        connection.commit()
        try:
            yield
        finally:
            connection.execute(text(f"SELECT pg_advisory_unlock({lock})"))
            connection.commit()


def clear_leftovers(ledger: SqlLedger) -> None:
    """Remove the files of imports that died before their flip; call it when none is landing."""
    with ledger.reading() as connection:
        engine = connection.engine
    if engine.dialect.name == "sqlite":
        database = Path(engine.url.database or "").resolve()
        for path in database.parent.glob(f"{database.name}-*{_SUFFIX}"):
            path.unlink()
