"""What a trial's units came to: whom the lot put where, and what of money, calls and words followed.

Who was in a trial is whoever a list decided about since its start; his arm is the one of his first decision, whatever
was done with him later (intention to treat). Money counts from then on. Law kept: at an instant only what was known
by then counts, so that an earlier look can be taken again.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from domain.calls import NEVER_DIALLED, RIGHT_PARTY, AgentState, AnswerClass, Disposition
from domain.instants import DAY, SECOND, midnight_us, to_datetime
from domain.people import COMPLAINT, GRACE_DAYS, KEPT_SHARE, StopKind
from ledger.attendance import agent_spans
from ledger.database import streamed
from ledger.schema import attempt, balance_history, debt, decision, history, outcome, payment, promise, stop
from ledger.schema import person as person_table
from strategy.documents import HOLDOUT

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Payments this long before the start tell something of those after it.
_BEFORE_US: Final = 90 * DAY
#: A payment belongs to the last day within so many on which its debtor was dialled (units of days alone).
TOUCH_DAYS: Final = 7
#: What closes a debt is no word of the debtor's.
_NOT_ASKED: Final = (StopKind.paid, StopKind.withdrawn, StopKind.deceased, StopKind.bankrupt, StopKind.identity_error)
_PROMISES: Final = (Disposition.promise, Disposition.plan)
#: What is counted of units, besides money.
COUNTS: Final = (
    "calls", "right_parties", "promises", "complaints", "stops", "disputes", "abandoned", "answered_people",
)  # fmt: skip


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What work costs, in the major unit of the currency that is reported in."""

    currency: str
    agent_hour: float
    call_minute: float
    attempt: float
    complaint: float
    #: What one minor unit of each currency is worth.
    worth: Mapping[str, float]


@dataclass(slots=True, frozen=True)
class Calls:
    """Calls dialled in the trial, oldest first; all (m,)."""

    row: I8
    at_us: I8
    minutes: F8
    handled_h: F8
    flags: dict[str, Flags]


class Money(NamedTuple):
    """Lines of money, calls first and in their order, (m,) each: whose, when, what came in, what it cost."""

    row: I8
    at_us: I8
    collected: F8
    cost: F8

    def by(self, place: I8, n: int) -> dict[str, F8]:
        """Return what lines come to by the place that each belongs to (-1: none): collected, cost, net, (n,) each."""
        of = place >= 0
        collected, cost = (_sums(place[of], money[of], n) for money in (self.collected, self.cost))
        return {"collected": collected, "cost": cost, "net": collected - cost}


