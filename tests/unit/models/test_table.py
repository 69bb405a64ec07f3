"""From cells to numbers: fixed codes, order of time, and complaints that name the column."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from domain.errors import BadInput
from models.schema import Schema
from models.table import make_table, read_source, read_table
from tests.unit.models.tables import SCHEMA, quick, source

N = 6
COLUMNS: dict[str, Any] = {
    "debtor": ["b", "a", "b", "c", "a", "c"],
    "at": [date(2026, 9, 1) + timedelta(days=day) for day in (5, 0, 3, 3, 1, 2)],
    "tries": [1, 2, 3, 4, None, 99],
    "line": ["mobile", "fixed", None, "mobile", "work", "fixed"],
    "paid": ["yes", "no", "no", "no", "yes", "no"],
}
SMALL = Schema(
    name="small",
    target="paid",
    positive="yes",
    time="at",
    group="debtor",
    categories=("line",),
    missing={"tries": (99,)},
)


def made(**changed: Any) -> Any:
    return make_table({name: values for name, values in (COLUMNS | changed).items() if values is not None}, SMALL)


def test_rows_come_in_order_of_time_and_ties_as_they_stood() -> None:
    table = made()
    assert table.source_row.tolist() == [1, 4, 5, 2, 3, 0]
    assert table.y.tolist() == [0, 1, 0, 0, 0, 1]
    assert np.diff(table.time).min() >= 0.0
    assert len(set(table.group[[0, 1]])) == 1
    assert table.group[0] != table.group[2]


def test_cells_become_numbers_with_fixed_codes() -> None:
    table = made()
    assert table.encoding.features == ("tries", "line")
    assert table.encoding.categories == {"line": ("fixed", "mobile", "work")}
    expected = np.array([[2, 0], [np.nan, 2], [np.nan, 0], [3, np.nan], [4, 1], [1, 1]])
    np.testing.assert_array_equal(table.x, expected)


def test_a_word_never_seen_is_not_known_and_codes_stay() -> None:
    table = made()
    later = {"tries": [7.0, 8.0], "line": ["satellite", "work"]}
    np.testing.assert_array_equal(table.encoding.matrix(pa.table(later), "later"), [[7, np.nan], [8, 2]])


def test_the_horizon_is_in_days_where_time_is_dated() -> None:
    from msgspec.structs import replace

    table = make_table(COLUMNS, replace(SMALL, horizon=10.0))
    assert table.horizon == 10 * 86_400e6


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"paid": None}, "there is no column paid, which the schema names as the target"),
        ({"at": None}, "there is no column at, which the schema names as time"),
        ({"line": None}, "there is no column line, which the schema names as categories"),
        ({"tries": ["1", "2", "n/a", "4", "5", "6"]}, "column tries is not all numbers: row 3 holds 'n/a'"),
        ({"tries": ["1", "2", "3_0", "4", "5", "6"]}, "column tries is not all numbers: row 3 holds '3_0'"),
        ({"tries": ["1", "2", "nan", "4", "5", "6"]}, "column tries is not all numbers: row 3 holds 'nan'"),
        ({"tries": [b"\xf1"] * N}, "column tries holds text that is not UTF-8"),
        ({"line": [b"ma\xf1ana"] * N}, "column line holds text that is not UTF-8"),
        ({"line": [[1]] * N}, "column line holds list<item: int64>, which is no number and no word"),
        ({"at": [float("nan"), 1.0, 2.0, 3.0, 4.0, 5.0]}, "time at is empty in 1 rows, first in row 1"),
        ({"tries": [1, 2, 3, 4, float("inf"), 6]}, "column tries is infinite in row"),
        ({"tries": COLUMNS["at"]}, "column tries holds date32[day], which is no number"),
        ({"at": ["monday"] * N}, "time at holds string ('monday'), which has no order of time"),
        ({"at": [None, *COLUMNS["at"][1:]]}, "time at is empty in 1 rows, first in row 1"),
        ({"paid": ["no"] * N}, "target paid is never 'yes'"),
        ({"paid": ["yes"] * N}, "with one class there is nothing to learn"),
        ({"paid": ["yes", None, "no", "no", "no", "no"]}, "target paid is empty in 1 rows, first in row"),
    ],
)
def test_a_bad_column_is_named(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput) as caught:
        made(**changed)
    assert words in str(caught.value)


def test_numbers_with_blanks_about_them_and_beyond_what_a_double_holds_are_read() -> None:
    assert made(tries=["1", " 2", "3 ", None, "5e0", "6"]).x[:, 0].tolist()[:3] == [2, 5, 6]
    assert made(tries=[2**53 + 1 + n for n in range(N)]).x[0, 0] == float(2**53 + 2)
    assert np.diff(made(at=[10**18 + 1000 * n for n in range(N)]).time).min() > 0.0


def test_a_target_of_nothing_but_blanks_is_not_there_where_none_is_needed() -> None:
    learned = made()
    later = pa.table(COLUMNS | {"paid": pa.nulls(N)})
    found = make_table(later, SMALL, encoding=learned.encoding, labelled=False)
    assert (len(found), len(found.y)) == (N, 0)
    with pytest.raises(BadInput, match="target paid is empty in 6 rows"):
        make_table(later, SMALL, encoding=learned.encoding)


def test_a_near_miss_is_guessed() -> None:
    with pytest.raises(BadInput, match=r"did you mean tries\?"):
        make_table(COLUMNS, quick(target="paid", positive="yes", categories=("line",), barred=("trie",), protected=(),
                                  segments=(), monotone={}))  # fmt: skip


def test_a_target_of_words_needs_to_know_which_counts() -> None:
    from msgspec.structs import replace

    with pytest.raises(BadInput, match="say which counts as yes"):
        make_table(COLUMNS, replace(SMALL, positive=None))


def test_names_of_rows_are_no_category() -> None:
    rows = 3000
    table = {"id": [f"r{n}" for n in range(rows)], "y": [n % 2 for n in range(rows)]}
    with pytest.raises(BadInput, match="3,000 different values"):
        make_table(table, Schema(name="x", target="y", order="rows", categories=("id",)))


def test_protected_fields_are_kept_apart() -> None:
    table = make_table(source(400), SCHEMA)
    assert "sex" not in table.encoding.features
    assert "talk_s" not in table.encoding.features
    assert set(np.unique(table.protected["sex"])) == {"f", "m"}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_and_parquet_give_the_same_table(tmp_path: Path, separator: str) -> None:
    rows = source(500)
    text, parquet = tmp_path / "rows.csv", tmp_path / "rows.parquet"
    pyarrow.csv.write_csv(rows, text, pyarrow.csv.WriteOptions(delimiter=separator))
    pyarrow.parquet.write_table(rows, parquet)
    folder = tmp_path / "rows"
    for month in (9, 10):
        (folder / f"month={month}").mkdir(parents=True)
    pyarrow.parquet.write_table(rows.slice(0, 200), folder / "month=9" / "a.parquet")
    pyarrow.parquet.write_table(rows.slice(200), folder / "month=10" / "b.parquet")
    one, two = read_table(text, SCHEMA), read_table(parquet, SCHEMA)
    parts = make_table(read_source(folder).drop_columns(["month"]), SCHEMA)
    assert one.hash == two.hash == parts.hash


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.csv", None),
        ("cut.parquet", b"PAR1"),
        ("ragged.csv", b"a,b\n1\n"),
        ("twice.csv", b"a,a\n1,2\n"),
        ("latin.csv", b"a,a\xf1o\n1,2\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=name):
        read_source(path)


def test_segments_have_words() -> None:
    rows = 400
    random = np.random.default_rng(1)
    table = make_table(
        {"few": [n % 3 for n in range(rows)], "many": random.random(rows), "y": [n % 2 for n in range(rows)]},
        Schema(name="x", target="y", order="rows", segments=("few", "many")),
    )
    assert set(table.words("few")) == {"0", "1", "2"}
    _, count = np.unique(table.words("many"), return_counts=True)
    assert count.tolist() == [100] * 4
    unknown = table.encoding.words("many", np.full((1, 2), np.nan))
    assert unknown.tolist() == ["not known"]
