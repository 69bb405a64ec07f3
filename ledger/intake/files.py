"""Reads CSV and Parquet files in pieces: never whole, every cell as text, every row with its number.

A piece travels to another process as it stands in the file and is cut into cells there.
"""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from domain.errors import BadInput

#: (what is being done, how much of it, of how much)
Progress = Callable[[str, int, int], None]

#: Rows of one piece.
PIECE_ROWS = 4000
_DELIMITERS = ",;\t|"
#: More lines than this in one record mean a quote that is never closed.
_MAX_RECORD_LINES = 200


class Piece(msgspec.Struct, frozen=True):
    """Consecutive rows of a file, not yet cut into cells."""

    #: Number of the first row as a reader of the file counts them: a CSV's header is row 1.
    first_row: int
    rows: int
    #: CSV text or a `pyarrow.RecordBatch`.
    body: Any
    #: Bytes of the file read so far.
    read_bytes: int


class Table(msgspec.Struct, frozen=True):
    """A file that can be read more than once."""

    path: Path
    header: tuple[str, ...]
    #: None: Parquet.
    delimiter: str | None
    gzipped: bool
    size_bytes: int

    def pieces(self, rows: int = PIECE_ROWS) -> Iterator[Piece]:
        """Yield the file in pieces."""
        return _parquet_pieces(self, rows) if self.delimiter is None else _csv_pieces(self, rows)

    def cells(self, piece: Piece) -> Iterator[tuple[int, list[str]]]:
        """Yield (row number, cells) of a piece; rows without any text are left out."""
        if self.delimiter is None:
            rows: Iterator[list[str]] = _parquet_cells(piece.body)
        else:
            rows = iter(csv.reader(io.StringIO(piece.body, newline=""), delimiter=self.delimiter))
        for number, cells in enumerate(rows, piece.first_row):
            if any(cells):
                yield number, cells

    def sample(self, rows: int = 5000) -> list[list[str]]:
        """Return the first rows."""
        for piece in self.pieces(rows):
            return [cells for _, cells in self.cells(piece)]
        return []

    def sha256(self) -> str:
        """Return the digest of the file as it is."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def open_table(path: Path) -> Table:
    """Look at a file's beginning and return it as a table.

    Raises
    ------
    BadInput
        When it cannot be read, is no CSV and no Parquet, or has no header.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
        size = path.stat().st_size
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}; check the name and its permissions") from error
    if start == b"PAR1":
        return Table(path, _parquet_header(path), None, False, size)
    if path.suffix.lower() in (".parquet", ".pq"):
        raise BadInput(
            f"{path}: is called Parquet and does not begin like it (PAR1), but with {start!r}; write or fetch it "
            "again, or give a CSV file a name that ends in .csv"
        )
    gzipped = start[:2] == b"\x1f\x8b"
    if gzipped:
        try:
            with gzip.open(path) as packed:
                start = packed.read(4)
        except (OSError, EOFError) as error:
            raise BadInput(f"{path}: begins like gzip and cannot be unpacked: {error}; fetch it again") from error
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BadInput(f"{path}: row 1: the first bytes say UTF-16; save the file as CSV UTF-8")
    if not start.strip(b"\xef\xbb\xbf\r\n"):
        raise BadInput(f"{path}: row 1: the file is empty; give a file with a header and one row per account")
    with _text(path, gzipped) as lines:
        try:
            first = next(iter(lines))
        except UnicodeDecodeError as error:
            raise _not_utf8(path, gzipped) from error
    unquoted = "".join(first.split('"')[::2])
    delimiter = max(_DELIMITERS, key=unquoted.count)
    if delimiter not in unquoted:
        raise BadInput(
            f"{path}: row 1: {first.strip()[:80]!r} has none of the delimiters , ; tab |; give the header row with the "
            "names of the columns"
        )
    header = tuple(title.strip() for title in next(csv.reader([first], delimiter=delimiter)))
    return Table(path, header, delimiter, gzipped, size)


# ---- CSV


def _bytes(path: Path, gzipped: bool) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if gzipped else path.open("rb", buffering=1 << 20)


def _text(path: Path, gzipped: bool) -> io.TextIOWrapper:
    return io.TextIOWrapper(_bytes(path, gzipped), encoding="utf-8-sig", newline="")


