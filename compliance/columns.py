"""Many debtors as arrays: what the mask of a whole portfolio needs to know of each, without a record for each.

Columns know no rules: the same ones serve under other packs, for any channel and week. What debtors have several of
(numbers, debts, stops, consents, past contacts) stands in tables whose rows of debtor i are `first[i] … first[i + 1]`.
A row names a number or debt by its place among the debtor's own, and words by their place in a list of words.
"""

from collections.abc import Hashable, Iterable
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from compliance.cases import CLOSING
from compliance.counting import FOREVER
from domain.people import BOUNDED_CONSENTS, ContactEvent, Dossier, Phone, StopKind

Ints = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

#: A place that stands for all of the debtor's numbers, debts, creditors or channels, or for one that is not told.
ANY = -1
#: A number, debt or creditor that is none of the debtor's.
OTHER = -2

_PART = 20_000
_at = attrgetter("at_us")


class Numbers(NamedTuple):
    first: Ints
    #: Ids of the numbers.
    id: Ints
    #: Place in `Columns.phones`.
    kind: Places
    #: Place in `Columns.address_types`.
    address: Places


class Debts(NamedTuple):
    first: Ints
    #: Ids of the debts.
    id: Ints
    #: Place of the debtor's first debt with the same creditor.
    creditor: Places
    #: Open, and not closed by a stop.
    open: Bools
    paid: Bools
    #: The contact would be about it; all are where the caller named none.
    named: Bools


class Stops(NamedTuple):
    first: Ints
    #: Place in `Columns.stop_kinds`.
    kind: Places
    debt: Places
    phone: Places
    #: Place in `Columns.channels`.
    channel: Places
    until_us: Ints


class Consents(NamedTuple):
    first: Ints
    #: Place in `Columns.consent_kinds`.
    kind: Places
    #: Place in `Columns.channels`.
    channel: Places
    phone: Places
    until_us: Ints


class Lines(NamedTuple):
    """Past contacts, those of others among them, oldest first."""

    first: Ints
    at_us: Ints
    #: Place in `Columns.line_kinds`.
    kind: Places
    phone: Places
    #: Place in `Columns.address_types`.
    address: Places
    creditor: Places
    #: Line i concerned `debts[first_debt[i]] … debts[first_debt[i + 1]]`.
    first_debt: Ints
    debts: Places


class LineKind(NamedTuple):
    """As `compliance.counting.Counter.wants` takes it."""

    event: ContactEvent
    channel: str
    inbound: bool
    imported: bool
    of: str | None


class Address(NamedTuple):
    """What the gate looks at of a debtor's address."""

    country: str
    region: str | None
    city: str | None
    zones: tuple[str, ...]


