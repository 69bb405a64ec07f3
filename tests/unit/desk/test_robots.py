"""What robots say is a function of the call, and shared out as their habits say."""

from collections import Counter

from dialer.robots import Habits, chance, outcome
from domain.instants import parse

NOW_US = parse("2026-11-18T15:30:00Z")
LEAD = {"debts": [{"debt": 7, "balance_minor": 900, "currency": "EUR"}], "offers": []}
OFFER = {"debt": 7, "settles_minor": 600, "plans": [{"instalments": 2}, {"instalments": 6}]}


def test_chance_is_a_function_of_its_words_and_even() -> None:
    draws = [chance(1, "outcome", f"floor-{n}") for n in range(4_000)]
    assert draws == [chance(1, "outcome", f"floor-{n}") for n in range(4_000)]
    assert chance(1, "wrapup", "floor-1") != draws[1] != chance(2, "outcome", "floor-1")
    assert min(draws) >= 0.0
    assert max(draws) < 1.0
    assert all(300 < count < 500 for count in Counter(int(draw * 10) for draw in draws).values())


def test_outcomes_come_in_the_shares_of_the_habits() -> None:
    habits = Habits()
    said = Counter(outcome(habits, 1, f"floor-{n}", LEAD, NOW_US)["disposition"] for n in range(4_000))
    for disposition, count in said.items():
        share = 0.46 if disposition == "no_promise" else getattr(habits, f"p_{disposition}")
        assert abs(count / 4_000 - share) < 0.03, disposition


def test_a_promise_is_one_that_the_desk_takes() -> None:
    sure = Habits(p_promise=1.0)
    assert outcome(sure, 1, "floor-1", LEAD, NOW_US) == {
        "disposition": "promise",
        "debt": 7,
        "amount": "9.00",
        "due_on": "2026-11-25",
    }
    assert outcome(sure, 1, "floor-1", {}, NOW_US) == {"disposition": "no_promise"}
    plan = outcome(Habits(p_promise=0.0, p_plan=1.0), 1, "floor-1", LEAD, NOW_US)
    assert (plan["disposition"], plan["instalments"]) == ("plan", 3)
    offered = LEAD | {"offers": [OFFER]}
    plan = outcome(Habits(p_promise=0.0, p_plan=1.0), 1, "floor-1", offered, NOW_US)
    assert (plan["amount"], plan["instalments"], plan["settles"]) == ("6.00", 6, True)
    back = outcome(
        Habits(p_promise=0.0, p_plan=0.0, p_wrong_party=0.0, p_third_party=0.0, p_call_back=1.0), 1, "x", {}, NOW_US
    )
    assert back["call_back_at"] == "2026-11-18T16:30:00+00:00"
