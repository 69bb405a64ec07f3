"""What the record can value of a strategy, and which documents it still knows: a list's own, edited since or not."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from console import settings
from console.main import app
from ledger.past_decisions import documents
from ledger.schema import decision
from ledger.store import open_ledger
from strategy.checking import read
from strategy.offpolicy import NOT_VALUED


def ope(folder: Path, strategy: str, *words: str, status: int = 0) -> str:
    asked = ("ope", "--strategy", strategy, "--days", "2", "--folder", str(folder), *words)
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.stdout if words else " ".join(done.stdout.split())


def answer(folder: Path, strategy: str, *, status: int = 0) -> Any:
    return json.loads(ope(folder, strategy, "--json", status=status))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose lists were made by gentle, edited since."""
    home = tmp_path_factory.mktemp("ope")
    assert CliRunner().invoke(app, ["init", str(home)]).exit_code == 0
    campaign = home / "campaigns" / "sample.toml"
    campaign.write_text(campaign.read_text().replace('# strategy = ""', 'strategy = "gentle"'))
    made = ("simulate", "history", "--debtors", "120", "--days", "8", "--agents", "2", "--folder", str(home))
    assert CliRunner().invoke(app, made, catch_exceptions=False).exit_code == 0
    gentle = home / "strategies" / "gentle.toml"
    (home / "before.toml").write_text(gentle.read_text())
    rested = gentle.read_text().replace("days_since_contact < 3", "days_since_contact < 9")
    gentle.write_text(rested + "\n[trial]\nholdout = 0.05\n")
    return home


def test_lists_are_valued_by_the_document_that_made_them_though_it_was_edited(folder: Path) -> None:
    now = read(folder / "strategies" / "gentle.toml")
    with open_ledger(settings.load(folder).ledger_url) as ledger, ledger.reading() as connection:
        (ran,) = connection.execute(select(decision.c.strategy).distinct()).scalars()
        known = documents(connection, "sample")
    assert ran != now.word
    assert {word: one.word for word, one in known.items()} == {ran: ran}
    assert not known[ran].document.trial.holdout
    found = answer(folder, "balance")
    assert list(found["by_document"]) == [ran]
    assert found["worth"]["n"] == found["by_document"][ran] > 300
    assert found["left_out"] == {"held_out": 0, "unknown_document": 0, "not_made_again": 0}
    # And the one that is in use now is another one.
    assert answer(folder, "gentle")["worth"]["ips"]["value"] != found["worth"]["had"]["value"]


def test_what_is_not_valued_is_said(folder: Path) -> None:
    found, other = (answer(folder, name) for name in ("balance", "ageing"))
    # They hold the same people on their lists, and differ in who comes first.
    assert found["worth"] == other["worth"]
    assert found["does_not_value"] == list(NOT_VALUED)
    assert "whom a list holds" in found["values"]
    said = ope(folder, "ageing")
    assert "Not valued: the order of the list, planned hours" in said
    assert "compare them with cadencia simulate run --strategy A --strategy B" in said


def test_a_strategy_that_differs_in_what_is_not_valued_alone_has_no_value(folder: Path) -> None:
    text = (folder / "before.toml").read_text().replace('name = "gentle"', 'name = "order"')
    changed = text.replace('rank_by = ["balance_share"]', 'rank_by = ["days_past_due"]\nplan = "slots"')
    changed = changed.replace('numbers = "last_reached_first"', 'numbers = "mobile_first"')
    path = folder / "strategies" / "order.toml"
    path.write_text(changed)
    assert changed.count("mobile_first") == 2
    found = answer(folder, "order", status=1)["worth"]
    assert found["ips"] is found["snips"] is found["dr"] is None
    assert "with the same chances" in found["refused"]
    assert "ranked by, plan, within the day, treatment remind, treatment call, and none" in found["refused"]
    assert f"simulate run --strategy sample --strategy {path}" in found["refused"]
    assert found["ess"] == found["n"]
    path.write_text(text)
    assert "in nothing but its name, and none" in ope(folder, "order", status=1)
    # What ran itself is worth what it had.
    now, path = (folder / "strategies" / "gentle.toml"), folder / "gentle.toml"
    path.write_text((folder / "before.toml").read_text())
    assert now.read_text() != path.read_text()
    same = answer(folder, str(path))["worth"]
    assert same["ips"] == same["had"]
