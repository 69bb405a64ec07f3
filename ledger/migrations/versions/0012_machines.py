"""The chance that a machine answers a number where no person does."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "score",
        sa.Column("p_machine", sa.Float(), nullable=True, comment="that a machine answers where no person does"),
    )
