"""Windows as absolute time: clocks that change inside them, holidays, whole days, several rows and zones at once."""

from datetime import date

import pytest

from compliance.hours import Closed, Hours, OpenDays
from compliance.rows import Days, Window
from compliance.zones import Zones, day_number
from domain.errors import BadInput
from domain.instants import DAY, parse

MADRID = Zones(("Europe/Madrid",))


def daily(
    *pairs: tuple[str, str], boundary: str = "inclusive_start", closed: Closed | None = None, **dates: date
) -> OpenDays:
    days = Days(**dict.fromkeys(Days.__struct_fields__, pairs))
    row = Window(
        id="X.hours",
        citation="none",
        source="test",
        confidence="low",
        status="house",
        force="house_default",
        channels=("call",),
        days=days,
        boundary=boundary,  # type: ignore[arg-type]
        **dates,
    )
    return OpenDays.of(row, closed)


def openings(hours: Hours, zones: Zones, first: str, last: str) -> list[tuple[int, int]]:
    """Return the open stretches that begin between two instants, found as a dialer would."""
    found: list[tuple[int, int]] = []
    at_us: int | None = parse(first)
    while (at_us := hours.next_open(zones, at_us)) is not None and at_us < parse(last):  # type: ignore[arg-type]
        found.append((at_us, hours.open_until(zones, at_us)))
        at_us = found[-1][1]
    return found


def test_an_hour_that_the_clocks_skip_opens_nothing() -> None:
    hours = Hours((daily(("02:15", "02:45")),))
    assert openings(hours, MADRID, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z") == [
        (parse("2026-03-30T02:15:00+02:00"), parse("2026-03-30T02:45:00+02:00"))
    ]


def test_an_hour_that_the_clocks_repeat_is_open_twice() -> None:
    hours = Hours((daily(("02:15", "02:45")),))
    assert openings(hours, MADRID, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z") == [
        (parse("2026-10-25T02:15:00+02:00"), parse("2026-10-25T02:45:00+02:00")),
        (parse("2026-10-25T02:15:00+01:00"), parse("2026-10-25T02:45:00+01:00")),
    ]


def test_a_window_over_a_change_keeps_its_clock_times() -> None:
    hours = Hours((daily(("01:00", "04:00")),))
    assert openings(hours, MADRID, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z") == [
        (parse("2026-03-29T01:00:00+01:00"), parse("2026-03-29T04:00:00+02:00"))
    ]
    # Where clocks spring forward at midnight, a window from midnight begins at one.
    chile = Hours((daily(("00:00", "02:00")),))
    assert openings(chile, Zones(("America/Santiago",)), "2026-09-05T12:00:00Z", "2026-09-06T12:00:00Z") == [
        (parse("2026-09-06T01:00:00-03:00"), parse("2026-09-06T02:00:00-03:00"))
    ]


def test_exclusive_forbids_both_bounds_to_the_second() -> None:
    hours = Hours((daily(("08:00", "21:00"), boundary="exclusive"),))
    assert openings(hours, MADRID, "2026-11-18T00:00:00Z", "2026-11-18T23:00:00Z") == [
        (parse("2026-11-18T08:00:01+01:00"), parse("2026-11-18T21:00:00+01:00"))
    ]


def test_days_that_join_are_one_stretch() -> None:
    always = Hours((daily(("00:00", "12:00"), ("12:00", "24:00")),))
    at = parse("2026-11-18T10:00:00Z")
    assert always.open_until(MADRID, at) >= at + 13 * DAY
    nights = Hours((daily(("00:00", "06:00"), ("22:00", "24:00")),))
    assert openings(nights, MADRID, "2026-11-18T12:00:00Z", "2026-11-19T12:00:00Z") == [
        (parse("2026-11-18T22:00:00+01:00"), parse("2026-11-19T06:00:00+01:00"))
    ]


def test_rows_and_zones_are_intersected() -> None:
    hours = Hours((daily(("09:00", "20:00")), daily(("08:00", "14:00"), ("16:00", "21:00"))))
    both = Zones(("Atlantic/Canary", "Europe/Madrid"))
    assert openings(hours, both, "2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z") == [
        (parse("2026-11-18T10:00:00+01:00"), parse("2026-11-18T14:00:00+01:00")),
        (parse("2026-11-18T17:00:00+01:00"), parse("2026-11-18T20:00:00+01:00")),
    ]
    mornings = Hours((daily(("09:00", "11:00")),))
    assert mornings.next_open(Zones(("Asia/Kolkata", "Pacific/Honolulu")), parse("2026-11-18T00:00:00Z")) is None


def test_a_row_binds_on_its_dates_alone() -> None:
    hours = Hours((daily(("09:00", "10:00"), effective_from=date(2026, 11, 18), effective_to=date(2026, 11, 18)),))
    assert openings(hours, MADRID, "2026-11-17T12:00:00Z", "2026-11-18T12:00:00Z") == [
        (parse("2026-11-17T12:00:00Z"), parse("2026-11-18T00:00:00+01:00")),
        (parse("2026-11-18T09:00:00+01:00"), parse("2026-11-18T10:00:00+01:00")),
    ]


def test_holidays_close_the_local_day() -> None:
    days = frozenset({day_number(date(2026, 11, 19))})
    hours = Hours((daily(("09:00", "21:00"), closed=Closed(country="ES", subdivisions=("MD",), extra=days)),))
    assert hours.next_open(MADRID, parse("2026-11-18T21:00:00+01:00")) == parse("2026-11-20T09:00:00+01:00")
    assert hours.next_open(MADRID, parse("2026-12-07T21:00:00+01:00")) == parse("2026-12-09T09:00:00+01:00")


@pytest.mark.parametrize(
    "closed", [Closed(country="ES", subdivisions=("XX",)), Closed(country="ES", categories=("x",))]
)
def test_a_calendar_that_the_library_does_not_know_is_refused(closed: Closed) -> None:
    with pytest.raises(BadInput, match="the library knows no such calendar"):
        closed.on(day_number(date(2026, 11, 19)))
