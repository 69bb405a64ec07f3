"""What models say of everybody who owes: sets of scores, of which the last sealed one serves."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "score_set",
        sa.Column("number", _ID, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False, comment="as of when"),
        sa.Column("versions", sa.Text(), nullable=False, comment="JSON: the version of each head"),
        sa.Column("zone", sa.Text(), nullable=False, comment="whose clock names the hours of the week"),
        sa.Column("people", sa.Integer(), server_default="0", nullable=False),
        sa.Column("numbers", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "sealed", sa.Boolean(), server_default=sa.false(), nullable=False, comment="whole; before, nobody reads it"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_score_set")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "score",
        sa.Column("score_set", _ID, nullable=False),
        sa.Column("person", _ID, nullable=False),
        sa.Column("phone", _ID, nullable=False),
        sa.Column(
            "p_answered",
            sa.LargeBinary(336),
            nullable=True,
            comment="168 hours of the week, uint16 little-endian, 1/65535; null: no model",
        ),
        sa.Column("p_right", sa.LargeBinary(336), nullable=True, comment="the same, that it is the debtor"),
        sa.Column("p_valid", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["score_set"], ["score_set.number"], name=op.f("fk_score_score_set")),
        sa.PrimaryKeyConstraint("score_set", "person", "phone", name=op.f("pk_score")),
    )
    op.create_table(
        "score_person",
        sa.Column("score_set", _ID, nullable=False),
        sa.Column("person", _ID, nullable=False),
        sa.Column("p_promise", sa.Float(), nullable=True),
        sa.Column("p_kept", sa.Float(), nullable=True, comment="null: no promise is open"),
        sa.Column("p_pay", sa.Float(), nullable=True, comment="left alone"),
        sa.Column("uplift", sa.Text(), nullable=True, comment="JSON: what a contact adds to it, by channel"),
        sa.Column(
            "value_minor",
            sa.Text(),
            nullable=True,
            comment="JSON: what a contact adds to what is paid, by channel, before its cost",
        ),
        sa.Column("currency", sa.String(3), nullable=True),
        sa.ForeignKeyConstraint(["score_set"], ["score_set.number"], name=op.f("fk_score_person_score_set")),
        sa.PrimaryKeyConstraint("score_set", "person", name=op.f("pk_score_person")),
    )
