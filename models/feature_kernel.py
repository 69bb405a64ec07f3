"""What `models.features` computes row by row, compiled; lines, numbers, debts and clocks are those of `models.history`.

Law: of a person's lines only those with `known_us` before the row's instant are looked at, and of the usual rates only
those of its day, which rest on earlier days. Feature places come as data (`at`): a compiled function would keep them.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from domain.instants import DAY, HOUR
from domain.people import GRACE_DAYS, KEPT_SHARE
from models.export import NO_DAY
from models.history_kernel import (
    ABANDONED,
    BALANCE,
    BUSY,
    CALL_BACK,
    DEAD,
    DIALED,
    DISPUTE,
    FAILED,
    INBOUND,
    MACHINE,
    MESSAGE,
    NO_ANSWER,
    NOT_DIALLED,
    NUMBER_STOP,
    PAYMENT,
    PLAN,
    PROMISE,
    REJECTED,
    RIGHT,
    WITHDRAWN,
    WRONG,
    offset_of,
    weekday_of,
)

I8 = NDArray[np.int64]
F8 = NDArray[np.float64]
F4 = NDArray[np.float32]

#: Hours of a day, on weekdays and at weekends.
CELLS: Final = 48
#: Calls at one hour beyond which they count no further.
MOST_TRIES: Final = 15
#: Answers that are added to those found and to those expected.
_PRIOR = 1.0
#: Of people: a half of promises kept, of numbers: the usual share of debtors among who answers.
_PRIOR_KEPT = 2.0
_PRIOR_RIGHT = 2.0
#: How much calls count that are so many hours away, and on the other kind of day.
_NEAR = (1.0, 0.6, 0.3)
_OTHER_KIND = 0.5


class Asked(NamedTuple):
    """Rows wanted; columns of one length."""

    #: Place of the person.
    row: I8
    #: Place of the number among the person's; -1: none.
    number: I8
    #: What was known before this instant.
    as_of_us: I8
    #: When the contact is to be made.
    at_us: I8


class Usual(NamedTuple):
    """What is usual, as it was known before each day (UTC) from `first_day` on; days outside stand for the nearest."""

    first_day: int
    #: Share of calls that a person answered: (day, kind of number, cell).
    answered: F4
    #: Share of debtors among who answered: (day, kind of number).
    right: F4
    #: Minor units of a usual debt: (day, currency).
    debt: F8


@njit(cache=True, nogil=True)
def _lift(found: float, expected: float) -> float:
    return math.log((found + _PRIOR) / (expected + _PRIOR))


@njit(cache=True, nogil=True)
def _month_day(day: int) -> int:
    """Return the day of the month of days since 1970-01-01 (proleptic Gregorian)."""
    z = day + 719468
    of_era = z - z // 146097 * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    return of_year - (153 * month + 2) // 5 + 1


@njit(cache=True, nogil=True)
def _known_until(lines: Any, i: int, as_of_us: int) -> int:
    """Return the place after a person's last line known before an instant."""
    low, high = lines.first[i], lines.first[i + 1]
    while low < high:
        middle = (low + high) // 2
        if lines.known_us[middle] < as_of_us:
            low = middle + 1
        else:
            high = middle
    return low  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def _tell(
    found: F8, expected: F8, tries: I8, lines: Any, numbers: Any, answered: Any, i: int, m: int, end: int
) -> None:
    """Count a person's answers and those expected by cell, and the calls of one number by hour."""
    found[:] = 0.0
    expected[:] = 0.0
    tries[:] = 0
    for e in range(lines.first[i], end):
        kind = lines.kind[e]
        if kind < FAILED or kind > RIGHT:
            continue
        cell = lines.cell[e]
        k = lines.number[e]
        if k >= 0 and k == m:
            tries[cell % 24] += 1
        if kind in (FAILED, DEAD, WRONG):
            continue
        line_type = numbers.line_type[numbers.first[i] + k] if k >= 0 else 0
        expected[cell] += answered[line_type, cell]
        if kind >= ABANDONED:
            found[cell] += 1.0


