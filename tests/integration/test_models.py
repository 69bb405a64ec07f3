"""Bring your own table: from a CSV file to a champion that scores, is watched, and can be taken back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from console.main import app
from domain.errors import BadInput
from tests.unit.models.tables import columns, source

SCHEMA = """
name = "reach"
target = "answered"
time = "at"
group = "debtor"
categories = ["line"]
barred = ["talk_s"]
protected = ["sex"]
segments = ["line"]
[monotone]
tries = -1
[recipe]
rounds = 60
[windows]
blocks = 2
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a later one, and their schema."""
    folder = tmp_path_factory.mktemp("desk")
    rows = source(6000)
    pyarrow.csv.write_csv(rows.slice(0, 4500), folder / "rows.csv")
    pyarrow.parquet.write_table(rows.slice(4500), folder / "later.parquet")
    pyarrow.parquet.write_table(source(6000, shift=1.5).slice(4500), folder / "changed.parquet")
    (folder / "schema.toml").write_text(SCHEMA)
    return folder


def cadencia(folder: Path, *words: str, status: int = 0) -> Any:
    done = CliRunner().invoke(app, ["models", *words, "-C", str(folder), "--json"], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == status, done.output
    return json.loads(done.stdout)


def shown(folder: Path, *words: str) -> str:
    return CliRunner().invoke(app, ["models", *words, "-C", str(folder)], catch_exceptions=False).stdout


def test_from_a_file_to_a_champion_and_back(desk: Path, tmp_path: Path) -> None:
    rows, later, schema = str(desk / "rows.csv"), str(desk / "later.parquet"), ("--schema", str(desk / "schema.toml"))
    first = cadencia(tmp_path, "fit", rows, *schema, "--workers", "2")
    assert first["judged"]["verdict"]["passed"]
    assert first["manifest"]["versions"]["lightgbm"]
    # The same again, on other processes: the same version.
    assert cadencia(tmp_path, "fit", rows, *schema, "--workers", "1")["version"] == first["version"]
    assert [one["stage"] for one in cadencia(tmp_path, "list")] == ["candidate"]
    assert cadencia(tmp_path, "promote")["promoted"]
    assert Path(cadencia(tmp_path, "card")["page"]).is_file()

    out = tmp_path / "scores.parquet"
    told = cadencia(tmp_path, "score", later, "--out", str(out), "--intervals")
    scores = pyarrow.parquet.read_table(out)
    assert scores.column_names == ["debtor", "at", "row", "p", "least", "greatest", "version"]
    assert scores["version"].unique().to_pylist() == [f"reach/{first['version']}"] == [told["version"]]
    truth = columns(6000)["p"][4500:]
    assert np.abs(scores["p"].to_numpy() - truth).mean() < 0.06
    as_text = tmp_path / "scores.csv"
    cadencia(tmp_path, "score", later, "--out", str(as_text))
    again = pyarrow.csv.read_csv(as_text)
    np.testing.assert_allclose(again["p"].to_numpy(), scores["p"].to_numpy(), rtol=1e-12)

    assert cadencia(tmp_path, "evaluate", later)["rows"] == 1500
    assert cadencia(tmp_path, "drift", later)["level"] != "act"
    assert cadencia(tmp_path, "drift", str(desk / "changed.parquet"), status=1)["level"] == "act"

    (tmp_path / "weak.toml").write_text(SCHEMA.replace("rounds = 60", "rounds = 1"))
    weak = cadencia(tmp_path, "fit", rows, "--schema", str(tmp_path / "weak.toml"), "--workers", "1")
    refused = cadencia(tmp_path, "promote", status=1)
    assert not refused["promoted"]
    assert "incumbent" in [one["name"] for one in refused["verdict"]["checks"] if not one["passed"]]
    assert cadencia(tmp_path, "compare")["differences"]["log_loss"]["low"] > 0.0
    assert cadencia(tmp_path, "promote", "--despite", "a trial in one branch")["promoted"]
    assert cadencia(tmp_path, "rollback") == {
        "name": "reach", "champion": first["version"], "rolled_back_from": weak["version"],
    }  # fmt: skip
    words = shown(tmp_path, "list") + shown(tmp_path, "compare") + shown(tmp_path, "drift", later)
    words += shown(tmp_path, "evaluate", later)
    assert "…" not in words, "a figure is cut off on a terminal of 80 columns"
    words += shown(tmp_path, "card")
    assert "champion" in words
    assert "By block" in words


def test_evaluate_judges_a_recipe_and_warns_of_random_folds(desk: Path, tmp_path: Path) -> None:
    rows, schema = str(desk / "rows.csv"), ("--schema", str(desk / "schema.toml"))
    assert "overstate" in shown(tmp_path, "evaluate", rows, *schema, "--folds", "3", "--workers", "1")
    assert not (tmp_path / "trained").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("fit",), "make a working folder with `cadencia init"),
        (("fit", "rows.csv"), "say what the columns of"),
        (("fit", "none.csv", "--schema", "schema.toml"), "none.csv: cannot be read"),
        (("fit", "rows.csv", "--schema", "none.toml"), "none.toml: cannot be read"),
        (("fit", "rows.csv", "--schema", "schema.toml", "--workers", "-1"), "--workers must be 0 or more"),
        (("evaluate", "rows.csv", "--schema", "schema.toml", "--folds", "1"), "--folds must be 2 or more"),
        (("evaluate", "rows.csv", "--schema", "schema.toml", "--model", "x"), "leave one out"),
        (("evaluate", "rows.csv", "--model", "x", "--folds", "3"), "--folds judges a recipe"),
        (("score", "rows.csv"), "which model? In"),
        (("promote", "bank"), "there is no model 'bank'"),
    ],
)
def test_a_slip_is_told(desk: Path, tmp_path: Path, words: tuple[str, ...], complaint: str) -> None:
    placed = [str(desk / word) if word.endswith((".csv", ".toml")) else word for word in words]
    with pytest.raises(BadInput) as caught:
        cadencia(tmp_path, *placed)
    assert complaint in str(caught.value)


def test_rows_that_the_model_knew_do_not_judge_it(desk: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.toml"
    schema.write_text(SCHEMA.replace("blocks = 2", "blocks = 1\nlast_rows = 500").replace("= 60", "= 5"))
    cadencia(tmp_path, "fit", str(desk / "rows.csv"), "--schema", str(schema), "--workers", "1")
    with pytest.raises(BadInput, match="no row is later than"):
        cadencia(tmp_path, "evaluate", str(desk / "rows.csv"), "--model", "reach", "--version", "candidate")
    whole = tmp_path / "whole.parquet"
    pyarrow.parquet.write_table(source(6000), whole)
    told = cadencia(tmp_path, "evaluate", str(whole), "--version", "candidate")
    assert told["rows"] == 1500
