"""Hours filled in an agent's seconds instead of places: a second has a price, the one at which the hours are full.

`strategy.slots` knows places alone (decision 0029).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategy.slots import assign

F4 = NDArray[np.float32]
F8 = NDArray[np.float64]

#: Rounds in which the price of a second settles, and debtors on whom it does.
_ROUNDS: Final = 5
_SAMPLE: Final = 10_000


def in_seconds(
    value: F4, work: F4, seconds: F8, per_week: int, per_day: int, left: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.int16], F8, float]:
    """Return slots of each debtor, (n, per_week), what a second of each hour would add, and the gap.

    At a price per second, an attempt that takes less than its hour's usual one is worth so much more, and the hour has
    as many places as usual attempts fit into it. The price is that at which the places are. `left` as `assign` has it.
    """
    step = max(1, -(-len(value) // _SAMPLE))
    price, usual = 0.0, _usual(value, work, None)
    begin: F8 | None = None
    for round_ in range(_ROUNDS):
        last = round_ == _ROUNDS - 1
        some = slice(None) if last else slice(None, None, step)
        of, takes = value[some], work[some]
        places = seconds / usual / (1 if last else step)
        told = np.where(of > 0, of - np.float32(price) * (takes - usual.astype(np.float32)), np.float32(0.0))
        plan = assign(
            told, places, 1, per_week, per_day, left=None if left is None else left[some], begin=begin
        )  # fmt: skip
        begin, per_second = plan.prices, plan.prices / usual
        if not last:
            usual = _usual(of, takes, plan.chosen)
            total = float(seconds.sum())
            # Half way, so that it settles.
            price += 0.5 * ((float(per_second @ seconds) / total if total else 0.0) - price)
    return plan.chosen, per_second, plan.gap


def _usual(value: F4, work: F4, chosen: NDArray[np.int16] | None) -> F8:
    """Return how many seconds an attempt of each hour takes: of those chosen, or else of all."""
    may = value > 0
    n = may.sum(axis=0)
    whole = float(work[may].mean(dtype=np.float64)) if n.any() else 1.0
    found = np.where(n > 0, (work * may).sum(axis=0, dtype=np.float64) / np.maximum(1, n), whole)
    if chosen is not None:
        row, place = np.nonzero(chosen >= 0)
        slot = chosen[row, place].astype(np.int64)
        many = np.bincount(slot, minlength=value.shape[1])
        mean = np.bincount(slot, work[row, slot], value.shape[1]) / np.maximum(1, many)
        found = np.where(many > 0, mean, found)
    return np.maximum(found, 1.0)
