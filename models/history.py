"""The ledger's history as arrays: whose facts stand together, in the order in which they were learned.

Read from the Parquet files that `cadencia export` writes (`history`, `debtors`, `numbers`, `debts`), each one file or a
folder of parts, local or at any URL that Arrow or fsspec opens; or from Arrow tables of the same columns.

Law: a person's lines are ordered by `known_at`, so that what was known before an instant is a beginning of them, and
nothing later can reach a feature. Lines learned at one instant keep the order in which they were read.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from domain.calls import Disposition
from domain.errors import BadInput
from domain.instants import DAY, MINUTE, parse, to_datetime
from models import export
from models import history_kernel as kernel

I8 = NDArray[np.int64]
Any1 = NDArray[Any]

#: Kinds of number, as the ledger names them; a number's code is its place here.
LINE_TYPES: Final = ("unknown", "mobile", "fixed", "fixed_or_mobile", "voip", "toll_free", "other")
#: How a call ended, a code each. Conditions of people that the law protects have none of their own: they are `other`.
ENDS: Final = (
    "none", "other", "busy", "no_answer", "rejected", "not_in_service", "network_fail", "machine", "cut", "abandoned",
    "lost", "cancelled", "unrecorded", "wrong_party", "third_party", "no_promise", "promise", "plan", "dispute",
    "already_paid", "call_back", "do_not_call",
)  # fmt: skip

_EVENTS: Final = {
    "dialed": kernel.DIALED, "not_dialled": kernel.NOT_DIALLED, "network_fail": kernel.FAILED,
    "not_in_service": kernel.DEAD, "busy": kernel.BUSY, "no_answer": kernel.NO_ANSWER, "amd_machine": kernel.MACHINE,
    "voicemail_left": kernel.MACHINE, "abandoned": kernel.ABANDONED, "answered": kernel.ANSWERED,
    "wrong_party": kernel.WRONG, "third_party": kernel.THIRD, "right_party_contact": kernel.RIGHT,
    "message_sent": kernel.MESSAGE, "message_delivered": kernel.MESSAGE, "promise": kernel.PROMISE, "plan": kernel.PLAN,
    "call_back": kernel.CALL_BACK, "payment": kernel.PAYMENT, "assigned": kernel.BALANCE, "balance": kernel.BALANCE,
    "reopened": kernel.BALANCE, "withdrawn": kernel.WITHDRAWN,
}  # fmt: skip
#: Where the detail says more than the rung.
_DETAILS: Final = {
    ("no_answer", Disposition.rejected): kernel.REJECTED,
    ("abandoned", Disposition.lost): kernel.LOST,
    ("right_party_contact", Disposition.unrecorded): kernel.ANSWERED,
    ("stop", "dispute"): kernel.DISPUTE,
    ("stop", "wrong_number"): kernel.NUMBER_STOP,
    ("stop", "not_in_service"): kernel.NUMBER_STOP,
}
#: Channels on which a rung of the ladder is a call's.
_CALLS: Final = ("call",)


class Numbers(NamedTuple):
    """Numbers in the order of trial; those of person i are `first[i] … first[i + 1]`, as everywhere here."""

    first: I8
    id: I8
    #: Place in LINE_TYPES.
    line_type: NDArray[np.uint8]
    #: Order of trial as the files give it.
    rank: NDArray[np.int32]


class Debts(NamedTuple):
    first: I8
    id: I8
    #: Days since 1970-01-01; export.NO_DAY: not told.
    due_day: NDArray[np.int32]
    #: Place in `History.currencies`.
    currency: NDArray[np.int32]


class Clocks(NamedTuple):
    """Offsets from UTC: clock z has the pieces `first[z] … first[z + 1]`, each from an instant on."""

    first: I8
    from_us: I8
    offset_us: I8


class Lines(NamedTuple):
    """What happened, a person's lines in the order in which they were learned."""

    first: I8
    event_us: I8
    known_us: I8
    #: A constant of `models.history_kernel`.
    kind: NDArray[np.uint8]
    #: One line tells the whole attempt: it was imported.
    alone: NDArray[np.bool_]
    #: Place in ENDS.
    end: NDArray[np.uint8]
    #: Place among the person's numbers, debts; -1: none of those on record.
    number: NDArray[np.int16]
    debt: NDArray[np.int16]
    #: Local hour, and 24 more at the weekend.
    cell: NDArray[np.uint8]
    #: Minor units; NaN: none.
    amount: NDArray[np.float64]
    #: Day agreed of a promise, in days since 1970-01-01; export.NO_DAY: none.
    due_day: NDArray[np.int32]


