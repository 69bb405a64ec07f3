"""Numba kernels of the slot planner: what debtors choose at given prices, and how a plan is brought under capacity.

Shapes: `value` (n, s) float32, not above 0 where a debtor may not be planned; `chosen` (n, per_week) int16, slots of
each debtor in no order, -1 for none. A day is `slots_per_day` slots in a row. `left` (n, s) uint8: how many slots a
debtor may have until and with one that he has; it has no rows where nobody's are fewer than `per_week`, is looked at
for those alone who are `bound` (n,), and asks for one slot a day. `peaks` (n, days) float32: the best of each day at no
price; a day that is not worth its `cheapest` (days,) slot needs no look.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F4 = NDArray[np.float32]
F8 = NDArray[np.float64]
I2 = NDArray[np.int16]
I8 = NDArray[np.int64]
U1 = NDArray[np.uint8]
Flags = NDArray[np.bool_]

#: Stands for more than anything.
CLOSED = 1e30


#: What lets a maximum be found in several lanes at once; values are finite.
_FINITE = {"nnan", "nsz", "ninf"}


@njit(cache=True, fastmath=_FINITE)
def _highest(value: F4, prices: F4, i: int, first: int, end: int) -> np.float32:
    best = np.float32(0.0)
    for k in range(first, end):
        best = max(best, value[i, k] - prices[k])
    return best


@njit(cache=True)
def peaks_of(value: F4, prices: F4, slots_per_day: int) -> F4:
    """Return `peaks`, where prices are 0 or `CLOSED`."""
    n, s = value.shape
    peaks = np.empty((n, (s - 1) // slots_per_day + 1), np.float32)
    for i in range(n):
        for day in range(peaks.shape[1]):
            first = day * slots_per_day
            peaks[i, day] = _highest(value, prices, i, first, min(s, first + slots_per_day))
    return peaks


@njit(cache=True)
def _cheapest(prices: F4, slots_per_day: int) -> F4:
    """Return the lowest price of each day."""
    s = len(prices)
    found = np.empty((s - 1) // slots_per_day + 1, np.float32)
    for day in range(len(found)):
        found[day] = prices[day * slots_per_day : (day + 1) * slots_per_day].min()
    return found


@njit(cache=True)
def _of_day(value: F4, prices: F4, i: int, first: int, end: int, gains: F4, slots: I8) -> int:
    """Fill `gains` and `slots` with the best of a day, dearest first; return how many."""
    n, most = 0, len(gains)
    for k in range(first, end):
        gain = value[i, k] - prices[k]
        if gain <= 0.0 or (n == most and gain <= gains[n - 1]):
            continue
        at = n if n < most else most - 1
        n = min(most, n + 1)
        while at > 0 and gains[at - 1] < gain:
            gains[at], slots[at] = gains[at - 1], slots[at - 1]
            at -= 1
        gains[at], slots[at] = gain, k
    return n


@njit(cache=True)
def _days(
    value: F4, peaks: F4, prices: F4, cheapest: F4, i: int, per_day: int, slots_per_day: int, gains: F4, slots: I8,
    best: F4, taken: I8,
) -> int:  # fmt: skip
    """Fill `best` and `taken` with the gains and slots of a debtor's choice, dearest first; return how many."""
    s, per_week = value.shape[1], len(best)
    n_taken = 0
    for day in range(len(cheapest)):
        least = best[n_taken - 1] if n_taken == per_week else np.float32(0.0)
        if peaks[i, day] - cheapest[day] <= least:
            continue
        first = day * slots_per_day
        end = min(s, first + slots_per_day)
        gains[0] = _highest(value, prices, i, first, end)
        if gains[0] <= least:
            continue
        # With one slot a day, which one it is matters only of the days taken.
        n_day, slots[0] = 1, first
        if per_day > 1:
            n_day = _of_day(value, prices, i, first, end, gains, slots)
        for m in range(n_day):
            gain = gains[m]
            if n_taken == per_week and gain <= best[n_taken - 1]:
                break
            at = n_taken if n_taken < per_week else per_week - 1
            n_taken = min(per_week, n_taken + 1)
            while at > 0 and best[at - 1] < gain:
                best[at], taken[at] = best[at - 1], taken[at - 1]
                at -= 1
            best[at], taken[at] = gain, slots[m]
    if per_day == 1:
        for m in range(n_taken):
            while value[i, taken[m]] - prices[taken[m]] != best[m]:
                taken[m] += 1
    return n_taken


