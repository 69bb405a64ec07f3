"""Features of histories written by hand."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain.errors import BadInput
from domain.instants import DAY, parse
from models.feature_list import FEATURES, GROUPS, NAMES, check_features, page
from models.features import CATEGORIES, ask, everybody, features, own_hours, tallies, usual_of
from models.history import ENDS, LINE_TYPES, history_of
from tests.histories import Line, call, line, tables

AS_OF = "2026-11-25T18:30:00Z"


def told(lines: list[Line], as_of: str = AS_OF, *, phone: int = 10, **more: Any) -> dict[str, float]:
    """Return the features of a person's number."""
    found = features(history_of(**tables(lines, **more)), parse(as_of))
    (row,) = np.flatnonzero(found.phone == phone)
    return dict(zip(NAMES, found.values[row].tolist(), strict=True))


def has(found: dict[str, float], **wanted: float) -> None:
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-5, nan_ok=True)


CALLS = [
    *call("2026-11-16T10:00:00", "no_answer"),
    *call("2026-11-17T18:00:00", "right_party_contact", detail="promise"),
    *call("2026-11-24T18:00:00", "no_answer", detail="rejected"),
    *call("2026-11-25T09:00:00", "amd_machine", phone=11, detail="machine"),
]


def test_calls_by_number_person_and_hour() -> None:
    mobile = told(CALLS)
    has(mobile, hour=19, weekday=2, month_day=25, line_type=LINE_TYPES.index("mobile"), mobile=1, number_rank=0)
    has(mobile, numbers=2, number_tries=3, number_answers=1, number_rights=1, number_unanswered=1, number_rejected=1)
    has(mobile, number_machines=0, number_streak=1, number_today=0, number_bad=0, numbers_tried=2, tries=4, answers=1)
    has(mobile, rights=1, calls_1d=1, calls_7d=2, calls_30d=4, calls_today=1, calls_since_right=2, hour_tries=2)
    has(mobile, last_end=ENDS.index("machine"))
    has(mobile, days_call=9.5 / 24, number_days_call=1 + 0.5 / 24, days_right=8 + 29 / 60 / 24, days_message=np.nan)
    has(told(CALLS, phone=11), mobile=0, number_rank=1, number_tries=1, number_machines=1, number_days_answer=np.nan)
    # Met in the evening: good for evenings, bad for mornings, and most at that hour.
    assert mobile["lift_evening"] > 0 > mobile["lift_morning"]
    assert mobile["lift_weekend"] == 0
    hours = own_hours(history_of(**tables(CALLS)), parse(AS_OF))[0]
    assert hours[19, 0] == mobile["hour_tries"]
    assert hours[19, 1] == np.float32(mobile["hour_lift"]) == hours[:, 1].max()


def test_nobody_knows_anything_yet() -> None:
    found = told([])
    has(found, tries=0, number_lift=0, person_lift=0, hour_lift=0, days_call=np.nan, balance=np.nan, kept_share=0.5)
    # Who has no number has a row too.
    history = history_of(**tables([], numbers=[(2, 20, "fixed")], zones={1: [], 2: ["America/Bogota"]}, debts=[]))
    nobody = features(history, parse(AS_OF))
    assert nobody.phone.tolist() == [-1, 20]
    assert np.isnan(nobody.column("number_tries")).tolist() == [True, False]
    assert nobody.column("hour").tolist() == [18, 13]


def test_a_call_that_never_left_counts_for_nothing() -> None:
    lines = call("2026-11-25T09:00:00", "not_dialled", detail="not_sent")
    lines[1]["event_at"] = lines[0]["event_at"]
    has(told(lines), calls_1d=0, calls_30d=0, calls_since_right=0, calls_today=0, tries=0)


def test_an_imported_line_tells_a_whole_attempt() -> None:
    lines = [line("2026-11-24T09:00:00", "no_answer", phone=10, channel="call")]
    has(told(lines), calls_7d=1, tries=1, number_tries=1, number_days_call=1 + 9.5 / 24)


def test_messages_and_what_comes_from_the_debtor() -> None:
    lines = [
        line("2026-11-20T18:30:00", "message_delivered", channel="sms", phone=10),
        line("2026-11-21T18:30:00", "answered", channel="email"),
        line("2026-11-23T18:30:00", "answered", channel="call", inbound=True),
        line("2026-11-24T18:30:00", "call_back"),
        line("2026-09-01T00:00:00", "message_sent", channel="letter"),
    ]
    has(told(lines), messages_30d=2, days_message=4, inbound=1, days_inbound=2, days_call_back=1, tries=0, answers=0)


