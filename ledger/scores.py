"""What models say of everybody who owes, kept in sets: written beside the floor, read by lists.

Laws kept here: no transaction holds the ledger's writer for more than 100 ms (batches grow and shrink by what the last
one took); a set is read by nobody until it is whole (`sealed`, one flip at the end); older ones are pruned.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, and_, delete, func, insert, select, update

from domain import forecasts
from domain.errors import BadInput
from domain.instants import DAY
from ledger.reservations import batches
from ledger.schema import score, score_person, score_set
from ledger.store import SqlLedger

#: Sealed sets kept, the one that serves among them.
KEPT: Final = 2
#: A set that was not sealed within a day was left by a run that ended.
_ABANDONED_US: Final = DAY
#: A transaction holds the writer about so long, and rests so long before the next.
_HOLD_S, _REST_S = 0.02, 0.01
_FIRST_ROWS, _LEAST_ROWS, _MOST_ROWS = 200, 20, 5_000


class ScoreSet(msgspec.Struct, frozen=True, kw_only=True):
    """Scores made in one go."""

    number: int
    at_us: int
    #: By head, the version that made them.
    versions: dict[str, str]
    #: Whose clock names the hours of the week.
    zone: str
    people: int
    numbers: int


class PhoneScore(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What models say of one number of a person."""

    phone: int
    #: The chances of a week, packed; `chance` reads one. None: no model tells it.
    p_answered: bytes | None = None
    p_right: bytes | None = None
    p_valid: float | None = None
    p_machine: float | None = None


class PersonScore(msgspec.Struct, frozen=True, kw_only=True):
    """What models say of one person; what no model tells is None."""

    person: int
    p_promise: float | None = None
    #: Of the promise that is open.
    p_kept: float | None = None
    #: Within the model's window, left alone.
    p_pay: float | None = None
    #: That all that is owed is paid within the window, left alone.
    p_self_cure: float | None = None
    #: What a contact adds to `p_pay`, and to what is paid, in minor units of `currency`, before its cost; by channel.
    uplift: Mapping[str, float] | None = None
    value_minor: Mapping[str, int] | None = None
    currency: str | None = None
    phones: tuple[PhoneScore, ...] = ()


def chance(packed: bytes, weekday: int, hour: int) -> float:
    """Return one of the chances of a week: `weekday` 0 is Monday, `hour` 0 to 23, by the clock of the set's zone."""
    return forecasts.at(packed, forecasts.HOURS * weekday + hour)


def write(
    ledger: SqlLedger, people: Iterable[PersonScore], *, at_us: int, versions: Mapping[str, str], zone: str
) -> ScoreSet:
    """Write a set, make it the one that serves, and prune the old ones.

    Raises
    ------
    BadInput
        When nobody was scored.
    LedgerStalled
        When the ledger cannot be written now; nobody reads what was written of the set.
    """
    pace = _Pace()
    head = {"at_us": at_us, "versions": msgspec.json.encode(versions, order="sorted").decode(), "zone": zone}
    with ledger.writing() as connection:
        number = int(connection.execute(insert(score_set).values(**head).returning(score_set.c.number)).scalar_one())
    n_people = n_numbers = 0
    found = iter(people)
    while some := list(islice(found, pace.rows)):
        persons = [_person(number, one) for one in some]
        phones = [_phone(number, one.person, phone) for one in some for phone in one.phones]
        with pace, ledger.writing() as connection:
            connection.execute(insert(score_person), persons)
            if phones:
                connection.execute(insert(score), phones)
        n_people, n_numbers = n_people + len(persons), n_numbers + len(phones)
    if not n_people:
        _drop(ledger, number, pace)
        raise BadInput("scores: nobody who owes anything was scored; import a portfolio, or payments that are wrong")
    with ledger.writing() as connection:
        connection.execute(
            update(score_set)
            .where(score_set.c.number == number)
            .values(people=n_people, numbers=n_numbers, sealed=True)
        )
    prune(ledger, at_us)
    return ScoreSet(number=number, at_us=at_us, versions=dict(versions), zone=zone, people=n_people, numbers=n_numbers)