class Columns(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Debtors 0 … n - 1, in the order in which they were given."""

    #: Ids, shape (n,).
    persons: Ints
    #: Place in `addresses`, shape (n,).
    address: Places
    #: The caller named debts, whether they are the debtor's or not; shape (n,).
    names_debts: Bools
    #: The debtor has stops that say paid; shape (n,).
    says_paid: Bools
    numbers: Numbers
    debts: Debts
    stops: Stops
    consents: Consents
    lines: Lines
    addresses: tuple[Address, ...]
    #: Numbers with the same answers to all that the gate asks of a number; id and forecast are some number's.
    phones: tuple[Phone, ...]
    address_types: tuple[str, ...]
    #: Of `domain.people.StopKind`, or other words of `compliance.rows.TRIGGERS`.
    stop_kinds: tuple[str, ...]
    consent_kinds: tuple[str, ...]
    channels: tuple[str, ...]
    line_kinds: tuple[LineKind, ...]

    @property
    def n(self) -> int:
        return int(self.persons.size)

    @property
    def nbytes(self) -> int:
        tables = (self.numbers, self.debts, self.stops, self.consents, self.lines)
        own = (self.persons, self.address, self.names_debts, self.says_paid)
        return sum(array.nbytes for arrays in (own, *tables) for array in arrays)


def columns_of(people: Iterable[Dossier], named: Iterable[tuple[int, ...]] | None = None) -> Columns:
    """Return debtors as columns.

    Parameters
    ----------
    people : iterable of Dossier
        Read once, a few at a time: they need not all be in memory.
    named : iterable of tuple of int, or None
        For each, the debts that a contact would be about, as `Gate.judge` takes them; None: all debts of all.
    """
    builder = _Builder()
    if named is None:
        for dossier in people:
            builder.add(dossier, ())
    else:
        for dossier, debts in zip(people, named, strict=True):
            builder.add(dossier, debts)
    return builder.columns()


_K = TypeVar("_K", bound=Hashable)


class _Codes(dict[_K, int], Generic[_K]):
    """Places of words in the order in which they are first met."""

    def __missing__(self, word: _K) -> int:
        place = self[word] = len(self)
        return place


class _Table:
    """Rows of a table of columns, packed into arrays every so often."""

    def __init__(self, *kinds: type[np.generic]) -> None:
        self.rows: list[list[Any]] = [[] for _ in kinds]
        #: How many rows each debtor has.
        self.counts: list[int] = []
        self._kinds = (*kinds, np.int64)
        self._packed: list[list[npt.NDArray[Any]]] = [[] for _ in self._kinds]

    def pack(self) -> None:
        for rows, kind, packed in zip((*self.rows, self.counts), self._kinds, self._packed, strict=True):
            packed.append(np.array(rows, dtype=kind))
            rows.clear()

    def arrays(self) -> list[Any]:
        """Return where the rows of each begin, then the rows."""
        self.pack()
        *arrays, counts = (np.concatenate(packed) for packed in self._packed)
        return [np.concatenate((np.zeros(1, np.int64), counts.cumsum())), *arrays]


class _Builder:
    def __init__(self) -> None:
        self._addresses: _Codes[tuple[Any, ...]] = _Codes()
        self._phones: dict[tuple[Any, ...], int] = {}
        self._phone_facts: list[Phone] = []
        self._address_types: _Codes[str] = _Codes({"personal": 0})
        self._consent_kinds: _Codes[str] = _Codes()
        self._channels: _Codes[str] = _Codes()
        self._line_kinds: _Codes[tuple[ContactEvent, str, bool, bool, str | None]] = _Codes()
        self._stop_kinds: _Codes[str] = _Codes()
        self._people = _Table(np.int64, np.int32, np.bool_, np.bool_)
        self._numbers = _Table(np.int64, np.int32, np.int32)
        self._debts = _Table(np.int64, np.int32, np.bool_, np.bool_, np.bool_)
        self._stops = _Table(np.int32, np.int32, np.int32, np.int32, np.int64)
        self._consents = _Table(np.int32, np.int32, np.int32, np.int64)
        self._lines = _Table(np.int64, np.int32, np.int32, np.int32, np.int32)
        self._line_debts = _Table(np.int32)

    def add(self, dossier: Dossier, named: tuple[int, ...]) -> None:
        persons, addresses, names_debts, says_paid = self._people.rows
        persons.append(dossier.person)
        addresses.append(self._addresses[dossier.country, dossier.region, dossier.city, dossier.address_zones])
        names_debts.append(bool(named))
        says_paid.append(any(stop.kind is StopKind.paid for stop in dossier.stops))
        phones = self._add_numbers(dossier)
        debts = {debt.debt: place for place, debt in enumerate(dossier.debts)}
        creditors: dict[int, int] = {}
        for place, debt in enumerate(dossier.debts):
            creditors.setdefault(debt.creditor, place)
        self._add_debts(dossier, named, creditors)
        self._add_stops(dossier, phones, debts)
        self._add_consents(dossier, phones)
        self._add_lines(dossier, phones, debts, creditors)
        if len(persons) >= _PART:
            for table in self._tables():
                table.pack()

    def _add_numbers(self, dossier: Dossier) -> dict[int | None, int]:
        """Add the numbers; return their places by id."""
        ids, kinds, addresses = self._numbers.rows
        for phone in dossier.phones:
            facts = (
                *(phone.country, phone.line_type, phone.geographic, phone.zones),
                *(phone.address_type, phone.registers),
            )
            kind = self._phones.get(facts)
            if kind is None:
                kind = self._phones[facts] = len(self._phone_facts)
                self._phone_facts.append(phone)
            ids.append(phone.phone)
            kinds.append(kind)
            addresses.append(self._address_types[phone.address_type or "personal"])
        self._numbers.counts.append(len(dossier.phones))
        return {None: ANY} | {phone.phone: place for place, phone in enumerate(dossier.phones)}

    def _add_debts(self, dossier: Dossier, named: tuple[int, ...], creditors: dict[int, int]) -> None:
        ids, owed_to, is_open, paid, is_named = self._debts.rows
        closed = {stop.debt for stop in dossier.stops if stop.kind in CLOSING} if dossier.stops else ()
        for debt in dossier.debts:
            ids.append(debt.debt)
            owed_to.append(creditors[debt.creditor])
            is_open.append(debt.state == "open" and debt.debt not in closed)
            paid.append(debt.state == "paid")
            is_named.append(not named or debt.debt in named)
        self._debts.counts.append(len(dossier.debts))

    def _add_stops(self, dossier: Dossier, phones: dict[int | None, int], debts: dict[int, int]) -> None:
        kinds, of, on, channels, until = self._stops.rows
        count = 0
        for stop in dossier.stops:
            if stop.debt is not None and stop.kind in CLOSING:
                continue  # it has closed the debt
            kinds.append(self._stop_kinds[stop.kind])
            of.append(ANY if stop.debt is None else debts.get(stop.debt, OTHER))
            on.append(phones.get(stop.phone, OTHER))
            channels.append(ANY if stop.channel is None else self._channels[stop.channel])
            until.append(FOREVER if stop.until_us is None else stop.until_us)
            count += 1
        self._stops.counts.append(count)

    def _add_consents(self, dossier: Dossier, phones: dict[int | None, int]) -> None:
        kinds, channels, on, until = self._consents.rows
        count = 0
        for consent in dossier.consents:
            if consent.until_us is None and consent.kind in BOUNDED_CONSENTS:
                continue
            kinds.append(self._consent_kinds[consent.kind])
            channels.append(ANY if consent.channel is None else self._channels[consent.channel])
            on.append(phones.get(consent.phone, OTHER))
            until.append(FOREVER if consent.until_us is None else consent.until_us)
            count += 1
        self._consents.counts.append(count)

    def _add_lines(
        self, dossier: Dossier, phones: dict[int | None, int], debts: dict[int, int], creditors: dict[int, int]
    ) -> None:
        at, kinds, to, addresses, owed_to = self._lines.rows
        of_phone: dict[int | None, str] = {phone.phone: phone.address_type or "personal" for phone in dossier.phones}
        concerned, counts = self._line_debts.rows[0], self._line_debts.counts
        for line in sorted((*dossier.history, *dossier.others), key=_at):
            at.append(line.at_us)
            kinds.append(self._line_kinds[line.event, line.channel, line.inbound, line.attempt is None, line.of])
            # As `compliance.counting` has it: a number not told is none of a housemate's.
            to.append(OTHER if line.phone is None and line.of == "household" else phones.get(line.phone, OTHER))
            addresses.append(self._address_types[line.address_type or of_phone.get(line.phone, "personal")])
            owed_to.append(ANY if line.creditor is None else creditors.get(line.creditor, OTHER))
            for debt in line.debts:
                concerned.append(debts.get(debt, OTHER))
            counts.append(len(line.debts))
        self._lines.counts.append(len(dossier.history) + len(dossier.others))

    def _tables(self) -> tuple[_Table, ...]:
        return (
            self._people,
            self._numbers,
            self._debts,
            self._stops,
            self._consents,
            self._lines,
            self._line_debts,
        )

    def columns(self) -> Columns:
        _, persons, address, names_debts, says_paid = self._people.arrays()
        return Columns(
            persons=persons,
            address=address,
            names_debts=names_debts,
            says_paid=says_paid,
            numbers=Numbers(*self._numbers.arrays()),
            debts=Debts(*self._debts.arrays()),
            stops=Stops(*self._stops.arrays()),
            consents=Consents(*self._consents.arrays()),
            lines=Lines(*self._lines.arrays(), *self._line_debts.arrays()),
            addresses=tuple(Address(*key) for key in self._addresses),
            phones=tuple(self._phone_facts),
            address_types=tuple(self._address_types),
            stop_kinds=tuple(self._stop_kinds),
            consent_kinds=tuple(self._consent_kinds),
            channels=tuple(self._channels),
            line_kinds=tuple(LineKind(*key) for key in self._line_kinds),
        )
