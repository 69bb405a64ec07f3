"""The arm whose lists are made by trained models: it learns from a month of others, and sees nothing but the record."""

import argparse
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks import strategies, strategies_model
from models import lessons
from models.registry import WORTH, Registry
from models.worth import Worth
from simulation.measures import read_costs
from simulation.month import Month, Plan
from simulation.roster import roster
from strategy.fields import Scores

# A month is simulated and three heads fitted before the first test.
pytestmark = pytest.mark.timeout(1200)

PLAN = Plan(
    world=str(strategies.WORLD), debtors=150, start="2027-02-01", days=3, roster=roster(1, begin="11:00", end="20:00")
)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned")
    strategies_model.learn(folder, str(strategies.WORLD), 1_600, ("11:00", "20:00"), 5.0)
    return folder


def test_effects_are_of_first_decisions_where_some_are_held_out(learned: Path) -> None:
    record = lessons.read_record(learned / "export")
    assert record.decisions is not None
    assert record.decisions.held_out is not None
    lesson = lessons.lesson(record, "payment")
    trial = lesson.trial
    assert trial is not None
    assert len(np.unique(trial.group)) == len(trial.group) < lesson.source.num_rows / 5
    assert 0.4 < (trial.action > 0).mean() < 0.6
    # Only who is on the lists is spoken to.
    assert trial.met[trial.action > 0].sum() > 50
    assert trial.met[trial.action == 0].sum() == 0
    # Without anybody held out the lots are drawn anew each day, and every one teaches.
    whole = record._replace(decisions=record.decisions._replace(held_out=None))
    found = lessons.lesson(whole, "payment").trial
    assert found is not None
    assert len(found.group) == lesson.source.num_rows


def test_a_month_is_made_by_the_champions(learned: Path) -> None:
    registry = Registry(learned / "registry")
    before = {head: registry.stages(head).champion for head in strategies_model.HEADS}
    assert all(before.values())
    strategies_model.learn(learned, str(strategies.WORLD), 1_600, ("11:00", "20:00"), 5.0)
    assert {head: registry.stages(head).champion for head in strategies_model.HEADS} == before
    version = before["payment"]
    assert version is not None
    told = registry.read("payment", version, WORTH, Worth)
    assert [one.channel for one in told.channels] == ["call"]
    assert told.channels[0].reached is not None

    arm = strategies.arm("model", 5.0)
    seen: list[Scores] = []
    with strategies_model.mornings(PLAN, arm.floor.zone, learned) as (tape, scored):

        def looked(people: object, at_us: int) -> Scores:
            seen.append(scored(people, at_us))  # type: ignore[arg-type]
            return seen[-1]

        month = Month(arm, PLAN, 1, tape, scores=looked)
        month.month()
    assert len(seen) == 3
    versions = set(before.values())
    assert set(seen[0].version.split(",")) == versions
    # What was called is learned from: chances of the third morning are others than those of the first.
    ids = sorted(set(seen[0].person.tolist()) & set(seen[2].person.tolist()))
    of = [one.numbers(ids) for one in seen if one.numbers is not None]
    assert of[0].p_right.shape == (len(of[0].phone), 168)
    assert np.abs(of[0].p_right - of[2].p_right).max() > 0.01
    right = dict.fromkeys(ids, 0.0)
    by_day = (np.arange(168) % 24 >= 9) & (np.arange(168) % 24 < 21)
    for person, week in zip(of[0].person.tolist(), of[0].p_right, strict=True):
        right[person] = max(right[person], float(week[by_day].mean()))
    place = np.searchsorted(seen[0].person, ids)
    assert seen[0].values["p_right"][place] == pytest.approx(list(right.values()), abs=1e-6)
    adds = seen[0].values["value_contact"]
    assert seen[0].values["value_call"] == pytest.approx(adds * seen[0].values["p_right"], nan_ok=True)


def test_a_cell_tells_what_was_to_be_expected_and_is_the_same_again(learned: Path) -> None:
    cells = [strategies.cell(name, PLAN, 1, 5.0, learned) for name in ("model", "model", "balance")]
    assert cells[0] == cells[1]
    model, _, balance = (msgspec.msgpack.decode(one, type=strategies.Lived) for one in cells)
    for one in (model, balance):
        assert not one.outcome.breaches
        # One conversation in five to twenty calls, of which each adds something on the average.
        assert one.conversations > 10
        assert one.worth_minor > 0
    assert model.outcome.arm == "model"
    zone = strategies.arm("balance", 5.0).floor.zone
    alone = strategies.alone(PLAN, 1, zone, read_costs(), "EUR")
    assert 0 < alone < sum(account.owed_minor for account in balance.outcome.accounts) / 100


def test_figures_of_a_file_are_not_computed_again(tmp_path: Path) -> None:
    asked = argparse.Namespace(
        arms=["balance"], replications=1, processes=1, tick_s=5.0, out=tmp_path / "here", rows=tmp_path / "rows"
    )
    ((first,),) = strategies.lived(asked, PLAN, tmp_path, read_costs())
    assert first.sums["collected"][0] >= first.alone > 0 == first.breaches
    asked.out = tmp_path / "elsewhere"
    ((again,),) = strategies.lived(asked, PLAN, tmp_path, read_costs())
    assert again == first
    assert list(asked.out.iterdir()) == []
    assert len(asked.rows.read_text().splitlines()) == 1
