"""A trial from its start to a promoted challenger, and a strategy valued from the record, on a ledger with a past."""

import dataclasses
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console
from sqlalchemy import select
from typer.testing import CliRunner

from console import experiment_text, settings
from console.main import app
from console.prices import prices_of
from domain.errors import BadInput
from domain.instants import DAY, midnight_us
from ledger.experiments import find
from ledger.schema import debt, decision
from ledger.store import open_ledger
from ledger.trial_status import contrast_at, status
from ledger.trial_units import TOUCH_DAYS, Units, read_units
from strategy.documents import HOLDOUT
from strategy.objectives import OBJECTIVES

DAYS = 16
TRIAL = """
# Do longer rests lose money?
[trial]
holdout = 0.1
ends_after_days = 14
guardrails = {stops = 900, complaints = 900, calls_per_week = 0.01}
fairness = {intensity_ratio = 50.0, by = ["country", "language"]}
[[trial.arms]]
name = "champion"
share = 0.5
[[trial.arms]]
name = "mine"
share = 0.5
strategy = "mine"
"""


def run(folder: Path, *words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--folder", str(folder), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("trial")
    assert CliRunner().invoke(app, ["init", str(home)]).exit_code == 0
    run(home, "strategy", "new", "mine", "--from", "gentle")
    mine, gentle = (home / "strategies" / f"{name}.toml" for name in ("mine", "gentle"))
    mine.write_text(mine.read_text().replace("days_since_contact < 3", "days_since_contact < 6 # longer"))
    mine.write_text(mine.read_text().replace(' # longer"', '"  # longer'))
    gentle.write_text(gentle.read_text() + TRIAL)
    campaign = home / "campaigns" / "sample.toml"
    campaign.write_text(campaign.read_text().replace('name = "sample"', 'name = "sample"\nstrategy = "gentle"', 1))
    run(home, "simulate", "history", "--debtors", "260", "--days", str(DAYS), "--agents", "2")
    since = (datetime.now(UTC) - timedelta(days=DAYS)).date().isoformat()
    run(
        home, "experiment", "start", "sample", "--since", since, "--asked-by", "Ana", "--approved-by", "Luis",
        "--name", "rests",
    )  # fmt: skip
    return home


@pytest.fixture(scope="module")
def units(folder: Path) -> Units:
    return units_of(folder)


def units_of(folder: Path) -> Units:
    loaded = settings.load(folder)
    ledger = open_ledger(loaded.ledger_url)
    try:
        with ledger.reading() as connection:
            one = find(connection, "rests")
            to_us = one.started_us + 40 * DAY
            prices = prices_of(connection, None)
            return read_units(
                connection, "sample", ["champion", "mine"], one.started_us, to_us, loaded.floor.zone, prices
            )
    finally:
        ledger.close()


def test_units_add_up(units: Units) -> None:
    found = units.figures(2**61)
    assert set(np.unique(units.arm)) == {-1, 0, 1}
    assert found["calls"].sum() == len(units.calls.row)
    assert found["calls"][units.arm < 0].sum() == 0
    assert found["collected"].sum() == pytest.approx(
        units.paid[units.paid_us >= units.entered_us[units.paid_row]].sum()
    )
    assert found["net"] == pytest.approx(found["collected"] - found["cost"])
    # All time that agents were paid for is somebody's.
    assert found["agent_hours"].sum() == pytest.approx(units.signed_in[:, 1].sum(), rel=0.02)


def test_an_earlier_look_knows_less(units: Units) -> None:
    early, late = (units.figures(int(units.entered_us.min()) + n * DAY) for n in (5, 12))
    for name in ("calls", "collected", "right_parties", "stops"):
        assert (early[name] <= late[name] + 1e-9).all()
        assert early[name].sum() < late[name].sum()


def test_days_hold_the_same_money_as_debtors(units: Units) -> None:
    (by_day, ripe), by_person = units.by_day(2**61), units.figures(2**61)
    worked = units.arm >= 0
    assert ripe.all()
    for name in ("calls", "cost", "collected", "net"):
        assert by_day[name].sum() == pytest.approx(by_person[name][worked].sum())
    assert not units.by_day(int(units.list_us[0]) + TOUCH_DAYS * DAY)[1].any()


def test_status_tells_arms_rule_and_alarms(folder: Path) -> None:
    found = run(folder, "experiment", "status")
    assert [arm["arm"] for arm in found["arms"]] == ["champion", "mine", "holdout"]
    (compared,) = found["comparisons"]
    assert [look["fraction"] for look in compared["looks"]] == [0.5, 1.0]
    for look in compared["looks"]:
        (low, high), difference = look["critical"], look["difference"]
        assert low < -1.0 < 1.0 < high
        error = (difference["high"] - difference["value"]) / -low
        assert difference["value"] - difference["low"] == pytest.approx(high * error)
    told = [(one["metric"], one["state"]) for one in found["guards"]]
    fair = [one for one in told if one[0].startswith("calls by")]
    # By arm and field, whoever is called most: no country's laws let it be called fifty times as often as all.
    assert [metric.split(",")[0] for metric, _ in fair] == 2 * ["calls by country"]
    assert {state for _, state in fair} == {"holds"}
    assert set(told) - set(fair) == {
        ("stops", "holds"), ("complaints", "holds"), ("calls_per_week", "alarm"),
    }  # fmt: skip
    assert any(one.startswith("fairness by language is not told of champion, mine: there") for one in found["warnings"])
    # In the afternoon it is nearer to 17.
    assert any(re.search(r"was written down 1[67] days after it began", one) for one in found["warnings"])
    assert found["mismatch"] > 0.001


def test_guardrails_that_nobody_watches_by_day_are_told(folder: Path, units: Units) -> None:
    with open_ledger(settings.load(folder).ledger_url) as ledger, ledger.reading() as connection:
        one = find(connection, "rests")
    assert not any("nobody watches" in said for said in status(one, units, one.started_us + 14 * DAY, "UTC").warnings)
    document = one.document.replace('"trial":{', '"trial":{"unit":"pool_day",', 1)
    by_day = status(replace(one, unit="pool_day", document=document), units, one.started_us + 14 * DAY, "UTC")
    assert by_day.guards == []
    assert any(
        said.startswith(
            "guardrails stops, complaints, calls_per_week, fairness are of debtors, and whole days are drawn"
        )
        for said in by_day.warnings
    )


def test_uneven_lots_by_another_documents_lists_are_told_as_that(folder: Path, units: Units) -> None:
    with open_ledger(settings.load(folder).ledger_url) as ledger, ledger.reading() as connection:
        one = find(connection, "rests")
    # As where arms are written into the document after its lists were made: nobody is in the second.
    late = dataclasses.replace(units, arm=np.minimum(units.arm, 0))
    found = status(replace(one, strategy="gentle@later"), late, one.started_us + 14 * DAY, "UTC")
    (uneven,) = (said for said in found.warnings if "do not fit their shares" in said)
    assert f"lists by {one.strategy} gave people other arms first" in uneven
    assert "broken" not in uneven
    assert any(said.startswith("no list was made by gentle@later since the start") for said in found.warnings)
    assert [arm.units for arm in found.arms][1] == 0
    console = Console(width=160)
    with console.capture() as caught:
        console.print(experiment_text.status(found))
    assert "no one yet (45 %)" in caught.get()
    assert "nan" not in caught.get()
    # Of its own lists alone, it is the lots.
    broken = status(one, late, one.started_us + 14 * DAY, "UTC").warnings
    assert any("the lots or the record are broken" in said for said in broken)


def test_a_trial_is_decided_by_the_metric_that_it_was_started_with(folder: Path, units: Units) -> None:
    with open_ledger(settings.load(folder).ledger_url) as ledger, ledger.reading() as connection:
        one = find(connection, "rests")
    assert one.metric == "net_recovery"
    at_us = one.started_us + 14 * DAY
    bounds = set()
    for metric, objective in OBJECTIVES.items():
        found = status(replace(one, metric=metric), units, at_us, "UTC")
        plain = contrast_at(units, 1, at_us, "debtor", "UTC", objective.figure)
        assert plain is not None
        look = found.comparisons[0].looks[-1]
        assert look.difference.value == plain.value
        assert look.difference.high - look.difference.value == pytest.approx(-look.critical[0] * plain.error)
        assert found.rule.startswith(f"{objective.words} by debtor")
        assert found.arms[0].by_unit[objective.figure].value != 0.0
        bounds.add(look.critical)
    # Each has its own bounds, drawn from its own lots.
    assert len(bounds) == 3


def test_the_metric_is_the_documents_objective_unless_told_otherwise(folder: Path) -> None:
    run(folder, "strategy", "new", "talk", "--from", "balance")
    talk = folder / "strategies" / "talk.toml"
    talk.write_text(talk.read_text().replace('name = "talk"', 'name = "talk"\nobjective = "right_party_contacts"', 1))
    small = ("experiment", "plan", "talk", "--days", "4", "--debtors", "120", "--agents", "1", "--mde", "0.2")
    by_document = run(folder, *small)
    assert by_document["metric"] == "right_party_contacts"
    # A debtor of four days: so many conversations that no money can be meant.
    assert 0.0 < by_document["mean"] < 4.0
    assert "conversations with debtors in person" in by_document["assumed"]
    with pytest.raises(BadInput, match="--metric must be one of net_recovery, right_party_contacts, promises_kept"):
        run(folder, *small, "--metric", "smiles")
    with pytest.raises(BadInput, match="still runs"):
        run(
            folder, "experiment", "start", "sample", "--name", "more", "--asked-by", "Ana", "--approved-by", "Luis",
            "--metric", "promises_kept",
        )  # fmt: skip


def test_complaints_count_against_their_guardrail_and_cost(folder: Path, units: Units) -> None:
    loaded = settings.load(folder)
    before, *_ = run(folder, "experiment", "status")["arms"]
    had = run(folder, "ope", "--strategy", "mine", "--days", "3")["worth"]
    of = dict(zip(units.person.tolist(), units.arm.tolist(), strict=True))
    with open_ledger(loaded.ledger_url) as ledger, ledger.reading() as connection:
        owed = connection.execute(select(debt.c.person, debt.c.account).order_by(debt.c.id)).all()
    angry = list({person: account for person, account in owed if of.get(person) == 0}.values())[:20]
    came_on = (datetime.now(UTC) - timedelta(days=4)).date()
    for account in angry:
        words = ("complaints", "add", account, "tone", "--since", came_on.isoformat())
        assert run(folder, *words) == {"added": True}
    found = run(folder, "experiment", "status")
    after = found["arms"][0]
    assert after["units"] == before["units"]

    def more(metric: str) -> float:
        return float(after["units"] * (after["by_unit"][metric]["value"] - before["by_unit"][metric]["value"]))

    assert more("complaints") == pytest.approx(20)
    assert more("cost") == pytest.approx(20 * 60.0)
    assert more("net") == pytest.approx(-20 * 60.0)
    (by_day, _), by_person = (now := units_of(folder)).by_day(2**61), now.figures(2**61)
    worked = now.arm >= 0
    assert by_day["complaints"].sum() == (now.arm[now.complaint_row] >= 0).sum() >= 20
    assert by_day["cost"].sum() == pytest.approx(by_person["cost"][worked].sum())
    guard = next(one for one in found["guards"] if one["metric"] == "complaints" and one["arm"] == "champion")
    assert guard["value"] == pytest.approx(1000.0 * after["by_unit"]["complaints"]["value"])
    # A strategy that never ran is valued by the same sum: every decision within the days before a complaint.
    came_us = midnight_us(came_on, loaded.floor.zone)
    d = decision.c
    with open_ledger(loaded.ledger_url) as ledger, ledger.reading() as connection:
        upset = [person for person, account in owed if account in angry]
        before_it = (d.arm != HOLDOUT, d.decided_us <= came_us, d.decided_us > came_us - 3 * DAY)
        rows = connection.execute(select(d.person).where(d.person.in_(upset), *before_it)).all()
    has = run(folder, "ope", "--strategy", "mine", "--days", "3")["worth"]
    assert has["n"] == had["n"]
    assert len(rows) > 20
    assert has["n"] * (had["had"]["value"] - has["had"]["value"]) == pytest.approx(60.0 * len(rows))
    assert has["dr"]["value"] < had["dr"]["value"]


def test_one_person_alone_starts_and_promotes_nothing(folder: Path) -> None:
    for words in (
        ("experiment", "start", "sample", "--name", "again", "--asked-by", "Ana", "--approved-by", " ana"),
        ("experiment", "promote", "mine", "--asked-by", "Ana", "--approved-by", "Ana"),
    ):
        with pytest.raises(BadInput, match="have somebody else approve it"):
            CliRunner().invoke(app, [*words, "--folder", str(folder)], catch_exceptions=False)
    with pytest.raises(BadInput, match="'rests' of campaign sample still runs"):
        run(folder, "experiment", "start", "sample", "--name", "again", "--asked-by", "Ana", "--approved-by", "Luis")


def test_what_ran_is_worth_about_what_it_had(folder: Path) -> None:
    found = run(folder, "ope", "--strategy", "mine", "--days", "3")
    told = found["worth"]
    assert found["left_out"]["held_out"] > 0
    assert found["left_out"]["not_made_again"] == 0
    assert not told["refused"]
    # It differs from the arms in a few debtors' few days alone.
    for name in ("ips", "snips", "dr"):
        assert told[name]["low"] < told["had"]["value"] < told[name]["high"]
    assert 0.5 * told["n"] < told["ess"] <= told["n"]
    with pytest.raises(BadInput, match="divides debtors by p_"):
        run(folder, "ope", "--strategy", "model")


def test_a_challenger_becomes_the_champion_with_its_comments(folder: Path) -> None:
    before = (folder / "strategies" / "gentle.toml").read_text()
    by = ("--asked-by", "Ana", "--approved-by", "Luis")
    found = run(folder, "experiment", "status")
    if found["reached"] != "mine":
        with pytest.raises(BadInput, match="the rule of rests does not name mine"):
            run(folder, "experiment", "promote", "mine", *by)
    run(folder, "experiment", "promote", "mine", *by, "--despite", "a test")
    after = (folder / "strategies" / "gentle.toml").read_text()
    assert "# longer" in after
    assert 'name = "gentle"' in after
    assert "holdout = 0.1" in after
    assert "[[trial.arms]]" not in after
    (kept,) = (folder / "strategies" / "earlier").glob("gentle-*.toml")
    assert kept.read_text() == before
    assert all(not one["problems"] for one in run(folder, "strategy", "check"))
    again = run(folder, "experiment", "status", "rests")
    assert (again["promoted"], again["stopped_why"]) == ("mine", "mine was promoted")
    with pytest.raises(BadInput, match="has been stopped before"):
        run(folder, "experiment", "stop", "rests", "--why", "twice")
