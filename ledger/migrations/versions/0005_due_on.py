"""The day of a promise in its line of the history: whether it was kept is told from the history alone."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "history",
        sa.Column("due_on", sa.String(10), nullable=True, comment="of a promise or plan: the day agreed"),
    )
    op.execute(
        "UPDATE history SET due_on = (SELECT p.due_on FROM promise p WHERE p.call_id = history.attempt)"
        " WHERE event IN ('promise', 'plan')"
    )
