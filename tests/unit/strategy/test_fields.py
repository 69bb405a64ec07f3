"""The fields of strategies, each against a case worked out by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain.instants import DAY, HOUR, parse
from strategy.fields import (
    ANY_DEBT,
    FIELDS,
    NO_DAY,
    Book,
    Contacts,
    Debts,
    Payments,
    Promises,
    Scores,
    columns,
    day_number,
    kept_per_contact,
)

ZONE = "Europe/Madrid"
NOW = parse("2026-11-30T09:00:00+01:00")
TODAY = day_number("2026-11-30")


def table(kind: Any, *rows: tuple[Any, ...]) -> Any:
    """Return a table of rows; words are objects."""
    if not rows:
        return kind._make([np.array([], np.int64) for _ in kind._fields])
    told = zip(*rows, strict=True)
    return kind._make([np.array(one, object if isinstance(one[0], str) else None) for one in told])


def book(**tables: Any) -> Book:
    debts = tables.get("debts") or [
        (0, 1, 100_00, "EUR", TODAY - 40, "loan"),
        (0, 2, 300_00, "EUR", TODAY - 10, "card"),
        (1, 3, 50_00, "EUR", NO_DAY, ""),
        (2, 4, 900_00, "EUR", TODAY + 3, "loan"),
        (2, 5, 9_000_00, "USD", TODAY + 5, "card"),
    ]
    return Book(
        person=np.array([11, 12, 13]),
        country=np.array(["ES", "PT", "ES"], object),
        n_phones=np.array([2, 0, 1]),
        debts=table(Debts, *debts),
        contacts=table(Contacts, *tables.get("contacts", ())),
        promises=table(Promises, *tables.get("promises", ())),
        payments=table(Payments, *tables.get("payments", ())),
    )


def value(name: str, of: Book, at_us: int = NOW) -> list[Any]:
    found = columns(of, at_us, ZONE)[name].tolist()
    return [None if isinstance(one, float) and np.isnan(one) else one for one in found]


def test_every_field_has_a_column_of_its_kind() -> None:
    found = columns(book(), NOW, ZONE)
    assert found.keys() == FIELDS.keys()
    for name, one in found.items():
        assert one.shape == (3,)
        assert one.dtype == (object if FIELDS[name].kind == "word" else np.float64), name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("days_past_due", [40, None, -3]),
        ("balance", [400_00, 50_00, 900_00]),
        ("balance_share", [0.5, 0.0, 1.0]),
        ("currency", ["EUR", "EUR", "EUR"]),
        ("debts", [2, 1, 2]),
        ("product", ["card", None, "card"]),
        ("country", ["ES", "PT", "ES"]),
        ("n_phones", [2, 0, 1]),
        ("calls_7d", [0, 0, 0]),
        ("days_since_payment", [None, None, None]),
        ("p_self_cure", [None, None, None]),
    ],
)
def test_what_is_owed(name: str, expected: list[Any]) -> None:
    assert value(name, book()) == expected


def test_calls_and_conversations() -> None:
    of = book(
        contacts=[
            (0, NOW - HOUR, False),
            (0, NOW - 8 * DAY, True),
            (0, NOW - 10 * DAY, False),
            # The day before by the calendar, though 23 hours ago.
            (2, parse("2026-11-29T10:00:00+01:00"), True),
            (2, NOW - 30 * DAY - 1, True),
        ]
    )
    assert value("calls_7d", of) == [1, 0, 1]
    assert value("calls_30d", of) == [3, 0, 1]
    assert value("contacts_30d", of) == [1, 0, 1]
    assert value("days_since_call", of) == [0, None, 1]
    assert value("days_since_contact", of) == [8, None, 1]


def test_promises_by_what_was_paid() -> None:
    made = parse("2026-11-20T12:00:00+01:00")
    due, paid = day_number("2026-11-25"), parse("2026-11-20T00:00:00+01:00")
    one = (0, 1, 100_00, "EUR", due, made, 0)
    # The grace ends with the third day after the due day.
    last, over = parse("2026-11-28T23:59:59+01:00"), parse("2026-11-29T00:00:00+01:00")
    for payments, at_us, kept, broken in (
        ([], last, 0, 0),
        ([], over, 0, 1),
        ([(0, 1, 90_00, "EUR", paid)], last, 1, 0),
        ([(0, 1, 89_99, "EUR", paid)], over, 0, 1),
        ([(0, 1, 50_00, "EUR", paid), (0, 1, 50_00, "EUR", last)], over, 1, 0),
        ([(0, 1, 100_00, "EUR", paid - 1)], over, 0, 1),
        ([(0, 1, 100_00, "EUR", over)], over, 0, 1),
        ([(0, 2, 100_00, "EUR", paid)], over, 0, 1),
        ([(0, 1, 100_00, "USD", paid)], over, 0, 1),
        ([(2, 1, 100_00, "EUR", paid)], over, 0, 1),
    ):
        of = book(promises=[one], payments=payments)
        told = [value(f"promises_{word}", of, at_us)[0] for word in ("kept", "broken", "open")]
        assert told == [kept, broken, 1 - kept - broken], (payments, at_us)
    of = book(promises=[(0, ANY_DEBT, 100_00, "EUR", due, made, 0)], payments=[(0, 2, 100_00, "EUR", paid)])
    assert value("promises_kept", of) == [1, 0, 0]
    assert value("days_since_payment", of) == [10, None, None]
    later = book(promises=[one, (0, 2, 100_00, "EUR", TODAY + 2, made, 0), (2, 4, 1, "EUR", TODAY + 9, made, 0)])
    assert value("promise_due_in", later) == [2, None, 9]
    assert value("days_since_broken", later) == [1, None, None]


def test_a_plan_is_open_until_its_last_instalment() -> None:
    made = NOW - 60 * DAY
    plan = (0, 1, 50_00, "EUR", TODAY - 40, made, 2)
    assert value("plans_open", book(promises=[plan])) == [0, 0, 0]
    assert value("plans_open", book(promises=[(*plan[:6], 3)])) == [1, 0, 0]
    assert value("promises_broken", book(promises=[plan])) == [0, 0, 0]


def test_scores_go_to_their_people() -> None:
    scores = Scores(np.array([5, 12, 13, 90]), {"value_call": np.array([1.0, 2.0, np.nan, 4.0])}, "m1")
    found = columns(book(), NOW, ZONE, scores)
    assert np.array_equal(found["value_call"], [np.nan, 2.0, np.nan], equal_nan=True)
    assert np.isnan(found["p_pay"]).all()
    nobody = Scores(np.array([], np.int64), {"value_call": np.array([])}, "m1")
    assert np.isnan(columns(book(), NOW, ZONE, nobody)["value_call"]).all()


def test_kept_promises_of_a_conversation_are_told_where_models_tell_of_promise_and_reach() -> None:
    found: dict[str, Any] = {
        "p_promise": np.array([0.1, 0.1, 0.4, np.nan, 0.1, 0.1]),
        "p_right": np.array([0.2, 0.2, 0.2, 0.2, np.nan, 0.0]),
        "promises_kept": np.array([0.0, 3.0, 1.0, 0.0, 0.0, 0.0]),
        "promises_broken": np.array([0.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
    }
    # Half of the conversations bring one; kept are a half before any fell due, then four sixths of three in four.
    expected = [0.5 * 0.5, 0.5 * 4 / 6, 1.0 * 0.5, np.nan, np.nan, np.nan]
    assert kept_per_contact(found) == pytest.approx(expected, nan_ok=True)


def test_nobody_has_empty_columns() -> None:
    empty = Book(
        np.array([], np.int64), np.array([], object), np.array([], np.int64),
        Debts(*(np.array([], kind) for kind in (np.int64, np.int64, np.int64, object, np.int64, object))),
        table(Contacts), table(Promises), table(Payments),
    )  # fmt: skip
    assert all(len(one) == 0 for one in columns(empty, NOW, ZONE).values())


def test_the_guide_tells_every_field() -> None:
    text = Path("docs/strategy.md").read_text(encoding="utf-8")
    for name, field in FIELDS.items():
        unit = f" ({field.unit})" if field.unit else ""
        assert f"| `{name}` | {field.meaning}{unit} |\n" in text
