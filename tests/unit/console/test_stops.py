"""`stops` and `import-register` from the command line: recorded, shown, due, confirmed, lifted; and preflight asks."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from console.main import app
from domain.errors import BadInput
from tests.integration.portfolio_files import row, write

AT = ("--at", "2026-11-18T15:30:00Z")
LATER = ("--at", "2026-12-20T15:30:00Z")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert CliRunner().invoke(app, ["init", str(tmp_path / "floor"), "--campaign", "es"]).exit_code == 0
    rows = [row("A1", person="P1"), row("A2", person="P1"), row("A2", creditor="Caja", phone="600 123 457")]
    write(tmp_path / "p.csv", rows)
    assert cadencia(tmp_path / "floor", "import", str(tmp_path / "p.csv"), *AT).exit_code == 0
    return tmp_path / "floor"


def cadencia(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--folder", str(folder)])


def answer(folder: Path, *words: str) -> Any:
    done = cadencia(folder, *words, "--json")
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)


def test_a_stop_from_its_coming_to_its_lifting(folder: Path) -> None:
    words = ("--received", "letter", "--note", "does not want it", "--by", "ana", *AT)
    first = answer(folder, "stops", "add", "A1", "gdpr_objection", *words)
    assert (first["added"], [one["recorded_by"] for one in first["stops"]]) == (True, ["ana"])
    assert not answer(folder, "stops", "add", "A1", "gdpr_objection", *words)["added"]
    (shown,) = answer(folder, "stops", "list", "A1")
    assert (shown["stop"]["received"], shown["note"]) == ("letter", "does not want it")
    assert "does not want it" in cadencia(folder, "stops", "list", "A1").stdout
    (due,) = answer(folder, "stops", "due", *AT)
    assert (due["account"], due["duty"]["what"], due["overdue"]) == ("A1", "confirm", False)
    assert [one["overdue"] for one in answer(folder, "stops", "due", *LATER)] == [True]
    assert "ES.rights" in cadencia(folder, "stops", "due", *LATER).stdout
    assert answer(folder, "stops", "confirm", "A1", "gdpr_objection", *AT) == {"confirmed": 1}
    assert answer(folder, "stops", "due", *LATER) == []
    (lifted,) = answer(folder, "stops", "lift", "A1", "gdpr_objection", "--reason", "answered", *LATER)
    assert lifted["kind"] == "gdpr_objection"
    assert [one["stop"]["lifted_why"] for one in answer(folder, "stops", "list", "A1")] == ["answered"]
    for words in (("lift", "A1", "gdpr_objection", "--reason", "answered"), ("confirm", "A1", "gdpr_objection")):
        again = cadencia(folder, "stops", *words)
        assert isinstance(again.exception, BadInput)
        assert "no gdpr_objection of 'A1' stands" in str(again.exception)


def test_a_stop_may_be_of_the_account_alone(folder: Path) -> None:
    answer(folder, "stops", "add", "A2", "vulnerable", "--debt", "--creditor", "Banco", *AT)
    assert answer(folder, "stops", "list", "A1") == []
    (of_account,) = answer(folder, "stops", "list", "A2", "--creditor", "Banco")
    assert of_account["stop"]["debt"] is not None
    for words in (("list", "A2"), ("list", "A9"), ("add", "A2", "vulnerable")):
        refused = cadencia(folder, "stops", *words)
        assert isinstance(refused.exception, BadInput)
        assert "several debtors" in str(refused.exception) or "not on record" in str(refused.exception)


def test_a_file_with_a_bad_row_lands_the_others_and_fails(folder: Path) -> None:
    path = write(folder / "stops.csv", [{"account": "A1", "stop": "attorney"}, {"account": "A9", "stop": "attorney"}])
    done = cadencia(folder, "stops", "import", str(path), "--json", *AT)
    assert done.exit_code == 1
    assert {key: json.loads(done.stdout)[key] for key in ("added", "rejected")} == {"added": 1, "rejected": 1}
    assert "1 rejected" in cadencia(folder, "stops", "import", str(path), "--dry-run").stdout


def test_registers_that_the_people_on_record_need_are_listed_with_what_to_do(folder: Path) -> None:
    def wanted() -> dict[str, list[tuple[Any, ...]]]:
        return {
            one["name"]: [(need["rule"], need["purposes"], need["todo"]) for need in one["wanted"]]
            for one in answer(folder, "registers")
        }

    todo = "cadencia import-register {} FILE --country {}"
    spain = ("ES.robinson_selling", ["cross_sell"])
    assert wanted() == {"robinson": [(*spain, todo.format("robinson", "ES"))]}
    said = cadencia(folder, "registers").stdout
    assert "robinson: never imported" in said
    assert "before contacts for cross_sell in ES" in said
    rows = [row("B1", country="US", phone="(212) 555-0123", currency="USD"), row("B2", country="FR", phone="")]
    write(folder / "more.csv", rows)
    assert cadencia(folder, "import", str(folder / "more.csv"), "--dates", "dmy", *AT).exit_code == 0
    (folder / "list.txt").write_text("600123456\n")
    imported = ("import-register", "dnc", str(folder / "list.txt"), "--country", "ES")
    answer(folder, *imported, "--at", "2020-01-01T00:00:00Z")
    america = ("US.dnc_selling", ["cross_sell"])
    assert wanted()["dnc"] == [(*america, todo.format("dnc", "US"))]
    assert "of the last 31 days" in cadencia(folder, "registers").stdout
    answer(folder, *imported)
    answer(folder, "import-register", "tps", str(folder / "list.txt"), "--country", "ES")
    assert wanted() == {"dnc": [(*america, "")], "tps": [], "robinson": [(*spain, todo.format("robinson", "ES"))]}


def test_preflight_wants_the_registers_of_who_sells(folder: Path) -> None:
    def finding() -> Any:
        found = json.loads(cadencia(folder, "preflight", "es", "--json").stdout)
        return {one["what"]: one for one in found}.get("register robinson")

    assert finding() is None
    settings = folder / "campaigns" / "es.toml"
    assert '# purpose = "collection"' in settings.read_text()
    settings.write_text(settings.read_text().replace('# purpose = "collection"', 'purpose = "cross_sell"'))
    asked = finding()
    assert (asked["ok"], "never imported" in asked["found"]) == (False, True)
    assert "cadencia import-register robinson FILE --country ES" in asked["todo"]
    (folder / "list.txt").write_text("600123456\n600999999\n")
    found = answer(folder, "import-register", "robinson", str(folder / "list.txt"), "--country", "es")
    assert (found["numbers"], found["marked"]) == (2, 1)
    assert finding()["ok"]
    assert [one["name"] for one in answer(folder, "registers")] == ["robinson"]
    assert "robinson: 2 numbers, imported within the hour" in cadencia(folder, "registers").stdout
    strange = cadencia(folder, "import-register", "nobody", str(folder / "list.txt"), "--country", "ES")
    assert isinstance(strange.exception, BadInput)
    assert "no rule pack speaks of register 'nobody'" in str(strange.exception)
