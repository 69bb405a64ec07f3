"""`gate` judges a file line by line and fails for a bad one; `rules` lists, shows, checks and compares the packs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from compliance.packs import SHIPPED, load
from console.main import app
from domain.errors import BadInput

SPAIN = {"country": "ES", "region": "MD", "phone": "+34912345678", "address_timezone": "Europe/Madrid"}
#: Wednesday at nine in the evening, when the day has just closed, and a minute before.
CLOSED = {"id": "closed", "at": "2026-11-18T21:00:00+01:00", "channel": "call", "debtor": SPAIN}
OPEN = CLOSED | {"id": "open", "at": "2026-11-18T20:59:00+01:00"}


def cadencia(*words: str, text: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=text)


def answers(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text(f"{json.dumps(OPEN)}\n{json.dumps(CLOSED)}\n", encoding="utf-8")
    return path


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Give packs in which Spain opens an hour longer."""
    directory = Path(shutil.copytree(SHIPPED, tmp_path / "other"))
    text = (directory / "es.toml").read_text()
    assert '"21:00"' in text
    (directory / "es.toml").write_text(text.replace('"21:00"', '"22:00"'))
    return directory


def test_verdicts_come_one_a_line_in_order(cases: Path) -> None:
    done = cadencia("gate", "--cases", str(cases))
    assert done.exit_code == 0, done.exception
    first, second = answers(done)
    assert list(first) == ["id", "allowed", "rule", "reason", "next_allowed_at"]
    assert (first["id"], first["allowed"], first["rule"]) == ("open", True, None)
    assert (second["id"], second["allowed"], second["rule"]) == ("closed", False, "ES.hours")
    assert second["next_allowed_at"] == "2026-11-19T09:00:00+01:00"


def test_a_bad_line_is_named_and_fails_at_the_end(cases: Path) -> None:
    lines = cases.read_text(encoding="utf-8").splitlines()
    text = "\ufeff" + "\r\n".join([lines[0], "not json", "", json.dumps(CLOSED | {"channel": "fax"}), lines[1]])
    done = cadencia("gate", "--cases", "-", text=text)
    assert done.exit_code == 1
    good, broken, fax, last = answers(done)
    assert (good["id"], last["id"]) == ("open", "closed")
    assert broken["id"] is None
    assert broken["error"].startswith("line 2: line is not JSON")
    assert list(fax) == ["id", "error"]
    assert fax["id"] == "closed"
    assert "write one of call" in fax["error"]


def test_the_packs_named_judge(cases: Path, rules: Path) -> None:
    found = answers(cadencia("gate", "--cases", str(cases), "--rules", str(rules)))
    assert [one["allowed"] for one in found] == [True, True]


def test_a_working_folder_judges_by_its_own_packs(cases: Path, rules: Path, tmp_path: Path) -> None:
    folder = tmp_path / "floor"
    assert cadencia("init", str(folder)).exit_code == 0
    shutil.copy(rules / "es.toml", folder / "rules" / "es.toml")
    found = answers(cadencia("gate", "--cases", str(cases), "--folder", str(folder)))
    assert [one["allowed"] for one in found] == [True, True]
    listed = json.loads(cadencia("rules", "list", "--folder", str(folder), "--json").stdout)
    assert listed["folder"] == str(folder / "rules")
    wrong = cadencia("gate", "--cases", str(cases), "--folder", str(tmp_path))
    assert isinstance(wrong.exception, BadInput)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = cadencia("gate", "--cases", str(tmp_path / "none.jsonl"))
    assert isinstance(done.exception, BadInput)
    assert "none.jsonl: cannot be read" in str(done.exception)


