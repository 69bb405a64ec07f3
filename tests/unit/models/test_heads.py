"""What counts as a head's outcome, what is censored, and as of when its rows stand; histories written by hand."""

from typing import Any

import numpy as np
import pytest

from domain.errors import BadInput
from domain.instants import DAY, parse
from models import decisions, heads
from models.features import features, tallies, usual_of
from models.history import History, history_of
from models.reach import Attempts
from tests.histories import Line, call, line, tables

ASSIGNED = line("2026-10-01T08:00:00", "assigned", debts=[100], amount_minor=100_000, currency="EUR")
END = line("2027-03-01T00:00:00", "stop")


def told(*lines: Line | list[Line]) -> History:
    flat: list[Line] = []
    for one in (ASSIGNED, *lines):
        flat += one if isinstance(one, list) else [one]
    return history_of(**tables(flat))


def decided(*at: str, action: int = 1) -> decisions.Decisions:
    n = len(at)
    us = np.array([parse(one + "Z") for one in at], np.int64)
    return decisions.Decisions(np.ones(n, np.int64), us, np.full(n, action), np.full(n, 0.5), ("none", "talk"))


def paid(at: str, minor: int, **more: Any) -> Line:
    return line(at, "payment", debts=[100], amount_minor=minor, currency="EUR", **more)


def test_a_payment_counts_from_after_the_decision_to_the_end_of_the_window() -> None:
    history = told(
        paid("2026-11-01T12:00:00", 1), paid("2026-11-01T12:00:01", 10), paid("2026-11-11T12:00:00", 100),
        paid("2026-11-11T12:00:01", 1000), END,
    )  # fmt: skip
    rows, sums = heads.payment(history, decided("2026-11-01T12:00:00", "2026-12-01T12:00:00"), 10)
    assert sums.tolist() == [110.0, 0.0]
    assert rows.y.tolist() == [1.0, 0.0]
    assert (rows.known_us - rows.at_us).tolist() == [10 * DAY] * 2


def test_a_payment_counts_by_when_it_was_made_and_is_no_feature_before_it_was_told() -> None:
    history = told(paid("2026-10-30T12:00:00", 500, known="2026-11-05T12:00:00"), END)
    rows, sums = heads.payment(history, decided("2026-11-01T12:00:00"), 10)
    assert sums.tolist() == [0.0]
    assert features(history, rows.asked).column("payments").tolist() == [0.0]


def test_a_window_that_is_open_when_the_record_ends_is_left_out() -> None:
    history = told(paid("2026-11-20T00:00:00", 5))
    rows, _ = heads.payment(history, decided("2026-11-01T12:00:00", "2026-11-11T12:00:00"), 10)
    assert rows.place.tolist() == [0]
    with pytest.raises(BadInput, match=r"payment: of 1 rows none is 10 days old"):
        heads.payment(history, decided("2026-11-11T12:00:00"), 10)


def test_amount_is_a_share_of_what_was_owed_where_something_was_paid() -> None:
    history = told(paid("2026-11-02T12:00:00", 25_000), END)
    rows, sums = heads.payment(history, decided("2026-11-01T12:00:00", "2026-12-01T12:00:00"), 10)
    usual = usual_of([tallies(history)])
    owed = heads.owed_minor(history, features(history, rows.asked, usual), rows.asked, usual)
    assert owed == pytest.approx([100_000, 75_000], rel=1e-5)
    found = heads.amount(rows, sums, owed)
    assert found.y == pytest.approx([0.25])
    assert found.place.tolist() == [0]


def test_promise_is_of_the_call_that_it_was_made_in() -> None:
    made = line("2026-11-03T10:02:00", "promise", phone=10, campaign="c", debts=[100], amount_minor=100,
                currency="EUR", due_on=None)  # fmt: skip
    history = told(
        call("2026-11-01T10:00:00", "no_answer"), call("2026-11-03T10:00:00", "right_party_contact", detail="promise"),
        made, call("2026-11-05T10:00:00", "right_party_contact", detail="no_promise"), END,
    )  # fmt: skip
    rows = heads.promise(history)
    assert rows.y.tolist() == [0.0, 1.0, 0.0]
    # As of just before it was dialled.
    assert features(history, rows.asked).column("tries").tolist() == [0.0, 1.0, 2.0]
    assert features(history, rows.asked).column("promises").tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("minor", "at", "y"),
    [(90, "2026-11-13T22:00:00", 1.0), (89, "2026-11-13T22:00:00", 0.0), (100, "2026-11-14T01:00:00", 0.0)],
)
def test_kept_is_nine_tenths_by_the_day_and_three_of_grace(minor: int, at: str, y: float) -> None:
    from datetime import date

    made = line("2026-11-03T10:02:00", "promise", debts=[100], amount_minor=100, currency="EUR",
                due_on=date(2026, 11, 10))  # fmt: skip
    rows = heads.kept(told(made, paid(at, minor), END))
    assert rows.y.tolist() == [y]
    assert rows.at_us.tolist() == [parse("2026-11-03T10:02:00Z") + 1]


