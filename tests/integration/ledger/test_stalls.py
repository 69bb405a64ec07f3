"""What passes by itself is `LedgerStalled`; the rows are the caller's still, and go through when it has passed."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from domain.errors import BadInput, LedgerStalled
from domain.events import Reserved
from ledger.store import SqlLedger, open_ledger
from tests.integration.ledger.scribe import Scribe, person, settle


def in_order(ledger: SqlLedger, scribe: Scribe) -> None:
    """Assert that a stream holds all that its scribe wrote."""
    (found,) = ledger.verify(scribe.stream)
    assert (found.rows, found.broken) == (scribe.seq, "")


def test_sqlite_locked(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with open_ledger(f"sqlite:///{path}", patience_s=0.05) as ledger:
        one = person(1)
        settle(ledger, [one])
        scribe = Scribe()
        batch = scribe.opened() + scribe.reserve(one)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerStalled, match="database is locked"):
            ledger.append(batch)
        # Readers do not wait for a writer.
        assert ledger.dossiers([1]) == [one]
        other.execute("ROLLBACK")
        other.close()
        assert isinstance(ledger.append(batch)[0], Reserved)
        in_order(ledger, scribe)


def test_sqlite_full(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with open_ledger(f"sqlite:///{path}") as ledger:
        people = [person(number) for number in range(1, 200)]
        settle(ledger, people)
        scribe = Scribe()
        with ledger.reading() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 4}")
        held = None
        for one in people:
            batch = scribe.reserve(one)
            try:
                ledger.append(batch)
            except LedgerStalled as error:
                held = (batch, str(error))
                break
        assert held is not None
        assert "full" in held[1]
        with pytest.raises(LedgerStalled):
            ledger.append(held[0])
        (found,) = ledger.verify("floor")
        assert (found.rows, found.broken) == (scribe.seq - 1, "")
        with ledger.reading() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1000000")
        assert isinstance(ledger.append(held[0])[0], Reserved)
        in_order(ledger, scribe)


@pytest.mark.postgres
def test_postgres_locked(new_url: Callable[[str], str]) -> None:
    url = new_url("postgres")
    with open_ledger(url, patience_s=0.05) as ledger:
        one = person(1)
        settle(ledger, [one])
        scribe = Scribe()
        batch = scribe.opened() + scribe.reserve(one)
        with connected(url) as other:
            other.execute("LOCK TABLE cap_key")
            with pytest.raises(LedgerStalled, match="lock timeout"):
                ledger.append(batch)
        assert isinstance(ledger.append(batch)[0], Reserved)
        in_order(ledger, scribe)


@pytest.mark.postgres
def test_postgres_gone_for_a_moment(new_url: Callable[[str], str]) -> None:
    url = new_url("postgres")
    with open_ledger(url) as ledger:
        scribe = Scribe()
        ledger.append(scribe.opened())
        one = person(1)
        settle(ledger, [one])
        batch = scribe.reserve(one)
        with connected(url) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with pytest.raises(LedgerStalled):
            ledger.append(batch)
        assert isinstance(ledger.append(batch)[0], Reserved)
        in_order(ledger, scribe)


@pytest.mark.postgres
@pytest.mark.parametrize("name", ["synchronous_commit"])
def test_postgres_must_be_durable(new_url: Callable[[str], str], name: str) -> None:
    url = new_url("postgres")
    with connected(url) as other:
        other.execute(f"ALTER DATABASE {make_url(url).database} SET {name} = off".encode())
    with pytest.raises(BadInput, match=f"{name} must be on, was off"):
        open_ledger(url)


def connected(url: str) -> psycopg.Connection[tuple[object, ...]]:
    parsed = make_url(url)
    return psycopg.connect(host=str(parsed.query["host"]), user=parsed.username, dbname=parsed.database)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ledger.db", "is no database URL"),
        ("mysql://host/ledger", "neither an SQLite file nor PostgreSQL"),
        ("sqlite://", "neither an SQLite file nor PostgreSQL"),
        ("sqlite:////nowhere/at/all/ledger.db", "cannot be opened"),
        ("postgresql://nobody@/ledger?host=/nowhere/at/all", "cannot be opened"),
    ],
)
def test_what_cannot_be_opened(url: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        open_ledger(url)


def test_no_ledger_of_another_kind_of_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("account,name\n" * 1000)
    with pytest.raises(BadInput, match="not a database"):
        open_ledger(f"sqlite:///{path}")


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    with open_ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        ledger.append(Scribe().opened())
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("ledger.db*")}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
