"""Caps and cool-downs as stretches of time, for every span, scope and count that a row may name."""

from typing import Any

import pytest

from compliance.counting import Counters, Subject, counter_of_cooldown, counters_of_cap, released_at
from compliance.rows import Cap, Cooldown, Duration, Span
from compliance.zones import Zones
from domain.instants import to_datetime
from domain.people import PastContact, Phone
from tests.unit.compliance.debtors import debt, debtor, line

MADRID = Zones(("Europe/Madrid",))
ROW = {
    "id": "X.row",
    "citation": "none",
    "source": "test",
    "confidence": "low",
    "status": "house",
    "force": "house_default",
    "scope": ("person",),
}


def cap(**changes: Any) -> Cap:
    fields = {"counts": "attempts", "limit": 1, "window": Span(type="calendar_day"), "channels": ("call", "sms")}
    return Cap(**(ROW | fields | changes))


def cooldown(**changes: Any) -> Cooldown:
    fields = {"trigger": "abandoned", "blocks_channels": ("call",), "duration": Duration(hours=72)}
    return Cooldown(**(ROW | fields | changes))


def released(row: Cap | Cooldown, *history: PastContact, debts: tuple[tuple[int, int], ...] = ((1, 1),)) -> str | None:
    """Return when the row lets the next call about the debts go; None: it never held it."""
    counters = Counters(counters_of_cap(row) if isinstance(row, Cap) else [counter_of_cooldown(row)])
    phones = (Phone(phone=1, country="ES"), Phone(phone=2, country="ES", address_type="work"))
    dossier = debtor("ES", *history, debts=(debt(1, creditor=1), debt(2, creditor=2)), phones=phones)
    subject = Subject(dossier=dossier, debts=debts, phone=1, channel="call", address="personal")
    ends = [released_at(counter, found, MADRID, "call") for (counter, _), found in counters.tally(subject).items()]
    latest = max(ends, default=0)
    return to_datetime(latest, "Europe/Madrid").isoformat(timespec="minutes") if latest else None


WEDNESDAY, THURSDAY = "2026-11-18T10:00:00+01:00", "2026-11-19T10:00:00+01:00"


@pytest.mark.parametrize(
    ("window", "until"),
    [
        (Span(type="calendar_day"), "2026-11-19T00:00+01:00"),
        (Span(type="rolling_days", n=1), "2026-11-19T00:00+01:00"),
        (Span(type="rolling_days", n=7), "2026-11-25T00:00+01:00"),
        (Span(type="rolling_hours", n=30), "2026-11-19T16:00+01:00"),
        (Span(type="calendar_week"), "2026-11-23T00:00+01:00"),
        (Span(type="calendar_week", week_start="sun"), "2026-11-22T00:00+01:00"),
        (Span(type="calendar_month"), "2026-12-01T00:00+01:00"),
    ],
)
def test_spans(window: Span, until: str) -> None:
    assert released(cap(window=window), line(WEDNESDAY, "no_answer")) == until


@pytest.mark.parametrize(
    ("duration", "until"),
    [
        (Duration(hours=24), "2026-11-19T10:00+01:00"),
        (Duration(calendar_days=2, first_day_counts=True), "2026-11-20T00:00+01:00"),
        # Two full days lie between.
        (Duration(calendar_days=2), "2026-11-21T00:00+01:00"),
    ],
)
def test_durations(duration: Duration, until: str) -> None:
    assert released(cooldown(duration=duration), line(WEDNESDAY, "abandoned")) == until


def test_the_contact_that_is_one_too_many_decides() -> None:
    two = cap(limit=2, window=Span(type="rolling_hours", n=48))
    assert released(two, line(WEDNESDAY, "busy")) is None
    # Of three, the second youngest must fall out of the span; the order of the record does not matter.
    times = [line(at, "busy") for at in (THURSDAY, "2026-11-17T10:00:00+01:00", WEDNESDAY)]
    assert released(two, *times) == "2026-11-20T10:00+01:00"


