"""Find what the rules asked of a floor's pacing among its terms."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TERMS = sa.text("kind IN ('FloorOpened', 'LeadsLoaded', 'LimitSet', 'ModeSet', 'PaceBound')")


def upgrade() -> None:
    op.drop_index("ix_journal_terms", table_name="journal")
    op.create_index(
        "ix_journal_terms",
        "journal",
        ["stream", "kind", "seq"],
        unique=False,
        sqlite_where=_TERMS,
        postgresql_where=_TERMS,
    )
