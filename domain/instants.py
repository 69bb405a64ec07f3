"""Instants are integer microseconds UTC (`_us`); text and local time are derived from them here and nowhere else."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_datetime(moment: datetime) -> int:
    """Return the instant of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def to_datetime(at_us: int, zone: str = "UTC") -> datetime:
    """Return the aware local datetime of an instant in an IANA zone."""
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(ZoneInfo(zone))


def midnight_us(day: date, zone: str) -> int:
    """Return the instant at which a date begins in an IANA zone."""
    return from_datetime(datetime.combine(day, time(), ZoneInfo(zone)))


def parse(text: str) -> int:
    """Return the instant of an ISO 8601 text that carries an offset.

    Raises
    ------
    ValueError
        When the text is not ISO 8601 or has no offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; write 2026-11-18T15:30:00+00:00 or …Z")
    return from_datetime(moment)


def iso(at_us: int, zone: str = "UTC") -> str:
    """Return ISO 8601 with milliseconds and offset."""
    return to_datetime(at_us, zone).isoformat(timespec="milliseconds")
