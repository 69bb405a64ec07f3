"""The rest of a day planned anew: whoever waits still gets the hour that is best by what the day has told.

The live floor and the simulated one both call `replan` with what their engine holds. What was decided in the morning
stands: who is on the list, under which arm, by which lots. Those who were called today are done. What comes out names
whom the new plan moves, and nobody else.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from domain.events import DayLearned
from domain.instants import midnight_us, to_datetime
from domain.people import Dossier, Lead
from domain.settings import CampaignSettings
from strategy.documents import Document, strategy_of
from strategy.fields import Scores
from strategy.forecasts import tell
from strategy.learning import HABIT_US, Count, Gamma, Habit, Hour, days_of, habit, learned
from strategy.listing import PRIORITY
from strategy.planning import Called, Pace, Planner, Workplace

I8 = NDArray[np.int64]

#: A plan stands until an hour is answered so many times as often, or as rarely, as it went by.
_MOVED: Final = 1.1
#: People planned at once.
_PART: Final = 5_000


class Learnt(NamedTuple):
    """What a floor knows of its day when it is asked whether to plan anew."""

    #: ISO.
    day: str
    habit: Habit
    #: Hours of today so far.
    today: Sequence[Hour]
    #: Agents at work for each who was to be.
    staff: float = 1.0


def learns(campaign: CampaignSettings) -> bool:
    """Return whether any arm of a campaign plans its day anew."""
    strategy = strategy_of(campaign)
    return strategy is not None and any(_replans(strategy.of_arm(arm.name)) for arm in strategy.arms)


def _replans(document: Document) -> bool:
    return document.plan == "slots" and document.replan


def learn(
    counts: Sequence[Count], at_us: int, zone: str, present: float, planned: float, before: Learnt | None = None
) -> Learnt:
    """Return what calls of recent days and of today tell.

    Parameters
    ----------
    present, planned : float
        Agents at work, and those who were to be.
    before : Learnt, optional
        What was learned last: of the same day, its habit is taken over, and days before need not be counted again.
    """
    day = to_datetime(at_us, zone).date()
    today_us = midnight_us(day, zone)
    of_today = [one for one in counts if today_us <= one.at_us <= at_us]
    if before is not None and before.day == day.isoformat():
        known = before.habit
    else:
        past = (one for one in counts if today_us - HABIT_US <= one.at_us < today_us)
        known = habit(list(days_of(past, zone).values()))
    today = days_of(of_today, zone).get(day.isoformat(), [])
    return Learnt(day.isoformat(), known, today, present / planned if planned > 0.0 else 1.0)


class Beliefs(NamedTuple):
    """How many times as often as forecast each hour of today is answered, by the hour of the floor's day."""

    day: str
    now: int
    of: dict[int, Gamma]

    def stands(self, plan: "Beliefs | None") -> bool:
        """Return whether a plan that went by other beliefs, or by none, may stand."""
        before = plan.of[self.now].mean if plan is not None and plan.day == self.day and self.now in plan.of else 1.0
        return max(self.of[self.now].mean / before, before / self.of[self.now].mean) < _MOVED


def beliefs(learnt: Learnt, at_us: int, zone: str) -> Beliefs:
    """Return what the day so far tells of all its hours."""
    now, hours = to_datetime(at_us, zone).hour, range(24)
    found = learned(learnt.habit, learnt.today, hours, now)
    return Beliefs(learnt.day, now, dict(zip(hours, found, strict=True)))


class Replanned(NamedTuple):
    """Who moves, in the order of their new places, and by what."""

    leads: list[Lead]
    by: DayLearned
    #: Which scores their forecasts come from.
    scores: str | None


