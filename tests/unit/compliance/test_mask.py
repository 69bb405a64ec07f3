"""When each of many debtors may be contacted: examples, and what columns keep of a debtor."""

from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from compliance.casefile import ask
from compliance.caseform import read
from compliance.columns import columns_of
from compliance.counting import Counter
from compliance.mask import callable_mask
from compliance.numbers import Numbers
from compliance.packs import SHIPPED
from compliance.plans import Plan
from domain.errors import BadInput
from domain.instants import DAY, HOUR, parse
from domain.people import Consent, Debt, Dossier, PastContact, Phone, Stop, StopKind
from tests.unit.compliance.conformance import CASES
from tests.unit.compliance.debtors import BOGOTA, LOS_ANGELES, MADRID, NEW_YORK, debt, debtor, line, shipped

MONDAY = "2026-11-16"


def hours(*people: Dossier, day: str = MONDAY, named: list[tuple[int, ...]] | None = None, **asked: Any) -> list[str]:
    """Return for each debtor the hours of a UTC day, `#` where callable."""
    slots = parse(f"{day}T00:00:00Z") + HOUR * np.arange(24)
    asked = {"actor": "third_party", "purpose": "collection"} | asked
    mask = callable_mask(shipped(), columns_of(people, named), slots, **asked)
    return ["".join("#" if cell else "." for cell in row) for row in mask.tolist()]


def test_hours_are_the_debtors_own() -> None:
    assert hours(
        debtor("ES", phones=(MADRID,), address_zones=("Europe/Madrid",)),
        debtor("US", region="CA", phones=(LOS_ANGELES,), address_zones=("America/Los_Angeles",)),
        debtor("US", region="NY", phones=(LOS_ANGELES,), address_zones=("America/New_York",)),
        debtor("FR", phones=(MADRID,)),
    ) == [
        "........############....",
        # Open after 8:00 and not at it: the hour from 16:00 UTC on is not open whole.
        "#####............#######",
        "##...............#######",
        "." * 24,
    ]


def test_a_holiday_closes() -> None:
    assert hours(debtor("CO", phones=(BOGOTA,)), day=MONDAY) == ["." * 24]
    assert hours(debtor("CO", phones=(BOGOTA,)), day="2026-11-17") == ["............############"]


def test_a_slot_that_a_stop_reaches_into_is_closed() -> None:
    rests = Stop(kind=StopKind.breathing_space, until_us=parse("2026-11-16T12:00:01Z"))
    assert hours(debtor("ES", phones=(MADRID,), stops=(rests,))) == [".............#######...."]
    ended = replace(rests, until_us=parse("2026-11-16T12:00:00Z"))
    assert hours(debtor("ES", phones=(MADRID,), stops=(ended,))) == ["............########...."]


def test_a_consent_to_other_hours_ends_within_a_slot() -> None:
    at_night = Consent(kind="hours", until_us=parse("2026-11-16T05:30:00Z"))
    asleep = debtor("US", region="NJ", phones=(NEW_YORK,), address_zones=("America/New_York",))
    assert hours(asleep) == ["##............##########"]
    assert hours(replace(asleep, consents=(at_night,))) == ["#####.........##########"]
    # Where the usual hours go on, the end of a consent closes nothing.
    by_day = Consent(kind="hours", until_us=parse("2026-11-16T16:30:00Z"))
    assert hours(replace(asleep, consents=(by_day,))) == ["########################"]


def test_a_consent_that_lifts_a_cap_ends_within_a_slot() -> None:
    calls = [line(f"2026-11-{day}T20:00:00Z", "no_answer") for day in range(10, 17)]
    person = debtor("US", *calls, region="NJ", phones=(NEW_YORK,), address_zones=("America/New_York",))
    assert hours(person) == ["." * 24]
    agreed = Consent(kind="direct_prior_consent_7d", until_us=parse("2026-11-16T16:30:00Z"))
    assert hours(replace(person, consents=(agreed,))) == ["##............##........"]


def test_a_contact_closes_the_days_that_its_rule_says() -> None:
    talked = line("2026-11-10T20:00:00Z", "right_party_contact")
    person = debtor("US", talked, region="NJ", phones=(NEW_YORK,), address_zones=("America/New_York",))
    # Seven days with the first: until Tuesday begins in New York.
    assert hours(person, day="2026-11-16") == ["." * 24]
    assert hours(person, day="2026-11-17") == ["..............##########"]


def test_contacts_at_other_kinds_of_address_do_not_count() -> None:
    calls = [line(f"2026-11-{day}T20:00:00Z", "no_answer", phone=1) for day in (14, 15)]
    office = replace(NEW_YORK, phone=2, address_type="work")
    person = debtor("US", *calls, region="MA", phones=(NEW_YORK, office), address_zones=("America/New_York",))
    at_home, at_work = (hours(person, phones=np.array([place], dtype=np.int32))[0] for place in (0, 1))
    assert at_home == "." * 24
    assert at_work == "##............##########"


def test_debts_that_are_not_judged_do_not_count() -> None:
    talked = line("2026-11-15T20:00:00Z", "right_party_contact", debts=(2,))
    two = debtor("US", talked, region="NJ", phones=(NEW_YORK,), debts=(debt(1), debt(2)))
    both, one, other, neither = hours(two, two, two, two, named=[(), (1,), (2,), (9,)])
    assert both == other == neither == "." * 24
    assert "#" in one


