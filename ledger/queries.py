"""What the commands ask of the record. Every function takes a connection and only reads."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, false, func, select, text

from domain.calls import AnswerClass, Disposition
from domain.events import DayCount, FloorOpened
from domain.facts import PacingDecided
from domain.instants import DAY, MINUTE, from_datetime, to_datetime
from domain.offers import Offer
from domain.orders import Reserve
from domain.people import Verdict
from domain.records import Record, decode
from ledger.database import streamed
from ledger.people import from_ids
from ledger.schema import (
    TERMS,
    agent,
    attempt,
    creditor,
    debt,
    denial,
    history,
    journal,
    outcome,
    person,
)
from ledger.schema import stream as streams

_verdicts = msgspec.json.Decoder(Verdict)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A row of an answer; its fields are named as the tables' columns."""


# ---- everybody


def addresses(connection: Connection) -> list[tuple[str, str | None, str | None]]:
    """Return the countries, regions and cities of the people on record, each once."""
    query = select(person.c.country, person.c.region, person.c.city).distinct()
    return [(country, region, city) for country, region, city in connection.execute(query)]


# ---- one account


class Account(Line, frozen=True, kw_only=True):
    creditor: str
    account: str
    debt: int
    person: int
    balance_minor: int
    currency: str
    state: str


def accounts(connection: Connection, account: str, of_creditor: str | None = None) -> list[Account]:
    """Return the debts that creditors know by this account."""
    query = (
        select(
            creditor.c.name.label("creditor"),
            debt.c.account,
            debt.c.id.label("debt"),
            debt.c.person,
            debt.c.balance_minor,
            debt.c.currency,
            debt.c.state,
        )
        .join(creditor, creditor.c.id == debt.c.creditor)
        .where(debt.c.account == account)
        .order_by(debt.c.id)
    )
    if of_creditor is not None:
        query = query.where(creditor.c.name == of_creditor)
    return _lines(connection, query, Account)


class Attempt(Line, frozen=True, kw_only=True):
    call_id: str
    campaign: str
    person: int
    phone: int
    debts: tuple[int, ...]
    mode: str
    node: str
    trunk: str
    caller_id: str
    ordinal: int
    rules: str
    verdict: Verdict
    phase: str
    reserved_us: int
    originated_us: int | None
    ringing_us: int | None
    answered_us: int | None
    talking_us: int | None
    ended_us: int | None
    agent: str | None
    answer_class: str | None
    class_why: str | None
    wait_us: int | None
    #: None: not closed yet.
    disposition: str | None
    #: None: not closed yet, or never dialled.
    event: str | None
    ring_us: int | None
    talk_us: int | None
    wrap_us: int | None
    q850: int | None
    sip: int | None


_OF_OUTCOME = frozenset({"disposition", "event", "ring_us", "talk_us", "wrap_us", "q850", "sip"})


def attempts(connection: Connection, *where: ColumnElement[bool]) -> Iterator[Attempt]:
    """Yield attempts with their outcomes, oldest first, e.g. `attempts(connection, attempt.c.person == 17)`."""
    columns = [(outcome if name in _OF_OUTCOME else attempt).c[name] for name in Attempt.__struct_fields__]
    query = (
        select(*columns)
        .select_from(attempt.outerjoin(outcome, outcome.c.call_id == attempt.c.call_id))
        .where(*where)
        .order_by(attempt.c.reserved_us, attempt.c.call_id)
    )
    for row in streamed(connection, query):
        fields = row._asdict()
        fields["debts"] = from_ids(row.debts)
        fields["verdict"] = _verdicts.decode(row.verdict)
        yield Attempt(**fields)


class Offered(Line, frozen=True, kw_only=True):
    """What the agent of a call could offer."""

    #: ARM.TREATMENT.STEP of the campaign's strategy, under which the call was decided.
    treatment: str
    offer: Offer


