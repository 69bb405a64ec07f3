"""What `why`, `report`, `metrics` and `stock` ask of the record. Every function takes a connection and only reads."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, select

from domain.calls import RIGHT_PARTY, AnswerClass, Disposition
from domain.facts import PacingDecided
from domain.instants import HOUR
from domain.people import Verdict
from domain.records import Record, decode
from ledger.database import streamed
from ledger.people import from_ids
from ledger.schema import (
    agent,
    agent_state,
    attempt,
    call_back,
    creditor,
    debt,
    denial,
    history,
    journal,
    lead,
    outcome,
    promise,
)
from ledger.schema import stream as streams

_verdicts = msgspec.json.Decoder(Verdict)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A row of an answer; its fields are named as the tables' columns."""


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


class Standing(Line, frozen=True, kw_only=True):
    """Where a person stands on a campaign's list since the engine last moved it."""

    campaign: str
    person: int
    #: scheduled, held or closed.
    state: str
    next_us: int | None
    agent: str | None
    why: str
    at_us: int


def standings(connection: Connection, person: int) -> list[Standing]:
    """Return a person's standing on every list; none: nobody has touched the lead yet, or it is on no list."""
    columns = [lead.c[name] for name in Standing.__struct_fields__]
    return _lines(connection, select(*columns).where(lead.c.person == person).order_by(lead.c.campaign), Standing)


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


# ---- a shift


class Tally(Line, frozen=True, kw_only=True):
    """Attempts and what became of them; the base of a rate is the field it is divided by."""

    #: The values of what was grouped by, in that order.
    group: tuple[Any, ...]
    #: Reserved and dialled: not `not_sent`.
    attempts: int
    #: Of these not closed yet.
    running: int
    persons: int
    #: By anything: a class was given.
    answered: int
    connected: int
    abandoned: int
    machine: int
    cut: int
    lost: int
    right_party: int
    #: People reached in right-party contacts.
    right_party_persons: int
    promises: int
    ring_us: int
    talk_us: int
    wrap_us: int
    #: Answer to agent, over `connected`.
    wait_us: int


#: What attempts can be grouped by.
GROUPS: dict[str, ColumnElement[Any]] = {
    "campaign": attempt.c.campaign,
    "hour": attempt.c.reserved_us // HOUR * HOUR,
    "agent": attempt.c.agent,
    "trunk": attempt.c.trunk,
    "node": attempt.c.node,
    "mode": attempt.c.mode,
    "caller_id": attempt.c.caller_id,
    "disposition": outcome.c.disposition,
    "q850": outcome.c.q850,
    "sip": outcome.c.sip,
}


def tallies(
    connection: Connection,
    by: Sequence[str] = (),
    *,
    from_us: int | None = None,
    until_us: int | None = None,
    campaigns: Sequence[str] = (),
) -> list[Tally]:
    """Count attempts reserved in a time, grouped by columns of `GROUPS`."""
    groups = [GROUPS[name].label(f"by_{name}") for name in by]
    right = outcome.c.disposition.in_(sorted(RIGHT_PARTY))
    reached = case((right, attempt.c.person))
    query = (
        select(
            *groups,
            func.count().label("attempts"),
            _number(outcome.c.call_id.is_(None)).label("running"),
            func.count(attempt.c.person.distinct()).label("persons"),
            func.count(attempt.c.answer_class).label("answered"),
            *(_number(attempt.c.answer_class == one).label(one) for one in AnswerClass),
            _number(right).label("right_party"),
            func.count(reached.distinct()).label("right_party_persons"),
            _number(outcome.c.disposition.in_((Disposition.promise, Disposition.plan))).label("promises"),
            *(func.coalesce(func.sum(outcome.c[name]), 0).label(name) for name in ("ring_us", "talk_us", "wrap_us")),
            func.coalesce(func.sum(attempt.c.wait_us), 0).label("wait_us"),
        )
        .select_from(attempt.outerjoin(outcome, outcome.c.call_id == attempt.c.call_id))
        .where(func.coalesce(outcome.c.disposition, "") != Disposition.not_sent)
        .group_by(*groups)
        .order_by(*groups)
    )
    for wanted in _within(attempt.c.reserved_us, from_us, until_us):
        query = query.where(wanted)
    if campaigns:
        query = query.where(attempt.c.campaign.in_(campaigns))
    found = []
    for row in connection.execute(query):
        counts = {name: int(getattr(row, name)) for name in Tally.__struct_fields__ if name != "group"}
        found.append(Tally(group=tuple(row[: len(by)]), **counts))
    return found


