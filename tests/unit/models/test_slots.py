"""Chances by slots are those of the model, asked slot by slot."""

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from numpy.typing import NDArray

from domain.errors import BadInput
from domain.instants import HOUR, parse
from models.feature_kernel import Asked
from models.feature_list import FEATURES
from models.features import everybody, features, own_hours
from models.history import history_of
from models.slots import OF_THE_DAY, Slots, SlotScorer, constraints, slots_of
from tests.histories import call, tables

NAMES = ["tries", "hour", "hour_lift", "lift_evening", "last_end", "weekday", "hour_tries", "line_type", "days_due"]
MONDAY_US = parse("2026-11-16T00:00:00Z")
WEEK = np.array([MONDAY_US + (24 * day + 8 + hour) * HOUR for day in range(7) for hour in range(12)])


def drawn(n: int, seed: int = 3) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return rows of features, some values empty, and answers that depend on all of them."""
    rng = np.random.default_rng(seed)
    x = np.empty((n, len(NAMES)), np.float32)
    x[:, 0] = rng.poisson(4, n)
    x[:, 1] = rng.integers(8, 22, n)
    x[:, 2] = rng.normal(0, 0.5, n).round(1)
    x[:, 3] = rng.normal(0, 0.5, n).round(1)
    x[:, 4] = rng.integers(0, 20, n)
    x[:, 5] = rng.integers(0, 7, n)
    x[:, 6] = rng.integers(0, 6, n)
    x[:, 7] = rng.integers(0, 4, n)
    x[:, 8] = np.where(rng.random(n) < 0.2, np.nan, rng.gamma(2, 90, n))
    x[rng.random(n) < 0.1, 3] = np.nan
    odds = -1 - 0.1 * x[:, 0] + x[:, 2] - 0.2 * x[:, 6] + np.nan_to_num(x[:, 3]) * (x[:, 1] > 16) + (x[:, 4] == 7)
    odds += np.where(np.isnan(x[:, 8]), 0.5, 0.0) + np.where((x[:, 7] == 2) & (x[:, 1] > 17), 1.0, 0.0)
    return x, (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.float64)


def fitted(categories: list[str], keep_apart: bool = True, **more: Any) -> lgb.Booster:
    x, y = drawn(6000)
    told: dict[str, Any] = {"objective": "binary", "verbose": -1, "num_leaves": 15, "min_data_in_leaf": 20} | more
    if keep_apart:
        told["interaction_constraints"] = constraints(NAMES)
    data = lgb.Dataset(x, y, feature_name=NAMES, categorical_feature=categories)
    return lgb.train(told | {"num_threads": 1}, data, 60)


def naive(booster: lgb.Booster, x: Any, hours: Any, clock: Any, slots: Slots) -> Any:
    """Ask the model slot by slot."""
    found = np.empty((len(x), slots.hour.shape[1]))
    for s in range(found.shape[1]):
        row = x.copy()
        row[:, NAMES.index("hour")] = slots.hour[clock, s]
        row[:, NAMES.index("weekday")] = slots.weekday[clock, s]
        for nth, name in enumerate(("hour_tries", "hour_lift")):
            row[:, NAMES.index(name)] = hours[np.arange(len(x)), slots.cell[clock, s], nth]
        found[:, s] = booster.predict(row, num_threads=1)
    return found


@pytest.fixture(scope="module")
def asked() -> tuple[Any, Any, Any, Slots]:
    x, _ = drawn(400, seed=4)
    rng = np.random.default_rng(5)
    hours = np.stack((rng.integers(0, 8, (400, 48)), rng.normal(0, 0.5, (400, 48))), axis=2).astype(np.float32)
    hours[rng.random((400, 48)) < 0.05] = np.nan
    zones = {1: ["Europe/Madrid"], 2: ["America/Bogota"], 3: ["Asia/Kolkata"]}
    history = history_of(**tables([], numbers=[], zones=zones, debts=[]))
    slots = slots_of(history.clocks, WEEK)
    return x, hours, rng.integers(0, 3, 400).astype(np.int32), slots


@pytest.mark.parametrize("categories", [[], ["last_end", "line_type"]])
def test_every_cell_is_the_models_own(asked: tuple[Any, Any, Any, Slots], categories: list[str]) -> None:
    booster = fitted(categories)
    scorer = SlotScorer(booster.model_to_string())
    found, told = scorer.chances(*asked), naive(booster, *asked)
    assert np.abs(found - told).max() < 1e-6
    assert told.std(axis=1).mean() > 0.01  # hours differ
    assert told.std(axis=0).mean() > 0.01  # people too
    raw = scorer.chances(*asked, raw=True)
    assert np.abs(1 / (1 + np.exp(-raw)) - told).max() < 1e-6


def test_a_sigmoid_of_ones_own_and_a_single_leaf(asked: tuple[Any, Any, Any, Slots]) -> None:
    for booster in (fitted([], sigmoid=2.0), fitted([], min_data_in_leaf=6000)):
        found = SlotScorer(booster.model_to_string()).chances(*asked)
        assert np.abs(found - naive(booster, *asked)).max() < 1e-6


def test_what_another_day_changes_is_refused() -> None:
    with pytest.raises(BadInput, match="calls_today is of the day"):
        constraints([*NAMES, "calls_today"])
    model = fitted([]).model_to_string().replace("days_due", "month_day")
    with pytest.raises(BadInput, match="month_day is of the day"):
        SlotScorer(model)


LINES = [
    *call("2026-11-09T18:10:00", "right_party_contact"),
    *call("2026-11-10T10:10:00", "no_answer"),
    *call("2026-11-11T18:20:00", "answered", phone=20, person=2),
    *call("2026-11-14T17:20:00", "no_answer", phone=20, person=2),
]


def test_from_a_history_to_slots_nothing_changes_but_the_moment() -> None:
    zones = {1: ["Europe/Madrid"], 2: ["America/Bogota"]}
    told = tables(LINES, numbers=[(1, 10, "mobile"), (2, 20, "fixed")], zones=zones, debts=[(1, 1, "EUR", None)])
    history = history_of(**told)
    rows = everybody(history, MONDAY_US)
    slots, hours = slots_of(history.clocks, WEEK), own_hours(history, rows)
    clock = history.clock[rows.row]
    for s, at_us in enumerate(WEEK.tolist()):
        asked = Asked(rows.row, rows.number, rows.as_of_us, np.full(len(rows.row), at_us))
        found = features(history, asked)
        assert found.column("hour").tolist() == slots.hour[clock, s].tolist()
        assert found.column("weekday").tolist() == slots.weekday[clock, s].tolist()
        own = hours[np.arange(len(clock)), slots.cell[clock, s]]
        assert own.tolist() == np.stack((found.column("hour_tries"), found.column("hour_lift")), axis=1).tolist()
        same = [
            n for n, one in enumerate(FEATURES) if one.group not in ("moment", "own") and one.name not in OF_THE_DAY
        ]
        today = features(history, rows)
        assert np.array_equal(found.values[:, same], today.values[:, same], equal_nan=True)


def test_slots_stand_on_the_clock_of_each(asked: tuple[Any, Any, Any, Slots]) -> None:
    slots = asked[3]
    zones = ("America/Bogota", "Asia/Kolkata", "Europe/Madrid", "UTC")
    assert dict(zip(zones, slots.hour[:, 0].tolist(), strict=True)) == {
        "America/Bogota": 3, "Asia/Kolkata": 13, "Europe/Madrid": 9, "UTC": 8,
    }  # fmt: skip
    assert slots.weekday[0, :12].tolist() == [0] * 12
    assert slots.cell[2, 5 * 12] == 24 + 9


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"keep_apart": False}, "mixes the hour with features of the debtor"),
        ({"objective": "regression"}, "binary LightGBM model"),
        ({"zero_as_missing": True}, "zero_as_missing"),
        ({"linear_tree": True, "keep_apart": False}, "linear"),
    ],
)
def test_models_that_cannot_be_scored_by_slots(more: dict[str, Any], says: str) -> None:
    booster = fitted([], **more)
    with pytest.raises(BadInput, match=says):
        SlotScorer(booster.model_to_string())
