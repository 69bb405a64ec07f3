"""Local time in integers: offsets, dates and day starts of IANA zones, alone and as a set of candidates.

Instants are microseconds UTC, local dates are days since 1970-01-01. Zones are read from the pinned `tzdata` package
and never from the operating system, whose copy may know other rules. Local instants are derived from UTC pieces of
constant offset, so hours that a clock change skips or repeats need no special case.
"""

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from domain.errors import BadInput
from domain.instants import DAY, HOUR, MINUTE, SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_SECONDS = tuple(f":{second:02}" for second in range(60))

#: A piece of a UTC day: from, to (excluded), offset; all in microseconds.
Piece = tuple[int, int, int]
#: A step function over one UTC day: where each step begins, and its values.
Steps = tuple[tuple[int, ...], tuple[int, ...]]


def day_number(day: date) -> int:
    """Return a date as days since 1970-01-01."""
    return day.toordinal() - _EPOCH_ORDINAL


def to_date(day: int) -> date:
    return date.fromordinal(day + _EPOCH_ORDINAL)


def weekday(day: int) -> int:
    """Return 0 for Monday … 6 for Sunday."""
    return (day + 3) % 7


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    """Return a zone of the pinned tzdata.

    Raises
    ------
    BadInput
        When tzdata has no such zone.
    """
    parts = name.split("/")
    if all(part and not part.startswith(".") for part in parts):
        path = files("tzdata").joinpath("zoneinfo", *parts)
        if path.is_file():
            with path.open("rb") as file:
                return ZoneInfo.from_file(file, key=name)
    raise BadInput(f"time zone {name!r} is not in the tz database; write an IANA name such as Europe/Madrid")


def _offset(zone: ZoneInfo, at_us: int) -> int:
    offset = (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)


@lru_cache(maxsize=1 << 16)
def pieces(zone: str, day: int) -> tuple[Piece, ...]:
    """Return the pieces of constant offset that make up UTC day `day` in a zone."""
    info = load_zone(zone)
    start, end = day * DAY, (day + 1) * DAY
    low, high = start, end - SECOND
    first, last = _offset(info, low), _offset(info, high)
    if first == last:
        return ((start, end, first),)
    while high - low > SECOND:  # clocks change once a day at most, on a whole second
        middle = (low + high) // 2 // SECOND * SECOND
        if _offset(info, middle) == first:
            low = middle
        else:
            high = middle
    return ((start, high, first), (high, end, last))


def offset_at(zone: str, at_us: int) -> int:
    """Return a zone's offset from UTC at an instant."""
    found = pieces(zone, at_us // DAY)
    return found[0][2] if len(found) == 1 or at_us < found[0][1] else found[1][2]


def local_day(zone: str, at_us: int) -> int:
    """Return the local date of an instant."""
    return (at_us + offset_at(zone, at_us)) // DAY


@lru_cache(maxsize=1 << 16)
def day_start(zone: str, day: int) -> int:
    """Return the first instant at which the local date is `day` or later."""
    for start, end, offset in pieces(zone, day - 1) + pieces(zone, day):
        begin = max(start, day * DAY - offset)
        if begin < end:
            return begin
    return (day + 1) * DAY - pieces(zone, day + 1)[0][2]  # a date that the zone skipped altogether


@lru_cache(maxsize=4096)
def _minute_text(minute: int) -> str:
    day, rest = divmod(minute, 1440)
    return f"{to_date(day).isoformat()}T{rest // 60:02}:{rest % 60:02}"


@lru_cache(maxsize=256)
def _offset_text(offset_us: int) -> str:
    minutes = abs(offset_us) // MINUTE
    return f"{'-' if offset_us < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"


def local_text(at_us: int, offset_us: int) -> str:
    """Return local ISO time to the second, with its offset."""
    local_s = (at_us + offset_us) // SECOND
    return f"{_minute_text(local_s // 60)}{_SECONDS[local_s % 60]}{_offset_text(offset_us)}"


class Zones:
    """The zones a person may be in. What is asked holds in all of them: the strictest answer is given."""

    __slots__ = ("_dates", "_latest", "_releases", "names")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._dates: dict[tuple[date | None, date | None], tuple[int, int | None]] = {}
        self._latest: dict[int, Steps] = {}
        self._releases: dict[tuple[str, int, int], Steps] = {}

    def latest_offset(self, at_us: int) -> int:
        """Return the offset of the zone where it is latest."""
        day = at_us // DAY
        steps = self._latest.get(day)
        if steps is None:
            changes = {piece[0] for name in self.names for piece in pieces(name, day)}
            steps = self._latest[day] = self._steps(day, changes, lambda at, name: offset_at(name, at))
        return steps[1][0] if len(steps[0]) == 1 else steps[1][bisect_right(steps[0], at_us) - 1]

    def release(self, kind: str, n: int, at_us: int) -> int:
        """Return the first instant at which something of `at_us` no longer counts, in any zone.

        Parameters
        ----------
        kind : str
            `days`: its local date and the n - 1 dates after it count; `weeks`: its calendar week, which begins on
            weekday n (0 is Monday); `months`: its calendar month; `hours`: n elapsed hours.
        """
        if kind == "hours":
            return at_us + n * HOUR
        day = at_us // DAY
        steps = self._releases.get((kind, n, day)) or self.release_steps(kind, n, day)
        return steps[1][0] if len(steps[0]) == 1 else steps[1][bisect_right(steps[0], at_us) - 1]

    def release_steps(self, kind: str, n: int, day: int) -> Steps:
        """Return `release` over one UTC day, for kinds that count local dates."""
        midnights = {day * DAY}
        for name in self.names:
            for local in (day - 1, day, day + 1, day + 2):
                if day * DAY < day_start(name, local) < (day + 1) * DAY:
                    midnights.add(day_start(name, local))
        steps = self._releases[kind, n, day] = self._steps(
            day, midnights, lambda at, name: day_start(name, _following(kind, n, local_day(name, at)))
        )
        return steps

    def dates(self, first: date | None, last: date | None) -> tuple[int, int | None]:
        """Return from when (0: ever) until when (None: for good) local dates bind that are true in any zone."""
        found = self._dates.get((first, last))
        if found is None:
            begin = min(day_start(name, day_number(first)) for name in self.names) if first else 0
            end = max(day_start(name, day_number(last) + 1) for name in self.names) if last else None
            found = self._dates[first, last] = begin, end
        return found

    def _steps(self, day: int, starts: set[int], value: Callable[[int, str], int]) -> Steps:
        """Return the greatest value over all zones as a step function over one UTC day."""
        begins = tuple(sorted(starts | {day * DAY}))
        return begins, tuple(max(value(begin, name) for name in self.names) for begin in begins)


def _following(kind: str, n: int, day: int) -> int:
    """Return the first local date that no longer shares the span of `day`."""
    if kind == "days":
        return day + n
    if kind == "weeks":
        return day + 7 - (weekday(day) - n) % 7
    first = to_date(day).replace(day=1)
    return day_number((first + timedelta(days=32)).replace(day=1))
