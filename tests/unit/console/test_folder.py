"""The working folder and the installation: init never overwrites, doctor and preflight say what is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from console.main import app
from domain.errors import BadInput


def cadencia(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def findings(*words: str) -> dict[str, dict[str, Any]]:
    return {one["what"]: one for one in json.loads(cadencia(*words, "--json").stdout)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    done = cadencia("init", str(tmp_path / "floor"), "--campaign", "es", "--campaign", "co", "--json")
    assert done.exit_code == 0, done.exception
    return tmp_path / "floor"


def test_init_makes_a_folder_that_doctor_finds_ready(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "campaigns").iterdir()) == ["co.toml", "es.toml"]
    assert (folder / "rules" / "es.toml").exists()
    found = findings("doctor", "--folder", str(folder))
    assert {one for one in found if not found[one]["ok"]} == set()
    assert "campaigns: co, es" in found["settings"]["found"]


def test_init_again_changes_nothing(folder: Path) -> None:
    (folder / "cadencia.toml").write_text('[floor]\nstream = "mine"\n', encoding="utf-8")
    (folder / "campaigns" / "es.toml").write_text('name = "es"\nmode = "power"\n', encoding="utf-8")
    done = cadencia("init", str(folder), "--campaign", "es", "--json")
    assert json.loads(done.stdout)["made"] == []
    assert 'stream = "mine"' in (folder / "cadencia.toml").read_text(encoding="utf-8")
    assert "power" in (folder / "campaigns" / "es.toml").read_text(encoding="utf-8")


def test_doctor_tells_a_wrong_setting_and_fails(folder: Path) -> None:
    (folder / "campaigns" / "es.toml").write_text('name = "es"\nratio = 99.0\n', encoding="utf-8")
    done = cadencia("doctor", "--folder", str(folder))
    assert done.exit_code == 1
    assert "campaigns/es.toml: ratio must be in [1, 10], was 99.0" in " ".join(done.stdout.split())


def test_doctor_tells_a_wrong_rule_pack(folder: Path) -> None:
    (folder / "rules" / "es.toml").write_text("nonsense = 1\n", encoding="utf-8")
    found = findings("doctor", "--folder", str(folder))
    assert not found["rules"]["ok"]
    assert "es.toml" in found["rules"]["found"]


def test_doctor_sees_a_room_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "simulation").mkdir()
    (tmp_path / "simulation" / "__init__.py").write_text("", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "console.main", "doctor", "--json", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    rooms = {one["what"]: one for one in json.loads(done.stdout)}["rooms"]
    assert done.returncode == 1
    assert f"simulation comes from {tmp_path}" in rooms["found"]


def test_preflight_says_all_that_an_empty_floor_lacks(folder: Path) -> None:
    done = cadencia("preflight", "es", "--folder", str(folder), "--json")
    found = {one["what"]: one for one in json.loads(done.stdout)}
    assert done.exit_code == 1
    assert "never imported" in found["list"]["found"]
    assert {"list", "hours", "switch"} <= {one for one in found if not found[one]["ok"]}
    assert found["rules"]["ok"]
    assert found["ledger"]["ok"]


def test_preflight_refuses_a_campaign_that_is_not_there(folder: Path) -> None:
    done = cadencia("preflight", "fr", "--folder", str(folder))
    assert isinstance(done.exception, BadInput)
    assert "no campaign 'fr'" in str(done.exception)


def test_agents_are_put_on_record_and_listed(folder: Path) -> None:
    assert cadencia("agents", "add", "1001", "--name", "Ana", "--extension", "desk1", "-C", str(folder)).exit_code == 0
    assert cadencia("agents", "add", "1002", "1003", "--campaign", "es", "-C", str(folder)).exit_code == 0
    assert cadencia("agents", "add", "1003", "--leaves", "-C", str(folder)).exit_code == 0
    listed = {one["agent"]: one for one in json.loads(cadencia("agents", "list", "--json", "-C", str(folder)).stdout)}
    assert (listed["1001"]["name"], listed["1001"]["extension"]) == ("Ana", "desk1")
    assert [one for one in listed if listed[one]["active"]] == ["1001", "1002"]
    wrong = cadencia("agents", "add", "1004", "--campaign", "fr", "-C", str(folder))
    assert isinstance(wrong.exception, BadInput)


def test_agents_are_put_in_groups_and_keep_what_is_not_said(folder: Path) -> None:
    def add(*words: str) -> dict[str, Any]:
        done = cadencia("agents", "add", *words, "--json", "-C", str(folder))
        assert done.exit_code == 0, done.exception
        return {one["agent"]: one for one in json.loads(done.stdout)}

    add("1001", "--name", "Ana", "--extension", "desk1")
    assert add("1001", "1002", "--groups", "seniors, plans,seniors")["1002"]["groups"] == ["seniors", "plans"]
    assert add("1002", "--name", "Luz")["1002"]["groups"] == ["seniors", "plans"]
    add("1002", "--groups", "")
    listed = {one["agent"]: one for one in json.loads(cadencia("agents", "list", "--json", "-C", str(folder)).stdout)}
    assert (listed["1001"]["name"], listed["1001"]["extension"]) == ("Ana", "desk1")
    assert (listed["1001"]["groups"], listed["1002"]["groups"]) == (["seniors", "plans"], [])
    assert "seniors, plans" in cadencia("agents", "list", "-C", str(folder)).stdout
    wrong = cadencia("agents", "add", "1003", "--groups", "the seniors", "-C", str(folder))
    assert isinstance(wrong.exception, BadInput)
    assert "--groups: agent group 'the seniors' is no name; write letters" in str(wrong.exception)


def test_whoever_asks_for_a_group_with_nobody_in_it_is_told(folder: Path) -> None:
    assert cadencia("strategy", "new", "mine", "-C", str(folder)).exit_code == 0
    document = folder / "strategies" / "mine.toml"
    text = document.read_text(encoding="utf-8")
    document.write_text(
        text.replace('channel = "call"\n', 'channel = "call"\nagent_group = "seniors"\n'), encoding="utf-8"
    )
    campaign = folder / "campaigns" / "es.toml"
    campaign.write_text('strategy = "mine"\n' + campaign.read_text(encoding="utf-8"), encoding="utf-8")
    cadencia("agents", "add", "1001", "-C", str(folder))

    def told() -> tuple[str, str, str]:
        shown = json.loads(cadencia("strategy", "show", "mine", "--campaign", "es", "--json", "-C", str(folder)).stdout)
        checked = json.loads(cadencia("strategy", "check", "mine", "--json", "-C", str(folder)).stdout)
        todo = findings("preflight", "es", "--folder", str(folder))["agents"]["todo"]
        return "\n".join(shown["advice"]), "\n".join(checked[0]["advice"]), todo

    nobody = "no agent on record is in the group seniors"
    shown, checked, todo = told()
    assert nobody in shown
    assert "agents of the group seniors come first" in checked
    assert nobody in todo
    cadencia("agents", "add", "1001", "--groups", "seniors", "-C", str(folder))
    shown, checked, todo = told()
    assert "seniors" not in shown
    assert "agents of the group seniors come first" in checked
    assert not todo
    cadencia("agents", "add", "1001", "--leaves", "-C", str(folder))
    assert nobody in told()[0]


def test_asterisk_files_come_from_the_settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = cadencia("asterisk", "render", "-C", str(folder))
    assert isinstance(wrong.exception, BadInput)
    with (folder / "cadencia.toml").open("a", encoding="utf-8") as file:
        file.write('[nodes.main]\nversion = 16\n[trunks.trunk]\ncontact = "sip:192.0.2.1:5060"\n')
    monkeypatch.setenv("AMI_SECRET", "0123456789abcdef")
    cadencia("agents", "add", "1001", "--extension", "desk1", "-C", str(folder))
    done = cadencia("asterisk", "render", "-C", str(folder), "--json")
    assert done.exit_code == 0, done.exception
    written = {Path(path).name: Path(path).read_text(encoding="utf-8") for path in json.loads(done.stdout)["written"]}
    assert "[es]" in written["cadencia-queues.conf"]
    assert "[1001]" in written["cadencia-agents.conf"]
    assert "192.0.2.1" in written["cadencia-pjsip.conf"]


def test_preflight_warns_of_a_message_that_names_no_caller(folder: Path) -> None:
    found = findings("preflight", "es", "--folder", str(folder))["message"]
    assert "names no caller" in found["found"]
    assert 'message = "cadencia/es"' in found["todo"]
    path = folder / "campaigns" / "es.toml"
    path.write_text(f'message = "custom/banco"\n{path.read_text("utf-8")}', encoding="utf-8")
    assert findings("preflight", "es", "--folder", str(folder))["message"]["todo"] == ""


def test_preflight_says_which_rules_bind_and_wants_the_message_that_they_require(folder: Path) -> None:
    portfolio = folder / "portfolio.csv"
    rows = ("Bank,ONE,Ann,2079460001,GB,,100.00,GBP", "Banco,TWO,Ana,912345671,ES,MD,100.00,EUR")
    head = "creditor,account,name,phone1,country,region,balance,currency"
    portfolio.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    assert cadencia("import", str(portfolio), "--folder", str(folder)).exit_code == 0
    found = findings("preflight", "es", "--folder", str(folder))
    assert not found["message"]["ok"]
    assert "GB.message requires that one be played" in found["message"]["found"]
    assert "3 % a shift (ES.abandon_house)" in found["pacing"]["found"]
    assert "no_agent, lost, detection" in found["pacing"]["found"]
    assert found["pacing"]["ok"]
    path = folder / "campaigns" / "es.toml"
    text = path.read_text("utf-8")
    own = 'message = "custom/bank"\ndetect_machines = true\npatience_s = 3.0\nabandon_limit = 0.01\n'
    path.write_text(own + text, encoding="utf-8")
    found = findings("preflight", "es", "--folder", str(folder))
    assert found["message"]["ok"]
    # Three seconds would do for detection; the rules leave two.
    assert not found["pacing"]["ok"]
    assert "1 % a shift;" in found["pacing"]["found"]
    assert "waits 2 s at most (ES.abandon_house)" in found["pacing"]["found"]
    path.write_text('selection = { countries = ["ES"] }\n' + text, encoding="utf-8")
    assert findings("preflight", "es", "--folder", str(folder))["message"]["ok"]


def test_a_server_that_does_not_answer_comes_with_what_to_look_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMI_SECRET", "not-a-secret")
    path = folder / "cadencia.toml"
    path.write_text(f"{path.read_text('utf-8')}\n[nodes.main]\nport = 1\n", encoding="utf-8")
    found = findings("asterisk", "check", "--folder", str(folder))["node main"]
    assert not found["ok"]
    assert "[nodes.main] port 1 its manager's" in found["todo"]
