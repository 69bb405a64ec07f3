"""Groups of agents, which steps of strategies ask for."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "agent",
        sa.Column(
            "groups",
            sa.Text(),
            nullable=False,
            server_default="",
            comment="comma separated; steps of strategies ask for them",
        ),
    )
