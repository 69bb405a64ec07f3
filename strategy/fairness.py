"""Is anybody called more for what he is? Calls by debtor of one group against those of all, arm by arm.

Language, region and country decide nothing: no condition but `country` may name them, and no model knows them. Yet what
decides may stand for them, so what came of it is looked at. It tells that a group is called more, not why.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategy.evidence import Guard

F8 = NDArray[np.float64]

#: Smaller groups tell nothing of themselves; they are put together.
LEAST_DEBTORS: Final = 30
#: How the metric of such a guardrail begins; its field and group follow.
CALLS_BY: Final = "calls by"
OTHERS: Final = "(others)"
UNKNOWN: Final = "(not known)"
#: Chance to call any group of a field called more than the limit, where none is.
_FALSE: Final = 0.01
_STATES: Final = ("holds", "over", "alarm")


def intensity(field: str, words: NDArray[np.str_], arm: str, most: float, calls: F8, weeks: F8) -> Guard | None:
    """Return how the group of an arm stands that is called most; None: there are no two groups to compare.

    Parameters
    ----------
    words : (n,) array
        Each debtor's group; empty: not known.
    most : float
        Calls by debtor and week of a group may be so many times those of all.
    calls, weeks : (n,) arrays
        Of each debtor of the arm.
    """
    groups, place = _grouped(words)
    if len(groups) < 2 or not calls.sum():
        return None
    guards = [_one(field, group, arm, most, place == n, calls, weeks, len(groups)) for n, group in enumerate(groups)]
    return max(guards, key=lambda guard: (_STATES.index(guard.state), guard.at_least, guard.value))


def _grouped(words: NDArray[np.str_]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the groups that are large enough to tell of, and each debtor's place among them; -1: in none."""
    named = np.where(words == "", UNKNOWN, words)
    names, sizes = np.unique(named, return_counts=True)
    small = names[sizes < LEAST_DEBTORS]
    named = np.where(np.isin(named, small), OTHERS, named)
    names, sizes = np.unique(named, return_counts=True)
    groups = [str(name) for name, size in zip(names, sizes, strict=True) if size >= LEAST_DEBTORS]
    place = np.full(len(named), -1, np.int64)
    for number, group in enumerate(groups):
        place[named == group] = number
    return groups, place


def _one(
    field: str, group: str, arm: str, most: float, here: NDArray[np.bool_], calls: F8, weeks: F8, groups: int
) -> Guard:
    from scipy.special import ndtri

    whole = calls.sum() / weeks.sum()
    own = calls[here].sum() / weeks[here].sum()
    ratio = float(own / whole)
    least = 0.0
    if ratio > 0.0:
        # A debtor's calls hang together, so debtors are what varies; the group is part of the whole.
        swing = np.where(here, (calls - own * weeks) / calls[here].sum(), 0.0) - (calls - whole * weeks) / calls.sum()
        error = float(np.sqrt(np.square(swing).sum()))
        least = ratio * float(np.exp(ndtri(_FALSE / groups) * error))
    state = "alarm" if least > most else "over" if ratio > most else "holds"
    return Guard(metric=f"{CALLS_BY} {field}, {group}", arm=arm, most=most, value=ratio, at_least=least, state=state)
