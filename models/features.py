"""What was known of a person and a number before an instant, as numbers: one function for training and for serving.

`features(history, as_of)` takes one instant, and gives a row for every number on record; or `Asked`, an instant for
each row, and gives what serving would have given then. `models.feature_list` tells what each column is. Law: nothing
known at or after a row's instant reaches it (tests/property/test_features.py).
"""

from collections import namedtuple
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from domain.instants import DAY
from models import feature_kernel as kernel
from models import history_kernel as kinds
from models.feature_kernel import Asked, Usual
from models.feature_list import INDEX, NAMES
from models.history import ENDS, LINE_TYPES, History

I8 = NDArray[np.int64]
F8 = NDArray[np.float64]
F4 = NDArray[np.float32]

#: The fixed words of each category; a value is a place here.
CATEGORIES: Final = {"line_type": LINE_TYPES, "last_end": ENDS}

_AT: Any = namedtuple("_AT", NAMES)(*range(len(NAMES)))
#: Rows that one thread takes at a time.
_ROWS: Final = 50_000
#: Calls that stand for what is known before any: this share of them was answered, of those this share by the debtor.
_CALLS_BEFORE, _ANSWERED_BEFORE, _RIGHT_BEFORE = 50.0, 0.15, 0.8
#: Calls as many as which an hour leans on all hours, a kind of number on the hour.
_LEAN: Final = 200.0
_DEBTS_BEFORE: Final = 10.0
_DEBT_BEFORE: Final = 50_000.0


@dataclass(slots=True, frozen=True)
class Features:
    """Features of rows, in the order asked."""

    #: Ids; phone -1: no number.
    person: I8
    phone: I8
    as_of_us: I8
    #: When the contact is to be made.
    at_us: I8
    #: (rows, len(NAMES)) float32; NaN: empty.
    values: F4

    def column(self, name: str) -> F4:
        """Return one feature, (rows,)."""
        return self.values[:, INDEX[name]]

    def table(self) -> Any:
        """Return them as an Arrow table, the ids and instants before the features."""
        import pyarrow

        pa: Any = pyarrow
        keys = {name: getattr(self, name) for name in ("person", "phone", "as_of_us", "at_us")}
        return pa.table(keys | {name: self.values[:, n] for n, name in enumerate(NAMES)})


def features(history: History, as_of: int | Asked, usual: Usual | None = None, *, threads: int = 1) -> Features:
    """Return what was known before an instant, or before each row's own.

    Parameters
    ----------
    as_of : int or Asked
        An instant (µs UTC): a row for every number of everybody, and one for who has none, with the contact at that
        instant. Rows of `Asked` come back in their order.
    usual : Usual, optional
        What is usual, where the history is a part of a portfolio: `usual_of` its whole, or joined from `tallies`.

    Returns
    -------
    Features
        Equal for equal history before the instants, whatever came after, in whatever company a row is asked for.
    """
    asked = everybody(history, as_of) if isinstance(as_of, int) else as_of
    if usual is None:
        usual = usual_of([tallies(history)])
    order = np.argsort(asked.row, kind="stable") if (np.diff(asked.row) < 0).any() else None
    sorted_ = asked if order is None else Asked(*(column[order] for column in asked))
    values = np.full((len(asked.row), len(NAMES)), np.nan, np.float32)
    most = np.array([_most(history.numbers.first), _most(history.debts.first)], np.int64)

    def some(first: int) -> None:
        part = Asked(*(column[first : first + _ROWS] for column in sorted_))
        kernel.fill(
            part, history.lines, history.numbers, history.debts, history.clock, history.clocks, usual, _AT, most,
            values[first : first + _ROWS],
        )  # fmt: skip

    _spread(some, len(asked.row), threads)
    if order is not None:
        back = np.empty_like(values)
        back[order] = values
        values = back
    return Features(history.person[asked.row], _phones(history, asked), asked.as_of_us, asked.at_us, values)


