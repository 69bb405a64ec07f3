"""The slot planner: debtors into slots under capacity, at the prices at which demand and capacity meet.

    plan = assign(value, capacity, per_day=1, per_week=3, slots_per_day=12, mask=None, left=None)

Maximises the value of a plan in which every slot has at most its capacity, and every debtor at most `per_day` slots a
day and `per_week` altogether. The dual prices a slot by what one more place in it would add: at given prices each
debtor's best slots are found by themselves. Prices are found by subgradient steps, on a sample first; a plan at these
prices is repaired to fit, so that its value is near the dual's bound, which no plan exceeds. Method: Lagrangian
relaxation (Geoffrion 1974), Adagrad steps (Duchi et al. 2011), augmenting chains (Ford and Fulkerson 1956).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from strategy import slot_kernel as kernel

F4 = NDArray[np.float32]
F8 = NDArray[np.float64]
I2 = NDArray[np.int16]
I8 = NDArray[np.int64]
U1 = NDArray[np.uint8]
Flags = NDArray[np.bool_]

#: Debtors in the sample on which prices are first found.
_SAMPLE: Final = 30_000
#: Steps and their length: first of the logarithm, since slots may be worth thousands of times what others are.
_ROUGHLY: Final = (40, 0.5)
_ROUGHLY_NEAR: Final = (20, 0.5)
#: Then in the price itself: with a sample or a small portfolio, and with everybody of a large one. Each stage begins
#: anew from the best prices so far, in shorter steps.
_STAGES: Final = ((60, 0.1), (60, 0.02), (60, 0.005))
_STAGES_ALL: Final = ((8, 0.06), (7, 0.01))
#: A slot of small price takes steps as if it had this share of a middling one: it may have to rise.
_LEAST: Final = 0.03
#: Debtors by whom is told what a slot is worth at most.
_ASKED: Final = 4000
#: A gap by which prices to begin at were not near: what is found without them is no worse.
_FAR: Final = 1e-3
#: Work of the chains at the end, in values looked at.
_CHAIN_WORK: Final = 330_000_000
#: Slots whose values are brought together at once, each in a row: to walk down a column takes five times as long.
_COLUMNS: Final = 16
_PLENTY: Final = 2.0**53
#: More than nothing, so that it can be multiplied.
_TINY: Final = 1e-37
#: Debtors who are asked first whether they may still take a slot.
_LOOKED: Final = 2000
#: Share of the bound that is not searched for.
_NEAR: Final = 2e-6
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_NOT_KEPT: I2 = np.empty((0, 0), np.int16)
_NOTHING: U1 = np.empty((0, 0), np.uint8)
_NOBODY: Flags = np.empty(0, np.bool_)


class _Own(NamedTuple):
    """Debtors' own limits as the kernels take them: what is left, and whom that may bind."""

    left: U1
    bound: Flags

    def some(self, rows: NDArray[np.intp]) -> "_Own":
        return _Own(self.left[rows], self.bound[rows]) if self.bound.size else self


@dataclass(slots=True, frozen=True)
class SlotPlan:
    """A plan, what it is worth, and how far from the best it can be at most."""

    #: (n, per_week) slots of each debtor in rising order; before them -1 for each that he might have had.
    chosen: I2
    #: (s,) what one more place would add.
    prices: F8
    #: Sum of the values of what is chosen.
    value: float
    #: What no plan exceeds, to the last digits of a float32.
    bound: float

    @property
    def slots(self) -> Flags:
        """(n, s) whether a debtor has a slot."""
        n = len(self.chosen)
        found = np.zeros((n, len(self.prices)), bool)
        row, place = np.nonzero(self.chosen >= 0)
        found[row, self.chosen[row, place]] = True
        return found

    @property
    def gap(self) -> float:
        """Share of the bound that the plan misses."""
        return (self.bound - self.value) / self.bound if self.bound > 0.0 else 0.0


