"""A contact's worth by channel: shown where it is, nothing where there is none, no number where nobody knows."""

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from domain.errors import BadInput
from models import uplift, worth

ACTIONS = ("none", "call", "sms")
Columns = dict[str, np.ndarray]


def lot(n: int, seed: int = 1) -> Columns:
    """Return rows in which a call moves those with x0 > 0 by .2, and a message nobody."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 3))
    p = np.tile([0.4, 0.4, 0.2], (n, 1))
    action = np.searchsorted(np.cumsum([0.4, 0.4, 0.2])[:-1], random.random(n), side="right")
    y = (random.random(n) < 0.08 + 0.2 * ((action == 1) & (x[:, 0] > 0.0))).astype(np.float64)
    share = np.where(x[:, 1] > 0.0, 0.8, 0.2) * y
    return {"x": x, "action": action, "p": p, "y": y, "share": share, "group": np.arange(n)}


def fitted(columns: Columns, **more: object) -> worth.Worth:
    told = {name: column for name, column in columns.items() if name != "x"} | {"actions": ACTIONS} | more
    return worth.fit(columns["x"], ("a", "b", "c"), learner="t", **told)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found() -> worth.Worth:
    return fitted(lot(9_000))


def test_a_channel_that_moves_is_told_from_one_that_does_not(found: worth.Worth) -> None:
    kinds = {one.channel: one.shown.kind for one in found.channels}
    # Of 1,800 messages nobody can tell whether they do nothing.
    assert kinds == {"call": "effect", "sms": "unknown"}
    unseen = lot(2_000, seed=2)
    effects = found.effects(unseen["x"])
    moved = unseen["x"][:, 0] > 0.0
    assert effects[moved, 0].mean() == pytest.approx(0.2, abs=0.05)
    assert abs(effects[~moved, 0].mean()) < 0.04
    assert np.isnan(effects[:, 1]).all()


def test_value_is_in_the_currency_and_recommends_none_below_its_cost(found: worth.Worth) -> None:
    unseen = lot(2_000, seed=2)
    owed = np.full(2_000, 100_000.0)
    values = found.values(unseen["x"], owed, {"call": 1_000.0, "sms": 5.0})
    moved = unseen["x"][:, 0] > 0.3
    pays_much = unseen["x"][:, 1] > 0.0
    # 20 % of a half of the balance on the average, less the cost of the call.
    assert values[moved, 0].mean() == pytest.approx(9_000, rel=0.3)
    assert values[moved & pays_much, 0].mean() > 2.0 * values[moved & ~pays_much, 0].mean()
    assert np.isnan(values[:, 1]).all()
    chosen = found.recommended(values)
    assert (chosen[moved] == 0).mean() > 0.95
    assert (chosen[unseen["x"][:, 0] < -0.3] == -1).mean() > 0.5
    assert (found.recommended(found.values(unseen["x"], owed, {"call": 1e6, "sms": 5.0})) == -1).all()


def test_what_is_borne_out_to_do_nothing_is_worth_its_cost(found: worth.Worth) -> None:
    noise = np.random.default_rng(2).normal(size=(2, 50_000))
    nothing = uplift.shown(noise[0], 0.3 * noise[1], np.arange(50_000))
    call, sms = found.channels
    known = replace(found, channels=(call, replace(sms, shown=nothing)))
    unseen = lot(100, seed=2)["x"]
    values = known.values(unseen, np.full(100, 1e5), {"call": 1_000.0, "sms": 5.0})
    assert (values[:, 1] == -5.0).all()
    assert not (known.recommended(values) == 1).any()


def test_what_is_kept_says_the_same(found: worth.Worth) -> None:
    again = msgspec.json.decode(msgspec.json.encode(found), type=worth.Worth)
    unseen = lot(200, seed=3)
    owed = np.full(200, 1_000.0)
    costs = {"call": 1.0, "sms": 1.0}
    assert np.array_equal(
        again.values(unseen["x"], owed, costs), found.values(unseen["x"], owed, costs), equal_nan=True
    )


def test_a_learner_is_chosen_by_who_was_not_seen() -> None:
    columns = lot(4_000)
    keep = columns["action"] < 2
    told = {name: column[keep] for name, column in columns.items() if name != "x"}
    told["p"] = np.tile([0.5, 0.5], (int(keep.sum()), 1))
    chosen = worth.fit(columns["x"][keep], ("a", "b", "c"), actions=ACTIONS[:2], **told).channels[0]  # type: ignore[arg-type]
    assert {one.learner for one in chosen.judged} == {"s", "t", "x", "dr", "r"}
    assert next(one for one in chosen.judged if one.learner == chosen.learner).behind.low <= 0.0


def test_what_cannot_be_is_refused(found: worth.Worth) -> None:
    columns = lot(100)
    with pytest.raises(BadInput, match="is no 'none'; leave some debtors alone"):
        fitted(columns, actions=("x", "call", "sms"))
    with pytest.raises(BadInput, match="row 1: chances"):
        fitted(columns, p=np.zeros((100, 3)))
    more = columns["p"].copy()
    more[6] = 0.9
    with pytest.raises(BadInput, match="row 7: chances"):
        fitted(columns, p=more)
    with pytest.raises(BadInput, match="no cost is given for sms"):
        found.values(columns["x"], np.ones(100), {"call": 1.0})


def test_of_orders_that_seldom_find_anybody_a_conversation_is_told() -> None:
    """An order is worth .2 times by how much likelier it makes a conversation, which differs among debtors."""
    random = np.random.default_rng(4)
    n = 24_000
    x = random.normal(size=(n, 3))
    p = np.tile([0.5, 0.5], (n, 1))
    action = (random.random(n) < 0.5).astype(np.int64)
    found = np.where(x[:, 0] > 0.0, 0.6, 0.2)
    met = (random.random(n) < np.where(action == 1, found, 0.05)).astype(np.float64)
    y = (random.random(n) < 0.08 + 0.2 * met).astype(np.float64)
    told = worth.fit(
        x, ("a", "b", "c"), actions=("none", "call"), action=action, p=p, y=y, share=0.5 * y, group=np.arange(n),
        learner="t", met=met,
    )  # fmt: skip
    (call,) = told.channels
    assert call.reached is not None
    assert call.reached.mean == pytest.approx(0.35, abs=0.02)
    assert call.reached(x)[x[:, 0] > 0.2].mean() == pytest.approx(0.55, abs=0.04)
    assert call.reached(x)[x[:, 0] < -0.2].mean() == pytest.approx(0.15, abs=0.04)
    assert call.shown.mean.low < 0.2 < call.shown.mean.high
    assert call.shown.mean.value == pytest.approx(0.2, abs=0.05)
    effects = told.effects(x)
    # Whom an order finds more often a conversation moves no more than others.
    assert effects[x[:, 0] > 0.2].mean() == pytest.approx(0.2, abs=0.08)
    assert effects[x[:, 0] < -0.2].mean() == pytest.approx(0.2, abs=0.08)
    # Without it the order's own worth is told.
    order = worth.fit(
        x, ("a", "b", "c"), actions=("none", "call"), action=action, p=p, y=y, share=0.5 * y, group=np.arange(n),
        learner="t",
    )  # fmt: skip
    assert order.channels[0].reached is None
    assert order.channels[0].shown.mean.value == pytest.approx(0.07, abs=0.015)
    again = msgspec.json.decode(msgspec.json.encode(told), type=worth.Worth)
    np.testing.assert_array_equal(again.effects(x[:50]), effects[:50])