@njit(cache=True)
def _keeps(taken: I8, n_taken: int, left: U1, i: int) -> bool:
    for m in range(n_taken):
        nth = 1
        for other in range(n_taken):
            nth += taken[other] < taken[m]
        if nth > left[i, taken[m]]:
            return False
    return True


@njit(cache=True)
def _in_turn(
    value: F4, peaks: F4, prices: F4, cheapest: F4, left: U1, i: int, slots_per_day: int, reach: F4, by: I8, gains: F4,
    slots: I8, best: F4, taken: I8,
) -> int:  # fmt: skip
    """Do as `_days` for a debtor of whom it matters how many slots come before one, with one slot a day; in no order.

    `reach` (per_week + 1,) is the most that so many slots of the days before gain, `by` (days, per_week + 1) the slot
    of a day by which they do; `gains` and `slots` (per_week + 1,) are the best of a day that may be so manieth.
    """
    s, per_week = value.shape[1], len(best)
    reach[:] = -CLOSED
    reach[0] = 0.0
    for day in range(len(cheapest)):
        if peaks[i, day] - cheapest[day] <= 0.0:
            by[day] = -1
            continue
        first = day * slots_per_day
        gains[:] = 0.0
        for k in range(first, min(s, first + slots_per_day)):
            gain, most = value[i, k] - prices[k], min(per_week, left[i, k])
            if gain > gains[most] and most:
                gains[most], slots[most] = gain, k
        for n in range(per_week - 1, 0, -1):
            if gains[n + 1] > gains[n]:
                gains[n], slots[n] = gains[n + 1], slots[n + 1]
        for n in range(per_week, 0, -1):
            better = gains[n] > 0.0 and reach[n - 1] + gains[n] > reach[n]
            by[day, n] = slots[n] if better else -1
            if better:
                reach[n] = reach[n - 1] + gains[n]
    n, n_taken = int(np.argmax(reach)), 0
    for day in range(len(cheapest) - 1, -1, -1):
        k = by[day, n]
        if n and k >= 0:
            best[n_taken], taken[n_taken] = value[i, k] - prices[k], k
            n, n_taken = n - 1, n_taken + 1
    return n_taken