@pytest.mark.parametrize(
    ("counts", "event", "attempt", "counted"),
    [
        ("attempts", "dialed", None, True),
        ("attempts", "network_fail", None, True),
        ("connected_attempts", "network_fail", None, False),
        ("connected_attempts", "not_in_service", None, False),
        ("connected_attempts", "busy", None, False),
        ("connected_attempts", "dialed", None, True),
        ("connected_attempts", "no_answer", None, True),
        ("connected_attempts", "abandoned", None, True),
        ("contacts", "right_party_contact", None, True),
        ("contacts", "message_delivered", None, True),
        ("contacts", "message_sent", None, False),
        ("contacts", "message_sent", "floor-1", True),
        ("contacts", "answered", None, False),
        ("contacts", "answered", "floor-1", True),
        ("contacts", "dialed", "floor-1", True),
        ("contacts", "dialed", None, False),
        ("contacts", "third_party", "floor-1", False),
        ("contacts", "abandoned", "floor-1", False),
        ("messages", "voicemail_left", None, True),
        ("messages", "no_answer", None, False),
    ],
)
def test_what_counts(counts: str, event: str, attempt: str | None, counted: bool) -> None:
    past = line(WEDNESDAY, event, attempt=attempt)
    assert (released(cap(counts=counts), past) is not None) is counted
    # What the debtor began never counts against what the collector may begin.
    inbound = line(WEDNESDAY, event, attempt=attempt, inbound=True)
    assert released(cap(counts=counts), inbound) is None


@pytest.mark.parametrize(
    ("row", "changes", "counted"),
    [
        (cap(channels=("sms",)), {}, False),
        (cap(exclude=("not_connected",)), {}, False),
        (cap(exclude=("unable_to_leave_message",)), {}, False),
        (cap(scope=("phone",)), {"phone": 2}, False),
        (cap(scope=("phone",)), {"phone": None}, True),
        (cap(scope=("person",)), {"phone": 2}, True),
        (cap(scope=("channel",)), {"channel": "sms"}, False),
        (cap(scope=("address_type",)), {"phone": 2}, False),
        (cap(scope=("address_type",)), {"phone": 2, "address_type": "personal"}, True),
        (cap(address_types=("work",)), {}, False),
        (cap(address_types=("work",)), {"phone": 2}, True),
        (cap(address_types=("work",)), {"address_type": "work"}, True),
        (cap(scope=("person", "debt")), {"debts": (2,)}, False),
        (cap(scope=("person", "debt")), {"debts": (1, 2)}, True),
        (cap(scope=("person", "debt")), {"debts": ()}, True),
        (cap(scope=("person", "debt")), {"debts": (), "creditor": 2}, False),
        (cap(scope=("person", "creditor")), {"debts": (2,)}, False),
        (cap(scope=("person", "creditor")), {"debts": (2,), "creditor": 2}, False),
        (cap(scope=("person", "creditor")), {"debts": (1, 2), "creditor": 2}, True),
        (cap(scope=("person", "creditor")), {"debts": (), "creditor": 2}, False),
        (cap(scope=("person", "creditor")), {"debts": ()}, True),
        (cap(scope=("person", "creditor")), {"debts": (99,)}, True),
        (cap(scope=("collector",)), {"debts": (2,)}, True),
        (cooldown(trigger="attempt"), {}, True),
        (cooldown(trigger="attempt"), {"inbound": True}, False),
        (cooldown(trigger="attempt", trigger_channels=("sms",)), {}, False),
        (cooldown(trigger="contact"), {}, False),
        (cooldown(trigger="contact"), {"event": "right_party_contact", "inbound": True}, True),
        (cooldown(trigger="message_sent"), {"event": "message_delivered", "channel": "sms"}, True),
        (cooldown(trigger="amd_machine"), {"event": "amd_machine"}, True),
    ],
)
def test_scopes(row: Cap | Cooldown, changes: dict[str, Any], counted: bool) -> None:
    past = line(WEDNESDAY, **({"event": "busy"} | changes))
    assert (released(row, past) is not None) is counted


def test_sub_limits_count_apart() -> None:
    row = cap(limit=4, sub_limits={"contacts": 1}, window=Span(type="rolling_days", n=7))
    assert released(row, *[line(WEDNESDAY, "busy")] * 3) is None
    assert released(row, line(WEDNESDAY, "right_party_contact")) == "2026-11-25T00:00+01:00"
    assert released(row, *[line(THURSDAY, "busy")] * 4) == "2026-11-26T00:00+01:00"


def test_debts_count_apart_and_all_must_pass() -> None:
    row = cap(scope=("person", "debt"), limit=2)
    each = (line(WEDNESDAY, "busy", debts=(1,)), line(WEDNESDAY, "busy", debts=(2,)))
    assert released(row, *each, debts=((1, 1), (2, 2))) is None
    assert released(row, *each, line(WEDNESDAY, "busy", debts=(2,)), debts=((1, 1), (2, 2))) is not None
    assert released(row, *each, line(WEDNESDAY, "busy", debts=(2,))) is None
