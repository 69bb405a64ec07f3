"""When may each of many debtors be contacted? The gate's verdicts for whole hours of a week, all at once.

Law kept here: a cell is true when `Gate.judge` allows the contact at the slot's start and for the whole slot, given the
history so far. What depends on place, zones and kind of number alone is asked of the gate once for all who are alike;
the rest is counted over columns (`compliance.mask_kernel`, decision 0017).
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from compliance.cases import HOURS
from compliance.columns import ANY, Bools, Columns, Ints, Places
from compliance.counting import CONTACTS, FOREVER, PERHAPS_CONTACTS, Counter
from compliance.gate import Gate
from compliance.hours import Hours
from compliance.mask_kernel import (
    ALL,
    EACH_CREDITOR,
    EACH_DEBT,
    HOURS_CONSENT,
    NOT_COUNTED,
    THROUGHOUT,
    Classes,
    Counting,
    Octets,
    OpenHours,
    Releases,
    Words,
    fill,
    lower,
)
from compliance.plans import Plan
from compliance.rows import NO_RULES, Row
from compliance.zones import Zones
from domain.errors import BadInput
from domain.instants import DAY, HOUR
from domain.people import ContactEvent, Dossier, Stop, StopKind

_APART = {"": ALL, "debt": EACH_DEBT, "creditor": EACH_CREDITOR}
#: A line counts for no longer than this after its UTC day, besides what its span says: zones lie apart, days differ.
_MARGIN_DAYS = 3


def callable_mask(
    gate: Gate,
    columns: Columns,
    slots: Ints,
    *,
    channel: str = "call",
    phones: Places | None = None,
    actor: str,
    purpose: str,
    live_agent_guaranteed: bool = False,
) -> Bools:
    """Return in which slots each debtor may be contacted.

    Parameters
    ----------
    slots : int64 array, shape (s,), µs UTC
        Starts of absolute hours, ascending.
    phones : int32 array, shape (n,), or None
        Place of the number among the debtor's own, from 0 on; -1: no number. None: the first, where there is one.

    Returns
    -------
    bool array, shape (n, s)
        True where `Gate.judge` at the slot's start is allowed and valid until the slot's end, or longer.

    Raises
    ------
    BadInput
        When slots are not ascending, a debtor has no such number, or the gate knows no such channel, actor or purpose.
    """
    return _filled(gate, columns, slots, phones, channel, actor, purpose, live_agent_guaranteed)[0]


class Left(NamedTuple):
    """What law leaves of the calls of a week, (n, s) each, once calls that are still to be made count too."""

    #: Calls that a debtor may have until and with a slot, if he has one in it; 0 where the mask is closed.
    calls: Octets
    #: How many of the first slots his call before it has to stand in; as many as come before it, where law says no more
    #: than that.
    after: Ints


def calls_left(
    gate: Gate,
    columns: Columns,
    slots: Ints,
    most: int,
    *,
    channel: str = "call",
    phones: Places | None = None,
    actor: str,
    purpose: str,
    live_agent_guaranteed: bool = False,
) -> Left:
    """Return how many calls, at most one a day and all unanswered, each debtor may have by each slot.

    Calls at slots k1 < k2 < …, of which the nth finds `calls[kn] >= n` and `after[kn] > k(n - 1)`, are allowed by the
    gate one after the other, at whatever minute, as far as the debtor's own history and caps, and no housemate's,
    decide. That is all that the gate allows where spans reach over all slots. A calendar week or month is taken not to
    end within them, nor is a shorter span that has room for several calls but not for one a day.

    Parameters
    ----------
    slots, phones
        As `callable_mask` takes them.
    most : int
        Calls of a debtor that are asked about; more are not told.

    Raises
    ------
    BadInput
        As `callable_mask` does.
    """
    mask, tables, class_of, phone_of = _filled(
        gate, columns, slots, phones, channel, actor, purpose, live_agent_guaranteed
    )
    left = mask.astype(np.uint8) * np.uint8(most)
    after = np.broadcast_to(np.arange(mask.shape[1], dtype=np.int64), mask.shape).copy()
    if mask.size:
        lower(
            left,
            after,
            most,
            class_of,
            phone_of,
            columns.numbers,
            columns.debts,
            columns.consents,
            columns.lines,
            np.ascontiguousarray(slots, dtype=np.int64),
            tables.classes(),
            tables.counting(),
            tables.releases(),
            tables.words(),
        )
    return Left(left, after)


def _filled(
    gate: Gate,
    columns: Columns,
    slots: Ints,
    phones: Places | None,
    channel: str,
    actor: str,
    purpose: str,
    live_agent_guaranteed: bool,
) -> tuple[Bools, "_Tables", Places, Places]:
    """Return the mask, and what it was made from: tables, classes, and places of numbers."""
    slots = np.ascontiguousarray(slots, dtype=np.int64)
    mask = np.zeros((columns.n, slots.size), dtype=np.bool_)
    if slots.size > 1 and not bool((np.diff(slots) > 0).all()):
        raise BadInput("mask: slots must be ascending instants, each once; sort them")
    phone_of = _phones(columns, phones)
    tables = _Tables(gate, columns, slots, channel, actor, purpose, live_agent_guaranteed)
    if not mask.size:
        return mask, tables, phone_of, phone_of
    class_of = tables.classify(phone_of)
    fill(
        mask,
        class_of,
        phone_of,
        columns.names_debts,
        columns.says_paid,
        columns.numbers,
        columns.debts,
        columns.stops,
        columns.consents,
        columns.lines,
        slots,
        tables.hours(),
        tables.classes(),
        tables.counting(),
        tables.releases(),
        tables.words(),
    )
    return mask, tables, class_of, phone_of


def _phones(columns: Columns, phones: Places | None) -> Places:
    count = np.diff(columns.numbers.first)
    if phones is None:
        return np.where(count > 0, 0, ANY).astype(np.int32)
    if phones.shape != (columns.n,) or bool(((phones < ANY) | (phones >= count)).any()):
        raise BadInput(
            f"mask: phones must name one of each debtor's numbers, or {ANY}; make them from the same columns"
        )
    return np.ascontiguousarray(phones, dtype=np.int32)


class _Groups:
    """Groups of rows, one after the other: what a class, day or stretch has several of."""

    def __init__(self) -> None:
        self.first = [0]
        self.rows: list[tuple[int, ...]] = []

    def add(self, rows: Iterable[tuple[int, ...]]) -> int:
        """Add a group; return its place."""
        self.rows.extend(rows)
        self.first.append(len(self.rows))
        return len(self.first) - 2

    def arrays(self, width: int) -> list[Ints]:
        """Return where the groups begin, then the columns of their rows."""
        rows = np.array(self.rows, dtype=np.int64).reshape(-1, width)
        return [np.array(self.first, dtype=np.int64), *(np.ascontiguousarray(rows[:, k]) for k in range(width))]


class _Tables:
    """The rules that bind some columns, as the kernel takes them."""

    def __init__(
        self,
        gate: Gate,
        columns: Columns,
        slots: Ints,
        channel: str,
        actor: str,
        purpose: str,
        live_agent_guaranteed: bool,
    ) -> None:
        self._gate, self._columns, self._slots = gate, columns, slots
        self._channel, self._actor, self._purpose = channel, actor, purpose
        self._live_agent_guaranteed = live_agent_guaranteed
        #: Kinds of stop on record first, as the columns number them; then those that are raised without a record.
        self._stop_words = tuple(dict.fromkeys((*columns.stop_kinds, StopKind.paid, StopKind.withdrawn, NO_RULES)))
        self._begin, self._end = (int(slots[0]), int(slots[-1]) + HOUR) if slots.size else (0, 0)
        self._class: dict[tuple[Plan, Zones, tuple[str, ...]], int] = {}
        self._counters: dict[tuple[str, str], int] = {}
        self._counter_records: list[Counter] = []
        self._consents: dict[tuple[str, ...], int] = {HOURS: HOURS_CONSENT}
        self._stretches: dict[tuple[object, ...], int] = {}
        self._release: dict[tuple[tuple[str, ...], str, int], int] = {}
        self._release_rows: list[tuple[int, int, int, int]] = []
        self._class_rows: list[tuple[int, int, int]] = []
        self._open, self._days = _Groups(), _Groups()
        self._class_counters, self._class_needs, self._class_stops = _Groups(), _Groups(), _Groups()

    def classify(self, phone_of: Places) -> Places:
        """Return each debtor's class, shape (n,)."""
        columns = self._columns
        kind = np.full(columns.n, ANY, dtype=np.int64)
        asked = phone_of >= 0
        kind[asked] = columns.numbers.kind[columns.numbers.first[:-1][asked] + phone_of[asked]]
        pairs, pair_of = np.unique(kind + 1 + columns.address * np.int64(len(columns.phones) + 1), return_inverse=True)
        classes = np.empty(pairs.size, dtype=np.int32)
        for place, pair in enumerate(pairs.tolist()):
            address, number = divmod(pair, len(columns.phones) + 1)
            where = columns.addresses[address]
            dossier = Dossier(
                person=0,
                keys=(),
                country=where.country,
                region=where.region,
                city=where.city,
                address_zones=where.zones,
            )
            phone = columns.phones[number - 1] if number else None
            plan, zones, _ = self._gate.binding(dossier, self._channel, phone, self._actor, self._purpose)
            classes[place] = self._of(plan, zones, () if phone is None else phone.registers)
        class_of: Places = classes[pair_of.reshape(-1)]
        return class_of

    # ---- what a class is bound by

    def _of(self, plan: Plan, zones: Zones, registers: tuple[str, ...]) -> int:
        listed = [row for name in registers for row in plan.registers.get(name, ())]
        key = (plan, zones, tuple(row.id for row in listed))
        found = self._class.get(key)
        if found is not None:
            return found
        self._class_counters.add(
            (
                *(self._counter(counter), self._released(counter, zones)),
                *(*_in_effect(counter.row, zones), self._meets(counter, zones)),
            )
            for counter in plan.counters.all
            if not (self._live_agent_guaranteed and counter.lifted_by_agent)
        )
        # A number on a register is closed until a consent opens it; where none may, for want of one that nobody gives.
        needs: list[tuple[Row, tuple[str, ...]]] = [(need, need.needs_consent) for need in plan.needs]
        needs += [(row, (row.unless,) if row.unless else ()) for row in listed]
        self._class_needs.add((self._consent(kinds), *_in_effect(row, zones)) for row, kinds in needs)
        for word in self._stop_words:
            self._class_stops.add(_in_effect(row, zones) for row in plan.stops.get(word, ()))
        lifted = ANY if plan.hours_lifted is None else self._stretch(plan.hours_lifted, zones)
        self._class_rows.append((self._stretch(plan.hours, zones), lifted, int(plan.place.country is None)))
        self._class[key] = len(self._class)
        return len(self._class) - 1

    def _counter(self, counter: Counter) -> int:
        key = (counter.rule, counter.counts)
        if key not in self._counters:
            self._counters[key] = len(self._counter_records)
            self._counter_records.append(counter)
        return self._counters[key]

    def _consent(self, kinds: tuple[str, ...]) -> int:
        return self._consents.setdefault(kinds, len(self._consents))

    def _stretch(self, hours: Hours, zones: Zones) -> int:
        key = (zones.names, *((row.rule, row.closed) for row in hours.rows))
        if key not in self._stretches:
            self._stretches[key] = self._open.add(hours.stretches(zones, self._begin, self._end))
        return self._stretches[key]

    def _released(self, counter: Counter, zones: Zones) -> int:
        span, n = counter.span, counter.n
        key = (() if span == "hours" else zones.names, span, n)
        if key not in self._release:
            self._release[key] = len(self._release_rows)
            if span == "hours":
                self._release_rows.append((n, 0, 0, 0))
            else:
                length = {"days": n, "weeks": 7, "months": 31}[span] + _MARGIN_DAYS
                first, last = self._begin // DAY - length, self._end // DAY + 1
                self._release_rows.append((0, first, last - first + 1, len(self._days.first) - 1))
                for day in range(first, last + 1):
                    self._days.add(zip(*zones.release_steps(span, n, day), strict=True))
        return self._release[key]

    def _meets(self, counter: Counter, zones: Zones) -> int:
        """Return how a call that is still to be made counts, as `Classes.counter_meets` has it."""
        if counter.distinct or not counter.wants(ContactEvent.no_answer, self._channel, False, False, None):
            return NOT_COUNTED
        n = counter.n if counter.span == "days" else -(-counter.n // 24)
        weekly = counter.span in ("weeks", "months")
        if weekly or zones.release(counter.span, counter.n, self._begin) > int(self._slots[-1]):
            return THROUGHOUT
        return n + 1

    # ---- as the kernel takes it

    def hours(self) -> OpenHours:
        first, start, end = self._open.arrays(2)
        slots = self._slots
        open_ = np.zeros((first.size - 1, slots.size), dtype=np.bool_)
        for row in range(first.size - 1):
            for i in range(first[row], first[row + 1]):
                open_[row] |= (start[i] <= slots) & (slots + HOUR <= end[i])
        return OpenHours(open=open_, first=first, start=start, end=end)

    def classes(self) -> Classes:
        rows = np.array(self._class_rows, dtype=np.int64)
        stops = self._class_stops.arrays(2)
        starts = np.empty((rows.shape[0], len(self._stop_words) + 1), dtype=np.int64)
        starts[:, :-1] = stops[0][:-1].reshape(starts[:, :-1].shape)
        starts[:, -1] = stops[0][len(self._stop_words) :: len(self._stop_words)]
        parts = [np.ascontiguousarray(rows[:, k]) for k in range(3)]
        return Classes._make(
            [*parts, *self._class_counters.arrays(5), *self._class_needs.arrays(3), starts, *stops[1:]]
        )

    def counting(self) -> Counting:
        counters, kinds = self._counter_records, self._columns.line_kinds
        wanted = [
            counter.wants(*kind) and not (counter.same_channel and kind.channel != self._channel)
            for counter in counters
            for kind in kinds
        ]
        addresses = [
            not counter.addresses or address in counter.addresses
            for counter in counters
            for address in self._columns.address_types
        ]
        lifted_by = [self._consent(counter.lifted_by) if counter.lifted_by else ANY for counter in counters]
        return Counting(
            limit=_ints(counter.limit for counter in counters),
            apart=_ints(_APART[counter.apart] for counter in counters),
            distinct=_bools(counter.distinct for counter in counters),
            after_contact=_bools(counter.after_contact for counter in counters),
            same_phone=_bools(counter.same_phone for counter in counters),
            same_address=_bools(counter.same_address for counter in counters),
            wanted=_bools(wanted).reshape(len(counters), len(kinds)),
            addresses=_bools(addresses).reshape(len(counters), len(self._columns.address_types)),
            lifted_by=_ints(lifted_by),
        )

    def releases(self) -> Releases:
        rows = np.array(self._release_rows, dtype=np.int64).reshape(-1, 4)
        return Releases(*(np.ascontiguousarray(rows[:, k]) for k in range(4)), *self._days.arrays(2))

    def words(self) -> Words:
        """Call it last: the others add consents."""
        columns = self._columns
        channels = {kind.channel: None for kind in columns.line_kinds if kind.channel != self._channel}
        places = {channel: place for place, channel in enumerate(channels)}
        lifts = [kind in kinds for kinds in self._consents for kind in columns.consent_kinds]
        return Words(
            lifts=_bools(lifts).reshape(len(self._consents), len(columns.consent_kinds)),
            channel_lifts=_bools(channel == self._channel for channel in columns.channels),
            channel_stops=_bools(
                Stop(kind=StopKind.channel_request, channel=channel).binds(self._channel, None)
                for channel in columns.channels
            ),
            line_channel=_ints(places.get(kind.channel, ANY) for kind in columns.line_kinds),
            line_contact=_bools(
                kind.event in CONTACTS or (not kind.imported and kind.event in PERHAPS_CONTACTS)
                for kind in columns.line_kinds
            ),
            n_channels=len(places),
            paid=self._stop_words.index(StopKind.paid),
            withdrawn=self._stop_words.index(StopKind.withdrawn),
            no_rules=self._stop_words.index(NO_RULES),
        )


def _in_effect(row: Row, zones: Zones) -> tuple[int, int]:
    """Return from when until when a row binds in any of the zones."""
    if row.effective_from is None and row.effective_to is None:
        return 0, FOREVER
    first, last = zones.dates(row.effective_from, row.effective_to)
    return first, FOREVER if last is None else last


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), dtype=np.int64)


def _bools(values: Iterable[bool]) -> Bools:
    return np.array(list(values), dtype=np.bool_)
