"""The tables of the system of record, one schema for SQLite and PostgreSQL; over 500 lines to be whole in one file.

Laws kept here: money is integer minor units with a currency; instants are integer microseconds UTC (`_us`);
local days are ISO text (`_on`); names, numbers and addresses live in `person`, `phone` and `register_number` alone,
free text in `stop.note`, every other table holds ids. Tables written from the journal (attempt, outcome, history …)
have no foreign keys into the portfolio: the record stands by itself, also after an erasure.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: SQLite counts up by itself only for INTEGER keys.
Id = BigInteger().with_variant(Integer, "sqlite")
#: Microseconds UTC.
Instant = BigInteger
#: Money in the currency's minor unit.
Minor = BigInteger
#: ISO 4217.
Currency = String(3)
#: A local day, `2026-11-18`.
Day = String(10)


def _one_of(column: str, *words: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


# ---- the portfolio: who owes what to whom

creditor = Table(
    "creditor",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

household = Table(
    "household",
    metadata,
    Column("id", Id, primary_key=True),
    Column("ref", Text, nullable=False, unique=True, comment="as the imports name it"),
)

#: Personal data. An erasure empties these columns and keeps the row, so that ids in the record still lead somewhere.
person = Table(
    "person",
    metadata,
    Column("id", Id, primary_key=True),
    Column("ref", Text, unique=True, comment="what the imports know this debtor by; null: by account alone"),
    Column("household", Id, ForeignKey("household.id"), index=True),
    Column("name", Text),
    Column("language", Text, nullable=False, server_default="en"),
    Column("country", String(2), nullable=False),
    Column("region", Text),
    Column("city", Text),
    Column("postal_code", Text),
    Column("street", Text),
    Column("address_zones", Text, nullable=False, server_default="", comment="IANA zones, comma separated"),
    Column("owner", Text, comment="agent who owns this debtor"),
    Column("created_us", Instant, nullable=False),
    Column("erased_us", Instant),
)

phone = Table(
    "phone",
    metadata,
    Column("id", Id, primary_key=True),
    Column("e164", Text, unique=True, comment="null after an erasure"),
    Column("country", String(2), nullable=False),
    Column("line_type", Text, nullable=False, server_default="unknown"),
    Column("geographic", Boolean, nullable=False, server_default=true()),
    Column("zones", Text, nullable=False, server_default="", comment="IANA zones, comma separated"),
)

person_phone = Table(
    "person_phone",
    metadata,
    Column("person", Id, ForeignKey("person.id"), primary_key=True),
    Column("phone", Id, ForeignKey("phone.id"), primary_key=True, index=True),
    Column("rank", Integer, nullable=False, comment="order of trial, lowest first"),
    Column("status", Text, nullable=False, server_default="usable"),
    Column("address_type", Text, comment="home, mobile, personal, work or other; null: personal"),
    Column("source", Text, nullable=False, server_default="import"),
    _one_of("status", "usable", "wrong_party", "not_in_service", "withdrawn"),
    sqlite_with_rowid=False,
)

import_file = Table(
    "import_file",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False, comment="file name without its folder"),
    Column("sha256", String(64), nullable=False, index=True),
    Column("started_us", Instant, nullable=False),
    Column("finished_us", Instant),
    Column("state", Text, nullable=False, server_default="landing"),
    Column("rows", BigInteger, nullable=False, server_default="0"),
    Column("rejected", BigInteger, nullable=False, server_default="0"),
    Column("added", BigInteger, nullable=False, server_default="0"),
    Column("changed", BigInteger, nullable=False, server_default="0"),
    Column("withdrawn", BigInteger, nullable=False, server_default="0"),
    Column("stage", Text, comment="where its staged rows wait while it lands"),
    Column("people", BigInteger, nullable=False, server_default="0", comment="to be landed"),
    Column("landed", BigInteger, nullable=False, server_default="0", comment="of those, landed so far"),
    _one_of("kind", "portfolio", "payments"),
    _one_of("state", "landing", "landed", "refused"),
)

debt = Table(
    "debt",
    metadata,
    Column("id", Id, primary_key=True),
    Column("creditor", Id, ForeignKey("creditor.id"), nullable=False),
    Column("account", Text, nullable=False),
    Column("person", Id, ForeignKey("person.id"), nullable=False, index=True),
    Column("product", Text),
    Column("balance_minor", Minor, nullable=False),
    Column("currency", Currency, nullable=False),
    Column("due_on", Day, comment="since when it is owed"),
    Column("rank", Integer, comment="place in the creditor's own order, lowest first"),
    Column("state", Text, nullable=False, server_default="open"),
    Column("first_seen_us", Instant, nullable=False),
    Column("last_seen_us", Instant, nullable=False),
    Column("last_file", Id, ForeignKey("import_file.id")),
    UniqueConstraint("creditor", "account"),
    CheckConstraint("balance_minor >= 0", name="balance"),
    CheckConstraint("length(currency) = 3", name="currency"),
    _one_of("state", "open", "paid", "withdrawn"),
)

balance_history = Table(
    "balance_history",
    metadata,
    Column("id", Id, primary_key=True),
    Column("debt", Id, ForeignKey("debt.id"), nullable=False),
    Column("event_us", Instant, nullable=False),
    Column("known_us", Instant, nullable=False),
    Column("balance_minor", Minor, nullable=False),
    Column("currency", Currency, nullable=False),
    Column("state", Text, nullable=False),
    Column("why", Text, nullable=False, comment="import, payment or withdrawn"),
    Index(None, "debt", "known_us"),
)

payment = Table(
    "payment",
    metadata,
    Column("id", Id, primary_key=True),
    Column("creditor", Id, ForeignKey("creditor.id"), nullable=False),
    Column("reference", Text, nullable=False, comment="the creditor's own; makes a file repeatable"),
    Column("debt", Id, ForeignKey("debt.id"), nullable=False, index=True),
    Column("amount_minor", Minor, nullable=False),
    Column("currency", Currency, nullable=False),
    Column("event_us", Instant, nullable=False, index=True, comment="when it was paid"),
    Column("known_us", Instant, nullable=False),
    Column("method", Text),
    Column("file", Id, ForeignKey("import_file.id")),
    UniqueConstraint("creditor", "reference"),
)

stop = Table(
    "stop",
    metadata,
    Column("id", Id, primary_key=True),
    Column("person", Id, ForeignKey("person.id"), nullable=False),
    Column("kind", Text, nullable=False, comment="domain.people.StopKind"),
    Column("debt", Id, comment="null: every debt"),
    Column("phone", Id, comment="null: every number"),
    Column("channel", Text, comment="null: every channel; call: every voice"),
    Column("event_us", Instant, nullable=False),
    Column("known_us", Instant, nullable=False),
    Column("until_us", Instant, comment="null: until lifted"),
    Column("lifted_us", Instant),
    Column("source", Text, nullable=False, comment="import, payments or agent"),
    Column("why", Text, nullable=False, server_default="", comment="e.g. the agent's disposition already_paid"),
    Column("call_id", Text),
    Column("received", Text, comment="channel through which the debtor said it"),
    Column("recorded_by", Text, comment="who wrote it down"),
    Column("note", Text, comment="free text of whoever wrote it down; an erasure empties it"),
    Column("confirmed_us", Instant, comment="the debtor was told that it is obeyed"),
    Column("confirmed_by", Text),
    Column("lifted_by", Text),
    Column("lifted_why", Text, comment="a word of ledger.stops.REASONS"),
    # One standing stop per scope: whoever records it again changes nothing.
    Index(
        "uq_stop_standing",
        "person",
        "kind",
        text("coalesce(debt, 0)"),
        text("coalesce(phone, 0)"),
        text("coalesce(channel, '')"),
        unique=True,
        sqlite_where=text("lifted_us IS NULL"),
        postgresql_where=text("lifted_us IS NULL"),
    ),
)

consent = Table(
    "consent",
    metadata,
    Column("id", Id, primary_key=True),
    Column("person", Id, ForeignKey("person.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("channel", Text, comment="null: every channel"),
    Column("phone", Id, comment="null: every number"),
    Column("event_us", Instant, nullable=False),
    Column("known_us", Instant, nullable=False),
    Column("until_us", Instant),
    Column("revoked_us", Instant),
    Column("source", Text, nullable=False),
    Index(
        "uq_consent_standing",
        "person",
        "kind",
        text("coalesce(channel, '')"),
        text("coalesce(phone, 0)"),
        unique=True,
        sqlite_where=text("revoked_us IS NULL"),
        postgresql_where=text("revoked_us IS NULL"),
    ),
)

# ---- do-not-contact registers

register = Table(
    "register",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True, comment="as the packs' rows name it"),
    Column("edition", Integer, nullable=False, server_default="0", comment="whose numbers are in force"),
    Column("numbers", BigInteger, nullable=False, server_default="0"),
    Column("sha256", String(64), comment="of the file"),
    Column("imported_us", Instant, comment="null: the first import has not ended"),
    Column("as_of", Day, comment="day of which the register's keeper dates the file"),
)

#: Whole editions, so that numbers which come on record later are found too.
register_number = Table(
    "register_number",
    metadata,
    Column("register", Id, ForeignKey("register.id"), primary_key=True),
    Column("edition", Integer, primary_key=True, autoincrement=False),
    Column("e164", Text, primary_key=True),
    sqlite_with_rowid=False,
)

#: Which of our phones are on which register: what a dossier tells.
phone_register = Table(
    "phone_register",
    metadata,
    Column("phone", Id, ForeignKey("phone.id"), primary_key=True),
    Column("register", Id, ForeignKey("register.id"), primary_key=True),
    sqlite_with_rowid=False,
)

# ---- the floor

agent = Table(
    "agent",
    metadata,
    Column("agent", Text, primary_key=True, comment="the code that the record knows"),
    Column("name", Text),
    Column("extension", Text, unique=True, comment="of the agent's phone"),
    Column("campaigns", Text, nullable=False, server_default="", comment="comma separated; empty: all"),
    Column(
        "groups", Text, nullable=False, server_default="", comment="comma separated; steps of strategies ask for them"
    ),
    Column("active", Boolean, nullable=False, server_default=true()),
    Column("created_us", Instant, nullable=False),
)

campaign = Table(
    "campaign",
    metadata,
    Column("campaign", Text, primary_key=True),
    Column("stream", Text, nullable=False),
    Column("settings", Text, nullable=False, comment="domain.settings.CampaignSettings as JSON, as last opened"),
    Column("state", Text, nullable=False, comment="domain.calls.CampaignState"),
    Column("why", Text, nullable=False, server_default=""),
    Column("changed_us", Instant, nullable=False),
)

#: A campaign's list as it was made: immutable once `sealed`.
plan = Table(
    "plan",
    metadata,
    Column("number", Id, primary_key=True),
    Column("campaign", Text, nullable=False),
    Column("at_us", Instant, nullable=False),
    Column("zone", Text, nullable=False),
    Column("leads", BigInteger, nullable=False, server_default="0"),
    Column("chunks", Integer, nullable=False, server_default="0"),
    Column("sealed", Boolean, nullable=False, server_default=false()),
)

plan_chunk = Table(
    "plan_chunk",
    metadata,
    Column("plan", Id, ForeignKey("plan.number"), primary_key=True),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("leads", Integer, nullable=False),
    Column("sha256", String(64), nullable=False, comment="of the body before compression"),
    Column("body", LargeBinary, nullable=False, comment="zlib of msgpack of leads and dossiers"),
    sqlite_with_rowid=False,
)

#: What a campaign's strategy decided at each list about everybody whom law let it call; rows are only ever added.
decision = Table(
    "decision",
    metadata,
    Column("plan", Id, primary_key=True, autoincrement=False, comment="the list that was made"),
    Column("person", Id, primary_key=True, autoincrement=False),
    Column("campaign", Text, nullable=False),
    Column("decided_us", Instant, nullable=False),
    Column("known_us", Instant, nullable=False),
    Column("action", Text, nullable=False, comment="call or none"),
    Column("p_action", Text, nullable=False, comment="chance of each action as JSON, over all lots"),
    Column("arm", Text, nullable=False, comment="holdout: left alone by lot"),
    Column("strategy", Text, nullable=False, comment="NAME@VERSION"),
    Column("score_version", Text, comment="null: no score was known"),
    Column("segment", Text, nullable=False),
    Column("treatment", Text, nullable=False, comment="ARM.TREATMENT.STEP"),
    Column("since_day", Integer, nullable=False, comment="in the segment since, in days since 1970-01-01"),
    Index(None, "campaign", "person"),
    sqlite_with_rowid=False,
)

#: In which segment a campaign's people stood when something besides calls was handed out: decisions remember it of
#: those alone whom law lets be called. Rows are only ever added, when it changes and every week.
stand = Table(
    "stand",
    metadata,
    Column("campaign", Text, primary_key=True),
    Column("person", Id, primary_key=True, autoincrement=False),
    Column("known_us", Instant, primary_key=True, autoincrement=False),
    Column("segment", Text, nullable=False),
    Column("since_day", Integer, nullable=False, comment="in the segment since, in days since 1970-01-01"),
    sqlite_with_rowid=False,
)

#: What was handed out for others to do, messages to send or debtors to research: a file each (docs/decisions/0039).
handover = Table(
    "handover",
    metadata,
    Column("id", Id, primary_key=True),
    Column("campaign", Text, nullable=False),
    Column("what", Text, nullable=False, comment="channel of the messages, or the task"),
    Column("strategy", Text, nullable=False, comment="NAME@VERSION"),
    Column("rules", Text, nullable=False, comment="version of the rule packs that judged"),
    Column("at_us", Instant, nullable=False),
    Column("handed_by", Text, nullable=False),
    Column("written_us", Instant, comment="by the clock, when its file was whole; null: it is not yet"),
    Index(None, "campaign", "what"),
    sqlite_autoincrement=True,
)

#: Its lines, in the order of the file: a debtor each.
handed = Table(
    "handed",
    metadata,
    Column("handover", Id, ForeignKey("handover.id"), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("campaign", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("at_us", Instant, nullable=False),
    Column("person", Id, nullable=False, index=True),
    Column("arm", Text, nullable=False),
    Column("segment", Text, nullable=False),
    Column("step", Text, nullable=False, comment="TREATMENT.STEP"),
    Column("since_day", Integer, nullable=False, comment="in the segment since, in days since 1970-01-01"),
    Column("template", Text, nullable=False, comment="name of the text; empty: a task"),
    Column("debts", Text, nullable=False, comment="ids, comma separated"),
    Column("phones", Text, nullable=False, comment="ids: where the message goes; of a task, those on record then"),
    Column("score_version", Text, comment="null: no score was known"),
    Column("verdict", Text, comment="domain.people.Verdict as JSON; null: a task"),
    # A step is done once while somebody stays in its segment, whatever arm he is in.
    UniqueConstraint("campaign", "person", "step", "since_day"),
    Index(None, "campaign", "what", "at_us"),
    sqlite_with_rowid=False,
)

#: Trials on live people: what was fixed before, by whom, and how each ended (docs/decisions/0028).
experiment = Table(
    "experiment",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("campaign", Text, nullable=False),
    Column("strategy", Text, nullable=False, comment="NAME@VERSION"),
    Column("document", Text, nullable=False, comment="strategy.documents.Strategy as JSON, as it was started"),
    Column("unit", Text, nullable=False, comment="debtor or pool_day"),
    Column("metric", Text, nullable=False),
    Column("alpha", Float, nullable=False, comment="over all looks and comparisons"),
    Column("look_days", Text, nullable=False, comment="JSON: after how many days it is looked at"),
    Column("mde", Float, comment="difference planned for, as a share; null: none was"),
    Column("started_us", Instant, nullable=False),
    Column("registered_us", Instant, nullable=False, comment="when it was written down"),
    Column("asked_by", Text, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("stopped_us", Instant, comment="null: runs"),
    Column("stopped_by", Text),
    Column("stopped_why", Text),
    Column("promoted", Text, comment="the arm that became the champion"),
    Column("promoted_us", Instant),
    Column("promoted_asked_by", Text),
    Column("promoted_approved_by", Text),
    Column("promoted_despite", Text, comment="why, where its rule was not reached; null: it was"),
    Column("promoted_strategy", Text, comment="NAME@VERSION that was written"),
)

# ---- what happened

attempt = Table(
    "attempt",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("stream", Text, comment="null: made by no floor"),
    Column("seq", BigInteger),
    Column("campaign", Text, nullable=False),
    Column("person", Id, nullable=False, index=True),
    Column("phone", Id, nullable=False),
    Column("debts", Text, nullable=False, comment="ids, comma separated"),
    Column("mode", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("trunk", Text, nullable=False),
    Column("caller_id", Text, nullable=False),
    Column("ordinal", Integer, nullable=False, comment="how many-th of this person in this campaign"),
    Column("held_agent", Text, comment="reserved for it before dialling"),
    Column("p_answer", Float),
    Column("arm", Text, comment="strategy arm"),
    Column("p_arm", Float, comment="probability with which the arm was drawn"),
    Column("score_version", Text),
    Column("rules", Text, nullable=False, comment="version of the rule packs that judged"),
    Column("verdict", Text, nullable=False, comment="domain.people.Verdict as JSON"),
    Column("cap_keys", Text, nullable=False, comment="cap keys with their versions after the bump, as JSON"),
    Column("phase", Text, nullable=False, comment="domain.calls.Phase"),
    Column("reserved_us", Instant, nullable=False),
    Column("originated_us", Instant),
    Column("ringing_us", Instant),
    Column("answered_us", Instant),
    Column("talking_us", Instant),
    Column("ended_us", Instant, comment="the debtor's channel was gone"),
    Column("agent", Text, comment="who talked"),
    Column("answer_class", Text, comment="domain.calls.AnswerClass"),
    Column("class_why", Text),
    Column("wait_us", BigInteger, comment="answer to agent"),
    Column("recorded", Text, comment="domain.events.Disposed as JSON: what the agent said last"),
    Index(None, "campaign", "reserved_us"),
)

#: Every attempt ends in exactly one.
outcome = Table(
    "outcome",
    metadata,
    Column("call_id", Text, ForeignKey("attempt.call_id"), primary_key=True),
    Column("at_us", Instant, nullable=False),
    Column("disposition", Text, nullable=False, comment="domain.calls.Disposition"),
    Column("event", Text, comment="rung of the contact ladder; null: never dialled"),
    Column("ring_us", BigInteger),
    Column("talk_us", BigInteger),
    Column("wrap_us", BigInteger),
    Column("q850", Integer),
    Column("sip", Integer),
)

promise = Table(
    "promise",
    metadata,
    Column("id", Id, primary_key=True),
    Column("call_id", Text, unique=True),
    Column("kind", Text, nullable=False),
    Column("person", Id, nullable=False, index=True),
    Column("debt", Id, comment="null: all debts of the attempt"),
    Column("amount_minor", Minor, nullable=False),
    Column("currency", Currency, nullable=False),
    Column("due_on", Day, nullable=False, index=True),
    Column("instalments", Integer, nullable=False, server_default="1"),
    Column("made_us", Instant, nullable=False),
    Column("agent", Text),
    Column("campaign", Text),
    Column("state", Text, nullable=False, server_default="open"),
    _one_of("kind", "promise", "plan"),
    _one_of("state", "open", "kept", "broken", "cancelled"),
)

call_back = Table(
    "call_back",
    metadata,
    Column("id", Id, primary_key=True),
    Column("call_id", Text, unique=True),
    Column("person", Id, nullable=False, index=True),
    Column("campaign", Text, nullable=False),
    Column("due_us", Instant, nullable=False, index=True),
    Column("agent", Text, comment="who owns it; null: anybody"),
    Column("made_us", Instant, nullable=False),
    Column("done_us", Instant, comment="when it was tried"),
    Column("done_call_id", Text),
)

denial = Table(
    "denial",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", Instant, nullable=False),
    Column("campaign", Text, nullable=False),
    Column("person", Id, nullable=False, index=True),
    Column("phone", Id),
    Column("rule", Text),
    Column("local_time", Text, nullable=False),
    Column("next_allowed_at_us", Instant),
    Column("rules", Text, nullable=False),
    Column("verdict", Text, nullable=False, comment="domain.people.Verdict as JSON"),
)

agent_state = Table(
    "agent_state",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", Instant, nullable=False),
    Column("agent", Text, nullable=False),
    Column("state", Text, nullable=False, comment="domain.calls.AgentState"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("call_id", Text),
    Index(None, "agent", "at_us"),
)

#: Every fact about a person with both its times; rows are only ever added (docs/decisions/0005).
history = Table(
    "history",
    metadata,
    Column("id", Id, primary_key=True),
    Column("event_us", Instant, nullable=False, comment="when it happened"),
    Column("known_us", Instant, nullable=False, index=True, comment="when we learned it"),
    Column("person", Id, nullable=False),
    Column("debts", Text, nullable=False, server_default="", comment="ids, comma separated; empty: unspecified"),
    Column("phone", Id),
    Column("address_type", Text, comment="of the number then; null: as the phone's"),
    Column("creditor", Id),
    Column("campaign", Text),
    Column("channel", Text, comment="null: no contact"),
    Column("inbound", Boolean, nullable=False, server_default=false()),
    Column("event", Text, nullable=False, comment="a rung of the contact ladder, or what else happened"),
    Column("attempt", Text, comment="call id; null: imported"),
    Column("detail", Text, nullable=False, server_default="", comment="a word of a closed set: disposition, stop…"),
    Column("amount_minor", Minor),
    Column("currency", Currency),
    Column("due_on", Day, comment="of a promise or plan: the day agreed"),
    Index(None, "person", "event_us"),
)

# ---- what models say

#: Scores of everybody who owes, made in one go; those of the last sealed set serve.
score_set = Table(
    "score_set",
    metadata,
    Column("number", Id, primary_key=True),
    Column("at_us", Instant, nullable=False, comment="as of when"),
    Column("versions", Text, nullable=False, comment="JSON: the version of each head"),
    Column("zone", Text, nullable=False, comment="whose clock names the hours of the week"),
    Column("people", Integer, nullable=False, server_default="0"),
    Column("numbers", Integer, nullable=False, server_default="0"),
    Column("sealed", Boolean, nullable=False, server_default=false(), comment="whole; before, nobody reads it"),
    sqlite_autoincrement=True,
)

score = Table(
    "score",
    metadata,
    Column("score_set", Id, ForeignKey("score_set.number"), primary_key=True),
    Column("person", Id, primary_key=True),
    Column("phone", Id, primary_key=True),
    Column(
        "p_answered", LargeBinary(336), comment="168 hours of the week, uint16 little-endian, 1/65535; null: no model"
    ),
    Column("p_right", LargeBinary(336), comment="the same, that it is the debtor"),
    Column("p_valid", Float),
    Column("p_machine", Float, comment="that a machine answers where no person does"),
)

score_person = Table(
    "score_person",
    metadata,
    Column("score_set", Id, ForeignKey("score_set.number"), primary_key=True),
    Column("person", Id, primary_key=True),
    Column("p_promise", Float),
    Column("p_kept", Float, comment="null: no promise is open"),
    Column("p_pay", Float, comment="left alone"),
    Column("uplift", Text, comment="JSON: what a contact adds to it, by channel"),
    Column("value_minor", Text, comment="JSON: what a contact adds to what is paid, by channel, before its cost"),
    Column("currency", Currency),
    Column("p_self_cure", Float, comment="that all is paid, left alone"),
)

# ---- reservations and news between writers

cap_key = Table(
    "cap_key",
    metadata,
    Column("key", Text, primary_key=True, comment="person:17, phone:31, household:5"),
    Column("version", BigInteger, nullable=False, comment="no row: 0"),
    sqlite_with_rowid=False,
)

#: People about whom somebody wrote; every floor reads what others wrote (`changes`).
change = Table(
    "change",
    metadata,
    Column("seq", Id, primary_key=True),
    Column("person", Id, nullable=False),
    Column("stream", Text, comment="the floor that wrote it and knows it already; null: nobody's floor"),
    Column("known_us", Instant, nullable=False),
    sqlite_autoincrement=True,
)

# ---- the journal

#: Head of each stream: what the next row chains to, and what a cut tail is found by.
stream = Table(
    "stream",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("at_us", Instant, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)

#: Rows of the journal that tell under which terms a floor ran (`ledger.terms`): a handful a day among all its calls.
TERMS = "kind IN ('FloorOpened', 'LeadsLoaded', 'LimitSet', 'ModeSet', 'PaceBound')"

journal = Table(
    "journal",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", Instant, nullable=False),
    Column("campaign", Text),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    Index("ix_journal_terms", "stream", "kind", "seq", sqlite_where=text(TERMS), postgresql_where=text(TERMS)),
    sqlite_with_rowid=False,
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", Instant, nullable=False),
    Column("sha256", String(64), nullable=False, comment="of the state before compression"),
    Column("state", LargeBinary, nullable=False, comment="zlib"),
)

lease = Table(
    "lease",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("owner", Text, nullable=False, comment="host, process and user, for whoever is refused"),
    Column("taken_us", Instant, nullable=False),
    Column("expires_us", Instant, nullable=False),
)
