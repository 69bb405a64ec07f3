"""Complaints that came in, told one by one or by a file.

A complaint stops nothing: who must not be called is a stop, recorded beside it. It stands in the history, what it is
about as a word of a closed set, and is counted: against a trial's guardrail, and in what working a debtor cost. The
same one told again (account, day or instant, about) changes nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from domain.errors import BadInput
from domain.people import COMPLAINT
from ledger.intake.accounts import named, unclear
from ledger.intake.cells import Form
from ledger.intake.columns import COMPLAINT_COLUMNS
from ledger.intake.direct import DirectFile, FileReport, Refused
from ledger.intake.files import Progress
from ledger.intake.rows import ComplaintLine, read_complaint
from ledger.intake.stage import only_import
from ledger.schema import history
from ledger.store import SqlLedger


def add_complaint(ledger: SqlLedger, cells: dict[str, str], *, at_us: int, form: Form) -> bool:
    """Put one complaint on record, told as the columns of a file tell it; return False where it stood already.

    Raises
    ------
    BadInput
        When a cell cannot be read, or names what is not on record: says which, what was found and what to do.
    """
    line = read_complaint(cells, at_us, form)
    with ledger.writing() as connection:
        added, refused = _land(connection, [line], at_us, write=True)
    for one in refused:
        raise BadInput(f"complaint: {one.field} {one.found!r}: {one.do}")
    return added > 0


def import_complaints(
    ledger: SqlLedger,
    path: Path | str,
    *,
    at_us: int,
    form: Form | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> FileReport:
    """Bring a file of complaints into the ledger.

    Raises
    ------
    BadInput
        When the file cannot be read as a whole.
    LedgerStalled
        When the ledger cannot be written now; the same file again lands the rest.
    """
    file = DirectFile(
        "complaints", path, COMPLAINT_COLUMNS, ("account", "at"), form or Form(), at_us=at_us, days=("at",)
    )

    def land(connection: Connection, lines: Sequence[ComplaintLine]) -> tuple[int, list[Refused]]:
        return _land(connection, lines, at_us, write=not dry_run)

    with only_import(ledger, "complaints"):
        return file.land(ledger, lambda lines: lines.complaints, land, dry_run=dry_run, progress=progress)


def complaints(connection: Connection, from_us: int, to_us: int) -> int:
    """Return how many complaints came in a stretch."""
    query = select(func.count()).where(
        history.c.event == COMPLAINT, history.c.event_us >= from_us, history.c.event_us < to_us
    )
    return int(connection.execute(query).scalar_one())


def _land(
    connection: Connection, lines: Sequence[ComplaintLine], at_us: int, *, write: bool
) -> tuple[int, list[Refused]]:
    """Land some complaints in the open transaction; return how many are new, and those that cannot land."""
    accounts = named(connection, (one.account for one in lines))
    told: dict[tuple[int, str, int, str], None] = {}
    refused: list[Refused] = []
    for one in lines:
        found = [known for known in accounts[one.account] if one.creditor in (None, known.creditor)]
        if len(found) != 1:
            refused.append(unclear(one.row, one.account, len(found)))
            continue
        event_us = at_us if one.event_us is None else one.event_us
        told.setdefault((found[0].person, str(found[0].debt), event_us, one.about))
    past = history.c
    before = select(past.person, past.debts, past.event_us, past.detail).where(
        past.person.in_({one[0] for one in told}), past.event == COMPLAINT
    )
    known = {tuple(row) for row in connection.execute(before)}
    fresh = [
        {"event_us": event_us, "known_us": at_us, "person": person, "debts": debts, "event": COMPLAINT, "detail": about}
        for person, debts, event_us, about in told
        if (person, debts, event_us, about) not in known
    ]
    if write and fresh:
        connection.execute(insert(history), fresh)
    return len(fresh), refused
