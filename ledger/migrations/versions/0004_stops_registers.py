"""Stops of one channel, with who recorded and lifted them; do-not-contact registers."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_STANDING = sa.text("lifted_us IS NULL")


def upgrade() -> None:
    for name, kind, comment in (
        ("channel", sa.Text(), "null: every channel; call: every voice"),
        ("received", sa.Text(), "channel through which the debtor said it"),
        ("recorded_by", sa.Text(), "who wrote it down"),
        ("note", sa.Text(), "free text of whoever wrote it down; an erasure empties it"),
        ("confirmed_us", sa.BigInteger(), "the debtor was told that it is obeyed"),
        ("confirmed_by", sa.Text(), None),
        ("lifted_by", sa.Text(), None),
        ("lifted_why", sa.Text(), "a word of ledger.stops.REASONS"),
    ):
        op.add_column("stop", sa.Column(name, kind, nullable=True, comment=comment))
    op.drop_index("uq_stop_standing", "stop")
    op.create_index(
        "uq_stop_standing",
        "stop",
        [
            "person",
            "kind",
            sa.text("coalesce(debt, 0)"),
            sa.text("coalesce(phone, 0)"),
            sa.text("coalesce(channel, '')"),
        ],
        unique=True,
        sqlite_where=_STANDING,
        postgresql_where=_STANDING,
    )
    for table in ("history", "consent"):
        # As the rule packs name them; under the other names no rule counted them.
        op.execute(f"UPDATE {table} SET channel = 'im' WHERE channel = 'message'")
        op.execute(f"UPDATE {table} SET channel = 'prerecorded' WHERE channel = 'ivr'")
    op.create_table(
        "register",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="as the packs' rows name it"),
        sa.Column(
            "edition", sa.Integer(), server_default="0", nullable=False, comment="whose numbers are in force"
        ),
        sa.Column("numbers", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sha256", sa.String(64), nullable=True, comment="of the file"),
        sa.Column("imported_us", sa.BigInteger(), nullable=True, comment="null: the first import has not ended"),
        sa.Column(
            "as_of", sa.String(10), nullable=True, comment="day of which the register's keeper dates the file"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register")),
        sa.UniqueConstraint("name", name=op.f("uq_register_name")),
    )
    op.create_table(
        "register_number",
        sa.Column("register", _ID, nullable=False),
        sa.Column("edition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("e164", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["register"], ["register.id"], name=op.f("fk_register_number_register")),
        sa.PrimaryKeyConstraint("register", "edition", "e164", name=op.f("pk_register_number")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "phone_register",
        sa.Column("phone", _ID, nullable=False),
        sa.Column("register", _ID, nullable=False),
        sa.ForeignKeyConstraint(["phone"], ["phone.id"], name=op.f("fk_phone_register_phone")),
        sa.ForeignKeyConstraint(["register"], ["register.id"], name=op.f("fk_phone_register_register")),
        sa.PrimaryKeyConstraint("phone", "register", name=op.f("pk_phone_register")),
        sqlite_with_rowid=False,
    )
