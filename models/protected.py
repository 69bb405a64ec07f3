"""What tells debtors apart in ways that no decision may rest on: kept apart from features, for the audit of fairness.

The ledger knows a language and a region. What else must be audited (sex, age …) an agency keeps elsewhere, and gives
for the time of a fit: a table with a row for each person. None of it becomes a feature, and of a group the model's
version keeps nothing but the figures of the audit.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models import export
from models.feature_list import NAMES, PROTECTED
from models.history import History

Words = NDArray[np.str_]

#: Of numbers with more values than this, four bands are groups.
_FEW: Final = 12
#: Names that the rows of a head use otherwise.
_TAKEN: Final = frozenset((*NAMES, "at", "y", "action", "weight", "phone"))


def read_protected(source: str, history: History, given: Any = None, where: str = "") -> dict[str, Words]:
    """Return the words of each protected field, by field, in the order of `history.person`; "" is not known.

    Parameters
    ----------
    given : arrow table, optional
        `person` and further fields, whatever they are called.
    where
        What it is called in complaints.

    Raises
    ------
    BadInput
        When it has no person or no field, names somebody twice, or a field is called like a feature.
    """
    dataset = export.dataset(source, "debtors")
    own = [name for name in dataset.schema.names if name in PROTECTED]
    found = _fields(dataset.to_table(columns=["person", *own]), own, history)
    if given is not None:
        names = [name for name in given.column_names if name != "person"]
        if "person" not in given.column_names or not names:
            raise BadInput(
                f"{where}: needs a column person (or account) and a column for each protected field; found "
                f"{', '.join(given.column_names)}"
            )
        if taken := [name for name in names if name in _TAKEN]:
            raise BadInput(f"{where}: {taken[0]} is the name of a feature of the ledger; give the column another name")
        found |= _fields(given, names, history, where)
    # Where all are alike there is nobody to compare with.
    return {name: words for name, words in found.items() if (words != words[0]).any()}


def _fields(table: Any, names: list[str], history: History, where: str = "") -> dict[str, Words]:
    person = export.ints(table, "person")
    # Who is no debtor of this record is no matter of it.
    mine = np.flatnonzero(np.isin(person, history.person))
    row = history.rows_of(person[mine])
    if len(np.unique(row)) < len(row):
        twice = int(person[mine][np.argmax(np.bincount(row)[row] > 1)])
        raise BadInput(f"{where or 'debtors'}: person {twice} is there twice; leave one row of each")
    found = {}
    for name in names:
        words = np.full(len(history.person), "", dtype=object)
        words[row] = _words(table.column(name))[mine]
        found[name] = words.astype(str)
    return found


def _words(column: Any) -> NDArray[Any]:
    """Return the values of a column as words, numbers of many values as four bands."""
    pa = export.arrow()
    kinds = pa.types
    if (kinds.is_integer(column.type) or kinds.is_floating(column.type)) and len(column.unique()) > _FEW:
        values = column.cast(pa.float64()).to_numpy()
        known = ~np.isnan(values)
        cuts = np.unique(np.quantile(values[known], (0.25, 0.5, 0.75)))
        names = np.array([*(f"up to {cut:g}" for cut in cuts), f"above {cuts[-1]:g}"], object)
        place = np.searchsorted(cuts, np.where(known, values, cuts[0]))
        return np.where(known, names[place], "")
    return np.array(column.cast(pa.string()).fill_null("").to_pylist(), object)
