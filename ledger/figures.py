"""One metric's value with what it was made of, and the ways to make one."""

from math import sqrt

import msgspec

from domain.instants import HOUR
from domain.money import EXPONENTS

_Z95 = 1.959964


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A metric's value with what it was made of; None where the denominator is zero."""

    name: str
    value: float | None
    numerator: float
    denominator: float
    #: 95 % interval, for shares (Wilson) and for counts per hour (Poisson).
    low: float | None = None
    high: float | None = None
    #: Of an amount of money, which is then in this currency's major unit.
    currency: str | None = None


def share(name: str, numerator: float, denominator: float) -> Figure:
    """Return a share with its Wilson interval."""
    if denominator <= 0:
        return Figure(name=name, value=None, numerator=numerator, denominator=denominator)
    p, n, z = numerator / denominator, denominator, _Z95
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n) if 0 <= p <= 1 else 0.0
    return Figure(
        name=name,
        value=p,
        numerator=numerator,
        denominator=denominator,
        low=max(0.0, middle - half),
        high=min(1.0, middle + half),
    )


def per_hour(name: str, events: int, duration_us: int) -> Figure:
    """Return events per hour with a Poisson interval (Byar's approximation)."""
    hours = duration_us / HOUR
    if hours <= 0:
        return Figure(name=name, value=None, numerator=events, denominator=hours)
    n = float(events)
    low = n * (1 - 1 / (9 * n) - _Z95 / (3 * sqrt(n))) ** 3 if events else 0.0
    more = n + 1
    high = more * (1 - 1 / (9 * more) + _Z95 / (3 * sqrt(more))) ** 3
    return Figure(
        name=name, value=n / hours, numerator=n, denominator=hours, low=max(0.0, low) / hours, high=high / hours
    )


def mean(name: str, total: float, n: float, currency: str | None = None) -> Figure:
    return Figure(name=name, value=total / n if n else None, numerator=total, denominator=n, currency=currency)


def part(name: str, numerator: float, denominator: float) -> Figure:
    """Return a share that is no sample of independent trials: a whole, a time or money told apart."""
    return mean(name, numerator, denominator)


def major(amount_minor: int, currency: str) -> float:
    """Return an amount in its currency's major unit, for quotients."""
    return float(amount_minor / 10 ** EXPONENTS[currency])