@pytest.mark.parametrize(
    ("as_of", "wanted"),
    [
        ("2026-11-18T00:00:00Z", {"promises": 1, "promises_open": 1, "kept_share": 0.5, "days_promise_due": 2}),
        ("2026-11-23T12:00:00Z", {"promises_open": 1}),  # grace until the 24th, by the debtor's clock
        ("2026-11-24T12:00:00Z", {"promises_broken": 1, "promises_open": 0, "kept_share": 1 / 3}),
        ("2026-11-26T12:00:00Z", {"promises_kept": 1, "promises_broken": 0, "kept_share": 2 / 3}),
    ],
)
def test_a_promise_is_kept_once_its_payment_is_known(as_of: str, wanted: dict[str, float]) -> None:
    lines = [
        line("2026-11-17T18:01:00", "promise", amount_minor=5000, due_on=date(2026, 11, 20), debts=[100]),
        line("2026-11-19T23:00:00", "payment", debts=[100], amount_minor=4600, known="2026-11-25T00:00:00"),
    ]
    has(told(lines, as_of), **wanted)


def test_a_part_is_no_promise_kept_and_a_plan_is_no_promise() -> None:
    lines = [
        line("2026-11-10T18:00:00", "promise", amount_minor=5000, due_on=date(2026, 11, 12)),
        line("2026-11-11T00:00:00", "payment", debts=[100], amount_minor=4000),
        line("2026-11-12T18:00:00", "plan", amount_minor=900, due_on=date(2026, 11, 14)),
    ]
    has(told(lines), promises=1, promises_broken=1, plans=1, days_promise_due=-11)


def test_what_is_owed_and_was_paid() -> None:
    lines = [
        line("2026-11-01T00:00:00", "assigned", debts=[100], amount_minor=20000),
        line("2026-11-01T00:00:00", "assigned", debts=[101], amount_minor=20000),
        line("2026-11-09T00:00:00", "payment", debts=[100], amount_minor=5000),
        line("2026-11-10T00:00:00", "withdrawn", debts=[101], amount_minor=20000),
        line("2026-11-12T00:00:00", "balance", debts=[100], amount_minor=12000),
        line("2026-11-30T00:00:00", "payment", debts=[100], amount_minor=12000),
    ]
    debts = [(100, 1, "EUR", "2026-09-01"), (101, 1, "EUR", "2026-01-01")]
    found = told(lines, debts=debts)
    has(found, debts_open=1, payments=1, days_payment=16 + 18.5 / 24, days_payday=16, days_due=85, paid_30d=5 / 17)
    has(found, paid_share=5 / 17, balance_change=np.log2(12 / 40), days_assigned=24 + 18.5 / 24)
    usual = np.exp((np.log(20000) * 2 + np.log(12000) + 10 * np.log(50000)) / 13)
    has(found, balance=np.log2(12000 / usual))


def test_a_number_that_is_no_good() -> None:
    for lines in (
        call("2026-11-20T10:00:00", "wrong_party", detail="wrong_party"),
        call("2026-11-20T10:00:00", "not_in_service", detail="not_in_service"),
        [line("2026-11-20T10:00:00", "stop", phone=10, detail="wrong_number")],
    ):
        assert told(lines)["number_bad"] == 1
        assert told(lines, phone=11)["number_bad"] == 0
    # A stranger who answers tells nothing of the debtor.
    assert told(call("2026-11-20T10:00:00", "wrong_party"))["person_lift"] == 0


def test_a_condition_that_the_law_protects_is_not_told() -> None:
    for word in ("vulnerable", "bankrupt", "attorney", "deceased"):
        found = told(call("2026-11-20T10:00:00", "right_party_contact", detail=word))
        assert CATEGORIES["last_end"][int(found["last_end"])] == "other"


def test_an_hour_is_the_debtors_own() -> None:
    lines = call("2026-11-20T02:30:00", "right_party_contact")
    for zone, hour in (("Europe/Madrid", 3), ("America/Bogota", 21), ("Asia/Kolkata", 8)):
        history = history_of(**tables(lines, zones={1: [zone]}))
        tries = own_hours(history, parse(AS_OF))[0, :24, 0]
        assert tries.tolist() == [float(at == hour) for at in range(24)]


