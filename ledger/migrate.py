"""Brings a database to this code's schema, or says why it cannot."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from domain.errors import BadInput

#: Newest migration under ledger/migrations/versions.
HEAD = "0001"


def migrate(connection: Connection) -> None:
    """Run the migrations that a database lacks, in the caller's transaction.

    Raises
    ------
    BadInput
        When the database was written by newer code.
    """
    found = None
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
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
