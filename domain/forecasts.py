"""Chances by the hour, packed: two bytes each, of the day with a lead and of the week in the ledger.

A byte string costs a list of a million leads a tenth of what numbers would, and equal ones are equal bytes.
"""

from collections.abc import Sequence
from typing import Final

#: A certain chance as a whole number; others are told in units of 1 / UNIT, little-endian.
UNIT: Final = 65_535
#: Hours of a day, and of a week: that of hour h on weekday d (Monday 0) stands at place 24 d + h, by the floor's clock.
HOURS: Final = 24
WEEK: Final = 7 * HOURS
#: Place after the hours of a day, of a number whose machines are told of: that one answers where no person does.
MACHINE: Final = HOURS


def pack(chances: Sequence[float]) -> bytes:
    """Return chances in [0, 1], in two bytes each."""
    return b"".join(round(chance * UNIT).to_bytes(2, "little") for chance in chances)


def at(packed: bytes, place: int) -> float:
    """Return the chance at a place, counted from 0, to 1 / 131,070."""
    return int.from_bytes(packed[2 * place : 2 * place + 2], "little") / UNIT


def taken(packed: bytes, hour: int) -> float:
    """Return the chance that a call at an hour of the day is answered by whatever, as far as machines are told of."""
    by_person = at(packed, hour)
    if len(packed) <= 2 * MACHINE:
        return by_person
    return by_person + (1.0 - by_person) * at(packed, MACHINE)
