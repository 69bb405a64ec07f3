"""Chance as a function: a draw is u(seed, purpose, entity, counter), whatever was drawn before (decision 0006).

Nothing here has state. The hash is the finaliser of SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom
number generators", OOPSLA 2014) applied once for each word; tests/unit/test_chance.py holds its known vectors.
"""

import math
from bisect import bisect_right
from collections.abc import Collection, Sequence
from hashlib import blake2b
from itertools import accumulate, pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    F8 = NDArray[np.float64]

Option = TypeVar("Option")
Attempted = tuple[float, float, float, float, float, float, float]

_WORD: Final = 0xFFFFFFFFFFFFFFFF
_GAMMA: Final = 0x9E3779B97F4A7C15


class Purpose:
    """One number for each quantity drawn. A number once given is never used for another quantity."""

    # people and their numbers
    trait: Final = 1
    number: Final = 2
    network: Final = 3
    setup: Final = 4
    home: Final = 5
    answer: Final = 6
    machine: Final = 7
    ring: Final = 8
    who: Final = 9
    patience: Final = 10
    talk: Final = 11
    ends: Final = 12
    outcome: Final = 13
    promise: Final = 14
    call_back: Final = 15
    # the switch
    detect: Final = 24
    detect_time: Final = 25
    # agents
    late: Final = 32
    wrap: Final = 33
    break_after: Final = 34
    break_length: Final = 35
    forget: Final = 36
    early: Final = 37
    drop: Final = 38
    preview: Final = 39
    skip: Final = 40
    announce: Final = 41
    announce_before: Final = 42
    absence: Final = 43
    skill: Final = 44
    suits: Final = 45
    # 48 to 60 are those of `simulation.sample`
    # people: who they are
    latent: Final = 64
    condition: Final = 65
    payday: Final = 66
    taste: Final = 67
    shift: Final = 83
    # what they do
    resident: Final = 68
    pay: Final = 69
    pay_time: Final = 70
    pay_share: Final = 71
    promise_due: Final = 72
    promise_kept: Final = 73
    promise_late: Final = 74
    promise_time: Final = 75
    ask: Final = 76
    ask_time: Final = 77
    ask_kind: Final = 78
    complain: Final = 79
    complain_about: Final = 80
    seen: Final = 81
    told: Final = 82
    swing: Final = 84
    # how a portfolio is made
    made: Final = 96

    #: One more than the greatest number.
    end: Final = 128


def mix(word: int) -> int:
    """Return the SplitMix64 finaliser of a 64-bit word."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    return word ^ (word >> 31)


def entity_of(name: str) -> int:
    """Return the signed 64-bit number that stands for a named entity (an agent) in draws."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


class Chance:
    """The draws of one seed."""

    __slots__ = ("_keys", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        first = mix((seed + _GAMMA) & _WORD)
        self._keys = tuple(mix((first + purpose * _GAMMA) & _WORD) for purpose in range(Purpose.end))

    def u(self, purpose: int, entity: int, counter: int = 0) -> float:
        """Return the draw of one quantity, uniform in the open interval (0, 1).

        Parameters
        ----------
        purpose : int
            One of `Purpose`.
        entity : int
            Person, phone or agent; any integer, taken modulo 2**64.
        counter : int
            How many-th draw of this quantity for this entity; any integer, taken modulo 2**64.
        """
        # `mix` written out twice: a call in the hot path costs as much as the arithmetic.
        word = (self._keys[purpose] + entity * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        word = ((word ^ (word >> 31)) + counter * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        # 52 bits and a half: never 0, never 1, so that every inverse function is finite.
        return ((word ^ (word >> 31)) >> 12) * 2.0**-52 + 2.0**-53

    def first_below(self, bound: float, purpose: int, entity: int, start: int, stop: int) -> int | None:
        """Return the first counter in `range(start, stop)` whose draw lies below a bound; None: that of none does."""
        u = self.u
        return next((counter for counter in range(start, stop) if u(purpose, entity, counter) < bound), None)

    def of_attempt(self, phone: int, nth: int, near: int, hour: int) -> Attempted:
        """Return the draws of an attempt on a number, from `Purpose.network` to `Purpose.who`.

        Parameters
        ----------
        near, hour : int
            Of whom, and for which hour, it is drawn whether they are at home.
        """
        u = self.u
        return (
            u(Purpose.network, phone, nth),
            u(Purpose.setup, phone, nth),
            u(Purpose.home, near, hour),
            u(Purpose.answer, phone, nth),
            u(Purpose.machine, phone, nth),
            u(Purpose.ring, phone, nth),
            u(Purpose.who, phone, nth),
        )

    def many(self, purpose: int, entities: "NDArray[np.int64]", counters: "NDArray[np.int64] | int" = 0) -> "F8":
        """Return `u` of many entities, counters or both at once, broadcast against each other."""
        import numpy as np

        gamma = np.uint64(_GAMMA)
        word = np.atleast_1d(np.asarray(entities, np.int64)).astype(np.uint64) * gamma + np.uint64(self._keys[purpose])
        word = _mix_many(word) + np.atleast_1d(np.asarray(counters, np.int64)).astype(np.uint64) * gamma
        drawn: F8 = (_mix_many(word) >> np.uint64(12)).astype(np.float64) * 2.0**-52 + 2.0**-53
        return drawn


def _mix_many(word: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
    import numpy as np

    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


# ---- inverse functions


#: Quantile of the standard normal law: Wichura's rational approximation AS 241, exact to about 1e-16.
normal = NormalDist().inv_cdf


def exponential(u: float, mean: float) -> float:
    """Return the quantile u of the exponential law."""
    return -mean * math.log1p(-u)


def lognormal(u: float, median: float, sigma: float) -> float:
    """Return the quantile u of the lognormal law whose logarithm has mean log(median) and deviation sigma."""
    return median * math.exp(sigma * normal(u))


def uniform(u: float, low: float, high: float) -> float:
    """Return the quantile u of the uniform law."""
    return low + (high - low) * u


class Choice(Generic[Option]):
    """A choice by weights; equal draws choose equally."""

    __slots__ = ("_bounds", "options")

    def __init__(self, options: Sequence[Option], weights: Sequence[float]) -> None:
        total = sum(weights)
        self.options = tuple(options)
        self._bounds = tuple(bound / total for bound in accumulate(weights[:-1]))

    def of(self, u: float) -> Option:
        """Return the option in whose share the draw lies."""
        return self.options[bisect_right(self._bounds, u)]

    def share(self, options: Collection[Option]) -> float:
        """Return the chance of any of some options."""
        shares = (high - low for low, high in pairwise((0.0, *self._bounds, 1.0)))
        return sum(share for option, share in zip(self.options, shares, strict=True) if option in options)
