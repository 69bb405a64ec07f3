"""What a month brings that neither its world nor its roster says: holidays, outages, days that differ, drift.

One document for `--month FILE`, checked here; `simulation.month.Plan` carries what it says.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from math import exp, sqrt
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from domain.errors import BadInput
from simulation.agents import Temper
from simulation.chance import Chance, Purpose, normal
from simulation.exchange import WorldSettings

Share = Annotated[float, Meta(ge=0.0, le=1.0)]

#: What goes wrong, and how it is told.
INCIDENTS: Final = {
    "link_down": "the engine loses the switch, which goes on",
    "switch_restart": "the switch restarts and forgets its calls",
    "no_lines": "no trunk takes a call",
}
#: A time of day as documents write it.
CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class Incident(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something goes wrong."""

    #: ISO date and local time of the floor.
    day: str
    at: str
    minutes: float
    #: One of `INCIDENTS`.
    kind: str

    def __post_init__(self) -> None:
        if self.kind not in INCIDENTS:
            raise BadInput(f"incident: kind must be one of {', '.join(INCIDENTS)}, was {self.kind!r}; correct it")
        if not 0.0 < self.minutes <= 1440.0:
            raise BadInput(f"incident on {self.day}: minutes must be in (0, 1440], was {self.minutes!r}; correct it")
        day_of(self.day, "incident: day")
        if not CLOCK.fullmatch(self.at):
            raise BadInput(
                f"incident on {self.day}: at must be a time of day such as 11:30, was {self.at!r}; correct it"
            )

    @property
    def begins(self) -> datetime:
        """Return when, in local time of the floor."""
        return datetime.combine(date.fromisoformat(self.day), time.fromisoformat(self.at))


class Change(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}
):
    """Days on which people or agents are not as usual; several at once multiply."""

    #: First and last day, ISO; empty: those of the month.
    first: str = ""
    last: str = ""
    #: Hours of the floor's day, the first and that at which it ends; empty: all. For the answer rate alone.
    hours: tuple[int, ...] = ()
    #: People who are called pick up so many times as often.
    answer_rate: float = 1.0
    #: Conversations and wrap-ups take so many times as long.
    handling_time: float = 1.0
    #: Share of shifts to which nobody comes, in place of the roster's; None: as the roster says.
    absence: float | None = None
    #: Grows evenly from nothing before the first day to the whole on the last: a drift.
    gradual: bool = False

    def __post_init__(self) -> None:
        for day in filter(None, (self.first, self.last)):
            day_of(day, "change: from and to")
        where = f"change of {self.first or 'the first day'} to {self.last or 'the last'}"
        if self.first and self.last and self.first > self.last:
            raise BadInput(f"{where}: ends before it begins; turn them round")
        for field in ("answer_rate", "handling_time"):
            value = getattr(self, field)
            if not 0.1 <= value <= 10.0:
                raise BadInput(f"{where}: {field} must be in [0.1, 10] (1: as usual), was {value!r}; correct it")
        if self.absence is not None and not 0.0 <= self.absence <= 0.9:
            raise BadInput(f"{where}: absence must be in [0, 0.9], was {self.absence!r}; for more, make it a holiday")
        if self.answer_rate == self.handling_time == 1.0 and self.absence is None:
            raise BadInput(f"{where}: changes nothing; give it an answer_rate, a handling_time or an absence")
        if self.hours and not (len(self.hours) == 2 and 0 <= self.hours[0] < self.hours[1] <= 24):
            raise BadInput(
                f"{where}: hours must be two of 0 to 24, the later one last, were {list(self.hours)}; "
                "write [9, 12] for 9 to 12 o'clock"
            )
        if self.hours and (self.handling_time != 1.0 or self.absence is not None):
            raise BadInput(
                f"{where}: hours are for answer_rate alone; give handling_time and absence a [[change]] of their own"
            )

    def span(self, start: date, days: int) -> tuple[date, date]:
        """Return its first and last day in a plan."""
        return (
            date.fromisoformat(self.first) if self.first else start,
            date.fromisoformat(self.last) if self.last else start + timedelta(days=days - 1),
        )


class Swings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours in which all people pick up more or less often than they use to, by chance: weather, news, a match."""

    #: Deviation of the logarithm; 0: there are none.
    deviation: float = 0.0
    #: Correlation with the hour before on the same day.
    persistence: float = 0.0

    def __post_init__(self) -> None:
        for field, most in (("deviation", 1.0), ("persistence", 0.99)):
            value = getattr(self, field)
            if not 0.0 <= value <= most:
                raise BadInput(f"swings: {field} must be in [0, {most:g}], was {value!r}; correct it")


class Network(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Trunks and machine detection, as far as they differ from what the switch has by itself."""

    #: Lines of each node; a call beyond them meets congestion. None: no limit.
    lines: Annotated[int, Meta(ge=1)] | None = None
    #: Share of persons taken for machines, of machines taken for persons, and of both left undecided.
    p_person_as_machine: Share = WorldSettings().p_person_as_machine
    p_machine_as_person: Share = WorldSettings().p_machine_as_person
    p_unsure: Share = WorldSettings().p_unsure

    def __post_init__(self) -> None:
        for name in ("p_person_as_machine", "p_machine_as_person"):
            if self.p_unsure + getattr(self, name) > 1.0:
                raise BadInput(f"network: p_unsure and {name} together exceed 1; take either down")

    def over(self, exchange: WorldSettings) -> WorldSettings:
        """Return a switch with these in place of its own."""
        return msgspec.structs.replace(exchange, **msgspec.structs.asdict(self))


