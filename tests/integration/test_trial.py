"""A randomised trial on a world: what is written is an export, the truth is what comes, null worlds show nothing."""

import numpy as np
import pytest

from domain.errors import BadInput
from domain.instants import DAY, parse
from models import heads, worth
from models.decisions import Decisions
from models.feature_list import NAMES
from models.features import CATEGORIES, features, tallies, usual_of
from models.history import history_of
from simulation.population import load
from simulation.trial import Drawn, Plan, draw

START_US = parse("2026-03-02T17:00:00Z")
PLAN = Plan(past_days=20, spread_days=5, horizon_days=15, calls_per_week=4.0)


@pytest.fixture(scope="module")
def default() -> Drawn:
    return draw(load("default"), PLAN, 1, START_US, n=1_500)


def outcome(drawn: Drawn, plan: Plan) -> tuple[heads.Rows, np.ndarray]:
    decisions = Decisions(drawn.person, drawn.at_us, drawn.action, drawn.p_action, drawn.actions)
    rows, paid_minor = heads.payment(history_of(**drawn.tables), decisions, plan.horizon_days)
    assert len(rows) == len(drawn.person)
    return rows, paid_minor / drawn.price


def test_the_truth_is_what_comes(default: Drawn) -> None:
    """Within four standard errors, by arm: payers, and money."""
    rows, paid = outcome(default, PLAN)
    for place in range(len(default.actions)):
        arm = default.action == place
        true_p, true_paid = default.p_pay[arm, place], default.paid[arm, place]
        error = np.sqrt((true_p * (1.0 - true_p)).sum()) / arm.sum()
        assert abs(rows.y[arm].mean() - true_p.mean()) < 4.0 * error
        assert abs(paid[arm].mean() - true_paid.mean()) < 4.0 * paid[arm].std() / np.sqrt(arm.sum())
    # Both kinds of arm have somebody in them, and the contact does something.
    assert rows.y[default.action == 1].mean() > rows.y[default.action == 0].mean()


def test_as_many_pay_all_by_themselves_as_is_true(default: Drawn) -> None:
    decisions = Decisions(default.person, default.at_us, default.action, default.p_action, default.actions)
    rows = heads.cure(history_of(**default.tables), decisions, PLAN.horizon_days)
    assert len(rows) == len(default.person)
    alone = default.action == 0
    true = default.p_self_cure[alone]
    assert abs(rows.y[alone].mean() - true.mean()) < 4.0 * np.sqrt((true * (1.0 - true)).sum()) / alone.sum()
    assert 0.01 < true.mean() < default.p_pay[alone, 0].mean()
    # Not more than pay anything, of anybody.
    assert (default.p_self_cure <= default.p_pay[:, 0] + 1e-12).all()
    assert rows.y[~alone].mean() > rows.y[alone].mean()


def test_only_persuadables_are_moved_up_and_negatives_down(default: Drawn) -> None:
    kinds = list(load("default").responses)
    effect = default.p_pay[:, 1] - default.p_pay[:, 0]
    for word, sign in (("lost_cause", 0), ("negative", -1), ("persuadable", 1), ("sure_thing", 0)):
        of = effect[default.kind == kinds.index(word)]
        assert len(of)
        assert (np.sign(np.round(of, 12)) == sign).mean() > 0.5
        assert (sign * of >= -1e-12).all() if sign else (np.abs(of) < 1e-12).all()


def test_the_past_is_there_and_the_lot_is_not_known(default: Drawn) -> None:
    history = history_of(**default.tables)
    decisions = Decisions(default.person, default.at_us, default.action, default.p_action, default.actions)
    rows, _ = heads.payment(history, decisions, PLAN.horizon_days)
    found = features(history, rows.asked)
    assert found.column("tries").mean() > 3.0
    assert found.column("promises").sum() > 20
    # The conversation by lot is none of what was known before it.
    since = found.column("days_right")[default.action == 1]
    assert np.nanmin(since) > 0.0
    assert (default.at_us < START_US + (PLAN.past_days + PLAN.spread_days) * DAY).all()


