"""The record as Parquet files for analysts: streamed, typed, ids only (no name and no number is in any of them).

One file a subject and a README that names every column. Instants are timestamps of microseconds UTC, days are dates,
money is integer minor units with its currency, debts are lists of ids.
"""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Table, null, select, union_all

from domain.errors import BadInput
from domain.facts import PacingDecided
from domain.people import Verdict
from ledger.people import from_ids
from ledger.schema import (
    attempt,
    balance_history,
    debt,
    decision,
    denial,
    handed,
    handover,
    history,
    journal,
    outcome,
    payment,
    person,
    person_phone,
    phone,
    promise,
)
from ledger.store import SqlLedger

#: Rows in memory at a time.
_ROWS = 20_000

_verdicts = msgspec.json.Decoder(Verdict)
_chances = msgspec.json.Decoder(dict[str, float])
_pacing = msgspec.json.Decoder(PacingDecided)


class _Column(NamedTuple):
    name: str
    #: `id`, `instant`, `day`, `minor`, `us`, `count`, `number`, `word`, `flag`, `ids`, `words` or `chances`.
    type: str
    about: str
    #: Where it stands in the ledger; None: the subject's reader makes it.
    source: ColumnElement[Any] | None = None


class Subject(NamedTuple):
    """One file."""

    name: str
    about: str
    columns: tuple[_Column, ...]
    query: Any
    #: From a row of the query to one of the file.
    read: Callable[[Sequence[Any]], Sequence[Any]]


def _of_table(
    name: str,
    about: str,
    order: Iterable[ColumnElement[Any]],
    *columns: _Column,
    join: tuple[Table, ColumnElement[bool]] | None = None,
) -> Subject:
    query = select(*(column.source for column in columns if column.source is not None)).order_by(*order)
    if join is not None:
        query = query.join(*join)
    return Subject(name, about, columns, query, lambda row: row)


