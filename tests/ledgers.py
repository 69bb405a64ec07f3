"""The ledgers that tests run on: in memory, SQLite, PostgreSQL; one set of tests for all."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from ledger.memory import MemoryLedger
from ledger.schema import metadata
from ledger.store import SqlLedger, open_ledger
from tests.postgres import CannotRunError, Postgres

_ON_DISK = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    try:
        server = Postgres()
    except CannotRunError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Postgres) -> str:
    """Return the address of a database with the tables in it, for all who leave them as they are."""
    url = postgres_server.url()
    open_ledger(url).close()
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with the tables in it, to be copied."""
    path = tmp_path_factory.mktemp("ledger") / "template.db"
    open_ledger(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Give the address of a ledger of a kind that nobody has opened yet, for those who change more than its rows."""

    def of(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/new.db"
        server: Postgres = request.getfixturevalue("postgres_server")
        return server.url()

    return of


@pytest.fixture(params=_ON_DISK)
def ledger_url(request: pytest.FixtureRequest) -> str:
    """Give the address of an empty ledger that several processes can open."""
    return _empty(request, request.param)


@pytest.fixture(params=["memory", *_ON_DISK])
def ledger(request: pytest.FixtureRequest) -> Iterator[SqlLedger]:
    """Give an empty ledger of every kind."""
    with MemoryLedger() if request.param == "memory" else open_ledger(_empty(request, request.param)) as found:
        yield found


def _empty(request: pytest.FixtureRequest, kind: str) -> str:
    if kind == "sqlite":
        path: Path = request.getfixturevalue("tmp_path") / "ledger.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("postgres_url")
    with open_ledger(url) as found, found.writing() as connection:
        # Much quicker than a new database, or TRUNCATE.
        for table in reversed(metadata.sorted_tables):
            connection.execute(text(f"DELETE FROM {table.name}"))
    return url
