"""What the hours of a day tell of those that follow: how many times as often as forecast people answer.

An hour's factor is Gamma distributed about 1, its answers Poisson about factor × what was forecast. From hour to hour
a share of its distance from 1 is kept, so that a bad hour says less and less of later ones. Spread and share are those
under which the recent days are likeliest; where these days are explained as well by forecasts and luck alone, nothing
is learned. Method: a dynamic generalised linear model by moments (West, Harrison and Migon, JASA 1985).
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
#: How much likelier, in logarithms, days have to be than by forecasts and luck alone: 5 % by chi-square, two numbers.
_BORNE_OUT: Final = 3.0
#: Hours on record without which nothing is learned.
_LEAST_HOURS: Final = 20
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
    #: Hours on record that it rests on, and the share of their calls that a person answered.
    hours: int = 0
    share: float = 0.0

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
    """Calls of a stretch of time that lies in one hour of the floor's day, as they are on record."""

    at_us: int
    #: Calls that the network put through; those of them that had a forecast, whose sum `forecast` is.
    calls: int
    told: int
    forecast: float
    #: Answered by a person, as far as agents and detection could tell.
    answered: int


def days_of(counts: Iterable[Count], zone: str, share: float) -> dict[str, list[Hour]]:
    """Return the hours of each day (ISO) of a floor, in order; calls without a forecast are forecast `share`."""
    found: dict[str, dict[int, Hour]] = {}
    for one in sorted(counts):
        local = to_datetime(one.at_us, zone)
        day = found.setdefault(local.date().isoformat(), {})
        before = day.get(local.hour, Hour(local.hour, 0.0, 0))
        forecast = before.forecast + one.forecast + share * (one.calls - one.told)
        day[local.hour] = Hour(local.hour, forecast, before.answered + one.answered)
    return {day: list(hours.values()) for day, hours in found.items()}


def share_of(counts: Sequence[Count]) -> float:
    """Return which share of calls a person answered."""
    return sum(one.answered for one in counts) / max(1, sum(one.calls for one in counts))


def habit(days: Sequence[Sequence[Hour]]) -> Habit:
    """Return how far hours go their own way, by the hours of recent days, each in order."""
    told = sum(map(len, days))
    usual = _usual(days)
    if told < _LEAST_HOURS:
        return Habit(usual=usual, hours=told)
    plain = sum(one.answered * log(e) - e for day in days for one in day if (e := one.forecast * usual[one.hour]) > 0.0)
    likeliest, strength, kept = max(
        (_likelihood(days, usual, strength, kept), strength, kept) for strength, kept in product(_STRENGTHS, _KEPT)
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


def _usual(days: Sequence[Sequence[Hour]]) -> tuple[float, ...]:
    """Return by hour of the day how many times as often as forecast people answer, as far as the days bear it out."""
    forecast, answered = [0.0] * 24, [0] * 24
    for day in days:
        for one in day:
            forecast[one.hour] += one.forecast
            answered[one.hour] += one.answered
    whole = (sum(answered) + _BIAS) / (sum(forecast) + _BIAS)
    return tuple((a + _BIAS * whole) / (f + _BIAS) for f, a in zip(forecast, answered, strict=True))


def _likelihood(days: Sequence[Sequence[Hour]], usual: Sequence[float], strength: float, kept: float) -> float:
    """Return the logarithm of how likely the answers are, but for what no number changes."""
    total = 0.0
    for day in days:
        belief, at = Gamma(strength, strength), -1
        for one in day:
            belief = belief.after(one.hour - at, strength, kept)
            forecast = one.forecast * usual[one.hour]
            at = one.hour
            if forecast <= 0.0:
                continue
            a, b, n = belief.shape, belief.rate, one.answered
            total += lgamma(a + n) - lgamma(a) + a * log(b / (b + forecast)) + n * log(forecast / (b + forecast))
            belief = Gamma(a + n, b + forecast)
    return total
