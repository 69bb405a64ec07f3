"""Portfolio files into the ledger: new, changed and withdrawn accounts, as often as they come (docs/import.md).

Law kept here (docs/decisions/0011): until the flip nothing of a file is in the ledger; after it the import can only be
completed, by whoever comes next. The same file a second time changes nothing.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Row, insert, select, text, update

from ledger.intake import stage as tables
from ledger.intake.cells import Form, infer_date_order, infer_decimal_mark
from ledger.intake.columns import ACCOUNT_COLUMNS, ATTEMPT_COLUMNS, Columns, find_columns, is_attempts_header
from ledger.intake.compare import Found, Given, compare
from ledger.intake.files import Progress, Table, open_table, refuse_floats, rejects_path, write_rejects
from ledger.intake.landing import Landing, land
from ledger.intake.rows import AddressZones
from ledger.intake.stage import SCHEMA, Stage, StageGone, clear_leftovers, only_import
from ledger.intake.workers import Describe, Source, Workers
from ledger.reservations import upsert
from ledger.schema import creditor, import_file
from ledger.store import SqlLedger

_landings = msgspec.json.Decoder(Landing)
_MARKS = {"dmy": "day/month/year", "mdy": "month/day/year", ",": "a comma", ".": "a point"}


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a file came to."""

    file: str
    sha256: str
    #: `accounts`, `attempts` or `payments`.
    kind: str
    #: False: dry run, or refused.
    landed: bool
    #: Too many rows were rejected, so none landed.
    refused: bool
    rows: int
    #: Rows that cannot land.
    rejected: int
    #: Rows that land without a number that cannot be one.
    mended: int
    #: Rows that only repeat an earlier one.
    repeated: int
    added: int
    changed: int
    unchanged: int
    withdrawn: int
    new_people: int
    #: People on record whose dossier changed.
    touched_people: int
    new_phones: int
    unknown_columns: tuple[str, ...]
    #: Rejected and mended rows with the reasons; None: there are none.
    rejects: str | None
    #: What the operator should know besides.
    notes: tuple[str, ...]


