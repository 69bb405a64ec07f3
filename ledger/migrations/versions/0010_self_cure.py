"""The chance that all is paid without a contact, of whoever is scored."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "score_person",
        sa.Column("p_self_cure", sa.Float(), nullable=True, comment="that all is paid, left alone"),
    )
