"""When the windows are open: intervals of absolute time, intersected over rows and candidate zones.

A window speaks of local wall time. For every piece of constant offset of a UTC day it becomes an interval of instants,
so an hour that the clocks skip opens nothing and an hour that they repeat is open twice.
"""

from datetime import date
from functools import lru_cache

import msgspec

from compliance.rows import Days, Window
from compliance.zones import Zones, day_number, pieces, to_date, weekday
from domain.errors import BadInput, Broken
from domain.instants import DAY, MINUTE, SECOND

Interval = tuple[int, int]

#: An open stretch is followed this far and no further.
_FOLLOW_DAYS = 14
#: An opening is searched this far.
_SEARCH_DAYS = 400
_WHOLE_DAY: tuple[Interval, ...] = ((0, DAY),)


def minute_of_day(text: str) -> int:
    """Return `HH:MM` as minutes after midnight, `24:00` included.

    Raises
    ------
    ValueError
        When the text is no time of day.
    """
    hour, minute = text.split(":")
    if len(hour) != 2 or len(minute) != 2 or not (hour + minute).isdecimal():
        raise ValueError(text)
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > 24 * 60:
        raise ValueError(text)
    return total


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """Which local dates are holidays for a row."""

    country: str
    #: Subdivisions of the `holidays` library; a holiday in any of them closes. Empty: the national ones alone.
    subdivisions: tuple[str, ...] = ()
    categories: tuple[str, ...] = ("public",)
    #: Further days that the pack lists.
    extra: frozenset[int] = frozenset()

    def on(self, day: int) -> bool:
        return day in self.extra or day in _holidays(
            self.country, self.subdivisions, self.categories, to_date(day).year
        )


@lru_cache(maxsize=4096)
def _holidays(country: str, subdivisions: tuple[str, ...], categories: tuple[str, ...], year: int) -> frozenset[int]:
    from holidays import country_holidays  # loads slowly, and most commands judge nothing

    found: set[int] = set()
    for subdivision in subdivisions or (None,):
        try:
            calendar = country_holidays(country, subdiv=subdivision, years=year, categories=categories)
        except (NotImplementedError, ValueError) as error:
            raise BadInput(
                f"holidays of {country} {subdivision or ''}: the library knows no such calendar ({error}); "
                "correct country, regions or categories in the pack"
            ) from error
        found.update(day_number(day) for day in calendar)
    return frozenset(found)


