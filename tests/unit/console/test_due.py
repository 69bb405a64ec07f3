"""`due` from the command line: counted, handed out into a file once, written again, refused with what to do."""

import csv
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from console.main import app
from domain.errors import BadInput
from tests.integration.portfolio_files import row, write

AT = ("--at", "2026-11-18T15:30:00Z")
NEXT = ("--at", "2026-11-18T16:30:00Z")
MORROW = ("--at", "2026-11-19T15:30:00Z")

DOCUMENT = """
name = "texts"
rank_by = ["balance"]

[[segments]]
name = "pool"
when = "n_phones == 0"
treatment = "research"

[[segments]]
name = "others"
when = "true"
treatment = "write"

[treatments.research]
[[treatments.research.steps]]
channel = "none"
task = "number_research"

[treatments.write]
[[treatments.write.steps]]
channel = "sms"
template = "first-notice"

[budgets]
sms = 2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "floor"
    assert CliRunner().invoke(app, ["init", str(home), "--campaign", "es"]).exit_code == 0
    settings = home / "campaigns" / "es.toml"
    settings.write_text(settings.read_text("utf-8").replace('# strategy = ""', 'strategy = "texts"'), "utf-8")
    (home / "strategies" / "texts.toml").write_text(DOCUMENT, encoding="utf-8")
    rows = [
        row("A1", phone="600 123 401", balance="300", language="es", name="Lucía Núñez"),
        row("A2", phone="600 123 402", balance="200", language="en", due_on="2026-09-01"),
        row("A3", phone="600 123 403", balance="100"),
        row("A4", phone="", balance="50", street="Calle Mayor 1", postal_code="28013", city="Madrid"),
        row("A5", person="P-A1", phone="600 123 401", balance="30.50", language="es", name="Lucía Núñez"),
    ]
    write(tmp_path / "p.csv", rows)
    assert cadencia(home, "import", str(tmp_path / "p.csv"), *AT).exit_code == 0
    return home


def cadencia(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--folder", str(folder)])


def answer(folder: Path, *words: str) -> Any:
    done = cadencia(folder, "due", *words, "--json")
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_due_is_counted_and_nothing_is_kept(folder: Path) -> None:
    found = answer(folder, *AT)
    sms, research = found["messages"]["sms"], found["tasks"]["number_research"]
    assert (sms["due"], sms["ready"], sms["over_budget"], sms["budget"]) == (3, 2, 1, 2)
    assert sms["texts"] == {"first-notice": {"en": 1, "es": 1}}
    assert (research["due"], research["in_hand"]) == (1, 0)
    assert answer(folder, *AT) == found
    assert list(answer(folder, "--task", "number_research", *AT)["messages"]) == []
    said = " ".join(cadencia(folder, "due", "es", *AT).stdout.split())
    assert "sms 3 2 1 0 of 2" in said
    assert "sms, by text: first-notice (en 1, es 1)" in said


def test_a_file_for_the_house_that_sends(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "sms.csv"
    handed = answer(folder, "--channel", "sms", "--csv", str(path), "--by", "ana", *AT)
    assert (handed["lines"], handed["over_budget"], handed["file"]) == (2, 1, str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".*.part"))
    first, second = table(path)
    assert {key: first[key] for key in ("to", "template", "language", "name", "account", "accounts", "balance")} == {
        "to": "+34600123401", "template": "first-notice", "language": "es", "name": "Lucía Núñez", "account": "A1",
        "accounts": "2", "balance": "330.50",
    }  # fmt: skip
    assert (second["account"], second["due_on"], second["debtor"]) == ("A2", "2026-09-01", "P-A2")
    assert first["send_before"] == "2026-11-18T21:00:00.000+01:00"
    assert "street" not in first
    # The same command again: refused, for the file is there; another file: nobody is left today.
    refused = cadencia(folder, "due", "--channel", "sms", "--csv", str(path), *AT)
    assert isinstance(refused.exception, BadInput)
    assert "is there already" in str(refused.exception)
    other = tmp_path / "other.csv"
    assert answer(folder, "--channel", "sms", "--csv", str(other), *NEXT)["handover"] is None
    assert not other.exists()
    # Written again, as it was; and without whoever has stopped since.
    before = path.read_bytes()
    path.unlink()
    assert answer(folder, "--channel", "sms", "--csv", str(path), "--again", *NEXT)["lines"] == 2
    assert path.read_bytes() == before
    assert cadencia(folder, "stops", "add", "A2", "do_not_call", *NEXT).exit_code == 0
    assert cadencia(folder, "stops", "add", "A2", "dispute", *NEXT).exit_code == 0
    again = answer(folder, "--channel", "sms", "--csv", str(path), "--again", *NEXT)
    assert (again["lines"], sum(again["not_now"].values())) == (1, 1)
    assert [one["account"] for one in table(path)] == ["A1"]
    # Tomorrow those who were left over.
    assert answer(folder, "--channel", "sms", "--csv", str(other), *MORROW)["lines"] == 1
    assert [one["account"] for one in table(other)] == ["A3"]
    said = " ".join(cadencia(folder, "why", "A1", "--at", "2026-11-18T17:00:00Z").stdout.split())
    assert "handed out Wed 18 Nov 16:30 by ana: sms first-notice to number" in said
    assert "segment others, champion.write.1 (texts@" in said
    (why,) = json.loads(cadencia(folder, "why", "A1", "--at", "2026-11-18T15:00:00Z", "--json").stdout)
    assert why["handed"] == []


def test_a_file_for_the_clerk(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "research.csv"
    assert "Handed out. 1 in" in " ".join(
        cadencia(folder, "due", "--task", "number_research", "--csv", str(path), *AT).stdout.split()
    )
    (line,) = table(path)
    assert (line["account"], line["numbers"], line["city"], line["task"]) == ("A4", "", "Madrid", "number_research")
    found = answer(folder, *NEXT)["tasks"]["number_research"]
    assert (found["due"], found["in_hand"], found["since"]) == (0, 1, "2026-11-18")


def test_a_file_that_cannot_be_written_is_on_record_and_blocks(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "sms.csv"
    in_the_way = tmp_path / ".sms.csv.part"
    in_the_way.mkdir()
    done = cadencia(folder, "due", "--channel", "sms", "--csv", str(path), *AT)
    assert isinstance(done.exception, BadInput)
    assert "the hand-over is on record" in str(done.exception)
    assert not path.exists()
    assert [one["lines"] for one in answer(folder, *AT)["unfinished"]] == [2]
    assert "its file never became whole" in " ".join(cadencia(folder, "due", *AT).stdout.split())
    blocked = cadencia(folder, "due", "--channel", "sms", "--csv", str(tmp_path / "more.csv"), *AT)
    assert isinstance(blocked.exception, BadInput)
    in_the_way.rmdir()
    assert answer(folder, "--channel", "sms", "--csv", str(path), "--again", *AT)["lines"] == 2
    assert [one["account"] for one in table(path)] == ["A1", "A2"]
    assert answer(folder, *AT)["unfinished"] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--channel", "fax"), "--channel must be one of sms, email, messaging, letter, was 'fax'"),
        (("--task", "look"), "--task must be one of number_research, address_research, review, was 'look'"),
        (("--csv", "x.csv"), "name it with --channel or --task"),
        (("--again",), "name it with --csv FILE"),
        (("--channel", "sms", "--task", "review"), "name one of the two"),
        (("--channel", "sms", "--csv", "nowhere/x.csv"), "there is no folder nowhere"),
        (("--channel", "letter", "--csv", "x.csv", "--again"), "letter of campaign 'es' was never handed out"),
        (("spring",), "spring"),
    ],
)
def test_what_makes_no_sense_is_told(folder: Path, words: tuple[str, ...], says: str) -> None:
    done = cadencia(folder, "due", *words, *AT)
    assert isinstance(done.exception, BadInput)
    assert says in str(done.exception)


def test_no_message_leaves_while_a_register_is_missing(folder: Path, tmp_path: Path) -> None:
    path = folder / "campaigns" / "es.toml"
    text = path.read_text("utf-8")
    assert '# purpose = "collection"' in text
    path.write_text(text.replace('# purpose = "collection"', 'purpose = "cross_sell"'), "utf-8")
    done = cadencia(folder, "due", "--channel", "sms", "--csv", str(tmp_path / "x.csv"), *AT)
    assert isinstance(done.exception, BadInput)
    assert "ES.robinson_selling wants register robinson" in str(done.exception)
    assert answer(folder, *AT)["unfinished"] == []


def test_a_campaign_without_a_strategy_has_nothing_due(folder: Path) -> None:
    path = folder / "campaigns" / "es.toml"
    path.write_text(path.read_text("utf-8").replace('strategy = "texts"', ""), "utf-8")
    done = cadencia(folder, "due", *AT)
    assert isinstance(done.exception, BadInput)
    assert "campaign 'es' has no strategy" in str(done.exception)
