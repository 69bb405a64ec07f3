"""What debtors have said and others must obey: stops recorded one by one or from a file, lifted and confirmed.

Rule 1: a stop binds every channel and floor from its transaction on: it bumps the person's key and tells the floors.
Rule 2: what is on record stays: a stop told again changes nothing but a later end, a lifted one keeps its row.
Rule 3: free text stays in `stop.note`; history and journal get the word and ids alone.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, insert, select, update

from domain.errors import BadInput
from domain.people import OF_A_NUMBER, StopKind
from ledger.intake.accounts import named, unclear
from ledger.intake.cells import Form
from ledger.intake.columns import STOP_COLUMNS
from ledger.intake.direct import DirectFile, FileReport, Refused
from ledger.intake.files import Progress
from ledger.intake.lists import DEBT_STOPS
from ledger.intake.rows import StopOrder, read_order
from ledger.intake.stage import only_import
from ledger.reservations import announce, bump
from ledger.schema import history, person_phone, phone, stop
from ledger.standing import put_stops
from ledger.store import SqlLedger

#: Why a stop may be lifted.
REASONS = ("answered", "ended", "mistaken", "resolved", "taken_back")
#: Lifted by payments and imports alone: the debt itself would still be paid or withdrawn.
_NOT_BY_HAND = frozenset({StopKind.paid, StopKind.withdrawn})


class StopOnRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A stop with what is known of it but its note."""

    stop: int
    person: int
    kind: str
    debt: int | None
    phone: int | None
    channel: str | None
    event_us: int
    known_us: int
    until_us: int | None
    source: str
    received: str | None
    recorded_by: str | None
    confirmed_us: int | None
    confirmed_by: str | None
    lifted_us: int | None
    lifted_by: str | None
    lifted_why: str | None


_COLUMNS = [stop.c.id if name == "stop" else stop.c[name] for name in StopOnRecord.__struct_fields__]


def import_cells(ledger: SqlLedger, cells: dict[str, str], *, at_us: int, by: str, form: Form) -> bool:
    """Put one stop on record, told as the columns of a file tell it; return False where it stood already.

    Raises
    ------
    BadInput
        When a cell cannot be read, or names what is not on record: says which, what was found and what to do.
    """
    order = read_order(cells, at_us, form)
    with ledger.writing() as connection:
        added, refused = _land(connection, [order], at_us, by, write=True)
    for one in refused:
        raise BadInput(f"stop: {one.field} {one.found!r}: {one.do}")
    return added > 0


