"""The fields that strategies may name: what each is, and its value for many debtors at once.

`Book` holds what is known of the people of a list, as the ledger and the simulator both can tell it; `columns` makes
the fields of it. There is one definition of each field, and it is here. Law kept: only what was known at the instant
counts.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain import countries
from domain.instants import DAY, MINUTE, midnight_us, to_datetime
from domain.money import EXPONENTS
from domain.people import GRACE_DAYS, KEPT_SHARE
from strategy.expressions import Field

F4 = NDArray[np.float32]
F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]
Words = NDArray[np.object_]
Columns = dict[str, NDArray[Any]]

#: Contacts older than this are not looked at, wherever they stand.
LOOK_BACK_US: Final = 31 * DAY
#: Due day of a debt without one, in days since 1970-01-01.
NO_DAY: Final = np.iinfo(np.int64).max
#: Debt of a promise about all that the call was about.
ANY_DEBT: Final = -1

#: So many promises, half of them kept, are what is thought of a debtor before any has fallen due.
_PRIOR_KEPT: Final = 2.0
_EPOCH: Final = date(1970, 1, 1)
_QUARTER: Final = 15 * MINUTE


def _days(meaning: str) -> Field:
    return Field(kind="number", unit="days", meaning=meaning)


def _count(meaning: str) -> Field:
    return Field(kind="number", unit="", meaning=meaning)


def _score(meaning: str, unit: str = "probability") -> Field:
    return Field(kind="number", unit=unit, meaning=meaning)


#: What a model says of a debtor; without a value until one has scored him.
SCORES: Final = {
    "p_reach": _score("that somebody answers a call today"),
    "p_right": _score("that a call today reaches the debtor in person"),
    "p_promise": _score("that a call brings a promise or a plan"),
    "p_pay": _score("that something is paid within the model's horizon"),
    "p_pay_uplift": _score("how much likelier a payment becomes by one more contact"),
    "value_call": _score("what one more call brings, less what it costs", "minor units"),
    "value_contact": _score("what a conversation with the debtor adds to what is paid", "minor units"),
    "p_self_cure": _score("that all is paid within the model's horizon, nobody calling"),
}
#: Everything that conditions may name. Money is in minor units of `currency`: write 200_00 for 200.00.
FIELDS: Final[Mapping[str, Field]] = {
    "days_past_due": _days("since the oldest worked debt was due; below 0 before it is; none without a due date"),
    "balance": Field(kind="number", unit="minor units", meaning="owed on the worked debts in `currency`"),
    "balance_share": Field(
        kind="number", unit="share", meaning="of the list's people of a currency, those who owe less in it"
    ),
    "currency": Field(kind="word", meaning="of the first worked debt, ISO 4217: EUR", words=tuple(sorted(EXPONENTS))),
    "debts": _count("debts that the campaign works"),
    "product": Field(kind="word", meaning="of the largest worked debt; none where the files name none"),
    "country": Field(
        kind="word",
        meaning="of the debtor, ISO 3166: ES",
        words=tuple(sorted(countries.CODES)),
        names=countries.NAMES,
    ),
    "n_phones": _count("numbers that may still be right"),
    "calls_7d": _count("calls dialled in the last 7 days"),
    "calls_30d": _count("calls dialled in the last 30 days"),
    "contacts_30d": _count("conversations with the debtor in person in the last 30 days"),
    "days_since_call": _days("since the last call was dialled; none within 30 days: none"),
    "days_since_contact": _days("since the debtor was last spoken to in person; none within 30 days: none"),
    "promises_open": _count("promises not paid yet whose day and grace are not over"),
    "promises_kept": _count("promises of which at least 90 % was paid in time"),
    "promises_broken": _count("promises whose day and grace ended unpaid"),
    "plans_open": _count("plans of instalments whose last day and grace are not over"),
    "promise_due_in": _days("until the next open promise is due; below 0 within its grace; none: none open"),
    "days_since_broken": _days("since the last promise was broken; none: none was"),
    "days_since_payment": _days("since the last payment; none: none on record"),
    **SCORES,
}


class Debts(NamedTuple):
    """Open debts that the campaign works, ascending by row and id; shape (d,)."""

    row: I8
    debt: I8
    balance_minor: I8
    currency: Words
    #: Days since 1970-01-01, or `NO_DAY`.
    due_day: I8
    #: "": none.
    product: Words


class Contacts(NamedTuple):
    """Calls of ours to the person, each once; shape (c,)."""

    row: I8
    at_us: I8
    #: The debtor was spoken to in person.
    right_party: Flags


class Promises(NamedTuple):
    """Promises and plans; shape (p,)."""

    row: I8
    #: Or `ANY_DEBT`.
    debt: I8
    amount_minor: I8
    currency: Words
    #: Of a plan, its first.
    due_day: I8
    made_us: I8
    #: 0: a promise of one payment.
    instalments: I8


class Payments(NamedTuple):
    """Payments known by now, on whatever debt; shape (q,)."""

    row: I8
    debt: I8
    amount_minor: I8
    currency: Words
    event_us: I8


class Book(NamedTuple):
    """What is known of a list's people; rows are places in `person`."""

    #: Ids, ascending, shape (n,).
    person: I8
    country: Words
    #: Numbers that are neither withdrawn nor known to be wrong or dead.
    n_phones: I8
    debts: Debts
    contacts: Contacts
    promises: Promises
    payments: Payments


