"""Trials on live people: what was fixed before, by whom, and how each ended."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "experiment",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False, comment="NAME@VERSION"),
        sa.Column(
            "document", sa.Text(), nullable=False, comment="strategy.documents.Strategy as JSON, as it was started"
        ),
        sa.Column("unit", sa.Text(), nullable=False, comment="debtor or pool_day"),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("alpha", sa.Float(), nullable=False, comment="over all looks and comparisons"),
        sa.Column("look_days", sa.Text(), nullable=False, comment="JSON: after how many days it is looked at"),
        sa.Column("mde", sa.Float(), nullable=True, comment="difference planned for, as a share; null: none was"),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("registered_us", sa.BigInteger(), nullable=False, comment="when it was written down"),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("stopped_us", sa.BigInteger(), nullable=True, comment="null: runs"),
        sa.Column("stopped_by", sa.Text(), nullable=True),
        sa.Column("stopped_why", sa.Text(), nullable=True),
        sa.Column("promoted", sa.Text(), nullable=True, comment="the arm that became the champion"),
        sa.Column("promoted_us", sa.BigInteger(), nullable=True),
        sa.Column("promoted_asked_by", sa.Text(), nullable=True),
        sa.Column("promoted_approved_by", sa.Text(), nullable=True),
        sa.Column(
            "promoted_despite", sa.Text(), nullable=True, comment="why, where its rule was not reached; null: it was"
        ),
        sa.Column("promoted_strategy", sa.Text(), nullable=True, comment="NAME@VERSION that was written"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment")),
        sa.UniqueConstraint("name", name=op.f("uq_experiment_name")),
    )
