"""Whom strategies decided to contact, and whom to leave alone: with the chance of it, and which of them were by lot."""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models import export
from models.history import History

I8 = NDArray[np.int64]
F8 = NDArray[np.float64]

#: The action that contacts nobody.
NONE: Final = "none"
#: To call somebody, which need not find him.
CALL: Final = "call"
#: The arm of those whom a strategy leaves alone for good.
HOLDOUT: Final = "holdout"


class Decisions(NamedTuple):
    """Who was to be contacted when, and what was done; columns of one length."""

    person: I8
    at_us: I8
    #: Place in `actions`.
    action: NDArray[np.int64]
    #: Chance with which it was chosen; NaN: not by lot.
    p_action: F8
    actions: tuple[str, ...]
    #: (n, actions): the chance of each, where all are on record.
    chances: F8 | None = None
    #: (n,) of a debtor whom a strategy leaves alone for good.
    held_out: NDArray[np.bool_] | None = None


def read_decisions(source: Path | str, until_us: int | None = None) -> Decisions | None:
    """Read whom strategies decided on (`decisions` of an export), as known before an instant; None: none on record.

    Raises
    ------
    BadInput
        When a column is missing, or a chance is none.
    """
    pa = export.arrow()
    try:
        dataset = export.dataset(str(source), "decisions")
    except export.NotThereError:
        return None
    where = f"{source}/decisions"
    if missing := [name for name in _DECISIONS if name not in dataset.schema.names]:
        raise BadInput(f"{where}: column {missing[0]} is missing; found {', '.join(dataset.schema.names)}")
    known = None if until_us is None else export.before(dataset.schema, until_us)
    table = dataset.to_table(columns=list(_DECISIONS), filter=known).combine_chunks()
    if not table.num_rows:
        return None
    words, action = export.coded(table, "action")
    # One piece, so that offsets count from its beginning.
    told = pa.concat_arrays(table.column("p_action").chunks)
    offsets = np.asarray(told.offsets).astype(np.int64)
    keys = told.keys.slice(offsets[0], offsets[-1] - offsets[0]).cast(pa.string()).dictionary_encode()
    chance = np.asarray(told.items.slice(offsets[0], offsets[-1] - offsets[0]).cast(pa.float64()), np.float64)
    actions = tuple(sorted({*words, *keys.dictionary.to_pylist()} - {None}, key=lambda one: (one != NONE, one)))
    place = np.array([*(actions.index(word) for word in words), -1], np.int64)
    of_key = np.array([actions.index(word) for word in keys.dictionary.to_pylist()], np.int64)
    row = np.repeat(np.arange(table.num_rows), np.diff(offsets))
    chances = np.zeros((table.num_rows, len(actions)))
    chances[row, of_key[np.asarray(keys.indices)]] = chance
    chances[np.diff(offsets) == 0] = np.nan
    action = place[action]
    own = chances[np.arange(len(action)), action]
    if (wrong := (action < 0) | ~(np.isnan(own) | ((own > 0.0) & (chances.sum(axis=1) < 1.0 + 1e-6)))).any():
        bad = table.slice(int(wrong.argmax()), 1).to_pylist()[0]
        raise BadInput(
            f"{where}: person {bad['person']}: action {bad['action']!r} with chances {bad['p_action']} cannot be; "
            "each action needs the chance with which it was chosen, all of them 1 together"
        )
    return Decisions(
        person=export.ints(table, "person"), at_us=export.instants(table, "decided_at"), action=action, p_action=own,
        actions=actions, chances=chances,
        held_out=np.asarray(pa.compute.equal(table.column("arm").cast(pa.string()), HOLDOUT).fill_null(False)),
    )  # fmt: skip


_DECISIONS: Final = ("person", "decided_at", "known_at", "action", "p_action", "arm")


def alone_by_lot(history: History, decisions: Decisions) -> I8:
    """Return the decisions from which effects can be told, in their order: chance could have left the debtor alone, or
    contacted him, *given what was known of him*.

    Notes
    -----
    Who is held out for good has a history of his own from the first decision on, which says which lot he drew: of his
    and all others' decisions the first alone is by lot, where anybody was held out. Lots that are drawn anew each day
    leave no such trace.
    """
    assert decisions.chances is not None
    none = decisions.chances[:, decisions.actions.index(NONE)]
    place = np.flatnonzero((none > 0.0) & (none < 1.0) & np.isin(decisions.person, history.person))
    if decisions.held_out is None or not decisions.held_out.any():
        return place
    # Also of those decisions that were certain: what followed them was told apart by no lot of theirs.
    order = np.lexsort((decisions.at_us, decisions.person))
    first = order[np.append(True, np.diff(decisions.person[order]) != 0)]
    return place[np.isin(place, first)]
