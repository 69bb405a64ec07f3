"""What was handed out besides calls, and where people stood then."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "stand",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("person", _ID, autoincrement=False, nullable=False),
        sa.Column("known_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("since_day", sa.Integer(), nullable=False, comment="in the segment since, in days since 1970-01-01"),
        sa.PrimaryKeyConstraint("campaign", "person", "known_us", name=op.f("pk_stand")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "handover",
        sa.Column("id", _ID, nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False, comment="channel of the messages, or the task"),
        sa.Column("strategy", sa.Text(), nullable=False, comment="NAME@VERSION"),
        sa.Column("rules", sa.Text(), nullable=False, comment="version of the rule packs that judged"),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("handed_by", sa.Text(), nullable=False),
        sa.Column(
            "written_us",
            sa.BigInteger(),
            nullable=True,
            comment="by the clock, when its file was whole; null: it is not yet",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_handover_campaign_what"), "handover", ["campaign", "what"])
    op.create_table(
        "handed",
        sa.Column("handover", _ID, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("person", _ID, nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False, comment="TREATMENT.STEP"),
        sa.Column("since_day", sa.Integer(), nullable=False, comment="in the segment since, in days since 1970-01-01"),
        sa.Column("template", sa.Text(), nullable=False, comment="name of the text; empty: a task"),
        sa.Column("debts", sa.Text(), nullable=False, comment="ids, comma separated"),
        sa.Column(
            "phones", sa.Text(), nullable=False, comment="ids: where the message goes; of a task, those on record then"
        ),
        sa.Column("score_version", sa.Text(), nullable=True, comment="null: no score was known"),
        sa.Column("verdict", sa.Text(), nullable=True, comment="domain.people.Verdict as JSON; null: a task"),
        sa.PrimaryKeyConstraint("handover", "place", name=op.f("pk_handed")),
        sa.UniqueConstraint(
            "campaign", "person", "step", "since_day", name=op.f("uq_handed_campaign_person_step_since_day")
        ),
        sa.ForeignKeyConstraint(["handover"], ["handover.id"], name=op.f("fk_handed_handover")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_handed_person"), "handed", ["person"])
    op.create_index(op.f("ix_handed_campaign_what_at_us"), "handed", ["campaign", "what", "at_us"])