class OpenDays(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One window row for one place, its clock times in microseconds of the local day."""

    rule: str
    #: By weekday, Monday first.
    week: tuple[tuple[Interval, ...], ...]
    closed: Closed | None
    #: Local dates from and until which the row binds; both included.
    first: int | None
    last: int | None

    @classmethod
    def of(cls, row: Window, closed: Closed | None) -> "OpenDays":
        """Return the row's hours at a place with such holidays."""
        # Bounds are compared to the second: `exclusive` opens one second after the start.
        shift = SECOND if row.boundary == "exclusive" else 0
        return cls(
            rule=row.id,
            week=tuple(
                tuple(
                    (minute_of_day(start) * MINUTE + shift, minute_of_day(end) * MINUTE)
                    for start, end in getattr(row.days, name)
                )
                for name in Days.__struct_fields__
            ),
            closed=closed,
            first=_bound(row.effective_from),
            last=_bound(row.effective_to),
        )

    def closed_in(self, zones: Zones, at_us: int) -> str | None:
        """Return the first zone in which the row is closed at an instant; None: it is open in all."""
        for zone in zones.names:
            if not any(start <= at_us < end for start, end in _local_open(self, zone, at_us // DAY)):
                return zone
        return None

    def on(self, day: int) -> tuple[Interval, ...]:
        """Return the open times of a local date."""
        if (self.first is not None and day < self.first) or (self.last is not None and day > self.last):
            return _WHOLE_DAY
        if self.closed is not None and self.closed.on(day):
            return ()
        return self.week[weekday(day)]


def _bound(day: date | None) -> int | None:
    return None if day is None else day_number(day)


class Hours:
    """The windows that bind one kind of contact at one place."""

    __slots__ = ("_open", "_spans", "rows")

    def __init__(self, rows: tuple[OpenDays, ...]) -> None:
        self.rows = rows
        self._open: dict[tuple[tuple[str, ...], int], tuple[Interval, ...]] = {}
        self._spans: dict[tuple[tuple[str, ...], int], tuple[Interval, ...]] = {}

    def open_until(self, zones: Zones, at_us: int) -> int:
        """Return until when it is open from an instant on; 0: closed now."""
        day = at_us // DAY
        spans = self._spans.get((zones.names, day))
        if spans is None:
            spans = self._follow(zones, day)
        for start, end in spans:
            if start <= at_us < end:
                return end
        return 0

    def next_open(self, zones: Zones, at_us: int) -> int | None:
        """Return the first instant from this one on at which it is open; None: not in sight."""
        for day in range(at_us // DAY, at_us // DAY + _SEARCH_DAYS):
            for start, end in self._day(zones, day):
                if end > at_us:
                    return max(start, at_us)
        return None

    def stretches(self, zones: Zones, start_us: int, end_us: int) -> list[Interval]:
        """Return the open stretches of the UTC days that a stretch of time touches."""
        found: list[Interval] = []
        for day in range(start_us // DAY, (end_us - 1) // DAY + 1):
            for opens, closes in self._day(zones, day):
                joined = bool(found) and found[-1][1] == opens
                found.append((found.pop()[0] if joined else opens, closes))
        return found

    def closed_by(self, zones: Zones, at_us: int) -> tuple[str, str]:
        """Return the first row that is closed at an instant, and in which zone."""
        for row in self.rows:
            zone = row.closed_in(zones, at_us)
            if zone is not None:
                return row.rule, zone
        raise Broken(f"hours of {[row.rule for row in self.rows]} are open at {at_us} and were found closed")

    def _follow(self, zones: Zones, day: int) -> tuple[Interval, ...]:
        """Return the open intervals of a UTC day, the last one followed into the days after it."""
        found = list(self._day(zones, day))
        ahead = day
        while found and found[-1][1] == (ahead + 1) * DAY and ahead < day + _FOLLOW_DAYS:
            ahead += 1
            after = self._day(zones, ahead)
            if not after or after[0][0] != ahead * DAY:
                break
            found[-1] = (found[-1][0], after[0][1])
        spans = self._spans[zones.names, day] = tuple(found)
        return spans

    def _day(self, zones: Zones, day: int) -> tuple[Interval, ...]:
        found = self._open.get((zones.names, day))
        if found is None:
            found = ((day * DAY, (day + 1) * DAY),)
            for row in self.rows:
                for zone in zones.names:
                    found = _intersect(found, _local_open(row, zone, day))
            self._open[zones.names, day] = found
        return found


@lru_cache(maxsize=1 << 16)
def _local_open(row: OpenDays, zone: str, day: int) -> tuple[Interval, ...]:
    """Return the instants of UTC day `day` at which a row is open in one zone."""
    found: list[Interval] = []
    for start, end, offset in pieces(zone, day):
        for local in range((start + offset) // DAY, (end - 1 + offset) // DAY + 1):
            for opens, closes in row.on(local):
                low, high = max(start, local * DAY + opens - offset), min(end, local * DAY + closes - offset)
                if low < high:
                    if found and found[-1][1] == low:
                        low = found.pop()[0]
                    found.append((low, high))
    return tuple(found)


def _intersect(left: tuple[Interval, ...], right: tuple[Interval, ...]) -> tuple[Interval, ...]:
    if left == right:
        return left
    return tuple((max(a, c), min(b, d)) for a, b in left for c, d in right if max(a, c) < min(b, d))
