"""Conversations as matching learns from them: who talked to which debtor, of which debts, and what came of it."""

from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from domain.calls import Disposition
from domain.errors import BadInput
from domain.instants import DAY, HOUR, to_datetime
from domain.people import ContactEvent
from models import export, heads
from models.feature_kernel import Asked
from models.features import features, tallies, usual_of
from models.history import read_history
from models.matching import Talks

I8 = NDArray[np.int64]

Outcome = Literal["promise", "payment"]
#: What an agent wrote where a conversation was agreed on something.
_AGREED: Final = (str(Disposition.promise), str(Disposition.plan))


def read_talks(
    source: Path | str, zone: str, outcome: Outcome = "promise", days: int = 10, until_us: int | None = None
) -> Talks:
    """Read the conversations of an export whose outcome is known.

    Parameters
    ----------
    zone : str
        The floor's, whose hours are told apart.
    outcome : str
        `promise`: a promise or a plan was made; `payment`: something was paid within so many days.
    until_us : int, optional
        As was known before this instant.

    Raises
    ------
    BadInput
        When a file or a column is missing.
    """
    pa = export.arrow()
    calls, ends = (_table(source, name) for name in ("attempts", "outcomes"))
    place = pa.compute.index_in(calls.column("call_id"), value_set=ends.column("call_id").combine_chunks())
    found = ends.take(place.combine_chunks())
    talked = (
        (found.column("event").to_numpy() == str(ContactEvent.right_party_contact))
        & (found.column("disposition").to_numpy() != str(Disposition.unrecorded))
        & np.asarray(calls.column("agent").is_valid())
        # Held before the call was placed: not by chance.
        & np.asarray(calls.column("held_agent").is_null())
    )
    known_us = np.zeros(len(talked), np.int64)
    known_us[talked] = export.instants(found.filter(pa.array(talked)).combine_chunks(), "at")
    if until_us is not None:
        talked &= known_us < until_us
    at = np.flatnonzero(talked)
    calls, said = calls.take(at).combine_chunks(), found.column("disposition").to_numpy()[at]
    history = read_history(source, until_us=until_us)
    person, at_us, known_us = export.ints(calls, "person"), export.instants(calls, "reserved_at"), known_us[at]
    row = history.rows_of(person)
    asked = Asked(row, np.full(len(row), -1, np.int64), at_us, at_us)
    usual = usual_of([tallies(history)])
    told = features(history, asked, usual)
    y = np.isin(said.astype(str), _AGREED).astype(np.float64)
    if outcome == "payment":
        end_us = known_us + days * DAY
        y = (heads.paid_minor(history, row, known_us, end_us) > 0.0).astype(np.float64)
        known_us = end_us
    words, agent = np.unique(calls.column("agent").to_numpy().astype(str), return_inverse=True)
    owed_minor = heads.owed_minor(history, told, asked, usual)
    due = told.column("days_due").astype(np.float64)
    first = history.debts.first[row]
    currency = np.append(history.debts.currency, 0)[np.minimum(first, len(history.debts.currency))]
    # Whose debts are not known has no group; whose outcome is not known yet teaches nothing.
    some = np.flatnonzero(~np.isnan(due) & (owed_minor > 0.0) & (known_us <= heads.last_known_us(history)))
    some = some[np.argsort(at_us[some], kind="stable")]
    return Talks(
        agents=tuple(words.tolist()), currencies=history.currencies, agent=agent.astype(np.int64), person=person,
        at_us=at_us, known_us=known_us, hour=_hours(at_us, zone), days=due, owed_minor=owed_minor,
        currency=currency.astype(np.int64), y=y,
    ).take(some)  # fmt: skip


def _table(source: Path | str, name: str) -> Any:
    dataset = export.dataset(str(source), name)
    export.check(dataset.schema, name, f"{source}/{name}")
    table = dataset.to_table(columns=list(export.CALLS[name]))
    if not table.num_rows:
        raise BadInput(f"{source}: {name} is empty: nobody was called yet")
    # Words and codes alike, as files of one part and of several have them.
    text = export.arrow().string()
    for column in ("call_id", "agent", "held_agent", "disposition", "event"):
        if column in table.column_names:
            table = table.set_column(table.column_names.index(column), column, table.column(column).cast(text))
    return table


def _hours(at_us: I8, zone: str) -> I8:
    """Return the hour of the floor's day of each instant, 24 more at the weekend."""
    quarters, place = np.unique(at_us // (HOUR // 4), return_inverse=True)
    local = [to_datetime(one * (HOUR // 4), zone) for one in quarters.tolist()]
    return np.array([one.hour + 24 * (one.weekday() >= 5) for one in local], np.int64)[place]
