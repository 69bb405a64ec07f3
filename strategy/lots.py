"""Lots: chance by a keyed hash, so that a debtor's lot is the same on every machine, and known before it is drawn.

A lot is u(key, entity, counter), uniform in (0, 1), by the hash of `simulation.chance` (decision 0006). Nothing here
has state: who asks twice gets the same lot.
"""

from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_12, _27, _30, _31 = np.uint64(12), np.uint64(27), np.uint64(30), np.uint64(31)


def draw(purpose: str, entities: I8, counter: int = 0) -> F8:
    """Return a lot for each entity.

    Parameters
    ----------
    purpose : str
        What is drawn, and where: lots of different purposes have nothing to do with each other.
    entities : (n,) int64
        Persons, or days.
    counter : int
        How many-th lot of each.
    """
    key = np.array([int.from_bytes(blake2b(purpose.encode(), digest_size=8).digest(), "big")], np.uint64)
    word = _mix(key + np.asarray(entities, np.int64).astype(np.uint64) * _GAMMA)
    word = _mix(word + np.array([counter], np.int64).astype(np.uint64) * _GAMMA)
    drawn: F8 = (word >> _12).astype(np.float64) * 2.0**-52 + 2.0**-53
    return drawn


def _mix(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    word = (word ^ (word >> _30)) * _FIRST
    word = (word ^ (word >> _27)) * _SECOND
    return word ^ (word >> _31)
