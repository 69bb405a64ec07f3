"""What `compliance.cases` and `compliance.counting` do for one debtor, over columns and compiled.

Nothing here knows a rule's words: `compliance.mask` has turned them into tables. Every function is at module level and
compiled once into a cache on disk. `tests/property/test_mask_laws.py` holds the result against the gate, cell by cell.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from compliance.columns import ANY, Bools, Consents, Debts, Ints, Lines, Numbers, Places, Stops
from compliance.counting import FOREVER
from domain.instants import DAY, HOUR

Octets = NDArray[np.uint8]

_ANY = ANY
_FOREVER, _DAY, _HOUR = FOREVER, DAY, HOUR

#: Row of `Words.lifts` of a consent to other hours.
HOURS_CONSENT = 0
#: As `Classes.counter_meets`.
NOT_COUNTED, THROUGHOUT = 0, 1
#: What a counter counts apart for.
ALL, EACH_DEBT, EACH_CREDITOR = 0, 1, 2


class Counting(NamedTuple):
    """Counters, one a row; `compliance.counting.Counter` tells what they mean."""

    limit: Ints
    #: ALL, EACH_DEBT or EACH_CREDITOR.
    apart: Ints
    distinct: Bools
    after_contact: Bools
    same_phone: Bools
    same_address: Bools
    #: By counter and kind of line.
    wanted: Bools
    #: By counter and kind of address.
    addresses: Bools
    #: Row of `Words.lifts` of the consents that lift it; -1: none does.
    lifted_by: Ints


class Words(NamedTuple):
    """What the columns' words mean here."""

    #: Some consent of this kind is among those of the row, and is for this channel: by row and kind of consent.
    lifts: Bools
    #: By channel of a consent: it is the contact's.
    channel_lifts: Bools
    #: By channel that a stop names: the contact's is one of those meant.
    channel_stops: Bools
    #: By kind of line: a number for its channel, -1 for the contact's own; whether it is a contact.
    line_channel: Ints
    line_contact: Bools
    #: How many numbers `line_channel` has.
    n_channels: int
    #: Kinds of stop that are raised here. They come as data: a compiled function would keep the number of a word that
    #: has got another since.
    paid: int
    withdrawn: int
    no_rules: int


class Releases(NamedTuple):
    """Step functions from the instant of a line to the instant at which it no longer counts, one a row of `hours`."""

    #: Elapsed hours; 0: steps. Those of the row's UTC day `day[row] + d` are `first[row_first[row] + d] …`.
    hours: Ints
    day: Ints
    n_days: Ints
    row_first: Ints
    first: Ints
    begin: Ints
    value: Ints


class Classes(NamedTuple):
    """What binds the debtors of a class: their place, zones and kind of number are alike to the rules."""

    #: Rows of `OpenHours`: usual ones, and those under a consent to other hours (-1: no consent lifts any).
    hours: Ints
    hours_lifted: Ints
    #: 1 where no pack has rules for the country.
    no_rules: Ints
    #: Class c has counters `first_counter[c] … first_counter[c + 1]`; a row is in effect from and until.
    first_counter: Ints
    counter: Ints
    release: Ints
    counter_from: Ints
    counter_until: Ints
    #: How a call that is still to be made, and goes unanswered, counts for those after it: NOT_COUNTED, THROUGHOUT, or
    #: the most that one a day can be within its span, where that is less than all the slots.
    counter_meets: Ints
    #: The same for consents without which the channel is closed.
    first_need: Ints
    need: Ints
    need_from: Ints
    need_until: Ints
    #: By class and kind of stop: a stop on record blocks from and until, rows `first_stop[c, kind] …`.
    first_stop: Ints
    stop_from: Ints
    stop_until: Ints


class OpenHours(NamedTuple):
    #: Open in the whole of the slot: by row and slot.
    open: Bools
    #: Open stretches of row h: `first[h] … first[h + 1]`.
    first: Ints
    start: Ints
    end: Ints


@njit(cache=True)
def _block(row: Bools, slots: Ints, start: int, end: int) -> None:
    """Close the slots that meet a stretch of time."""
    if end <= max(start, slots[0]):
        return
    for k in range(slots.size):
        if start < slots[k] + _HOUR and slots[k] < end:
            row[k] = False