class Numbers(NamedTuple):
    """What models say of some people's numbers in each hour of the floor's week; NaN: nothing."""

    #: Ids, ascending, shape (p,); a person's numbers in any order.
    person: I8
    phone: I8
    #: Chances that somebody answers, and that the debtor himself does, shape (p, `domain.forecasts.WEEK`).
    p_answered: F4
    p_right: F4
    #: Chance that a machine answers where no person does, shape (p,).
    p_machine: F4


class Scores(NamedTuple):
    """What a model says of some people."""

    #: Ids, ascending, shape (k,).
    person: I8
    #: By name of `SCORES`, shape (k,) each; NaN: none.
    values: Mapping[str, F8]
    #: Which model said it.
    version: str
    #: Returns what is said of the numbers of people, ids ascending; None: of numbers nothing is said.
    numbers: Callable[[Sequence[int]], Numbers] | None = None


def columns(book: Book, at_us: int, zone: str, scores: Scores | None = None) -> Columns:
    """Return every field of everybody at an instant.

    Parameters
    ----------
    zone : str
        IANA zone of the floor: days are those of its calendar.

    Returns
    -------
    dict of (n,) arrays
        By the names of `FIELDS`; numbers with NaN for none, words with None.
    """
    n = len(book.person)
    today = _day(to_datetime(at_us, zone).date())
    found: Columns = {"country": book.country, "n_phones": book.n_phones.astype(np.float64)}
    found |= _owed(book.debts, n, today)
    found |= _contacted(book.contacts, n, at_us, today, zone)
    found |= _promised(book.promises, book.payments, n, at_us, today, zone)
    paid_us = _latest(book.payments.row, book.payments.event_us, n)
    found["days_since_payment"] = today - _local_days(paid_us, zone)
    for name in SCORES:
        found[name] = np.full(n, np.nan)
    if scores is not None and len(scores.person):
        place = np.minimum(np.searchsorted(scores.person, book.person), len(scores.person) - 1)
        known = scores.person[place] == book.person
        for name, values in scores.values.items():
            found[name][known] = values[place[known]]
    return found


def kept_per_contact(found: Columns) -> F8:
    """Return how many kept promises a conversation brings, (n,); NaN: no model tells it.

    A call brings a promise through a conversation alone. How many of a debtor's promises are kept is shrunk to a half,
    as models' features have it.
    """
    kept, over = found["promises_kept"], found["promises_kept"] + found["promises_broken"]
    p_right = np.where(found["p_right"] > 0.0, found["p_right"], np.nan)
    promised = np.minimum(1.0, found["p_promise"] / p_right)
    share: F8 = promised * (kept + 0.5 * _PRIOR_KEPT) / (over + _PRIOR_KEPT)
    return share


def day_number(day: str | None) -> int:
    """Return an ISO day in days since 1970-01-01; `NO_DAY` for None."""
    return NO_DAY if day is None else _day(date.fromisoformat(day))


def _day(day: date) -> int:
    return (day - _EPOCH).days


def _owed(debts: Debts, n: int, today: int) -> Columns:
    # The first debt of each row: rows ascend.
    first = np.searchsorted(debts.row, np.arange(n))
    currency = debts.currency[first]
    same = debts.currency == currency[debts.row]
    balance = np.bincount(debts.row[same], debts.balance_minor[same], n)
    due = np.full(n, NO_DAY)
    np.minimum.at(due, debts.row, debts.due_day)
    largest = np.lexsort((debts.debt, -debts.balance_minor, debts.row))
    product = debts.product[largest][first]
    product[product == ""] = None
    return {
        "days_past_due": np.where(due == NO_DAY, np.nan, today - due.astype(np.float64)),
        "balance": balance,
        "balance_share": _shares(debts, n),
        "currency": currency,
        "debts": np.bincount(debts.row, minlength=n).astype(np.float64),
        "product": product,
    }