def test_what_is_usual_is_learned_from_earlier_days_alone() -> None:
    first = parse("2026-11-01T10:00:00Z")
    answered = [one for n in range(40) for one in call(first + n * 60_000_000, "answered")]
    usual = usual_of([tallies(history_of(**tables(answered)))])
    mobile = LINE_TYPES.index("mobile")
    today, tomorrow = (usual.answered[first // DAY + n - usual.first_day] for n in (0, 1))
    assert today[mobile].tolist() == pytest.approx([0.15] * 48, abs=1e-6)
    assert tomorrow[mobile, 24 + 11] > tomorrow[mobile, 11] > 0.15  # that Sunday hour most
    assert tomorrow[mobile, 24 + 11] > tomorrow[LINE_TYPES.index("fixed"), 24 + 11] > 0.15


def test_parts_of_a_portfolio_give_what_the_whole_gives() -> None:
    lines = [*CALLS, *call("2026-11-20T10:00:00", "answered", phone=20, person=2)]
    numbers = [(1, 10, "mobile"), (1, 11, "fixed"), (2, 20, "mobile")]
    zones = {1: ["Europe/Madrid"], 2: ["Europe/Madrid"]}
    debts = [(100, 1, "EUR", None), (200, 2, "COP", None)]
    whole = history_of(**tables(lines, numbers=numbers, zones=zones, debts=debts))
    parts = [
        history_of(
            **tables(
                [one for one in lines if one["person"] == who],
                numbers=[one for one in numbers if one[0] == who],
                zones={who: zones[who]},
                debts=[one for one in debts if one[1] == who],
            )
        )
        for who in (1, 2)
    ]
    counted = [tallies(part) for part in parts]
    found = [features(part, parse(AS_OF), usual_of(counted, part.currencies)).values for part in parts]
    assert np.array_equal(np.concatenate(found), features(whole, parse(AS_OF)).values, equal_nan=True)
    assert len(everybody(whole, parse(AS_OF), numbers=1).row) == 2


def test_threads_and_order_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.features._ROWS", 2)
    history = history_of(**tables(CALLS))
    at = np.array([parse(f"2026-11-{day}T12:00:00Z") for day in (16, 25, 18, 20, 17)])
    phone = np.array([10, 11, 10, 10, 11])
    rows = ask(history, person=np.ones(5, np.int64), phone=phone, as_of_us=at)
    once, twice = features(history, rows), features(history, rows, threads=2)
    assert np.array_equal(once.values, twice.values, equal_nan=True)
    assert once.column("tries").tolist() == [1, 4, 2, 2, 1]
    assert once.table().column_names[:5] == ["person", "phone", "as_of_us", "at_us", "hour"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"person": np.array([7])}, "person 7 is not among the debtors"),
        ({"phone": np.array([99])}, "phone 99 is not among the numbers of person 1"),
        ({"at_us": np.array([5])}, "lies before"),
    ],
)
def test_rows_that_cannot_be(changes: dict[str, Any], says: str) -> None:
    history = history_of(**tables(CALLS))
    asked = {"person": np.array([1]), "phone": np.array([10]), "as_of_us": np.array([10])} | changes
    with pytest.raises(BadInput, match=says):
        ask(history, **asked)


def test_the_list_is_whole_and_its_page_is_written_from_it() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {one.group for one in FEATURES} == set(GROUPS)
    assert {one.name for one in FEATURES if one.category} == set(CATEGORIES)
    assert (Path(__file__).parents[3] / "docs" / "features.md").read_text(encoding="utf-8") == page()


def test_what_is_known_only_after_and_what_is_protected_is_refused() -> None:
    check_features(NAMES, "features")
    with pytest.raises(BadInput, match="talk_us is known only after"):
        check_features(["hour", "talk_us"], "my.csv")
    with pytest.raises(BadInput, match="language is protected"):
        check_features(["language"], "my.csv")


def test_what_is_paid_to_the_last_unit_is_owed_no_more_whatever_is_usual() -> None:
    """Amounts are told as shares of the usual debt; quotients of the parts may add up to a last digit less."""
    random = np.random.default_rng(1)
    people, lines, debts = range(1, 301), [], []
    for person in people:
        owed = int(random.integers(1_000, 10_000_000))
        parts = np.diff([0, *np.sort(random.integers(1, owed, 3)).tolist(), owed])
        debts.append((person, person, "EUR", None))
        told_of = {"person": person, "debts": [person], "currency": "EUR"}
        lines.append(line("2026-10-01T08:00:00", "assigned", amount_minor=owed, **told_of))
        lines += [
            line(f"2026-10-0{day}T08:00:00", "payment", amount_minor=int(part), **told_of)
            for day, part in enumerate(parts.tolist(), 2)
        ]
    found = features(
        history_of(**tables(lines, numbers=[], zones={one: [] for one in people}, debts=debts)), parse(AS_OF)
    )
    assert found.column("payments").tolist() == [4.0] * 300
    assert found.column("debts_open").sum() == 0.0
    assert np.isnan(found.column("balance")).all()