@njit(cache=True)
def choose(
    value: F4, peaks: F4, prices: F4, left: U1, bound: Flags, per_day: int, per_week: int, slots_per_day: int,
    chosen: I2, demand: I8,
) -> float:  # fmt: skip
    """Let every debtor take the slots that are worth most to him above their prices.

    Fills `chosen` (unless it has no rows) and `demand` (s,); returns what all choices are worth above the prices.
    """
    kept, s = chosen.shape[0] > 0, value.shape[1]
    gains, slots = np.empty(per_day, np.float32), np.empty(per_day, np.int64)
    best, taken = np.empty(per_week, np.float32), np.empty(per_week, np.int64)
    reach, nth_gains = np.empty(per_week + 1, np.float32), np.empty(per_week + 1, np.float32)
    by, nth_slots = np.empty((s // slots_per_day + 1, per_week + 1), np.int64), np.empty(per_week + 1, np.int64)
    worth, cheapest = 0.0, _cheapest(prices, slots_per_day)
    demand[:] = 0
    for i in range(value.shape[0]):
        n_taken = _days(value, peaks, prices, cheapest, i, per_day, slots_per_day, gains, slots, best, taken)
        # What is best without the limit is best with it, where it keeps it.
        if bound.size and bound[i] and not _keeps(taken, n_taken, left, i):
            n_taken = _in_turn(
                value, peaks, prices, cheapest, left, i, slots_per_day, reach, by, nth_gains, nth_slots, best, taken
            )  # fmt: skip
        for m in range(n_taken):
            worth += best[m]
            demand[taken[m]] += 1
        if kept:
            for m in range(per_week):
                chosen[i, m] = taken[m] if m < n_taken else -1
    return worth


@njit(cache=True)
def first_places(
    value: F4, peaks: F4, prices: F4, closed: I8, left: U1, bound: Flags, per_day: int, per_week: int,
    slots_per_day: int, adds: F8,
) -> None:  # fmt: skip
    """Fill what one place in each of some slots that have none would add, `adds` (s,), by those whom it suits best."""
    gains, slots = np.empty(per_day, np.float32), np.empty(per_day, np.int64)
    best, taken = np.empty(per_week, np.float32), np.empty(per_week, np.int64)
    reach, nth_gains = np.empty(per_week + 1, np.float32), np.empty(per_week + 1, np.float32)
    cheapest, nth_slots = _cheapest(prices, slots_per_day), np.empty(per_week + 1, np.int64)
    by = np.empty((len(cheapest), per_week + 1), np.int64)
    adds[closed] = 0.0
    for i in range(value.shape[0]):
        limited = bound.size > 0 and bound[i]
        if limited:
            n_taken = _in_turn(
                value, peaks, prices, cheapest, left, i, slots_per_day, reach, by, nth_gains, nth_slots, best, taken
            )  # fmt: skip
        else:
            n_taken = _days(value, peaks, prices, cheapest, i, per_day, slots_per_day, gains, slots, best, taken)
        before = best[:n_taken].sum()
        for k in closed:
            if value[i, k] <= adds[k]:
                continue
            day = k // slots_per_day
            if limited:
                peak, price, low = peaks[i, day], prices[k], cheapest[day]
                peaks[i, day], prices[k], cheapest[day] = max(peak, value[i, k]), 0.0, 0.0
                n = _in_turn(
                    value, peaks, prices, cheapest, left, i, slots_per_day, reach, by, nth_gains, nth_slots, best, taken
                )  # fmt: skip
                peaks[i, day], prices[k], cheapest[day] = peak, price, low
                adds[k] = max(adds[k], best[:n].sum() - before)
                continue
            # What he would give up for it: the least of that day where that is full, else of the week where that is.
            n_day, of_day, of_week = 0, np.float32(CLOSED), np.float32(CLOSED)
            for m in range(n_taken):
                of_week = min(of_week, best[m])
                if taken[m] // slots_per_day == day:
                    n_day, of_day = n_day + 1, min(of_day, best[m])
            given_up = of_day if n_day >= per_day else of_week if n_taken >= per_week else np.float32(0.0)
            adds[k] = max(adds[k], value[i, k] - given_up)


@njit(cache=True)
def _fits(
    chosen: I2, left: U1, bound: Flags, i: int, slot: int, without: int, per_day: int, per_week: int, slots_per_day: int
) -> bool:  # fmt: skip
    """Return whether a debtor may take a slot besides those he has but one (-1: besides all)."""
    day = slot // slots_per_day
    n, n_day, n_before = 0, 0, 0
    for m in range(chosen.shape[1]):
        k = chosen[i, m]
        if k == slot:
            return False
        if k >= 0 and k != without:
            n += 1
            n_day += k // slots_per_day == day
            n_before += k < slot
    if n >= per_week or n_day >= per_day:
        return False
    if not bound.size or not bound[i]:
        return True
    if n_before >= left[i, slot]:
        return False
    # Those after it come one later.
    for m in range(chosen.shape[1]):
        k = chosen[i, m]
        if k > slot and k != without:
            n_before = 1
            for other in range(chosen.shape[1]):
                n_before += 0 <= chosen[i, other] < k and chosen[i, other] != without
            if n_before >= left[i, k]:
                return False
    return True


@njit(cache=True)
def _swap(chosen: I2, i: int, old: int, new: int) -> None:
    """Put a slot where another, or none (-1), stood."""
    for m in range(chosen.shape[1]):
        if chosen[i, m] == old:
            chosen[i, m] = new
            return


@njit(cache=True)
def regrets(
    value: F4, prices: F4, chosen: I2, slot: int, holders: I8, room: I8, left: U1, bound: Flags, per_day: int,
    per_week: int, slots_per_day: int, out: F4, other: I8,
) -> None:  # fmt: skip
    """Fill what each holder of a slot loses, above prices, when he goes where there is room; and where (-1: nowhere).

    `room` (s,) is that of each slot.
    """
    for h in range(len(holders)):
        i = holders[h]
        best, other[h] = np.float32(0.0), -1
        for k in range(value.shape[1]):
            gain = value[i, k] - prices[k]
            if room[k] > 0 and gain > best and _fits(chosen, left, bound, i, k, slot, per_day, per_week, slots_per_day):
                best, other[h] = gain, k
        out[h] = value[i, slot] - prices[slot] - best


@njit(cache=True)
def leave(chosen: I2, slot: int, leavers: I8, other: I8, room: I8) -> None:
    """Let debtors leave a slot for another, as long as that has room, until the slot is within its own."""
    for h in range(len(leavers)):
        if room[slot] >= 0:
            return
        to = other[h]
        if to >= 0 and room[to] <= 0:
            continue
        _swap(chosen, leavers[h], slot, to)
        room[slot] += 1
        if to >= 0:
            room[to] -= 1


@njit(cache=True)
def may_take(
    chosen: I2, debtors: I8, slot: int, left: U1, bound: Flags, per_day: int, per_week: int, slots_per_day: int
) -> Flags:
    """Return which of some debtors may take a slot besides those they have."""
    found = np.empty(len(debtors), np.bool_)
    for h in range(len(debtors)):
        found[h] = _fits(chosen, left, bound, debtors[h], slot, -1, per_day, per_week, slots_per_day)
    return found


@njit(cache=True)
def _edges(
    value: F4, chosen: I2, left: U1, bound: Flags, per_day: int, per_week: int, slots_per_day: int, stale: Flags,
    gain: F8, who: I8, least: F8, loser: I8,
) -> None:  # fmt: skip
    """Find the best moves from slot to slot anew where they are `stale` (s + 2, s): gain (s + 1, s) and the debtor.

    Row s is a slot more for somebody; the last of `stale` is `least` (s,), the smallest loss of a holder who gives up
    his slot, and `loser`, that holder. Of equals the first debtor is taken.
    """
    n, s = value.shape
    some = np.zeros(s + 1, np.bool_)
    for a in range(s + 1):
        for k in range(s):
            if stale[a, k]:
                gain[a, k], who[a, k], some[a] = -CLOSED, -1, True
    least[stale[s + 1]] = CLOSED
    more = np.flatnonzero(stale[s])
    for i in range(n):
        for m in range(chosen.shape[1]):
            a = chosen[i, m]
            if a < 0:
                continue
            if stale[s + 1, a] and value[i, a] < least[a]:
                least[a], loser[a] = value[i, a], i
            if not some[a]:
                continue
            for k in range(s):
                own = value[i, k]
                if not stale[a, k] or own <= 0.0 or own - value[i, a] <= gain[a, k]:
                    continue
                if _fits(chosen, left, bound, i, k, a, per_day, per_week, slots_per_day):
                    gain[a, k], who[a, k] = own - value[i, a], i
        for j in range(len(more)):
            k = int(more[j])
            own = value[i, k]
            if own <= 0.0 or own <= gain[s, k]:
                continue
            if _fits(chosen, left, bound, i, k, -1, per_day, per_week, slots_per_day):
                gain[s, k], who[s, k] = own, i


@njit(cache=True)
def _moves_of(
    value: F4, chosen: I2, left: U1, bound: Flags, per_day: int, per_week: int, slots_per_day: int, i: int,
    gain: F8, who: I8,
) -> None:  # fmt: skip
    """Let a debtor's moves stand where they are better than the best so far, or as good and he comes first."""
    s = value.shape[1]
    for m in range(-1, chosen.shape[1]):
        a = -1 if m < 0 else chosen[i, m]
        if m >= 0 and a < 0:
            continue
        row, now = (s, np.float32(0.0)) if m < 0 else (a, value[i, a])
        for k in range(s):
            own = value[i, k]
            if own <= 0.0 or own - now < gain[row, k] or (own - now == gain[row, k] and i >= who[row, k]):
                continue
            if _fits(chosen, left, bound, i, k, a, per_day, per_week, slots_per_day):
                gain[row, k], who[row, k] = own - now, i


@njit(cache=True)
def _longest(gain: F8, reach: F8, before: I8) -> None:
    """Fill the best chain to each slot: what it gains, and the slot before (s: it begins here)."""
    s = len(reach)
    for k in range(s):
        reach[k], before[k] = gain[s, k], s
    for _ in range(s):
        better = False
        for a in range(s):
            if reach[a] <= -CLOSED / 2:
                continue
            for b in range(s):
                if gain[a, b] <= -CLOSED / 2 or reach[a] + gain[a, b] <= reach[b] + 1e-9:
                    continue
                # No slot twice.
                at = a
                while at not in (b, s):
                    at = before[at]
                if at == s:
                    reach[b], before[b], better = reach[a] + gain[a, b], a, True
        if not better:
            return


@njit(cache=True)
def augment(
    value: F4, chosen: I2, room: I8, left: U1, bound: Flags, per_day: int, per_week: int, slots_per_day: int,
    missing: float, most: int,
) -> int:  # fmt: skip
    """Move debtors along chains of slots as long as that gains, `most` times at most.

    A chain begins with somebody who takes a slot more, each next one makes room in it for the one before, and the last
    finds a free place or gives up his slot. `room` (s,) is that of each slot, and is brought up to date; `missing`
    is what a plan could gain at most, less what is not worth the search. Returns how many chains were moved.
    """
    n, s = value.shape
    gain, who = np.empty((s + 1, s)), np.empty((s + 1, s), np.int64)
    least, loser = np.empty(s), np.empty(s, np.int64)
    reach, before = np.empty(s), np.empty(s, np.int64)
    stale, moves = np.ones((s + 2, s), np.bool_), np.zeros(n, np.bool_)
    moved = 0
    while moved < most and missing > 0.0:
        _edges(value, chosen, left, bound, per_day, per_week, slots_per_day, stale, gain, who, least, loser)
        for mover in np.flatnonzero(moves):
            _moves_of(value, chosen, left, bound, per_day, per_week, slots_per_day, int(mover), gain, who)
        open_ = gain.copy()
        while True:
            _longest(open_, reach, before)
            end, best = -1, 1e-6 * missing
            for k in range(s):
                total = reach[k] if room[k] > 0 else reach[k] - least[k]
                if total > best:
                    end, best = k, total
            if end < 0:
                return moved
            # Whoever would move twice may not fit: this chain is not taken.
            twice = -1
            at = end
            while at != s and twice < 0:
                i = who[before[at], at]
                other = before[at]
                while other != s and twice < 0:
                    if who[before[other], other] == i:
                        twice = at
                    other = before[other]
                if room[end] <= 0 and loser[end] == i:
                    twice = at
                at = before[at]
            if twice < 0:
                break
            open_[before[twice], twice] = -CLOSED
        stale[:, :], moves[:] = False, False
        if room[end] <= 0:
            moves[loser[end]] = True
            _swap(chosen, loser[end], end, -1)
            room[end] += 1
        at = end
        while at != s:
            source = before[at]
            moves[who[source, at]] = stale[s + 1, at] = True
            _swap(chosen, who[source, at], -1 if source == s else source, at)
            room[at] -= 1
            if source < s:
                room[source] += 1
            at = source
        # Nobody else's moves are others than they were.
        for a in range(s + 1):
            for k in range(s):
                stale[a, k] = who[a, k] >= 0 and moves[who[a, k]]
        missing -= best
        moved += 1
    return moved