@dataclass(slots=True, frozen=True)
class History:
    """Everybody's facts; rows of people are in the order of their ids."""

    person: I8
    #: Place in `zones`.
    clock: NDArray[np.int32]
    zones: tuple[str, ...]
    currencies: tuple[str, ...]
    clocks: Clocks
    numbers: Numbers
    debts: Debts
    lines: Lines
    #: Lines about people who are not among the debtors: of another part, or erased.
    n_strangers: int

    def rows_of(self, person: Any1, what: str = "person") -> I8:
        """Return the rows of people.

        Raises
        ------
        BadInput
            When somebody is not among the debtors.
        """
        row = np.searchsorted(self.person, person)
        wrong = (row >= len(self.person)) | (self.person[np.minimum(row, len(self.person) - 1)] != person)
        if wrong.any():
            raise BadInput(
                f"{what} {int(np.asarray(person)[wrong][0])} is not among the debtors; export the ledger anew"
            )
        return row.astype(np.int64)


#: Offsets are known between these; outside them the nearest holds.
_CLOCKS_FROM_US: Final = parse("1990-01-01T00:00:00Z")
_CLOCKS_UNTIL_US: Final = parse("2060-01-01T00:00:00Z")

Batches = Callable[[Sequence[str]], Iterator[Any]]


def read_history(source: Path | str, persons: tuple[int, int] | None = None, *, until_us: int | None = None) -> History:
    """Read the history from the folder of an export.

    Parameters
    ----------
    source : path or URL
    persons : (first, last), optional
        Ids of the people wanted, both included: a part of a portfolio, where the whole is too much at once.
    until_us : int, optional
        Lines known before this instant alone.

    Raises
    ------
    BadInput
        When a file or a column is missing, or a column has another type.
    """
    pc = export.arrow().compute
    wanted = None
    if persons is not None:
        field = pc.field("person")
        wanted = (field >= persons[0]) & (field <= persons[1])
    opened = {name: export.dataset(str(source), name) for name in export.COLUMNS}
    for name, dataset in opened.items():
        export.check(dataset.schema, name, f"{source}/{name}")
    tables = {
        name: dataset.to_table(columns=list(export.COLUMNS[name]), filter=wanted)
        for name, dataset in opened.items()
        if name != "history"
    }

    lines = wanted
    if until_us is not None:
        known = export.before(opened["history"].schema, until_us)
        lines = known if wanted is None else wanted & known

    def batches(columns: Sequence[str]) -> Iterator[Any]:
        # Few batches wait at a time: a scanner reads far ahead by itself.
        yield from opened["history"].to_batches(
            columns=list(columns), filter=lines, batch_size=1 << 18, batch_readahead=2, fragment_readahead=1
        )

    return _build(batches, **tables)


def history_of(*, history: Any, debtors: Any, numbers: Any, debts: Any) -> History:
    """Return the history of Arrow tables with the columns of an export; see `read_history`."""
    tables = {"history": history, "debtors": debtors, "numbers": numbers, "debts": debts}
    for name, table in tables.items():
        export.check(table.schema, name, f"table {name}")

    def batches(columns: Sequence[str]) -> Iterator[Any]:
        yield from history.select(list(columns)).to_batches(max_chunksize=1 << 18)

    return _build(batches, debtors, numbers, debts)


# ---- building


