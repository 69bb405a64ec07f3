"""The ledgers that tests run on: in memory, SQLite, PostgreSQL; one set of tests for all."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.memory import MemoryLedger
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
def postgres_template(postgres_server: Postgres) -> str:
    """Return the address of a database with the tables in it, to be copied."""
    url = postgres_server.url()
    open_ledger(url).close()
    return url


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Give the address of a new, empty ledger of a kind."""

    def of(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/ledger.db"
        server: Postgres = request.getfixturevalue("postgres_server")
        return server.url(request.getfixturevalue("postgres_template"))

    return of


@pytest.fixture(params=_ON_DISK)
def ledger_url(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> str:
    """Give the address of a ledger that several processes can open."""
    return new_url(request.param)


@pytest.fixture(params=["memory", *_ON_DISK])
def ledger(request: pytest.FixtureRequest, new_url: Callable[[str], str]) -> Iterator[SqlLedger]:
    """Give a new ledger of every kind."""
    found = MemoryLedger() if request.param == "memory" else open_ledger(new_url(request.param))
    yield found
    found.close()