def assign(
    value: F4,
    capacity: NDArray[np.generic],
    per_day: int = 1,
    per_week: int = 3,
    slots_per_day: int = 12,
    mask: Flags | None = None,
    left: U1 | None = None,
    begin: F8 | None = None,
) -> SlotPlan:
    """Return a plan of greatest value, as near as its gap says.

    Parameters
    ----------
    value : (n, s) float32
        Of each debtor in each slot, in any unit; where it is not above 0 nothing is planned.
    capacity : (s,)
        Places of each slot, 0 or more; fractions of a place are not used.
    per_day, per_week : int
        Slots of a debtor in a day at most, and altogether.
    slots_per_day : int
        Slots in a row that make a day.
    mask : (n, s) bool, optional
        Where a debtor may be contacted; elsewhere values may be anything.
    left : (n, s) uint8, optional
        How many slots a debtor may have until and with each that he has, where that may be fewer than `per_week`; asks
        for one slot a day.
    begin : (s,), optional
        Prices of a plan much like this one, which are then near: they are found sooner.

    Raises
    ------
    BadInput
        When shapes disagree, a value is not finite, or a number is out of range.
    """
    value, places = _checked(value, capacity, per_day, per_week, slots_per_day, mask, left, begin)
    own = _Own(_NOTHING, _NOBODY)
    if left is not None:
        own = _Own(np.ascontiguousarray(left), np.asarray(((left < per_week) & (value > 0.0)).any(axis=1)))
    limits = per_day, per_week, slots_per_day
    n, s = value.shape
    if not n or not s:
        return SlotPlan(np.full((n, per_week), -1, np.int16), np.zeros(s), 0.0, 0.0)
    # Nobody is to look at a slot without a place: what it would be worth is told afterwards.
    closed = np.flatnonzero(places < 1)
    prices: F8 = np.where(places < 1, kernel.CLOSED, 0.0)
    peaks = kernel.peaks_of(value, prices.astype(np.float32), slots_per_day)
    everybody = _Market(value, peaks, places.astype(np.float64), own, limits)
    if n > 2 * _SAMPLE:
        # Spread evenly by multiples of the golden ratio, in no order that a list is likely to have.
        some = np.flatnonzero(np.arange(n, dtype=np.uint64) * _GOLDEN < np.uint64(2**64 * (_SAMPLE / n)))
        sample = _Market(value[some], peaks[some], places * (len(some) / n), own.some(some), limits)
        prices, _ = _priced(sample, _roughly(sample, prices, begin), _STAGES)
        prices, most = _priced(everybody, prices, _STAGES_ALL)
    else:
        prices, most = _priced(everybody, _roughly(everybody, prices, begin), _STAGES)
    chosen = np.empty((n, per_week), np.int16)
    demand = np.empty(s, np.int64)
    kernel.choose(value, peaks, prices.astype(np.float32), *own, *limits, chosen, demand)
    _fit(value, places, prices, chosen, demand, own, limits, most)
    if len(closed):
        kernel.first_places(value, peaks, prices.astype(np.float32), closed, *own, *limits, prices)
    chosen.sort(axis=1)
    total = _total(value, chosen)
    plan = SlotPlan(chosen, prices, total, max(most, total))
    if begin is not None and plan.gap > _FAR:
        return assign(value, places, *limits, left=left)
    return plan


class _Market(NamedTuple):
    """Debtors who choose slots at prices."""

    value: F4
    peaks: F4
    #: (s,), of a sample of the debtors its share.
    places: F8
    own: _Own
    limits: tuple[int, int, int]

    def asked(self, prices: F8, demand: I8) -> float:
        """Fill `demand` by what debtors choose at some prices; return what no plan exceeds."""
        at = prices.astype(np.float32)
        above = kernel.choose(self.value, self.peaks, at, *self.own, *self.limits, _NOT_KEPT, demand)
        return above + float(at.astype(np.float64) @ self.places)