@njit(cache=True, nogil=True)
def _hour_lift(found: F8, expected: F8, cell: int) -> float:
    hour, kind = cell % 24, cell // 24
    a, b = 0.0, 0.0
    for away in range(-2, 3):
        if 0 <= hour + away < 24:
            w = _NEAR[abs(away)]
            same, other = 24 * kind + hour + away, 24 * (1 - kind) + hour + away
            a += w * (found[same] + _OTHER_KIND * found[other])
            b += w * (expected[same] + _OTHER_KIND * expected[other])
    return _lift(a, b)


@njit(cache=True, nogil=True)
def _span_lift(found: F8, expected: F8, first: int, last: int) -> float:
    return _lift(found[first:last].sum(), expected[first:last].sum())


@njit(cache=True, nogil=True)
def _days(as_of_us: int, since_us: int) -> float:
    if since_us < 0:
        return np.nan
    return max(0.0, (as_of_us - since_us) / DAY)


@njit(cache=True, nogil=True)
def _of_day(usual: Any, as_of_us: int) -> int:
    """Return the place of the day of an instant among the days of `usual`."""
    last: int = usual.answered.shape[0] - 1
    return int(min(max(as_of_us // DAY - usual.first_day, 0), last))


@njit(cache=True, nogil=True)
def own(asked: Any, lines: Any, numbers: Any, usual: Any, out: F4) -> None:
    """Fill `hour_tries` and `hour_lift` for every cell: (rows, CELLS, 2)."""
    found, expected, tries = np.zeros(CELLS), np.zeros(CELLS), np.zeros(24, np.int64)
    for r in range(len(asked.row)):
        i = asked.row[r]
        end = _known_until(lines, i, asked.as_of_us[r])
        answered = usual.answered[_of_day(usual, asked.as_of_us[r])]
        _tell(found, expected, tries, lines, numbers, answered, i, asked.number[r], end)
        for cell in range(CELLS):
            out[r, cell, 0] = min(tries[cell % 24], MOST_TRIES)
            out[r, cell, 1] = _hour_lift(found, expected, cell)


@njit(cache=True, nogil=True)
def _received(lines: Any, i: int, end: int, p: int, offset: int) -> float:
    """Return what was paid on a promise by its day and the grace after it, as far as it is known."""
    # A file tells the day of a payment, not its hour.
    since_us = (lines.event_us[p] + offset) // DAY * DAY - offset
    until_us = (lines.due_day[p] + GRACE_DAYS + 1) * DAY - offset
    total = 0.0
    for e in range(lines.first[i], end):
        if lines.kind[e] == PAYMENT and since_us <= lines.event_us[e] < until_us:
            total += lines.amount[e]
    return total


@njit(cache=True, nogil=True)
def settled(asked: Any, end_us: I8, lines: Any, debts: Any, out: F8) -> None:
    """Say of each row whether all that was known to be owed is paid by an instant: 1 or 0; NaN: nothing was owed.

    What was paid before the row and told after it counts: of that nothing was left to be paid.
    """
    for r in range(len(asked.row)):
        i = asked.row[r]
        left = np.zeros(debts.first[i + 1] - debts.first[i])
        end = _known_until(lines, i, asked.as_of_us[r])
        for e in range(lines.first[i], end):
            d = lines.debt[e]
            amount = lines.amount[e] if lines.amount[e] == lines.amount[e] else 0.0
            if d < 0:
                continue
            if lines.kind[e] == PAYMENT:
                left[d] = max(0.0, left[d] - amount)
            elif lines.kind[e] == BALANCE:
                left[d] = amount
            elif lines.kind[e] == WITHDRAWN:
                left[d] = 0.0
        if not (left > 0.0).any():
            out[r] = np.nan
            continue
        for e in range(end, lines.first[i + 1]):
            d = lines.debt[e]
            paid = d >= 0 and lines.kind[e] == PAYMENT and lines.event_us[e] <= end_us[r]
            if paid and lines.amount[e] == lines.amount[e]:
                left[d] -= lines.amount[e]
        out[r] = 0.0 if (left > 0.0).any() else 1.0


@njit(cache=True, nogil=True)
def fill(
    asked: Any, lines: Any, numbers: Any, debts: Any, clock: Any, clocks: Any, usual: Any, at: Any, most: Any, out: F4
) -> None:
    """Fill the features of rows.

    Parameters
    ----------
    at : namedtuple of int
        Place of each feature, by its name.
    most : (2,) int
        The most numbers, and the most debts, that anybody has.
    out : (rows, features) float32
    """
    found, expected, tries = np.zeros(CELLS), np.zeros(CELLS), np.zeros(24, np.int64)
    tried = np.zeros(most[0] + 1, np.bool_)
    owed, came = np.zeros(most[1] + 1), np.zeros(most[1] + 1)
    for r in range(len(asked.row)):
        i, m, as_of_us, at_us = asked.row[r], asked.number[r], asked.as_of_us[r], asked.at_us[r]
        row = out[r]
        end = _known_until(lines, i, as_of_us)
        today = _of_day(usual, as_of_us)
        first_number, first_debt = numbers.first[i], debts.first[i]
        n_numbers, n_debts = numbers.first[i + 1] - first_number, debts.first[i + 1] - first_debt
        # What is known is told by the clock of its day, the contact by that of its own.
        offset, now = offset_of(clocks, clock[i], at_us), offset_of(clocks, clock[i], as_of_us)
        local_us = at_us + offset
        local_day = local_us // DAY
        hour, weekday = local_us % DAY // HOUR, weekday_of(local_us)
        cell = hour + (24 if weekday >= 5 else 0)

        _tell(found, expected, tries, lines, numbers, usual.answered[today], i, m, end)
        row[at.hour], row[at.weekday], row[at.month_day] = hour, weekday, _month_day(local_day)
        row[at.hour_tries] = min(tries[hour], MOST_TRIES)
        row[at.hour_lift] = _hour_lift(found, expected, cell)
        row[at.lift_morning] = _span_lift(found, expected, 0, 11)
        row[at.lift_midday] = _span_lift(found, expected, 11, 14)
        row[at.lift_afternoon] = _span_lift(found, expected, 14, 17)
        row[at.lift_evening] = _span_lift(found, expected, 17, 24)
        row[at.lift_weekend] = _span_lift(found, expected, 24, CELLS)
        row[at.person_lift] = _span_lift(found, expected, 0, CELLS)

        # ---- calls
        n_number = n_number_answers = n_number_rights = n_machines = n_unanswered = n_busy = n_rejected = n_failed = 0
        bad = streak = number_today = 0
        number_call_us = number_answer_us = -1
        number_expected = number_found = 0.0
        n_tries = n_answers = n_rights = calls_1d = calls_7d = calls_30d = calls_today = since_right = abandoned = 0
        call_us = answer_us = right_us = -1
        last_end = disputes = 0
        tried[:] = False
        # ---- words
        messages = inbound = 0
        message_us = inbound_us = call_back_us = promise_us = -1
        n_promises = n_open = n_kept = n_broken = n_plans = 0
        last_promise = -1
        # ---- money
        owed[:] = 0.0
        came[:] = -1.0
        assigned_us = -1
        n_payments = 0
        payment_us = -1
        paid_30d = paid_90d = paid = paid_since_promise = 0.0
        for e in range(lines.first[i], end):
            kind, event_us = lines.kind[e], lines.event_us[e]
            ago_us = as_of_us - event_us
            k = lines.number[e]
            this = k >= 0 and k == m
            ended = FAILED <= kind <= RIGHT
            if kind in (DIALED, NOT_DIALLED) or (ended and lines.alone[e]):
                n = -1 if kind == NOT_DIALLED else 1
                calls_1d += n if ago_us < DAY else 0
                calls_7d += n if ago_us < 7 * DAY else 0
                calls_30d += n if ago_us < 30 * DAY else 0
                since_right += n
                call_us = max(call_us, event_us) if n > 0 else call_us
                same_day = (event_us + offset) // DAY == local_day
                calls_today += n if same_day else 0
                if k >= 0:
                    tried[k] = True
                if this:
                    number_today += n if same_day else 0
                    number_call_us = max(number_call_us, event_us) if n > 0 else number_call_us
            if ended:
                n_tries += 1
                last_end = lines.end[e]
                person = kind >= ABANDONED
                if person:
                    n_answers += 1
                    answer_us = max(answer_us, event_us)
                if kind == RIGHT:
                    n_rights += 1
                    right_us = max(right_us, event_us)
                    since_right = 0
                if kind == ABANDONED and ago_us < 30 * DAY:
                    abandoned += 1
                if this:
                    n_number += 1
                    number_expected += usual.answered[today, numbers.line_type[first_number + k], lines.cell[e]]
                    n_machines += kind == MACHINE
                    n_unanswered += kind == NO_ANSWER
                    n_busy += kind == BUSY
                    n_rejected += kind == REJECTED
                    n_failed += kind == FAILED
                    n_number_rights += kind == RIGHT
                    if kind in (DEAD, WRONG):
                        bad = 1
                    streak += 1
                    if person:
                        n_number_answers += 1
                        number_found += 1.0
                        number_answer_us = max(number_answer_us, event_us)
                        streak = 0
            elif kind == MESSAGE:
                messages += ago_us < 30 * DAY
                message_us = max(message_us, event_us)
            elif kind == INBOUND:
                inbound += 1
                inbound_us = max(inbound_us, event_us)
            elif kind == CALL_BACK:
                call_back_us = max(call_back_us, event_us)
            elif kind == DISPUTE:
                disputes += 1
            elif kind == NUMBER_STOP:
                if this:
                    bad = 1
            elif kind in (PROMISE, PLAN):
                promise_us = max(promise_us, event_us)
                last_promise = e
                paid_since_promise = 0.0
                if kind == PLAN:
                    n_plans += 1
                else:
                    n_promises += 1
                    if lines.due_day[e] != NO_DAY:
                        deadline_us = (lines.due_day[e] + GRACE_DAYS + 1) * DAY - now
                        if deadline_us > as_of_us:
                            n_open += 1
                        elif _received(lines, i, end, e, now) >= KEPT_SHARE * lines.amount[e]:
                            n_kept += 1
                        else:
                            n_broken += 1
            elif kind in (PAYMENT, BALANCE, WITHDRAWN):
                d = lines.debt[e]
                if d < 0:
                    continue
                usual_debt = usual.debt[today, debts.currency[first_debt + d]]
                amount = lines.amount[e] / usual_debt if lines.amount[e] == lines.amount[e] else 0.0
                if kind == PAYMENT:
                    n_payments += 1
                    payment_us = max(payment_us, event_us)
                    # What is left of quotients by rounding is nothing: far less than a minor unit.
                    owed[d] = owed[d] - amount if owed[d] - amount > 1e-12 else 0.0
                    paid += amount
                    paid_since_promise += amount
                    paid_30d += amount if ago_us < 30 * DAY else 0.0
                    paid_90d += amount if ago_us < 90 * DAY else 0.0
                elif kind == BALANCE:
                    owed[d] = amount
                    if came[d] < 0.0:
                        came[d] = amount
                    if assigned_us < 0 or event_us < assigned_us:
                        assigned_us = event_us
                else:
                    owed[d] = 0.0
                    came[d] = max(came[d], 0.0)

        line_type = 0
        if m >= 0:
            line_type = numbers.line_type[first_number + m]
            row[at.line_type] = line_type
            row[at.mobile] = 1.0 if line_type in {1, 3} else 0.0
            row[at.number_rank] = numbers.rank[first_number + m] - numbers.rank[first_number]
            row[at.number_tries] = n_number
            row[at.number_answers] = n_number_answers
            row[at.number_rights] = n_number_rights
            row[at.number_lift] = _lift(number_found, number_expected)
            share = usual.right[today, line_type]
            row[at.number_right_share] = (n_number_rights + _PRIOR_RIGHT * share) / (n_number_answers + _PRIOR_RIGHT)
            row[at.number_machines] = n_machines
            row[at.number_unanswered] = n_unanswered
            row[at.number_busy] = n_busy
            row[at.number_rejected] = n_rejected
            row[at.number_failed] = n_failed
            row[at.number_bad] = bad
            row[at.number_streak] = streak
            row[at.number_today] = number_today
            row[at.number_days_call] = _days(as_of_us, number_call_us)
            row[at.number_days_answer] = _days(as_of_us, number_answer_us)
        row[at.numbers] = n_numbers
        row[at.numbers_tried] = tried.sum()
        row[at.tries] = n_tries
        row[at.answers] = n_answers
        row[at.rights] = n_rights
        row[at.calls_1d] = calls_1d
        row[at.calls_7d] = calls_7d
        row[at.calls_30d] = calls_30d
        row[at.calls_today] = calls_today
        row[at.calls_since_right] = since_right
        row[at.days_call] = _days(as_of_us, call_us)
        row[at.days_answer] = _days(as_of_us, answer_us)
        row[at.days_right] = _days(as_of_us, right_us)
        row[at.last_end] = last_end
        row[at.abandoned_30d] = abandoned
        row[at.disputes] = disputes
        row[at.messages_30d] = messages
        row[at.days_message] = _days(as_of_us, message_us)
        row[at.inbound] = inbound
        row[at.days_inbound] = _days(as_of_us, inbound_us)
        row[at.days_call_back] = _days(as_of_us, call_back_us)
        row[at.promises] = n_promises
        row[at.promises_open] = n_open
        row[at.promises_kept] = n_kept
        row[at.promises_broken] = n_broken
        row[at.kept_share] = (n_kept + 0.5 * _PRIOR_KEPT) / (n_kept + n_broken + _PRIOR_KEPT)
        row[at.plans] = n_plans
        row[at.days_promise] = _days(as_of_us, promise_us)
        row[at.payments] = n_payments
        row[at.days_payment] = _days(as_of_us, payment_us)
        if payment_us >= 0:
            payday = _month_day((payment_us + now) // DAY)
            row[at.days_payday] = (_month_day(local_day) - payday) % 31
        left, first_owed, due_day, n_owed = 0.0, 0.0, NO_DAY, 0
        for d in range(n_debts):
            left += owed[d]
            first_owed += max(came[d], 0.0)
            if owed[d] > 0.0:
                n_owed += 1
                day = debts.due_day[first_debt + d]
                if day != NO_DAY and (due_day == NO_DAY or day < due_day):
                    due_day = day
        row[at.debts_open] = n_owed
        if left > 0.0:
            row[at.balance] = math.log2(left)
            if first_owed > 0.0:
                row[at.balance_change] = math.log2(left / first_owed)
        if due_day != NO_DAY:
            row[at.days_due] = (as_of_us + now) // DAY - due_day
        row[at.days_assigned] = _days(as_of_us, assigned_us)
        row[at.paid_30d] = paid_30d / (paid_30d + left) if paid_30d > 0.0 else 0.0
        row[at.paid_90d] = paid_90d / (paid_90d + left) if paid_90d > 0.0 else 0.0
        row[at.paid_share] = paid / (paid + left) if paid > 0.0 else 0.0
        if last_promise >= 0:
            if lines.due_day[last_promise] != NO_DAY:
                row[at.days_promise_due] = lines.due_day[last_promise] - (as_of_us + now) // DAY
            if n_debts > 0 and left + paid_since_promise > 0.0:
                d = max(lines.debt[last_promise], 0)
                usual_debt = usual.debt[today, debts.currency[first_debt + d]]
                row[at.promised_share] = lines.amount[last_promise] / usual_debt / (left + paid_since_promise)
