"""What a stop on record asks of the house besides obeying it: what the debtor is to be told, and what to look at again.

The gate obeys at once; deadlines say by when the law wanted that, and show who recorded a stop too late.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

import msgspec

from compliance.gate import Address, Gate
from domain.instants import DAY, MINUTE, from_datetime, to_datetime


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do about a stop, by the row that asks for it."""

    rule: str
    #: `confirm`: tell the debtor that it is obeyed; `late`: it was recorded after the law's deadline; `review`: as long
    #: as the law lets it last has passed, and it still stands.
    what: Literal["confirm", "late", "review"]
    #: By when, or since when.
    due_us: int
    citation: str


def duties(
    gate: Gate,
    kind: str,
    address: Address,
    *,
    event_us: int,
    known_us: int,
    until_us: int | None,
    confirmed: bool,
    at_us: int,
) -> Iterator[Duty]:
    """Yield what a standing stop asks for, whoever collects.

    Parameters
    ----------
    address : Address
        Of the debtor.
    event_us, known_us : int
        When the debtor said it, and when it was recorded.
    confirmed : bool
        The debtor has been told.
    """
    for row in gate.stop_rows(kind, *address):
        deadline = row.deadline if isinstance(row.deadline, dict) else {}
        if deadline and known_us > (due_us := after(event_us, deadline)):
            yield Duty(rule=row.id, what="late", due_us=due_us, citation=row.citation)
        lengths = {name: n for name, n in row.confirmation.items() if name in LENGTHS}
        if lengths and not confirmed:
            due_us = after(event_us, lengths)
            # A confirmation within minutes may be sent, or not: later there is nothing to do.
            if "within_minutes" not in lengths or at_us < due_us:
                yield Duty(rule=row.id, what="confirm", due_us=due_us, citation=row.citation)
        if row.duration and until_us is None and at_us >= (due_us := after(event_us, row.duration)):
            yield Duty(rule=row.id, what="review", due_us=due_us, citation=row.citation)


#: Keys of a length of time in the packs.
LENGTHS = ("days", "business_days", "within_minutes")


def after(at_us: int, length: dict[str, int]) -> int:
    """Return the end of a length of time; business days are Monday to Friday, holidays not taken off."""
    end_us = at_us + length.get("days", 0) * DAY + length.get("within_minutes", 0) * MINUTE
    moment, left = to_datetime(end_us), length.get("business_days", 0)
    while left:
        moment += timedelta(days=1)
        left -= moment.weekday() < 5
    return from_datetime(moment)
