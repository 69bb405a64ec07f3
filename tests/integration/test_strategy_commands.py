"""The strategy lead's commands, from an example to a list that says why."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from console import settings
from console.main import app
from console.strategies import arm_of
from console.why_view import choice_words
from domain.errors import BadInput
from domain.instants import parse
from ledger.schema import debt, decision
from ledger.store import open_ledger
from simulation.sample import write_sample

NOW = "2026-11-18T08:00:00Z"


def cadencia(folder: Path, *words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, [*words, "--folder", str(folder)])
    assert done.exit_code == status, (done.output, done.exception)
    return done.stdout if "--json" in words else " ".join(done.stdout.split())


def answer(folder: Path, *words: str, status: int = 0) -> Any:
    return json.loads(cadencia(folder, *words, "--json", status=status))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("strategy")
    assert CliRunner().invoke(app, ["init", str(home)]).exit_code == 0
    write_sample(home / "accounts.csv", debtors=300, seed=3, at_us=parse(NOW))
    cadencia(home, "import", str(home / "accounts.csv"), "--at", NOW)
    return home


def test_the_examples_are_in_the_folder_and_hold(folder: Path) -> None:
    found = answer(folder, "strategy", "check")
    assert [Path(one["file"]).stem for one in found] == ["ageing", "balance", "digital-first", "gentle", "model"]
    assert not any(one["problems"] for one in found)
    assert "sms is handed out by `cadencia due`, not sent" in cadencia(folder, "strategy", "check", "digital-first")


def test_a_mistake_is_told_with_its_line_and_status_1(folder: Path) -> None:
    cadencia(folder, "strategy", "new", "wrong", "--from", "balance")
    path = folder / "strategies" / "wrong.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("promises_open", "promise_open"), encoding="utf-8")
    (found,) = answer(folder, "strategy", "check", "wrong", status=1)
    (problem,) = found["problems"]
    line = path.read_text(encoding="utf-8").splitlines()[problem["line"] - 1]
    assert line.startswith("stop_when")
    assert (problem["key"], found["strategy"]) == ("treatments.call.stop_when", None)
    said = cadencia(folder, "strategy", "check", "wrong", status=1)
    assert "do you mean promises_open?" in said
    path.unlink()
    with pytest.raises(BadInput, match="did you mean balance"):
        CliRunner().invoke(app, ["strategy", "check", "balanc", "--folder", str(folder)], catch_exceptions=False)


def test_money_of_several_currencies_is_not_weighed_in_silence(folder: Path) -> None:
    def considered(name: str, *more: str) -> str:
        words = ("strategy", "check", name, *more)
        return "\n".join(one for one in answer(folder, *words)[0]["advice"] if "has debts in" in one)

    assert considered("gentle") == ""
    told = considered("model")
    assert told.startswith(
        "model: rank_by weighs balance, value_call in minor units whatever their currency, and campaign"
    )
    assert "campaign sample has debts in COP, EUR, USD" in told
    assert "segment" not in told  # value_call <= 0 is the same in any currency
    assert "rank by balance_share" in cadencia(folder, "strategy", "show", "model")
    cadencia(folder, "strategy", "new", "bounds", "--from", "gentle")
    path = folder / "strategies" / "bounds.toml"
    text = path.read_text(encoding="utf-8")
    big = '[[segments]]\nname = "big"\nwhen = \'balance >= 200_00\'\ntreatment = "rest"\n[[segments]]'
    path.write_text(text.replace("[[segments]]", big, 1), encoding="utf-8")
    assert "segment big compares balance with a figure whatever its currency" in considered("bounds")
    path.write_text(text.replace("[[segments]]", big.replace("'b", '\'currency == "EUR" and b'), 1), encoding="utf-8")
    assert considered("bounds") == ""
    path.unlink()
    # Of one currency there is nothing to say.
    campaign = folder / "campaigns" / "sample.toml"
    plain = campaign.read_text(encoding="utf-8")
    campaign.write_text('selection = { countries = ["ES"] }\n' + plain, encoding="utf-8")
    assert considered("model") == ""
    campaign.write_text(plain, encoding="utf-8")


def test_a_check_makes_no_ledger(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["init", str(tmp_path / "new")]).exit_code == 0
    (tmp_path / "new" / "ledger.db").unlink()
    assert answer(tmp_path / "new", "strategy", "check", "model")[0]["advice"] == []
    assert not list((tmp_path / "new").glob("*.db"))


def test_show_says_what_each_segment_holds(folder: Path) -> None:
    found = answer(folder, "strategy", "show", "model")
    counts = found["counts"]
    assert counts["accounts"] == sum(one["accounts"] for one in counts["segments"]) > 250
    assert counts["listed"] == sum(one["listed"] for one in counts["segments"])
    assert 0 < counts["held_out"] < 0.15 * counts["accounts"]
    with open_ledger(settings.load(folder).ledger_url) as ledger, ledger.reading() as connection:
        owed = sum(connection.execute(select(debt.c.balance_minor).where(debt.c.state == "open")).scalars())
    assert sum(sum(one["owed_minor"].values()) for one in counts["segments"]) == owed
    assert "pays_anyway" in cadencia(folder, "strategy", "show", "model")
    # Outside a working folder: the words alone.
    assert answer(folder / "strategies", "strategy", "show", str(folder / "strategies/model.toml"))["counts"] is None


def test_diff_says_what_changes_and_for_how_many(folder: Path) -> None:
    cadencia(folder, "strategy", "new", "later", "--from", "balance")
    path = folder / "strategies" / "later.toml"
    text = path.read_text(encoding="utf-8")
    old = '[[segments]]\nname = "old"\nwhen = "days_past_due > 90"\ntreatment = "wait"\n'
    wait = '[treatments.wait]\n[[treatments.wait.steps]]\nchannel = "none"\n'
    path.write_text(text.replace("[[segments]]", old + "[[segments]]", 1) + wait, encoding="utf-8")
    found = answer(folder, "strategy", "diff", "balance", "later")
    assert [one["of"] for one in found["changes"]] == ["segment everybody", "segment old", "treatment wait"]
    moved = found["accounts"]
    assert moved["second_only"] == 0
    assert moved["first_only"] > 20
    assert moved["matrix"]["everybody"]["old"] >= moved["first_only"]
    assert sum(moved["matrix"]["everybody"].values()) == moved["accounts"]
    assert "leave it" in cadencia(folder, "strategy", "diff", "balance", "later")
    assert "nothing changes" in cadencia(folder, "strategy", "diff", "later", "later")
    path.unlink()


def test_new_keeps_what_is_there(folder: Path) -> None:
    with pytest.raises(BadInput, match="is there already"):
        CliRunner().invoke(app, ["strategy", "new", "gentle", "--folder", str(folder)], catch_exceptions=False)
    with pytest.raises(BadInput, match="must be of letters"):
        CliRunner().invoke(app, ["strategy", "new", "a b", "--folder", str(folder)], catch_exceptions=False)


@pytest.mark.parametrize(
    "named",
    ['name="own"  # mine', "name = 'own'", '"name" = """own"""', 'name\t=\t"own"', '# name = "own"\nname = "own"'],
)
def test_a_copy_has_its_own_name_however_the_name_is_written(folder: Path, named: str) -> None:
    own, copy = (folder / "strategies" / f"{name}.toml" for name in ("own", "copy"))
    text = (folder / "strategies" / "gentle.toml").read_text(encoding="utf-8").replace('name = "gentle"', named, 1)
    arms = '\n[trial]\n[[trial.arms]]\nname = "champion"\nshare = 1.0\nstrategy = "own"  # itself\n'
    own.write_text(text + arms, encoding="utf-8")
    cadencia(folder, "strategy", "new", "copy", "--from", "own")
    (found,) = answer(folder, "strategy", "check", "copy")
    assert found["strategy"].startswith("copy@")
    before, after = (path.read_text(encoding="utf-8") for path in (own, copy))
    assert [line for line in before.splitlines() if "#" in line and '"own"' not in line] == [
        line for line in after.splitlines() if "#" in line and '"copy"' not in line and '"own"' not in line
    ]
    assert 'strategy = "copy"  # itself' in after
    assert ("# mine" in after) == ("# mine" in before)
    own.unlink()
    copy.unlink()


def test_a_text_that_is_no_toml_is_not_copied(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('name = "bad\n', encoding="utf-8")
    asked = ["strategy", "new", "copy", "--from", str(tmp_path / "bad.toml"), "--folder", str(folder)]
    with pytest.raises(BadInput, match=r"bad\.toml: is not TOML .*at line 1"):
        CliRunner().invoke(app, asked, catch_exceptions=False)
    assert not (folder / "strategies" / "copy.toml").exists()


def test_a_ledger_without_accounts_is_told_so(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["init", str(tmp_path)]).exit_code == 0
    for words in (("diff", "balance", "gentle"), ("show", "gentle")):
        said = cadencia(tmp_path, "strategy", *words)
        assert "Campaign sample: no account that it works is on record" in said
        assert "from \\ to" not in said
        assert "on today's list" not in said
    for word in ("", "sample"):
        with pytest.raises(BadInput, match=r"^experiment: none is on record yet; cadencia experiment start CAMPAIGN"):
            CliRunner().invoke(app, ["experiment", "status", word, "-C", str(tmp_path)], catch_exceptions=False)


def test_the_schema_is_json() -> None:
    done = CliRunner().invoke(app, ["strategy", "schema"])
    assert json.loads(done.stdout)["$defs"]["Step"]["properties"]["channel"]


def test_a_campaign_names_its_strategy(folder: Path, tmp_path: Path) -> None:
    campaign = folder / "campaigns" / "sample.toml"
    plain = campaign.read_text(encoding="utf-8")
    for name, says in (("gentl", "did you mean gentle?"), ("x", "it has ageing, balance, digital-first")):
        campaign.write_text(plain.replace('# strategy = ""', f'strategy = "{name}"'), encoding="utf-8")
        with pytest.raises(BadInput, match=f"campaigns/sample.toml: strategy is '{name}'.*{says}"):
            settings.load(folder)
    campaign.write_text('document = "{}"\n' + plain, encoding="utf-8")
    with pytest.raises(BadInput, match="document is made from the strategy's own file; remove it"):
        settings.load(folder)
    campaign.write_text(plain.replace('# strategy = ""', 'strategy = "model"'), encoding="utf-8")
    (loaded,) = settings.load(folder).floor.campaigns
    assert loaded.strategy == "model"
    assert loaded.treatment("champion.call.1").calls_per_day == 2
    campaign.write_text(plain, encoding="utf-8")


def test_why_says_what_the_strategy_decided(folder: Path) -> None:
    campaign = folder / "campaigns" / "sample.toml"
    plain = campaign.read_text(encoding="utf-8")
    campaign.write_text(plain.replace('# strategy = ""', 'strategy = "model"'), encoding="utf-8")
    loaded = settings.load(folder)
    at_us = parse(NOW)
    with open_ledger(loaded.ledger_url) as ledger:
        plan = ledger.make_plan(loaded.floor.campaigns[0], at_us, loaded.floor.zone)
        (load,) = ledger.plan_events(plan, "sample", at_us)
        with ledger.reading() as connection:
            held = connection.execute(select(decision.c.person).where(decision.c.arm == "holdout")).scalars().first()
            account = connection.execute(select(debt.c.account).where(debt.c.person == held)).scalars().first()
    assert account is not None
    (found,) = answer(folder, "why", account, "--at", NOW)[0]["campaigns"]
    assert found["said"].startswith("not on its list: left alone by its strategy: held out by lot")
    assert found["decision"]["p_action"]["none"] > 0.05
    # What is said of somebody on the list.
    first = load.leads[0].choice
    assert first is not None
    assert choice_words(first).startswith(
        f"segment everybody_else, arm champion (0.95), place 1 of {len(load.leads)} by balance_share = "
    )
    campaign.write_text(plain, encoding="utf-8")


def test_a_document_is_a_strategy_of_the_simulator(folder: Path) -> None:
    document = str(folder / "strategies" / "gentle.toml")
    (own,) = arm_of(document, folder).floor.campaigns
    assert (own.name, own.strategy) == ("sample", "gentle")
    changed = arm_of("sample:strategy=gentle", folder)
    assert changed.floor.campaigns == (own,)
    assert arm_of(document + ":abandon_limit=0.01", folder).floor.campaigns[0].strategy == "gentle"
    with pytest.raises(BadInput, match=r"has no gentl\.toml; did you mean gentle"):
        arm_of("sample:strategy=gentl", folder)
    with pytest.raises(BadInput, match="document is no setting"):
        arm_of("sample:document=x", folder)


def test_what_an_agent_hour_is_worth(folder: Path) -> None:
    campaign, document = folder / "campaigns" / "sample.toml", folder / "strategies" / "hours.toml"
    plain = campaign.read_text(encoding="utf-8")
    cadencia(folder, "strategy", "new", "hours", "--from", "balance")
    campaign.write_text(plain.replace('# strategy = ""', 'strategy = "hours"'), encoding="utf-8")
    refused = CliRunner().invoke(app, ["plan", "prices", "--folder", str(folder)])
    assert isinstance(refused.exception, BadInput)
    assert "strategy 'hours' plans no hours" in str(refused.exception)
    text = document.read_text(encoding="utf-8").replace("\nrank_by", '\nplan = "slots"\nrank_by', 1)
    hours = ", ".join(f'"{hour}" = 0.5' for hour in range(10, 13))
    document.write_text(text + f"\n[capacity]\nagents = {{ {hours} }}\n", encoding="utf-8")
    told = answer(folder, "plan", "prices")
    assert told["currency"] is None  # euros and pesos
    (found,) = told["arms"].values()
    assert {one["local"][11:16] for one in found["slots"]} <= {"10:00", "11:00", "12:00"}
    assert len(found["slots"]) >= 12
    assert (found["debtors"], found["money"], found["unit"], found["forecast"]) == (299, False, "", 0.0)
    assert any(one["agent_hour"] > 0.0 for one in found["slots"])
    document.write_text(document.read_text().replace("\nplan =", '\nobjective = "promises_kept"\nplan =', 1))
    # No model tells of promises here: conversations count alike.
    (found,) = answer(folder, "plan", "prices")["arms"].values()
    assert (found["unit"], found["valued_by"]) == ("contacts", {"right_party_contacts": 1.0})
    said = cadencia(folder, "plan", "prices")
    assert "one more agent hour adds, contacts" in said
    assert "A conversation is worth one, whoever it is with (100 %)" in said
    assert "expected value, contacts" in cadencia(folder, "plan", "show")
    told = answer(folder, "plan", "show")
    assert told["planned_anew"] is None
    (shown,) = told["arms"].values()
    assert sum(one["debtors"] for one in shown["slots"]) >= shown["planned"] > 30  # of four days at least
    assert sum(one["value"] for one in shown["slots"]) == pytest.approx(shown["value"])
    assert "one more agent hour adds" in cadencia(folder, "plan", "prices")
    assert "share of the agents' time" in cadencia(folder, "plan", "show")
    campaign.write_text(plain, encoding="utf-8")
    document.unlink()
