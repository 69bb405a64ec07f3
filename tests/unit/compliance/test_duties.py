"""What stops ask for besides obeying: by when, and until what."""

import pytest

from compliance.duties import Duty, after, duties
from domain.instants import DAY, HOUR, MINUTE, parse
from tests.unit.compliance.debtors import shipped

SAID = parse("2026-11-18T12:00:00Z")  # a Wednesday


def asked(kind: str, *address: str | None, days: float = 0, **changes: object) -> list[tuple[str, str, float]]:
    """Return (rule, what, days after it was said) of what is asked for so many days later."""
    given: dict[str, object] = {"event_us": SAID, "known_us": SAID, "until_us": None, "confirmed": False} | changes
    at_us = SAID + round(days * DAY)
    found: list[Duty] = list(duties(shipped(), kind, address, at_us=at_us, **given))  # type: ignore[arg-type]
    return [(one.rule, one.what, (one.due_us - SAID) / DAY) for one in found]


def test_rights_are_answered_within_a_month() -> None:
    assert asked("gdpr_objection", "ES", None, None) == [("ES.rights", "confirm", 30)]
    assert asked("gdpr_objection", "ES", None, None, confirmed=True, days=40) == []
    late = asked("gdpr_objection", "ES", None, None, known_us=SAID + 31 * DAY, confirmed=True)
    assert late == [("ES.rights", "late", 30)]
    assert asked("gdpr_objection", "CO", None, None) == []


def test_a_revocation_may_be_confirmed_within_minutes_and_is_obeyed_within_ten_working_days() -> None:
    five = 5 / (24 * 60)
    assert asked("revoked_sms", "US", "NJ", None) == [("US.tcpa_revocation", "confirm", pytest.approx(five))]
    assert asked("revoked_sms", "US", "NJ", None, days=1) == []
    assert asked("revoked_sms", "US", "NJ", None, days=1, known_us=SAID + 15 * DAY) == [
        ("US.tcpa_revocation", "late", 14)
    ]


def test_what_the_law_ends_is_looked_at_again_and_not_ended() -> None:
    assert asked("breathing_space", "GB", "ENG", None, days=59) == []
    assert asked("breathing_space", "GB", "ENG", None, days=60) == [("GB.breathing_space", "review", 60)]
    assert asked("breathing_space", "GB", "ENG", None, days=60, until_us=SAID + 90 * DAY) == []
    # Law in England and Wales; where the region is not known it may be.
    assert asked("breathing_space", "GB", "SCT", None, days=60) == []
    assert asked("breathing_space", "GB", None, None, days=60) == [("GB.breathing_space", "review", 60)]


@pytest.mark.parametrize(
    ("length", "span"),
    [
        ({"days": 2}, 2 * DAY),
        ({"within_minutes": 5}, 5 * MINUTE),
        ({"business_days": 2}, 2 * DAY),
        ({"business_days": 3}, 5 * DAY),
        ({"business_days": 10}, 14 * DAY),
    ],
)
def test_lengths(length: dict[str, int], span: int) -> None:
    assert after(SAID, length) == SAID + span
    assert after(SAID + HOUR, length) == SAID + HOUR + span