def test_a_program_that_asks_case_by_case_is_answered_at_once() -> None:
    command = [sys.executable, "-m", "console.main", "gate", "--cases", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as asked:
        assert asked.stdin is not None
        assert asked.stdout is not None
        for case, rule in ((OPEN, None), (CLOSED, "ES.hours"), (OPEN, None)):
            asked.stdin.write(json.dumps(case).encode() + b"\n")
            asked.stdin.flush()
            assert json.loads(asked.stdout.readline())["rule"] == rule
        asked.stdin.write(b"{}\n")
        asked.stdin.close()
        assert "missing required field" in json.loads(asked.stdout.readline())["error"]
        assert asked.wait(timeout=30) == 1


def test_packs_are_listed() -> None:
    found = json.loads(cadencia("rules", "list", "--json").stdout)
    assert found["version"] == load(SHIPPED).version
    spain = next(one for one in found["packs"] if one["file"] == "es.toml")
    assert spain["names"] == {"ES": "Spain"}
    assert (spain["signed"], spain["as_of"], spain["rows"]["in_force"] > 0) == (False, "2026-11-21", True)
    said = cadencia("rules", "list").stdout
    assert "es.toml" in said
    assert "not signed" in said


@pytest.mark.parametrize(
    ("name", "row"),
    [("nyc", "NYC.3in7"), ("Brooklyn", "NYC.3in7"), ("caba", "CABA.hours"), ("SP", "SP.hours"), ("ma", "MA.2in7")],
)
def test_a_place_is_found_by_its_names(name: str, row: str) -> None:
    assert row in {one["id"] for one in json.loads(cadencia("rules", "show", name, "--json").stdout)}


def test_a_place_and_a_row_are_shown() -> None:
    found = json.loads(cadencia("rules", "show", "us-ny-nyc", "--json").stdout)
    assert {"US.7in7", "NYC.3in7", "HOUSE.paid"} <= {one["id"] for one in found}
    # What is proposed or repealed binds nobody.
    assert {"NY.1plus3", "NYC.2in7_old"}.isdisjoint({one["id"] for one in found})
    creditor = json.loads(cadencia("rules", "show", "US-NY-NYC", "--actor", "first_party", "--json").stdout)
    assert "US.7in7" not in {one["id"] for one in creditor}
    for reading, counts in (("--strict", "attempts"), ("--literal", "connected_attempts")):
        (one,) = json.loads(cadencia("rules", "show", "US.7in7", reading, "--json").stdout)
        assert one["keys"]["counts"] == counts
        assert one["citation"].startswith("12 CFR 1006.14")
    said = " ".join(cadencia("rules", "show", "ES").stdout.split())
    assert "mon-fri 09:00-21:00, sat-sun closed" in said
    assert "RDL 1/2007 art. 96.2" in said
    assert "binds" in cadencia("rules", "show", "US.7in7").stdout


@pytest.mark.parametrize("words", [("show", "XX"), ("show", "ES", "--actor", "bank"), ("check", "--on", "never")])
def test_what_nobody_knows_is_refused(words: tuple[str, ...]) -> None:
    assert isinstance(cadencia("rules", *words).exception, BadInput)


def test_whole_packs_pass_with_warnings(rules: Path) -> None:
    done = cadencia("rules", "check", str(rules), "--json")
    assert done.exit_code == 0, done.exception
    found = json.loads(done.stdout)
    assert found["errors"] == []
    assert found["version"] == load(rules).version
    assert {"file": "es.toml", "row": None} in [{"file": one["file"], "row": one["row"]} for one in found["warnings"]]
    assert "whole" in cadencia("rules", "check", str(rules)).stdout


def test_every_error_is_named_and_fails(rules: Path) -> None:
    text = (rules / "es.toml").read_text()
    text = text.replace('mon = [["09:00", "22:00"]]', 'mon = [["09:00", "22:00"], ["21:00", "23:00"]]')
    text = text.replace('counts = "attempts"', 'count = "attempts"').replace('source = "from memory"\n', "", 1)
    (rules / "es.toml").write_text(text)
    done = cadencia("rules", "check", str(rules), "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)["errors"]
    for said in (
        "days.mon: windows overlap",
        "unknown field `count`",
        "missing field `counts`",
        "missing field `source`",
    ):
        assert [one for one in found if said in one]
    assert len(found) == 4
    shown = cadencia("rules", "check", str(rules))
    assert shown.exit_code == 1
    # Lines break where a folder's name is long.
    assert "4 errors" in " ".join(shown.stdout.split())


def test_a_difference_and_the_verdicts_that_it_changes(cases: Path, rules: Path) -> None:
    done = cadencia("rules", "diff", str(SHIPPED), str(rules), "--cases", str(cases), "--json")
    assert done.exit_code == 0, done.exception
    found = json.loads(done.stdout)
    assert [change["entry"] for change in found["changes"]] == ["ES.hours"]
    assert found["cases"]["judged"] == 2
    assert [one["id"] for one in found["cases"]["changed"]] == ["closed"]
    assert (found["cases"]["newly_allowed"], found["cases"]["newly_denied"]) == (1, 0)
    said = " ".join(cadencia("rules", "diff", str(SHIPPED), str(rules), "--cases", str(cases)).stdout.split())
    assert "~ ES.hours days: mon-fri 09:00-21:00, sat-sun closed → mon-fri 09:00-22:00, sat-sun closed" in said
    assert "1 of 2 verdicts change: 0 newly denied, 1 newly allowed" in said
    cases.write_text("{}\n", encoding="utf-8")
    assert cadencia("rules", "diff", str(SHIPPED), str(rules), "--cases", str(cases)).exit_code == 1


def test_a_folder_is_compared_with_what_it_accepted_last(rules: Path, tmp_path: Path) -> None:
    folder = tmp_path / "floor"
    assert cadencia("init", str(folder)).exit_code == 0
    assert "Nothing differs" in cadencia("rules", "diff", "--folder", str(folder)).stdout
    shipped = load(folder / "rules").version
    assert cadencia("rules", "accept", "--yes", "--folder", str(folder)).exit_code == 0
    shutil.copy(rules / "es.toml", folder / "rules" / "es.toml")
    found = json.loads(cadencia("rules", "diff", "--folder", str(folder), "--json").stdout)
    assert found["before"]["folder"] == str(folder / "rules" / "accepted" / shipped)
    assert [change["entry"] for change in found["changes"]] == ["ES.hours"]


HEADER = "creditor,account,name,phone1,country,region,postal_code,balance,currency\n"
ROWS = (
    "Banco,ONE,Ana,912345671,ES,MD,28001,100.00,EUR\n"
    "Banco,TWO,Eva,912345672,ES,MD,28001,100.00,EUR\n"
    "Banco,ABROAD,Luz,3001234567,CO,CUN,110111,300000,COP\n"
)


def test_a_change_is_shown_on_the_lists_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "floor"
    assert cadencia("init", str(folder)).exit_code == 0
    (folder / "portfolio.csv").write_text(HEADER + ROWS, encoding="utf-8")
    known = ("--at", "2026-11-17T08:00:00Z", "--folder", str(folder))
    done = cadencia("import", str(folder / "portfolio.csv"), *known)
    assert done.exit_code == 0, done.exception
    text = (folder / "rules" / "es.toml").read_text()
    (folder / "rules" / "es.toml").write_text(text.replace('"21:00"', '"15:00"'))
    asked = ("rules", "diff", "--list", "--at", "2026-11-18T08:30:00Z", "--folder", str(folder))
    done = cadencia(*asked, "--json")
    assert done.exit_code == 0, done.exception
    (one,) = json.loads(done.stdout)["lists"]["campaigns"]
    # The floor works from nine to nine in Madrid: from three on nobody of Spain is left, in Colombia all is as before.
    assert (one["leads"], one["losing"], one["gaining"]) == (3, 2, 0)
    assert one["rules"] == {"ES.hours": 2}
    assert len(one["persons"]) == 2
    lost = [before - after for before, after in zip(one["before"], one["after"], strict=True)]
    assert lost == [0] * 6 + [2] * 6
    assert "ES.hours 2" in " ".join(cadencia(*asked).stdout.split())