def own_hours(history: History, as_of: int | Asked, usual: Usual | None = None, *, threads: int = 1) -> F4:
    """Return `hour_tries` and `hour_lift` for every local hour, on weekdays and at weekends.

    Returns
    -------
    (rows, 48, 2) float32
        By local hour, and 24 more at the weekend; for the slots of `models.slots`.
    """
    asked = everybody(history, as_of) if isinstance(as_of, int) else as_of
    if usual is None:
        usual = usual_of([tallies(history)])
    out = np.empty((len(asked.row), kernel.CELLS, 2), np.float32)

    def some(first: int) -> None:
        part = Asked(*(column[first : first + _ROWS] for column in asked))
        kernel.own(part, history.lines, history.numbers, usual, out[first : first + _ROWS])

    _spread(some, len(asked.row), threads)
    return out


def everybody(history: History, as_of_us: int, *, numbers: int | None = None) -> Asked:
    """Ask for every number of everybody at one instant, people without a number once.

    Parameters
    ----------
    numbers : int, optional
        At most so many of each person, in the order of trial.
    """
    counts = np.diff(history.numbers.first)
    if numbers is not None:
        counts = np.minimum(counts, numbers)
    rows = np.repeat(np.arange(len(counts)), np.maximum(counts, 1))
    starts = np.concatenate(([0], np.cumsum(np.maximum(counts, 1))[:-1]))
    number = np.arange(len(rows)) - starts[rows]
    number[counts[rows] == 0] = -1
    at_us = np.full(len(rows), as_of_us, np.int64)
    return Asked(rows.astype(np.int64), number.astype(np.int64), at_us, at_us)


def ask(history: History, *, person: I8, phone: I8 | None, as_of_us: I8, at_us: I8 | None = None) -> Asked:
    """Ask for rows by ids; who is asked about without a phone has no features of a number.

    Raises
    ------
    BadInput
        When a person is not among the debtors, a number is none of theirs, or a contact lies before its `as_of_us`.
    """
    row = history.rows_of(person)
    number = np.full(len(row), -1, np.int64)
    if phone is not None:
        for nth in range(_most(history.numbers.first)):
            k = history.numbers.first[row] + nth
            there = k < history.numbers.first[row + 1]
            same = there & (history.numbers.id[np.where(there, k, 0)] == phone) & (number < 0)
            number[same] = nth
        if (number < 0).any():
            one = int(np.flatnonzero(number < 0)[0])
            raise BadInput(
                f"phone {int(phone[one])} is not among the numbers of person {int(person[one])}; export the ledger anew"
            )
    at_us = as_of_us if at_us is None else at_us
    if (at_us < as_of_us).any():
        one = int(np.flatnonzero(at_us < as_of_us)[0])
        raise BadInput(
            f"row {one}: the contact at {int(at_us[one])} lies before {int(as_of_us[one])}, as of when it is judged"
        )
    return Asked(row, number, as_of_us.astype(np.int64), at_us.astype(np.int64))


# ---- what is usual


@dataclass(slots=True, frozen=True)
class Tallies:
    """Counts of a part of a portfolio by the day (UTC) on which they were learned; those of parts may be joined."""

    first_day: int
    #: (days, kinds of number, cells): calls that could reach somebody, and those that a person answered.
    calls: F8
    answered: F8
    #: (days, kinds of number): answered by anybody, by the debtor.
    people: F8
    right: F8
    #: By currency, (days, 2): debts that came, and the sum of the logarithms of their minor units.
    debts: dict[str, F8]


def tallies(history: History) -> Tallies:
    """Count what `usual_of` learns from."""
    lines = history.lines
    n = len(lines.kind)
    person_of = np.repeat(np.arange(len(history.person)), np.diff(lines.first))
    days = lines.known_us // DAY
    first_day = int(days.min()) if n else 0
    n_days = int(days.max()) - first_day + 1 if n else 1
    ended = (lines.kind >= kinds.FAILED) & (lines.kind <= kinds.RIGHT)
    place = history.numbers.first[person_of[ended]] + lines.number[ended]
    line_type = np.where(lines.number[ended] >= 0, np.append(history.numbers.line_type, 0)[place], 0).astype(np.int64)
    kind, day, cell = lines.kind[ended], days[ended] - first_day, lines.cell[ended]
    reachable = ~np.isin(kind, (kinds.FAILED, kinds.DEAD, kinds.WRONG))
    person = kind >= kinds.ABANDONED
    shape = (n_days, len(LINE_TYPES), kernel.CELLS)
    at = (day * shape[1] + line_type) * shape[2] + cell

    def count(which: NDArray[np.bool_]) -> F8:
        return np.bincount(at[which], minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)

    debts: dict[str, F8] = {}
    came = (lines.kind == kinds.BALANCE) & (lines.debt >= 0) & (lines.amount > 0)
    currency = history.debts.currency[history.debts.first[person_of[came]] + lines.debt[came]]
    for code, name in enumerate(history.currencies):
        of = currency == code
        day_of = days[came][of] - first_day
        debts[name] = np.stack(
            (
                np.bincount(day_of, minlength=n_days).astype(np.float64),
                np.bincount(day_of, np.log(lines.amount[came][of]), n_days),
            ),
            axis=1,
        )
    return Tallies(
        first_day=first_day,
        calls=count(reachable),
        answered=count(reachable & person),
        people=count(person).sum(axis=2),
        right=count(kind == kinds.RIGHT).sum(axis=2),
        debts=debts,
    )


