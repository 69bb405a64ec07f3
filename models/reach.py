"""Calls as a model of reach learns from them: one row an attempt, what was known just before it, and whether it met a
person, and the debtor.

Left out are calls that say nothing of it: ended by us while they rang, lost in the switch, of unknown end, imported
(nobody knows when they were decided). A call that machine detection cut was answered by a person, as far as is known:
one was suspected, or left while it listened.
"""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.calls import Disposition
from models import export
from models import history_kernel as kinds
from models.feature_kernel import Asked
from models.features import ask
from models.history import History, kinds_of

I8 = NDArray[np.int64]

_COLUMNS: Final = (
    "known_at", "person", "phone", "campaign", "channel", "inbound", "event", "attempt", "detail",
)  # fmt: skip
#: Ends of calls that say nothing of who would have answered.
_SILENT: Final = (Disposition.cancelled, Disposition.lost, Disposition.unknown)


#: Calls from which on a larger tree tells more than its noise costs, and below which half the trees tell as much.
_MANY: Final = 300_000
_FEW: Final = 40_000


def params(rows: int) -> dict[str, Any]:
    """Return LightGBM's parameters for a model of reach that learns from so many calls.

    Notes
    -----
    Most of a call is luck: small trees, each of a part of the features, come nearest to what the features could tell
    (`python -m benchmarks.reach`).
    """
    return {
        "num_leaves": 15 if rows >= _MANY else 7, "learning_rate": 0.03,
        "min_data_in_leaf": min(200, max(20, rows // 100)), "lambda_l2": 10.0, "feature_fraction": 0.6,
        "bagging_fraction": 0.8, "bagging_freq": 1,
    }  # fmt: skip


def rounds(rows: int) -> int:
    """Return how many trees."""
    return 150 if rows < _FEW else 300


class Attempts(NamedTuple):
    """Calls in the order in which they were decided; columns of one length."""

    person: I8
    phone: I8
    #: When it was decided: what was known before this instant may be known of it.
    decided_us: I8
    #: 1: a person answered.
    answered: NDArray[np.int8]
    #: 1: it was the debtor; -1: nobody knows who it was.
    right_party: NDArray[np.int8]
    #: 1: a machine answered; -1: a person did.
    machine: NDArray[np.int8]

    def weight(self) -> NDArray[np.float64]:
        """Return how much each call counts for `right_party`, (n,).

        Of who was answered with no agent there nobody knows who it was. Left out, they would take answers away and no
        misses: those answered by somebody known stand for them.
        """
        known = self.right_party >= 0
        met = self.answered == 1
        weight = known.astype(np.float64)
        if (known & met).any():
            weight[known & met] = met.sum() / (known & met).sum()
        return weight

    def asked(self, history: History) -> Asked:
        """Ask for the features of each call as of just before it.

        Raises
        ------
        BadInput
            When somebody is not among the debtors, or a number is none of theirs.
        """
        return ask(history, person=self.person, phone=self.phone, as_of_us=self.decided_us)


def read_attempts(source: Path | str, until_us: int | None = None) -> Attempts:
    """Read the calls of an export, those whose end was known before an instant; `models.history.read_history` tells
    what that is.

    Raises
    ------
    BadInput
        When the history is missing, or a column of it.
    """
    field = export.arrow().compute.field
    dataset = export.dataset(str(source), "history")
    export.check(dataset.schema, "history", f"{source}/history")
    ours = (field("channel") == "call") & ~field("campaign").is_null() & ~field("attempt").is_null()
    if until_us is not None:
        ours &= export.before(dataset.schema, until_us)
    return attempts_of(dataset.to_table(columns=list(_COLUMNS), filter=ours))


def attempts_of(history: Any) -> Attempts:
    """Return the calls of a history, an Arrow table with the columns of an export."""
    pa = export.arrow()
    table = history.select(list(_COLUMNS)).combine_chunks()
    batch = table.to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], table.schema)
    kind, _ = kinds_of(batch)
    silent = pa.compute.is_in(
        batch.column("detail").cast(pa.string()), value_set=pa.array([str(one) for one in _SILENT])
    )
    ours = ~np.asarray(batch.column("campaign").is_null()) & ~np.asarray(batch.column("attempt").is_null())
    ended = ours & (kind >= kinds.FAILED) & (kind <= kinds.RIGHT) & ~np.asarray(silent)
    ids = batch.column("attempt").cast(pa.string())
    dialled = ours & (kind == kinds.DIALED)
    # From each end to its beginning.
    begun = pa.compute.index_in(ids.filter(pa.array(ended)), value_set=ids.filter(pa.array(dialled)))
    found = ~np.asarray(begun.is_null())
    at = np.flatnonzero(dialled)[np.asarray(begun.fill_null(0))[found]] if dialled.any() else np.empty(0, np.int64)
    end = kind[np.flatnonzero(ended)[found]]
    decided_us = export.instants(batch, "known_at")[at]
    order = np.argsort(decided_us, kind="stable")
    at, end = at[order], end[order]
    unknown = (end == kinds.ABANDONED) | (end == kinds.ANSWERED)
    return Attempts(
        person=export.ints(batch, "person")[at],
        phone=export.ints(batch, "phone")[at],
        decided_us=decided_us[order],
        answered=(end >= kinds.ABANDONED).astype(np.int8),
        right_party=np.where(unknown, -1, end == kinds.RIGHT).astype(np.int8),
        machine=np.where(end >= kinds.ABANDONED, -1, end == kinds.MACHINE).astype(np.int8),
    )
