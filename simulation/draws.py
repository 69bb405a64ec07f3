"""Chance, compiled: the same draws four times as fast, for runs that make millions of them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from simulation.chance import Attempted, Chance, Purpose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simulation.chance import F8

_WORD = 0xFFFFFFFFFFFFFFFF
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _12 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(12)


@njit(cache=True)
def _mix(word: Any) -> Any:
    word = (word ^ (word >> _30)) * _FIRST
    word = (word ^ (word >> _27)) * _SECOND
    return word ^ (word >> _31)


@njit("float64(uint64, uint64, uint64)", cache=True)
def _u(key: Any, entity: Any, counter: Any) -> Any:
    return (_mix(_mix(key + entity * _GAMMA) + counter * _GAMMA) >> _12) * 2.0**-52 + 2.0**-53


@njit("int64(float64, uint64, uint64, int64, int64)", cache=True)
def _first_below(bound: Any, key: Any, entity: Any, start: Any, stop: Any) -> Any:
    for counter in range(start, stop):
        if _u(key, entity, np.uint64(counter)) < bound:
            return counter
    return stop


@njit("float64[::1](uint64, int64[::1], uint64)", cache=True)
def _many(key: Any, entities: Any, counter: Any) -> Any:
    drawn = np.empty(len(entities))
    for place in range(len(entities)):
        drawn[place] = _u(key, np.uint64(entities[place]), counter)
    return drawn


@njit("UniTuple(float64, 7)(uint64[::1], uint64, uint64, uint64, uint64)", cache=True)
def _of_attempt(keys: Any, phone: Any, nth: Any, near: Any, hour: Any) -> Any:
    return (
        _u(keys[0], phone, nth),
        _u(keys[1], phone, nth),
        _u(keys[2], near, hour),
        _u(keys[3], phone, nth),
        _u(keys[4], phone, nth),
        _u(keys[5], phone, nth),
        _u(keys[6], phone, nth),
    )


class Draws(Chance):
    """The draws of one seed."""

    __slots__ = ("_attempt_keys",)

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._attempt_keys = np.array(self._keys[Purpose.network : Purpose.who + 1], np.uint64)

    def u(self, purpose: int, entity: int, counter: int = 0) -> float:
        drawn: float = _u(self._keys[purpose], entity & _WORD, counter & _WORD)
        return drawn

    def first_below(self, bound: float, purpose: int, entity: int, start: int, stop: int) -> int | None:
        found: int = _first_below(bound, self._keys[purpose], entity & _WORD, start, stop)
        return found if found < stop else None

    def many(self, purpose: int, entities: "NDArray[np.int64]", counters: "NDArray[np.int64] | int" = 0) -> "F8":
        if not isinstance(counters, int) or entities.ndim != 1:
            return super().many(purpose, entities, counters)
        drawn: F8 = _many(self._keys[purpose], np.ascontiguousarray(entities, np.int64), counters & _WORD)
        return drawn

    def of_attempt(self, phone: int, nth: int, near: int, hour: int) -> Attempted:
        drawn: Attempted = _of_attempt(self._attempt_keys, phone & _WORD, nth & _WORD, near & _WORD, hour & _WORD)
        return drawn
