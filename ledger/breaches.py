"""Right-to-contact breaches, looked for in the record itself and not in what the engine says of it.

Every `Originate` is held against the rows before it: was the call allowed, reserved, ordered once and before the
verdict ran out; and when it was reserved, was a debt of it known to be paid, or its debtor's word not to call known?
The count must be 0.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec
from sqlalchemy import Connection, or_, select

from domain.calls import Disposition
from domain.events import NotSent, PersonChanged, Reserved
from domain.facts import AttemptClosed
from domain.instants import MINUTE
from domain.orders import Originate, Reserve
from domain.people import StopKind
from domain.records import decode
from ledger.database import streamed
from ledger.queries import seq_at
from ledger.reservations import batches
from ledger.schema import balance_history, journal
from ledger.terms import known_streams, lives

#: No reservation waits so long for its call, and no file takes so long to land.
_MARGIN_US = 10 * MINUTE

_KINDS = [kind.__name__ for kind in (Reserve, Reserved, NotSent, Originate, PersonChanged)]
_NO_CALLS = (StopKind.do_not_call, StopKind.deceased)
#: Of an attempt's end, only these words matter here; they stand in few payloads.
_LAST_WORDS = (Disposition.do_not_call, Disposition.deceased)


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    call_id: str
    campaign: str
    at_us: int
    #: not_reserved, not_allowed, too_late, twice, paid or told_not_to.
    why: str


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls of each campaign were ordered and left, and which should not have been."""

    ordered: dict[str, int]
    breaches: list[Breach]


def audit(connection: Connection, stream: str | None, from_us: int, to_us: int) -> Audit:
    """Hold every call ordered in a window against the record; `stream` None: of every floor."""
    ordered: dict[str, int] = defaultdict(int)
    breaches: list[Breach] = []
    for one in known_streams(connection) if stream is None else (stream,):
        auditor = _Auditor(from_us)
        auditor.read(connection, one, to_us)
        for call_id in _paid_on_record(connection, one, auditor.reserved, from_us, to_us):
            if call_id in auditor.found:
                auditor.found[call_id] = auditor.found[call_id] or "paid"
        for call_id, why in auditor.found.items():
            order, at_us = auditor.ordered[call_id]
            ordered[order.campaign] += 1
            if why:
                breaches.append(Breach(call_id=call_id, campaign=order.campaign, at_us=at_us, why=why))
    return Audit(ordered=dict(ordered), breaches=breaches)


class _Auditor:
    """Folds the rows that bear on the right to contact."""

    def __init__(self, from_us: int) -> None:
        self._from_us = from_us
        #: Every call ordered in the window that was not held back before it left, and what is wrong with it, if it is.
        self.found: dict[str, str] = {}
        self.ordered: dict[str, tuple[Originate, int]] = {}
        self.reserved: dict[str, tuple[Reserve, int]] = {}
        self._granted: set[str] = set()
        self._wrong: dict[str, str] = {}
        #: Of each person, as last told: debts that are paid; whether a word not to call stands.
        self._paid: dict[int, frozenset[int]] = {}
        self._told: dict[int, bool] = {}

    def read(self, connection: Connection, stream: str, to_us: int) -> None:
        last_words = [journal.c.payload.contains(f'"{word}"') for word in _LAST_WORDS]
        query = (
            select(journal.c.at_us, journal.c.payload)
            .where(
                journal.c.stream == stream,
                journal.c.seq >= seq_at(connection, stream, self._from_us - _MARGIN_US),
                journal.c.seq < seq_at(connection, stream, to_us),
                or_(journal.c.kind.in_(_KINDS), (journal.c.kind == AttemptClosed.__name__) & or_(*last_words)),
            )
            .order_by(journal.c.seq)
        )
        for at_us, payload in streamed(connection, query):
            record = decode(payload)
            handler = _FOLDS.get(type(record))
            if handler is not None:
                handler(self, record, at_us)

    def _reserve(self, order: Reserve, at_us: int) -> None:
        self.reserved[order.call_id] = (order, at_us)
        if not order.verdict.allowed:
            self._wrong[order.call_id] = "not_allowed"
        elif self._paid.get(order.person, frozenset()).intersection(order.debts):
            self._wrong[order.call_id] = "paid"
        elif self._told.get(order.person):
            self._wrong[order.call_id] = "told_not_to"

    def _reserved(self, event: Reserved, at_us: int) -> None:
        self._granted.add(event.call_id)

    def _originate(self, order: Originate, at_us: int) -> None:
        if at_us < self._from_us:
            return
        call_id = order.call_id
        why = self._wrong.get(call_id, "")
        if call_id not in self.reserved or call_id not in self._granted:
            why = "not_reserved"
        elif call_id in self.ordered:
            why = "twice"
        elif not why:
            until_us = self.reserved[call_id][0].verdict.valid_until_us
            if at_us >= order.valid_until_us or (until_us is not None and at_us >= until_us):
                why = "too_late"
        self.ordered[call_id] = (order, at_us)
        self.found[call_id] = self.found.get(call_id) or why

    def _not_sent(self, event: NotSent, at_us: int) -> None:
        self.found.pop(event.call_id, None)

    def _person_changed(self, event: PersonChanged, at_us: int) -> None:
        dossier = event.dossier
        self._paid[dossier.person] = frozenset(debt.debt for debt in dossier.debts if debt.state == "paid")
        self._told[dossier.person] = any(
            stop.kind in _NO_CALLS and stop.debt is None and stop.binds("call", None) and stop.until_us is None
            for stop in dossier.stops
        )

    def _attempt_closed(self, fact: AttemptClosed, at_us: int) -> None:
        if fact.disposition in _LAST_WORDS:
            self._told[fact.person] = True


_FOLDS: dict[type, Callable[..., None]] = {
    Reserve: _Auditor._reserve,
    Reserved: _Auditor._reserved,
    Originate: _Auditor._originate,
    NotSent: _Auditor._not_sent,
    PersonChanged: _Auditor._person_changed,
    AttemptClosed: _Auditor._attempt_closed,
}


def _paid_on_record(
    connection: Connection, stream: str, reserved: dict[str, tuple[Reserve, int]], from_us: int, to_us: int
) -> Iterable[str]:
    """Yield the calls of which a debt had been paid, by the portfolio's own balances, well before they were reserved.

    Only of floors that run by the wall's clock: a rehearsed floor and the files that reach it live in two times.
    """
    spans = [(life.from_us, life.to_us) for life in lives(connection, stream, from_us, to_us) if not life.rehearsed]
    if not spans:
        return
    of_debt: dict[int, list[str]] = defaultdict(list)
    for call_id, (order, at_us) in reserved.items():
        if any(first_us <= at_us <= last_us for first_us, last_us in spans):
            for debt in order.debts:
                of_debt[debt].append(call_id)
    for some in batches(of_debt):
        query = (
            select(balance_history.c.debt, balance_history.c.known_us, balance_history.c.state)
            .where(balance_history.c.debt.in_(some), balance_history.c.known_us < to_us)
            .order_by(balance_history.c.debt, balance_history.c.known_us, balance_history.c.id)
        )
        states: dict[int, list[tuple[int, str]]] = defaultdict(list)
        for debt, known_us, state in connection.execute(query):
            states[debt].append((known_us, state))
        for debt, steps in states.items():
            for call_id in of_debt[debt]:
                at_us = reserved[call_id][1]
                before = [state for known_us, state in steps if known_us <= at_us]
                landed = [state for known_us, state in steps if known_us <= at_us - _MARGIN_US]
                if before and landed and before[-1] == landed[-1] == "paid":
                    yield call_id
