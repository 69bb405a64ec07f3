"""What the hours of a day tell of those that follow: how many times as often as forecast people answer.

An hour's factor is Gamma distributed about 1, its answers Poisson about factor × what was forecast. From hour to hour
a share of its distance from 1 is kept, so that a bad hour says less and less of later ones. Spread and share are those
under which the recent days are likeliest; where these days are explained as well by forecasts and luck alone, nothing
is learned. Calls without a forecast tell nothing: who is called at an hour would look like the hour. Method: a dynamic
generalised linear model by moments (West, Harrison and Migon, JASA 1985).
"""

from collections.abc import Iterable, Sequence
from itertools import product
from math import inf, lgamma, log, sqrt
from typing import Final, NamedTuple

import msgspec

from domain.calls import AnswerClass
from domain.instants import DAY, MINUTE, to_datetime

#: Days before today from which habits are learned.
HABIT_US: Final = 28 * DAY
#: Calls are counted by stretches of so long, of which no hour of any zone's day holds a part.
STRETCH_US: Final = 15 * MINUTE
#: Classes of calls that a person answered.
LIVE: Final = frozenset({AnswerClass.connected, AnswerClass.abandoned})
#: Tried: as how many forecast answers the mean weighs, and which share of what was learned an hour keeps.
_STRENGTHS: Final = (3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 192.0)
_KEPT: Final = (0.0, 0.3, 0.5, 0.7, 0.85, 0.95)
#: How much likelier, in logarithms, days have to be than by forecasts and luck alone: 1 % by chi-square, two numbers.
_BORNE_OUT: Final = 4.6
#: Hours on record without which nothing is learned.
_LEAST_HOURS: Final = 40
#: Forecast answers that an hour of the day has had when its own bias is believed by half.
_BIAS: Final = 60.0


class Hour(NamedTuple):
    """Calls of one hour of the floor's day: how many a person was forecast to answer, and how many were answered."""

    hour: int
    forecast: float
    answered: int


class Habit(msgspec.Struct, frozen=True, kw_only=True):
    """How far hours of a floor go their own way."""

    #: As how many forecast answers the mean weighs; infinite: hours are as forecast but for luck.
    strength: float = inf
    #: Share of what was learned that the next hour keeps.
    kept: float = 0.0
    #: (24,) how many times as often as forecast each hour of the day is answered on most days.
    usual: tuple[float, ...] = (1.0,) * 24
    #: Hours on record that it rests on.
    hours: int = 0

    @property
    def learns(self) -> bool:
        return self.strength < inf


class Gamma(NamedTuple):
    """What is believed of an hour's factor."""

    shape: float
    rate: float

    @property
    def mean(self) -> float:
        return self.shape / self.rate

    @property
    def deviation(self) -> float:
        return sqrt(self.shape) / self.rate

    def after(self, hours: int, strength: float, kept: float) -> "Gamma":
        """Return what is believed of the factor so many hours later: of its distance from 1 a share is kept."""
        share = kept**hours
        mean = 1.0 + share * (self.mean - 1.0)
        variance = share**2 * self.shape / self.rate**2 + (1.0 - share**2) / strength
        return Gamma(mean * mean / variance, mean / variance)


class Count(NamedTuple):
    """Calls of a stretch of time that had a forecast, as they are on record."""

    at_us: int
    #: How many a person was to answer, and how many a person did, as far as agents and detection could tell.
    forecast: float
    answered: int


def days_of(counts: Iterable[Count], zone: str) -> dict[str, list[Hour]]:
    """Return the hours of each day (ISO) of a floor, in order."""
    found: dict[str, dict[int, Hour]] = {}
    for one in sorted(counts):
        local = to_datetime(one.at_us, zone)
        day = found.setdefault(local.date().isoformat(), {})
        before = day.get(local.hour, Hour(local.hour, 0.0, 0))
        day[local.hour] = Hour(local.hour, before.forecast + one.forecast, before.answered + one.answered)
    return {day: list(hours.values()) for day, hours in found.items()}


def habit(days: Sequence[Sequence[Hour]]) -> Habit:
    """Return how far hours go their own way, by the hours of recent days, each in order."""
    told = sum(map(len, days))
    usual = _usual(_sums(days))
    if told < _LEAST_HOURS:
        return Habit(usual=usual, hours=told)
    unbiased = _unbiased(days)
    plain = sum(one.answered * log(one.forecast) - one.forecast for day in unbiased for one in day)
    likeliest, strength, kept = max(
        (_likelihood(unbiased, strength, kept), strength, kept) for strength, kept in product(_STRENGTHS, _KEPT)
    )
    if likeliest - plain < _BORNE_OUT:
        return Habit(usual=usual, hours=told)
    return Habit(strength=strength, kept=kept, usual=usual, hours=told)


def learned(found: Habit, today: Sequence[Hour], hours: Sequence[int], now: int) -> list[Gamma]:
    """Return what is believed of some hours of today, those gone by included.

    Parameters
    ----------
    today : sequence of Hour
        In order, the hour `now` being under way.
    hours : sequence of int
        Hours of the floor's day.
    """
    if not found.learns:
        return [Gamma(1.0, 1.0)] * len(hours)
    prior = Gamma(found.strength, found.strength)
    at, belief, past = -1, prior, {}
    for one in (*today, Hour(now, 0.0, 0)):
        if one.hour > at:
            belief = belief.after(one.hour - at, found.strength, found.kept)
        belief = Gamma(belief.shape + one.answered, belief.rate + one.forecast * found.usual[one.hour])
        at = one.hour
        past[at] = belief
    return [
        past.get(hour, prior) if hour <= now else belief.after(hour - now, found.strength, found.kept) for hour in hours
    ]


def _sums(days: Sequence[Sequence[Hour]]) -> list[Hour]:
    """Return by hour of the day, (24,), how many were forecast and answered."""
    found = [Hour(hour, 0.0, 0) for hour in range(24)]
    for day in days:
        for one in day:
            before = found[one.hour]
            found[one.hour] = Hour(one.hour, before.forecast + one.forecast, before.answered + one.answered)
    return found


def _usual(sums: Sequence[Hour]) -> tuple[float, ...]:
    """Return by hour of the day how many times as often as forecast people answer."""
    whole = (sum(one.answered for one in sums) + _BIAS) / (sum(one.forecast for one in sums) + _BIAS)
    return tuple((one.answered + _BIAS * whole) / (one.forecast + _BIAS) for one in sums)


def _unbiased(days: Sequence[Sequence[Hour]]) -> list[list[Hour]]:
    """Return the days with forecasts as often answered as on the other days: what a day is judged by is not its own."""
    sums, found = _sums(days), []
    for day in days:
        others = list(sums)
        for one in day:
            whole = others[one.hour]
            others[one.hour] = Hour(one.hour, whole.forecast - one.forecast, whole.answered - one.answered)
        usual = _usual(others)
        found.append([one._replace(forecast=one.forecast * usual[one.hour]) for one in day if one.forecast > 0.0])
    return found


def _likelihood(days: Sequence[Sequence[Hour]], strength: float, kept: float) -> float:
    """Return the logarithm of how likely the answers are, but for what no number changes."""
    total = 0.0
    for day in days:
        belief, at = Gamma(strength, strength), -1
        for one in day:
            a, b = belief = belief.after(one.hour - at, strength, kept)
            n, forecast, at = one.answered, one.forecast, one.hour
            total += lgamma(a + n) - lgamma(a) + a * log(b / (b + forecast)) + n * log(forecast / (b + forecast))
            belief = Gamma(a + n, b + forecast)
    return total
