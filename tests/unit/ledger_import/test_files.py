"""Files as they come: delimiters, encodings, quotes, Parquet, and messages that say where."""

import csv
import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.errors import BadInput
from ledger.intake.columns import ACCOUNT_COLUMNS, PAYMENT_COLUMNS, find_columns, is_attempts_header
from ledger.intake.files import open_table, refuse_floats, write_rejects


def read(path: Path, rows: int = 4000) -> Iterator[tuple[int, list[str]]]:
    table = open_table(path)
    for piece in table.pieces(rows):
        yield from table.cells(piece)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_and_marks_are_found(tmp_path: Path, delimiter: str, encoding: str) -> None:
    path = tmp_path / "f.csv"
    path.write_text(
        delimiter.join(("creditor", "ñame")) + "\r\n" + delimiter.join(("Caja", "Íñigo")), encoding=encoding
    )
    table = open_table(path)
    assert (table.header, table.delimiter) == (("creditor", "ñame"), delimiter)
    assert list(read(path)) == [(2, ["Caja", "Íñigo"])]


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
@pytest.mark.parametrize("packed", [False, True])
def test_pieces_never_cut_a_record(tmp_path: Path, rows: int, packed: bool) -> None:
    records = [["a,b", 'say "no"', "x"], ["two\nlines", "", "y"], ["", "", ""], ["c", "\r\n\n", "z"], ["d", "e", "f"]]
    path = tmp_path / "f.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["h1", "h2", "h3"], *records])
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    expected = [(number, record) for number, record in enumerate(records, 2) if any(record)]
    assert list(read(path, rows)) == expected


def test_latin_1_is_told_by_row_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes("creditor,name\nCaja,Ana\nCaja,Peña\n".encode("latin-1"))
    with pytest.raises(BadInput, match=r"row 3: byte 0xF1 at offset 30 is not UTF-8 .*Peña.*iconv"):
        list(read(path))
    path.write_bytes("creditor,ñame\n".encode("latin-1"))
    with pytest.raises(BadInput, match="row 1: byte 0xF1"):
        open_table(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\n", "empty"),
        (b"\xff\xfec\x00", "UTF-16"),
        (b"creditor\nCaja\n", "none of the delimiters"),
        (b"PAR1 and nothing else", "begins like Parquet"),
        (b"\x1f\x8bnothing", "begins like gzip"),
        # Without the time of day: parallel runs must agree on what the test is called.
        (gzip.compress(b"a,b\n" + b"c,d\n" * 50_000, mtime=0)[:-200], "incomplete"),
        (b'a,b\n"open,x\n' + b"c,d\n" * 300, "row 2: a quote is opened and not closed"),
        ("a,b\nc,Peñ".encode()[:-1], "row 2: byte 0xC3"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=told):
        list(read(path))


@pytest.mark.parametrize("content", [b"creditor,account\nCaja,1\n", b"\xff\xfe\x99garbage", b""])
def test_what_is_called_parquet_and_is_not(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"is called Parquet and does not begin like it .*\.csv"):
        open_table(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        open_table(tmp_path / "none.csv")


def test_parquet_cells_are_text(tmp_path: Path) -> None:
    from datetime import UTC, date, datetime

    path = tmp_path / "f.parquet"
    columns = {
        "balance": pa.array([Decimal("1234.50"), None]),
        "due": pa.array([date(2026, 11, 30), None]),
        "at": pa.array([datetime(2026, 11, 30, 10, tzinfo=UTC), None]),
        "phones": pa.array([["+34600123456", "+34600123457"], None]),
        "dispute": pa.array([True, False]),
        "phone": pa.array([600123456, None]),
    }
    pq.write_table(pa.table(columns), path)
    assert list(read(path, 1)) == [
        (1, ["1234.50", "2026-11-30", "2026-11-30T10:00:00+00:00", "+34600123456;+34600123457", "yes", "600123456"]),
        (2, ["", "", "", "", "no", ""]),
    ]


def test_parquet_money_in_floats_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    pq.write_table(pa.table({"balance": pa.array([1.5]), "s": pa.array([{"a": 1}])}), path)
    with pytest.raises(BadInput, match="column 's' is struct"):
        open_table(path)
    pq.write_table(pa.table({"balance": pa.array([1.5])}), path)
    with pytest.raises(BadInput, match="column 'balance' holds money as double"):
        refuse_floats(open_table(path), ["balance"])


def test_rejects_keep_delimiter_and_original(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("creditor;name\nCaja;Ana\n", encoding="utf-8")
    table, to = open_table(path), tmp_path / "r.csv"
    assert write_rejects(table, iter([(2, "name", "Ana", "write it; in full", '["Caja", "Ana"]')]), to) == 1
    assert to.read_text(encoding="utf-8").splitlines() == [
        "reject_row;reject_field;reject_found;reject_do;creditor;name",
        '2;name;Ana;"write it; in full";Caja;Ana',
    ]
    assert write_rejects(table, iter([]), to) == 0
    assert not to.exists()


# ---- columns


def test_columns_are_found_by_either_language() -> None:
    header = ["Acreedor", "N.º", "Número Cuenta", "Saldo pendiente", "Teléfono 2", "Teléfono 1", "Móvil", "Fallecido",
              "stop_dispute", "Código Postal", "reject_row", "shoe size"]  # fmt: skip
    columns = find_columns(header, ACCOUNT_COLUMNS, ("creditor", "account", "balance"), "f.csv")
    assert columns.at == {"creditor": 0, "account": 2, "balance": 3, "postal_code": 9}
    assert columns.phones == (6, 5, 4)
    assert columns.stops == (("deceased", 7), ("dispute", 8))
    assert columns.unknown == ("N.º", "shoe size")
    assert "reject_row" not in columns.header


def test_missing_and_double_columns_are_refused() -> None:
    with pytest.raises(BadInput, match=r"no column for balance.*Name the column balance \(or saldo"):
        find_columns(["creditor", "account"], ACCOUNT_COLUMNS, ("creditor", "account", "balance"), "f.csv")
    with pytest.raises(BadInput, match="'saldo' and 'Balance' both mean balance"):
        find_columns(["saldo", "Balance"], ACCOUNT_COLUMNS, (), "f.csv")
    assert find_columns(["Importe"], PAYMENT_COLUMNS, (), "f.csv").at == {"amount": 0}


def test_every_name_means_one_column() -> None:
    names = [name for column, aliases in ACCOUNT_COLUMNS.items() for name in (column, *aliases)]
    assert len(names) == len(set(names))


def test_a_file_of_attempts_is_told_by_its_header() -> None:
    assert is_attempts_header(["Cuenta", "Fecha", "Evento"])
    assert not is_attempts_header(["Cuenta", "Saldo", "Evento", "Fecha"])
    assert not is_attempts_header(["creditor", "account", "balance"])


def test_the_document_names_every_column() -> None:
    document = (Path(__file__).parents[3] / "docs" / "import.md").read_text(encoding="utf-8")
    for names in (ACCOUNT_COLUMNS, PAYMENT_COLUMNS):
        for column, aliases in names.items():
            for name in (column, *aliases):
                assert name in document, f"{name} ({column})"