def _roughly(market: _Market, prices: F8, begin: F8 | None) -> F8:
    """Return prices of the right size where slots are open; those of closed ones stay."""
    value, places = market.value, market.places
    demand, seen = np.empty(len(prices), np.int64), np.zeros(len(prices))
    is_open = prices < kernel.CLOSED
    free = np.where(is_open, 0.0, prices)
    market.asked(free, demand)
    if (demand <= places).all():
        return free
    # At a price that fewer would pay than there are places, were there no other slots, there is room.
    some = np.sort(value[:: max(1, len(value) // _ASKED)], axis=0)
    rank = np.maximum(0, len(some) - 1 - (places * (len(some) / len(value))).astype(np.int64))
    highest = np.maximum(np.take_along_axis(some, rank[None], 0)[0], _TINY)
    # A price of nothing at the beginning may have to rise.
    prices = np.where(is_open, highest if begin is None else np.maximum(begin, _LEAST * highest), prices)
    best, bound = prices, np.inf
    steps, length = _ROUGHLY if begin is None else _ROUGHLY_NEAR
    for _ in range(steps):
        worth = market.asked(prices, demand)
        if worth < bound:
            best, bound = prices, worth
        excess = np.clip(np.log((demand + 0.5) / (places + 0.5)), -1.0, 1.0)
        seen += excess * excess
        prices = np.where(is_open, prices * np.exp(length * excess / np.sqrt(seen + 1e-12)), prices)
    return best


def _priced(market: _Market, prices: F8, stages: Sequence[tuple[int, float]]) -> tuple[F8, float]:
    """Return the prices with the lowest bound that were met on the way, and the bound."""
    demand = np.empty(len(prices), np.int64)
    per_place = 1.0 / np.maximum(market.places, 1.0)
    is_open = prices < kernel.CLOSED
    usual = np.median(prices[is_open]) if is_open.any() else 0.0
    scale = np.where(is_open, np.maximum(prices, _LEAST * usual), 0.0)
    best, bound = prices, np.inf
    for steps, length in stages:
        prices, seen = best, np.zeros(len(best))
        for _ in range(steps):
            worth = market.asked(prices, demand)
            if worth < bound:
                best, bound = prices, worth
            excess = (demand - market.places) * per_place
            seen += excess * excess
            prices = np.maximum(0.0, prices + length * scale * excess / np.sqrt(seen + 1e-12))
    return best, bound


def _fit(
    value: F4,
    places: I8,
    prices: F8,
    chosen: I2,
    demand: I8,
    own: "_Own",
    limits: tuple[int, int, int],
    most: float,
) -> None:
    """Bring what debtors chose under capacity, losing little, and fill what is left; `chosen` is changed."""
    n, s = value.shape
    at, room = prices.astype(np.float32), places - demand
    for k in np.argsort(-prices, kind="stable"):
        while room[k] < 0:
            holders = np.flatnonzero((chosen == k).any(axis=1))
            lost, other = np.empty(len(holders), np.float32), np.empty(len(holders), np.int64)
            kernel.regrets(value, at, chosen, k, holders, room, *own, *limits, lost, other)
            some = _least(lost, int(-room[k]))
            kernel.leave(chosen, k, holders[some], other[some], room)
    spare: Flags = np.asarray((chosen < 0).any(axis=1))
    short = [k for k in np.argsort(-prices, kind="stable") if room[k] > 0]
    for block in range(0, len(short), _COLUMNS):
        slots = short[block : block + _COLUMNS]
        for k, worth in zip(slots, np.ascontiguousarray(value[:, slots].T), strict=True):
            np.multiply(worth, spare, out=worth)
            looked, found = 0, np.empty(0, np.intp)
            while len(found) < room[k] and looked < n:
                # Most of those to whom it is worth most may take it.
                looked = max(4 * looked, 4 * int(room[k]), _LOOKED)
                some = _least(-worth, looked)
                some = some[worth[some] > 0.0]
                found = some[kernel.may_take(chosen, some, k, *own, *limits)]
            found = found[_least(-worth[found], int(room[k]))]
            free = np.argmax(chosen[found] < 0, axis=1)
            chosen[found, free] = k
            spare[found] = (chosen[found] < 0).any(axis=1)
            room[k] -= len(found)
    missing = most * (1.0 - _NEAR) - _total(value, chosen)
    kernel.augment(value, chosen, room, *own, *limits, missing, int(_CHAIN_WORK / (n * s * (1 + limits[1]))))


def _least(loss: F4, most: int) -> NDArray[np.intp]:
    """Return the places of the `most` smallest."""
    return np.argpartition(loss, most)[:most] if most < len(loss) else np.arange(len(loss))


def _total(value: F4, chosen: I2) -> float:
    held = chosen >= 0
    return float(value[np.nonzero(held)[0], chosen[held]].sum(dtype=np.float64))


def _checked(
    value: F4,
    capacity: NDArray[np.generic],
    per_day: int,
    per_week: int,
    slots_per_day: int,
    mask: Flags | None,
    left: U1 | None,
    begin: F8 | None,
) -> tuple[F4, I8]:
    """Return values, 0 where mask or limit forbids, and whole places, in the types of the kernels."""
    value = np.ascontiguousarray(value, np.float32)
    if value.ndim != 2:
        raise BadInput(f"value: expected debtors by slots, found {value.ndim} dimensions")
    s = value.shape[1]
    places = np.asarray(capacity, np.float64)
    if places.shape != (s,):
        raise BadInput(f"capacity: expected {s} slots as in value, found shape {places.shape}")
    if (wrong := np.flatnonzero(~(np.isfinite(places) & (places >= 0)))).size:
        raise BadInput(f"capacity: slot {wrong[0]} has {places[wrong[0]]}; places are a number, 0 or more")
    for name, number in (("per_day", per_day), ("per_week", per_week), ("slots_per_day", slots_per_day)):
        if not isinstance(number, (int, np.integer)) or number < 1:
            raise BadInput(f"{name}: expected a whole number, 1 or more, found {number!r}")
    if s > np.iinfo(np.int16).max:
        raise BadInput(f"value: {s} slots; at most {np.iinfo(np.int16).max} can be planned at once")
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != value.shape or mask.dtype != np.bool_:
            raise BadInput(
                f"mask: expected the shape of value, {value.shape}, as bool; found {mask.shape}, {mask.dtype}"
            )
        value = np.where(mask, value, np.float32(0.0))
    if not np.isfinite(value).all():
        row, slot = (int(place[0]) for place in np.nonzero(~np.isfinite(value)))
        raise BadInput(f"value: row {row}, slot {slot} is {value[row, slot]}; every value must be a finite number")
    if left is not None:
        if left.shape != value.shape or left.dtype != np.uint8:
            raise BadInput(
                f"left: expected the shape of value, {value.shape}, as uint8; found {left.shape}, {left.dtype}"
            )
        if per_day > 1:
            raise BadInput(f"left: is kept with one slot a day alone; per_day was {per_day}")
        value = np.where(left > 0, value, np.float32(0.0))
    if begin is not None and (begin.shape != (s,) or not (np.isfinite(begin) & (begin >= 0)).all()):
        found = begin.tolist() if begin.shape == (s,) else f"shape {begin.shape}"
        raise BadInput(f"begin: expected {s} prices, each a number, 0 or more; found {found}")
    # Nobody has so many debtors; whole numbers go on a little further.
    return value, np.floor(np.minimum(places, _PLENTY)).astype(np.int64)
