"""Who works when: shifts by weekday, with skills, learning and absence, from a file or from a number of agents."""

import tomllib
from collections.abc import Iterator
from datetime import date, datetime, time
from math import exp
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from domain.errors import BadInput
from domain.instants import from_datetime
from domain.matching import checked_groups
from simulation.agents import Chair, Temper
from simulation.chance import Chance, Purpose, entity_of, normal
from simulation.circumstances import CLOCK, day_of
from simulation.documents import in_words

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Shift(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"begin": "from", "end": "to"}
):
    """Agents who work the same hours."""

    #: How many, or who.
    agents: int | tuple[str, ...]
    days: tuple[str, ...] = WEEKDAYS[:5]
    #: Local times of the floor, HH:MM.
    begin: str = "09:00"
    end: str = "17:00"
    #: Campaigns served; empty: all.
    campaigns: tuple[str, ...] = ()
    #: Groups that they are in, which steps of strategies may ask for.
    groups: tuple[str, ...] = ()
    #: Asks for leads when ready.
    previews: bool = False
    #: Wrap-ups, and conversations, take so many times as long as the floor's: skill.
    pace: float = 1.0
    talk_pace: float = 1.0


class Roster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shifts of a floor."""

    shift: tuple[Shift, ...]
    #: Days on which nobody works, ISO.
    holidays: tuple[str, ...] = ()
    #: Spread of skill between agents: deviation of the logarithm of their pace.
    pace_spread: float = 0.15
    #: Wrap-ups of an agent's first day take so many times as long, and come down to 1 over so many days worked.
    first_day: float = 1.0
    learning_days: int = 10
    #: Share of shifts to which nobody comes.
    absence: float = 0.03
    #: How this floor works, where that is known; else as assumed.
    temper: Temper | None = None

    def __post_init__(self) -> None:
        if not self.shift:
            raise BadInput("roster: holds no shift; add [[shift]] with agents = 20")
        for number, one in enumerate(self.shift, 1):
            where = f"roster: shift {number}"
            n = one.agents if isinstance(one.agents, int) else len(one.agents)
            if n < 1:
                raise BadInput(f"{where}: agents must be 1 or more, was {one.agents!r}; nobody would ever log in")
            if not one.days or any(day not in WEEKDAYS for day in one.days):
                raise BadInput(f"{where}: days must be of {', '.join(WEEKDAYS)}, was {list(one.days)}")
            if _clock(one.begin, where) >= _clock(one.end, where):
                raise BadInput(f"{where}: ends at {one.end}, not after {one.begin}; split a shift over midnight in two")
            checked_groups(one.groups, where)
            for field in ("pace", "talk_pace"):
                if not 0.1 <= getattr(one, field) <= 10.0:
                    raise BadInput(f"{where}: {field} must be in [0.1, 10], was {getattr(one, field)!r}")
        for field, low, high in (
            ("pace_spread", 0.0, 1.0), ("first_day", 0.5, 5.0), ("learning_days", 0, 365), ("absence", 0.0, 0.9),
        ):  # fmt: skip
            value = getattr(self, field)
            if not low <= value <= high:
                raise BadInput(f"roster: {field} must be in [{low:g}, {high:g}], was {value!r}; correct it")
        taken: set[tuple[str, str]] = set()
        for name, one in self._agents():
            for day in one.days:
                if (name, day) in taken:
                    raise BadInput(f"roster: agent {name!r} has two shifts on {day}; keep one")
                taken.add((name, day))
        for day in self.holidays:
            day_of(day, "roster: holidays")

    def chairs(self, day: date, zone: str, chance: Chance, worked: dict[str, int]) -> list[Chair]:
        """Return who comes on a day.

        Parameters
        ----------
        worked : dict of agent to the number of days worked before; who comes today is counted in
        """
        if day.isoformat() in self.holidays:
            return []
        found = []
        for name, one in self._agents():
            if WEEKDAYS[day.weekday()] not in one.days:
                continue
            entity = entity_of(name)
            if chance.u(Purpose.absence, entity, day.toordinal()) < self.absence:
                continue
            days, worked[name] = worked.get(name, 0), worked.get(name, 0) + 1
            learning = max(0.0, 1.0 - days / self.learning_days) if self.learning_days else 0.0
            skill = exp(self.pace_spread * normal(chance.u(Purpose.skill, entity)))
            found.append(
                Chair(
                    agent=name,
                    starts_us=_instant(day, one.begin, zone),
                    ends_us=_instant(day, one.end, zone),
                    campaigns=one.campaigns,
                    groups=one.groups,
                    previews=one.previews,
                    pace=one.pace * skill * (1.0 + (self.first_day - 1.0) * learning),
                    talk_pace=one.talk_pace,
                )
            )
        return found

    def paces(self) -> dict[str, tuple[float, float]]:
        """Return how long agents who are named take, against the floor: wrap-ups, conversations."""
        return {
            name: (one.pace, one.talk_pace)
            for one in self.shift
            if not isinstance(one.agents, int)
            for name in one.agents
        }

    def names(self) -> list[str]:
        """Return everybody, in order."""
        return list(dict.fromkeys(name for name, _ in self._agents()))

    def hours_a_week(self) -> float:
        """Return the agent-hours of a week without holidays or absence."""
        found = 0.0
        for _, one in self._agents():
            begin, end = _clock(one.begin, "roster"), _clock(one.end, "roster")
            found += len(one.days) * ((end.hour - begin.hour) + (end.minute - begin.minute) / 60.0)
        return found

    def _agents(self) -> Iterator[tuple[str, Shift]]:
        n = 0
        for one in self.shift:
            if isinstance(one.agents, int):
                for _ in range(one.agents):
                    n += 1
                    yield f"a{n:04d}", one
            else:
                for name in one.agents:
                    yield name, one


def roster(agents: str | int | Path, *, begin: str = "09:00", end: str = "17:00") -> Roster:
    """Return the roster of a file, or of so many agents who work office days.

    Raises
    ------
    BadInput
        When the file cannot be read or says what cannot be.
    """
    text = str(agents)
    if text.removeprefix("-").isdecimal():
        if int(text) < 1:
            raise BadInput(f"agents must be 1 or more, was {text}; nobody would ever log in")
        return Roster(shift=(Shift(agents=int(text), begin=begin, end=end),))
    try:
        with Path(text).open("rb") as file:
            told: dict[str, Any] = tomllib.load(file)
    except OSError as error:
        raise BadInput(
            f"roster {text}: cannot be read ({error.strerror}); name a file, or a number of agents"
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"roster {text}: is no TOML ({error}); correct it") from None
    try:
        return msgspec.convert(told, Roster)
    except msgspec.ValidationError as error:
        raise BadInput(f"roster {text}: {in_words(error, told, Roster)}; correct it") from None
    except BadInput as error:
        raise BadInput(f"roster {text}: {str(error).removeprefix('roster: ')}") from None


def _clock(text: str, where: str) -> time:
    if not CLOCK.fullmatch(text):
        raise BadInput(f"{where}: {text!r} is no time of day; write it as 09:00")
    return time.fromisoformat(text)


def _instant(day: date, clock: str, zone: str) -> int:
    return from_datetime(datetime.combine(day, time.fromisoformat(clock), ZoneInfo(zone)))
