"""What no model may know is read for the audit alone, by person, and complained of by name."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domain.errors import BadInput
from models.history import History, history_of
from models.protected import read_protected
from tests.histories import tables


@pytest.fixture
def history() -> History:
    return of(7, 3, 5)


def of(*persons: int) -> History:
    """Return a history of people of whom nothing is known but that they are there."""
    return history_of(**tables([], numbers=[], zones={person: ["UTC"] for person in persons}, debts=[]))


def export(folder: Path, **columns: Any) -> str:
    pq.write_table(pa.table({"person": [7, 3, 5]} | columns), folder / "debtors.parquet")
    return str(folder)


def test_the_ledger_s_own_fields_are_told_by_person(tmp_path: Path, history: History) -> None:
    where = export(tmp_path, language=["es", "ca", None], zones=[["UTC"]] * 3, region=["x", "x", "x"])
    found = read_protected(where, history)
    # By rising person: 3, 5, 7. Where all are alike there is nobody to compare with; zones are no protected field.
    assert {name: words.tolist() for name, words in found.items()} == {"language": ["ca", "", "es"]}


def test_what_is_kept_elsewhere_is_told_beside_it(tmp_path: Path, history: History) -> None:
    given = pa.table({"person": [5, 7, 99], "sex": ["f", "m", "m"], "points": [4.0, None, 2.0]})
    found = read_protected(export(tmp_path), history, given, "sex.csv")
    assert found["sex"].tolist() == ["", "f", "m"]
    assert found["points"].tolist() == ["", "4", ""]


def test_many_numbers_are_bands(tmp_path: Path) -> None:
    persons = list(range(1, 101))
    pq.write_table(pa.table({"person": persons}), tmp_path / "debtors.parquet")
    given = pa.table({"person": persons, "age": [*range(18, 117), None]})
    found = read_protected(str(tmp_path), of(*persons), given, "age.csv")["age"]
    assert found[-1] == ""
    assert sorted(set(found.tolist()) - {""}) == ["above 91.5", "up to 42.5", "up to 67", "up to 91.5"]
    assert min((found == word).sum() for word in set(found.tolist()) - {""}) >= 24


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"sex": ["f"]}, "sex.csv: needs a column person"),
        ({"person": [5]}, "a column for each protected field; found person"),
        ({"person": [5], "tries": [1]}, "sex.csv: tries is the name of a feature"),
        ({"person": [5, 5], "sex": ["f", "m"]}, "sex.csv: person 5 is there twice"),
    ],
)
def test_a_slip_is_told(tmp_path: Path, history: History, given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        read_protected(export(tmp_path), history, pa.table(given), "sex.csv")