HISTORY = _of_table(
    "history",
    "every fact about a person with both its times; rows are only ever added",
    (history.c.id,),
    _Column("event_at", "instant", "when it happened", history.c.event_us),
    _Column("known_at", "instant", "when we learned it: features at T may use rows known before T", history.c.known_us),
    _Column("person", "id", "", history.c.person),
    _Column("debts", "ids", "empty: unspecified", history.c.debts),
    _Column("phone", "id", "", history.c.phone),
    _Column("creditor", "id", "", history.c.creditor),
    _Column("campaign", "word", "", history.c.campaign),
    _Column("channel", "word", "null: no contact", history.c.channel),
    _Column("inbound", "flag", "", history.c.inbound),
    _Column("event", "word", "a rung of the contact ladder, or assigned, balance, reopened, withdrawn, payment, "
            "stop, stop_lifted, consent, not_dialled, complaint", history.c.event),
    _Column("attempt", "word", "call id, or the reference of a message handed out; null: neither", history.c.attempt),
    _Column("detail", "word", "disposition, stop, state…", history.c.detail),
    _Column("amount_minor", "minor", "", history.c.amount_minor),
    _Column("currency", "word", "", history.c.currency),
    _Column("due_on", "day", "of a promise or plan: the day agreed", history.c.due_on),
)  # fmt: skip
DEBTORS = _of_table(
    "debtors",
    "who owes, and where; without a name",
    (person.c.id,),
    _Column("person", "id", "", person.c.id),
    _Column("country", "word", "ISO 3166", person.c.country),
    _Column("zones", "words", "IANA zones of the address; empty: none on record", person.c.address_zones),
    _Column("language", "word", "for the audit of fairness: no feature of a model", person.c.language),
    _Column("region", "word", "the same", person.c.region),
    _Column("created_at", "instant", "", person.c.created_us),
)
NUMBERS = _of_table(
    "numbers",
    "which numbers are whose; whether one is still good is told by the history alone",
    (person_phone.c.person, person_phone.c.rank, person_phone.c.phone),
    _Column("person", "id", "", person_phone.c.person),
    _Column("phone", "id", "", person_phone.c.phone),
    _Column("rank", "count", "order of trial as the files give it, lowest first", person_phone.c.rank),
    _Column("line_type", "word", "", phone.c.line_type),
    _Column("country", "word", "of the number", phone.c.country),
    _Column("zones", "words", "IANA zones that it may be in", phone.c.zones),
    join=(phone, phone.c.id == person_phone.c.phone),
)
DEBTS = _of_table(
    "debts",
    "what of a debt does not change; balances and states are in history and balances",
    (debt.c.id,),
    _Column("debt", "id", "", debt.c.id),
    _Column("person", "id", "", debt.c.person),
    _Column("creditor", "id", "", debt.c.creditor),
    _Column("product", "word", "", debt.c.product),
    _Column("currency", "word", "", debt.c.currency),
    _Column("due_on", "day", "since when it is owed", debt.c.due_on),
    _Column("first_seen_at", "instant", "", debt.c.first_seen_us),
)
_ATTEMPTS = _of_table(
    "attempts",
    "every reservation that was granted, dialled or not",
    (attempt.c.reserved_us, attempt.c.call_id),
    _Column("call_id", "word", "<stream>-<seq> of its reservation", attempt.c.call_id),
    _Column("campaign", "word", "", attempt.c.campaign),
    _Column("person", "id", "", attempt.c.person),
    _Column("phone", "id", "", attempt.c.phone),
    _Column("debts", "ids", "", attempt.c.debts),
    _Column("mode", "word", "", attempt.c.mode),
    _Column("node", "word", "switch", attempt.c.node),
    _Column("trunk", "word", "", attempt.c.trunk),
    _Column("caller_id", "word", "number shown", attempt.c.caller_id),
    _Column("ordinal", "count", "how many-th of this person in this campaign", attempt.c.ordinal),
    _Column("held_agent", "word", "agent reserved before dialling", attempt.c.held_agent),
    _Column("p_answer", "number", "forecast of a live answer", attempt.c.p_answer),
    _Column("arm", "word", "strategy arm", attempt.c.arm),
    _Column("p_arm", "number", "probability with which the arm was drawn", attempt.c.p_arm),
    _Column("score_version", "word", "", attempt.c.score_version),
    _Column("rules", "word", "version of the rule packs that judged", attempt.c.rules),
    _Column("phase", "word", "last phase", attempt.c.phase),
    _Column("reserved_at", "instant", "", attempt.c.reserved_us),
    _Column("originated_at", "instant", "", attempt.c.originated_us),
    _Column("ringing_at", "instant", "", attempt.c.ringing_us),
    _Column("answered_at", "instant", "", attempt.c.answered_us),
    _Column("talking_at", "instant", "", attempt.c.talking_us),
    _Column("ended_at", "instant", "the debtor's channel was gone", attempt.c.ended_us),
    _Column("agent", "word", "who talked", attempt.c.agent),
    _Column("answer_class", "word", "null: not answered", attempt.c.answer_class),
    _Column("class_why", "word", "", attempt.c.class_why),
    _Column("wait_us", "us", "answer to agent", attempt.c.wait_us),
)
_OUTCOMES = _of_table(
    "outcomes",
    "the one disposition of each attempt that has ended",
    (outcome.c.call_id,),
    _Column("call_id", "word", "", outcome.c.call_id),
    _Column("at", "instant", "", outcome.c.at_us),
    _Column("disposition", "word", "", outcome.c.disposition),
    _Column("event", "word", "rung of the contact ladder; null: never dialled", outcome.c.event),
    _Column("ring_us", "us", "", outcome.c.ring_us),
    _Column("talk_us", "us", "", outcome.c.talk_us),
    _Column("wrap_us", "us", "", outcome.c.wrap_us),
    _Column("q850", "count", "cause of the carrier", outcome.c.q850),
    _Column("sip", "count", "status of the carrier", outcome.c.sip),
)
DECISIONS = _of_table(
    "decisions",
    "what a strategy's list decided about each debtor whom law let it call, as far as was known when it was made; "
    "those whom a lot left alone included",
    (decision.c.plan, decision.c.person),
    _Column("person", "id", "", decision.c.person),
    _Column("decided_at", "instant", "", decision.c.decided_us),
    _Column("known_at", "instant", "", decision.c.known_us),
    _Column("action", "word", "call: on the list; none: not", decision.c.action),
    _Column("p_action", "chances", "the chance of each action over all lots (holdout, arm, exploration); adds up to 1",
            decision.c.p_action),
    _Column("arm", "word", "holdout: left alone by lot", decision.c.arm),
    _Column("strategy", "word", "NAME@VERSION", decision.c.strategy),
    _Column("score_version", "word", "null: no score was known", decision.c.score_version),
    _Column("segment", "word", "of the arm's document; of who is held out, the champion's", decision.c.segment),
    _Column("treatment", "word", "ARM.TREATMENT.STEP", decision.c.treatment),
    _Column("campaign", "word", "", decision.c.campaign),
    _Column("plan", "id", "the list", decision.c.plan),
)  # fmt: skip
_HANDED = _of_table(
    "handed",
    "messages and tasks that were handed out, a line each; a message stands in the history under due-HANDOVER-PLACE",
    (handed.c.handover, handed.c.place),
    _Column("handover", "id", "the file", handed.c.handover),
    _Column("place", "count", "line of the file", handed.c.place),
    _Column("at", "instant", "", handed.c.at_us),
    _Column("campaign", "word", "", handed.c.campaign),
    _Column("what", "word", "channel of the message, or the task", handed.c.what),
    _Column("person", "id", "", handed.c.person),
    _Column("strategy", "word", "NAME@VERSION", handover.c.strategy),
    _Column("arm", "word", "", handed.c.arm),
    _Column("segment", "word", "", handed.c.segment),
    _Column("step", "word", "TREATMENT.STEP", handed.c.step),
    _Column("template", "word", "name of the text; empty: a task", handed.c.template),
    join=(handover, handover.c.id == handed.c.handover),
)
_PROMISES = _of_table(
    "promises",
    "promises and plans made",
    (promise.c.id,),
    _Column("promise", "id", "", promise.c.id),
    _Column("call_id", "word", "", promise.c.call_id),
    _Column("kind", "word", "promise or plan", promise.c.kind),
    _Column("person", "id", "", promise.c.person),
    _Column("debt", "id", "null: all debts of the attempt", promise.c.debt),
    _Column("amount_minor", "minor", "", promise.c.amount_minor),
    _Column("currency", "word", "", promise.c.currency),
    _Column("due_on", "day", "", promise.c.due_on),
    _Column("instalments", "count", "", promise.c.instalments),
    _Column("made_at", "instant", "", promise.c.made_us),
    _Column("agent", "word", "", promise.c.agent),
    _Column("campaign", "word", "", promise.c.campaign),
    _Column("state", "word", "open, kept, broken or cancelled", promise.c.state),
)
_PAYMENTS = _of_table(
    "payments",
    "payments as the creditors told them",
    (payment.c.id,),
    _Column("payment", "id", "", payment.c.id),
    _Column("creditor", "id", "", payment.c.creditor),
    _Column("debt", "id", "", payment.c.debt),
    _Column("amount_minor", "minor", "", payment.c.amount_minor),
    _Column("currency", "word", "", payment.c.currency),
    _Column("event_at", "instant", "beginning of the day of the payment", payment.c.event_us),
    _Column("known_at", "instant", "", payment.c.known_us),
    _Column("method", "word", "", payment.c.method),
)
_BALANCES = _of_table(
    "balances",
    "what was owed, from when on, known since when",
    (balance_history.c.id,),
    _Column("debt", "id", "", balance_history.c.debt),
    _Column("event_at", "instant", "", balance_history.c.event_us),
    _Column("known_at", "instant", "", balance_history.c.known_us),
    _Column("balance_minor", "minor", "", balance_history.c.balance_minor),
    _Column("currency", "word", "", balance_history.c.currency),
    _Column("state", "word", "open, paid or withdrawn", balance_history.c.state),
    _Column("why", "word", "import, payment or withdrawn", balance_history.c.why),
)