@njit(cache=True)
def _consent_until(consents: Consents, of: int, words: Words, lifts: int, phone: int) -> int:
    """Return until when a consent holds; 0: there is none."""
    found = 0
    for i in range(consents.first[of], consents.first[of + 1]):
        if (
            words.lifts[lifts, consents.kind[i]]
            and (consents.channel[i] == _ANY or words.channel_lifts[consents.channel[i]])
            and (consents.phone[i] == _ANY or consents.phone[i] == phone)
        ):
            found = max(found, consents.until_us[i])
    return found


@njit(cache=True)
def _open(hours: OpenHours, h: int, start: int, end: int) -> bool:
    """Return whether one open stretch holds all of a stretch of time."""
    found = False
    for i in range(hours.first[h], hours.first[h + 1]):
        found = found or (hours.start[i] <= start and end <= hours.end[i])
    return found


@njit(cache=True)
def _release(releases: Releases, r: int, at_us: int) -> int:
    if releases.hours[r]:
        return int(at_us + releases.hours[r] * _HOUR)
    # A line before the first day is released before the first slot as those of that day are, one after the last day
    # after the last slot: nearer is not asked.
    day = releases.row_first[r] + min(max(at_us // _DAY - releases.day[r], 0), releases.n_days[r] - 1)
    i, last = releases.first[day], releases.first[day + 1] - 1
    while i < last and releases.begin[i + 1] <= at_us:
        i += 1
    return int(releases.value[i])


@njit(cache=True)
def _concerns(lines: Lines, i: int, debts: Debts, of: int, j: int, apart: int) -> bool:
    """Return whether a line counts for the debt in row j, or for its creditor."""
    base, creditor = debts.first[of], debts.creditor[j]
    first, last = lines.first_debt[i], lines.first_debt[i + 1]
    found = lines.creditor[i] == creditor
    if apart == EACH_DEBT and first == last:
        return bool(found or lines.creditor[i] == _ANY)
    if apart == EACH_DEBT:
        found = False
        for k in range(first, last):
            found = found or lines.debts[k] == j - base
        return bool(found)
    told = lines.creditor[i] != _ANY
    for k in range(first, last):
        if lines.debts[k] >= 0:
            told = True
            found = found or debts.creditor[base + lines.debts[k]] == creditor
    return bool(found or not told)


@njit(cache=True)
def _counted_until(
    counting: Counting,
    c: int,
    releases: Releases,
    r: int,
    words: Words,
    lines: Lines,
    debts: Debts,
    of: int,
    j: int,
    apart: int,
    phone: int,
    address: int,
    seen: Bools,
) -> int:
    """Return from when on a counter no longer forbids the contact; 0: it does not."""
    limit, counted, last_contact, reached = counting.limit[c], 0, 0, 0
    distinct = counting.distinct[c]
    if distinct:
        seen[:] = False
    for i in range(lines.first[of + 1] - 1, lines.first[of] - 1, -1):
        kind = lines.kind[i]
        if not counting.wanted[c, kind] or not counting.addresses[c, lines.address[i]]:
            continue
        if counting.same_phone[c] and lines.phone[i] != _ANY and lines.phone[i] != phone:
            continue
        if counting.same_address[c] and lines.address[i] != address:
            continue
        if apart != ALL and not _concerns(lines, i, debts, of, j, apart):
            continue
        if not distinct:
            counted += 1
            if counted == limit:
                return _release(releases, r, lines.at_us[i])
            continue
        if not last_contact and words.line_contact[kind]:
            last_contact = lines.at_us[i]
        channel = words.line_channel[kind]
        if channel >= 0 and not seen[channel]:
            seen[channel] = True
            counted += 1
            if counted == limit:
                reached = lines.at_us[i]
        if reached and (last_contact or not counting.after_contact[c]):
            break
    if not reached or (counting.after_contact[c] and not last_contact):
        return 0
    end = _release(releases, r, reached)
    return min(end, _release(releases, r, last_contact)) if counting.after_contact[c] else end


@njit(cache=True)
def _stop(row: Bools, slots: Ints, classes: Classes, c: int, kind: int, end: int) -> None:
    for i in range(classes.first_stop[c, kind], classes.first_stop[c, kind + 1]):
        _block(row, slots, classes.stop_from[i], min(end, classes.stop_until[i]))


@njit(cache=True)
def _add_stops(
    row: Bools,
    slots: Ints,
    classes: Classes,
    c: int,
    stops: Stops,
    debts: Debts,
    of: int,
    words: Words,
    phone: int,
    names_debts: bool,
    says_paid: bool,
) -> bool:
    """Close what stops close; return whether any debt is judged."""
    if classes.no_rules[c]:
        _stop(row, slots, classes, c, words.no_rules, _FOREVER)
    first, last = debts.first[of], debts.first[of + 1]
    judged, paid = False, says_paid
    for j in range(first, last):
        if debts.named[j]:
            judged = judged or debts.open[j]
            paid = paid or debts.paid[j]
    if not judged and (names_debts or first < last):
        _stop(row, slots, classes, c, words.paid if paid else words.withdrawn, _FOREVER)
    for i in range(stops.first[of], stops.first[of + 1]):
        if stops.debt[i] != _ANY:
            if stops.debt[i] < 0:
                continue
            j = first + stops.debt[i]
            if not (debts.open[j] and debts.named[j]):
                continue
        if (stops.phone[i] == _ANY or stops.phone[i] == phone) and (
            stops.channel[i] == _ANY or words.channel_stops[stops.channel[i]]
        ):
            _stop(row, slots, classes, c, stops.kind[i], stops.until_us[i])
    return judged


@njit(cache=True)
def _open_slots(
    row: Bools,
    slots: Ints,
    hours: OpenHours,
    classes: Classes,
    c: int,
    consents: Consents,
    of: int,
    words: Words,
    phone: int,
) -> None:
    """Fill a row with the slots that the windows leave open."""
    usual, lifted = classes.hours[c], classes.hours_lifted[c]
    row[:] = hours.open[usual]
    if lifted < 0:
        return
    until = _consent_until(consents, of, words, HOURS_CONSENT, phone)
    for k in range(slots.size):
        if slots[k] >= until:
            break
        if slots[k] + _HOUR <= until:
            row[k] = hours.open[lifted, k]
        else:
            row[k] = _open(hours, lifted, slots[k], until) and _open(hours, usual, until, slots[k] + _HOUR)


# Without the interpreter's lock: a floor may run beside a planner.
@njit(cache=True, nogil=True)
def fill(
    out: Bools,
    class_of: Places,
    phone_of: Places,
    names_debts: Bools,
    says_paid: Bools,
    numbers: Numbers,
    debts: Debts,
    stops: Stops,
    consents: Consents,
    lines: Lines,
    slots: Ints,
    hours: OpenHours,
    classes: Classes,
    counting: Counting,
    releases: Releases,
    words: Words,
) -> None:
    """Fill `out` with the callable slots.

    Parameters
    ----------
    out : bool array, shape (n, s)
    class_of, phone_of : int32 arrays, shape (n,)
        Class of each debtor, and place of the number asked about among the debtor's own; ANY: none.
    slots : int64 array, shape (s,)
        Starts, ascending.
    """
    seen = np.zeros(words.n_channels, np.bool_)
    for of in range(out.shape[0]):
        row, c, phone = out[of], class_of[of], phone_of[of]
        address = 0 if phone < 0 else numbers.address[numbers.first[of] + phone]
        _open_slots(row, slots, hours, classes, c, consents, of, words, phone)
        judged = _add_stops(row, slots, classes, c, stops, debts, of, words, phone, names_debts[of], says_paid[of])
        if not row.any():
            continue
        for i in range(classes.first_need[c], classes.first_need[c + 1]):
            until = _consent_until(consents, of, words, classes.need[i], phone)
            _block(row, slots, max(until, classes.need_from[i]), classes.need_until[i])
        for i in range(classes.first_counter[c], classes.first_counter[c + 1]):
            counter, r = classes.counter[i], classes.release[i]
            apart = counting.apart[counter] if judged else ALL
            end = 0
            if apart == ALL:
                end = _counted_until(
                    counting, counter, releases, r, words, lines, debts, of, 0, apart, phone, address, seen
                )
            else:
                for j in range(debts.first[of], debts.first[of + 1]):
                    if debts.open[j] and debts.named[j]:
                        end = max(
                            end,
                            _counted_until(
                                counting, counter, releases, r, words, lines, debts, of, j, apart, phone, address, seen
                            ),
                        )
            end = min(end, classes.counter_until[i])
            if end <= slots[0]:
                continue
            start = classes.counter_from[i]
            if counting.lifted_by[counter] >= 0:
                start = max(start, _consent_until(consents, of, words, counting.lifted_by[counter], phone))
            _block(row, slots, start, end)


@njit(cache=True)
def _bind(
    left: Octets,
    gap: Ints,
    slots: Ints,
    start: int,
    end: int,
    still: int,
    meets: int,
    releases: Releases,
    r: int,
) -> None:
    """Let so many calls more be had in the slots that meet a stretch of time, the one in a slot itself counted."""
    for k in range(slots.size):
        if not (start < slots[k] + _HOUR and slots[k] < end):
            continue
        if meets == THROUGHOUT or still > 1:
            if meets == THROUGHOUT or still < meets:
                left[k] = min(left[k], still)
            continue
        # One alone: the call before it has to be out of the span.
        before = k
        while before > 0 and _release(releases, r, slots[before - 1] + _HOUR - 1) > slots[k]:
            before -= 1
        gap[k] = min(gap[k], before)


@njit(cache=True)
def _bind_lines(
    left: Octets,
    gap: Ints,
    slots: Ints,
    start: int,
    until: int,
    meets: int,
    counting: Counting,
    c: int,
    releases: Releases,
    r: int,
    lines: Lines,
    debts: Debts,
    of: int,
    j: int,
    apart: int,
    phone: int,
    address: int,
    most: int,
) -> None:
    """Bind slots by what a counter has counted: a line more for those before it no longer counts."""
    limit, counted = counting.limit[c], 0
    if limit < most or meets != THROUGHOUT:
        _bind(left, gap, slots, start, until, limit, meets, releases, r)
    for i in range(lines.first[of + 1] - 1, lines.first[of] - 1, -1):
        if not counting.wanted[c, lines.kind[i]] or not counting.addresses[c, lines.address[i]]:
            continue
        if counting.same_phone[c] and lines.phone[i] != _ANY and lines.phone[i] != phone:
            continue
        if counting.same_address[c] and lines.address[i] != address:
            continue
        if apart != ALL and not _concerns(lines, i, debts, of, j, apart):
            continue
        counted += 1
        if counted == limit:
            return
        end = min(until, _release(releases, r, lines.at_us[i]))
        if end <= slots[0]:
            return
        if limit - counted < most:
            _bind(left, gap, slots, start, end, limit - counted, meets, releases, r)


@njit(cache=True, nogil=True)
def lower(
    left: Octets,
    gap: Ints,
    most: int,
    class_of: Places,
    phone_of: Places,
    numbers: Numbers,
    debts: Debts,
    consents: Consents,
    lines: Lines,
    slots: Ints,
    classes: Classes,
    counting: Counting,
    releases: Releases,
    words: Words,
) -> None:
    """Lower what a mask leaves open to what caps leave once some of it is used.

    Parameters
    ----------
    left : uint8 array, shape (n, s)
        0 where the mask is closed, `most` elsewhere; lowered to the calls that may be had until and with a slot.
    gap : int64 array, shape (n, s)
        Lowered to how many of the first slots the call before one in a slot may stand in.
    """
    for of in range(left.shape[0]):
        c, phone = class_of[of], phone_of[of]
        address = 0 if phone < 0 else numbers.address[numbers.first[of] + phone]
        judged = False
        for j in range(debts.first[of], debts.first[of + 1]):
            judged = judged or (debts.open[j] and debts.named[j])
        for i in range(classes.first_counter[c], classes.first_counter[c + 1]):
            counter, r, meets = classes.counter[i], classes.release[i], classes.counter_meets[i]
            if meets == NOT_COUNTED or not counting.addresses[counter, address]:
                continue
            start, until = classes.counter_from[i], classes.counter_until[i]
            if counting.lifted_by[counter] >= 0:
                start = max(start, _consent_until(consents, of, words, counting.lifted_by[counter], phone))
            apart = counting.apart[counter] if judged else ALL
            if apart == ALL:
                _bind_lines(
                    left[of], gap[of], slots, start, until, meets, counting, counter, releases, r, lines, debts, of, 0,
                    apart, phone, address, most,
                )  # fmt: skip
                continue
            for j in range(debts.first[of], debts.first[of + 1]):
                if debts.open[j] and debts.named[j]:
                    _bind_lines(
                        left[of], gap[of], slots, start, until, meets, counting, counter, releases, r, lines, debts, of,
                        j, apart, phone, address, most,
                    )  # fmt: skip
