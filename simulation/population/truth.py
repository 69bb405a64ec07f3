"""What is true of people behind what a floor's record shows: for analysts, models and tests, never for a strategy.

Probabilities are over the luck that is still to come, people being who they are. Small things are left out: that
somebody may ask for a stop before they pay, that two debts of one person have one instant a day between them, and that
keeping goes with the amount (`promises.by_amount`, 0 in the worlds that ship).
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.calls import Disposition
from domain.instants import DAY, HOUR, to_datetime
from domain.people import GRACE_DAYS
from simulation.population.conduct import Conduct
from simulation.population.laws import Laws
from simulation.population.traits import F8, I8, Mixture

F4 = NDArray[np.float32]

_HORIZONS: Final = (10, 30)


@dataclass(slots=True, frozen=True)
class Truth:
    """Columns, a row for each person in the order asked."""

    person: I8
    #: 0 is the earliest.
    stage: I8
    #: Index in `laws.responses`, `laws.presence.rhythms`, `laws.conditions` (one beyond: no condition).
    kind: I8
    rhythm: I8
    #: 0 an hour earlier, 1 as the rhythm says, 2 an hour later.
    shift: I8
    condition: I8
    ability: F8
    willingness: F8
    #: Factors on picking up; on stops and complaints.
    reach: F8
    touch: F8
    #: Probability that a first call to the first number is answered by a person, by the debtor asked for: (n, 7, 24) by
    #: weekday (Monday is 0) and local hour.
    p_answer: F4
    p_right_party: F4
    #: That a first conversation with the debtor ends in a promise or plan.
    p_promise: F8
    #: That a promise made then is kept: by what it brings itself or, where promises are words, by what comes anyhow.
    p_kept: F8
    #: That anything is paid within so many days of the instant asked about, without any contact.
    p_pay_10: F8
    p_pay_30: F8
    #: The same after one conversation with the debtor at that instant. The difference is the uplift of a contact.
    p_pay_10_contact: F8
    p_pay_30_contact: F8


def of_paying(conduct: Conduct, mixture: Mixture, rows: I8, start_us: int) -> dict[str, Any]:
    """Return the columns about promises and payments, for rows of people."""
    laws = mixture.laws
    persons, debts = conduct.everybody()
    place = np.full(len(persons), -1)
    place[rows] = np.arange(len(rows))
    owed = np.flatnonzero((conduct.owed > 0) & (place[debts.row] >= 0))
    owner = place[debts.row[owed]]
    promise = [index for index, outcome in enumerate(mixture.outcomes) if outcome in _PROMISES]
    free = (persons.condition[rows] == len(laws.conditions)) & (np.bincount(owner, minlength=len(rows)) > 0)
    p_promise = np.where(free, mixture.p_outcome[persons.stage[rows], persons.kind[rows]][:, promise].sum(axis=1), 0.0)
    found = {"p_promise": p_promise, "p_kept": persons.keeps[rows].copy()}
    for horizon in _HORIZONS:
        found[f"p_pay_{horizon}"] = np.zeros(len(rows))
        found[f"p_pay_{horizon}_contact"] = np.zeros(len(rows))
    for zone in np.unique(persons.zone[rows]).tolist():
        lives = persons.zone[rows] == zone
        here = lives[owner]
        days = _Days(conduct, zone, owed[here], owner[here], start_us)
        for horizon in _HORIZONS:
            end_us = start_us + horizon * DAY
            without = days.unpaid(end_us, len(rows), contact=False)[lives]
            stirred = days.unpaid(end_us, len(rows), contact=True)[lives]
            brought = p_promise[lives] * _brought(laws, persons.keeps[rows[lives]], days.windows, end_us)
            found[f"p_pay_{horizon}"][lives] = 1.0 - without
            found[f"p_pay_{horizon}_contact"][lives] = 1.0 - stirred * (1.0 - brought)
        words = lives & (persons.keeps[rows] == 0.0)
        grace_us = days.windows[min(laws.promises.days[1] + GRACE_DAYS, len(days.windows) - 1)][1]
        largest = _largest(conduct.owed[owed], owner)[here]
        found["p_kept"][words] = 1.0 - days.unpaid(grace_us, len(rows), contact=True, only=largest)[words]
    return found


_PROMISES: Final = (Disposition.promise, Disposition.plan)
#: Days that may matter to a promise: the farthest due day, as late as can be.
_AHEAD: Final = 120


class _Days:
    """The days to come of debts in one zone, from an instant."""

    def __init__(self, conduct: Conduct, zone: int, debts: I8, owner: I8, start_us: int) -> None:
        self._conduct = conduct
        self._debts = debts
        self._owner = owner
        self._start_us = start_us
        self._today = to_datetime(start_us, conduct.zones[zone]).date()
        #: First and last instant at which anything is paid, day by day.
        self.windows = [conduct.hours_of(zone, self._today.toordinal() + ahead) for ahead in range(_AHEAD)]

    def unpaid(self, end_us: int, n: int, *, contact: bool, only: NDArray[np.bool_] | None = None) -> F8:
        """Return the probability that none of a person's debts is paid by its own law until an instant, (n,)."""
        conduct, start_us = self._conduct, self._start_us
        _, debts = conduct.everybody()
        chosen = slice(None) if only is None else only
        rows, owner = self._debts[chosen], self._owner[chosen]
        half_life_us = conduct.laws.contact.half_life_days * DAY
        survives = np.zeros(n)
        for ahead, (first_us, last_us) in enumerate(self.windows):
            low_us, high_us = max(first_us, start_us), min(last_us, end_us)
            if high_us <= low_us:
                continue
            still = 2.0 ** -(((low_us + high_us) / 2 - start_us) / half_life_us) if contact else 0.0
            on = date.fromordinal(self._today.toordinal() + ahead)
            rates = conduct.daily_rates(rows, debts.row[rows], np.full(len(rows), still), on)
            p = -np.expm1(-rates) * ((high_us - low_us) / (last_us - first_us))
            survives += np.bincount(owner, np.log1p(-p), n)
        return np.asarray(np.exp(survives))


