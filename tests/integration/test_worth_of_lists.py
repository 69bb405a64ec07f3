"""What contacts are worth, from the lots of a strategy's lists to what is claimed of them, by the commands alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from console.main import app
from domain.instants import DAY
from models.registry import WORTH, Registry
from models.worth import Worth

# Three pasts are simulated, and two heads fitted, before the first test.
pytestmark = pytest.mark.timeout(1800)

WINDOW, DAYS, DEBTORS = 14, 38, 1_200
STRATEGY = """name = "lot"
about = "Everybody alike; some are left alone by lot, to learn what the work is worth."
rank_by = ["balance_share"]
explore = 0.1

[limits]
calls_per_day = 1
calls_per_week = 2

[[segments]]
name = "everybody"
when = "true"
treatment = "call"

[treatments.call]
[[treatments.call.steps]]
channel = "call"

[trial]
holdout = {holdout}
"""
#: People who pick up and are moved more often than in the world that ships, so that few tell much.
WORLD = """base = "default"
about = "people who pick up and can be moved"
[answering]
p_pick_up = [0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
[responses.persuadable]
share = [0.8, 0.8, 0.8, 0.8, 0.8, 0.8]
effect = 2.0
keeps = 0.9
"""
NOTHING = "[contact]\nworks = false\n"


def cadencia(folder: Path, *words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "-C", str(folder), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


class Past:
    """A working folder with a past under the strategy."""

    def __init__(self, home: Path, *, holdout: float = 0.5, works: bool = True) -> None:
        self.folder = home / "folder"
        CliRunner().invoke(app, ["init", str(self.folder)], catch_exceptions=False)
        (self.folder / "strategies" / "lot.toml").write_text(STRATEGY.format(holdout=holdout))
        (self.folder / "campaigns" / "sample.toml").write_text(
            'name = "sample"\nmode = "progressive"\nstrategy = "lot"\n'
        )
        world = home / "world.toml"
        world.write_text(WORLD + ("" if works else NOTHING))
        words = ("--world", str(world), "--debtors", str(DEBTORS), "--days", str(DAYS), "--agents", "4")
        self.told = cadencia(self.folder, "simulate", "history", *words)
        CliRunner().invoke(app, ["export", "--parquet", str(home / "export"), "-C", str(self.folder)])
        self.export = home / "export"

    def fitted(self) -> Worth:
        words = ("models", "fit", "--head", "payment", "--days", str(WINDOW), "--workers", "1")
        (made,) = cadencia(self.folder, *words)["made"]
        registry = Registry(self.folder / "trained")
        self.card = registry.content("payment", made["version"], "card.md").decode()
        cadencia(self.folder, "models", "promote", "payment", "--despite", "a short record")
        return registry.read("payment", made["version"], WORTH, Worth)

    def outcomes(self) -> tuple[dict[int, bool], dict[int, bool], dict[int, str]]:
        """Return by debtor whether he paid, was spoken to within the window of his first decision, and which it was."""
        decisions = pq.read_table(self.export / "decisions.parquet").sort_by("decided_at").to_pylist()
        first: dict[int, Any] = {}
        for one in decisions:
            first.setdefault(one["person"], one)
        paid, spoken = dict.fromkeys(first, False), dict.fromkeys(first, False)
        for one in pq.read_table(self.export / "history.parquet").to_pylist():
            if (by := first.get(one["person"])) is None:
                continue
            days = (one["event_at"] - by["decided_at"]).total_seconds() / (DAY / 1e6)
            if 0.0 < days <= WINDOW:
                paid[one["person"]] |= one["event"] == "payment"
                spoken[one["person"]] |= one["event"] == "right_party_contact"
        return paid, spoken, {person: one["action"] for person, one in first.items()}


@pytest.fixture(scope="module")
def lot(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("lot"))


@pytest.fixture(scope="module")
def learned(lot: Past) -> Worth:
    return lot.fitted()


def test_a_conversation_is_told_to_be_worth_what_it_is(
    lot: Past, learned: Worth, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """By the same people with the same luck, of whom nobody was ever called."""
    alone = Past(tmp_path_factory.mktemp("alone"), holdout=0.999)
    paid, spoken, action = lot.outcomes()
    otherwise, _, _ = alone.outcomes()
    called = [person for person, one in action.items() if one == "call" and person in otherwise]
    moved = np.mean([paid[one] for one in called]) - np.mean([otherwise[one] for one in called])
    true = moved / np.mean([spoken[one] for one in called])
    (call,) = learned.channels
    assert call.channel == "call"
    assert call.reached is not None
    assert call.reached.mean == pytest.approx(np.mean([spoken[one] for one in called]), abs=0.06)
    assert true > 0.05
    assert call.shown.kind in ("mean", "effect")
    assert call.shown.mean.low < true < call.shown.mean.high
    assert call.shown.mean.value == pytest.approx(true, rel=0.5)
    assert "Whom a contact moves" in lot.card


def test_scores_say_so_of_everybody_who_owes(lot: Past, learned: Worth) -> None:
    scored = cadencia(lot.folder, "models", "score")
    assert scored["set"]["people"] > DEBTORS / 2
    shown = cadencia(lot.folder, "strategy", "show", "model", "--campaign", "sample")
    assert shown


def test_where_calls_do_nothing_none_is_recommended(tmp_path_factory: pytest.TempPathFactory) -> None:
    past = Past(tmp_path_factory.mktemp("nothing"), works=False)
    learned = past.fitted()
    (call,) = learned.channels
    assert call.reached is not None
    assert call.reached.mean > 0.2
    assert call.shown.kind in ("none", "unknown")
    x = np.zeros((3, len(learned.features)))
    values = learned.values(x, np.full(3, 1e6), {"call": 1.0})
    assert not (values > 0.0).any()
    assert (learned.recommended(values) == -1).all()
    assert "not known yet" in past.card or "| none |" in past.card
