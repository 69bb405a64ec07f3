"""What the ledger knows of a list's people, as strategies look at it (`strategy.fields`)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, func, or_, select

from domain.people import OF_A_NUMBER, ContactEvent
from ledger.database import streamed
from ledger.people import NOT_DIALLED
from ledger.schema import debt, history, payment, person, person_phone, promise, stop
from strategy.fields import ANY_DEBT, LOOK_BACK_US, Book, Contacts, Debts, Payments, Promises, day_number

I8 = NDArray[np.int64]
_RIGHT_PARTY = str(ContactEvent.right_party_contact)


def read_book(connection: Connection, chosen: Select[Any], at_us: int) -> Book:
    """Return what is known at an instant of the people of some debts.

    Parameters
    ----------
    chosen : Select
        Debts with their `person`, `id`, `balance_minor`, `currency`, `due_on` and `product`.
    """
    table = chosen.subquery()
    columns = [table.c[name] for name in ("person", "id", "balance_minor", "currency", "due_on", "product")]
    rows = connection.execute(select(*columns).order_by(table.c.person, table.c.id)).all()
    people = np.unique(_numbers([row[0] for row in rows]))
    row = _Rows(people)
    days = {day: day_number(day) for day in {one[4] for one in rows}}
    country = np.full(len(people), None, object)
    phones = np.zeros(len(people), np.int64)
    row.put(country, connection.execute(select(person.c.id, person.c.country)).all())
    usable = select(person_phone.c.person, func.count()).where(person_phone.c.status == "usable")
    row.put(phones, connection.execute(usable.group_by(person_phone.c.person)).all())
    rows_, more = row.table(_numbers_then(connection, at_us), (_numbers,))
    np.add.at(phones, rows_, more)
    return Book(
        person=people,
        country=country,
        n_phones=phones,
        debts=Debts(
            row=row.of([one[0] for one in rows])[0],
            debt=_numbers([one[1] for one in rows]),
            balance_minor=_numbers([one[2] for one in rows]),
            currency=_words(one[3] for one in rows),
            due_day=_numbers([days[one[4]] for one in rows]),
            product=_words(one[5] or "" for one in rows),
        ),
        contacts=_contacts(connection, row, at_us),
        promises=_promises(connection, row, at_us),
        payments=_payments(connection, row, at_us),
    )


class _Rows:
    """Where people stand in a book."""

    def __init__(self, people: I8) -> None:
        self._people = people

    def of(self, persons: Sequence[int]) -> tuple[I8, NDArray[np.bool_]]:
        """Return the rows of those persons who are in the book, and which of them are."""
        asked = _numbers(persons)
        if not len(self._people):
            return asked[:0], np.zeros(len(asked), bool)
        place = np.minimum(np.searchsorted(self._people, asked), len(self._people) - 1)
        there = self._people[place] == asked
        return place[there], there

    def put(self, column: NDArray[Any], values: Sequence[Any]) -> None:
        """Put (person, value) pairs where they belong."""
        rows, there = self.of([one[0] for one in values])
        told = np.array([one[1] for one in values], column.dtype)
        column[rows] = told[there]

    def table(self, values: Sequence[Any], kinds: Sequence[Callable[[Iterable[Any]], NDArray[Any]]]) -> list[Any]:
        """Return the columns of (person, …) rows of people in the book, the first as places, in order of these."""
        rows, there = self.of([one[0] for one in values])
        order = np.argsort(rows, kind="stable")
        columns = [kind(one[n] for one in values)[there][order] for n, kind in enumerate(kinds, 1)]
        return [rows[order], *columns]


def _numbers_then(connection: Connection, at_us: int) -> list[tuple[int, int]]:
    """Return (person, 1 or -1) for each number that was found wrong, or right again, after an instant only."""
    query = (
        select(stop.c.person, stop.c.phone, stop.c.known_us, stop.c.lifted_us, person_phone.c.status)
        .join(person_phone, (person_phone.c.person == stop.c.person) & (person_phone.c.phone == stop.c.phone))
        .where(stop.c.kind.in_(OF_A_NUMBER), or_(stop.c.known_us > at_us, stop.c.lifted_us > at_us))
    )
    wrong_then: dict[tuple[int, int, bool], bool] = {}
    for who, number, known_us, lifted_us, status in connection.execute(query):
        key = who, number, status == "usable"
        stood = known_us <= at_us and (lifted_us is None or lifted_us > at_us)
        wrong_then[key] = wrong_then.get(key, False) or stood
    return [(who, -1 if usable else 1) for (who, _, usable), wrong in wrong_then.items() if wrong == usable]


def _contacts(connection: Connection, row: _Rows, at_us: int) -> Contacts:
    query = (
        select(history.c.person, history.c.event_us, history.c.event, history.c.attempt)
        .where(
            history.c.channel == "call",
            history.c.inbound.is_(False),
            history.c.event_us > at_us - LOOK_BACK_US,
            history.c.known_us <= at_us,
        )
        .order_by(history.c.event_us, history.c.id)
    )
    #: By attempt, or by a number of its own: person, when it was dialled, the last that is told of it.
    calls: dict[Any, list[Any]] = {}
    for n, (one, event_us, event, attempt) in enumerate(streamed(connection, query)):
        known = calls.setdefault(n if attempt is None else attempt, [one, event_us, event])
        known[2] = event
    told = [(one, when, event == _RIGHT_PARTY) for one, when, event in calls.values() if event != NOT_DIALLED]
    return Contacts(*row.table(told, (_numbers, _flags)))


def _promises(connection: Connection, row: _Rows, at_us: int) -> Promises:
    names = ("person", "debt", "amount_minor", "currency", "due_on", "made_us", "kind", "instalments")
    query = select(*(promise.c[name] for name in names)).where(
        promise.c.state != "cancelled", promise.c.made_us <= at_us
    )
    told = [
        (one, ANY_DEBT if of is None else of, amount, currency, day_number(due_on), made_us, n if kind == "plan" else 0)
        for one, of, amount, currency, due_on, made_us, kind, n in connection.execute(query.order_by(promise.c.id))
    ]
    return Promises(*row.table(told, (_numbers, _numbers, _words, _numbers, _numbers, _numbers)))


def _payments(connection: Connection, row: _Rows, at_us: int) -> Payments:
    query = (
        select(debt.c.person, payment.c.debt, payment.c.amount_minor, payment.c.currency, payment.c.event_us)
        .join(debt, debt.c.id == payment.c.debt)
        .where(payment.c.known_us <= at_us)
        .order_by(payment.c.id)
    )
    return Payments(*row.table(connection.execute(query).all(), (_numbers, _numbers, _words, _numbers)))


def _numbers(values: Iterable[int]) -> I8:
    return np.fromiter(values, np.int64)


def _flags(values: Iterable[bool]) -> NDArray[np.bool_]:
    return np.fromiter(values, np.bool_)


def _words(values: Iterable[str]) -> NDArray[np.object_]:
    return np.array(list(values), object)