def _brought(laws: Laws, keeps: F8, windows: list[tuple[int, int]], end_us: int) -> F8:
    """Return the probability that a promise made today brings a payment until an instant."""
    promises = laws.promises
    first, last = promises.days
    due = range(first, last + 1)

    def come(late_days: int) -> float:
        """Return the share of promises that have fallen due by then when all are so late."""
        shares = [
            min(max((end_us - late_days * DAY - windows[day][0]) / (windows[day][1] - windows[day][0]), 0.0), 1.0)
            for day in due
        ]
        return sum(shares) / len(shares)

    in_time = come(0)
    late = range(promises.late_days[0], promises.late_days[1] + 1)
    otherwise = promises.p_short * in_time + promises.p_late * sum(map(come, late)) / len(late)
    return np.asarray(np.where(keeps > 0.0, keeps * in_time + (1.0 - keeps) * otherwise, 0.0))


def _largest(owed: I8, owner: I8) -> NDArray[np.bool_]:
    """Return which of people's debts is the one that a conversation is about."""
    order = np.lexsort((np.arange(len(owner)), -owed, owner))
    first = np.ones(len(order), np.bool_)
    first[1:] = owner[order][1:] != owner[order][:-1]
    found = np.zeros(len(order), np.bool_)
    found[order[first]] = True
    return found


def weekly(by_slot: F8) -> F8:
    """Return what depends on the slot of the week, (n, 72), by weekday and local hour, (n, 7, 24)."""
    kinds = by_slot.reshape(len(by_slot), 3, 24)
    return np.asarray(np.concatenate((np.repeat(kinds[:, :1], 5, axis=1), kinds[:, 1:]), axis=1))


@lru_cache(maxsize=64)
def clock_of(zone: str, hours_us: tuple[int, ...]) -> tuple[I8, I8]:
    """Return slots of the week and local days of hours, (hours, 1); (hours, 4), by quarters, where they lie across."""
    local = [[to_datetime(at_us + n * HOUR // 4, zone) for n in range(4)] for at_us in hours_us]
    slots = np.array([[max(0, one.weekday() - 4) * 24 + one.hour for one in hour] for hour in local], np.int64)
    days = np.array([[one.toordinal() for one in hour] for hour in local], np.int64)
    alike = bool((slots == slots[:, :1]).all() and (days == days[:, :1]).all())
    return (slots[:, :1], days[:, :1]) if alike else (slots, days)