def _verdict_row(row: Sequence[Any]) -> Sequence[Any]:
    at_us, campaign, person, phone, call_id, payload = row
    verdict = _verdicts.decode(payload)
    return (
        at_us,
        campaign,
        person,
        phone,
        call_id,
        verdict.allowed,
        verdict.rule,
        verdict.local_time,
        ",".join(verdict.zones),
        verdict.valid_until_us,
        verdict.next_allowed_at_us,
        verdict.agent_always,
        verdict.abandon_message,
        verdict.rules,
    )


_VERDICTS = Subject(
    "verdicts",
    "the gate's decisions that were acted on: those of attempts, and denials once per lead and window",
    (
        _Column("at", "instant", ""),
        _Column("campaign", "word", ""),
        _Column("person", "id", ""),
        _Column("phone", "id", "null: denied on every number"),
        _Column("call_id", "word", "null: denied"),
        _Column("allowed", "flag", ""),
        _Column("rule", "word", "row that denies, or binds first"),
        _Column("local_time", "word", "in the strictest zone considered"),
        _Column("zones", "words", "zones considered"),
        _Column("valid_until", "instant", "an allowed contact must have left before"),
        _Column("next_allowed_at", "instant", "a denied one may be judged again"),
        _Column("agent_always", "flag", ""),
        _Column("abandon_message", "flag", ""),
        _Column("rules", "word", "version of the rule packs"),
    ),
    union_all(
        select(
            attempt.c.reserved_us, attempt.c.campaign, attempt.c.person, attempt.c.phone, attempt.c.call_id,
            attempt.c.verdict,
        ),
        select(denial.c.at_us, denial.c.campaign, denial.c.person, denial.c.phone, null(), denial.c.verdict),
    ),
    _verdict_row,
)  # fmt: skip