def import_stops(
    ledger: SqlLedger,
    path: Path | str,
    *,
    at_us: int,
    by: str,
    form: Form | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> FileReport:
    """Bring a file of stops into the ledger.

    Raises
    ------
    BadInput
        When the file cannot be read as a whole.
    LedgerStalled
        When the ledger cannot be written now; the same file again lands the rest.
    """
    file = DirectFile(
        "stops", path, STOP_COLUMNS, ("account", "stop"), form or Form(), at_us=at_us, days=("since", "until")
    )

    def land(connection: Connection, orders: Sequence[StopOrder]) -> tuple[int, list[Refused]]:
        return _land(connection, orders, at_us, by, write=not dry_run)

    with only_import(ledger, "stops"):
        return file.land(ledger, lambda lines: lines.orders, land, dry_run=dry_run, progress=progress)


def lift_stops(ledger: SqlLedger, which: Sequence[int], *, reason: str, at_us: int, by: str) -> list[StopOnRecord]:
    """Lift stops that stand; return those that did.

    Raises
    ------
    BadInput
        When the reason is none, or one of them ends with a payment or an import alone.
    """
    if reason not in REASONS:
        raise BadInput(f"stops: reason must be one of {', '.join(REASONS)}, was {reason!r}; correct it")
    with ledger.writing() as connection:
        found = stops(connection, stop.c.id.in_(which), stop.c.lifted_us.is_(None))
        if fixed := sorted({one.kind for one in found if one.kind in _NOT_BY_HAND}):
            raise BadInput(
                f"stops: {', '.join(fixed)} cannot be lifted by hand: the debt itself is closed; import what it owes"
            )
        persons = sorted({one.person for one in found})
        bump(connection, (f"person:{person}" for person in persons))
        # Read again when the keys are ours.
        found = stops(connection, stop.c.id.in_(which), stop.c.lifted_us.is_(None))
        if not found:
            return []
        connection.execute(
            update(stop)
            .where(stop.c.id.in_([one.stop for one in found]))
            .values(lifted_us=at_us, lifted_by=by, lifted_why=reason)
        )
        for one in found:
            if one.phone is not None:
                connection.execute(
                    update(person_phone)
                    .where(person_phone.c.person == one.person, person_phone.c.phone == one.phone)
                    .where(person_phone.c.status == _STATUS.get(one.kind))
                    .values(status="usable")
                )
        _tell(connection, "stop_lifted", at_us, [(at_us, one.person, one.debt, one.phone, one.kind) for one in found])
        announce(connection, persons, at_us)
    return found


def confirm_stops(ledger: SqlLedger, which: Sequence[int], *, at_us: int, by: str) -> int:
    """Note that debtors were told that their stops are obeyed; return of how many it was not noted before."""
    with ledger.writing() as connection:
        done = connection.execute(
            update(stop)
            .where(stop.c.id.in_(which), stop.c.confirmed_us.is_(None))
            .values(confirmed_us=at_us, confirmed_by=by)
        )
        return done.rowcount


def stops(connection: Connection, *which: ColumnElement[bool]) -> list[StopOnRecord]:
    """Return stops on record, oldest first, lifted ones too, e.g. `stops(connection, stop.c.person == 17)`."""
    query = select(*_COLUMNS).where(*which).order_by(stop.c.id)
    return [
        StopOnRecord(**dict(zip(StopOnRecord.__struct_fields__, row, strict=True))) for row in connection.execute(query)
    ]


def notes(connection: Connection, which: Iterable[int]) -> dict[int, str]:
    """Return the notes of stops; personal: shown to people, written nowhere."""
    query = select(stop.c.id, stop.c.note).where(stop.c.id.in_(list(which)), stop.c.note.is_not(None))
    return {row.id: row.note for row in connection.execute(query)}


# ---- steps

#: What a stop of a number makes of the number.
_STATUS: dict[str, str] = {StopKind.wrong_number: "wrong_party", StopKind.not_in_service: "not_in_service"}


def _land(
    connection: Connection, orders: Sequence[StopOrder], at_us: int, by: str, *, write: bool
) -> tuple[int, list[Refused]]:
    """Land some stops in the open transaction; return how many are new, and those that cannot land."""
    rows, refused = _resolve(connection, orders, at_us, by)
    persons = sorted({row["person"] for row in rows})
    if write:
        bump(connection, (f"person:{person}" for person in persons))
    # Read when the keys are ours: nobody else writes about these people now.
    standing = {
        (one.person, one.kind, one.debt, one.phone, one.channel)
        for one in stops(connection, stop.c.person.in_(persons), stop.c.lifted_us.is_(None))
    }
    fresh: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        scope = (row["person"], row["kind"], row["debt"], row["phone"], row["channel"])
        if scope not in standing:
            fresh.setdefault(scope, row)
    if write:
        put_stops(connection, rows)
        for row in fresh.values():
            if row["kind"] in _STATUS:
                connection.execute(
                    update(person_phone)
                    .where(person_phone.c.person == row["person"], person_phone.c.phone == row["phone"])
                    .values(status=_STATUS[row["kind"]])
                )
        told = [(row["event_us"], row["person"], row["debt"], row["phone"], row["kind"]) for row in fresh.values()]
        _tell(connection, "stop", at_us, told)
        announce(connection, persons, at_us)
    return len(fresh), refused


def _tell(
    connection: Connection, event: str, at_us: int, told: Iterable[tuple[int, int, int | None, int | None, str]]
) -> None:
    """Write into the history what became of stops: (when, person, debt, phone, kind) of each."""
    lines = [
        {
            "event_us": event_us,
            "known_us": at_us,
            "person": person,
            "debts": "" if debt_ is None else str(debt_),
            "phone": phone_,
            "event": event,
            "detail": kind,
        }
        for event_us, person, debt_, phone_, kind in told
    ]
    if lines:
        connection.execute(insert(history), lines)


def _resolve(
    connection: Connection, orders: Sequence[StopOrder], at_us: int, by: str
) -> tuple[list[dict[str, Any]], list[Refused]]:
    """Return the stops as rows with the ledger's ids, and those that name what is not on record."""
    accounts = named(connection, (one.account for one in orders))
    numbers = (
        select(person_phone.c.person, phone.c.e164, phone.c.id)
        .join(phone, phone.c.id == person_phone.c.phone)
        .where(phone.c.e164.in_({one.e164 for one in orders if one.e164 is not None}))
    )
    phones = {(person, e164): number for person, e164, number in connection.execute(numbers)}
    rows: list[dict[str, Any]] = []
    refused: list[Refused] = []
    for one in orders:
        found = [known for known in accounts[one.account] if one.creditor in (None, known.creditor)]
        if len({known.person for known in found}) != 1:
            refused.append(unclear(one.row, one.account, len(found)))
            continue
        (number, _, person), of_debt = found[0], one.kind in DEBT_STOPS if one.of_debt is None else one.of_debt
        if of_debt and len(found) > 1:
            refused.append(unclear(one.row, one.account, len(found)))
            continue
        if one.e164 is not None and (person, one.e164) not in phones:
            all_of_them = "" if one.kind in OF_A_NUMBER else ", or leave it out to stop them all"
            do = f"it is no number of this debtor's on record: correct it{all_of_them}"
            refused.append(Refused(one.row, "phone", one.e164, do))
            continue
        rows.append(
            {
                "person": person,
                "kind": one.kind,
                "debt": number if of_debt else None,
                "phone": None if one.e164 is None else phones[person, one.e164],
                "channel": one.channel,
                "event_us": at_us if one.event_us is None else one.event_us,
                "known_us": at_us,
                "until_us": one.until_us,
                "source": "desk",
                "received": one.received,
                "recorded_by": by,
                "note": one.note,
            }
        )
    return rows, refused
