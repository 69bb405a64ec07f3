"""Columns that know too much: what alone predicts the answer so well was probably written down after it."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models.metrics import auc
from models.table import Table

F8 = NDArray[np.float64]

#: AUC of one column alone: told on the card; and refused unless the schema trusts the column. The best published
#: models of collection contacts reach .81 with all that was known before (docs/models.md).
WATCH, REFUSE = 0.80, 0.95
#: A sample of so many rows shows such columns as well as all do.
_SAMPLE = 200_000
_BINS = 32


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """A column that alone predicts very well."""

    column: str
    auc: float
    #: The schema says that it is known before the contact.
    trusted: bool


def suspects(table: Table) -> list[Suspect]:
    """Return the columns that alone reach `WATCH`, the strongest first.

    Raises
    ------
    BadInput
        Naming those that reach `REFUSE` and are not trusted.
    """
    rows = np.arange(0, len(table), max(1, len(table) // _SAMPLE))
    y, half = table.y[rows], table.group[rows] % 2 == 0
    found = []
    for place, name in enumerate(table.encoding.features):
        alone = _alone(table.x[rows, place], y, half, name in table.encoding.categories)
        if alone >= WATCH:
            found.append(Suspect(column=name, auc=alone, trusted=name in table.schema.trusted))
    found.sort(key=lambda one: -one.auc)
    if bad := [one for one in found if one.auc >= REFUSE and not one.trusted]:
        named = ", ".join(f"{one.column} (AUC {one.auc:.3f})" for one in bad)
        raise BadInput(
            f"{table.where}: alone predicts {table.schema.target} too well: {named}; a column written after the "
            "contact does that. Bar it, or name it in trusted if it is known before"
        )
    return found


def _alone(values: F8, y: F8, half: NDArray[np.bool_], is_category: bool) -> float:
    """Return the AUC of one column: the rate of each bin is learned on one half of the groups, told on the other."""
    known = ~np.isnan(values)
    if is_category or not known.any():
        bins = np.where(known, values, -1.0).astype(np.int64) + 1
    else:
        cuts = np.unique(np.quantile(values[known], np.linspace(0.0, 1.0, _BINS + 1)[1:-1]))
        bins = np.where(known, np.searchsorted(cuts, values, side="right") + 1, 0)
    told = np.empty(len(y))
    for learn in (half, ~half):
        if not learn.any() or learn.all():
            return 0.5
        rate = y[learn].mean()
        # One more row of the common rate: a bin of one row knows nothing.
        n = np.bincount(bins[learn], minlength=int(bins.max()) + 1) + 1.0
        told[~learn] = ((np.bincount(bins[learn], y[learn], len(n)) + rate) / n)[bins[~learn]]
    return auc(y, told)