def test_kept_counts_what_a_file_told_of_the_day_of_the_promise() -> None:
    from datetime import date

    made = line("2026-11-03T10:02:00", "promise", debts=[100], amount_minor=100, currency="EUR",
                due_on=date(2026, 11, 10))  # fmt: skip
    # In Madrid, an hour ahead, the day begins at 23 h of the day before.
    on_the_day, before = paid("2026-11-02T23:00:00", 95), paid("2026-11-02T22:59:59", 95)
    assert heads.kept(told(made, on_the_day, END)).y.tolist() == [1.0]
    assert heads.kept(told(made, before, END)).y.tolist() == [0.0]


def test_kept_is_censored_while_the_day_is_to_come() -> None:
    from datetime import date

    made = line("2026-11-03T10:02:00", "promise", debts=[100], amount_minor=100, currency="EUR",
                due_on=date(2026, 11, 10))  # fmt: skip
    with pytest.raises(BadInput, match=r"kept: of 1 rows none is the day due old"):
        heads.kept(told(made, paid("2026-11-12T10:00:00", 5)))


def test_answers_by_somebody_known_stand_for_those_of_whom_nobody_knows() -> None:
    at = np.array([parse(f"2026-11-0{day}T10:00:00Z") for day in range(1, 6)], np.int64)
    calls = Attempts(
        person=np.ones(5, np.int64), phone=np.full(5, 10), decided_us=at,
        answered=np.array([1, 1, 0, 1, 0], np.int8), right_party=np.array([1, -1, 0, 0, 0], np.int8),
        machine=np.array([-1, -1, 0, -1, 1], np.int8),
    )  # fmt: skip
    history = told(*(call(f"2026-11-0{day}T10:00:00", "no_answer") for day in range(1, 6)), END)
    rows = heads.reach(history, calls, "right_party")
    assert rows.place.tolist() == [0, 2, 3, 4]
    assert rows.weight is not None
    # Three were answered, and of two it is known by whom.
    assert rows.weight.tolist() == [1.5, 1.0, 1.5, 1.0]
    some = heads.take(rows, np.array([1, 2]))
    source = heads.columns(some, features(history, some.asked))
    assert source.column("weight").to_pylist() == [1.0, 1.5]
    assert heads.schema("right_party", source, days=1.0).weight == "weight"
    assert heads.reach(history, calls).weight is None
    # Of those that nobody answered, which a machine did.
    machines = heads.reach(history, calls, "machine")
    assert (machines.place.tolist(), machines.y.tolist()) == ([2, 4], [0.0, 1.0])
    assert {"hour", "weekday", "calls_today"} <= set(heads.BARRED["machine"])


def test_a_number_is_valid_unless_it_is_dead_or_a_stranger_s() -> None:
    history = told(
        call("2026-11-01T10:00:00", "network_fail"), call("2026-11-02T10:00:00", "no_answer"),
        call("2026-11-03T10:00:00", "third_party", phone=11), call("2026-11-04T10:00:00", "not_in_service"),
        call("2026-11-05T10:00:00", "wrong_party", phone=11), END,
    )  # fmt: skip
    rows = heads.valid(history)
    assert rows.y.tolist() == [1.0, 1.0, 0.0, 0.0]
    found = features(history, rows.asked)
    assert found.column("number_tries").tolist() == [1.0, 0.0, 2.0, 1.0]
    assert found.column("number_bad").tolist() == [0.0] * 4


def test_a_table_has_words_for_categories_and_the_action() -> None:
    random = np.random.default_rng(1)
    lines = [paid(f"2026-11-{day:02d}T12:00:00", int(random.integers(1, 100))) for day in range(2, 28, 3)]
    history = told(call("2026-10-05T10:00:00", "no_answer", detail="no_answer"), *lines, END)
    decisions = decided(*(f"2026-11-{day:02d}T09:00:00" for day in range(1, 29)))
    rows, _ = heads.payment(history, decisions, 2)
    found = heads.table(
        rows, features(history, rows.asked), days=2, actions=decisions.actions, action=decisions.action[rows.place]
    )
    assert found.encoding.categories["last_end"] == ("no_answer",)
    assert found.encoding.categories["action"] == ("talk",)
    assert found.y.sum() > 0.0
    assert found.horizon == 2 * DAY
    assert found.encoding.monotone["promises_kept"] == 1


