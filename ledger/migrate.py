"""Brings a database to this code's schema, or says why it cannot."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from domain.errors import BadInput
from ledger.database import Database

#: Newest migration under ledger/migrations/versions.
HEAD = "0012"

#: Of PostgreSQL's advisory lock: two processes may open an empty database at once.
_MIGRATION_LOCK = 7_236_002


def migrate(database: Database) -> None:
    """Run the migrations that a database lacks, in one transaction.

    Raises
    ------
    BadInput
        When the database was written by newer code.
    """
    with database.reading() as connection:
        if _found(connection) == HEAD:
            return
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        found = _found(connection)
        if found == HEAD:
            return
        if found is not None and found > HEAD:
            raise BadInput(
                f"ledger: its tables are at version {found}, this code knows {HEAD}; "
                "run the newer release that wrote it, or give another ledger"
            )
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _found(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