@dataclass(slots=True, frozen=True)
class Units:
    """A trial's people, (n,) each, and what happened to them."""

    person: I8
    #: Place in the arms; -1: held out.
    arm: I8
    entered_us: I8
    #: Known before: balances and payments, in units of their own.
    covariates: F8
    #: By list: instant, and place of its arm where whole days are drawn (-1: none was called).
    list_us: I8
    list_arm: I8
    calls: Calls
    #: Payments: row, instant, when known, amount in the major unit.
    paid_row: I8
    paid_us: I8
    paid_known_us: I8
    paid: F8
    #: Stops asked for: row, when known, whether a dispute.
    stop_row: I8
    stop_us: I8
    stop_dispute: Flags
    #: Complaints: row, when they came, when known.
    complaint_row: I8
    complaint_us: I8
    complaint_known_us: I8
    #: Promises of one payment made in calls of the trial that were kept: row, when made, and when that was known.
    kept_row: I8
    kept_made_us: I8
    kept_us: I8
    #: Signed-in time of agents, and the time in which they handled calls of any campaign: (instant, hours).
    signed_in: F8
    handled: F8
    prices: Prices
    #: Documents by which lists were made, with the number of lists; people whose arm changed.
    versions: dict[str, int]
    moved: int
    #: By field that was asked for (`language`, `region`, `country`), each person's word; empty: not known.
    groups: dict[str, NDArray[np.str_]]

    def __len__(self) -> int:
        return len(self.person)

    def figures(self, at_us: int) -> dict[str, F8]:
        """Return what each person came to until an instant: money, agent hours, promises kept, and `COUNTS`."""
        n, calls = len(self), self.calls
        known = calls.at_us < at_us
        found = {"calls": _sums(calls.row[known], None, n)}
        found |= {name: _sums(calls.row[known & flags], None, n) for name, flags in calls.flags.items()}
        found["agent_hours"] = _sums(calls.row[known], self.load(at_us) * calls.handled_h[known], n)
        money = self.money(at_us)
        found |= money.by(money.row, n)
        found["complaints"] = np.minimum(1.0, _sums(self.complaint_row[self._heard(at_us)], None, n))
        asked = self.stop_us < at_us
        found["stops"] = np.minimum(1.0, _sums(self.stop_row[asked], None, n))
        found["disputes"] = np.minimum(1.0, _sums(self.stop_row[asked & self.stop_dispute], None, n))
        found["promises_kept"] = _sums(self.kept_row[self.kept_us <= at_us], None, n)
        found["weeks"] = np.maximum(0.0, at_us - self.entered_us) / (7 * DAY)
        return found

    def by_day(self, at_us: int) -> tuple[dict[str, F8], Flags]:
        """Return what each list's day came to until an instant, and which days are ripe: their payments had time.

        A kept promise belongs to the day on which it was made; a payment or complaint to the last list's day within
        `TOUCH_DAYS` on which its debtor was dialled, and otherwise to the day on which it came; whoever is held out
        counts in no day.
        """
        n, calls = len(self.list_us), self.calls
        day_of = np.searchsorted(self.list_us, calls.at_us, side="right") - 1
        known = (calls.at_us < at_us) & (day_of >= 0)
        found = {"calls": _sums(day_of[known], None, n)}
        found |= {name: _sums(day_of[known & flags], None, n) for name, flags in calls.flags.items()}
        found["agent_hours"] = _sums(day_of[known], self.load(at_us) * calls.handled_h[known], n)
        money, own = self.money(at_us), day_of[calls.at_us < at_us]
        day = self._day_of_call(money.row, money.at_us, day_of)
        day[: len(own)] = own
        # Whoever is held out and pays, or complains, does so on no day.
        day[len(own) :][self.arm[money.row[len(own) :]] < 0] = -1
        found |= money.by(day, n)
        heard = self._heard(at_us) & (self.arm[self.complaint_row] >= 0)
        said_day = self._day_of_call(self.complaint_row[heard], self.complaint_us[heard], day_of)
        found["complaints"] = _sums(said_day, None, n)
        made_day = np.searchsorted(self.list_us, self.kept_made_us, side="right") - 1
        found["promises_kept"] = _sums(made_day[(self.kept_us <= at_us) & (made_day >= 0)], None, n)
        return found, self.list_us + (TOUCH_DAYS + 1) * DAY <= at_us

    def _day_of_call(self, row: I8, when: I8, day_of: I8) -> I8:
        """Return the list's day to which what people did belongs; `day_of` is each call's."""
        calls = self.calls
        day = np.maximum(np.searchsorted(self.list_us, when, side="right") - 1, 0)
        if not len(calls.row):
            return day
        # The last call before it: keys that sort by person, then by time.
        keys, sought = (
            of * (1 << 32) + (at - self.list_us[0]) // SECOND for of, at in ((calls.row, calls.at_us), (row, when))
        )
        order = np.argsort(keys, kind="stable")
        place = np.searchsorted(keys[order], sought) - 1
        last = order[np.maximum(place, 0)]
        touched = (place >= 0) & (calls.row[last] == row) & (when - calls.at_us[last] <= TOUCH_DAYS * DAY)
        return np.where(touched, np.maximum(day_of[last], 0), day)

    def load(self, at_us: int) -> float:
        """Return for how many hours agents are paid per hour of handling calls: waiting and breaks are paid too."""
        handled = float(self.handled[self.handled[:, 0] < at_us, 1].sum())
        paid = float(self.signed_in[self.signed_in[:, 0] < at_us, 1].sum())
        return max(1.0, paid / handled) if handled > 0.0 else 1.0

    def money(self, at_us: int) -> Money:
        """Return all that net recovery adds up until an instant: calls, complaints, payments."""
        calls, prices = self.calls, self.prices
        known, heard, counts = calls.at_us < at_us, self._heard(at_us), self._counts(at_us)
        agents = prices.agent_hour * self.load(at_us) * calls.handled_h[known]
        called = prices.attempt + prices.call_minute * calls.minutes[known] + agents
        said, paid = np.full(heard.sum(), prices.complaint), self.paid[counts]
        return Money(
            row=np.concatenate([calls.row[known], self.complaint_row[heard], self.paid_row[counts]]),
            at_us=np.concatenate([calls.at_us[known], self.complaint_us[heard], self.paid_us[counts]]),
            collected=np.concatenate([np.zeros(len(called) + len(said)), paid]),
            cost=np.concatenate([called, said, np.zeros(len(paid))]),
        )

    def _heard(self, at_us: int) -> Flags:
        """Return which complaints count at an instant."""
        since = self.complaint_us >= self.entered_us[self.complaint_row]
        return since & (self.complaint_us < at_us) & (self.complaint_known_us <= at_us)

    def _counts(self, at_us: int) -> Flags:
        """Return which payments count at an instant: of after the payer came in, and known by then."""
        since = self.paid_us >= self.entered_us[self.paid_row]
        return since & (self.paid_us < at_us) & (self.paid_known_us <= at_us)