def _shares(debts: Debts, n: int) -> F8:
    """Return where each stands among those who owe in a currency; money of two currencies has no order."""
    found = np.zeros(n)
    for currency in sorted(set(debts.currency.tolist())):
        of = debts.currency == currency
        rows, place = np.unique(debts.row[of], return_inverse=True)
        owed = np.bincount(place, debts.balance_minor[of])
        less = np.searchsorted(np.sort(owed), owed)
        found[rows] = np.maximum(found[rows], less / max(1, len(rows) - 1))
    return found


def _contacted(contacts: Contacts, n: int, at_us: int, today: int, zone: str) -> Columns:
    row, when = contacts.row, contacts.at_us
    month = when > at_us - 30 * DAY
    spoken = month & contacts.right_party

    def count(of: Flags) -> F8:
        return np.bincount(row[of], minlength=n).astype(np.float64)

    return {
        "calls_7d": count(when > at_us - 7 * DAY),
        "calls_30d": count(month),
        "contacts_30d": count(spoken),
        "days_since_call": today - _local_days(_latest(row[month], when[month], n), zone),
        "days_since_contact": today - _local_days(_latest(row[spoken], when[spoken], n), zone),
    }


def _promised(promises: Promises, payments: Payments, n: int, at_us: int, today: int, zone: str) -> Columns:
    plan = promises.instalments > 0
    # Instalments are due month by month; which were paid is not looked at.
    last_day = promises.due_day[plan] + 31 * (promises.instalments[plan] - 1)
    plans = promises.row[plan][at_us < _midnights(last_day + GRACE_DAYS + 1, zone)]
    promises = Promises._make([column[~plan] for column in promises])
    row = promises.row
    over_day = promises.due_day + GRACE_DAYS + 1
    ends_us = _midnights(over_day, zone)
    # A file tells the day of a payment, not its hour.
    since_us = _midnights(_local_days(promises.made_us.astype(np.float64), zone).astype(np.int64), zone)
    received = _received(promises, payments, since_us, ends_us)
    kept = received >= KEPT_SHARE * promises.amount_minor
    still = ~kept & (at_us < ends_us)
    broken = ~kept & ~still
    return {
        "plans_open": np.bincount(plans, minlength=n).astype(np.float64),
        "promises_open": np.bincount(row[still], minlength=n).astype(np.float64),
        "promises_kept": np.bincount(row[kept], minlength=n).astype(np.float64),
        "promises_broken": np.bincount(row[broken], minlength=n).astype(np.float64),
        "promise_due_in": -_latest(row[still], -promises.due_day[still], n) - today,
        "days_since_broken": today - _latest(row[broken], over_day[broken], n),
    }


def _received(promises: Promises, payments: Payments, since_us: I8, ends_us: I8) -> F8:
    """Return what was paid on each promise in time."""
    order = np.argsort(payments.row, kind="stable")
    rows = payments.row[order]
    first, last = np.searchsorted(rows, promises.row), np.searchsorted(rows, promises.row, "right")
    many = last - first
    of = np.repeat(np.arange(len(many)), many)
    paid = order[np.arange(many.sum()) - np.repeat(many.cumsum() - many, many) + first[of]]
    counts = (
        ((promises.debt[of] == ANY_DEBT) | (promises.debt[of] == payments.debt[paid]))
        & (promises.currency[of] == payments.currency[paid])
        & (payments.event_us[paid] >= since_us[of])
        & (payments.event_us[paid] < ends_us[of])
    )
    return np.bincount(of[counts], payments.amount_minor[paid][counts], len(many)).astype(np.float64)


def _latest(row: I8, value: I8, n: int) -> F8:
    """Return the greatest value of each row, NaN where it has none."""
    found = np.full(n, -np.inf)
    np.maximum.at(found, row, value.astype(np.float64))
    return np.where(np.isinf(found), np.nan, found)


def _local_days(at_us: F8, zone: str) -> F8:
    """Return the calendar days of instants in days since 1970-01-01; NaN stays."""
    found = np.full(len(at_us), np.nan)
    known = ~np.isnan(at_us)
    quarters, place = np.unique((at_us[known] // _QUARTER).astype(np.int64), return_inverse=True)
    days = [_day(to_datetime(quarter * _QUARTER, zone).date()) for quarter in quarters.tolist()]
    found[known] = np.array(days, np.float64)[place] if days else 0.0
    return found


def _midnights(days: I8, zone: str) -> I8:
    """Return the instants at which days begin."""
    each, place = np.unique(days, return_inverse=True)
    begins = [midnight_us(_EPOCH + timedelta(days=day), zone) for day in each.tolist()]
    return np.array(begins, np.int64)[place]