def test_more_debts_than_bits() -> None:
    owed = tuple(debt(n, creditor=n) for n in range(1, 301))
    talked = line("2026-11-15T20:00:00Z", "right_party_contact", debts=(300,))
    many = debtor("US", talked, region="NJ", phones=(NEW_YORK,), debts=owed)
    all_of_them, others = hours(many, many, named=[(), tuple(range(1, 300))])
    assert "#" not in all_of_them
    assert "#" in others


def test_history_need_not_be_sorted() -> None:
    calls = [line(f"2026-11-{day}T20:00:00Z", "no_answer") for day in (16, 10, 11, 12, 13, 14, 15)]
    person = debtor("US", *calls, region="NJ", phones=(NEW_YORK,))
    assert hours(person) == hours(replace(person, history=tuple(sorted(calls, key=lambda past: past.at_us))))


def test_the_number_asked_about() -> None:
    wrong = Stop(kind=StopKind.wrong_number, phone=1)
    second = replace(MADRID, phone=2)
    person = debtor("ES", phones=(MADRID, second), stops=(wrong,), address_zones=("Europe/Madrid",))
    asked = [np.array([place], dtype=np.int32) for place in (0, 1, -1)]
    first, other, none = (hours(person, phones=phones)[0] for phones in asked)
    assert first == "." * 24
    assert other == none == "........############...."


def test_columns_serve_any_rules_channel_and_week() -> None:
    columns = columns_of([debtor("ES", phones=(MADRID,)), debtor("CO", phones=(BOGOTA,))])
    slots = parse("2026-11-17T15:00:00Z") + HOUR * np.arange(0, 7 * 24, 24)
    for strict in (True, False):
        for channel in ("call", "sms", "email"):
            for start in (slots, slots + 7 * DAY):
                mask = callable_mask(
                    shipped(strict), columns, start, channel=channel, actor="first_party", purpose="collection"
                )
                assert mask.shape == (2, 7)
                assert mask.any()


def test_nobody_and_no_slot() -> None:
    assert hours() == []
    none = callable_mask(
        shipped(), columns_of([debtor("ES")]), np.zeros(0, np.int64), actor="third_party", purpose="collection"
    )
    assert none.shape == (1, 0)


@pytest.mark.parametrize(
    ("slots", "asked", "text"),
    [
        ([2, 1], {}, "ascending"),
        ([1, 1], {}, "ascending"),
        ([1], {"phones": [1]}, "one of each debtor's numbers"),
        ([1], {"phones": [0, 0]}, "one of each debtor's numbers"),
        ([1], {"channel": "fax"}, "channel must be one of"),
    ],
)
def test_what_cannot_be_asked(slots: list[int], asked: dict[str, Any], text: str) -> None:
    columns = columns_of([debtor("ES", phones=(MADRID,))])
    if "phones" in asked:
        asked = {"phones": np.array(asked["phones"], dtype=np.int32)}
    with pytest.raises(BadInput, match=text):
        callable_mask(shipped(), columns, np.array(slots), actor="third_party", purpose="collection", **asked)


def test_the_mask_reads_the_law_as_the_gate_does() -> None:
    """Every case of tests/rules, at its instant and about it."""
    numbers, allowed = Numbers.load(SHIPPED), 0
    for one in CASES:
        case = ask(read(msgspec.json.encode(one.case)), numbers)
        gate = shipped(case.strict)
        asked = {name: getattr(case, name) for name in ("channel", "actor", "purpose", "live_agent_guaranteed")}
        slots = [case.at_us + hours * HOUR for hours in (-24, -1, 0, 1, 24, 72)]
        mask = callable_mask(gate, columns_of([case.dossier], [case.debts]), np.array(slots), **asked)
        for at_us, cell in zip(slots, mask[0].tolist(), strict=True):
            verdict = gate.judge(case.dossier, at_us=at_us, phone=case.phone, debts=case.debts, **asked)
            assert cell == (verdict.allowed and (verdict.valid_until_us or 0) >= at_us + HOUR), (one.case["id"], at_us)
            allowed += cell
    assert allowed > len(CASES)


@pytest.mark.parametrize(
    ("record", "fields"),
    [
        (
            Counter,
            "rule kind counts limit span n events own_events channels inbound apart same_phone household same_channel "
            "same_address addresses distinct after_contact lifted_by lifted_by_agent row",
        ),
        (
            Plan,
            "place contact stops registers needs hours hours_lifted counters unreached abandonment notices "
            "first_notices message_notices retention dated rank",
        ),
        (Stop, "kind debt phone channel until_us"),
        (Consent, "kind channel phone until_us"),
        (PastContact, "at_us event channel inbound phone creditor debts attempt address_type of"),
        (Debt, "debt creditor balance_minor currency due_on product state"),
        (Phone, "phone country line_type geographic zones address_type registers"),
        (
            Dossier,
            "person keys country region city address_zones language debts phones stops consents history others",
        ),
    ],
)
def test_the_mask_knows_all_that_a_verdict_looks_at(record: type[msgspec.Struct], fields: str) -> None:
    """Teach a new field to `columns`, `mask` and `mask_kernel`, if a verdict depends on it; then name it here."""
    assert record.__struct_fields__ == tuple(fields.split())