def read_units(
    connection: Connection,
    campaign: str,
    arms: Sequence[str],
    from_us: int,
    to_us: int,
    zone: str,
    prices: Prices,
    groups: Sequence[str] = (),
) -> Units:
    """Return the units of a trial that began at an instant, as known at another.

    Parameters
    ----------
    arms : sequence of str
        In the order of the document.
    groups : sequence of str
        Fields of a person that tell groups apart; nothing is compared by them but how often they are called.
    """
    d = decision.c
    of_trial = (d.campaign == campaign, d.decided_us >= from_us, d.decided_us < to_us, d.known_us <= to_us)
    first: dict[int, tuple[int, int]] = {}
    versions: dict[str, set[int]] = {}
    lists: dict[int, tuple[int, int]] = {}
    moved: set[int] = set()
    place = {name: number for number, name in enumerate(arms)} | {HOLDOUT: -1}
    query = select(d.plan, d.person, d.arm, d.strategy, d.decided_us).where(*of_trial).order_by(d.plan, d.person)
    for plan, person, arm, strategy, decided_us in streamed(connection, query):
        versions.setdefault(strategy, set()).add(plan)
        where = place.get(arm, -2)
        known = first.setdefault(person, (where, decided_us))
        if known[0] != where:
            moved.add(person)
        if where >= 0 or plan not in lists:
            lists[plan] = (decided_us, where)
    people = np.array(sorted(one for one, (arm, _) in first.items() if arm > -2), np.int64)
    told = [first[one] for one in people.tolist()]
    in_order = sorted(lists.values())
    row = _rows(people)
    signed_in, handled = _agents(connection, from_us, to_us, zone)
    paid = _paid(connection, row, from_us, to_us, prices)
    stops = _stops(connection, row, from_us, to_us)
    said = _complaints(connection, row, from_us, to_us)
    kept = _kept(connection, row, campaign, from_us, to_us, zone)
    return Units(
        person=people,
        arm=np.array([arm for arm, _ in told], np.int64),
        entered_us=np.array([at_us for _, at_us in told], np.int64),
        covariates=_before(connection, row, people, from_us, prices),
        list_us=np.array([at_us for at_us, _ in in_order], np.int64),
        list_arm=np.array([arm for _, arm in in_order], np.int64),
        calls=_calls(connection, row, campaign, from_us, to_us),
        paid_row=paid[0],
        paid_us=paid[1],
        paid_known_us=paid[2],
        paid=paid[3],
        stop_row=stops[0],
        stop_us=stops[1],
        stop_dispute=stops[2].astype(bool),
        complaint_row=said[0],
        complaint_us=said[1],
        complaint_known_us=said[2],
        kept_row=kept[0],
        kept_made_us=kept[1],
        kept_us=kept[2],
        signed_in=signed_in,
        handled=handled,
        prices=prices,
        versions={name: len(plans) for name, plans in sorted(versions.items())},
        moved=len(moved),
        groups=_groups(connection, row, len(people), groups),
    )


Rows = Callable[[int], int | None]


def _rows(people: I8) -> Rows:
    """Return what finds the row of a person; None: not in the trial."""
    found = {person: number for number, person in enumerate(people.tolist())}
    return found.get


def _sums(row: I8, weights: F8 | None, n: int) -> F8:
    return np.bincount(row, weights, n).astype(np.float64)


def _table(rows: Sequence[tuple[Any, ...]], *kinds: Any) -> list[Any]:
    return [np.array([one[n] for one in rows], kind) for n, kind in enumerate(kinds)]