def _build(batches: Batches, debtors: Any, numbers: Any, debts: Any) -> History:
    person = np.sort(export.ints(debtors, "person"))
    if len(person) == 0:
        raise BadInput("debtors: nobody is there; import a portfolio, and export the ledger anew")
    if (person[1:] == person[:-1]).any():
        raise BadInput(
            f"debtors: person {int(person[1:][person[1:] == person[:-1]][0])} is there twice; export the ledger anew"
        )
    place = _Places(person)
    owned_numbers, number_zone = _numbers(numbers, place)
    zone, zones = _zones(debtors, place, owned_numbers, number_zone)
    owned_debts, currencies = _debts(debts, place)
    # How many lines there are about whom.
    counts = np.zeros(len(person) + 1, np.int64)
    strangers = 0
    for batch in batches(("person",)):
        rows = place.of(export.ints(batch, "person"))
        strangers += int((rows < 0).sum())
        counts[:-1] += np.bincount(rows[rows >= 0], minlength=len(person))
    clocks = clocks_of(zones)
    first = np.concatenate(([0], np.cumsum(counts[:-1]))).astype(np.int64)
    n = int(first[-1])
    lines = Lines(
        first=first,
        event_us=np.empty(n, np.int64),
        known_us=np.empty(n, np.int64),
        kind=np.empty(n, np.uint8),
        alone=np.empty(n, np.bool_),
        end=np.empty(n, np.uint8),
        number=np.empty(n, np.int16),
        debt=np.empty(n, np.int16),
        cell=np.zeros(n, np.uint8),
        amount=np.empty(n, np.float64),
        due_day=np.empty(n, np.int32),
    )
    after = first[:-1].copy()
    for batch in batches(export.COLUMNS["history"]):
        kind, end = kinds_of(batch)
        told = kernel.Told(
            row=place.of(export.ints(batch, "person")), event_us=export.instants(batch, "event_at"),
            known_us=export.instants(batch, "known_at"), kind=kind,
            alone=np.asarray(batch.column("campaign").is_null()), end=end,
            phone=export.ints(batch, "phone"), debt=export.first_debt(batch), amount=export.amounts(batch),
            due_day=export.days(batch, "due_on"),
        )  # fmt: skip
        kernel.scatter(told, after, lines, owned_numbers, owned_debts, zone, clocks)
    kernel.order(lines)
    return History(
        person=person, clock=zone, zones=zones, currencies=currencies, clocks=clocks, numbers=owned_numbers,
        debts=owned_debts, lines=lines, n_strangers=strangers,
    )  # fmt: skip


class _Places:
    """From ids of people to their rows."""

    def __init__(self, person: I8) -> None:
        self._person = person
        self._low = int(person[0])
        span = int(person[-1]) - self._low + 1
        self._table: NDArray[np.int32] | None = None
        if span <= 8 * len(person) + 1024:
            self._table = np.full(span, -1, np.int32)
            self._table[person - self._low] = np.arange(len(person), dtype=np.int32)

    def of(self, ids: I8) -> I8:
        """Return the rows; -1: nobody's."""
        if self._table is not None:
            at = ids - self._low
            inside = (at >= 0) & (at < len(self._table))
            return np.where(inside, self._table[np.where(inside, at, 0)], -1).astype(np.int64)
        row = np.minimum(np.searchsorted(self._person, ids), len(self._person) - 1)
        return np.where(self._person[row] == ids, row, -1).astype(np.int64)


def _numbers(table: Any, place: _Places) -> tuple[Numbers, Any1]:
    """Return the numbers, and the first zone that each tells."""
    owner, rank = place.of(export.ints(table, "person")), export.ints(table, "rank")
    order = np.lexsort((export.ints(table, "phone"), rank, owner))
    order = order[owner[order] >= 0]
    words, codes = export.coded(table, "line_type")
    known = np.array(
        [LINE_TYPES.index(word) if word in LINE_TYPES else len(LINE_TYPES) - 1 for word in words], np.uint8
    )
    numbers = Numbers(
        first=_firsts(owner[order], len(place._person)),
        id=export.ints(table, "phone")[order],
        line_type=np.concatenate((known, [0])).astype(np.uint8)[codes[order]],
        rank=rank[order].astype(np.int32),
    )
    zones = export.first_word(table, "zones")
    return numbers, zones[order]


