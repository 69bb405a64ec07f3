"""Find the rows that tell a floor's terms without reading all its calls."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TERMS = sa.text("kind IN ('FloorOpened', 'LeadsLoaded', 'LimitSet', 'ModeSet')")


def upgrade() -> None:
    op.create_index(
        "ix_journal_terms",
        "journal",
        ["stream", "kind", "seq"],
        unique=False,
        sqlite_where=_TERMS,
        postgresql_where=_TERMS,
    )
