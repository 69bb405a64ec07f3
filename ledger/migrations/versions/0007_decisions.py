"""What strategies decided, with the chance of each action."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "decision",
        sa.Column("plan", _ID, autoincrement=False, nullable=False, comment="the list that was made"),
        sa.Column("person", _ID, autoincrement=False, nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("decided_us", sa.BigInteger(), nullable=False),
        sa.Column("known_us", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False, comment="call or none"),
        sa.Column("p_action", sa.Text(), nullable=False, comment="chance of each action as JSON, over all lots"),
        sa.Column("arm", sa.Text(), nullable=False, comment="holdout: left alone by lot"),
        sa.Column("strategy", sa.Text(), nullable=False, comment="NAME@VERSION"),
        sa.Column("score_version", sa.Text(), nullable=True, comment="null: no score was known"),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("treatment", sa.Text(), nullable=False, comment="ARM.TREATMENT.STEP"),
        sa.Column(
            "since_day", sa.Integer(), nullable=False, comment="in the segment since, in days since 1970-01-01"
        ),
        sa.PrimaryKeyConstraint("plan", "person", name=op.f("pk_decision")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_decision_campaign_person"), "decision", ["campaign", "person"])
