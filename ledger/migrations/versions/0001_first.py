"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agent",
        sa.Column("agent", sa.Text(), nullable=False, comment="the code that the record knows"),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("extension", sa.Text(), nullable=True, comment="of the agent's phone"),
        sa.Column("campaigns", sa.Text(), server_default="", nullable=False, comment="comma separated; empty: all"),
        sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agent", name=op.f("pk_agent")),
        sa.UniqueConstraint("extension", name=op.f("uq_agent_extension")),
    )
    op.create_table(
        "agent_state",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="domain.calls.AgentState"),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("call_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("stream", "seq", name=op.f("pk_agent_state")),
    )
    op.create_index(op.f("ix_agent_state_agent_at_us"), "agent_state", ["agent", "at_us"], unique=False)
    op.create_table(
        "attempt",
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=True, comment="null: made by no floor"),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("phone", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("debts", sa.Text(), nullable=False, comment="ids, comma separated"),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("trunk", sa.Text(), nullable=False),
        sa.Column("caller_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="how many-th of this person in this campaign"),
        sa.Column("held_agent", sa.Text(), nullable=True, comment="reserved for it before dialling"),
        sa.Column("p_answer", sa.Float(), nullable=True),
        sa.Column("arm", sa.Text(), nullable=True, comment="strategy arm"),
        sa.Column("p_arm", sa.Float(), nullable=True, comment="probability with which the arm was drawn"),
        sa.Column("score_version", sa.Text(), nullable=True),
        sa.Column("rules", sa.Text(), nullable=False, comment="version of the rule packs that judged"),
        sa.Column("verdict", sa.Text(), nullable=False, comment="domain.people.Verdict as JSON"),
        sa.Column(
            "cap_keys", sa.Text(), nullable=False, comment="cap keys with their versions after the bump, as JSON"
        ),
        sa.Column("phase", sa.Text(), nullable=False, comment="domain.calls.Phase"),
        sa.Column("reserved_us", sa.BigInteger(), nullable=False),
        sa.Column("originated_us", sa.BigInteger(), nullable=True),
        sa.Column("ringing_us", sa.BigInteger(), nullable=True),
        sa.Column("answered_us", sa.BigInteger(), nullable=True),
        sa.Column("talking_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_us", sa.BigInteger(), nullable=True, comment="the debtor's channel was gone"),
        sa.Column("agent", sa.Text(), nullable=True, comment="who talked"),
        sa.Column("answer_class", sa.Text(), nullable=True, comment="domain.calls.AnswerClass"),
        sa.Column("class_why", sa.Text(), nullable=True),
        sa.Column("wait_us", sa.BigInteger(), nullable=True, comment="answer to agent"),
        sa.Column(
            "recorded", sa.Text(), nullable=True, comment="domain.events.Disposed as JSON: what the agent said last"
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_attempt")),
    )
    op.create_index(op.f("ix_attempt_campaign_reserved_us"), "attempt", ["campaign", "reserved_us"], unique=False)
    op.create_index(op.f("ix_attempt_person"), "attempt", ["person"], unique=False)
    op.create_table(
        "call_back",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=True),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True, comment="who owns it; null: anybody"),
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.Column("done_us", sa.BigInteger(), nullable=True, comment="when it was tried"),
        sa.Column("done_call_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_back")),
        sa.UniqueConstraint("call_id", name=op.f("uq_call_back_call_id")),
    )
    op.create_index(op.f("ix_call_back_due_us"), "call_back", ["due_us"], unique=False)
    op.create_index(op.f("ix_call_back_person"), "call_back", ["person"], unique=False)
    op.create_table(
        "campaign",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column(
            "settings", sa.Text(), nullable=False, comment="domain.settings.CampaignSettings as JSON, as last opened"
        ),
        sa.Column("state", sa.Text(), nullable=False, comment="domain.calls.CampaignState"),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", name=op.f("pk_campaign")),
    )
    op.create_table(
        "cap_key",
        sa.Column("key", sa.Text(), nullable=False, comment="person:17, phone:31, household:5"),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="no row: 0"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_cap_key")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "change",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "stream",
            sa.Text(),
            nullable=True,
            comment="the floor that wrote it and knows it already; null: nobody's floor",
        ),
        sa.Column("known_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_change")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "creditor",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_creditor")),
        sa.UniqueConstraint("name", name=op.f("uq_creditor_name")),
    )
    op.create_table(
        "denial",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("phone", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("local_time", sa.Text(), nullable=False),
        sa.Column("next_allowed_at_us", sa.BigInteger(), nullable=True),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False, comment="domain.people.Verdict as JSON"),
        sa.PrimaryKeyConstraint("stream", "seq", name=op.f("pk_denial")),
    )
    op.create_index(op.f("ix_denial_person"), "denial", ["person"], unique=False)
    op.create_table(
        "history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_us", sa.BigInteger(), nullable=False, comment="when it happened"),
        sa.Column("known_us", sa.BigInteger(), nullable=False, comment="when we learned it"),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "debts", sa.Text(), server_default="", nullable=False, comment="ids, comma separated; empty: unspecified"
        ),
        sa.Column("phone", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("address_type", sa.Text(), nullable=True, comment="of the number then; null: as the phone's"),
        sa.Column("creditor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True, comment="null: no contact"),
        sa.Column("inbound", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False, comment="a rung of the contact ladder, or what else happened"),
        sa.Column("attempt", sa.Text(), nullable=True, comment="call id; null: imported"),
        sa.Column(
            "detail", sa.Text(), server_default="", nullable=False, comment="a word of a closed set: disposition, stop…"
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index(op.f("ix_history_known_us"), "history", ["known_us"], unique=False)
    op.create_index(op.f("ix_history_person_event_us"), "history", ["person", "event_us"], unique=False)
    op.create_table(
        "household",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False, comment="as the imports name it"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household")),
        sa.UniqueConstraint("ref", name=op.f("uq_household_ref")),
    )
    op.create_table(
        "import_file",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="file name without its folder"),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default="landing", nullable=False),
        sa.Column("rows", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rejected", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("added", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("withdrawn", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("stage", sa.Text(), nullable=True, comment="where its staged rows wait while it lands"),
        sa.Column("people", sa.BigInteger(), server_default="0", nullable=False, comment="to be landed"),
        sa.Column("landed", sa.BigInteger(), server_default="0", nullable=False, comment="of those, landed so far"),
        sa.CheckConstraint("kind IN ('portfolio', 'payments')", name=op.f("ck_import_file_kind")),
        sa.CheckConstraint("state IN ('landing', 'landed', 'refused')", name=op.f("ck_import_file_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_file")),
    )
    op.create_index(op.f("ix_import_file_sha256"), "import_file", ["sha256"], unique=False)
    op.create_table(
        "journal",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("stream", "seq", name=op.f("pk_journal")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "lease",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, comment="host, process and user, for whoever is refused"),
        sa.Column("taken_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_lease")),
    )
    op.create_table(
        "phone",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("e164", sa.Text(), nullable=True, comment="null after an erasure"),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("line_type", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("geographic", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("zones", sa.Text(), server_default="", nullable=False, comment="IANA zones, comma separated"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone")),
        sa.UniqueConstraint("e164", name=op.f("uq_phone_e164")),
    )
    op.create_table(
        "plan",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("leads", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("chunks", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sealed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_plan")),
    )
    op.create_table(
        "promise",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "debt",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="null: all debts of the attempt",
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("due_on", sa.String(length=10), nullable=False),
        sa.Column("instalments", sa.Integer(), server_default="1", nullable=False),
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.CheckConstraint("kind IN ('promise', 'plan')", name=op.f("ck_promise_kind")),
        sa.CheckConstraint("state IN ('open', 'kept', 'broken', 'cancelled')", name=op.f("ck_promise_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promise")),
        sa.UniqueConstraint("call_id", name=op.f("uq_promise_call_id")),
    )
    op.create_index(op.f("ix_promise_due_on"), "promise", ["due_on"], unique=False)
    op.create_index(op.f("ix_promise_person"), "promise", ["person"], unique=False)
    op.create_table(
        "snapshot",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="of the state before compression"),
        sa.Column("state", sa.LargeBinary(), nullable=False, comment="zlib"),
        sa.PrimaryKeyConstraint("stream", "seq", name=op.f("pk_snapshot")),
    )
    op.create_table(
        "stream",
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_stream")),
    )
    op.create_table(
        "outcome",
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False, comment="domain.calls.Disposition"),
        sa.Column("event", sa.Text(), nullable=True, comment="rung of the contact ladder; null: never dialled"),
        sa.Column("ring_us", sa.BigInteger(), nullable=True),
        sa.Column("talk_us", sa.BigInteger(), nullable=True),
        sa.Column("wrap_us", sa.BigInteger(), nullable=True),
        sa.Column("q850", sa.Integer(), nullable=True),
        sa.Column("sip", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["call_id"], ["attempt.call_id"], name=op.f("fk_outcome_call_id")),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_outcome")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "ref", sa.Text(), nullable=True, comment="what the imports know this debtor by; null: by account alone"
        ),
        sa.Column("household", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), server_default="en", nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("postal_code", sa.Text(), nullable=True),
        sa.Column("street", sa.Text(), nullable=True),
        sa.Column("address_zones", sa.Text(), server_default="", nullable=False, comment="IANA zones, comma separated"),
        sa.Column("owner", sa.Text(), nullable=True, comment="agent who owns this debtor"),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("erased_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["household"], ["household.id"], name=op.f("fk_person_household")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("ref", name=op.f("uq_person_ref")),
    )
    op.create_index(op.f("ix_person_household"), "person", ["household"], unique=False)
    op.create_table(
        "plan_chunk",
        sa.Column("plan", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("chunk", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leads", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False, comment="of the body before compression"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="zlib of msgpack of leads and dossiers"),
        sa.ForeignKeyConstraint(["plan"], ["plan.number"], name=op.f("fk_plan_chunk_plan")),
        sa.PrimaryKeyConstraint("plan", "chunk", name=op.f("pk_plan_chunk")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True, comment="null: every channel"),
        sa.Column(
            "phone", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True, comment="null: every number"
        ),
        sa.Column("event_us", sa.BigInteger(), nullable=False),
        sa.Column("known_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_consent_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_table(
        "debt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("creditor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("product", sa.Text(), nullable=True),
        sa.Column("balance_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("due_on", sa.String(length=10), nullable=True, comment="since when it is owed"),
        sa.Column("rank", sa.Integer(), nullable=True, comment="place in the creditor's own order, lowest first"),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("first_seen_us", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_us", sa.BigInteger(), nullable=False),
        sa.Column("last_file", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.CheckConstraint("state IN ('open', 'paid', 'withdrawn')", name=op.f("ck_debt_state")),
        sa.CheckConstraint("balance_minor >= 0", name=op.f("ck_debt_balance")),
        sa.CheckConstraint("length(currency) = 3", name=op.f("ck_debt_currency")),
        sa.ForeignKeyConstraint(["creditor"], ["creditor.id"], name=op.f("fk_debt_creditor")),
        sa.ForeignKeyConstraint(["last_file"], ["import_file.id"], name=op.f("fk_debt_last_file")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_debt_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_debt")),
        sa.UniqueConstraint("creditor", "account", name=op.f("uq_debt_creditor_account")),
    )
    op.create_index(op.f("ix_debt_person"), "debt", ["person"], unique=False)
    op.create_table(
        "person_phone",
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("phone", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False, comment="order of trial, lowest first"),
        sa.Column("status", sa.Text(), server_default="usable", nullable=False),
        sa.Column(
            "address_type", sa.Text(), nullable=True, comment="home, mobile, personal, work or other; null: personal"
        ),
        sa.Column("source", sa.Text(), server_default="import", nullable=False),
        sa.CheckConstraint(
            "status IN ('usable', 'wrong_party', 'not_in_service', 'withdrawn')", name=op.f("ck_person_phone_status")
        ),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_person_phone_person")),
        sa.ForeignKeyConstraint(["phone"], ["phone.id"], name=op.f("fk_person_phone_phone")),
        sa.PrimaryKeyConstraint("person", "phone", name=op.f("pk_person_phone")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_person_phone_phone"), "person_phone", ["phone"], unique=False)
    op.create_table(
        "stop",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="domain.people.StopKind"),
        sa.Column(
            "debt", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True, comment="null: every debt"
        ),
        sa.Column(
            "phone", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True, comment="null: every number"
        ),
        sa.Column("event_us", sa.BigInteger(), nullable=False),
        sa.Column("known_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True, comment="null: until lifted"),
        sa.Column("lifted_us", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False, comment="import, payments or agent"),
        sa.Column(
            "why", sa.Text(), server_default="", nullable=False, comment="e.g. the agent's disposition already_paid"
        ),
        sa.Column("call_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_stop_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stop")),
    )
    op.create_table(
        "balance_history",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("debt", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_us", sa.BigInteger(), nullable=False),
        sa.Column("known_us", sa.BigInteger(), nullable=False),
        sa.Column("balance_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False, comment="import, payment or withdrawn"),
        sa.ForeignKeyConstraint(["debt"], ["debt.id"], name=op.f("fk_balance_history_debt")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance_history")),
    )
    op.create_index(op.f("ix_balance_history_debt_known_us"), "balance_history", ["debt", "known_us"], unique=False)
    op.create_table(
        "payment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("creditor", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False, comment="the creditor's own; makes a file repeatable"),
        sa.Column("debt", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("event_us", sa.BigInteger(), nullable=False, comment="when it was paid"),
        sa.Column("known_us", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("file", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["creditor"], ["creditor.id"], name=op.f("fk_payment_creditor")),
        sa.ForeignKeyConstraint(["debt"], ["debt.id"], name=op.f("fk_payment_debt")),
        sa.ForeignKeyConstraint(["file"], ["import_file.id"], name=op.f("fk_payment_file")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
        sa.UniqueConstraint("creditor", "reference", name=op.f("uq_payment_creditor_reference")),
    )
    op.create_index(op.f("ix_payment_debt"), "payment", ["debt"], unique=False)
    op.create_index(op.f("ix_payment_event_us"), "payment", ["event_us"], unique=False)
    op.create_index(
        "uq_stop_standing",
        "stop",
        ["person", "kind", sa.text("coalesce(debt, 0)"), sa.text("coalesce(phone, 0)")],
        unique=True,
        sqlite_where=sa.text("lifted_us IS NULL"),
        postgresql_where=sa.text("lifted_us IS NULL"),
    )
    op.create_index(
        "uq_consent_standing",
        "consent",
        ["person", "kind", sa.text("coalesce(channel, '')"), sa.text("coalesce(phone, 0)")],
        unique=True,
        sqlite_where=sa.text("revoked_us IS NULL"),
        postgresql_where=sa.text("revoked_us IS NULL"),
    )