def import_portfolio(
    ledger: SqlLedger,
    path: Path | str,
    *,
    describe: Describe,
    address_zones: AddressZones,
    at_us: int,
    dry_run: bool = False,
    full: bool = False,
    max_reject_share: float = 0.05,
    form: Form | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Bring a file of accounts, or of prior attempts, into the ledger.

    Parameters
    ----------
    describe, address_zones : callable
        Facts of a number (E.164) and zones of an address; functions of a module, as they run in other processes too.
    dry_run : bool
        Read and compare everything, land nothing.
    full : bool
        The file holds all accounts of its creditors: those missing from it are withdrawn.
    max_reject_share : float in [0, 1]
        Nothing lands where more of the rows are rejected.
    form : Form or None
        What the file leaves ambiguous; what stays None is inferred where some cells leave no doubt.

    Raises
    ------
    BadInput
        When the file cannot be read as a whole, or another import runs.
    LedgerStalled
        When the ledger cannot be written now; the import is completed by the next one.
    """
    report = progress or (lambda _what, _done, _of: None)
    table = open_table(Path(path))
    kind = "attempts" if is_attempts_header(table.header) else "accounts"
    if kind == "accounts":
        columns = find_columns(table.header, ACCOUNT_COLUMNS, ("creditor", "account", "balance"), str(path))
        refuse_floats(table, [table.header[columns.at["balance"]]])
    else:
        columns = find_columns(table.header, ATTEMPT_COLUMNS, ("account", "at", "event"), str(path))
    form, notes = _infer(table, columns, form or Form())
    given = Given(
        kind=kind,
        columns=frozenset(columns.at),
        has_phones=bool(columns.phones) or columns.has("phones"),
        full=full and kind == "accounts",
    )
    source = Source(
        kind=kind, table=table, columns=columns, form=form, at_us=at_us, describe=describe, address_zones=address_zones
    )
    with only_import(ledger):
        notes += _complete(ledger, report)
        clear_leftovers(ledger)
        stage = Stage(ledger)
        flipped = False
        try:
            with Workers(source) as workers:
                rows = _read(stage, workers, table, report)
                report("comparing", 0, 1)
                found = compare(stage, given)
                _describe(stage, workers, found.new_phones, report)
            _find_cells(stage, table, columns)
            n_rejects = write_rejects(table, _rejects(stage), rejects := rejects_path(table.path))
            rejected = stage.scalar(f'SELECT count(DISTINCT "row") FROM {SCHEMA}.reject WHERE whole')
            refused = rejected > max_reject_share * rows
            result = ImportReport(
                file=table.path.name,
                sha256=table.sha256(),
                kind=kind,
                landed=not (dry_run or refused),
                refused=refused,
                rows=rows,
                rejected=rejected,
                mended=n_rejects - rejected,
                repeated=found.repeated,
                added=found.added,
                changed=found.changed,
                unchanged=found.unchanged,
                withdrawn=found.withdrawn,
                new_people=found.new_people,
                touched_people=found.touched_people,
                new_phones=found.new_phones,
                unknown_columns=columns.unknown,
                rejects=str(rejects) if n_rejects else None,
                notes=(*notes, *found.notes),
            )
            if not result.landed:
                if refused and not dry_run:
                    _record(ledger, result, at_us, "refused")
                return result
            landing = Landing(at_us=at_us, given=given, n_phones=found.new_phones, n_people=_n_turns(found))
            landing = _flip(ledger, stage, landing, result)
            flipped = True
            land(stage, landing, lambda done, of: report("landing", done, of))
            _finish(ledger, landing.file, at_us, "landed")
            flipped = False
            return result
        finally:
            stage.close(keep=flipped)


def complete_imports(ledger: SqlLedger, progress: Progress | None = None) -> tuple[str, ...]:
    """Complete an import that was cut off after its flip; return what was done, in words.

    Whoever makes a list of the whole portfolio calls this first: then a list holds all of a file or nothing of it.

    Raises
    ------
    BadInput
        When an import is landing in another process: wait until it has ended.
    """
    if _cut_off(ledger) is None:
        return ()
    with only_import(ledger):
        return tuple(_complete(ledger, progress or (lambda _what, _done, _of: None)))


# ---- steps


def _infer(table: Table, columns: Columns, form: Form) -> tuple[Form, list[str]]:
    """Return the form with what the first rows leave no doubt about."""
    sample = [row for row in table.sample() if len(row) == len(table.header)]
    notes = []
    if form.decimal_mark is None and "balance" in columns.at:
        mark = infer_decimal_mark(row[columns.at["balance"]] for row in sample)
        form = msgspec.structs.replace(form, decimal_mark=mark)
        if mark == ",":
            notes.append(f"decimals are read as marked by {_MARKS[mark]}")
    if form.date_order is None:
        days = [columns.at[name] for name in ("due_on", "balance_on") if name in columns.at]
        order = infer_date_order(row[index] for row in sample for index in days)
        form = msgspec.structs.replace(form, date_order=order)
        if order:
            notes.append(f"dates are read as {_MARKS[order]}")
    return form, notes


def _read(stage: Stage, workers: Workers, table: Table, report: Progress) -> int:
    """Stage the rows of the file; return how many it has."""
    rows = 0
    for read_bytes, lines in workers.read():
        rows += lines.n_rows
        stage.load(tables.account, lines.accounts)
        stage.load(tables.number, lines.numbers)
        stage.load(tables.stop, lines.stops)
        stage.load(tables.consent, lines.consents)
        stage.load(tables.contact, lines.contacts)
        stage.load(tables.prior, lines.priors)
        stage.load(tables.reject, lines.rejects)
        report("reading", min(read_bytes, table.size_bytes), table.size_bytes)
    return rows


def _describe(stage: Stage, workers: Workers, n_phones: int, report: Progress) -> None:
    """Stage what is to be known of the numbers that the ledger lacks."""
    place = 0
    for facts in workers.describe(_missing(stage)):
        stage.load(tables.phone, [(place + nth, *one) for nth, one in enumerate(facts, 1)])
        place += len(facts)
        report("describing numbers", place, n_phones)


def _missing(stage: Stage) -> Iterator[str]:
    after = 0
    while True:
        # Whole pages at once: the stage is written to between two of them.
        page = list(stage.rows(f"SELECT ord, e164 FROM {SCHEMA}.missing WHERE ord > :after ORDER BY ord LIMIT 20000",
                               after=after))  # fmt: skip
        if not page:
            return
        after = page[-1][0]
        yield from (e164 for _, e164 in page)


def _find_cells(stage: Stage, table: Table, columns: Columns) -> None:
    """Fetch the original cells of rows that were rejected after they had been read."""
    wanted = {row for (row,) in stage.rows(f'SELECT "row" FROM {SCHEMA}.reject WHERE cells IS NULL')}
    if not wanted:
        return
    kept = [table.header.index(title) for title in columns.header]
    for piece in table.pieces():
        if wanted.isdisjoint(range(piece.first_row, piece.first_row + piece.rows)):
            continue
        found = [
            {"of": row, "cells": json.dumps([cells[index] for index in kept], ensure_ascii=False)}
            for row, cells in table.cells(piece)
            if row in wanted
        ]
        with stage.connection.begin():
            stage.connection.execute(text(f'UPDATE {SCHEMA}.reject SET cells = :cells WHERE "row" = :of'), found)


def _rejects(stage: Stage) -> Iterator[tuple[Any, ...]]:
    return stage.rows(f'SELECT "row", field, found, "do", cells FROM {SCHEMA}.reject ORDER BY "row"')


def _n_turns(found: Found) -> int:
    return found.touched_people + found.new_people


def _flip(ledger: SqlLedger, stage: Stage, landing: Landing, report: ImportReport) -> Landing:
    """Make the import part of the ledger: from here on it can only be completed."""
    stage.load(tables.landing, [(msgspec.json.encode(landing).decode(),)])
    names = [name for (name,) in stage.rows(f"SELECT DISTINCT creditor FROM {SCHEMA}.account ORDER BY creditor")]
    stage.sync()
    file = _record(ledger, report, landing.at_us, "landing", names, stage=stage.name, people=landing.n)
    return msgspec.structs.replace(landing, file=file)


def _record(
    ledger: SqlLedger,
    report: ImportReport,
    at_us: int,
    state: str,
    creditors: Iterable[str] = (),
    **values: object,
) -> int:
    with ledger.writing() as connection:
        if rows := [{"name": name} for name in creditors]:
            connection.execute(upsert(connection, creditor).on_conflict_do_nothing(), rows)
        statement = insert(import_file).values(
            kind="portfolio",
            name=report.file,
            sha256=report.sha256,
            started_us=at_us,
            finished_us=None if state == "landing" else at_us,
            state=state,
            rows=report.rows,
            rejected=report.rejected,
            added=report.added if report.landed else 0,
            changed=report.changed if report.landed else 0,
            withdrawn=report.withdrawn if report.landed else 0,
            **values,
        )
        return int(connection.execute(statement.returning(import_file.c.id)).scalar_one())


def _finish(ledger: SqlLedger, file: int, at_us: int, state: str) -> None:
    with ledger.writing() as connection:
        connection.execute(
            update(import_file).where(import_file.c.id == file).values(state=state, finished_us=at_us, stage=None)
        )


def _cut_off(ledger: SqlLedger) -> Row[Any] | None:
    """Return the import that was flipped and has not ended, in this process or another."""
    query = select(import_file).where(import_file.c.state == "landing", import_file.c.kind == "portfolio")
    with ledger.reading() as connection:
        return connection.execute(query).one_or_none()


def _complete(ledger: SqlLedger, report: Progress) -> list[str]:
    """Land the rest of an import that was cut off after its flip."""
    cut_off = _cut_off(ledger)
    if cut_off is None:
        return []
    what = f"the import of {cut_off.name} was cut off after {cut_off.landed} of {cut_off.people} steps"
    try:
        stage = Stage(ledger, cut_off.stage)
    except StageGone as gone:
        _finish(ledger, cut_off.id, cut_off.started_us, "refused")
        return [f"{what} and its stage {gone} is not there any more: import {cut_off.name} again"]
    done = False
    try:
        ((body,),) = list(stage.rows(f"SELECT body FROM {SCHEMA}.landing"))
        landing = msgspec.structs.replace(_landings.decode(body), file=cut_off.id)
        land(stage, landing, lambda n, of: report("completing", n, of))
        _finish(ledger, landing.file, landing.at_us, "landed")
        done = True
    finally:
        stage.close(keep=not done)
    return [f"{what}: completed first"]