def offered(connection: Connection, call_id: str) -> Offered | None:
    """Return the offer of the step under which a call was decided, as its floor had it; None: there was none."""
    stream, _, seq = call_id.rpartition("-")
    floor = select(journal.c.payload).where(journal.c.stream == stream)
    payload = connection.execute(floor.where(journal.c.seq == int(seq))).scalar_one_or_none()
    order: Any = None if payload is None else decode(payload)
    if not isinstance(order, Reserve) or order.choice is None:
        return None
    opened = floor.where(journal.c.kind == FloorOpened.__name__, text(TERMS), journal.c.seq < int(seq))
    payload = connection.execute(opened.order_by(journal.c.kind.desc(), journal.c.seq.desc()).limit(1)).scalar_one()
    event: Any = decode(payload)
    offer = event.settings.campaign(order.campaign).treatment(order.choice.treatment).offer
    return None if offer is None else Offered(treatment=order.choice.treatment, offer=offer)


class Denial(Line, frozen=True, kw_only=True):
    stream: str
    seq: int
    at_us: int
    campaign: str
    person: int
    phone: int | None
    verdict: Verdict


def denials(connection: Connection, person: int, *, until_us: int | None = None) -> list[Denial]:
    """Return why a person was not called, oldest first."""
    columns = [denial.c[name] for name in Denial.__struct_fields__]
    query = select(*columns).where(denial.c.person == person).order_by(denial.c.at_us, denial.c.stream, denial.c.seq)
    if until_us is not None:
        query = query.where(denial.c.at_us <= until_us)
    return [Denial(**(row._asdict() | {"verdict": _verdicts.decode(row.verdict)})) for row in connection.execute(query)]


class Fact(Line, frozen=True, kw_only=True):
    """One line of the history, with both its times."""

    event_us: int
    known_us: int
    person: int
    debts: tuple[int, ...]
    phone: int | None
    creditor: int | None
    campaign: str | None
    #: None: no contact.
    channel: str | None
    inbound: bool
    #: A rung of the contact ladder (`domain.people.ContactEvent`), `not_dialled`, or what else happened.
    event: str
    attempt: str | None
    detail: str
    amount_minor: int | None
    currency: str | None
    #: Of a promise or plan: the day agreed, ISO.
    due_on: str | None


def facts(
    connection: Connection,
    *,
    persons: Sequence[int] | None = None,
    event_from_us: int | None = None,
    event_until_us: int | None = None,
    known_from_us: int | None = None,
    known_until_us: int | None = None,
) -> Iterator[Fact]:
    """Yield the history in the order in which it was learned; every `until` is exclusive.

    What stood at an instant, for features: `known_until_us=instant`.
    """
    columns = [history.c[name] for name in Fact.__struct_fields__]
    query = select(*columns).order_by(history.c.known_us, history.c.id)
    if persons is not None:
        query = query.where(history.c.person.in_(persons))
    for wanted in (
        *_within(history.c.event_us, event_from_us, event_until_us),
        *_within(history.c.known_us, known_from_us, known_until_us),
    ):
        query = query.where(wanted)
    for row in streamed(connection, query):
        yield Fact(**(row._asdict() | {"debts": from_ids(row.debts)}))


# ---- the journal by time


