"""What scores say of people's numbers, as a plan weighs it and as leads take it along."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.forecasts import HOURS, pack
from domain.instants import to_datetime
from domain.people import Dossier
from strategy.fields import Numbers, Scores

F4 = NDArray[np.float32]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Forecasts:
    """What models say of the numbers of some people, by place among each one's own."""

    def __init__(self, scores: Scores, people: Sequence[Dossier]) -> None:
        assert scores.numbers is not None
        self._numbers = scores.numbers(sorted(one.person for one in people))
        self._row = _rows_of(self._numbers)
        self._people = people

    def of(self, number: int, hours: I8) -> tuple[Flags, tuple[F4, F4, F4]]:
        """Return of whose number of this place something is told, (n,), the chances in hours, (n, s) each, and that of
        a machine where no person answers, (n,), NaN where that is not known.
        """
        place = np.array(
            [
                self._row.get((one.person, one.phones[number].phone), -1) if number < len(one.phones) else -1
                for one in self._people
            ],
            np.int64,
        )
        told = place >= 0
        answered, right = np.zeros((2, len(place), len(hours)), np.float32)
        answered[told] = self._numbers.p_answered[place[told]][:, hours]
        right[told] = self._numbers.p_right[place[told]][:, hours]
        machine = np.full(len(place), np.nan, np.float32)
        machine[told] = self._numbers.p_machine[place[told]]
        told &= ~(np.isnan(answered).any(axis=1) | np.isnan(right).any(axis=1))
        return told, (answered, right, machine)


def _rows_of(numbers: Numbers) -> dict[tuple[int, int], int]:
    pairs = zip(numbers.person.tolist(), numbers.phone.tolist(), strict=True)
    return {pair: row for row, pair in enumerate(pairs)}


class Told(NamedTuple):
    """What a lead takes with it of the scores."""

    #: Numbers in the order in which the debtor is likely to answer; empty: nothing is told.
    numbers: tuple[int, ...]
    #: As `domain.people.Lead.reach`.
    reach: tuple[tuple[int, bytes], ...]


def tell(
    scores: Scores | None, people: Sequence[Dossier], hours_us: Sequence[int], at_us: int, zone: str
) -> list[Told]:
    """Return what scores tell each lead of today.

    Parameters
    ----------
    hours_us : sequence of int
        The hour that each is for; 0: none, then numbers stand by their best hour of the day.
    """
    if scores is None or scores.numbers is None:
        return [Told((), ())] * len(people)
    numbers = scores.numbers(sorted(one.person for one in people))
    row = _rows_of(numbers)
    first = 24 * to_datetime(at_us, zone).weekday()
    day = slice(first, first + HOURS)
    found = []
    for one, hour_us in zip(people, hours_us, strict=True):
        rows = [(phone.phone, row[one.person, phone.phone]) for phone in one.phones if (one.person, phone.phone) in row]
        answered = [(phone, numbers.p_answered[at, day], numbers.p_machine[at : at + 1]) for phone, at in rows]
        reach = tuple(
            (phone, pack([*chances.tolist(), *machine[~np.isnan(machine)].tolist()]))
            for phone, chances, machine in answered
            if not np.isnan(chances).any()
        )
        right = {phone: numbers.p_right[at, day] for phone, at in rows}
        order: tuple[int, ...] = ()
        if len(right) == len(one.phones) > 1 and not any(np.isnan(of).any() for of in right.values()):
            hour = to_datetime(hour_us, zone).hour if hour_us else None
            chance = {phone: float(of.max() if hour is None else of[hour]) for phone, of in right.items()}
            order = tuple(sorted(right, key=lambda phone: -chance[phone]))
        found.append(Told(order, reach))
    return found
