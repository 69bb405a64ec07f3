"""Accepted rule packs: kept by their contents, in force until the next, and nobody is bound by a draft."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from compliance.gate import Gate
from compliance.packs import load
from console import accepted
from console.main import app
from domain.errors import BadInput
from tests.unit.console.test_rules import HEADER, ROWS


def cadencia(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "floor"
    assert cadencia("init", str(made)).exit_code == 0
    return made


def edit(folder: Path, old: str = '"21:00"', new: str = '"15:00"') -> str:
    """Change the Spanish pack and return the version of what the folder then holds."""
    pack = folder / "rules" / "es.toml"
    text = pack.read_text()
    assert old in text
    pack.write_text(text.replace(old, new))
    return load(folder / "rules").version


def accept(folder: Path, *words: str) -> Result:
    return cadencia("rules", "accept", "--yes", "--folder", str(folder), *words)


def test_what_is_edited_binds_nobody_until_it_is_accepted(folder: Path) -> None:
    rules = folder / "rules"
    first = accepted.gate_to_run(rules).version
    draft = edit(folder)
    assert accepted.gate_in_force(rules).version == first
    assert accepted.draft_differs(rules)
    found = json.loads(accept(folder, "--by", "Ada", "--note", "counsel asked", "--json").stdout)
    assert (found["before"]["version"], found["after"]["version"], found["engine"]) == (first, draft, None)
    assert [change["entry"] for change in found["changes"]] == ["ES.hours"]
    assert accepted.gate_in_force(rules).version == draft
    assert not accepted.draft_differs(rules)
    run, last = accepted.history(rules)
    assert (run.version, run.note, run.before) == (first, "first run", "")
    assert (last.version, last.by, last.note, last.before) == (draft, "Ada", "counsel asked", first)
    # What was decided under the first can be decided again.
    gate = accepted.gate_of(rules, first)
    assert gate is not None
    assert gate.version == first


def test_it_shows_what_changes_for_the_lists_before_it_does(folder: Path) -> None:
    (folder / "portfolio.csv").write_text(HEADER + ROWS, encoding="utf-8")
    assert cadencia("import", str(folder / "portfolio.csv"), "--folder", str(folder)).exit_code == 0
    edit(folder, '"21:00"', '"09:01"')
    found = json.loads(accept(folder, "--json").stdout)
    (campaign,) = found["lists"]["campaigns"]
    assert campaign["campaign"] == "sample"
    assert campaign["leads"] == 3
    assert sum(campaign["after"]) <= sum(campaign["before"])


def test_a_broken_pack_is_refused_with_everything_that_is_wrong(folder: Path) -> None:
    first = accepted.gate_to_run(folder / "rules").version
    for name, old, new in (("es", '"21:00"', '"25:00"'), ("co", "\nconfidence =", "\ntrust =")):
        pack = folder / "rules" / f"{name}.toml"
        pack.write_text(pack.read_text().replace(old, new, 1))
    done = accept(folder)
    assert isinstance(done.exception, BadInput)
    said = str(done.exception)
    assert "es.toml" in said
    assert "co.toml" in said
    assert [one.version for one in accepted.history(folder / "rules")] == [first]
    assert accepted.gate_in_force(folder / "rules").version == first


def test_without_anybody_to_ask_it_wants_yes(folder: Path) -> None:
    for words in ([], ["--json"]):
        done = cadencia("rules", "accept", "--folder", str(folder), *words)
        assert isinstance(done.exception, BadInput)
        assert "--yes" in str(done.exception)
    assert not accepted.history(folder / "rules")


def test_the_same_packs_are_accepted_once(folder: Path) -> None:
    for _ in range(2):
        assert accept(folder).exit_code == 0
    assert len(accepted.history(folder / "rules")) == 1
    # And a version that was in force before comes back under its own name.
    first = accepted.history(folder / "rules")[0].version
    edit(folder)
    assert accept(folder).exit_code == 0
    assert edit(folder, '"15:00"', '"21:00"') == first
    assert accept(folder).exit_code == 0
    versions = [one.version for one in accepted.history(folder / "rules")]
    assert (len(versions), versions[0], versions[2]) == (3, first, first)


def test_kept_packs_that_were_tampered_with_are_not_taken(folder: Path) -> None:
    rules = folder / "rules"
    version = accepted.gate_to_run(rules).version
    kept = rules / "accepted" / version / "es.toml"
    kept.write_text(kept.read_text() + "\n# nothing\n")
    for ask in (accepted.gate_in_force, lambda where: accepted.gate_of(where, version)):
        with pytest.raises(BadInput, match="restore the files"):
            ask(rules)
    shutil.rmtree(kept.parent)
    with pytest.raises(BadInput, match="are gone"):
        accepted.gate_in_force(rules)


def test_packs_that_change_while_somebody_looks_are_not_accepted(folder: Path) -> None:
    rules = folder / "rules"
    looked_at = load(rules).version
    edit(folder)
    with pytest.raises(BadInput, match="look again"):
        accepted.keep(rules, looked_at)
    assert not accepted.history(rules)
    assert not list((rules / "accepted").iterdir())


def test_an_unknown_version_is_not_to_be_had(folder: Path) -> None:
    rules = folder / "rules"
    assert accepted.gate_of(rules, "0123456789abcdef") is None
    # Of an instant before the first run no version is on record, whatever was accepted since.
    assert accepted.gate_of(rules, "") is None
    with pytest.raises(BadInput, match="never accepted"):
        accepted.accepted_gate(rules, load(rules).version)
    literal = Gate.load(rules, strict=False).version
    found = accepted.gate_of(rules, literal)
    assert found is not None
    assert found.version == literal


def test_preflight_and_the_list_of_packs_tell_a_draft(folder: Path) -> None:
    accepted.gate_to_run(folder / "rules")
    edit(folder)
    assert "What stands here is not" in cadencia("rules", "list", "--folder", str(folder)).stdout
    findings = json.loads(cadencia("preflight", "sample", "--folder", str(folder), "--json").stdout)
    (rules,) = [one for one in findings if one["what"] == "rules"]
    assert rules["ok"]
    assert "rules accept" in rules["todo"]