def _csv_pieces(table: Table, rows: int) -> Iterator[Piece]:
    """Cut the text between records: a line break inside quotes belongs to its cell."""
    raw: list[str] = []
    read = 0
    number, first, since = 1, 2, 0

    def lines(file: io.TextIOWrapper) -> Iterator[str]:
        nonlocal read, since
        for line in file:
            raw.append(line)
            read += len(line)
            since += 1
            if since > _MAX_RECORD_LINES:
                raise BadInput(
                    f"{table.path}: row {number + 1}: a quote is opened and not closed within {_MAX_RECORD_LINES} "
                    'lines; close it, or write a quote inside a cell twice ("")'
                )
            yield line

    assert table.delimiter is not None
    with _text(table.path, table.gzipped) as file:
        records = csv.reader(lines(file), delimiter=table.delimiter)
        try:
            next(records)
            raw.clear()
            since = 0
            for _ in records:
                number += 1
                since = 0
                if number - first + 1 == rows:
                    yield Piece(first, rows, "".join(raw), read)
                    raw.clear()
                    first = number + 1
        except UnicodeDecodeError as error:
            raise _not_utf8(table.path, table.gzipped) from error
        except csv.Error as error:
            raise BadInput(f"{table.path}: row {number + 1}: {error}; check its quotes") from error
        except (EOFError, gzip.BadGzipFile) as error:
            raise BadInput(
                f"{table.path}: row {number + 1}: {error}; the file is incomplete, fetch it again"
            ) from error
        if raw:
            yield Piece(first, number - first + 1, "".join(raw), read)


def _not_utf8(path: Path, gzipped: bool) -> BadInput:
    """Return the error that names row and byte of the first text that is not UTF-8."""
    offset = 0
    with _bytes(path, gzipped) as file:
        for row, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                byte = line[error.start]
                context = line[max(0, error.start - 12) : error.start + 12].decode("cp1252", "replace").strip()
                return BadInput(
                    f"{path}: row {row}: byte 0x{byte:02X} at offset {offset + error.start} is not UTF-8 (as Latin-1 "
                    f"it would read {context!r}); save the file as CSV UTF-8, or convert it: "
                    f"iconv -f WINDOWS-1252 -t UTF-8 {path.name} > {path.stem}.utf8.csv"
                )
            offset += len(line)
    return BadInput(f"{path}: the last character is cut off; the file is incomplete, fetch it again")


# ---- Parquet


def _arrow() -> tuple[Any, Any]:
    """Import pyarrow where it is first needed: it takes a quarter of a second, and it is not typed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pa, pq


def _parquet_header(path: Path) -> tuple[str, ...]:
    pa, pq = _arrow()
    try:
        schema = pq.read_schema(path)
    except pa.ArrowException as error:
        raise BadInput(f"{path}: begins like Parquet and cannot be read: {error}; write or fetch it again") from error
    for field in schema:
        plain_list = pa.types.is_list(field.type) and not pa.types.is_nested(field.type.value_type)
        if pa.types.is_nested(field.type) and not plain_list:
            raise BadInput(f"{path}: column {field.name!r} is {field.type}; give text, numbers, dates or lists of text")
    return tuple(schema.names)


def refuse_floats(table: Table, titles: Sequence[str]) -> None:
    """Refuse Parquet columns of money that are stored as floating point.

    Raises
    ------
    BadInput
        When one is.
    """
    if table.delimiter is not None:
        return
    pa, pq = _arrow()
    schema = pq.read_schema(table.path)
    for title in titles:
        if pa.types.is_floating(kind := schema.field(title).type):
            raise BadInput(
                f"{table.path}: column {title!r} holds money as {kind}, which cannot hold cents exactly; "
                "write it as decimal128 or as text"
            )


def _parquet_pieces(table: Table, rows: int) -> Iterator[Piece]:
    _, pq = _arrow()
    with pq.ParquetFile(table.path) as file:
        total = max(1, file.metadata.num_rows)
        number = 1
        for batch in file.iter_batches(batch_size=rows, use_threads=False):
            done = number - 1 + batch.num_rows
            yield Piece(number, batch.num_rows, batch, table.size_bytes * done // total)
            number += batch.num_rows


def _parquet_cells(batch: Any) -> Iterator[list[str]]:
    columns = [[_cell_text(value) for value in column.to_pylist()] for column in batch.columns]
    return (list(row) for row in zip(*columns, strict=True))


def _cell_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return ";".join(_cell_text(item) for item in value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


# ---- rejects


def rejects_path(path: Path) -> Path:
    """Return where the rejected rows of a file are written: beside it."""
    return path.with_name(f"{path.name}.rejects.csv")


def write_rejects(table: Table, rejects: Iterator[tuple[Any, ...]], to: Path) -> int:
    """Write the rejected rows, each with what is wrong before its original cells; return how many.

    The file can be corrected and imported as it is. It holds personal data: only its owner may read it.
    """
    from ledger.intake.columns import REJECT_COLUMNS

    n = 0
    to.unlink(missing_ok=True)
    first = next(rejects, None)
    if first is None:
        return 0
    to.touch(mode=0o600)
    with to.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=table.delimiter or ",", lineterminator="\n")
        writer.writerow((*REJECT_COLUMNS, *table.header))
        for row, field, found, do, cells in chain([first], rejects):
            writer.writerow((row, field, found, do, *json.loads(cells)))
            n += 1
    return n