@pytest.mark.parametrize(
    ("held_out", "kept"),
    [
        # From the second day on the history tells who is held out.
        ([True, True, False, False, False], [0, 2]),
        ([False, False, False, False, False], [0, 1, 2, 3]),
        # The first of whom was certain: nothing of his is by lot.
        ([True, True, True, True, False], [0, 2]),
    ],
)
def test_lots_for_good_teach_by_the_first_decision_alone(held_out: list[bool], kept: list[int]) -> None:
    person = np.array([1, 1, 2, 2, 3])
    known = history_of(**tables([], numbers=[], zones={one: ["UTC"] for one in (1, 2, 3)}, debts=[]))
    chances = np.array([[0.3, 0.7]] * 4 + [[0.0, 1.0]])
    told = decisions.Decisions(
        person, np.array([1, 2, 1, 2, 1]) * DAY, np.array([0, 0, 1, 1, 1]), np.full(5, 0.5), ("none", "call"), chances,
        np.array(held_out),
    )  # fmt: skip
    assert decisions.alone_by_lot(known, told).tolist() == kept


def test_who_is_spoken_to_within_the_window_is_told() -> None:
    lines = [*call("2026-11-02T10:00:00", "right_party_contact"), *call("2026-11-20T10:00:00", "right_party_contact")]
    known = history_of(**tables(lines))
    rows, _ = heads.payment(known, decided("2026-11-01T08:00:00", "2026-11-03T08:00:00"), 10)
    assert heads.spoken_to(known, rows).tolist() == [1.0, 0.0]


def balance(at: str, minor: int) -> Line:
    return line(at, "balance", debts=[100], amount_minor=minor, currency="EUR")


def cured(*lines: Line | list[Line], at: str = "2026-11-01T12:00:00", days: int = 10) -> list[float]:
    return heads.cure(told(*lines, END), decided(at), days).y.tolist()


@pytest.mark.parametrize(
    ("lines", "y"),
    [
        ((), [0.0]),
        ((paid("2026-11-11T12:00:00", 100_000),), [1.0]),
        ((paid("2026-11-11T12:00:01", 100_000),), [0.0]),
        ((paid("2026-11-05T12:00:00", 99_999),), [0.0]),
        # By when it was paid, whenever it was told; in parts, and before the decision.
        ((paid("2026-11-05T12:00:00", 1), paid("2026-11-08T12:00:00", 99_999, known="2026-12-24T12:00:00")), [1.0]),
        ((paid("2026-10-30T12:00:00", 100_000, known="2026-11-02T12:00:00"),), [1.0]),
        ((paid("2026-10-20T12:00:00", 30_000), paid("2026-11-05T12:00:00", 70_000)), [1.0]),
        # The balance as it was told last before the decision; what is told later does not count.
        ((balance("2026-10-20T08:00:00", 500), paid("2026-11-05T12:00:00", 500)), [1.0]),
        ((balance("2026-11-02T08:00:00", 500), paid("2026-11-05T12:00:00", 500)), [0.0]),
        # Nothing was owed: nothing is asked.
        ((paid("2026-10-20T12:00:00", 100_000),), []),
        ((line("2026-10-20T08:00:00", "withdrawn", debts=[100]),), []),
        # Withdrawn is not paid.
        ((line("2026-11-05T08:00:00", "withdrawn", debts=[100]),), [0.0]),
    ],
)  # fmt: skip
def test_cured_is_who_has_paid_all_that_was_known_to_be_owed(lines: tuple[Line, ...], y: list[float]) -> None:
    assert cured(*lines) == y


def test_cured_is_of_all_debts_each_by_what_was_paid_on_it() -> None:
    def two(*lines: Line) -> list[float]:
        second = line("2026-10-02T08:00:00", "assigned", debts=[101], amount_minor=50, currency="COP")
        known = history_of(
            **tables(
                [ASSIGNED, second, *lines, END], debts=[(100, 1, "EUR", "2026-09-01"), (101, 1, "COP", "2026-09-01")]
            )
        )
        return heads.cure(known, decided("2026-11-01T12:00:00"), 10).y.tolist()

    other = line("2026-11-04T12:00:00", "payment", debts=[101], amount_minor=50, currency="COP")
    assert two(paid("2026-11-05T12:00:00", 100_050)) == [0.0]
    assert two(other) == [0.0]
    assert two(paid("2026-11-05T12:00:00", 100_000), other) == [1.0]


def test_cured_is_censored_while_the_window_is_open() -> None:
    history = told(paid("2026-11-20T00:00:00", 5))
    rows = heads.cure(history, decided("2026-11-01T12:00:00", "2026-11-11T12:00:00"), 10)
    assert rows.place.tolist() == [0]
    assert rows.known_us.tolist() == [parse("2026-11-11T12:00:00Z")]
    with pytest.raises(BadInput, match=r"cure: of 1 rows none is 10 days old"):
        heads.cure(history, decided("2026-11-11T12:00:00"), 10)