def replan(
    place: Workplace,
    campaign: CampaignSettings,
    waiting: Sequence[Lead],
    people: Sequence[Dossier],
    at_us: int,
    scores: Scores | None,
    pace: Pace,
    learnt: Learnt,
    found: Beliefs,
) -> Replanned:
    """Plan those anew who wait; `people` are theirs, one for each."""
    strategy = strategy_of(campaign)
    assert strategy is not None
    begins = [to_datetime(int(hour_us), place.zone) for hour_us in place.hours_us(at_us)[: place.slots]]
    factors = [found.of[one.hour].mean for one in begins]

    tomorrow_us = midnight_us(to_datetime(at_us, place.zone).date() + timedelta(days=1), place.zone)

    def agents(hour_us: int) -> float:
        # Who has gone home does not come back today.
        return place.agents(hour_us) * (learnt.staff if hour_us < tomorrow_us else 1.0)

    there = Workplace(place.gate, place.zone, place.first_hour, place.slots, agents)
    rows: list[tuple[int, int, int]] = []
    for arm in strategy.arms:
        document = strategy.of_arm(arm.name)
        some = [n for n, one in enumerate(waiting) if one.choice is not None and one.choice.arm == arm.name]
        if _replans(document) and some:
            of = [waiting[n] for n in some]
            called, priority = _called(campaign, document, of)
            share = len(some) / len(waiting)
            planner = Planner(there, campaign, document, called, at_us, scores, pace, share, factors)
            for first in range(0, len(some), _PART):
                planner.add(first, [people[n] for n in some[first : first + _PART]])
            plan = planner.solve()
            person = np.array([one.person for one in of], np.int64)
            order = np.lexsort((person, -plan.gain, plan.tier, priority)).tolist()
            hour_us = plan.hour_us.tolist()
            from_us = [hour_us[row] if hour_us[row] > at_us else 0 for row in order]
            ranks = _moved([of[row] for row in order], from_us)
            rows += [(some[row], hour_us[row], to) for row, to in zip(order, ranks, strict=True) if to is not None]
    rows.sort(key=lambda row: row[2])
    told = tell(scores, [people[n] for n, _, _ in rows], [hour_us for _, hour_us, _ in rows], at_us, place.zone)
    leads = [
        replace(
            waiting[n],
            rank=rank,
            from_us=hour_us if hour_us > at_us else 0,
            numbers=of.numbers or waiting[n].numbers,
            reach=of.reach or waiting[n].reach,
        )
        for (n, hour_us, rank), of in zip(rows, told, strict=True)
    ]
    by = DayLearned(
        hour=found.now,
        answers=tuple(round(found.of[hour].mean, 4) for hour in range(found.now, 24)),
        strength=learnt.habit.strength,
        kept=learnt.habit.kept,
        staff=round(learnt.staff, 4),
        waiting=len(waiting),
        moved=len(leads),
    )
    return Replanned(leads, by, scores.version if scores is not None and any(one.reach for one in leads) else None)


def _called(campaign: CampaignSettings, document: Document, leads: Sequence[Lead]) -> tuple[Called, I8]:
    """Return some leads as a plan knows them, and their priorities."""
    place = {name: number for number, name in enumerate(document.ranks)}
    choices = [one.choice for one in leads if one.choice is not None]
    steps = []
    for one in choices:
        _, treatment, number = one.treatment.split(".")
        steps.append(document.treatments[treatment].steps[int(number) - 1])
    called = Called(
        tier=np.array([place.get(one.by, len(place)) for one in choices], np.int64),
        value=np.array([np.nan if one.value is None else one.value for one in choices]),
        # Only lots bring somebody onto a list whose step does not call.
        by_lot=np.array([step.channel != "call" for step in steps], bool),
        treatments=[campaign.treatment(one.treatment) for one in choices],
    )
    return called, np.array([step.priority if step.channel == "call" else PRIORITY for step in steps], np.int64)


def _moved(ordered: Sequence[Lead], from_us: Sequence[int]) -> list[int | None]:
    """Return the new ranks of as few as have to move for a list to stand in a new order; None: he stays."""
    stays = _rising([one.rank for one in ordered])
    found: list[int | None] = []
    rank = min((one.rank for one in ordered), default=0)
    for one, hour_us, stayed in zip(ordered, from_us, stays, strict=True):
        rank = one.rank if stayed else rank
        found.append(None if stayed and hour_us == one.from_us else rank)
    return found


def _rising(values: Sequence[int]) -> list[bool]:
    """Return which of some numbers make a longest rising row of them."""
    ends: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for place, value in enumerate(values):
        length = bisect_left(ends, value)
        before.append(at[length - 1] if length else -1)
        if length == len(ends):
            ends.append(value)
            at.append(place)
        else:
            ends[length], at[length] = value, place
    found = [False] * len(values)
    last = at[-1] if at else -1
    while last >= 0:
        found[last] = True
        last = before[last]
    return found