def _groups(connection: Connection, row: Rows, n: int, fields: Sequence[str]) -> dict[str, NDArray[np.str_]]:
    if not fields:
        return {}
    found = {field: np.full(n, "", object) for field in fields}
    query = select(person_table.c.id, *(person_table.c[field] for field in fields))
    for one, *words in streamed(connection, query):
        if (here := row(one)) is not None:
            for field, word in zip(fields, words, strict=True):
                found[field][here] = word or ""
    return {field: words.astype(str) for field, words in found.items()}


def _calls(connection: Connection, row: Rows, campaign: str, from_us: int, to_us: int) -> Calls:
    query = (
        select(
            attempt.c.person, attempt.c.reserved_us, attempt.c.answer_class, attempt.c.wait_us, outcome.c.disposition,
            outcome.c.talk_us, outcome.c.wrap_us,
        )
        .select_from(attempt.outerjoin(outcome, outcome.c.call_id == attempt.c.call_id))
        .where(attempt.c.campaign == campaign, attempt.c.reserved_us >= from_us, attempt.c.reserved_us < to_us)
        .order_by(attempt.c.reserved_us, attempt.c.call_id)
    )  # fmt: skip
    rows = []
    for person, at_us, answered, wait_us, disposition, talk_us, wrap_us in streamed(connection, query):
        here = row(person)
        if here is None or disposition in NEVER_DIALLED:
            continue
        talk, wait, wrap = talk_us or 0, wait_us or 0, wrap_us or 0
        person_answered = answered == AnswerClass.abandoned or (
            answered == AnswerClass.connected and disposition != Disposition.machine
        )
        rows.append(
            (
                here,
                at_us,
                (talk + wait) / 6e7,
                (talk + wrap) / 3.6e9,
                disposition in RIGHT_PARTY,
                disposition in _PROMISES,
                answered == AnswerClass.abandoned,
                person_answered,
            )
        )
    told = _table(rows, np.int64, np.int64, np.float64, np.float64, bool, bool, bool, bool)
    names = ("right_parties", "promises", "abandoned", "answered_people")
    row_, at_us_, minutes, handled_h, *flags = told
    return Calls(row_, at_us_, minutes, handled_h, dict(zip(names, flags, strict=True)))


def _agents(connection: Connection, from_us: int, to_us: int, zone: str) -> tuple[F8, F8]:
    signed_in = [
        (span.from_us, (span.to_us - span.from_us) / 3.6e9)
        for span in agent_spans(connection, None, from_us, to_us, zone)
        if span.state != AgentState.offline
    ]
    query = (
        select(attempt.c.reserved_us, func.coalesce(outcome.c.talk_us, 0) + func.coalesce(outcome.c.wrap_us, 0))
        .join(outcome, outcome.c.call_id == attempt.c.call_id)
        .where(attempt.c.reserved_us >= from_us, attempt.c.reserved_us < to_us, outcome.c.talk_us.is_not(None))
    )
    handled = [(at_us, handled_us / 3.6e9) for at_us, handled_us in connection.execute(query)]
    return tuple(np.array(one, np.float64).reshape(-1, 2) for one in (signed_in, handled))  # type: ignore[return-value]


def _paid(connection: Connection, row: Rows, from_us: int, to_us: int, prices: Prices) -> list[Any]:
    query = (
        select(debt.c.person, payment.c.event_us, payment.c.known_us, payment.c.amount_minor, payment.c.currency)
        .join(debt, debt.c.id == payment.c.debt)
        .where(payment.c.event_us >= from_us, payment.c.event_us < to_us, payment.c.known_us <= to_us)
        .order_by(payment.c.id)
    )
    rows = [
        (here, event_us, known_us, amount * prices.worth[currency])
        for person, event_us, known_us, amount, currency in streamed(connection, query)
        if (here := row(person)) is not None
    ]
    return _table(rows, np.int64, np.int64, np.int64, np.float64)


def _stops(connection: Connection, row: Rows, from_us: int, to_us: int) -> list[Any]:
    query = (
        select(stop.c.person, stop.c.known_us, stop.c.kind)
        .where(stop.c.known_us >= from_us, stop.c.known_us < to_us, stop.c.kind.not_in(_NOT_ASKED))
        .order_by(stop.c.id)
    )
    rows = [
        (here, known_us, kind == StopKind.dispute)
        for person, known_us, kind in connection.execute(query)
        if (here := row(person)) is not None
    ]
    return _table(rows, np.int64, np.int64, bool)