def latest(connection: Connection) -> ScoreSet | None:
    """Return the set that serves; None: nobody was ever scored."""
    query = select(score_set).where(score_set.c.sealed).order_by(score_set.c.number.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return ScoreSet(
        number=row.number, at_us=row.at_us, versions=msgspec.json.decode(row.versions, type=dict[str, str]),
        zone=row.zone, people=row.people, numbers=row.numbers,
    )  # fmt: skip


def read(connection: Connection, number: int, persons: Sequence[int]) -> dict[int, PersonScore]:
    """Return what a set says of some people; who is not in it is left out."""
    phones: dict[int, list[PhoneScore]] = {}
    found: dict[int, PersonScore] = {}
    for some in batches(persons):
        for row in _rows(connection, score, number, some):
            one = PhoneScore(
                phone=row.phone, p_answered=row.p_answered, p_right=row.p_right, p_valid=row.p_valid,
                p_machine=row.p_machine,
            )  # fmt: skip
            phones.setdefault(row.person, []).append(one)
        for row in _rows(connection, score_person, number, some):
            found[row.person] = PersonScore(
                person=row.person, p_promise=row.p_promise, p_kept=row.p_kept, p_pay=row.p_pay,
                p_self_cure=row.p_self_cure,
                uplift=row.uplift and msgspec.json.decode(row.uplift, type=dict[str, float]),
                value_minor=row.value_minor and msgspec.json.decode(row.value_minor, type=dict[str, int]),
                currency=row.currency, phones=tuple(phones.get(row.person, ())),
            )  # fmt: skip
    return found


def prune(ledger: SqlLedger, now_us: int) -> int:
    """Drop all but the last sealed sets, and those that a run left unsealed; return how many."""
    with ledger.reading() as connection:
        rows = connection.execute(select(score_set.c.number, score_set.c.sealed, score_set.c.at_us)).all()
    sealed = sorted((row.number for row in rows if row.sealed), reverse=True)
    old = sealed[KEPT:] + [row.number for row in rows if not row.sealed and row.at_us < now_us - _ABANDONED_US]
    pace = _Pace()
    for number in old:
        _drop(ledger, number, pace)
    return len(old)


class _Pace:
    """How many rows a transaction takes, by how long the last one held the writer."""

    def __init__(self) -> None:
        self.rows = _FIRST_ROWS
        self._began_s = 0.0

    def __enter__(self) -> None:
        self._began_s = time.monotonic()

    def __exit__(self, *_: object) -> None:
        held_s = time.monotonic() - self._began_s
        better = int(self.rows * min(1.5, _HOLD_S / max(held_s, 1e-4)))
        self.rows = min(max(better, _LEAST_ROWS), _MOST_ROWS)
        time.sleep(_REST_S)


def _drop(ledger: SqlLedger, number: int, pace: _Pace) -> None:
    # Whoever began to read it has a state of his own (SQLite), or finds fewer people (PostgreSQL).
    with ledger.writing() as connection:
        connection.execute(update(score_set).where(score_set.c.number == number).values(sealed=False))
    for table in (score, score_person):
        while True:
            with ledger.reading() as connection:
                some = select(table.c.person).where(table.c.score_set == number).order_by(table.c.person)
                last = connection.execute(select(func.max(some.limit(pace.rows).subquery().c.person))).scalar()
            if last is None:
                break
            with pace, ledger.writing() as connection:
                connection.execute(delete(table).where(and_(table.c.score_set == number, table.c.person <= last)))
    with ledger.writing() as connection:
        connection.execute(delete(score_set).where(score_set.c.number == number))


def _rows(connection: Connection, table: Table, number: int, persons: Sequence[int]) -> Iterator[Any]:
    query = select(table).where(table.c.score_set == number, table.c.person.in_(persons))
    yield from connection.execute(query.order_by(*table.primary_key.columns))


def _person(number: int, one: PersonScore) -> dict[str, Any]:
    return {
        "score_set": number, "person": one.person, "p_promise": one.p_promise, "p_kept": one.p_kept,
        "p_pay": one.p_pay, "p_self_cure": one.p_self_cure, "currency": one.currency,
        "uplift": None if one.uplift is None else msgspec.json.encode(one.uplift).decode(),
        "value_minor": None if one.value_minor is None else msgspec.json.encode(one.value_minor).decode(),
    }  # fmt: skip


def _phone(number: int, person: int, one: PhoneScore) -> dict[str, Any]:
    return {
        "score_set": number, "person": person, "phone": one.phone, "p_answered": one.p_answered,
        "p_right": one.p_right, "p_valid": one.p_valid, "p_machine": one.p_machine,
    }  # fmt: skip
