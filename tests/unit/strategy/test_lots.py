"""Lots: the hash of the simulator's chance, even, and independent of each other."""

from hashlib import blake2b

import numpy as np

from simulation.chance import Chance, mix
from strategy.lots import draw


def test_the_hash_is_that_of_decision_6() -> None:
    chance = Chance(7)
    key = int.from_bytes(blake2b(b"a", digest_size=8).digest(), "big")
    chance._keys = (key,) * len(chance._keys)
    people = np.array([0, 1, 17, 2**40, -3])
    for counter in (0, 5, 20_000):
        assert draw("a", people, counter).tolist() == chance.many(1, people, counter).tolist()
    assert mix(0) == 0


def test_lots_are_even_and_their_own() -> None:
    people = np.arange(100_000)
    one, other, next_day = draw("c/s/arm", people), draw("c/s/holdout", people), draw("c/s/arm", people, 1)
    assert 0.0 < one.min() < one.max() < 1.0
    # Five standard errors.
    assert np.abs(np.histogram(one, 20, (0, 1))[0] - 5_000).max() < 5 * np.sqrt(5_000)
    for another in (other, next_day):
        assert abs(np.corrcoef(one, another)[0, 1]) < 5 / np.sqrt(len(people))