def seq_at(connection: Connection, stream: str, at_us: int) -> int:
    """Return the number of the first row at or after an instant; one past the end when there is none.

    Time never decreases along a stream, so this is a bisection and needs no index.
    """
    low, high = 1, (connection.execute(select(streams.c.seq).where(streams.c.stream == stream)).scalar() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        found = connection.execute(
            select(journal.c.at_us).where(journal.c.stream == stream, journal.c.seq == middle)
        ).scalar_one()
        if found < at_us:
            low = middle + 1
        else:
            high = middle
    return low


def records(
    connection: Connection, stream: str, kind: type[Record], from_us: int, until_us: int
) -> Iterator[tuple[int, int, Any]]:
    """Yield (seq, instant, record) of one kind from an instant until before another."""
    query = (
        select(journal.c.seq, journal.c.at_us, journal.c.payload)
        .where(
            journal.c.stream == stream,
            journal.c.seq >= seq_at(connection, stream, from_us),
            journal.c.seq < seq_at(connection, stream, until_us),
            journal.c.kind == kind.__name__,
        )
        .order_by(journal.c.seq)
    )
    for row in streamed(connection, query):
        yield row.seq, row.at_us, decode(row.payload)


class Pacing(Line, frozen=True, kw_only=True):
    seq: int
    at_us: int
    decision: PacingDecided


def pacing_around(
    connection: Connection, stream: str, at_us: int, *, campaign: str | None = None, within_us: int
) -> list[Pacing]:
    """Return the pacing decisions near an instant."""
    found = records(connection, stream, PacingDecided, at_us - within_us, at_us + within_us + 1)
    return [
        Pacing(seq=seq, at_us=when_us, decision=decision)
        for seq, when_us, decision in found
        if campaign is None or decision.campaign == campaign
    ]


def pacing_at(connection: Connection, stream: str, campaign: str, at_us: int) -> Pacing | None:
    """Return the decision of a campaign that was in force at an instant: its last until then."""
    query = (
        select(journal.c.seq, journal.c.at_us, journal.c.payload)
        .where(
            journal.c.stream == stream,
            journal.c.campaign == campaign,
            journal.c.kind == PacingDecided.__name__,
            journal.c.seq < seq_at(connection, stream, at_us + 1),
        )
        .order_by(journal.c.seq.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    decision: Any = decode(row.payload)
    return Pacing(seq=row.seq, at_us=row.at_us, decision=decision)


#: Answered calls are added up by quarters of an hour, of which every zone's days are made.
_QUARTER_US = 15 * MINUTE


def day_counts(connection: Connection, campaign: str, first: date, until: date, zone: str) -> list[DayCount]:
    """Return a campaign's answered calls by calendar day of a zone, from one day until before another."""
    around = [from_datetime(datetime(day.year, day.month, day.day, tzinfo=UTC)) for day in (first, until)]
    quarter = attempt.c.answered_us // _QUARTER_US
    heard_machine = (attempt.c.answer_class == AnswerClass.connected) & (outcome.c.disposition == Disposition.machine)
    query = (
        select(func.min(attempt.c.answered_us).label("at_us"), attempt.c.answer_class, func.count().label("calls"))
        .select_from(attempt.outerjoin(outcome, outcome.c.call_id == attempt.c.call_id))
        .where(
            attempt.c.campaign == campaign,
            attempt.c.reserved_us >= around[0] - DAY,
            attempt.c.reserved_us < around[1] + DAY,
            attempt.c.answered_us.is_not(None),
            attempt.c.answer_class.is_not(None),
            ~func.coalesce(heard_machine, false()),
        )
        .group_by(quarter, attempt.c.answer_class)
    )
    counts: dict[date, dict[str, int]] = {}
    for row in connection.execute(query):
        day = to_datetime(row.at_us, zone).date()
        if first <= day < until and row.answer_class != AnswerClass.machine:
            of_day = counts.setdefault(day, {})
            of_day[row.answer_class] = of_day.get(row.answer_class, 0) + row.calls
    return [DayCount(day=day.isoformat(), **counts[day]) for day in sorted(counts)]


# ---- the floor


class Agent(Line, frozen=True, kw_only=True):
    agent: str
    name: str | None
    extension: str | None
    #: Empty: all.
    campaigns: tuple[str, ...]
    active: bool
    groups: tuple[str, ...] = ()


def agents(connection: Connection) -> list[Agent]:
    """Return who is on record as an agent."""
    columns = [agent.c[name] for name in Agent.__struct_fields__]
    return [
        Agent(
            **(
                row._asdict()
                | {name: tuple(filter(None, row._mapping[name].split(","))) for name in ("campaigns", "groups")}
            )
        )
        for row in connection.execute(select(*columns).order_by(agent.c.agent))
    ]


# ---- shorthand


def _lines(connection: Connection, query: Select[Any], kind: type[Any]) -> list[Any]:
    return [kind(**row._asdict()) for row in connection.execute(query)]


def _within(column: ColumnElement[int], from_us: int | None, until_us: int | None) -> Iterator[ColumnElement[bool]]:
    if from_us is not None:
        yield column >= from_us
    if until_us is not None:
        yield column < until_us