def _pacing_row(row: Sequence[Any]) -> Sequence[Any]:
    stream, seq, at_us, payload = row
    fact = _pacing.decode(payload)
    return (
        stream,
        seq,
        at_us,
        fact.campaign,
        fact.dials,
        fact.reason,
        fact.free,
        fact.expected_free,
        fact.expected_answers,
        fact.budget_left,
        fact.ringing,
        fact.waiting,
    )


_PACING = Subject(
    "pacing",
    "every decision how many calls to place, with the figures behind it",
    (
        _Column("stream", "word", "floor"),
        _Column("seq", "id", ""),
        _Column("at", "instant", ""),
        _Column("campaign", "word", ""),
        _Column("dials", "count", "calls to place now"),
        _Column("reason", "word", ""),
        _Column("free", "count", "agents free"),
        _Column("expected_free", "number", ""),
        _Column("expected_answers", "number", ""),
        _Column("budget_left", "number", ""),
        _Column("ringing", "count", ""),
        _Column("waiting", "count", ""),
    ),
    select(journal.c.stream, journal.c.seq, journal.c.at_us, journal.c.payload)
    .where(journal.c.kind == "PacingDecided")
    .order_by(journal.c.stream, journal.c.seq),
    _pacing_row,
)

_SUBJECTS = (HISTORY, DEBTORS, NUMBERS, DEBTS, _ATTEMPTS, _OUTCOMES, _VERDICTS, _PACING, DECISIONS, _HANDED, _PROMISES,
             _PAYMENTS, _BALANCES)  # fmt: skip


#: What models read: whom it is about, what happened, and whom strategies decided on.
FOR_MODELS = ("history", "debtors", "numbers", "debts", "decisions")
#: What matching reads besides: who talked, and what was written.
FOR_MATCHING = ("history", "debtors", "numbers", "debts", "attempts", "outcomes")


def export_parquet(
    ledger: SqlLedger,
    directory: Path | str,
    progress: Callable[[str, int], None] | None = None,
    *,
    only: Collection[str] | None = None,
) -> dict[str, int]:
    """Write the record as Parquet files, each whole or not at all; return the rows of each.

    Each file is one state of the ledger; a floor that goes on writes between them.

    Parameters
    ----------
    only : names, optional
        Of the subjects wanted; without it, all of them and a README.

    Raises
    ------
    BadInput
        When the folder cannot be made.
    """
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{directory}: no folder can be made there: {error.strerror}; name another") from error
    rows = {}
    for subject in _SUBJECTS:
        if only is not None and subject.name not in only:
            continue
        rows[subject.name] = _write(ledger, subject, directory)
        if progress is not None:
            progress(subject.name, rows[subject.name])
    if only is not None:
        return rows
    (directory / "README.md").write_text(_readme(rows), encoding="utf-8")
    return rows


