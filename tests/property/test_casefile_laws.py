"""Laws of the case file: an answer put back into its line holds, and nothing that a line may hold breaks the reader."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from compliance.casefile import FLAGS, judge
from compliance.gate import Gate
from compliance.numbers import Numbers
from compliance.packs import SHIPPED
from compliance.rows import ACTORS, CHANNELS, PURPOSES
from domain.people import ContactEvent

GATE, NUMBERS = Gate.load(SHIPPED), Numbers.load(SHIPPED)
FIRST, LAST = datetime(2026, 8, 20, tzinfo=UTC), datetime(2027, 4, 10, tzinfo=UTC)

PHONES = [
    "+34612345678",
    "+34928123456",
    "+573001234567",
    "+12125550123",
    "+18005550123",
    "+14232655555",
    "+447911123456",
    "+56961234567",
]
PLACES: list[dict[str, Any]] = [
    {"country": "ES", "region": "MD", "address_timezone": "Europe/Madrid"},
    {"country": "ES", "region": "CN"},
    {"country": "CO"},
    {"country": "US", "region": "NJ", "address_timezone": "America/New_York"},
    {"country": "US", "region": "MA"},
    {"country": "US", "region": "NYC"},
    {"country": "US", "city": "NYC"},
    {"country": "US"},
    {"country": "GB", "address_timezone": "Europe/London"},
    {"country": "CL"},
    {"country": "CL", "address_timezone": "America/Punta_Arenas"},
    {"country": "MX", "address_timezone": "America/Mexico_City"},
    {"country": "AR", "city": "CABA"},
    {"country": "BR", "region": "SP"},
    {"country": "BR"},
    {"country": "FR", "address_timezone": "Europe/Paris"},
]
moments = st.integers(0, int((LAST - FIRST).total_seconds())).map(lambda second: FIRST + timedelta(seconds=second))


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    at = draw(moments)
    debtor = dict(draw(st.sampled_from(PLACES)))
    if draw(st.booleans()):
        debtor["phone"] = draw(st.sampled_from(PHONES))
    if draw(st.integers(0, 4)) == 0:
        debtor["line_type"] = draw(st.sampled_from(["landline", "mobile", "toll_free"]))
        debtor["address_type"] = draw(st.sampled_from(["home", "work"]))
    ages = st.integers(0, 40 * 24 * 60)
    history = [
        {
            "at": (at - timedelta(minutes=draw(ages))).isoformat(),
            "channel": draw(st.sampled_from(["call", "call", "sms", "email"])),
            "event": draw(st.sampled_from(ContactEvent)),
            "direction": draw(st.sampled_from(["outbound", "outbound", "inbound"])),
            "phone": draw(st.sampled_from([None, *PHONES])),
            "debt": draw(st.sampled_from([None, "A", "B", ["A", "B"]])),
            "creditor": draw(st.sampled_from([None, "X", "Y"])),
        }
        for _ in range(draw(st.integers(0, 8)))
    ]
    until = (at + timedelta(minutes=draw(ages))).isoformat()
    kinds = ["hours", "direct_prior_consent_7d", "written_electronic_consent"]
    given_consents: list[Any] = [draw(st.sampled_from(kinds)), {"kind": draw(st.sampled_from(kinds)), "until": until}]
    return {
        "id": "law",
        "at": at.isoformat(),
        "channel": draw(st.one_of(st.just("call"), st.sampled_from(CHANNELS))),
        "actor": draw(st.sampled_from(ACTORS)),
        "purpose": draw(st.one_of(st.just("collection"), st.sampled_from(PURPOSES))),
        "strict": draw(st.booleans()),
        "debtor": debtor,
        "debt": draw(st.sampled_from([None, "A", ["A", "B"]])),
        "creditor": draw(st.sampled_from([None, "X"])),
        "history": history,
        "flags": [{"kind": draw(st.sampled_from(sorted(FLAGS))), "until": until}]
        if draw(st.integers(0, 4)) == 0
        else [],
        "consents": draw(st.sampled_from([[], [], given_consents[:1], given_consents[1:]])),
    }


def asked_at(case: dict[str, Any], at: datetime) -> dict[str, Any]:
    return judge(GATE, NUMBERS, json.dumps(case | {"at": at.isoformat()}))


@given(cases(), st.data())
def test_the_next_instant_is_allowed_and_none_before_it_is(case: dict[str, Any], data: st.DataObject) -> None:
    found = judge(GATE, NUMBERS, json.dumps(case))
    assert "error" not in found
    assert found["allowed"] is (found["rule"] is None)
    at = datetime.fromisoformat(case["at"])
    if found["allowed"]:
        assert found["next_allowed_at"] is None
        return
    end = None if found["next_allowed_at"] is None else datetime.fromisoformat(found["next_allowed_at"])
    if end is not None:
        assert end > at
        assert asked_at(case, end)["allowed"]
        assert not asked_at(case, end - timedelta(microseconds=1))["allowed"]
    last = int(((end or at + timedelta(days=60)) - at).total_seconds() * 1_000_000) - 1
    for micros in data.draw(st.lists(st.integers(0, last), max_size=5)):
        between = asked_at(case, at + timedelta(microseconds=micros))
        assert (between["allowed"], between["next_allowed_at"]) == (False, found["next_allowed_at"])


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@given(cases(), st.data())
def test_whatever_stands_in_a_field_is_judged_or_named(case: dict[str, Any], data: st.DataObject) -> None:
    part = data.draw(st.sampled_from([case, case["debtor"], *case["history"]]))
    field = data.draw(st.one_of(st.sampled_from(sorted(part)), st.text(max_size=5)))
    part[field] = data.draw(json_values)
    found = judge(GATE, NUMBERS, json.dumps(case))
    assert list(found) in (["id", "allowed", "rule", "reason", "next_allowed_at"], ["id", "error"])


@given(st.binary(max_size=40))
def test_whatever_stands_in_a_line_is_an_answer(line: bytes) -> None:
    found = judge(GATE, NUMBERS, line)
    assert list(found) == ["id", "error"]
    assert found["error"].startswith("line")