class Circumstances(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document; `config/month.toml` explains every key."""

    #: Days on which nobody works, ISO; besides those of the roster.
    holidays: tuple[str, ...] = ()
    incident: tuple[Incident, ...] = ()
    change: tuple[Change, ...] = ()
    swings: Swings = Swings()
    network: Network = Network()
    #: How agents work.
    agents: Temper = Temper()

    def __post_init__(self) -> None:
        for day in self.holidays:
            day_of(day, "holidays")


class Today(msgspec.Struct, frozen=True, kw_only=True):
    """What the changes come to on one day."""

    #: By hour of the floor's day, (24,).
    answer_rate: tuple[float, ...]
    handling_time: float
    absence: float


def today(changes: Sequence[Change], day: date, start: date, days: int, absence: float) -> Today:
    """Return what changes come to on a day of a plan; of several absences the greatest counts.

    Parameters
    ----------
    absence : float in [0, 1]
        The roster's.
    """
    answer_rates, handling_time = [1.0] * 24, 1.0
    absences = []
    for one in changes:
        first, last = one.span(start, days)
        if not first <= day <= last:
            continue
        part = ((day - first).days + 1) / ((last - first).days + 1) if one.gradual else 1.0
        for hour in range(*(one.hours or (0, 24))):
            answer_rates[hour] *= 1.0 + (one.answer_rate - 1.0) * part
        handling_time *= 1.0 + (one.handling_time - 1.0) * part
        if one.absence is not None:
            absences.append(absence + (one.absence - absence) * part)
    return Today(answer_rate=tuple(answer_rates), handling_time=handling_time, absence=max(absences, default=absence))


def swung(swings: Swings, rates: Sequence[float], day: date, chance: Chance) -> list[float]:
    """Return the answer rates of a day's hours (24), swings on top; over many days they change no mean."""
    luck = [normal(chance.u(Purpose.swing, day.toordinal(), hour)) for hour in range(24)]
    for before, hour in pairwise(range(24)):
        luck[hour] = swings.persistence * luck[before] + sqrt(1.0 - swings.persistence**2) * luck[hour]
    return [rate * exp(swings.deviation * (z - swings.deviation / 2)) for rate, z in zip(rates, luck, strict=True)]


def check_within(incidents: Sequence[Incident], changes: Sequence[Change], start: date, days: int) -> None:
    """Refuse what would never come to pass, and outages that a plan could not tell apart.

    Raises
    ------
    BadInput
        Naming the first of them.
    """
    end = start + timedelta(days=days - 1)
    within = f"the month is {start} to {end}; correct the date, or choose other days with --start and --days"
    for incident in incidents:
        if not start <= incident.begins.date() <= end:
            raise BadInput(f"incident on {incident.day} at {incident.at}: would never happen, {within}")
    for change in changes:
        first, last = change.span(start, days)
        if last < start or first > end or first > last:
            raise BadInput(f"change of {first} to {last}: would never happen, {within}")
    # A restart loses the link too: the first to end would bring back what the other still holds down.
    ordered = sorted(incidents, key=lambda one: (one.kind == "no_lines", one.begins))
    for one, other in pairwise(ordered):
        alike = (one.kind == "no_lines") == (other.kind == "no_lines")
        if alike and one.begins + timedelta(minutes=one.minutes) > other.begins:
            raise BadInput(
                f"incident on {other.day} at {other.at}: begins before the {one.kind} of {one.day} at {one.at} is "
                "over; make them one, or begin it later"
            )


def told(
    holidays: Sequence[str], incidents: Sequence[Incident], changes: Sequence[Change], start: date, days: int
) -> tuple[str, ...]:
    """Return what a month brings, a sentence each, in the order of time; holidays outside of it bring nothing."""
    last = start + timedelta(days=days - 1)
    found = [
        (f"{day} 00:00", f"{day}: holiday") for day in sorted(set(holidays)) if start <= date.fromisoformat(day) <= last
    ]
    found += [
        (f"{one.day} {one.at}", f"{one.day} {one.at}, {one.minutes:g} minutes: {INCIDENTS[one.kind]}")
        for one in incidents
    ]
    for one in changes:
        begin, end = one.span(start, days)
        found.append((f"{begin} 00:00", f"{begin} to {end}{', gradually' * one.gradual}: {', '.join(_words(one))}"))
    return tuple(text for _, text in sorted(found))


def _words(one: Change) -> Iterator[str]:
    if one.answer_rate != 1.0:
        when = f"from {one.hours[0]} to {one.hours[1]} o'clock " if one.hours else ""
        yield f"{when}people pick up {one.answer_rate:g} times as often"
    if one.handling_time != 1.0:
        yield f"conversations and wrap-ups take {one.handling_time:g} times as long"
    if one.absence is not None:
        yield f"{100 * one.absence:g} % of shifts stay empty"


def differing(found: msgspec.Struct, usual: msgspec.Struct) -> list[str]:
    """Return what a record says that is not as usual, `name value`."""
    told, known = msgspec.to_builtins(found), msgspec.to_builtins(usual)
    return [f"{name} {_plain(value)}" for name, value in told.items() if value != known[name]]


def _plain(value: object) -> str:
    return (
        ", ".join(map(_plain, value))
        if isinstance(value, list | tuple)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def day_of(text: str, where: str) -> date:
    """Return a day.

    Raises
    ------
    BadInput
        When it is none, or is not written as 2026-12-25.
    """
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.isoformat() != text:
        raise BadInput(f"{where}: {text!r} is no day; write it as 2026-12-25")
    return found