def _debts(table: Any, place: _Places) -> tuple[Debts, tuple[str, ...]]:
    owner = place.of(export.ints(table, "person"))
    order = np.lexsort((export.ints(table, "debt"), owner))
    order = order[owner[order] >= 0]
    words, codes = export.coded(table, "currency")
    debts = Debts(
        first=_firsts(owner[order], len(place._person)),
        id=export.ints(table, "debt")[order],
        due_day=export.days(table, "due_on")[order],
        currency=codes[order].astype(np.int32),
    )
    return debts, tuple(words)


def _zones(
    debtors: Any, place: _Places, numbers: Numbers, number_zone: Any1
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return where people live: the address before the numbers."""
    told = np.full(len(place._person), None, object)
    has = numbers.first[:-1] < numbers.first[1:]
    told[has] = number_zone[numbers.first[:-1][has]]
    own = export.first_word(debtors, "zones")
    rows = place.of(export.ints(debtors, "person"))
    address = np.array([word is not None for word in own], np.bool_)
    told[rows[address]] = own[address]
    words = sorted({word for word in told.tolist() if word is not None} | {"UTC"})
    code = {word: n for n, word in enumerate(words)} | {None: words.index("UTC")}
    return np.array([code[word] for word in told.tolist()], np.int32), tuple(words)


def clocks_of(zones: Sequence[str]) -> Clocks:
    """Return the offsets of zones; they depend on no data, or later data could move an earlier hour.

    Raises
    ------
    BadInput
        When one is not in the tz database.
    """
    pieces = [_pieces(name) for name in zones]
    first = np.cumsum([0, *map(len, pieces)])
    from_us, offset_us = np.array([piece for of in pieces for piece in of], np.int64).T
    return Clocks(first.astype(np.int64), from_us.copy(), offset_us.copy())


@lru_cache(maxsize=1024)
def _pieces(name: str) -> list[tuple[int, int]]:
    """Return from when on a zone has which offset, in µs."""
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInput(f"time zone {name!r} is not in the tz database; correct it in the portfolio") from None
    offset = _offset(zone, _CLOCKS_FROM_US)
    pieces = [(np.iinfo(np.int64).min, offset)]
    for at_us in range(_CLOCKS_FROM_US, _CLOCKS_UNTIL_US, 7 * DAY):
        low, high = at_us, at_us + 7 * DAY
        after = _offset(zone, high)
        if after == offset:
            continue
        while high - low > MINUTE:
            middle = (low + high) // 2 // MINUTE * MINUTE
            low, high = (low, middle) if _offset(zone, middle) == after else (middle, high)
        pieces.append((high, after))
        offset = after
    return pieces


def _offset(zone: ZoneInfo, at_us: int) -> int:
    moment: datetime = to_datetime(at_us).astimezone(zone)
    return (moment.utcoffset() or timedelta()) // timedelta(microseconds=1)


def kinds_of(batch: Any) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the kind of each line, and how the call that it tells of ended."""
    events, event = export.coded(batch, "event")
    details, detail = export.coded(batch, "detail")
    channels, channel = export.coded(batch, "channel")
    table = np.zeros((len(events) + 1, len(details) + 1), np.uint8)
    for row, word in enumerate(events):
        table[row, :] = _EVENTS.get(word, kernel.OTHER)
        for column, more in enumerate(details):
            table[row, column] = _DETAILS.get((word, more), table[row, column])
    kind = table[event, detail]
    spoken = np.array([*(word in _CALLS for word in channels), False])[channel]
    contact = channel >= 0
    rung = (kind >= kernel.DIALED) & (kind <= kernel.RIGHT)
    # A rung in another channel is a message; one that came from the debtor is neither.
    kind = np.where(rung & contact & ~spoken, kernel.MESSAGE, kind)
    inbound = np.asarray(batch.column("inbound").fill_null(False))
    kind = np.where(inbound & contact, kernel.INBOUND, kind).astype(np.uint8)
    ends = np.array([*(ENDS.index(word) if word in ENDS else 1 for word in details), 0], np.uint8)
    return kind, ends[detail]


def _firsts(owner: I8, n: int) -> I8:
    return np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=n)))).astype(np.int64)