def _complaints(connection: Connection, row: Rows, from_us: int, to_us: int) -> list[Any]:
    past = history.c
    query = (
        select(past.person, past.event_us, past.known_us)
        .where(past.event == COMPLAINT, past.event_us >= from_us, past.event_us < to_us, past.known_us <= to_us)
        .order_by(past.id)
    )
    rows = [
        (here, event_us, known_us)
        for person, event_us, known_us in connection.execute(query)
        if (here := row(person)) is not None
    ]
    return _table(rows, np.int64, np.int64, np.int64)


def _kept(connection: Connection, row: Rows, campaign: str, from_us: int, to_us: int, zone: str) -> list[Any]:
    """Return the kept promises: row, when made, and the instant from which they are known to be kept.

    As `strategy.fields` has it: enough was paid from the day of the promise on until its day and grace are over.
    """
    query = (
        select(promise.c.person, promise.c.debt, promise.c.amount_minor, promise.c.currency, promise.c.due_on)
        .add_columns(promise.c.made_us)
        .where(promise.c.campaign == campaign, promise.c.kind == Disposition.promise, promise.c.state != "cancelled")
        .where(promise.c.made_us >= from_us, promise.c.made_us < to_us)
        .order_by(promise.c.id)
    )
    made = [one for one in streamed(connection, query) if row(one.person) is not None]
    paid: defaultdict[int, list[tuple[int, int, str, int, int]]] = defaultdict(list)
    received = (
        select(debt.c.person, payment.c.debt, payment.c.amount_minor, payment.c.currency, payment.c.event_us)
        .add_columns(payment.c.known_us)
        .join(debt, debt.c.id == payment.c.debt)
        # From the day of the first promise on: a file tells the day of a payment, not its hour.
        .where(payment.c.event_us >= from_us - DAY, payment.c.event_us < to_us, payment.c.known_us <= to_us)
    )
    for person, number, minor, currency, event_us, known_us in streamed(connection, received):
        paid[person].append((max(event_us + 1, known_us), number, currency, event_us, minor))
    rows = []
    for one in made:
        since_us = midnight_us(to_datetime(one.made_us, zone).date(), zone)
        ends_us = midnight_us(date.fromisoformat(one.due_on) + timedelta(days=GRACE_DAYS + 1), zone)
        left = KEPT_SHARE * one.amount_minor
        for kept_us, number, currency, event_us, minor in sorted(paid[one.person]):
            if one.debt in (None, number) and currency == one.currency and since_us <= event_us < ends_us:
                left -= minor
                if left <= 0:
                    rows.append((row(one.person), one.made_us, max(kept_us, one.made_us)))
                    break
    return _table(rows, np.int64, np.int64, np.int64)


def _before(connection: Connection, row: Rows, people: I8, from_us: int, prices: Prices) -> F8:
    """Return what was known of each person before the start: balance, its logarithm, payments, whether any; (n, 4)."""
    n = len(people)
    past = balance_history.c
    owed: dict[int, tuple[int, float]] = {}
    query = (
        select(debt.c.person, past.debt, past.balance_minor, past.currency)
        .join(debt, debt.c.id == past.debt)
        .where(past.known_us <= from_us)
        .order_by(past.known_us, past.id)
    )
    for person, number, minor, currency in streamed(connection, query):
        if (here := row(person)) is not None:
            owed[number] = here, minor * prices.worth[currency]
    balance = np.zeros(n)
    for here, amount in owed.values():
        balance[here] += amount
    paid = np.zeros(n)
    earlier = (
        select(debt.c.person, payment.c.amount_minor, payment.c.currency)
        .join(debt, debt.c.id == payment.c.debt)
        .where(payment.c.event_us >= from_us - _BEFORE_US, payment.c.event_us < from_us, payment.c.known_us <= from_us)
    )
    for person, minor, currency in streamed(connection, earlier):
        if (here := row(person)) is not None:
            paid[here] += minor * prices.worth[currency]
    return np.stack([balance, np.log1p(balance), np.log1p(paid), (paid > 0.0).astype(np.float64)], axis=1)


def weekdays(units: Units, zone: str) -> F8:
    """Return a column for each weekday but the first, saying which lists are of it: days are compared within it."""
    of = np.array([to_datetime(at_us, zone).weekday() for at_us in units.list_us.tolist()], np.int64)
    found: F8 = (of[:, None] == np.arange(1, 7)[None, :]).astype(np.float64)
    return found
