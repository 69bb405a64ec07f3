"""What comes of an action towards people at an instant, given everything about them: the truth of a randomised trial.

Expected over the luck still to come, people being who they are, what was contacted before still working and promises
made before still on their way. Small things are left out: that somebody may ask for a stop before they pay, that two
debts of one person have one instant a day between them, that several part payments fall before a promised one or that
with it they make up the whole, and that keeping goes with the amount (`promises.by_amount`, 0 in the worlds that ship).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.calls import Disposition
from domain.instants import DAY, to_datetime
from simulation.population.conduct import Conduct
from simulation.population.laws import Laws
from simulation.population.traits import F8, I8, Mixture

#: Days that may matter: the farthest due day, as late as can be.
_AHEAD: Final = 120


@dataclass(slots=True, frozen=True)
class Response:
    """By person asked and action, (n, actions)."""

    #: Chance that anything is paid within the horizon.
    p_pay: F8
    #: Expected payments within it, minor units.
    paid_minor: F8
    #: (n,): that all that is owed is paid within it, nothing being done; of who owes nothing 0.
    p_self_cure: F8
    #: (n,): what is owed, minor units; the kind of response.
    owed_minor: F8
    kind: I8


@dataclass(slots=True, frozen=True)
class Action:
    """What an action may do to somebody: each (n,)."""

    #: Chance that it does it.
    p: F8
    #: Conversations as many as which it works.
    works: F8
    #: Whether it is a conversation, which may bring a promise.
    talk: bool = False


def responses(
    conduct: Conduct, mixture: Mixture, rows: I8, free: NDArray[np.bool_], at_us: int, days: int,
    actions: Sequence[Action],
) -> Response:  # fmt: skip
    """Return what comes of each action.

    Parameters
    ----------
    rows : (n,)
        Of people in `conduct`.
    free : (n,)
        Whether a conversation may still end in a promise.
    days : int
        The horizon.
    """
    persons, debts = conduct.everybody()
    place = np.full(len(persons), -1)
    place[rows] = np.arange(len(rows))
    owed = np.flatnonzero((conduct.owed > 0) & (place[debts.row] >= 0))
    owner = place[debts.row[owed]]
    n = len(rows)
    p_pay, paid, cured = np.zeros((n, len(actions))), np.zeros((n, len(actions))), np.zeros(n)
    stock = conduct.still_works(rows, at_us)
    pending = conduct.promised_until(at_us + days * DAY)
    for zone in np.unique(persons.zone[rows]).tolist():
        here = np.flatnonzero(persons.zone[rows[owner]] == zone)
        world = _Ahead(conduct, mixture, zone, owed[here], owner[here], at_us, days, pending, n)
        lives = persons.zone[rows] == zone
        *plain, p_all = world.without(stock)
        cured[lives] = p_all[lives]
        for place_, action in enumerate(actions):
            any_, sum_ = world.after(stock, action, rows, free) if action.p.any() else plain
            p = np.where(action.p > 0.0, action.p, 0.0)
            p_pay[lives, place_] = (p * any_ + (1.0 - p) * plain[0])[lives]
            paid[lives, place_] = (p * sum_ + (1.0 - p) * plain[1])[lives]
    total: F8 = np.bincount(owner, conduct.owed[owed].astype(np.float64), n).astype(np.float64)
    cured[total <= 0.0] = 0.0
    return Response(p_pay=p_pay, paid_minor=paid, p_self_cure=cured, owed_minor=total, kind=persons.kind[rows])


class _Ahead:
    """The days to come of the debts of people in one zone."""

    def __init__(
        self, conduct: Conduct, mixture: Mixture, zone: int, debts: I8, owner: I8, at_us: int, days: int,
        pending: dict[int, list[tuple[int, int]]], n: int,
    ) -> None:  # fmt: skip
        self._conduct, self._mixture, self._debts, self._owner, self._n = conduct, mixture, debts, owner, n
        self._at_us, self._end_us = at_us, at_us + days * DAY
        self._today = to_datetime(at_us, conduct.zones[zone]).date()
        self._windows = [conduct.hours_of(zone, self._today.toordinal() + ahead) for ahead in range(_AHEAD)]
        persons, columns = conduct.everybody()
        self._of = columns.row[debts]
        payment = mixture.laws.payment
        self._p_full = persons.p_full[self._of]
        self._share = self._p_full + (1.0 - self._p_full) * sum(payment.part) / 2
        self._left = 1.0 - sum(payment.part) / 2
        self._owed = conduct.owed[debts].astype(np.float64)
        self._pending = [(k, pay) for k, debt in enumerate(debts.tolist()) for pay in pending.get(debt, ())]

    def _days(self, stock: F8) -> tuple[F8, F8, F8]:
        """Return, with so much contact at work now, that a debt is not paid by itself until each day, and what is
        left of it then, (days + 1, debts); and that no payment settles it, (debts,)."""
        conduct = self._conduct
        half_life_us = conduct.laws.contact.half_life_days * DAY
        unpaid, left = [np.ones(len(self._debts))], [np.ones(len(self._debts))]
        unsettled = np.ones(len(self._debts))
        for ahead, (first_us, last_us) in enumerate(self._windows):
            low_us, high_us = max(first_us, self._at_us), min(last_us, self._end_us)
            if low_us >= self._end_us:
                break
            p = np.zeros(len(self._debts))
            if high_us > low_us:
                still = stock[self._owner] * 2.0 ** -(((low_us + high_us) / 2 - self._at_us) / half_life_us)
                on = date.fromordinal(self._today.toordinal() + ahead)
                rates = conduct.daily_rates(self._debts, self._of, still, on)
                p = -np.expm1(-rates) * ((high_us - low_us) / (last_us - first_us))
            unpaid.append(unpaid[-1] * (1.0 - p))
            left.append(left[-1] * (1.0 - p * self._share))
            unsettled *= 1.0 - p * self._p_full
        return np.array(unpaid), np.array(left), unsettled

    def without(self, stock: F8) -> tuple[F8, F8, F8]:
        """Return the chance that anything is paid, what is, and that all is, when nothing is done, each (n,)."""
        any_, total, _, _, taken, unsettled = self._own(stock)
        settled = np.log(np.maximum(1.0 - np.where(taken < 1.0, unsettled, 0.0), 1e-300))
        return any_, total, np.exp(np.bincount(self._owner, settled, self._n))

    def _own(self, stock: F8) -> tuple[F8, F8, F8, F8, F8, F8]:
        unpaid, left, unsettled = self._days(stock)
        taken = np.zeros(len(self._debts))
        came = np.zeros(self._n, np.bool_)
        total = self._owed * (1.0 - left[-1])
        for k, (at_us, amount) in self._pending:
            day = self._day_of(at_us, len(left) - 1)
            share = min(1.0, amount / self._owed[k])
            total[k] += self._owed[k] * self._most(unpaid, left, day, share)[k] * (1.0 - taken[k])
            taken[k] = min(1.0, taken[k] + share)
            came[self._owner[k]] = True
        any_ = 1.0 - np.exp(np.bincount(self._owner, np.log(np.maximum(unpaid[-1], 1e-300)), self._n))
        any_[came] = 1.0
        return any_, np.bincount(self._owner, total, self._n).astype(np.float64), unpaid, left, taken, unsettled

    def after(self, stock: F8, action: Action, rows: I8, free: NDArray[np.bool_]) -> tuple[F8, F8]:
        """Return the same when an action does what it may do."""
        any_, total, unpaid, left, taken, _ = self._own(stock + action.works)
        if not action.talk:
            return any_, total
        persons, _ = self._conduct.everybody()
        laws, mixture = self._mixture.laws, self._mixture
        outcome = mixture.p_outcome[persons.stage[rows], persons.kind[rows]]
        keeps = np.where(free, persons.keeps[rows], 0.0)
        p_promise, p_plan = (outcome[:, mixture.outcomes.index(word)] for word in _PROMISES)
        about = _largest(self._conduct.owed[self._debts], self._owner)
        chosen = np.flatnonzero(about & (keeps[self._owner] > 0.0))
        of = self._owner[chosen]
        brings, extra = np.zeros(self._n), np.zeros(self._n)
        for day, kept, short in _fates(laws, self._windows, self._at_us, self._end_us):
            share = keeps[of] * kept[0] + (1.0 - keeps[of]) * kept[1]
            less = (1.0 - keeps[of]) * short
            brings[of] += share + less
            day_ = min(day, len(left) - 1)
            promises = laws.promises
            mean, part = sum(promises.part) / 2, sum(promises.short) / 2

            def amount(f: float, day_: int = day_) -> F8:
                return self._most(unpaid, left, day_, f)[chosen]

            whole = promises.p_full * amount(1.0) + (1.0 - promises.p_full) * amount(mean)
            cut = promises.p_full * amount(part) + (1.0 - promises.p_full) * amount(mean * part)
            first = 1.0 / promises.instalments
            extra[of] += (
                (
                    p_promise[of] * (share * whole + less * cut)
                    + p_plan[of] * (share * amount(first) + less * amount(part))
                )
                * self._owed[chosen]
                * (1.0 - taken[chosen])
            )
        brought = (p_promise + p_plan) * np.where(keeps > 0.0, brings, 0.0)
        return 1.0 - (1.0 - any_) * (1.0 - brought), total + extra

    def _most(self, unpaid: F8, left: F8, day: int, share: float) -> F8:
        """Return by how much what is left in the end shrinks, of the debt, when a share of it is paid on a day."""
        after = left[-1] / np.maximum(left[day], 1e-300)
        if share >= 1.0:
            return np.asarray(left[day] * after)
        paid_part = (1.0 - unpaid[day]) * (1.0 - self._p_full)
        return np.asarray((unpaid[day] * share + paid_part * min(share, self._left)) * after)

    def _day_of(self, at_us: int, last: int) -> int:
        for ahead, (_, last_us) in enumerate(self._windows):
            if at_us <= last_us:
                return min(ahead, last)
        return last


def _fates(
    laws: Laws, windows: Sequence[tuple[int, int]], at_us: int, end_us: int
) -> list[tuple[int, tuple[float, float], float]]:
    """Return by day: the share of kept promises paid then; of the others, the shares paid then late, and short."""
    promises = laws.promises
    first, last = promises.days
    due = range(first, last + 1)
    late = range(promises.late_days[0], promises.late_days[1] + 1)
    found: dict[int, list[float]] = {}

    def within(day: int) -> float:
        low_us, high_us = windows[day]
        return min(max((end_us - low_us) / (high_us - low_us), 0.0), 1.0)

    for day in due:
        share = within(day) / len(due)
        one = found.setdefault(day, [0.0, 0.0, 0.0])
        one[0] += share
        one[2] += promises.p_short * share
        for by in late:
            found.setdefault(day + by, [0.0, 0.0, 0.0])[1] += promises.p_late * within(day + by) / len(due) / len(late)
    return [(day, (kept, late_), short) for day, (kept, late_, short) in sorted(found.items()) if kept + late_ + short]


_PROMISES: Final = (Disposition.promise, Disposition.plan)


def _largest(owed: I8, owner: I8) -> NDArray[np.bool_]:
    """Return which of people's debts is the one that a conversation is about."""
    order = np.lexsort((np.arange(len(owner)), -owed, owner))
    first = np.ones(len(order), np.bool_)
    first[1:] = owner[order][1:] != owner[order][:-1]
    found = np.zeros(len(order), np.bool_)
    found[order[first]] = True
    return found
