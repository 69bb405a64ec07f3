"""What a stretch of the record holds for estimating a world: attempts, whom they reached, payments, promises, stops.

Every function takes a connection and only reads. Numbers that have been found dead or a stranger's since are here: the
attempts that found them so are too.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, select

from domain.calls import NEVER_DIALLED
from domain.people import Debt, Dossier, Phone
from ledger.database import streamed
from ledger.people import histories
from ledger.reservations import batches
from ledger.schema import (
    attempt,
    balance_history,
    debt,
    history,
    outcome,
    payment,
    person,
    person_phone,
    phone,
    promise,
    stop,
)


class Try(NamedTuple):
    """One attempt that was dialled and closed; instants in µs UTC."""

    call_id: str
    person: int
    phone: int
    agent: str | None
    reserved_us: int
    ringing_us: int | None
    answered_us: int | None
    talking_us: int | None
    ended_us: int | None
    answer_class: str | None
    class_why: str | None
    wait_us: int | None
    disposition: str
    closed_us: int
    ring_us: int | None
    talk_us: int | None
    wrap_us: int | None
    q850: int | None

    @property
    def dialled_us(self) -> int:
        """Instant of the Originate: what the outcome calls ring time counts from it."""
        return (self.answered_us or self.talking_us or self.closed_us) - (self.ring_us or 0)


def tries(connection: Connection, stream: str, from_us: int, to_us: int) -> Iterator[Try]:
    """Yield the attempts of a floor reserved in [from_us, to_us), oldest first."""
    of_outcome = {"disposition", "ring_us", "talk_us", "wrap_us", "q850"}
    columns = [
        outcome.c.at_us.label("closed_us")
        if name == "closed_us"
        else (outcome if name in of_outcome else attempt).c[name]
        for name in Try._fields
    ]
    query = (
        select(*columns)
        .join(outcome, outcome.c.call_id == attempt.c.call_id)
        .where(attempt.c.stream == stream, attempt.c.reserved_us >= from_us, attempt.c.reserved_us < to_us)
        .where(outcome.c.disposition.not_in(NEVER_DIALLED))
        .order_by(attempt.c.reserved_us, attempt.c.call_id)
    )
    for row in streamed(connection, query):
        yield Try._make(row)


def everybody(connection: Connection, stream: str, from_us: int, to_us: int) -> list[Dossier]:
    """Return whoever was attempted, in the order of ids: all numbers, what had happened, and what was owed then."""
    wanted = select(attempt.c.person).where(
        attempt.c.stream == stream, attempt.c.reserved_us >= from_us, attempt.c.reserved_us < to_us
    )
    ids = sorted(connection.execute(wanted.distinct()).scalars())
    numbers: defaultdict[int, list[Phone]] = defaultdict(list)
    debts: defaultdict[int, list[Debt]] = defaultdict(list)
    places: dict[int, tuple[str, str, str]] = {}
    for some in batches(ids):
        people = select(person.c.id, person.c.country, person.c.address_zones, person.c.language).where(
            person.c.id.in_(some)
        )
        places.update({one: (country, zones, language) for one, country, zones, language in connection.execute(people)})
        listed = (
            select(person_phone.c.person, phone.c.id, phone.c.country, phone.c.line_type, phone.c.zones)
            .join(phone, phone.c.id == person_phone.c.phone)
            .where(person_phone.c.person.in_(some))
            .order_by(person_phone.c.person, person_phone.c.rank, phone.c.id)
        )
        for one, number, country, line_type, zones in connection.execute(listed):
            numbers[one].append(Phone(phone=number, country=country, line_type=line_type, zones=_split(zones)))
        owed = select(debt).where(debt.c.person.in_(some)).order_by(debt.c.person, debt.c.id)
        rows = connection.execute(owed).all()
        then = _stood(connection, [row.id for row in rows], from_us)
        for row in rows:
            balance_minor, state = then.get(row.id, (row.balance_minor, row.state))
            debts[row.person].append(
                Debt(
                    debt=row.id,
                    creditor=row.creditor,
                    balance_minor=balance_minor,
                    currency=row.currency,
                    due_on=row.due_on,
                    product=row.product,
                    state=state,
                )
            )
    past = histories(connection, ids, from_us)
    return [
        Dossier(
            person=one,
            keys=(),
            country=country,
            language=language,
            address_zones=_split(zones),
            debts=tuple(debts[one]),
            phones=tuple(numbers[one]),
            history=past.get(one, ()),
        )
        for one, (country, zones, language) in sorted(places.items())
    ]


def _stood(connection: Connection, debts: list[int], at_us: int) -> dict[int, tuple[int, str]]:
    """Return what each debt came to at an instant, and its state; one that came later, as it came."""
    then: dict[int, tuple[int, str]] = {}
    past = balance_history.c
    for some in batches(debts):
        query = select(past.debt, past.known_us, past.balance_minor, past.state).where(past.debt.in_(some))
        for number, known_us, balance_minor, state in connection.execute(query.order_by(past.known_us, past.id)):
            if number not in then or known_us <= at_us:
                then[number] = balance_minor, state
    return then


class Paid(NamedTuple):
    person: int
    debt: int
    at_us: int
    amount_minor: int


def payments(connection: Connection, from_us: int, to_us: int) -> list[Paid]:
    """Return what was paid in a stretch, in order of time."""
    query = (
        select(debt.c.person, payment.c.debt, payment.c.event_us, payment.c.amount_minor)
        .join(debt, debt.c.id == payment.c.debt)
        .where(payment.c.event_us >= from_us, payment.c.event_us < to_us)
        .order_by(payment.c.event_us, payment.c.id)
    )
    return [Paid._make(row) for row in connection.execute(query)]


class Promised(NamedTuple):
    """A promise of one payment; `debt` None: of all that the call was about."""

    call_id: str | None
    person: int
    debt: int | None
    amount_minor: int
    due_on: str
    made_us: int


def promises(connection: Connection, from_us: int, to_us: int) -> list[Promised]:
    """Return the promises made in a stretch, in order of time; plans have further instalments and are left out."""
    query = (
        select(*(promise.c[name] for name in Promised._fields))
        .where(promise.c.kind == "promise", promise.c.state != "cancelled")
        .where(promise.c.made_us >= from_us, promise.c.made_us < to_us)
        .order_by(promise.c.made_us, promise.c.id)
    )
    return [Promised._make(row) for row in connection.execute(query)]


def stops_asked(connection: Connection, from_us: int, to_us: int) -> list[tuple[int, str]]:
    """Return (person, kind) of the stops that people asked for otherwise than in a call, in order of time."""
    query = (
        select(stop.c.person, stop.c.kind)
        .where(stop.c.event_us >= from_us, stop.c.event_us < to_us, stop.c.source != "attempt")
        .where(stop.c.received.is_not(None))
        .order_by(stop.c.event_us, stop.c.id)
    )
    return [(one, kind) for one, kind in connection.execute(query)]


class Message(NamedTuple):
    """What went out to a person otherwise than by a call."""

    person: int
    channel: str
    at_us: int
    event: str


def messages(connection: Connection, from_us: int, to_us: int) -> list[Message]:
    """Return what is on record of other channels than calls in a stretch, in order of time."""
    query = (
        select(history.c.person, history.c.channel, history.c.event_us, history.c.event)
        .where(history.c.channel.is_not(None), history.c.channel != "call", history.c.inbound.is_(False))
        .where(history.c.event_us >= from_us, history.c.event_us < to_us)
        .order_by(history.c.event_us, history.c.id)
    )
    return [Message._make(row) for row in connection.execute(query)]


def _split(zones: str) -> tuple[str, ...]:
    return tuple(filter(None, zones.split(",")))