def test_equal_seeds_give_equal_trials_part_by_part(default: Drawn) -> None:
    again = draw(load("default"), PLAN, 1, START_US, n=1_500)
    assert again.tables["history"].equals(default.tables["history"])
    assert np.array_equal(again.paid, default.paid)
    other = draw(load("default"), PLAN, 1, START_US, part=1, n=50)
    assert other.person.min() > 10_000


@pytest.mark.parametrize("channel", ["talk", "sms"])
def test_where_contact_does_nothing_the_truth_says_so(channel: str) -> None:
    plan = Plan(past_days=5, spread_days=2, horizon_days=10, actions={"none": 0.5, channel: 0.5})
    drawn = draw(load("no_effect"), plan, 1, START_US, n=300)
    assert np.array_equal(drawn.p_pay[:, 0], drawn.p_pay[:, 1])
    assert np.array_equal(drawn.paid[:, 0], drawn.paid[:, 1])


def test_a_message_moves_less_than_a_conversation() -> None:
    plan = Plan(past_days=5, spread_days=2, horizon_days=20, actions={"none": 0.4, "talk": 0.3, "sms": 0.3})
    drawn = draw(load("default"), plan, 1, START_US, n=400)
    none, talk, sms = drawn.p_pay.mean(axis=0)
    assert none < sms < talk
    assert "message_delivered" in drawn.tables["history"].column("event").to_pylist()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match="add up to 1"):
        Plan(actions={"none": 0.5, "talk": 0.6})
    with pytest.raises(BadInput, match="'smoke' is no action of this world"):
        draw(load("default"), Plan(actions={"none": 0.5, "smoke": 0.5}), 1, START_US, n=10)
    with pytest.raises(BadInput, match="0 people are no part"):
        draw(load("default"), PLAN, 1, START_US, n=0)


def test_from_an_export_to_what_contacts_are_worth() -> None:
    """A conversation is shown to move debtors and is worth its cost; a message with its slight effect is not shown."""
    actions = {"none": 0.4, "talk": 0.4, "sms": 0.2}
    plan = Plan(past_days=20, spread_days=5, horizon_days=20, actions=actions)
    drawn = draw(load("default"), plan, 1, START_US, part=1, n=4_000)
    history = history_of(**drawn.tables)
    decisions = Decisions(drawn.person, drawn.at_us, drawn.action, drawn.p_action, drawn.actions)
    rows, paid_minor = heads.payment(history, decisions, plan.horizon_days)
    usual = usual_of([tallies(history)])
    found = features(history, rows.asked, usual)
    owed = heads.owed_minor(history, found, rows.asked, usual)
    assert (owed > 0.0).all()
    learned = worth.fit(
        found.values,
        NAMES,
        actions=drawn.actions,
        action=drawn.action[rows.place],
        p=np.tile(list(actions.values()), (len(rows), 1)),
        y=rows.y,
        share=(paid_minor / owed).clip(0.0, 1.0),
        group=rows.person,
        categories=tuple(CATEGORIES),
        learner="s",
    )
    assert [one.channel for one in learned.channels] == ["talk", "sms"]
    assert learned.channels[0].shown.kind in ("effect", "mean")
    mean = learned.channels[0].shown.mean
    assert mean.low < (drawn.p_pay[:, 1] - drawn.p_pay[:, 0]).mean() < mean.high
    assert learned.channels[1].shown.kind in ("none", "unknown")
    values = learned.values(found.values, owed, {"talk": 1.0, "sms": 1.0})
    chosen = learned.recommended(values)
    assert not (chosen == 1).any()
    # What is recommended is worth more, by the truth, than contacting at random as often.
    true = drawn.paid[:, 1] - drawn.paid[:, 0]
    best = np.argsort(-values[:, 0] / drawn.price)[: len(true) // 4]
    assert true[best].mean() > 1.5 * true.mean()