def agent_time(connection: Connection, from_us: int, until_us: int) -> dict[tuple[str, str, str], int]:
    """Return the microseconds that agents spent in a time, by (agent, state, reason).

    An agent's last state lasts until the end of the time.
    """
    end = func.lead(agent_state.c.at_us).over(
        partition_by=(agent_state.c.stream, agent_state.c.agent), order_by=agent_state.c.seq
    )
    spans = (
        select(agent_state.c.agent, agent_state.c.state, agent_state.c.reason, agent_state.c.at_us, end.label("end_us"))
        .where(agent_state.c.at_us < until_us)
        .subquery()
    )
    start = case((spans.c.at_us < from_us, from_us), else_=spans.c.at_us)
    stop = case((spans.c.end_us.is_(None), until_us), (spans.c.end_us > until_us, until_us), else_=spans.c.end_us)
    query = (
        select(spans.c.agent, spans.c.state, spans.c.reason, func.sum(stop - start))
        .where(spans.c.end_us.is_(None) | (spans.c.end_us > from_us))
        .group_by(spans.c.agent, spans.c.state, spans.c.reason)
        .order_by(spans.c.agent, spans.c.state, spans.c.reason)
    )
    return {(one, state, reason): int(spent) for one, state, reason, spent in connection.execute(query)}


class Promise(Line, frozen=True, kw_only=True):
    call_id: str | None
    kind: str
    person: int
    debt: int | None
    amount_minor: int
    currency: str
    due_on: str
    instalments: int
    made_us: int
    agent: str | None
    campaign: str | None
    state: str


def promises_due(connection: Connection, from_on: str, until_on: str) -> list[Promise]:
    """Return open promises that fall due from a day until before another (ISO)."""
    columns = [promise.c[name] for name in Promise.__struct_fields__]
    query = (
        select(*columns)
        .where(promise.c.state == "open", promise.c.due_on >= from_on, promise.c.due_on < until_on)
        .order_by(promise.c.due_on, promise.c.id)
    )
    return _lines(connection, query, Promise)


class CallBack(Line, frozen=True, kw_only=True):
    call_id: str | None
    person: int
    campaign: str
    due_us: int
    agent: str | None
    made_us: int


def call_backs_due(connection: Connection, until_us: int, *, from_us: int | None = None) -> list[CallBack]:
    """Return call-backs not tried yet that are due before an instant."""
    columns = [call_back.c[name] for name in CallBack.__struct_fields__]
    query = select(*columns).where(call_back.c.done_us.is_(None)).order_by(call_back.c.due_us, call_back.c.id)
    for wanted in _within(call_back.c.due_us, from_us, until_us):
        query = query.where(wanted)
    return _lines(connection, query, CallBack)


#: How an attempt must not end without somebody looking into it.
EXCEPTIONS = (
    Disposition.unknown,
    Disposition.lost,
    Disposition.unrecorded,
    Disposition.dispute,
    Disposition.already_paid,
    Disposition.vulnerable,
    Disposition.deceased,
)


def exceptions(connection: Connection, from_us: int, until_us: int) -> Iterator[Attempt]:
    """Yield the attempts of a time that somebody must look into."""
    return attempts(
        connection,
        and_(*_within(attempt.c.reserved_us, from_us, until_us)),
        outcome.c.disposition.in_(EXCEPTIONS),
    )


# ---- the floor


class Agent(Line, frozen=True, kw_only=True):
    agent: str
    name: str | None
    extension: str | None
    #: Empty: all.
    campaigns: tuple[str, ...]
    active: bool


def agents(connection: Connection) -> list[Agent]:
    """Return who is on record as an agent."""
    columns = [agent.c[name] for name in Agent.__struct_fields__]
    return [
        Agent(**(row._asdict() | {"campaigns": tuple(filter(None, row.campaigns.split(",")))}))
        for row in connection.execute(select(*columns).order_by(agent.c.agent))
    ]


# ---- shorthand


def _lines(connection: Connection, query: Select[Any], kind: type[Any]) -> list[Any]:
    return [kind(**row._asdict()) for row in connection.execute(query)]


def _number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _within(column: ColumnElement[int], from_us: int | None, until_us: int | None) -> Iterator[ColumnElement[bool]]:
    if from_us is not None:
        yield column >= from_us
    if until_us is not None:
        yield column < until_us
