"""Do-not-contact registers: whole lists of numbers, replaced at each import, matched to the phones on record.

Rule 1: an edition is in force as a whole: its numbers are all in the ledger before the first phone is marked by it.
Rule 2: a phone is marked or unmarked in one transaction with the bump of the keys of everybody who has it.
Rule 3: an import that was cut off changes nothing that the next one does not put right.
"""

import time
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy import Connection, delete, select, text, update

from domain.countries import plain
from domain.errors import BadInput
from ledger.intake.cells import BadCell
from ledger.intake.files import Progress, Table, open_table
from ledger.intake.phones import e164
from ledger.intake.stage import only_import
from ledger.reservations import announce, batches, bump, upsert
from ledger.schema import person_phone, phone_register, register, register_number
from ledger.store import SqlLedger

#: Names of the column that holds the numbers; a file of one column needs no name.
_NUMBER = frozenset({"number", "phone", "phone_number", "telefono", "numero", "tel", "e164", "msisdn"})
#: Rows of one transaction: some 20 ms each.
_NUMBERS_STEP, _PHONES_STEP = 4_000, 200
_REST_S = 0.003
#: Bad rows told by number.
_TOLD = 5


class RegisterOnRecord(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    numbers: int
    #: None: its first import has not ended.
    imported_us: int | None
    sha256: str | None


class RegisterReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a register's file came to."""

    register: str
    file: str
    sha256: str
    rows: int
    #: Different numbers now in force.
    numbers: int
    #: Rows that hold no number, left out.
    rejected: int
    #: The first of them, by row.
    examples: tuple[str, ...]
    #: Phones on record that are on the register now and were not, and the other way round.
    marked: int
    unmarked: int


def import_register(
    ledger: SqlLedger,
    name: str,
    path: Path | str,
    *,
    country: str,
    at_us: int,
    max_reject_share: float = 0.05,
    progress: Progress | None = None,
) -> RegisterReport:
    """Replace a register by the numbers of a file.

    Parameters
    ----------
    name : str
        As `register` of the packs' rows.
    country : str
        ISO code, of numbers without a calling code.

    Raises
    ------
    BadInput
        When the file cannot be read as a whole, or too many of its rows hold no number: the register stays as it was.
    LedgerStalled
        When the ledger cannot be written now; the same file again does the rest.
    """
    if not name or plain(name) != name:
        raise BadInput(
            f"import-register: {name!r} is no name; write it in small letters, as the packs do, e.g. robinson"
        )
    report = progress or (lambda _what, _done, _of: None)
    source = _open(Path(path))
    with only_import(ledger, "register"):
        number, edition = _begin(ledger, name)
        rows, examples, bad = 0, list[str](), 0
        for found in batches(_numbers(source, country, report), _NUMBERS_STEP):
            rows += len(found)
            wrong = [(row, told) for row, _, told in found if told is not None]
            bad += len(wrong)
            examples += [f"row {row}: {told}" for row, told in wrong[: _TOLD - len(examples)]]
            with ledger.writing() as connection:
                statement = upsert(connection, register_number).on_conflict_do_nothing()
                listed = [
                    {"register": number, "edition": edition, "e164": digits}
                    for _, digits, _ in found
                    if digits is not None
                ]
                if listed:
                    connection.execute(statement, listed)
            time.sleep(_REST_S)
        if rows == 0 or bad > max_reject_share * rows:
            _forget(ledger, number, keep=edition - 1)
            with ledger.writing() as connection:
                # Of a register that was never in force nothing stays.
                connection.execute(delete(register).where(register.c.id == number, register.c.edition == 0))
            raise BadInput(
                f"{path}: {bad} of {rows} rows hold no number ({'; '.join(examples) or 'the file is empty'}); the "
                "register stays as it was. Name the country of the numbers, or the column: number"
            )
        with ledger.writing() as connection:
            n = connection.execute(_COUNT, {"register": number, "edition": edition}).scalar_one()
            connection.execute(
                update(register).where(register.c.id == number).values(edition=edition, numbers=n, imported_us=None)
            )
        marked, unmarked = _mark(ledger, number, at_us, report)
        sha256 = source.sha256()
        with ledger.writing() as connection:
            connection.execute(update(register).where(register.c.id == number).values(imported_us=at_us, sha256=sha256))
        _forget(ledger, number, keep=edition)
    return RegisterReport(
        register=name,
        file=source.path.name,
        sha256=sha256,
        rows=rows,
        numbers=n,
        rejected=bad,
        examples=tuple(examples),
        marked=marked,
        unmarked=unmarked,
    )


def registers(connection: Connection) -> list[RegisterOnRecord]:
    """Return the registers on record."""
    query = select(register.c.name, register.c.numbers, register.c.imported_us, register.c.sha256)
    return [RegisterOnRecord(**row._asdict()) for row in connection.execute(query.order_by(register.c.name))]


# ---- steps

_COUNT = text("SELECT count(*) FROM register_number WHERE register = :register AND edition = :edition")
#: Phones on record that are in the edition in force and not marked, and those marked that are not in it.
_TO_MARK = text("""
    SELECT p.id FROM register r JOIN phone p ON p.e164 IS NOT NULL
    JOIN register_number n ON n.register = r.id AND n.edition = r.edition AND n.e164 = p.e164
    WHERE r.id = :register AND NOT EXISTS (SELECT 1 FROM phone_register m WHERE m.phone = p.id AND m.register = r.id)
    ORDER BY p.id
""")
_TO_UNMARK = text("""
    SELECT m.phone FROM phone_register m JOIN register r ON r.id = m.register JOIN phone p ON p.id = m.phone
    WHERE r.id = :register AND NOT EXISTS (
        SELECT 1 FROM register_number n WHERE n.register = r.id AND n.edition = r.edition AND n.e164 = p.e164)
    ORDER BY m.phone
""")
_LEFTOVERS = """
    DELETE FROM register_number WHERE register = :register AND (edition, e164) IN (
        SELECT edition, e164 FROM register_number WHERE register = :register AND edition {side} :keep LIMIT :step)
"""


def _open(path: Path) -> Table:
    """Return a list of numbers as a table, with or without a header."""
    try:
        with path.open("rb") as file:
            first = file.readline(4096).decode("utf-8-sig", "replace").strip()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; check the name and its permissions") from error
    if not first and path.stat().st_size <= len(BOM_UTF8):
        raise BadInput(f"{path}: the file is empty; give a file with a number on each line")
    if first[:4] != "PAR1" and not first.startswith("\x1f") and not any(sign in first for sign in ",;\t|"):
        # One number a line: whatever the first line is, it is a row.
        return Table(path, ("number",), ",", False, path.stat().st_size)
    return open_table(path)


def _numbers(table: Table, country: str, report: Progress) -> Iterator[tuple[int, str | None, str | None]]:
    """Yield (row, number or None, what is wrong or None), a piece of the file in memory at a time."""
    titles = [plain(title) for title in table.header]
    found = [index for index, title in enumerate(titles) if title in _NUMBER]
    if not found:
        raise BadInput(
            f"{table.path}: no column of numbers; found {', '.join(map(repr, table.header))}. Name the column number"
        )
    headless = len(titles) == 1
    if headless and (first := _first_line(table)):
        yield 1, *_read(first, country)
    for piece in table.pieces():
        for row, cells in table.cells(piece):
            yield row, *_read(cells[found[0]] if found[0] < len(cells) else "", country)
        report("numbers", min(piece.read_bytes, table.size_bytes), table.size_bytes)


def _first_line(table: Table) -> str:
    """Return the first line of a list without a header; empty where it is one."""
    if table.delimiter is None or table.gzipped:
        return ""
    with table.path.open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline().strip().strip('"')
    return "" if plain(first) in _NUMBER else first


def _read(cell: str, country: str) -> tuple[str | None, str | None]:
    try:
        return e164(cell.strip(), country), None
    except BadCell as error:
        return None, str(error)


def _begin(ledger: SqlLedger, name: str) -> tuple[int, int]:
    """Return the register's id and the edition that is to come, with nothing in it."""
    with ledger.writing() as connection:
        connection.execute(upsert(connection, register).on_conflict_do_nothing(), {"name": name})
        row = connection.execute(select(register).where(register.c.name == name)).one()
    _forget(ledger, row.id, keep=row.edition)
    return int(row.id), int(row.edition) + 1


def _mark(ledger: SqlLedger, number: int, at_us: int, report: Progress) -> tuple[int, int]:
    """Mark the phones on record by the edition in force; return how many were marked and unmarked."""
    counts = []
    for query, marks in ((_TO_MARK, True), (_TO_UNMARK, False)):
        with ledger.reading() as connection:
            phones = list(connection.execute(query, {"register": number}).scalars())
        done = 0
        for some in batches(phones, _PHONES_STEP):
            with ledger.writing() as connection:
                holders = select(person_phone.c.person).where(person_phone.c.phone.in_(some)).distinct()
                persons = sorted(connection.execute(holders).scalars())
                bump(connection, (f"person:{person}" for person in persons))
                if marks:
                    rows = [{"phone": one, "register": number} for one in some]
                    connection.execute(upsert(connection, phone_register).on_conflict_do_nothing(), rows)
                else:
                    connection.execute(
                        delete(phone_register).where(
                            phone_register.c.register == number, phone_register.c.phone.in_(some)
                        )
                    )
                announce(connection, persons, at_us)
            done += len(some)
            report("marking", done, len(phones))
            time.sleep(_REST_S)
        counts.append(len(phones))
    return counts[0], counts[1]


def _forget(ledger: SqlLedger, number: int, *, keep: int) -> None:
    """Delete the numbers of every edition but one, in short transactions."""
    for side in ("<", ">"):
        statement, gone = text(_LEFTOVERS.format(side=side)), _NUMBERS_STEP
        while gone >= _NUMBERS_STEP:
            with ledger.writing() as connection:
                values = {"register": number, "keep": keep, "step": _NUMBERS_STEP}
                gone = connection.execute(statement, values).rowcount
            time.sleep(_REST_S)