class SubjectFile:
    """One subject's file, whole when it is closed."""

    def __init__(self, subject: Subject, folder: Path, name: str = "") -> None:
        # Loaded late: it takes a quarter of a second; it is not typed.
        import pyarrow
        import pyarrow.parquet

        arrow: Any = pyarrow
        types = {
            "id": arrow.int64(),
            "instant": arrow.timestamp("us", tz="UTC"),
            "day": arrow.date32(),
            "minor": arrow.int64(),
            "us": arrow.int64(),
            "count": arrow.int32(),
            "number": arrow.float64(),
            "word": arrow.string(),
            "flag": arrow.bool_(),
            "ids": arrow.list_(arrow.int64()),
            "words": arrow.list_(arrow.string()),
            "chances": arrow.map_(arrow.string(), arrow.float64()),
        }
        self.rows = 0
        self._subject = subject
        self._arrow = arrow
        self._schema = arrow.schema([(column.name, types[column.type]) for column in subject.columns])
        self._path = folder / f"{name or subject.name}.parquet"
        # Whoever reads the folder meanwhile passes over a name that begins so.
        self._unfinished = self._path.with_name(f".{self._path.name}.unfinished")
        self._writer = arrow.parquet.ParquetWriter(self._unfinished, self._schema, compression="zstd")

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows of the subject's query."""
        columns = zip(*map(self._subject.read, rows), strict=True)
        arrays = [
            self._arrow.array(_values(column.type, values), type=field.type)
            for column, values, field in zip(self._subject.columns, columns, self._schema, strict=True)
        ]
        self._writer.write_batch(self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema))
        self.rows += len(rows)

    def close(self, *, whole: bool) -> None:
        self._writer.close()
        if whole:
            os.replace(self._unfinished, self._path)
        else:
            self._unfinished.unlink()


def _write(ledger: SqlLedger, subject: Subject, folder: Path) -> int:
    file, whole = SubjectFile(subject, folder), False
    try:
        with ledger.reading() as connection:
            result = connection.execute(subject.query, execution_options={"yield_per": _ROWS})
            for partition in result.partitions():
                file.add(partition)
        whole = True
    finally:
        file.close(whole=whole)
    return file.rows


def _values(kind: str, column: Sequence[Any]) -> Sequence[Any]:
    """Return a column as Arrow takes it."""
    if kind == "ids":
        return [from_ids(value) for value in column]
    if kind == "words":
        return [value.split(",") if value else [] for value in column]
    if kind == "chances":
        return [list(_chances.decode(value).items()) for value in column]
    if kind == "day":
        return [None if value is None else date.fromisoformat(value) for value in column]
    return column


_TYPES = {
    "id": "int64", "instant": "timestamp, µs UTC", "day": "date", "minor": "int64, minor units of `currency`",
    "us": "int64, microseconds", "count": "int32", "number": "float64", "word": "text", "flag": "bool",
    "ids": "list of int64", "words": "list of text", "chances": "map of text to float64",
}  # fmt: skip


def _readme(rows: dict[str, int]) -> str:
    parts = [
        "# The record, for analysts\n",
        "Ids stand for people, numbers and accounts; names and digits stay in the ledger. Written anew by each "
        "`cadencia export --parquet`.\n",
    ]
    for subject in _SUBJECTS:
        parts.append(f"## {subject.name}.parquet\n\n{subject.about}; {rows[subject.name]} rows\n")
        parts.append("| column | type | what it is |\n|---|---|---|")
        parts += [f"| {column.name} | {_TYPES[column.type]} | {column.about} |" for column in subject.columns]
        parts.append("")
    return "\n".join(parts)
