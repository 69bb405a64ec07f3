"""Local time in integers is that of zoneinfo, on the days when clocks change too."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from compliance.zones import (
    Zones,
    day_number,
    day_start,
    load_zone,
    local_day,
    local_text,
    offset_at,
    pieces,
    to_date,
    weekday,
)
from domain.errors import BadInput
from domain.instants import DAY, HOUR, MINUTE, SECOND, from_datetime, parse


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("Europe/Madrid", "2026-03-27T00:00:00Z", "2026-03-31T00:00:00Z"),
        ("Europe/Madrid", "2026-10-23T00:00:00Z", "2026-10-27T00:00:00Z"),
        ("America/New_York", "2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z"),
        ("America/Santiago", "2026-09-05T00:00:00Z", "2026-09-07T00:00:00Z"),
        ("America/Santiago", "2026-04-04T00:00:00Z", "2026-04-06T00:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-05T00:00:00Z"),
        ("Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
    ],
)
def test_offsets_are_those_of_zoneinfo(zone: str, first: str, last: str) -> None:
    for at_us in range(parse(first), parse(last), 10 * MINUTE - SECOND):
        moment = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(ZoneInfo(zone))
        assert offset_at(zone, at_us) == moment.utcoffset() // timedelta(microseconds=1)  # type: ignore[operator]
        assert local_day(zone, at_us) == day_number(moment.date())
        assert local_text(at_us, offset_at(zone, at_us)) == moment.isoformat(timespec="seconds")


def test_a_change_of_clocks_is_found_to_the_second() -> None:
    change = parse("2026-03-29T01:00:00Z")
    assert pieces("Europe/Madrid", change // DAY) == (
        (change - HOUR, change, HOUR),
        (change, change + 23 * HOUR, 2 * HOUR),
    )


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("Europe/Madrid", "2026-11-18", "2026-11-17T23:00:00Z"),
        # Clocks spring forward at midnight: the day begins at one o'clock.
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00Z"),
        # Clocks fall back at midnight, to the evening before: the day begins an hour later.
        ("America/Santiago", "2026-04-05", "2026-04-05T04:00:00Z"),
        # Samoa skipped 30 December 2011 to cross the date line.
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"),
    ],
)
def test_a_day_starts_at_its_first_instant(zone: str, day: str, start: str) -> None:
    assert day_start(zone, day_number(date.fromisoformat(day))) == parse(start)


def test_weekdays_begin_on_monday() -> None:
    assert [weekday(day_number(date(2026, 11, 16 + n))) for n in range(7)] == list(range(7))
    assert to_date(day_number(date(2026, 2, 28))) == date(2026, 2, 28)


@pytest.mark.parametrize("name", ["Europe/Nowhere", "", "../../etc/passwd", "Europe", "Europe/"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="IANA"):
        load_zone(name)


@pytest.mark.parametrize(
    ("kind", "n", "at", "release"),
    [
        ("days", 1, "2026-11-18T22:59:59Z", "2026-11-18T23:00:00Z"),
        ("days", 1, "2026-11-18T23:00:00Z", "2026-11-19T23:00:00Z"),
        ("days", 7, "2026-11-18T10:00:00Z", "2026-11-24T23:00:00Z"),
        # Seven local dates hold 167 or 169 hours where clocks change.
        ("days", 7, "2026-10-24T10:00:00Z", "2026-10-30T23:00:00Z"),
        ("hours", 72, "2026-10-24T10:00:00Z", "2026-10-27T10:00:00Z"),
        ("weeks", 0, "2026-11-18T10:00:00Z", "2026-11-22T23:00:00Z"),
        ("weeks", 6, "2026-11-18T10:00:00Z", "2026-11-21T23:00:00Z"),
        ("weeks", 6, "2026-11-22T10:00:00Z", "2026-11-28T23:00:00Z"),
        ("months", 1, "2026-12-31T22:00:00Z", "2026-12-31T23:00:00Z"),
        ("months", 1, "2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"),
    ],
)
def test_a_line_counts_until_its_span_is_over(kind: str, n: int, at: str, release: str) -> None:
    assert Zones(("Europe/Madrid",)).release(kind, n, parse(at)) == parse(release)


def test_the_strictest_zone_releases_last() -> None:
    both = Zones(("America/Los_Angeles", "America/New_York"))
    # After midnight in New York it counts for the new day there, and for the old one in Los Angeles.
    assert both.release("days", 1, parse("2026-11-19T00:30:00-05:00")) == parse("2026-11-20T00:00:00-05:00")
    assert both.release("days", 1, parse("2026-11-18T22:30:00-05:00")) == parse("2026-11-19T03:00:00-05:00")
    assert both.latest_offset(parse("2026-11-18T12:00:00Z")) == -5 * HOUR


def test_dates_bind_where_any_zone_has_them() -> None:
    both = Zones(("America/Los_Angeles", "America/New_York"))
    assert both.dates(date(2026, 9, 1), date(2026, 9, 1)) == (
        parse("2026-09-01T00:00:00-04:00"),
        parse("2026-09-02T00:00:00-07:00"),
    )
    assert both.dates(None, None) == (0, None)


def test_instants_convert_as_in_the_shared_words() -> None:
    assert from_datetime(datetime(2026, 11, 18, tzinfo=UTC)) // DAY == day_number(date(2026, 11, 18))
