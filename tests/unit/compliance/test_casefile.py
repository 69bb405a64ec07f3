"""The case file: one contact a line, judged as the engine judges it; a mistake is named with its place."""

import json
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from compliance.casefile import FLAGS, judge
from compliance.gate import Gate
from compliance.numbers import Numbers
from compliance.packs import SHIPPED
from domain.people import StopKind

NOON = "2026-11-18T12:00:00-05:00"
CONSENT_7D = "direct_prior_consent_7d"
#: In a state with no rules of its own.
CASE: dict[str, Any] = {
    "id": "one",
    "at": NOON,
    "channel": "call",
    "debtor": {
        "country": "US", "region": "NJ", "phone": "+12015550123", "address_timezone": "America/New_York",
        "line_type": "landline",
    },
}  # fmt: skip


@lru_cache(maxsize=1)
def rules() -> tuple[Gate, Numbers]:
    return Gate.load(SHIPPED), Numbers.load(SHIPPED)


@pytest.fixture
def invented(tmp_path: Path) -> tuple[Gate, Numbers]:
    """Give a country that has a row of every kind."""
    for source in (
        SHIPPED / "house.toml",
        SHIPPED / "timezones.toml",
        Path(__file__).parents[2] / "property" / "invented.toml",
    ):
        shutil.copy(source, tmp_path)
    return Gate.load(tmp_path), Numbers.load(tmp_path)


