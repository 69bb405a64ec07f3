"""`why` answers for every account of the ledger at every instant, and knows nothing then that came later."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from compliance.gate import Gate
from console.main import app
from ledger.schema import stop
from ledger.store import open_ledger

HEADER = "creditor,account,name,phone1,country,region,postal_code,balance,currency,stops\n"
ROWS = (
    "Banco,OPEN,Ana,600000001,ES,MD,28001,100.00,EUR,\n"
    "Banco,DISPUTED,Luis,600000002,ES,MD,28001,200.00,EUR,dispute\n"
    "Banco,ABROAD,Eva,3001234567,CO,CUN,110111,300000,COP,\n"
)
#: Wednesday: at three in the afternoon and at three in the morning in Madrid.
DAY, NIGHT = "2026-11-18T14:00:00Z", "2026-11-18T02:00:00Z"


def cadencia(folder: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--folder", str(folder)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def ask(folder: Path, *words: str) -> dict[str, Any]:
    (answer,) = json.loads(cadencia(folder, "why", *words, "--json"))
    assert isinstance(answer, dict)
    return answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which nothing has run."""
    home = tmp_path_factory.mktemp("floor")
    assert CliRunner().invoke(app, ["init", str(home)]).exit_code == 0
    campaign = home / "campaigns" / "sample.toml"
    text = campaign.read_text(encoding="utf-8")
    campaign.write_text(text + '\n[selection]\ncountries = ["ES"]\n', encoding="utf-8")
    (home / "portfolio.csv").write_text(HEADER + ROWS, encoding="utf-8")
    cadencia(home, "import", str(home / "portfolio.csv"), "--at", "2026-11-17T08:00:00Z")
    return home


def test_before_the_first_run_the_gate_answers(folder: Path) -> None:
    (campaign,) = ask(folder, "OPEN", "--at", DAY)["campaigns"]
    assert campaign["place"] == "not_listed"
    assert "had not run" in campaign["said"]
    assert campaign["phones"][0]["verdict"]["allowed"]
    (campaign,) = ask(folder, "OPEN", "--at", NIGHT)["campaigns"]
    verdict = campaign["phones"][0]["verdict"]
    assert (verdict["allowed"], verdict["rule"][:2]) == (False, "ES")
    assert verdict["next_allowed_at_us"]
    assert verdict["retention"] == ["ES.ret", "EU.ret"]
    rules = campaign["phones"][0]["rules"]
    assert all(one["citation"] and one["confidence"] in ("high", "medium", "low") for one in rules)
    said = " ".join(cadencia(folder, "why", "OPEN", "--at", NIGHT).split())
    for words in (
        "denied by ES",
        "03:00:00",
        "next allowed Wed 18 Nov",
        str(Gate.load(folder / "rules").row(verdict["rule"]).citation)[:20],
    ):
        assert words in said


def test_a_stop_is_told_before_the_first_run_and_for_who_is_on_no_list(folder: Path) -> None:
    (campaign,) = ask(folder, "DISPUTED", "--at", DAY)["campaigns"]
    assert campaign["phones"][0]["verdict"]["rule"] == "ES.rights"
    assert "denied by ES.rights" in " ".join(cadencia(folder, "why", "DISPUTED", "--at", DAY).split())
    (campaign,) = ask(folder, "ABROAD", "--at", DAY)["campaigns"]
    assert "selection.countries is ES" in campaign["said"]
    assert campaign["phones"][0]["verdict"]["local_time"].endswith("-05:00")


def test_nothing_that_was_learned_later_is_in_an_answer(folder: Path) -> None:
    cadencia(folder, "import-payments", str(_payment(folder)), "--at", "2026-11-19T08:00:00Z")
    assert ask(folder, "OPEN", "--at", "2026-11-20T14:00:00Z")["debts"][0]["state"] == "paid"
    then = ask(folder, "OPEN", "--at", DAY)
    assert [(debt["state"], debt["balance_minor"]) for debt in then["debts"]] == [("open", 10_000)]
    assert then["stops"] == []
    # Before the import nothing of the account was known.
    assert ask(folder, "OPEN", "--at", "2026-11-16T14:00:00Z")["debts"] == []
    # A stop that was lifted since stood all the same.
    ledger = open_ledger(f"sqlite:///{folder}/ledger.db")
    with ledger.writing() as connection:
        connection.execute(update(stop).where(stop.c.kind == "dispute").values(lifted_us=1_795_100_000_000_000))
    ledger.close()
    assert ask(folder, "DISPUTED", "--at", "2026-11-25T14:00:00Z")["stops"] == []
    assert [one["kind"] for one in ask(folder, "DISPUTED", "--at", "2026-11-18T08:00:00Z")["stops"]] == ["dispute"]


def _payment(folder: Path) -> Path:
    path = folder / "paid.csv"
    path.write_text(
        "creditor,account,paid_on,amount,currency,reference\nBanco,OPEN,2026-11-18,100.00,EUR,R-1\n", encoding="utf-8"
    )
    return path
