"""Why rows of a table score as they do: the command, by debtor and in both languages."""

import json
from pathlib import Path

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from console.main import app
from domain.errors import BadInput
from tests.integration.test_models import SCHEMA
from tests.unit.models.tables import source


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    pyarrow.parquet.write_table(source(2_000), folder / "rows.parquet")
    (folder / "schema.toml").write_text(SCHEMA.replace("rounds = 60", "rounds = 20"))
    run(folder, "fit", str(folder / "rows.parquet"), "--schema", str(folder / "schema.toml"), "--workers", "1")
    return folder


def run(folder: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["models", *words, "-C", str(folder)], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_rows_of_a_debtor_are_explained(desk: Path) -> None:
    rows = pyarrow.parquet.read_table(desk / "rows.parquet")
    who = str(rows["debtor"][7].as_py())
    told = json.loads(run(desk, "explain", str(desk / "rows.parquet"), "-v", "candidate", "-w", who, "--json"))
    assert told["version"].startswith("reach/")
    assert {one["group"] for one in told["rows"]} == {who}
    assert 7 in [one["row"] for one in told["rows"]]
    for one in told["rows"]:
        assert 0.0 < one["p"] < 1.0
        effects = [abs(reason["effect"]) for reason in one["reasons"]]
        assert effects == sorted(effects, reverse=True)
        assert 1 <= len(effects) <= 4


def test_reasons_are_told_in_the_agent_s_language(desk: Path) -> None:
    table = str(desk / "rows.parquet")
    told = {
        language: json.loads(run(desk, "explain", table, "-v", "candidate", "-l", language, "--limit", "3", "--json"))
        for language in ("en", "es")
    }
    words = {language: [r["text"] for one in found["rows"] for r in one["reasons"]] for language, found in told.items()}
    assert len(told["en"]["rows"]) == 3
    assert words["en"] != words["es"]
    assert "what moved it most" in run(desk, "explain", table, "-v", "candidate", "--limit", "2")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("-w", "nobody"), "debtor nobody is in no row"),
        (("-l", "fr"), "one of en, es, was 'fr'"),
        (("--most", "0"), "--most must be 1 or more"),
    ],
)
def test_a_slip_is_told(desk: Path, words: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        run(desk, "explain", str(desk / "rows.parquet"), "-v", "candidate", *words)