def verdict(*, debtor: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Judge the case with changes, given as its line; None takes a field away."""
    person = {key: value for key, value in (CASE["debtor"] | (debtor or {})).items() if value is not None}
    return answer(json.dumps(CASE | changes | {"debtor": person}))


def answer(line: bytes | str) -> dict[str, Any]:
    return judge(*rules(), line)


def past(days: range, event: str = "no_answer", **changes: Any) -> list[dict[str, Any]]:
    return [{"at": f"2026-11-{day}T12:00:00-05:00", "event": event, **changes} for day in days]


def test_the_least_line_is_judged() -> None:
    found = answer(
        json.dumps({"id": 7, "at": "2026-11-18T12:00:00+01:00", "channel": "call", "debtor": {"country": "ES"}})
    )
    assert list(found) == ["id", "allowed", "rule", "reason", "next_allowed_at"]
    assert (found["id"], found["allowed"], found["rule"], found["next_allowed_at"]) == (7, True, None, None)


def test_a_denial_says_rule_time_zones_citation_and_when_it_ends() -> None:
    found = verdict(history=past(range(12, 19)))
    assert (found["allowed"], found["rule"]) == (False, "US.7in7")
    assert found["next_allowed_at"] == "2026-11-19T08:00:01-05:00"
    for said in ("7 of 7 attempts used", "2026-11-18T12:00:00-05:00", "America/New_York", "12 CFR 1006.14", "high"):
        assert said in found["reason"]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, None),
        # The literal reading counts what reached the number; the strict one, which is the default, every dial.
        ({"history": past(range(12, 19), "busy")}, "US.7in7"),
        ({"history": past(range(12, 19), "busy"), "strict": None}, "US.7in7"),
        ({"history": past(range(12, 19), "busy"), "strict": False}, None),
        # Debts of a history: another one, this one, one of several, none in particular.
        ({"debt": "A", "history": past(range(12, 19), debt="B")}, None),
        ({"debt": "A", "history": past(range(12, 19), debt="A")}, "US.7in7"),
        ({"debt": ["A", "C"], "history": past(range(12, 19), debt=["B", "C"])}, "US.7in7"),
        ({"debt": "A", "history": past(range(12, 19))}, "US.7in7"),
        ({"history": past(range(12, 19), debt="A")}, "US.7in7"),
        ({"history": past(range(11, 15), debt="A") + past(range(15, 18), debt="B")}, None),
        # An empty name names nothing.
        ({"debt": "", "history": past(range(12, 19), debt="A")}, "US.7in7"),
        ({"debt": "A", "creditor": "", "history": past(range(12, 19), creditor="Y")}, "US.7in7"),
        ({"debt": "A", "creditor": "X", "history": past(range(12, 19), debt=[], creditor="")}, "US.7in7"),
        # Unspecified debts of another creditor are not this one's; an unknown creditor may be.
        ({"debt": "A", "creditor": "X", "history": past(range(12, 19), creditor="Y")}, None),
        ({"debt": "A", "creditor": "X", "history": past(range(12, 19))}, "US.7in7"),
        ({"debt": "A", "history": past(range(12, 19), creditor="Y")}, "US.7in7"),
        # What lies after the instant is not known then; what lies on it is.
        ({"history": past(range(12, 19))}, "US.7in7"),
        ({"history": past(range(13, 20))}, None),
        # An item that leaves things open is a conversation through the channel of the case.
        ({"history": [{"at": "2026-11-17T12:00:00-05:00"}]}, "US.7after"),
        ({"history": past(range(17, 18), "right_party_contact", direction="inbound")}, "US.7after"),
        # One that names an event is of the channel that the event speaks of.
        ({"history": past(range(17, 18), "right_party_contact"), "channel": "voicemail"}, "US.7after"),
        ({"history": past(range(12, 19)), "channel": "voicemail"}, "US.7in7"),
        ({"history": past(range(12, 19), "message_sent")}, None),
        ({"history": past(range(12, 19), direction="inbound")}, None),
        ({"history": past(range(12, 19), channel="sms")}, None),
        # Actors and purposes.
        ({"history": past(range(12, 19)), "actor": "first_party"}, None),
        ({"history": past(range(12, 19)), "actor": "debt_buyer"}, "US.7in7"),
        ({"history": past(range(12, 19)), "purpose": "professional_recipient"}, None),
        # Consents by name, with scope, with an end.
        ({"history": past(range(12, 19)), "consents": [CONSENT_7D]}, None),
        ({"history": past(range(12, 19)), "consents": [{"kind": CONSENT_7D, "channel": "sms"}]}, "US.7in7"),
        ({"history": past(range(12, 19)), "consents": [{"kind": CONSENT_7D, "until": NOON}]}, "US.7in7"),
        ({"history": past(range(12, 19)), "consents": [{"kind": CONSENT_7D, "until": "2026-11-25T12:00:00-05:00"}]},
         None),
        # A consent to a week that ends later was not given yet.
        ({"history": past(range(12, 19)), "consents": [{"kind": CONSENT_7D, "until": "2026-11-25T12:00:01-05:00"}]},
         "US.7in7"),
        ({"at": "2026-11-18T22:00:00-05:00"}, "US.hours"),
        ({"at": "2026-11-18T22:00:00-05:00", "consents": ["hours"]}, None),
        ({"at": "2026-11-18T22:00:00-05:00", "consents": ["debtor_consent_or_known_inconvenience"]}, None),
        ({"at": "2026-11-18T22:00:00-05:00", "consents": [{"kind": "hours", "phone": "+12015550123"}]}, None),
        ({"at": "2026-11-18T22:00:00-05:00", "consents": [{"kind": "hours", "phone": "+12015550999"}]}, "US.hours"),
        # Stops by flag.
        ({"flags": ["do_not_call"]}, "US.medium_request"),
        ({"flags": ["do_not_call"], "channel": "letter"}, None),
        ({"flags": ["revoked_sms"]}, None),
        ({"flags": ["revoked_sms"], "channel": "sms"}, "US.tcpa_revocation"),
        ({"flags": ["cease_written"]}, "US.cease_written"),
        ({"flags": ["cease_written"], "purpose": "legally_required_notice"}, None),
        ({"flags": ["represented_by_attorney"]}, "US.attorney_work_time"),
        ({"flags": ["revoked_email"]}, None),
        ({"flags": ["revoked_email"], "channel": "email"}, "HOUSE.revoked_email"),
        ({"flags": ["cease_oral"]}, "US.medium_request"),
        ({"flags": ["cease_oral"], "channel": "email"}, None),
        ({"flags": ["refusal_to_pay_written"]}, "US.cease_written"),
        ({"flags": ["employer_prohibits"]}, "US.attorney_work_time"),
        ({"flags": ["vulnerable_stop"]}, "HOUSE.vulnerable"),
        ({"flags": ["wrong_number"]}, "HOUSE.wrong_number"),
        ({"flags": ["breathing_space"]}, "HOUSE.breathing_space"),
        ({"flags": ["revoke_consent_any_reasonable_means"]}, "US.tcpa_revocation_calls"),
        ({"flags": ["revoke_consent_any_reasonable_means"], "strict": False}, None),
        ({"flags": ["no_written_electronic_consent"], "consents": ["written_electronic_consent"], "channel": "sms",
          "debtor": {"region": "NY", "city": "NYC"}}, "NYC.electronic_optin"),
        ({"flags": [{"kind": "breathing_space", "until": NOON}]}, None),
    ],
)  # fmt: skip
def test_fields_mean_what_they_say(changes: dict[str, Any], rule: str | None) -> None:
    found = verdict(**changes)
    assert "error" not in found
    assert (found["allowed"], found["rule"]) == (rule is None, rule)


@pytest.mark.parametrize("flag", ["paid", "bankrupt", "deceased", "withdrawn"])
@pytest.mark.parametrize("channel", ["call", "sms", "email", "letter", "visit"])
def test_some_flags_stop_everything_for_good(flag: str, channel: str) -> None:
    found = verdict(channel=channel, flags=[flag])
    assert (found["allowed"], found["rule"], found["next_allowed_at"]) == (False, f"HOUSE.{flag}", None)


@pytest.mark.parametrize("flag", sorted(StopKind))
def test_every_stop_on_record_is_a_flag_that_stops_some_channel(flag: str) -> None:
    assert FLAGS[flag] == (StopKind(flag),)
    found = [verdict(channel=channel, flags=[flag], consents=[]) for channel in ("call", "sms", "email", "im")]
    assert not all(one["allowed"] for one in found)


@pytest.mark.parametrize(
    ("debtor", "zones"),
    [
        ({}, ["America/New_York"]),
        # A number elsewhere widens; a number that tells no place adds nothing to a verified address.
        ({"phone": "+13105550123"}, ["America/Los_Angeles", "America/New_York"]),
        ({"phone": "+18005550123"}, ["America/New_York"]),
        ({"line_type": "toll_free"}, ["America/New_York"]),
        # However a number is written, it is the same one.
        ({"country": "ES", "region": "CN", "phone": "+34 612-345 678", "address_timezone": "Atlantic/Canary"},
         ["Atlantic/Canary"]),
        ({"region": "CA", "address_timezone": None}, ["America/Los_Angeles", "America/New_York"]),
        ({"region": "CA", "address_timezone": None, "phone": None}, ["America/Los_Angeles"]),
        ({"region": "CA", "address_timezone": None, "phone": None, "line_type": None}, ["America/Los_Angeles"]),
        ({"region": "NYC", "address_timezone": None, "phone": None, "address_type": "work"}, ["America/New_York"]),
        ({"address_timezone": ["America/New_York", "America/Chicago"]}, ["America/Chicago", "America/New_York"]),
        ({"country": "ES", "region": "CN", "phone": "+34600000000", "address_timezone": "Atlantic/Canary"},
         ["Atlantic/Canary"]),
        ({"country": "ES", "region": "CN", "phone": "+34600000000", "address_timezone": None},
         ["Atlantic/Canary", "Europe/Madrid"]),
    ],
)  # fmt: skip
def test_where_the_debtor_may_be(debtor: dict[str, Any], zones: list[str]) -> None:
    assert f"({', '.join(zones)})" in verdict(debtor=debtor)["reason"]


def test_a_number_that_tells_no_place_may_be_anywhere_in_the_country() -> None:
    found = verdict(debtor={"line_type": "toll_free", "address_timezone": None, "region": None})
    assert "America/Adak" in found["reason"]
    assert "region" in found["reason"]
    assert "not known" in found["reason"]


@pytest.mark.parametrize("place", [{"region": "NYC"}, {"region": None, "city": "NYC"}, {"region": "NY", "city": "NYC"}])
def test_a_city_by_its_code_alone_finds_its_region(place: dict[str, Any]) -> None:
    found = verdict(debtor=place, history=past(range(15, 18)))
    assert (found["rule"], found["next_allowed_at"]) == ("NYC.3in7", "2026-11-22T08:00:01-05:00")
    assert "not known" not in found["reason"]


@pytest.mark.parametrize(
    ("address_type", "history_type", "rule"),
    [("work", "work", "MA.2in30_other"), ("home", "work", None), ("work", "home", None), ("home", None, "MA.2in7")],
)
def test_kinds_of_address(address_type: str, history_type: str | None, rule: str | None) -> None:
    kind = {} if history_type is None else {"address_type": history_type}
    found = verdict(
        debtor={"region": "MA", "address_type": address_type},
        history=past(range(16, 18), phone="+12015550123", **kind),
    )
    assert found["rule"] == rule


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channel": "fax"}, "channel: is no word known, found \"fax\"; write one of call, prerecorded,"),
        ({"at": "2026-11-18T12:00:00"}, "at: '2026-11-18T12:00:00' is no instant with its offset; write ISO 8601"),
        ({"at": "2026-02-30T12:00:00Z"}, "at: '2026-02-30T12:00:00Z' is no instant"),
        ({"at": "0001-01-01T00:00:00+05:00"}, "lies outside 1990 to 2099"),
        ({"at": 3}, "at: expected `str`, got `int`, found 3; correct it"),
        ({"strict": "yes"}, "strict: expected `bool | null`, got `str`, found \"yes\""),
        ({"actor": "collector"}, "actor: is no word known"),
        ({"purpose": "sale"}, "purpose: is no word known, found \"sale\"; write one of collection,"),
        ({"chanel": "call"}, "line: object contains unknown field `chanel`; its fields are id, at, channel, debtor"),
        ({"debtor": {"zip": "07030"}}, "debtor: object contains unknown field `zip`; its fields are country, person"),
        ({"debtor": {"country": None}}, "debtor: object missing required field `country`"),
        ({"debtor": {"country": "es"}}, "debtor.country: expected `str` matching regex '^[A-Z]{2}$', found \"es\""),
        ({"debtor": {"phone": "600"}}, "debtor.phone: number '600' is not E.164"),
        ({"debtor": {"phone": "+34612345678;ext=5"}}, "debtor.phone: number '+34612345678;ext=5' is not E.164"),
        ({"debtor": {"phone": "+9991234567"}}, "debtor.phone: number '+9991234567' is not E.164"),
        ({"consents": [{"kind": "hours", "phone": "12"}]}, "consents[0].phone: number '12' is not E.164"),
        ({"debtor": {"address_timezone": "Spain/Madrid"}}, "debtor.address_timezone: time zone 'Spain/Madrid' is not"),
        ({"debtor": {"line_type": "cell"}}, "debtor.line_type: is no word known"),
        ({"history": [{"event": "busy"}]}, "history[0]: object missing required field `at`; its fields are at,"),
        ({"history": [{"at": NOON, "event": "busy"}, {"at": NOON, "event": "ring"}]},
         "history[1].event: is no word known, found \"ring\"; write one of dialed,"),
        ({"history": [{"at": "yesterday"}]}, "history[0].at: 'yesterday' is no instant"),
        ({"history": [{"at": NOON, "phone": "x"}]}, "history[0].phone: number 'x' is not E.164"),
        ({"history": [{"at": NOON, "debts": ["A"]}]}, "history[0]: object contains unknown field `debts`"),
        ({"history": "none"}, "history: expected `array | null`, got `str`, found \"none\""),
        ({"flags": ["payed"]}, "flags[0]: 'payed' is no stop known; write one of paid, "),
        ({"flags": [3]}, "flags[0]: expected `str | object`, got `int`, found 3"),
        ({"flags": [{"kind": "paid", "on": True}]}, "flags[0]: object contains unknown field `on`; its fields"),
        ({"consents": [""]}, "consents[0]: is empty"),
        ({"debtor": {"registers": ["robinson", "robinsonn"]}},
         "debtor.registers[1]: no rule pack speaks of 'robinsonn'; write one of "),
        ({"consents": [{"kind": "hours", "until": "soon"}]}, "consents[0].until: 'soon' is no instant"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(changes: dict[str, Any], said: str) -> None:
    found = verdict(**changes)
    assert list(found) == ["id", "error"]
    assert found["id"] == "one"
    assert said in found["error"]


@pytest.mark.parametrize(
    ("line", "given", "said"),
    [
        ('{"id": "a"', None, "line is not JSON"),
        ("", None, "line is not JSON"),
        (b'{"id": "\xff"}', None, "line is not JSON"),
        ("[" * 100_000, None, "line is not JSON"),
        ("[]", None, "line: expected `object`, got `array`"),
        ('{"id": "a"}', "a", "missing required field `at`"),
        ('{"id": 4, "at": null}', 4, "at: expected `str`, got `null`"),
        ('{"id": true}', None, "id: expected `int | str`, got `bool`"),
        ('{"at": "2026-11-18T12:00:00Z"}', None, "missing required field `id`"),
    ],
)
def test_a_line_that_is_none_gives_its_id_where_it_can_be_read(line: bytes | str, given: Any, said: str) -> None:
    found = answer(line)
    assert found["id"] == given
    assert said in found["error"]


@pytest.mark.parametrize("event", ["dialed", "answered", "right_party_contact", "voicemail_left", "message_delivered"])
@pytest.mark.parametrize("channel", ["sms", "email", "letter"])
def test_a_message_is_one_by_its_channel_whatever_rung_it_is_told_with(event: str, channel: str) -> None:
    yesterday = [{"at": "2026-11-17T12:00:00-03:00", "channel": channel, "event": event}]
    santiago = {
        "country": "CL",
        "region": None,
        "phone": None,
        "address_timezone": "America/Santiago",
        "line_type": None,
    }
    assert verdict(debtor=santiago, channel="sms", history=yesterday)["rule"] == "CL.2day_gap"
    # What never arrived, and what the debtor wrote, counts for nothing.
    for other in ({"event": "not_in_service"}, {"direction": "inbound"}):
        unheard = [yesterday[0] | other]
        assert verdict(debtor=santiago, channel="sms", history=unheard)["allowed"]


def test_a_guaranteed_agent_lifts_what_the_law_lifts_for_one(invented: tuple[Gate, Numbers]) -> None:
    case = {
        "id": "g", "at": "2026-11-18T12:00:00-03:00", "channel": "call",
        "debtor": {"country": "BR", "region": "RJ", "phone": "+552130000000"},
        "history": [{"at": "2026-11-18T10:00:00-03:00", "event": "abandoned"}],
    }  # fmt: skip
    found = [judge(*invented, json.dumps(case | {"live_agent_guaranteed": guaranteed})) for guaranteed in (False, True)]
    assert [one["allowed"] for one in found] == [False, True]
