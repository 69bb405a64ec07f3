"""What a conversation counts in a plan: money or what ranks, one contact, or the kept promises that it brings."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from strategy.documents import Document, rules_of
from strategy.fields import FIELDS
from strategy.objectives import CONTACTS, KEPT_PER_CONTACT, OBJECTIVES, PROMISES_KEPT

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: So much of a conversation what ranks may add, from first to last, where all conversations count alike.
_TIE: Final = 0.01


def worths(tier: I8, ranked: F8, by_lot: Flags, document: Document) -> tuple[F8, dict[str, float]]:
    """Return what a conversation with each is worth by the objective, (n,), and by what for which share of them.

    Where contacts are counted, and where no model tells of promises kept, each is worth one, but for a tie to break.
    What ranks those of whom the first quantity is not known is brought to its mean, so that hours can be weighed; who
    is called by lot and is worth nothing counts as the middle one, so that lots are dialled.
    """
    value = np.nan_to_num(ranked)
    if document.objective == CONTACTS or (document.plans_kept and not (tier == 0).any()):
        order = np.empty(len(tier))
        order[np.lexsort((-value, tier))] = np.arange(len(tier))
        return 1.0 + _TIE * (0.5 - (order + 0.5) / max(1, len(tier))), {CONTACTS: 1.0}
    found = np.zeros(len(tier))
    mean, told = 0.0, {}
    for place, name in enumerate(document.ranks):
        of = tier == place
        if not of.any():
            continue
        told[name] = float(of.mean())
        own = np.maximum(value[of], 0.0)
        average = float(own.mean())
        mean = mean or average
        found[of] = own * (mean / average) if average > 0 else 0.0
    nothing = found <= 0.0
    if nothing.any() and not nothing.all():
        found[nothing & by_lot] = float(np.median(found[~nothing]))
    return found, told


def unit_of(document: Document, valued_by: Mapping[str, float]) -> str:
    if is_money(document, valued_by):
        return "money"
    counted = {CONTACTS: CONTACTS, KEPT_PER_CONTACT: PROMISES_KEPT}.get(next(iter(valued_by), ""), "")
    return OBJECTIVES[counted].unit if counted else ""


def is_money(document: Document, valued_by: Mapping[str, float]) -> bool:
    first = next(iter(valued_by), "")
    for name, quantity in zip(document.rank_by, rules_of(document).rank_by, strict=True):
        if name == first:
            return any(FIELDS[field].unit == "minor units" for field in quantity.reads)
    return False
