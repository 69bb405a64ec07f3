"""Of hours no more is claimed than unseen calls bear out: from the ledger's history to scores of the week."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.reach_months import HOURS, START, make_at_random, week_of_truth
from console.main import app
from domain.forecasts import WEEK
from domain.instants import DAY, parse
from models import scoring
from models.best_times import Moments, means
from models.feature_kernel import Asked, Usual
from models.features import everybody, features, own_hours, tallies, usual_of
from models.history import History, read_history
from models.registry import SERVING, Model, Registry, Serving
from models.slots import slots_of
from models.timing import BestTimes

# Worlds are made, and models fitted, before the first test.
pytestmark = pytest.mark.timeout(900)

DEBTORS, DAYS, CALLS = 2_500, 12, 6
AS_OF_US = parse(f"{START}T00:00:00Z") + DAYS * DAY
#: People who pick up more often than in the world that ships, so that few calls tell much.
WORLD = """base = "{base}"
about = "people who pick up"
[answering]
p_pick_up = [0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
"""


class Fitted:
    """A world's calls at random, and the version that learned from them."""

    def __init__(self, home: Path, base: str) -> None:
        self.world, self.export, folder = home / "world.toml", home / "export", home / "folder"
        self.world.write_text(WORLD.format(base=base))
        make_at_random(self.export, str(self.world), DEBTORS, DAYS, CALLS)
        CliRunner().invoke(app, ["init", str(folder)], catch_exceptions=False)
        words = ["models", "fit", "--head", "reach", "--history", str(self.export), "--workers", "1"]
        done = CliRunner().invoke(app, [*words, "-C", str(folder), "--json"], catch_exceptions=False)
        (made,) = json.loads(done.stdout)["made"]
        self.best_times = msgspec.convert(made["judged"]["best_times"], BestTimes)
        self.registry = Registry(folder / "trained")
        self.model = self.registry.load("reach", made["version"])
        self.card = self.registry.content("reach", made["version"], "card.md").decode()

    def weeks(self) -> tuple[Any, Any]:
        """Return first numbers and their scores of the week as of the end of the record, (n,) and (n, WEEK)."""
        history, asked, usual = self.asked()
        found, of = features(history, asked, usual), own_hours(history, asked, usual)
        slots = slots_of(history.clocks, scoring.week_of(AS_OF_US, "Europe/Madrid"))
        x, clock = scoring.encoded(found, self.model.encoding), history.clock[asked.row].astype(np.int32)
        return found.phone, scoring.Hourly(self.model).chances(x, of, clock, slots) / 65_535

    def asked(self) -> tuple[History, Asked, Usual]:
        history = read_history(self.export)
        return history, everybody(history, AS_OF_US, numbers=1), usual_of([tallies(history)])


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return Fitted(tmp_path_factory.mktemp("timed"), "default")


@pytest.fixture(scope="module")
def untimed(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return Fitted(tmp_path_factory.mktemp("untimed"), "default+no_timing")


def by_day(weeks: Any) -> Any:
    """Return the slots of a plan, of the hours of a week."""
    return weeks[:, [24 * day + hour for day in range(7) for hour in HOURS]]


def test_without_a_timing_signal_all_hours_of_a_number_are_alike(untimed: Fitted) -> None:
    found = untimed.best_times
    assert found.timing.slope == 0.0
    assert found.said > 0.0
    assert found.claimed == 0.0
    assert found.log_loss_served <= found.log_loss_said + 1e-3
    assert "hour" not in untimed.model.calibrator.segments
    _, weeks = untimed.weeks()
    assert (weeks == weeks[:, :1]).all()
    # Numbers differ as before.
    assert weeks[:, 0].std() > 0.05
    assert "do not clearly show that hours matter" in untimed.card


def test_with_one_what_is_claimed_is_there(timed: Fitted) -> None:
    found = timed.best_times
    assert found.timing.slope > 0.3
    assert found.timing.measured > 2.0 * found.timing.error
    assert f"count an hour by {found.timing.slope:.2f}" in timed.card
    phones, weeks = timed.weeks()
    some = np.random.default_rng(1).choice(len(phones), 500, replace=False)
    said = by_day(weeks[some])
    true = week_of_truth(timed.export, str(timed.world), DEBTORS, phones[some], AS_OF_US)
    claimed = said.max(axis=1).mean() / said.mean() - 1.0
    brought = true[np.arange(len(some)), said.argmax(axis=1)].mean() / true.mean() - 1.0
    assert brought > 0.05
    assert claimed == pytest.approx(brought, abs=0.08)
    assert said.mean() == pytest.approx(true.mean(), rel=0.05)


def test_a_call_asked_about_alone_is_given_what_the_week_says(timed: Fitted) -> None:
    history, asked, usual = timed.asked()
    _, weeks = timed.weeks()
    starts = scoring.week_of(AS_OF_US, "Europe/Madrid")
    slot = np.random.default_rng(2).integers(0, WEEK, len(asked.row))
    asked = asked._replace(at_us=np.where(starts[slot] < AS_OF_US, starts[slot] + 7 * DAY, starts[slot]))
    x = scoring.encoded(features(history, asked, usual), timed.model.encoding)
    said = timed.model.predict(x, means(timed.model, x, Moments(history, asked, usual)))
    np.testing.assert_allclose(weeks[np.arange(len(said)), slot], said, atol=0.5 / 65_535 + 2e-6)
    # An hour at which nobody was called may be at night, far from all that are claimed.
    assert set(timed.model.timing.hours) < set(range(WEEK))  # type: ignore[union-attr]


def test_a_version_of_before_loads_and_says_what_its_trees_say(timed: Fitted) -> None:
    version = timed.model.manifest.version
    content = json.loads(timed.registry.content("reach", version, SERVING))
    assert content.pop("timing")["slope"] == timed.best_times.timing.slope
    old = Model(timed.model.manifest, msgspec.convert(content, Serving), timed.model.fitted)
    history, asked, usual = timed.asked()
    asked = type(asked)(*(column[:200] for column in asked))
    at_us = AS_OF_US + np.arange(200) % 7 * DAY
    x = scoring.encoded(features(history, asked._replace(at_us=at_us), usual), old.encoding)
    assert means(old, x, Moments(history, asked, usual)) is None
    slots = slots_of(history.clocks, np.unique(at_us))
    of = own_hours(history, asked, usual)
    week = scoring.Hourly(old).chances(x, of, history.clock[asked.row].astype(np.int32), slots)
    np.testing.assert_allclose(week[np.arange(200), np.arange(200) % 7] / 65_535, old.predict(x), atol=1e-5)
