"""When treatments let debtors rest, in the hours of a plan: parts of their day, calls in a day and in any seven days.

`dialer.engine.courtesy` says the same of one debtor and one instant, when he is to be called.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compliance.mask import Left
from domain.instants import DAY, HOUR, midnight_us, to_datetime
from domain.people import Dossier
from domain.settings import CallTreatment

I8 = NDArray[np.int64]


def rest(
    treatments: Sequence[CallTreatment], people: Sequence[Dossier], hours_us: I8, now_us: int, zone: str, most: int
) -> Left:
    """Return what treatments leave of the calls of the hours, `most` at most, as `compliance.mask.calls_left` tells it.

    Parameters
    ----------
    treatments : sequence of CallTreatment
        One for each debtor.
    hours_us : (s,) int64
        Starts of hours, ascending, less than seven days from the first to the last. Those that are over are closed.
    zone : str
        Of who has none himself.
    """
    n, s = len(people), len(hours_us)
    calls, after = np.empty((n, s), np.uint8), np.empty((n, s), np.int64)
    clocks: dict[str, _Clock] = {}
    usual: dict[tuple[int, str], Left] = {}
    for row, (treatment, one) in enumerate(zip(treatments, people, strict=True)):
        home = _zone_of(one, zone)
        clock = clocks.get(home)
        if clock is None:
            clock = clocks[home] = _Clock(hours_us, now_us, home)
        found = usual.get((id(treatment), home))
        if found is None:
            found = usual[id(treatment), home] = clock.usual(treatment, most)
        calls[row], after[row] = found
        if treatment.calls_per_day is None and treatment.calls_per_week is None:
            continue
        dialled = [
            line.at_us
            for line in one.history
            if line.at_us > now_us - 7 * DAY and line.channel == "call" and not line.inbound
        ]
        if not dialled:
            continue
        if treatment.calls_per_week is not None:
            counted = (hours_us < np.array(dialled)[:, None] + 7 * DAY).sum(axis=0)
            calls[row] = np.minimum(calls[row], np.clip(treatment.calls_per_week - counted, 0, most))
        if treatment.calls_per_day is not None:
            still = treatment.calls_per_day - sum(when >= clock.today_us for when in dialled)
            if still <= 0:
                calls[row, clock.is_today] = 0
            elif still == 1:
                after[row, clock.is_today] = clock.first[clock.is_today]
    return Left(calls, after)


class _Clock:
    """Hours as they are where somebody lives."""

    def __init__(self, hours_us: I8, now_us: int, zone: str) -> None:
        local = [to_datetime(int(at_us), zone) for at_us in hours_us]
        self._minutes = np.array([60 * one.hour + one.minute for one in local], np.int64)
        self._over = hours_us + HOUR <= now_us
        days = np.array([one.toordinal() for one in local], np.int64)
        today = to_datetime(now_us, zone).date()
        self.today_us, self.is_today = midnight_us(today, zone), days == today.toordinal()
        #: The first hour of the day of each.
        self.first = np.searchsorted(days, days)

    def usual(self, treatment: CallTreatment, most: int) -> Left:
        """Return what a treatment leaves who has not been called, (s,) each."""
        most = min(most, most if treatment.calls_per_week is None else treatment.calls_per_week)
        calls = np.where(self._over, 0, most)
        if treatment.hours:
            # An hour may be planned that lies in a part of the day, or holds the beginning of one.
            within = [(self._minutes < end) & (self._minutes + 60 > begin) for begin, end in treatment.hours]
            calls[~np.any(within, axis=0)] = 0
        # Two of the floor's days may meet in one of his.
        after = self.first if treatment.calls_per_day == 1 else np.arange(len(calls))
        return Left(calls.astype(np.uint8), after)


def _zone_of(one: Dossier, otherwise: str) -> str:
    if one.address_zones:
        return one.address_zones[0]
    return next((phone.zones[0] for phone in one.phones if phone.zones), otherwise)