def usual_of(parts: Sequence[Tallies], currencies: Sequence[str] | None = None) -> Usual:
    """Return what is usual by day, shrunk: a kind of number to the hour, the hour to all calls.

    Parameters
    ----------
    currencies : sequence of str, optional
        Those of the history that it is for, in their order; without them those of the only part.
    """
    first_day = min(one.first_day for one in parts)
    n_days = max(one.first_day + len(one.calls) for one in parts) - first_day + 1
    names = tuple(currencies) if currencies is not None else tuple(parts[0].debts)

    def before(get: Any) -> F8:
        """Return sums over the parts and over all days before each."""
        total: F8 | None = None
        for one in parts:
            counts = get(one)
            if total is None:
                total = np.zeros((n_days, *counts.shape[1:]))
            start = one.first_day - first_day + 1
            total[start : start + len(counts)] += counts
        assert total is not None
        return np.cumsum(total, axis=0)

    calls, answered = before(lambda one: one.calls), before(lambda one: one.answered)
    people, right = before(lambda one: one.people), before(lambda one: one.right)
    overall = (answered.sum(axis=(1, 2)) + _CALLS_BEFORE * _ANSWERED_BEFORE) / (calls.sum(axis=(1, 2)) + _CALLS_BEFORE)
    by_cell = (answered.sum(axis=1) + _LEAN * overall[:, None]) / (calls.sum(axis=1) + _LEAN)
    of_type = (answered.sum(axis=2) + _LEAN * overall[:, None]) / (calls.sum(axis=2) + _LEAN) / overall[:, None]
    leaning = np.minimum(by_cell[:, None, :] * of_type[:, :, None], 0.95)
    by_type = (answered + _LEAN * leaning) / (calls + _LEAN)
    all_right = (right.sum(axis=1) + _CALLS_BEFORE * _RIGHT_BEFORE) / (people.sum(axis=1) + _CALLS_BEFORE)
    debt = np.empty((n_days, max(len(names), 1)))
    debt[:] = _DEBT_BEFORE
    for code, name in enumerate(names):
        empty = np.zeros((1, 2))
        counts = before(lambda one, name=name, empty=empty: one.debts.get(name, empty))
        debt[:, code] = np.exp((counts[:, 1] + _DEBTS_BEFORE * np.log(_DEBT_BEFORE)) / (counts[:, 0] + _DEBTS_BEFORE))
    return Usual(
        first_day=first_day,
        answered=by_type.astype(np.float32),
        right=((right + _LEAN * all_right[:, None]) / (people + _LEAN)).astype(np.float32),
        debt=debt,
    )


# ---- small things


def _spread(work: Any, n: int, threads: int) -> None:
    firsts = range(0, n, _ROWS)
    if threads <= 1:
        for first in firsts:
            work(first)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, firsts))


def _most(first: I8) -> int:
    return int(np.diff(first).max()) if len(first) > 1 else 0


def _phones(history: History, asked: Asked) -> I8:
    if len(history.numbers.id) == 0:
        return np.full(len(asked.row), -1, np.int64)
    place = np.where(asked.number >= 0, history.numbers.first[asked.row] + asked.number, 0)
    return np.where(asked.number >= 0, history.numbers.id[place], -1)
