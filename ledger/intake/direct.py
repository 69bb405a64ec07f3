"""A file whose rows land as they are read, some of them a transaction, with no stage between: payments and stops.

Every good row lands, whatever the others are like, and the same file again changes nothing: so a file may come any
number of times, also after it was cut off, and while campaigns run.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection

from ledger.intake.cells import Form, infer_date_order, infer_decimal_mark
from ledger.intake.columns import find_columns
from ledger.intake.files import Progress, open_table, refuse_floats, rejects_path, write_rejects
from ledger.intake.rows import Lines, RejectLine, RowReader
from ledger.reservations import batches
from ledger.store import SqlLedger

#: Rows of one transaction, some 20 ms; and the rest in which others get the lock.
_STEP = 200
_REST_S = 0.005


class FileReport(msgspec.Struct, frozen=True, kw_only=True):
    """What such a file came to."""

    file: str
    sha256: str
    #: False: dry run.
    landed: bool
    rows: int
    rejected: int
    #: On record before, so nothing changed.
    repeated: int
    added: int
    unknown_columns: tuple[str, ...]
    #: Rejected rows with the reasons; None: there are none.
    rejects: str | None


class Refused(NamedTuple):
    """A row that cannot land: what is wrong with which field, and what to do."""

    row: int
    field: str
    found: str
    do: str


class _Line(Protocol):
    @property
    def row(self) -> int: ...


_AnyLine = TypeVar("_AnyLine", bound=_Line)


class DirectFile:
    """A file of one kind of row.

    Parameters
    ----------
    kind : str
        Of `RowReader`; progress is told under this name.
    names : mapping
        Of the columns, with their other names; those of `required` must be there.
    form : Form
        What the file leaves ambiguous; what is None is inferred where some cells leave no doubt.
    amounts, days : sequence of str
        Columns to infer it from.

    Raises
    ------
    BadInput
        When the file cannot be read as a whole.
    """

    def __init__(
        self,
        kind: str,
        path: Path | str,
        names: Mapping[str, tuple[str, ...]],
        required: Sequence[str],
        form: Form,
        *,
        at_us: int,
        amounts: Sequence[str] = (),
        days: Sequence[str] = (),
    ) -> None:
        self._kind = kind
        self._table = open_table(Path(path))
        self._columns = find_columns(self._table.header, names, required, str(path))
        at = self._columns.at
        refuse_floats(self._table, [self._table.header[at[name]] for name in amounts if name in at])
        sample = [row for row in self._table.sample() if len(row) == len(self._table.header)]
        self.form = msgspec.structs.replace(
            form,
            decimal_mark=form.decimal_mark
            or infer_decimal_mark(row[at[name]] for row in sample for name in amounts if name in at),
            date_order=form.date_order
            or infer_date_order(row[at[name]] for row in sample for name in days if name in at),
        )
        self._reader = RowReader(kind, self._table, self._columns, self.form, at_us, lambda *_place: ())
        self.name = self._table.path.name
        self.sha256 = self._table.sha256()

    def land(
        self,
        ledger: SqlLedger,
        lines_of: Callable[[Lines], Sequence[_AnyLine]],
        land: Callable[[Connection, Sequence[_AnyLine]], tuple[int, list[Refused]]],
        *,
        dry_run: bool,
        progress: Progress | None,
    ) -> FileReport:
        """Read the file to its end, land its rows and write down those that cannot; the caller holds the kind's lock.

        Parameters
        ----------
        lines_of : callable
            Picks the kind's lines out of what a piece came to.
        land : callable
            Lands some lines in the open transaction, which in a dry run only reads; returns how many are new, and those
            that cannot land.

        Raises
        ------
        LedgerStalled
            When the ledger cannot be written now; the same file again lands the rest.
        """
        table, rejects = self._table, list[RejectLine]()
        rows = added = repeated = 0
        for piece in table.pieces():
            lines = self._reader.read(piece)
            rows += lines.n_rows
            rejects += lines.rejects
            refused: dict[int, Refused] = {}
            for step in batches(lines_of(lines), _STEP):
                with ledger.reading() if dry_run else ledger.writing() as connection:
                    new, bad = land(connection, step)
                added += new
                repeated += len(step) - new - len(bad)
                refused |= {one.row: one for one in bad}
                if not dry_run:
                    time.sleep(_REST_S)
            if refused:
                cells = {row: texts for row, texts in table.cells(piece) if row in refused}
                rejects += [self._reader.rejected(cells[row], *one) for row, one in refused.items()]
            if progress is not None:
                progress(self._kind, min(piece.read_bytes, table.size_bytes), table.size_bytes)
        rejects.sort(key=lambda line: line.row)
        to = rejects_path(table.path)
        n_rejects = write_rejects(table, ((one.row, one.field, one.found, one.do, one.cells) for one in rejects), to)
        return FileReport(
            file=self.name,
            sha256=self.sha256,
            landed=not dry_run,
            rows=rows,
            rejected=n_rejects,
            repeated=repeated,
            added=added,
            unknown_columns=self._columns.unknown,
            rejects=str(to) if n_rejects else None,
        )
