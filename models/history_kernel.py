"""What `models.history` does line by line, compiled.

Every function is at module level and compiled once into a cache on disk; words come in as the numbers below.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from domain.instants import DAY, HOUR

I8 = NDArray[np.int64]

# Kinds of line. A call's end lies in FAILED … RIGHT; whom a person answered in ABANDONED … RIGHT.
OTHER: Final = 0
DIALED: Final = 1
NOT_DIALLED: Final = 2
FAILED: Final = 3
DEAD: Final = 4
BUSY: Final = 5
NO_ANSWER: Final = 6
REJECTED: Final = 7
MACHINE: Final = 8
LOST: Final = 9
ABANDONED: Final = 10
ANSWERED: Final = 11
WRONG: Final = 12
THIRD: Final = 13
RIGHT: Final = 14
MESSAGE: Final = 15
INBOUND: Final = 16
PROMISE: Final = 17
PLAN: Final = 18
CALL_BACK: Final = 19
PAYMENT: Final = 20
BALANCE: Final = 21
WITHDRAWN: Final = 22
DISPUTE: Final = 23
NUMBER_STOP: Final = 24


class Told(NamedTuple):
    """Lines as they are read; columns of one length."""

    #: Place of the person; -1: nobody's.
    row: I8
    event_us: I8
    known_us: I8
    kind: NDArray[np.uint8]
    alone: NDArray[np.bool_]
    end: NDArray[np.uint8]
    #: Ids; -1: none.
    phone: I8
    debt: I8
    amount: NDArray[np.float64]
    due_day: NDArray[np.int32]


@njit(cache=True, nogil=True)
def offset_of(clocks: Any, clock: int, at_us: int) -> int:
    """Return the offset of a clock from UTC at an instant, in µs."""
    k = clocks.first[clock + 1] - 1
    while clocks.from_us[k] > at_us:
        k -= 1
    return clocks.offset_us[k]  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def weekday_of(local_us: int) -> int:
    """Return 0 for Monday … 6 for Sunday."""
    return (local_us // DAY + 3) % 7


@njit(cache=True, nogil=True)
def cell_of(local_us: int) -> int:
    """Return the local hour, and 24 more at the weekend."""
    return local_us % DAY // HOUR + (24 if weekday_of(local_us) >= 5 else 0)


@njit(cache=True, nogil=True)
def place_of(owned: Any, i: int, wanted: int) -> int:
    """Return the place of an id among a person's numbers or debts; -1: it is none of them."""
    for k in range(owned.first[i], owned.first[i + 1]):
        if owned.id[k] == wanted:
            return k - owned.first[i]  # type: ignore[no-any-return]
    return -1


@njit(cache=True, nogil=True)
def scatter(told: Told, after: I8, lines: Any, numbers: Any, debts: Any, clock: Any, clocks: Any) -> None:
    """Put lines behind those of their people that are there; `after` is where each person's next goes."""
    for j in range(len(told.row)):
        i = told.row[j]
        if i < 0:
            continue
        e = after[i]
        after[i] = e + 1
        lines.event_us[e] = told.event_us[j]
        lines.known_us[e] = told.known_us[j]
        lines.kind[e] = told.kind[j]
        lines.alone[e] = told.alone[j]
        lines.end[e] = told.end[j]
        lines.amount[e] = told.amount[j]
        lines.due_day[e] = told.due_day[j]
        lines.number[e] = place_of(numbers, i, told.phone[j]) if told.phone[j] >= 0 else -1
        lines.debt[e] = place_of(debts, i, told.debt[j]) if told.debt[j] >= 0 else -1
        lines.cell[e] = cell_of(told.event_us[j] + offset_of(clocks, clock[i], told.event_us[j]))


@njit(cache=True, nogil=True)
def order(lines: Any) -> None:
    """Put each person's lines in the order in which they were learned."""
    for i in range(len(lines.first) - 1):
        a, b = lines.first[i], lines.first[i + 1]
        in_order = True
        for e in range(a + 1, b):
            if lines.known_us[e] < lines.known_us[e - 1]:
                in_order = False
                break
        if in_order:
            continue
        by = np.argsort(lines.known_us[a:b], kind="mergesort")
        lines.event_us[a:b] = lines.event_us[a:b][by]
        lines.known_us[a:b] = lines.known_us[a:b][by]
        lines.kind[a:b] = lines.kind[a:b][by]
        lines.alone[a:b] = lines.alone[a:b][by]
        lines.end[a:b] = lines.end[a:b][by]
        lines.number[a:b] = lines.number[a:b][by]
        lines.debt[a:b] = lines.debt[a:b][by]
        lines.cell[a:b] = lines.cell[a:b][by]
        lines.amount[a:b] = lines.amount[a:b][by]
        lines.due_day[a:b] = lines.due_day[a:b][by]
