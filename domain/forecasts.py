"""The chance that a person answers in each hour of the floor's day, as it travels with a lead: 24 numbers of two bytes.

A byte string costs a list of a million leads a tenth of what numbers would, and equal ones are equal bytes.
"""

from collections.abc import Sequence
from typing import Final

#: Probabilities are told in units of 1 / _ONE, little-endian; 1 is the most.
_ONE: Final = 65_535
HOURS: Final = 24


def pack(chances: Sequence[float]) -> bytes:
    """Return chances in [0, 1], one for each hour from midnight on, in two bytes each."""
    return b"".join(round(chance * _ONE).to_bytes(2, "little") for chance in chances)


def at(hours: bytes, hour: int) -> float:
    """Return the chance at an hour in 0 .. 23, to 1 / 131,070."""
    return int.from_bytes(hours[2 * hour : 2 * hour + 2], "little") / _ONE
